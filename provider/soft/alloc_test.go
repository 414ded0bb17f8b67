package soft_test

import (
	"testing"

	"github.com/hardmls/hardmls/provider"
)

// TestAllocations holds hot calls to what they may allocate: nothing, and for
// AES-GCM the two cipher objects of the standard library, for
// ChaCha20-Poly1305 one.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector drops pooled memory")
	}
	for _, id := range provider.CipherSuites() {
		_, s := bind(t, id)
		p := s.Params()
		secret, key, nonce := make([]byte, p.Nh), make([]byte, p.Nk), make([]byte, p.Nn)
		msg, ad, info := make([]byte, 256), make([]byte, 40), make([]byte, 20)
		long := make([]byte, 3*p.Nh+1)
		buf := make([]byte, 0, 256+p.Nt)
		zeroKey, zeroNonce := make([]byte, p.Nk), make([]byte, p.Nn)
		ct := s.Seal(nil, zeroKey, zeroNonce, msg, ad)
		objects := 2.0
		if p.AEAD == provider.AEAD_CHACHA20POLY1305 {
			objects = chachaObjects
		}
		bound := s.Upgrades().Bind.Bind(secret)
		for _, c := range []struct {
			name string
			max  float64
			f    func()
		}{
			{"Hash", 0, func() { s.Hash(secret, msg) }},
			{"Extract", 0, func() { s.Extract(secret, secret, msg) }},
			{"Expand", 0, func() { s.Expand(secret, secret, info) }},
			{"Expand of several blocks", 0, func() { s.Expand(long, secret, info) }},
			{"MAC", 0, func() { s.MAC(secret, secret, msg) }},
			{"MAC with a long key", 0, func() { s.MAC(secret, msg, msg) }},
			{"RatchetStep", 0, func() { s.Upgrades().Ratchet.RatchetStep(key, nonce, secret, 1) }},
			{"RatchetStep without key", 0, func() { s.Upgrades().Ratchet.RatchetStep(nil, nil, secret, 1) }},
			{"SenderDataKey", 0, func() { bound.SenderDataKey(key, nonce, secret) }},
			{"bound MAC", 0, func() { bound.MAC(secret, msg) }},
			{"Seal", objects, func() { s.Seal(buf, key, nonce, msg, ad) }},
			{"Open", objects, func() { s.Open(buf, zeroKey, zeroNonce, ct, ad) }},
		} {
			if got := testing.AllocsPerRun(200, c.f); got > c.max {
				t.Errorf("%v: %s allocates %v times, want at most %v", id, c.name, got, c.max)
			}
		}
	}
}
