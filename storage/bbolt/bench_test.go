package bbolt_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/storage/bbolt"
	"github.com/hardmls/hardmls/storage/groupcommit"
)

// BenchmarkApply writes records of the size of a ratchet's durably, by one and by many
// goroutines, each with a group of its own, alone and together.
func BenchmarkApply(b *testing.B) {
	for _, writers := range []int{1, 64, 1024} {
		for _, together := range []bool{false, true} {
			b.Run(fmt.Sprintf("writers=%d/together=%v", writers, together), func(b *testing.B) {
				engine, err := bbolt.Open(filepath.Join(b.TempDir(), "store"), bbolt.Options{})
				if err != nil {
					b.Fatal(err)
				}
				var s provider.Storage = engine
				if together {
					if s, err = groupcommit.New(engine); err != nil {
						b.Fatal(err)
					}
				}
				defer s.Close()
				var wg sync.WaitGroup
				for w := range writers {
					n := b.N / writers
					if w < b.N%writers {
						n++
					}
					wg.Go(func() {
						group, value := fmt.Appendf(nil, "group %d", w), make([]byte, 64)
						for i := range n {
							value[i%64]++
							batch := provider.Batch{Group: group, Expect: uint64(i), Put: []provider.Record{{Key: provider.Key{Group: group, Kind: 5}, Value: value}}}
							if err := s.Apply(b.Context(), &batch); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
			})
		}
	}
}
