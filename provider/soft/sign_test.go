package soft_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/cloudflare/circl/sign/ed448"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
	"github.com/hardmls/hardmls/provider/soft"
)

// TestImportSigner: an exported key comes back, and one seed gives one key.
func TestImportSigner(t *testing.T) {
	for _, id := range provider.CipherSuites() {
		c := soft.New(soft.Options{Rand: providertest.NewRand(uint64(id))})
		s, err := c.Suite(id)
		if err != nil {
			t.Fatal(err)
		}
		k, err := soft.NewSigner(c, s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := soft.NewSigner(soft.New(soft.Options{Rand: providertest.NewRand(uint64(id))}), s)
		if err != nil || !bytes.Equal(k.Public(), again.Public()) {
			t.Errorf("%v: NewSigner draws from more than its reader: %v", id, err)
		}
		raw, err := soft.ExportSigner(k)
		if err != nil {
			t.Fatal(err)
		}
		given := bytes.Clone(raw)
		imported, err := soft.ImportSigner(s, given)
		if err != nil || !bytes.Equal(imported.Public(), k.Public()) {
			t.Fatalf("%v: ImportSigner: %v", id, err)
		}
		clear(given) // it is not kept
		providertest.TestSigner(t, s, imported)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			if text := fmt.Sprintf(verb, k); text != "soft.Signer(redacted)" {
				t.Errorf("%v: %s prints %q", id, verb, text)
			}
		}
		for what, bad := range map[string][]byte{
			"no key": nil, "a long key": append(bytes.Clone(raw), 0), "ones": bytes.Repeat([]byte{0xff}, len(raw)+33),
		} {
			if got, err := soft.ImportSigner(s, bad); !errors.Is(err, provider.ErrInvalidKey) || got != nil {
				t.Errorf("%v: ImportSigner of %s: %v, want ErrInvalidKey", id, what, err)
			}
		}
		failing := soft.New(soft.Options{Rand: providertest.FailingRand(0)})
		if got, err := soft.NewSigner(failing, s); !errors.Is(err, providertest.ErrInjected) || got != nil {
			t.Errorf("%v: NewSigner without randomness: %v", id, err)
		}
	}
}

func TestImportSignerForms(t *testing.T) {
	_, s := bind(t, 1)
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	if k, err := soft.ImportSigner(s, key); err != nil || !bytes.Equal(k.Public(), key[32:]) {
		t.Errorf("seed and public key: %v", err)
	}
	key[40] ^= 1
	if _, err := soft.ImportSigner(s, key); !errors.Is(err, provider.ErrInvalidKey) {
		t.Errorf("a public key of another seed: %v", err)
	}
	_, s = bind(t, 2)
	short, err1 := soft.ImportSigner(s, []byte{2})
	long, err2 := soft.ImportSigner(s, append(make([]byte, 31), 2))
	if err := errors.Join(err1, err2); err != nil || !bytes.Equal(short.Public(), long.Public()) {
		t.Errorf("a scalar without leading zeros: %v", err)
	}
	if _, err := soft.ImportSigner(s, make([]byte, 32)); !errors.Is(err, provider.ErrInvalidKey) {
		t.Errorf("a scalar of zero: %v", err)
	}
}

// A messageSigner signs whole messages only, as some tokens do.
type messageSigner struct{ ed25519.PrivateKey }

func (messageSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("no digests")
}

func (m messageSigner) SignMessage(_ io.Reader, msg []byte, _ crypto.SignerOpts) ([]byte, error) {
	return ed25519.Sign(m.PrivateKey, msg), nil
}

type failingSigner struct{ ed25519.PrivateKey }

func (failingSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, providertest.ErrInjected
}

func TestSignerFrom(t *testing.T) {
	ed := ed25519.NewKeyFromSeed(make([]byte, 32))
	curve := func(c elliptic.Curve) crypto.Signer {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	for _, c := range []struct {
		suite provider.CipherSuite
		key   crypto.Signer
	}{
		{1, ed}, {1, messageSigner{ed}}, {4, ed448.NewKeyFromSeed(make([]byte, 57))},
		{2, curve(elliptic.P256())}, {7, curve(elliptic.P384())}, {5, curve(elliptic.P521())},
	} {
		_, s := bind(t, c.suite)
		k, err := soft.SignerFrom(c.key)
		if err != nil {
			t.Errorf("%T: %v", c.key, err)
			continue
		}
		providertest.TestSigner(t, s, k)
		if _, err := soft.ExportSigner(k); !errors.Is(err, provider.ErrForeignKey) {
			t.Errorf("%T: ExportSigner: %v, want ErrForeignKey", c.key, err)
		}
	}
	for _, bad := range []crypto.Signer{nil, curve(elliptic.P224())} {
		if k, err := soft.SignerFrom(bad); !errors.Is(err, provider.ErrInvalidKey) || k != nil {
			t.Errorf("%T: %v, want ErrInvalidKey", bad, err)
		}
	}
	k, err := soft.SignerFrom(failingSigner{ed})
	if err != nil {
		t.Fatal(err)
	}
	dst := []byte("prefix")
	if got, err := k.Sign(context.Background(), dst, nil); !errors.Is(err, providertest.ErrInjected) || string(got) != "prefix" {
		t.Errorf("a failing signer: %q, %v", got, err)
	}
}

// TestSmallOrderSignatureKeys: the eight points of small order of Ed25519, of
// which these are some, and encodings beyond the field are no keys.
func TestSmallOrderSignatureKeys(t *testing.T) {
	_, s := bind(t, 1)
	for _, bad := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000", // the identity
		"0000000000000000000000000000000000000000000000000000000000000000", // order 4
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // 1 + p
		"f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // 3 + p
	} {
		if err := s.CheckSignatureKey(unhex(t, bad)); !errors.Is(err, provider.ErrInvalidKey) {
			t.Errorf("%s: %v, want ErrInvalidKey", bad, err)
		}
	}
	_, s = bind(t, 4)
	for _, first := range []byte{0, 1} {
		bad := make([]byte, 57)
		bad[0] = first
		if err := s.CheckSignatureKey(bad); !errors.Is(err, provider.ErrInvalidKey) {
			t.Errorf("Ed448, y = %d: %v, want ErrInvalidKey", first, err)
		}
	}
}
