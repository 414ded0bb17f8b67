package mls_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/auto"
	"github.com/hardmls/hardmls/provider/soft"
	"github.com/hardmls/hardmls/storage/mem"
)

// A person is what one client has: cryptography and a store, a signature key,
// a credential, and choices.
type person struct {
	provider   provider.Provider
	signer     provider.Signer
	credential mls.Credential
	config     mls.Config
}

func newPerson(name string) *person {
	crypto, _ := must2(auto.New(auto.Options{}))
	suite := must(crypto.Suite(provider.X25519_AES128GCM_SHA256_Ed25519))
	signer := must(soft.NewSigner(crypto, suite))
	directory[name] = signer.Public()
	return &person{
		provider:   provider.Bundle{Backend: crypto, Store: mem.New()},
		signer:     signer,
		credential: mls.BasicCredential([]byte(name)),
		config:     mls.Config{Authenticator: mls.AuthenticatorFunc(authenticate)},
	}
}

// The directory says whose signature key is whose: here a map, elsewhere a
// service.
var directory = map[string][]byte{}

func authenticate(_ context.Context, r mls.AuthRequest) error {
	if !bytes.Equal(directory[string(r.Credential.Identity)], r.SignatureKey) {
		return errors.New("not in the directory")
	}
	return nil
}

// Two clients and the bytes that travel between them: a key package, a
// Welcome, a message.
func Example() {
	ctx := context.Background()
	alice, bob := newPerson("alice"), newPerson("bob")

	// Bob publishes a key package. Its private half stays in his store.
	kp := must(mls.NewKeyPackage(ctx, bob.provider, bob.signer, bob.credential, bob.config))
	published := kp.Bytes()

	// Alice creates a group and adds Bob. When the delivery service has
	// accepted her commit, she merges it and sends the Welcome.
	group := must(mls.NewGroup(ctx, alice.provider, alice.signer, alice.credential, alice.config))
	bobs := must(mls.ParseKeyPackage(alice.provider.Crypto(), published, alice.config))
	bundle := must(group.AddMembers(ctx, bobs))
	check(group.MergePending(ctx))

	// Bob joins.
	welcome := must(mls.OpenWelcome(ctx, bob.provider, bundle.Welcome, bob.config))
	staged := must(welcome.Stage(ctx, bob.signer))
	joined := must(staged.Join(ctx))

	// Alice writes, Bob reads.
	message := must(group.CreateMessage(ctx, []byte("hello, Bob"), mls.MessageOptions{}))
	switch got := must(joined.Process(ctx, message, mls.ProcessOptions{})).(type) {
	case *mls.ApplicationMessage:
		sender, _ := joined.Member(got.Info.Sender)
		fmt.Printf("epoch %d, %s: %s\n", got.Info.Epoch, sender.Credential.Identity, got.Data)
	}
	// Output:
	// epoch 1, alice: hello, Bob
}
