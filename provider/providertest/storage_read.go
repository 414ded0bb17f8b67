package providertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/hardmls/hardmls/provider"
)

func quoted(b []byte) string { return strconv.Quote(string(b)) }

func checkGet(s store) {
	k, empty := storageKey("g", 1, 1, "k"), storageKey("g", 1, 1, "empty")
	s.apply(&provider.Batch{Group: []byte("g"), Put: []provider.Record{storageRecord(k, "value"), {Key: empty}}})
	for _, room := range []int{0, 3, 5, 100} {
		dst := append(make([]byte, 0, 4+room), "dst:"...)
		got, err := s.Get(background, dst, k)
		if err != nil || string(got) != "dst:value" {
			s.Errorf("Get with room for %d bytes: %q, %v", room, got, err)
		}
		if string(dst) != "dst:" {
			s.Errorf("Get changed what dst held to %q", dst)
		}
		for i := range got {
			got[i] = 'x' // the store's own copy must not change
		}
	}
	s.want(k, "value")
	if got, err := s.Get(background, []byte("dst:"), empty); err != nil || string(got) != "dst:" {
		s.Errorf("an empty value: %q, %v", got, err)
	}
	for _, missing := range []provider.Key{
		storageKey("g", 1, 1, "ke"), storageKey("g", 1, 1, "kk"), storageKey("g", 1, 1, ""), storageKey("g", 1, 2, "k"),
		storageKey("g", 0, 1, "k"), storageKey("g", 2, 1, "k"), storageKey("", 1, 1, "k"), storageKey("h", 1, 1, "k"), storageKey("g\x00", 1, 1, "k"), {},
	} {
		s.want(missing, "")
	}
	s.apply(&provider.Batch{Group: []byte("g"), Expect: 1, Put: []provider.Record{storageRecord(k, "v"), storageRecord(empty, "no more")}})
	s.want(k, "v")
	s.want(empty, "no more")
}

// sorted lists the records under prefix in the order of their encoded keys.
func sorted(all []provider.Record, prefix provider.Key) []string {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b provider.Record) int {
		return bytes.Compare(provider.AppendKey(nil, a.Key), provider.AppendKey(nil, b.Key))
	})
	var lines []string
	for _, r := range all {
		if under(prefix, r.Key) {
			lines = append(lines, show(r.Key)+"="+quoted(r.Value))
		}
	}
	return lines
}

func checkScan(s store) {
	if got := s.dump(provider.Key{}); len(got) != 0 {
		s.Errorf("an empty store yields %q", got)
	}
	all := sampleRecords()
	reversed := slices.Clone(all)
	slices.Reverse(reversed)
	s.apply(&provider.Batch{Put: reversed})
	for _, prefix := range append(samplePrefixes(), provider.Key{}) {
		if got, want := s.dump(prefix), sorted(all, prefix); !slices.Equal(got, want) {
			s.Errorf("Scan(%s):\n got %q\nwant %q", show(prefix), got, want)
		}
	}
}

// checkScanSteps stops early, scans again, reads inside a scan and ends the
// context in the middle of one.
func checkScanSteps(s store) {
	var all []provider.Record
	for i := range 500 {
		all = append(all, storageRecord(storageKey("g", 1, 1, fmt.Sprintf("%03d", i)), fmt.Sprint(i)))
	}
	s.apply(&provider.Batch{Group: []byte("g"), Put: all})
	prefix := storageKey("g", 1, 1, "")
	seq := s.Scan(background, prefix)
	for range 2 { // an iterator can be run again
		n := 0
		for r, err := range seq {
			if err != nil || string(r.Key.ID) != fmt.Sprintf("%03d", n) || string(r.Value) != fmt.Sprint(n) {
				s.Fatalf("step %d: %s = %q, %v", n, show(r.Key), r.Value, err)
			}
			if n++; n == 10 {
				break
			}
		}
		if n != 10 {
			s.Errorf("%d steps, want 10", n)
		}
	}
	// After an early stop the store is free again.
	s.apply(&provider.Batch{Group: []byte("g"), Expect: 1})

	n := 0
	for r, err := range s.Scan(background, prefix) {
		if err != nil {
			s.Fatalf("Scan: %v", err)
		}
		s.want(r.Key, string(r.Value))
		if n++; n == 3 {
			break
		}
	}

	ctx, cancel := context.WithCancel(background)
	defer cancel()
	n = 0
	var last error
	for _, err := range s.Scan(ctx, prefix) {
		if last != nil {
			s.Error("Scan went on after its error")
		}
		if last = err; err == nil {
			n++
		}
		if n == 5 {
			cancel()
		}
	}
	// A store may have read ahead, so it may also end without an error; but
	// then it must be whole.
	if last == nil && n != len(all) {
		s.Errorf("Scan with an ended context yielded %d of %d records and no error", n, len(all))
	}
	if last != nil && !errors.Is(last, context.Canceled) {
		s.Errorf("Scan with an ended context: %v", last)
	}
}

