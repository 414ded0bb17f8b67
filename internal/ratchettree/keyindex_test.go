package ratchettree

import (
	"maps"
	"math/rand/v2"
	"testing"
)

// TestKeyIndex compares versions of an index with maps: with hashes as they are,
// and with few of them, so that buckets hold more than can be split.
func TestKeyIndex(t *testing.T) {
	for name, mask := range map[string]uint32{"hashes": 1<<32 - 1, "few hashes": 7, "one way down": 0xf000_0000} {
		t.Run(name, func(t *testing.T) {
			type version struct {
				index keyIndex
				want  map[indexEntry]int
			}
			rng := rand.New(rand.NewPCG(1, uint64(mask)))
			versions := []version{{want: map[indexEntry]int{}}}
			for range 60 {
				from := versions[max(0, len(versions)-1-rng.IntN(3))] // also two edits of one version
				next := version{from.index.edit(), maps.Clone(from.want)}
				grow := rng.IntN(3) > 0
				for range rng.IntN(200) {
					e := indexEntry{rng.Uint32() & mask, rng.Uint32N(4)}
					if grow {
						next.index.root = next.index.insert(next.index.root, 0, e)
						next.want[e]++
						continue
					}
					for known := range next.want { // any
						if rng.IntN(8) > 0 {
							e = known
						}
						break
					}
					next.index.root = next.index.delete(next.index.root, 0, e)
					if next.want[e]--; next.want[e] <= 0 {
						delete(next.want, e)
					}
				}
				next.index.settle()
				versions = append(versions, next)
			}
			for i, v := range versions {
				for e, n := range v.want {
					found := 0
					for _, other := range v.index.bucket(e.hash) {
						if other == e {
							found++
						}
					}
					if found != n {
						t.Fatalf("version %d has %v %d times, want %d", i, e, found, n)
					}
				}
				if got, want := entries(v.index.root), total(v.want); got != want {
					t.Fatalf("version %d has %d entries, want %d", i, got, want)
				}
			}
		})
	}
}

// TestKeyIndexEmpties: no inner node stays behind the last entry.
func TestKeyIndexEmpties(t *testing.T) {
	k := new(keyIndex).edit()
	keys := make([][]byte, 5000)
	for i := range keys {
		keys[i] = []byte{byte(i), byte(i >> 8)}
		k.add(keys[i], uint32(i))
	}
	for i, key := range keys {
		k.remove(key, uint32(i))
	}
	if k.root != nil {
		t.Errorf("%d entries are left", entries(k.root))
	}
}

func entries(n *indexNode) int {
	if n == nil {
		return 0
	}
	count := len(n.bucket)
	for _, k := range n.kids {
		count += entries(k)
	}
	return count
}

func total(m map[indexEntry]int) (n int) {
	for _, k := range m {
		n += k
	}
	return n
}
