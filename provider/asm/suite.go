package asm

import (
	"github.com/hardmls/hardmls/internal/asm/aesgcm"
	"github.com/hardmls/hardmls/internal/asm/sha256"
	"github.com/hardmls/hardmls/provider"
)

// A suite implements provider.Suite: soft's, with kernels where there are some.
type suite struct {
	provider.Suite
	p   *provider.Params
	gcm aesgcm.Kernel
	sha sha256.Kernel
	up  provider.Upgrades
}

func newSuite(s provider.Suite, k kernels) *suite {
	p := s.Params()
	x := &suite{Suite: s, p: p, gcm: k.gcm(p), sha: k.sha(p), up: *s.Upgrades()}
	if x.sha != sha256.Generic {
		x.up.Ratchet = ratchet{sha256.NewRatchet(x.sha, p.Nk)}
		x.up.Bind = &binder{x.sha, sha256.NewSenderData(p.Nk)}
	}
	return x
}

// Upgrades implements provider.Suite.
func (s *suite) Upgrades() *provider.Upgrades { return &s.up }

// Seal implements provider.Suite.
func (s *suite) Seal(dst, key, nonce, plaintext, ad []byte) []byte {
	if s.gcm == aesgcm.Generic {
		return s.Suite.Seal(dst, key, nonce, plaintext, ad)
	}
	s.wantKey(key)
	return aesgcm.Seal(s.gcm, dst, key, nonce, plaintext, ad)
}

// Open implements provider.Suite.
func (s *suite) Open(dst, key, nonce, ciphertext, ad []byte) ([]byte, error) {
	if s.gcm == aesgcm.Generic {
		return s.Suite.Open(dst, key, nonce, ciphertext, ad)
	}
	s.wantKey(key)
	out, err := aesgcm.Open(s.gcm, dst, key, nonce, ciphertext, ad)
	if err != nil {
		return nil, provider.ErrDecrypt
	}
	if out == nil {
		out = []byte{}
	}
	return out, nil
}

// wantKey tells AES-128 from AES-256, which share their kernels.
func (s *suite) wantKey(key []byte) {
	if len(key) != s.p.Nk {
		panic("asm: AEAD key of a wrong length")
	}
}

// Extract implements provider.Suite: HKDF-Extract of RFC 5869 §2.2.
func (s *suite) Extract(out, salt, ikm []byte) { s.MAC(out, salt, ikm) }

// MAC implements provider.Suite.
func (s *suite) MAC(out, key, msg []byte) {
	if s.sha == sha256.Generic {
		s.Suite.MAC(out, key, msg)
		return
	}
	wantOut(out)
	sha256.HMAC(s.sha, out, key, msg)
}

// Expand implements provider.Suite: HKDF-Expand of RFC 5869 §2.3.
func (s *suite) Expand(out, prk, info []byte) {
	if s.sha == sha256.Generic {
		s.Suite.Expand(out, prk, info)
		return
	}
	sha256.Expand(s.sha, out, prk, info)
}

func wantOut(out []byte) {
	if len(out) != sha256.Size {
		panic("asm: output of a wrong length")
	}
}
