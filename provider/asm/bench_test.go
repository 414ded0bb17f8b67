package asm

import (
	"testing"

	"github.com/hardmls/hardmls/internal/asm/aesgcm"
	"github.com/hardmls/hardmls/internal/asm/sha256"
	"github.com/hardmls/hardmls/provider"
)

// BenchmarkSealMessage seals a content, derives the keys of its sender data and seals
// that, by the contract's calls and by the kernels' functions in a row: what a fused
// call could save between them.
func BenchmarkSealMessage(b *testing.B) {
	c := open(b, nil).(*backend)
	if c.kernels.aes128 == aesgcm.Generic || c.kernels.sha256 == sha256.Generic {
		b.Skip("not all kernels")
	}
	s, err := c.Suite(provider.X25519_AES128GCM_SHA256_Ed25519)
	if err != nil {
		b.Fatal(err)
	}
	secret, key, nonce, sdKey, sdNonce := make([]byte, 32), make([]byte, 16), make([]byte, 12), make([]byte, 16), make([]byte, 12)
	content, sd, ad := make([]byte, 330, 346), make([]byte, 12, 28), make([]byte, 80)
	b.Run("calls", func(b *testing.B) {
		x := s.Upgrades().Bind.Bind(secret)
		for b.Loop() {
			ct := s.Seal(content[:0], key, nonce, content, ad)
			x.SenderDataKey(sdKey, sdNonce, ct[:32])
			s.Seal(sd[:0], sdKey, sdNonce, sd, ad[:45])
		}
	})
	b.Run("kernels", func(b *testing.B) {
		var x sha256.Key
		x.Set(c.kernels.sha256, secret)
		keys, k := sha256.NewSenderData(16), c.kernels.aes128
		for b.Loop() {
			ct := aesgcm.Seal(k, content[:0], key, nonce, content, ad)
			keys.Keys(&x, sdKey, sdNonce, ct[:32])
			aesgcm.Seal(k, sd[:0], sdKey, sdNonce, sd, ad[:45])
		}
	})
	var x sha256.Key
	x.Set(c.kernels.sha256, secret)
	keys, k := sha256.NewSenderData(16), c.kernels.aes128
	b.Run("content", func(b *testing.B) {
		for b.Loop() {
			aesgcm.Seal(k, content[:0], key, nonce, content, ad)
		}
	})
	b.Run("keys", func(b *testing.B) {
		for b.Loop() {
			keys.Keys(&x, sdKey, sdNonce, content[:32])
		}
	})
	b.Run("sender data", func(b *testing.B) {
		for b.Loop() {
			aesgcm.Seal(k, sd[:0], sdKey, sdNonce, sd, ad[:45])
		}
	})
}