func checkSizes(s store) {
	var version uint64
	for _, n := range []int{1, 255, 256, 4095, 4096, 65535, 65536, 1 << 20, 3<<20 + 1} {
		value := bytes.Repeat([]byte{byte(n), 0, 0xff}, n/3+1)[:n]
		k := storageKey("g", 1, 1, "value")
		s.apply(&provider.Batch{Group: []byte("g"), Expect: version, Put: []provider.Record{{Key: k, Value: value}}})
		version++
		if got, err := s.Get(background, nil, k); err != nil || !bytes.Equal(got, value) {
			s.Errorf("a value of %d bytes comes back with %d, %v", n, len(got), err)
		}
	}
	for _, n := range []int{1, 32, 255} { // RFC 9420 §8.1: a group id is opaque<V>
		group := bytes.Repeat([]byte{0}, n)
		k := provider.Key{Group: group, Epoch: 1, Kind: 1, ID: bytes.Repeat([]byte{0xff}, n)}
		s.apply(&provider.Batch{Group: group, Put: []provider.Record{{Key: k, Value: []byte("v")}}})
		s.want(k, "v")
		if v := s.version(group); v != 1 {
			s.Errorf("a group id of %d zero bytes has version %d", n, v)
		}
	}
	var many []provider.Record
	for i := range 5000 {
		many = append(many, storageRecord(storageKey("tree", 1, 1, fmt.Sprintf("%05d", i)), "node"))
	}
	s.apply(&provider.Batch{Group: []byte("tree"), Put: many})
	if got, want := s.dump(storageKey("tree", 0, 0, "")), sorted(many, provider.Key{}); !slices.Equal(got, want) {
		s.Errorf("a batch of %d records comes back with %d, or out of order", len(want), len(got))
	}
}

// checkOneWriterWins: of writers that saw the same version exactly one applies.
func checkOneWriterWins(s store) {
	const writers, rounds = 8, 20
	s.apply(&provider.Batch{Group: []byte("g")})
	var won, lost atomic.Int64
	for round := range rounds {
		var start, done sync.WaitGroup
		start.Add(1)
		for w := range writers {
			done.Go(func() {
				start.Wait()
				err := s.Apply(background, &provider.Batch{Group: []byte("g"), Expect: uint64(round + 1),
					Put: []provider.Record{storageRecord(storageKey("g", 1, 1, fmt.Sprint("by ", round)), fmt.Sprint(w))}})
				switch {
				case err == nil:
					won.Add(1)
				case errors.Is(err, provider.ErrConflict):
					lost.Add(1)
				default:
					s.Errorf("a racing Apply returned %v", err)
				}
			})
		}
		start.Done()
		done.Wait()
	}
	if won.Load() != rounds || lost.Load() != rounds*(writers-1) {
		s.Errorf("%d batches won and %d lost, want %d and %d", won.Load(), lost.Load(), rounds, rounds*(writers-1))
	}
	s.wantVersion("g", rounds+1)
}

