package proposal

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"testing"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
)

// testBackend is suite 1 as far as this package uses it: real signatures over
// real public keys, and HPKE keys of toy crypto, which are only compared.
type testBackend struct{ *providertest.ToyBackend }

type testSuite struct {
	provider.Suite // toy
	params         *provider.Params
}

func (s testSuite) Params() *provider.Params { return s.params }

func (s testSuite) CheckSignatureKey(pub []byte) error {
	if len(pub) != ed25519.PublicKeySize {
		return provider.ErrInvalidKey
	}
	return nil
}

func (s testSuite) Verify(pub, msg, sig []byte) error {
	if len(pub) != ed25519.PublicKeySize || !ed25519.Verify(pub, msg, sig) {
		return provider.ErrVerify
	}
	return nil
}

type testKey struct{ private ed25519.PrivateKey }

func (k testKey) Public() []byte                   { return k.private[ed25519.SeedSize:] }
func (k testKey) Scheme() provider.SignatureScheme { return provider.Ed25519 }

func (k testKey) Sign(_ context.Context, dst, msg []byte) ([]byte, error) {
	return append(dst, ed25519.Sign(k.private, msg)...), nil
}

func testCrypto(t testing.TB) (testBackend, testSuite) {
	t.Helper()
	c := testBackend{providertest.ToyCrypto(providertest.NewRand(1))}
	toy, err := c.Suite(providertest.Toy1)
	if err != nil {
		t.Fatal(err)
	}
	params, _ := provider.ParamsOf(provider.X25519_AES128GCM_SHA256_Ed25519)
	return c, testSuite{toy, params}
}

func (w *world) newSigner() provider.Signer {
	w.Helper()
	seed := make([]byte, ed25519.SeedSize)
	if _, err := w.crypto.Rand().Read(seed); err != nil {
		w.Fatal(err)
	}
	return testKey{ed25519.NewKeyFromSeed(seed)}
}

func (w *world) encryptionKey() []byte {
	w.Helper()
	key, _, err := w.crypto.SoftwareKeys().Generate(context.Background(), w.suite.Suite, provider.LeafKey)
	if err != nil {
		w.Fatal(err)
	}
	return bytes.Clone(key.Public())
}
