package pkcs11_test

import (
	"context"
	"errors"
	"log"
	"time"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/auto"
	"github.com/hardmls/hardmls/provider/pkcs11"
	"github.com/hardmls/hardmls/storage/mem"
)

// A server that signs in its token and makes its init and leaf keys there.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	token, err := pkcs11.Open(ctx, pkcs11.Config{
		Module:     "/usr/lib/softhsm/libsofthsm2.so",
		TokenLabel: "mls",
		PIN:        pkcs11.PINFile("/run/credentials/hsm-pin"),
	})
	if err != nil {
		log.Fatal(err) // names the tokens that the module has
	}
	defer token.Close()

	signer, err := token.Signer(ctx, pkcs11.Query{Label: "alice"})
	if errors.Is(err, pkcs11.ErrKeyNotFound) {
		signer, err = token.GenerateKey(ctx, provider.ECDSA_P256_SHA256, pkcs11.KeyOptions{Label: "alice"})
	}
	if err != nil {
		log.Fatal(err)
	}

	crypto, _, err := auto.New(auto.Options{})
	if err != nil {
		log.Fatal(err)
	}
	p := provider.Bundle{
		Backend: crypto,
		// New keys are made in the token; those that were made in software
		// before still load.
		Custody: []provider.Keys{token.Keys(), crypto.SoftwareKeys()},
		Store:   mem.New(),
	}
	group, err := mls.NewGroup(ctx, p, signer, mls.BasicCredential([]byte("alice")), mls.Config{
		CipherSuite:   provider.P256_AES128GCM_SHA256_P256,
		Authenticator: mls.AuthenticatorFunc(func(context.Context, mls.AuthRequest) error { return nil }),
	})
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("created %x", group.ID())
}
