package mem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/hardmls/hardmls/provider"
)

var ctx = context.Background()

func key(group string, epoch uint64, kind provider.Kind, id string) provider.Key {
	return provider.Key{Group: []byte(group), Epoch: epoch, Kind: kind, ID: []byte(id)}
}

func put(k provider.Key, v string) provider.Record { return provider.Record{Key: k, Value: []byte(v)} }

func must(t *testing.T, s *Store, b *provider.Batch) {
	t.Helper()
	if err := s.Apply(ctx, b); err != nil {
		t.Fatal(err)
	}
}

// dump is the content of the store in scan order.
func dump(t *testing.T, s *Store, prefix provider.Key) []string {
	t.Helper()
	var out []string
	for r, err := range s.Scan(ctx, prefix) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%q=%q", provider.AppendKey(nil, r.Key), r.Value))
	}
	return out
}

// TestAgainstModel compares the store with a map that is sorted at each look,
// over random batches whose keys collide often.
func TestAgainstModel(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		pick := func(of ...string) string { return of[rnd.IntN(len(of))] }
		randKey := func() provider.Key {
			return key(pick("", "a", "ab", "a\x00", "a\x00\x01", "b"), uint64(rnd.IntN(3)),
				provider.Kind(rnd.IntN(3)), pick("", "x", "xy", "\x00", "z"))
		}
		s, model := New(), map[string]string{}
		for step := range 300 {
			var b provider.Batch
			for range rnd.IntN(3) {
				b.Delete = append(b.Delete, randKey())
			}
			if k := randKey(); rnd.IntN(4) == 0 && (len(k.Group) > 0 || k.Kind > 0) {
				b.Drop = append(b.Drop, k)
			}
			for i := range rnd.IntN(6) {
				b.Put = append(b.Put, put(randKey(), strings.Repeat(fmt.Sprint(step), i)))
			}
			for _, k := range b.Drop {
				for have := range model {
					if strings.HasPrefix(have, string(provider.AppendPrefix(nil, k))) {
						delete(model, have)
					}
				}
			}
			for _, k := range b.Delete {
				delete(model, string(provider.AppendKey(nil, k)))
			}
			for _, r := range b.Put {
				model[string(provider.AppendKey(nil, r.Key))] = string(r.Value)
			}
			must(t, s, &b)

			prefix := randKey()
			var want []string
			for k, v := range model {
				if strings.HasPrefix(k, string(provider.AppendPrefix(nil, prefix))) {
					want = append(want, k+"\xff\xff="+v)
				}
			}
			var got []string
			for r, err := range s.Scan(ctx, prefix) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(provider.AppendKey(nil, r.Key))+"\xff\xff="+string(r.Value))
			}
			slices.Sort(want)
			if !slices.IsSortedFunc(got, func(a, b string) int {
				ka, _, _ := strings.Cut(a, "\xff\xff=")
				kb, _, _ := strings.Cut(b, "\xff\xff=")
				return strings.Compare(ka, kb)
			}) {
				t.Fatalf("seed %d step %d: not in key order: %q", seed, step, got)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d step %d: scan %+v\n got %q\nwant %q", seed, step, prefix, got, want)
			}
			if s.Len() != len(model) {
				t.Fatalf("seed %d step %d: %d records, want %d", seed, step, s.Len(), len(model))
			}
		}
	}
}

// TestWipesValues looks at the store's own memory after a value is replaced by
// a shorter and by a longer one, deleted, dropped, scanned, and after Close.
func TestWipesValues(t *testing.T) {
	a, b, c := key("g", 0, 1, "a"), key("g", 0, 1, "b"), key("g", 7, 1, "c")
	live := func(s *Store, k provider.Key) []byte {
		return s.records[string(provider.AppendKey(nil, k))].value
	}
	wiped := func(what string, v []byte) {
		t.Helper()
		if !bytes.Equal(v[:cap(v)], make([]byte, cap(v))) {
			t.Errorf("%s left %q", what, v[:cap(v)])
		}
	}
	s := New()
	must(t, s, &provider.Batch{Put: []provider.Record{put(a, "long secret"), put(b, "secret"), put(c, "secret")}})

	v := live(s, a)
	must(t, s, &provider.Batch{Put: []provider.Record{put(a, "new")}})
	if got := string(v); got != "new"+strings.Repeat("\x00", 8) {
		t.Errorf("a shorter value left %q", got)
	}
	v = live(s, b)
	must(t, s, &provider.Batch{Put: []provider.Record{put(b, strings.Repeat("x", 100))}})
	wiped("a longer value", v)
	v = live(s, a)
	must(t, s, &provider.Batch{Delete: []provider.Key{a}})
	wiped("Delete", v)
	v = live(s, c)
	must(t, s, &provider.Batch{Drop: []provider.Key{key("g", 7, 0, "")}})
	wiped("Drop", v)

	must(t, s, &provider.Batch{Put: []provider.Record{put(a, "secret"), put(c, "secret")}})
	var seen [][]byte
	for r := range s.Scan(ctx, provider.Key{}) {
		for _, v := range seen {
			wiped("a step of Scan", v)
		}
		if seen = append(seen, r.Value); len(seen) == 2 {
			break
		}
	}
	wiped("the end of Scan", seen[1])

	v = live(s, b)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wiped("Close", v)
}

