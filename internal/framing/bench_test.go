package framing

import (
	"fmt"
	"testing"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/provider"
)

// The benchmarks leave the signature out: it is most of a message's cost and
// the same whoever frames it. floor is the primitives alone, in the same run;
// framing-alone has primitives that cost nothing.
var benchSizes = []int{64, 256, 1350, 8 << 10, 64 << 10}

// unsigned is a suite whose signatures all verify.
type unsigned struct{ provider.Suite }

func (unsigned) Verify(pub, msg, sig []byte) error { return nil }

func BenchmarkSeal(b *testing.B) {
	forEachSize(b, func(b *testing.B, w *world, data []byte) {
		var s Sealer
		dst := make([]byte, 0, len(data)+1000)
		sig := filled(w.suite.Params().SigMax, 1)
		for b.Loop() {
			if err := s.Begin(dst, w.ep, testLeaf, proto.ContentTypeApplication, data, nil, Padding{}); err != nil {
				b.Fatal(err)
			}
			if err := s.SetAuth(sig, nil); err != nil {
				b.Fatal(err)
			}
			s.Finish(w.key, w.nonce, testGeneration, testGuard)
		}
	}, (*bare).seal)
}

func BenchmarkOpen(b *testing.B) {
	forEachSize(b, func(b *testing.B, w *world, data []byte) {
		var o Opener
		msg := w.seal(new(Sealer), nil, data, nil, Padding{})
		dst := make([]byte, 0, len(msg)+1000)
		for b.Loop() {
			if _, err := w.open(&o, dst, msg); err != nil {
				b.Fatal(err)
			}
		}
	}, (*bare).open)
}

func forEachSize(b *testing.B, f func(b *testing.B, w *world, data []byte), floor func(*bare)) {
	w, free := newSoftWorld(b, provider.X25519_AES128GCM_SHA256_Ed25519), freeWorld(b)
	w = newWorldOf(b, unsigned{w.suite}, w.signer)
	for _, size := range benchSizes {
		name := fmt.Sprintf("suite=%d/size=%d", w.suite.Params().ID, size)
		b.Run(name+"/code=framing", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			f(b, w, counting(size))
		})
		b.Run(name+"/code=framing-alone", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			f(b, free, counting(size))
		})
		b.Run(name+"/code=floor", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			primitives := newBare(w, size)
			primitives.seal()
			for b.Loop() {
				floor(primitives)
			}
		})
	}
}
