package providertest

import (
	"testing"

	"github.com/hardmls/hardmls/provider"
)

func BenchmarkToy(b *testing.B) {
	_, s := toy(b, Toy1)
	key, err := s.HPKE().DeriveKey(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	k := make([]byte, 16)
	n := make([]byte, 12)
	msg := make([]byte, 256)
	dst := make([]byte, 0, 400)
	out := make([]byte, 32)
	b.Run("Expand", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Expand(out, k, msg[:40])
		}
	})
	b.Run("Seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Seal(dst, k, n, msg, nil)
		}
	})
	b.Run("SealMany", func(b *testing.B) {
		b.ReportAllocs()
		jobs := []provider.SealJob{{Pub: key.Public(), Plaintext: msg[:32], Enc: make([]byte, 32), CT: make([]byte, 48)}}
		for b.Loop() {
			if err := s.HPKE().SealMany(msg, nil, jobs); err != nil {
				b.Fatal(err)
			}
		}
	})
}
