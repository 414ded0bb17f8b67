package soft

import (
	"crypto/cipher"
	"errors"
	"strings"
	"testing"

	"github.com/hardmls/hardmls/provider"
)

// TestKnownAnswersFail: a self-test notices a wrong answer, a library that
// refuses (as in FIPS 140-only mode) and one that panics.
func TestKnownAnswersFail(t *testing.T) {
	refusing := &aead{16, 12, 16, func([]byte) (cipher.AEAD, error) { return nil, errors.New("not approved") }}
	panicking := &aead{16, 12, 16, func([]byte) (cipher.AEAD, error) { panic("not approved") }}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"hash":      {testKDF(kdf256, hashSHA384, okmSHA256)(), "differs"},
		"HKDF":      {testKDF(kdf256, hashSHA256, okmSHA384)(), "differs"},
		"AEAD":      {testAEAD(aes128, sealedAES256)(), "differs"},
		"refusing":  {testAEAD(refusing, sealedAES128)(), "not approved"},
		"panicking": {testAEAD(panicking, sealedAES128)(), "not approved"},
		"KEM":       {testKEM(1, secretP256)(), "differs"},
		"public":    {testSignature(provider.Ed25519, publicEd448, signedEd25519)(), "differs"},
		"signature": {testSignature(provider.Ed25519, publicEd25519, signedEd448)(), "differs"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, c.err, c.want)
		}
	}
}

// TestUnsupported: a suite whose primitive fails is refused by name.
func TestUnsupported(t *testing.T) {
	p := bySignature[provider.Ed25519]
	good := p.test
	defer func() { p.test = good }()
	p.test = func() error { return errAnswer }
	c := New(Options{})
	_, err := c.Suite(provider.X25519_AES128GCM_SHA256_Ed25519)
	u, ok := errors.AsType[*provider.UnsupportedError](err)
	if !ok || u.Primitive != "sig/ed25519" || u.Suite != 1 {
		t.Errorf("got %v", err)
	}
	if _, err := c.Suite(provider.P256_AES128GCM_SHA256_P256); err != nil {
		t.Errorf("another suite: %v", err)
	}
	for _, choice := range c.Report().Choices {
		if (choice.SelfTest != nil) != (choice.Primitive == "sig/ed25519") {
			t.Errorf("%s: %v", choice.Primitive, choice.SelfTest)
		}
	}
}

// TestScratchIsWiped: nothing of a key or message is left in kept memory.
func TestScratchIsWiped(t *testing.T) {
	for _, k := range []*kdf{kdf256, kdf384, kdf512} {
		secret := make([]byte, k.nh)
		for i := range secret {
			secret[i] = 0xA5
		}
		s := k.get()
		out := make([]byte, 3*k.nh)
		s.expand(out, secret, secret)
		s.key2(s.inner[:], s.outer[:], secret)
		s.wipe()
		state, err := s.h.AppendBinary(nil)
		if err != nil || string(state) != string(k.blank) {
			t.Errorf("%d: the hash keeps its state: %v", k.nh, err)
		}
		if s.pad != [maxBlock]byte{} || s.sum != [provider.MaxNh]byte{} || s.last != [provider.MaxNh]byte{} || s.small != [64]byte{} {
			t.Errorf("%d: scratch keeps secrets", k.nh)
		}
	}
}
