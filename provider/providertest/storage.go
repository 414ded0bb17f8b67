package providertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hardmls/hardmls/provider"
)

// TestStorage holds a store to the contract of provider.Storage, and to that of
// provider.BatchStorage if it has that. open returns a new, empty store, whose
// end it arranges by t.Cleanup if it needs one (several checks close theirs).
// Run it under the race detector too.
func TestStorage(t *testing.T, open func(t testing.TB) provider.Storage) {
	for _, c := range storageChecks {
		t.Run(c.name, func(t *testing.T) { c.run(store{t, open(t)}) })
	}
}

var storageChecks = []struct {
	name string
	run  func(s store)
}{
	{"versions", checkVersions},
	{"require", checkRequire},
	{"order within a batch", checkBatchOrder},
	{"drop", checkDrop},
	{"delete", checkDelete},
	{"end of a group", checkGroupEnd},
	{"records of no group", checkNoGroup},
	{"get", checkGet},
	{"scan", checkScan},
	{"scan in parts", checkScanSteps},
	{"sizes", checkSizes},
	{"nothing kept of a batch", checkNothingKept},
	{"ended context", checkEndedContext},
	{"ApplyMany", checkApplyMany},
	{"one writer wins", checkOneWriterWins},
	{"readers see whole batches", checkReaders},
	{"groups in parallel", checkParallelGroups},
	{"close", checkClose},
}

// A store is what a check works on.
type store struct {
	testing.TB
	provider.Storage
}

var background = context.Background()

func storageKey(group string, epoch uint64, kind provider.Kind, id string) provider.Key {
	return provider.Key{Group: []byte(group), Epoch: epoch, Kind: kind, ID: []byte(id)}
}

func storageRecord(k provider.Key, value string) provider.Record {
	return provider.Record{Key: k, Value: []byte(value)}
}

// apply is an Apply that must succeed.
func (s store) apply(b *provider.Batch) {
	s.Helper()
	if err := s.Storage.Apply(background, b); err != nil {
		s.Fatalf("Apply(%s): %v", describe(b), err)
	}
}

// refuse is an Apply that must fail with want and change nothing.
func (s store) refuse(b *provider.Batch, want error) {
	s.Helper()
	before, version := s.dump(provider.Key{}), s.version(b.Group)
	err := s.Storage.Apply(background, b)
	if !errors.Is(err, want) {
		s.Errorf("Apply(%s) returned %v, want %v", describe(b), err, want)
	}
	s.unchanged(before, "a refused batch")
	if after := s.version(b.Group); after != version {
		s.Errorf("a refused batch changed the version from %d to %d", version, after)
	}
}

func (s store) unchanged(before []string, by string) {
	s.Helper()
	if after := s.dump(provider.Key{}); !slices.Equal(before, after) {
		s.Errorf("%s changed the store from %q to %q", by, before, after)
	}
}

func (s store) version(group []byte) uint64 {
	s.Helper()
	v, err := s.Version(background, group)
	if err != nil {
		s.Fatalf("Version(%q): %v", group, err)
	}
	return v
}

func (s store) wantVersion(group string, want uint64) {
	s.Helper()
	if v := s.version([]byte(group)); v != want {
		s.Errorf("group %q has version %d, want %d", group, v, want)
	}
}

// want checks the value of k; "" means that there must be no record.
func (s store) want(k provider.Key, value string) {
	s.Helper()
	got, err := s.Get(background, nil, k)
	switch {
	case value == "" && !errors.Is(err, provider.ErrNotFound):
		s.Errorf("%s: %q, %v, want ErrNotFound", show(k), got, err)
	case value != "" && (err != nil || string(got) != value):
		s.Errorf("%s: %q, %v, want %q", show(k), got, err, value)
	}
}

// dump lists the records under a prefix in scan order.
func (s store) dump(prefix provider.Key) []string {
	s.Helper()
	var all []string
	for r, err := range s.Scan(background, prefix) {
		if err != nil {
			s.Fatalf("Scan(%s): %v", show(prefix), err)
		}
		all = append(all, fmt.Sprintf("%s=%q", show(r.Key), r.Value))
	}
	return all
}

func show(k provider.Key) string {
	return fmt.Sprintf("%q/%d/%d/%q", k.Group, k.Epoch, k.Kind, k.ID)
}

func describe(b *provider.Batch) string {
	var d strings.Builder
	fmt.Fprintf(&d, "group %q expect %d", b.Group, b.Expect)
	for _, l := range []struct {
		name string
		keys []provider.Key
	}{{"require", b.Require}, {"drop", b.Drop}, {"delete", b.Delete}} {
		for _, k := range l.keys {
			fmt.Fprintf(&d, " %s %s", l.name, show(k))
		}
	}
	for _, r := range b.Put {
		fmt.Fprintf(&d, " put %s", show(r.Key))
	}
	return d.String()
}