// checkReaders: whoever scans a group meets a batch whole or not at all.
func checkReaders(s store) {
	const minBatches, maxBatches, minScans = 200, 5000, 50
	records := func(v uint64) []provider.Record {
		var all []provider.Record
		for i := range 5 {
			all = append(all, storageRecord(storageKey("g", uint64(i), 1, "k"), fmt.Sprint(v)))
		}
		return all
	}
	s.apply(&provider.Batch{Group: []byte("g"), Put: records(0)})
	var done atomic.Bool
	var scans atomic.Int64
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for ; !done.Load(); scans.Add(1) {
				runtime.Gosched() // on a single core, readers and writer take turns
				var first []byte
				n := 0
				for r, err := range s.Scan(background, storageKey("g", 0, 0, "")) {
					if err != nil {
						s.Errorf("Scan beside a writer: %v", err)
						return
					}
					if n++; n == 1 {
						first = bytes.Clone(r.Value)
					}
					if !bytes.Equal(first, r.Value) {
						s.Errorf("Scan met part of a batch: %q beside %q", first, r.Value)
						return
					}
				}
				if n != 5 {
					s.Errorf("Scan yielded %d records, want 5", n)
					return
				}
			}
		})
	}
	for v := uint64(1); v <= maxBatches && (v <= minBatches || scans.Load() < minScans) && !s.Failed(); v++ {
		err := s.Apply(background, &provider.Batch{Group: []byte("g"), Expect: v, Drop: []provider.Key{storageKey("g", 1, 0, "")}, Put: records(v)})
		if err != nil {
			s.Errorf("Apply beside readers: %v", err)
			break
		}
		runtime.Gosched()
	}
	done.Store(true)
	readers.Wait()
}

func checkParallelGroups(s store) {
	var all sync.WaitGroup
	for w := range 16 {
		all.Go(func() {
			group := fmt.Sprint("group ", w)
			for v := range uint64(25) {
				k := storageKey(group, v, 1, "k")
				err := s.Apply(background, &provider.Batch{Group: []byte(group), Expect: v,
					Delete: []provider.Key{storageKey(group, v-1, 1, "k")},
					Put:    []provider.Record{storageRecord(k, group)}})
				if err != nil {
					s.Errorf("%s, version %d: %v", group, v, err)
					return
				}
				if got, err := s.Get(background, nil, k); err != nil || string(got) != group {
					s.Errorf("%s does not read what it wrote: %q, %v", group, got, err)
				}
			}
		})
	}
	all.Wait()
	for w := range 16 {
		group := fmt.Sprint("group ", w)
		s.wantVersion(group, 25)
		if got := s.dump(storageKey(group, 0, 0, "")); len(got) != 1 {
			s.Errorf("%s has records %q, want one", group, got)
		}
	}
}

func checkClose(s store) {
	k := storageKey("g", 1, 1, "k")
	s.apply(&provider.Batch{Group: []byte("g"), Put: []provider.Record{storageRecord(k, "v")}})
	if err := s.Close(); err != nil {
		s.Errorf("Close: %v", err)
	}
	closed := func(what string, err error) {
		s.Helper()
		if !errors.Is(err, provider.ErrClosed) {
			s.Errorf("%s after Close: %v, want ErrClosed", what, err)
		}
	}
	closed("Apply", s.Apply(background, &provider.Batch{Group: []byte("g"), Expect: 1}))
	_, err := s.Version(background, []byte("g"))
	closed("Version", err)
	_, err = s.Get(background, nil, k)
	closed("Get", err)
	steps := 0
	for r, err := range s.Scan(background, provider.Key{}) {
		steps++
		if len(r.Value) != 0 {
			s.Errorf("Scan after Close yields %q", r.Value)
		}
		closed("Scan", err)
	}
	if steps != 1 {
		s.Errorf("Scan after Close took %d steps, want one with the error", steps)
	}
	if m, ok := s.Storage.(provider.BatchStorage); ok {
		for _, err := range m.ApplyMany(background, []*provider.Batch{{Group: []byte("h")}}) {
			closed("ApplyMany", err)
		}
	}
	if err := s.Close(); err != nil && !errors.Is(err, provider.ErrClosed) {
		s.Errorf("the second Close: %v", err)
	}
}
