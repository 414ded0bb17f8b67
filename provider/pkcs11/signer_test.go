package pkcs11_test

import (
	"errors"
	"testing"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/pkcs11"
	"github.com/hardmls/hardmls/provider/providertest"
	"github.com/hardmls/hardmls/provider/soft"
)

func bind(t testing.TB, id provider.CipherSuite) provider.Suite {
	t.Helper()
	s, err := soft.New(soft.Options{}).Suite(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// signatureSuites are suites, one for each signature scheme.
var signatureSuites = []provider.CipherSuite{
	provider.P256_AES128GCM_SHA256_P256, provider.P384_AES256GCM_SHA384_P384, provider.P521_AES256GCM_SHA512_P521,
	provider.X25519_AES128GCM_SHA256_Ed25519, provider.X448_AES256GCM_SHA512_Ed448,
}

func TestSignerOfSoftHSM(t *testing.T) {
	token := open(t, newSoftHSM(t))
	for _, id := range some(signatureSuites) {
		s := bind(t, id)
		scheme := s.Params().Signature
		t.Run(scheme.String(), func(t *testing.T) {
			k, err := token.GenerateKey(t.Context(), scheme, pkcs11.KeyOptions{Label: scheme.String()})
			if errors.Is(err, pkcs11.ErrUnsupported) && scheme == provider.Ed448 {
				t.Skipf("this SoftHSM makes no Ed448 keys: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if i := k.Info(); !i.Sensitive || i.Extractable || !i.Sign || i.Derive || len(i.ID) != 16 {
				t.Errorf("the key is %+v", i)
			}
			providertest.TestSigner(t, s, k)
		})
	}
}