func TestClone(t *testing.T) {
	s := New()
	k := key("g", 0, 1, "k")
	must(t, s, &provider.Batch{Group: []byte("g"), Put: []provider.Record{put(k, "old")}})
	snap := s.Clone()
	must(t, s, &provider.Batch{Group: []byte("g"), Expect: 1, Put: []provider.Record{put(k, "new")}})

	if got, _ := snap.Get(ctx, nil, k); string(got) != "old" {
		t.Errorf("the clone has %q", got)
	}
	if v, _ := snap.Version(ctx, []byte("g")); v != 1 {
		t.Errorf("the clone has version %d", v)
	}
	if got, want := dump(t, snap, provider.Key{}), 1; len(got) != want {
		t.Errorf("the clone has %q", got)
	}
	must(t, snap, &provider.Batch{Group: []byte("g"), Expect: 1, Drop: []provider.Key{key("g", 0, 0, "")}})
	if got, _ := s.Get(ctx, nil, k); string(got) != "new" {
		t.Errorf("the clone's batch reached the store: %q", got)
	}
	if snap.Stats().Batches != 1 {
		t.Error("the clone took the counts along")
	}
}

func TestStats(t *testing.T) {
	s := New()
	k := key("g", 0, 1, "id")
	n := int64(len(provider.AppendKey(nil, k)))
	must(t, s, &provider.Batch{Group: []byte("g"), Put: []provider.Record{put(k, "value")}})
	must(t, s, &provider.Batch{Group: []byte("g"), Expect: 1, Delete: []provider.Key{k}})
	if err := s.Apply(ctx, &provider.Batch{Group: []byte("g"), Put: []provider.Record{put(k, "value")}}); !errors.Is(err, provider.ErrGroupExists) {
		t.Fatal(err)
	}
	want := Stats{Batches: 2, Puts: 1, KeyBytes: 2 * n, ValueBytes: 5}
	if got := s.Stats(); got != want || got.Bytes() != 2*n+5 {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestHotPathAllocatesNothing: one application message is one record replaced.
func TestHotPathAllocatesNothing(t *testing.T) {
	s := New()
	group := []byte("a group of usual length")
	k := provider.Key{Group: group, Epoch: 5, Kind: 3, ID: []byte{0, 0, 0, 1}}
	b := &provider.Batch{Group: group, Put: []provider.Record{{Key: k, Value: make([]byte, 40)}}}
	must(t, s, b)
	dst := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		b.Expect++
		if err := s.Apply(ctx, b); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(ctx, dst, k); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// fill makes n groups of ten records.
func fill(tb testing.TB, n int) *Store {
	s := New()
	for g := range n {
		b := &provider.Batch{Group: fmt.Appendf(nil, "group %d", g)}
		for i := range 10 {
			b.Put = append(b.Put, provider.Record{
				Key:   provider.Key{Group: b.Group, Kind: 1, ID: []byte{byte(i)}},
				Value: make([]byte, 40),
			})
		}
		if err := s.Apply(ctx, b); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

// TestSearchStepsAreLogarithmic counts nodes passed on the way to a key, which
// is what Scan, a new record and a removed one cost.
func TestSearchStepsAreLogarithmic(t *testing.T) {
	s := fill(t, 10_000)
	steps, searches := 0, 0
	for g := 0; g < 10_000; g += 100 {
		want := string(provider.AppendPrefix(nil, provider.Key{Group: fmt.Appendf(nil, "group %d", g)}))
		links := s.order.heads[:]
		for level := maxLevels - 1; level >= 0; level-- {
			for n := links[level]; n != nil && n.key < want; n = links[level] {
				links = n.next
				steps++
			}
		}
		searches++
	}
	// About 1.5 steps on each of log4(100,000) ≈ 8.3 levels, at most a
	// multiple of it by bad luck.
	if mean := steps / searches; mean > 60 {
		t.Errorf("%d steps to find one of %d records", mean, s.Len())
	}
}

func BenchmarkApply(b *testing.B) {
	for _, groups := range []int{1, 10_000} {
		s := fill(b, groups)
		batches := make([]*provider.Batch, groups)
		for g := range batches {
			group := fmt.Appendf(nil, "group %d", g)
			batches[g] = &provider.Batch{Group: group, Put: []provider.Record{{
				Key:   provider.Key{Group: group, Kind: 1, ID: []byte{3}},
				Value: make([]byte, 40),
			}}}
		}
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				batch := batches[i%groups]
				batch.Expect = s.version(batch.Group)
				if err := s.Apply(ctx, batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
