package soft

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"errors"
	"testing"

	"github.com/hardmls/hardmls/provider"
)

// TestDecapKeyFrom opens with an opaque key what is sealed to its public half.
func TestDecapKeyFrom(t *testing.T) {
	c := New(Options{})
	for id, curve := range map[provider.CipherSuite]ecdh.Curve{1: ecdh.X25519(), 2: ecdh.P256(), 5: ecdh.P521(), 7: ecdh.P384()} {
		s, err := c.Suite(id)
		if err != nil {
			t.Fatal(err)
		}
		private, err := curve.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		key, err := DecapKeyFrom(s, private)
		if err != nil {
			t.Fatal(err)
		}
		job := provider.SealJob{Pub: key.Public(), Plaintext: []byte("hello"), Enc: make([]byte, s.Params().Nenc), CT: make([]byte, 5+s.Params().Nt)}
		if err := s.HPKE().SealMany([]byte("info"), nil, []provider.SealJob{job}); err != nil {
			t.Fatal(err)
		}
		got, err := s.HPKE().Open(t.Context(), nil, key, job.Enc, []byte("info"), nil, job.CT)
		if err != nil || !bytes.Equal(got, job.Plaintext) {
			t.Errorf("suite %d: %q, %v", id, got, err)
		}
		if err := key.Decap(t.Context(), make([]byte, s.Params().Nsecret), job.Enc[1:]); !errors.Is(err, provider.ErrDecrypt) {
			t.Errorf("suite %d: short encapsulation: %v", id, err)
		}
	}
}

func TestDecapKeyErrors(t *testing.T) {
	s, err := New(Options{}).Suite(1)
	if err != nil {
		t.Fatal(err)
	}
	key, _, err := ImportKey(s, bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	secret := make([]byte, 32)
	gone := errors.New("token is gone")
	for name, c := range map[string]struct {
		dh   DH
		want error
	}{
		"token":    {func(context.Context, []byte, []byte) error { return gone }, gone},
		"all zero": {func(_ context.Context, out, _ []byte) error { clear(out); return nil }, provider.ErrDecrypt},
	} {
		k, err := DecapKey(s, key.Public(), c.dh)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.Decap(t.Context(), secret, key.Public()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(secret, make([]byte, 32)) {
			t.Errorf("%s: a secret was written", name)
		}
	}
	if _, err := DecapKey(s, make([]byte, 32), nil); !errors.Is(err, provider.ErrInvalidKey) {
		t.Errorf("public key of small order: %v", err)
	}
}
