package providertest

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"

	"github.com/hardmls/hardmls/provider"
)

func checkVersions(s store) {
	g, k := []byte("g"), storageKey("g", 1, 1, "k")
	s.wantVersion("g", 0)
	for _, expect := range []uint64{1, 2, math.MaxUint64} {
		s.refuse(&provider.Batch{Group: g, Expect: expect, Put: []provider.Record{storageRecord(k, "x")}}, provider.ErrConflict)
	}
	s.apply(&provider.Batch{Group: g})
	s.wantVersion("g", 1) // a group without records is one
	s.refuse(&provider.Batch{Group: g, Put: []provider.Record{storageRecord(k, "x")}}, provider.ErrGroupExists)
	for v := uint64(1); v < 5; v++ {
		s.apply(&provider.Batch{Group: g, Expect: v, Put: []provider.Record{storageRecord(k, string(rune('a'+v)))}})
		s.wantVersion("g", v+1)
	}
	for _, expect := range []uint64{1, 4, 6, math.MaxUint64} {
		s.refuse(&provider.Batch{Group: g, Expect: expect,
			Drop:   []provider.Key{storageKey("g", 0, 0, "")},
			Delete: []provider.Key{k},
			Put:    []provider.Record{storageRecord(k, "x")}}, provider.ErrConflict)
	}
	s.want(k, "e")
	// Groups whose names begin alike have versions of their own.
	for _, other := range []string{"", "g\x00", "g\x00\x01", "gg", "G"} {
		s.wantVersion(other, 0)
	}
}

func checkRequire(s store) {
	g := []byte("g")
	kp, welcome := storageKey("", 0, 3, "key package"), storageKey("g", 1, 1, "joined")
	join := func(group string) *provider.Batch {
		return &provider.Batch{Group: []byte(group), Require: []provider.Key{kp}, Delete: []provider.Key{kp},
			Put: []provider.Record{storageRecord(storageKey(group, 1, 1, "joined"), "yes")}}
	}
	s.refuse(join("g"), provider.ErrConflict)
	s.wantVersion("g", 0)
	s.apply(&provider.Batch{Put: []provider.Record{storageRecord(kp, "key")}})
	s.apply(join("g"))
	s.want(kp, "")
	s.want(welcome, "yes")
	s.refuse(join("h"), provider.ErrConflict) // a key package joins once

	a, b := storageKey("g", 1, 1, "a"), storageKey("g", 1, 1, "b")
	// A record of the same batch does not count, nor one with a longer or a
	// shorter id.
	s.refuse(&provider.Batch{Group: g, Expect: 1, Require: []provider.Key{a},
		Put: []provider.Record{storageRecord(a, "a")}}, provider.ErrConflict)
	for _, id := range []string{"join", "joinedd", "", "joined\x00"} {
		s.refuse(&provider.Batch{Group: g, Expect: 1, Require: []provider.Key{storageKey("g", 1, 1, id)}}, provider.ErrConflict)
	}
	// One missing record of several is enough.
	s.refuse(&provider.Batch{Group: g, Expect: 1, Require: []provider.Key{welcome, b, welcome},
		Put: []provider.Record{storageRecord(a, "a")}}, provider.ErrConflict)
	// What the batch drops was there before.
	s.apply(&provider.Batch{Group: g, Expect: 1, Require: []provider.Key{welcome},
		Drop: []provider.Key{storageKey("g", 1, 0, "")}})
	s.want(welcome, "")
}

func checkBatchOrder(s store) {
	a, b, c := storageKey("g", 1, 1, "a"), storageKey("g", 1, 1, "b"), storageKey("g", 2, 1, "c")
	s.apply(&provider.Batch{Group: []byte("g"), Put: []provider.Record{
		storageRecord(a, "old"), storageRecord(b, "old"), storageRecord(c, "old")}})
	s.apply(&provider.Batch{Group: []byte("g"), Expect: 1,
		Require: []provider.Key{a, b},
		Drop:    []provider.Key{storageKey("g", 1, 0, "")},
		Delete:  []provider.Key{a, c},
		Put:     []provider.Record{storageRecord(a, "new"), storageRecord(c, "new")}})
	s.want(a, "new") // Put after Drop and Delete
	s.want(b, "")
	s.want(c, "new")
}

// sampleKeys are keys whose encodings are neighbours in every awkward way.
func sampleKeys() []provider.Key {
	var keys []provider.Key
	for _, group := range []string{"", "\x00", "\x00\x00", "\x00\x01", "\x00\xff", "\x01", "a", "a\x00", "a\x00\x01", "a\x00\xff", "a\x01", "ab", "\xff", "\xff\xff"} {
		for _, epoch := range []uint64{0, 1, 2, 255, 256, 1 << 32, math.MaxUint64} {
			for _, kind := range []provider.Kind{1, 2, 255} {
				for _, id := range []string{"", "\x00", "x", "xy", "\xff"} {
					if (epoch > 2 || kind > 1) && len(id) > 1 {
						continue // enough is enough
					}
					keys = append(keys, storageKey(group, epoch, kind, id))
				}
			}
		}
	}
	return keys
}

// under is what the comment of provider.Key says of prefixes, written anew.
func under(prefix, k provider.Key) bool {
	switch {
	case prefix.Kind != 0:
		return bytes.Equal(k.Group, prefix.Group) && k.Epoch == prefix.Epoch && k.Kind == prefix.Kind && bytes.HasPrefix(k.ID, prefix.ID)
	case prefix.Epoch != 0:
		return bytes.Equal(k.Group, prefix.Group) && k.Epoch == prefix.Epoch
	case len(prefix.Group) > 0:
		return bytes.Equal(k.Group, prefix.Group)
	}
	return true
}

// samplePrefixes are prefixes of every form, most of them of sample keys.
func samplePrefixes() []provider.Key {
	return []provider.Key{
		storageKey("a", 0, 0, ""), storageKey("a\x00", 0, 0, ""), storageKey("\x00", 0, 0, ""), storageKey("\xff", 0, 0, ""),
		storageKey("no such group", 0, 0, ""),
		storageKey("", 1, 0, ""), storageKey("a", 1, 0, ""), storageKey("a", 255, 0, ""), storageKey("a\x00\x01", math.MaxUint64, 0, ""),
		storageKey("a", 3, 0, ""),
		storageKey("", 0, 1, ""), storageKey("", 0, 255, ""), storageKey("a", 0, 2, ""), storageKey("ab", 256, 1, ""), storageKey("\xff\xff", math.MaxUint64, 255, ""),
		storageKey("a", 1, 1, "x"), storageKey("a", 1, 1, "xy"), storageKey("a", 1, 1, "\xff"), storageKey("", 0, 1, "\x00"),
		storageKey("a", 1, 1, "z"),
	}
}

func sampleRecords() []provider.Record {
	var all []provider.Record
	for _, k := range sampleKeys() {
		all = append(all, storageRecord(k, "v "+show(k)))
	}
	return all
}

func checkDrop(s store) {
	all := sampleRecords()
	for _, prefix := range samplePrefixes() {
		if len(prefix.Group) == 0 && prefix.Kind == 0 {
			continue
		}
		s.apply(&provider.Batch{Put: all})
		s.apply(&provider.Batch{Drop: []provider.Key{prefix}})
		left := map[string]bool{}
		for _, line := range s.dump(provider.Key{}) {
			left[line] = true
		}
		for _, r := range all {
			line := show(r.Key) + "=" + quoted(r.Value)
			if left[line] == under(prefix, r.Key) {
				s.Errorf("Drop(%s): record %s is left: %v", show(prefix), show(r.Key), left[line])
			}
		}
	}
	// What belongs to no group in particular is not dropped by accident.
	s.apply(&provider.Batch{Put: all})
	before := s.dump(provider.Key{})
	for _, prefix := range []provider.Key{{}, {Epoch: 1}} {
		err := s.Apply(background, &provider.Batch{Drop: []provider.Key{prefix}, Put: []provider.Record{storageRecord(storageKey("a", 0, 9, "new"), "new")}})
		if !errors.Is(err, provider.ErrDropAll) {
			s.Errorf("Drop(%s): %v, want ErrDropAll", show(prefix), err)
		}
		if after := s.dump(provider.Key{}); !slices.Equal(before, after) {
			s.Errorf("Drop(%s) was refused and changed the store", show(prefix))
		}
	}
	// Several prefixes in one batch, one within another.
	s.apply(&provider.Batch{Put: all})
	drops := []provider.Key{storageKey("a", 1, 0, ""), storageKey("a", 0, 0, ""), storageKey("\x00", 2, 1, "")}
	s.apply(&provider.Batch{Drop: drops})
	for _, r := range all {
		gone := slices.ContainsFunc(drops, func(p provider.Key) bool { return under(p, r.Key) })
		value := string(r.Value)
		if gone {
			value = ""
		}
		s.want(r.Key, value)
	}
}

func checkDelete(s store) {
	all := sampleRecords()
	s.apply(&provider.Batch{Put: all})
	var odd []provider.Key
	for i, r := range all {
		if i%2 == 1 {
			odd = append(odd, r.Key)
		}
	}
	odd = append(odd, storageKey("nobody", 1, 1, "nothing"), odd[0]) // no error
	s.apply(&provider.Batch{Delete: odd})
	for i, r := range all {
		value := string(r.Value)
		if i%2 == 1 {
			value = ""
		}
		s.want(r.Key, value)
	}
	s.apply(&provider.Batch{Delete: odd})
	if got, want := len(s.dump(provider.Key{})), (len(all)+1)/2; got != want {
		s.Errorf("%d records are left, want %d", got, want)
	}
}

func checkGroupEnd(s store) {
	whole := func(group string) []provider.Key { return []provider.Key{storageKey(group, 0, 0, "")} }
	k := func(group string) provider.Key { return storageKey(group, 1, 1, "k") }
	for _, group := range []string{"g", "g\x00", "gg"} {
		s.apply(&provider.Batch{Group: []byte(group), Put: []provider.Record{storageRecord(k(group), "old")}})
	}
	// Dropping an epoch, or a kind, ends nothing.
	s.apply(&provider.Batch{Group: []byte("g"), Expect: 1, Drop: []provider.Key{storageKey("g", 1, 0, ""), storageKey("g", 0, 1, "")}})
	s.wantVersion("g", 2)
	s.want(k("g"), "")
	// Dropping it whole and putting a record replaces it.
	s.apply(&provider.Batch{Group: []byte("g"), Expect: 2, Drop: whole("g"), Put: []provider.Record{storageRecord(k("g"), "new")}})
	s.wantVersion("g", 3)
	s.want(k("g"), "new")
	// A record of no group, or of another, does not keep it.
	tombstone := storageKey("", 0, 9, "tombstone")
	s.apply(&provider.Batch{Group: []byte("g"), Expect: 3, Drop: whole("g"), Put: []provider.Record{storageRecord(tombstone, "t")}})
	s.wantVersion("g", 0)
	s.want(k("g"), "")
	s.want(tombstone, "t")
	for _, group := range []string{"g\x00", "gg"} {
		s.wantVersion(group, 1)
		s.want(k(group), "old")
	}
	s.refuse(&provider.Batch{Group: []byte("g"), Expect: 4, Put: []provider.Record{storageRecord(k("g"), "ghost")}}, provider.ErrConflict)
	s.apply(&provider.Batch{Group: []byte("g"), Put: []provider.Record{storageRecord(k("g"), "again")}})
	s.wantVersion("g", 1)
	s.want(k("g"), "again")
}

func checkNoGroup(s store) {
	k := storageKey("", 0, 3, "psk")
	for i, expect := range []uint64{0, 7, 0} { // nothing is compared
		s.apply(&provider.Batch{Expect: expect, Put: []provider.Record{storageRecord(k, string(rune('a'+i)))}})
	}
	s.want(k, "c")
	s.wantVersion("", 0)
	// A batch of a group may carry records of none and of another group.
	s.apply(&provider.Batch{Group: []byte("g"), Delete: []provider.Key{k},
		Put: []provider.Record{storageRecord(storageKey("", 0, 4, "ref"), "r"), storageRecord(storageKey("h", 0, 4, "old head"), "o")}})
	s.want(k, "")
	s.want(storageKey("", 0, 4, "ref"), "r")
	s.want(storageKey("h", 0, 4, "old head"), "o")
	s.wantVersion("h", 0)
}

func checkNothingKept(s store) {
	b := &provider.Batch{
		Group:   []byte("g"),
		Drop:    []provider.Key{storageKey("g", 5, 0, "")},
		Delete:  []provider.Key{storageKey("g", 1, 1, "d")},
		Put:     []provider.Record{storageRecord(storageKey("g", 1, 1, "k"), "value"), storageRecord(storageKey("", 0, 2, "n"), "none")},
		Require: nil,
	}
	before := cloneBatch(b)
	s.apply(b)
	if describe(b) != describe(&before) || !bytes.Equal(b.Put[0].Value, before.Put[0].Value) {
		s.Errorf("Apply changed the batch to %s", describe(b))
	}
	content := s.dump(provider.Key{})
	for _, buf := range [][]byte{b.Group, b.Drop[0].Group, b.Delete[0].ID, b.Put[0].Key.Group, b.Put[0].Key.ID,
		b.Put[0].Value, b.Put[1].Key.ID, b.Put[1].Value} {
		for i := range buf {
			buf[i] ^= 0x55
		}
	}
	s.unchanged(content, "writing into a batch after Apply")
	s.wantVersion("g", 1)
}

func checkEndedContext(s store) {
	k := storageKey("g", 1, 1, "k")
	s.apply(&provider.Batch{Group: []byte("g"), Put: []provider.Record{storageRecord(k, "v")}})
	before := s.dump(provider.Key{})
	ctx, cancel := context.WithCancel(background)
	cancel()
	err := s.Apply(ctx, &provider.Batch{Group: []byte("g"), Expect: 1, Put: []provider.Record{storageRecord(k, "new")}})
	if !errors.Is(err, context.Canceled) {
		s.Errorf("Apply with an ended context returned %v", err)
	}
	s.unchanged(before, "Apply with an ended context")
	s.wantVersion("g", 1)
	if m, ok := s.Storage.(provider.BatchStorage); ok {
		errs := m.ApplyMany(ctx, []*provider.Batch{
			{Group: []byte("g"), Expect: 1, Put: []provider.Record{storageRecord(k, "new")}},
			{Group: []byte("h")},
		})
		for i, err := range errs {
			if !errors.Is(err, context.Canceled) {
				s.Errorf("ApplyMany with an ended context returned %v for batch %d", err, i)
			}
		}
		if len(errs) != 2 {
			s.Errorf("ApplyMany returned %d errors for 2 batches", len(errs))
		}
		s.unchanged(before, "ApplyMany with an ended context")
		s.wantVersion("h", 0)
	}
}

func checkApplyMany(s store) {
	m, ok := s.Storage.(provider.BatchStorage)
	if !ok {
		s.Skip("the store has no ApplyMany")
	}
	if errs := m.ApplyMany(background, nil); len(errs) != 0 {
		s.Errorf("ApplyMany of nothing returned %d errors", len(errs))
	}
	put := func(group, id, value string) []provider.Record {
		return []provider.Record{storageRecord(storageKey(group, 1, 1, id), value)}
	}
	s.apply(&provider.Batch{Group: []byte("old"), Put: put("old", "k", "0")})
	bs := []*provider.Batch{
		{Group: []byte("a"), Put: put("a", "k", "1")},
		{Group: []byte("old"), Put: put("old", "k", "bad")},                                                           // exists
		{Group: []byte("old"), Expect: 1, Put: put("old", "k", "1")},                                                  // after the failure
		{Group: []byte("old"), Expect: 1, Drop: []provider.Key{storageKey("a", 0, 0, "")}, Put: put("x", "y", "bad")}, // stale
		{Group: []byte("old"), Expect: 2, Put: put("old", "l", "2")},                                                  // sees its neighbour
		{Group: []byte("b"), Require: []provider.Key{storageKey("a", 1, 1, "none")}, Put: put("b", "k", "bad")},       // requires what isn't
		{Group: []byte("c"), Require: []provider.Key{storageKey("a", 1, 1, "k")}, Put: put("c", "k", "1")},            // its neighbour put it
		{Put: put("", "loose", "1")},
	}
	want := []error{nil, provider.ErrGroupExists, nil, provider.ErrConflict, nil, provider.ErrConflict, nil, nil}
	errs := m.ApplyMany(background, bs)
	if len(errs) != len(want) {
		s.Fatalf("ApplyMany returned %d errors for %d batches", len(errs), len(want))
	}
	for i, err := range errs {
		if !errors.Is(err, want[i]) {
			s.Errorf("batch %d: %v, want %v", i, err, want[i])
		}
	}
	for _, r := range [][]provider.Record{put("a", "k", "1"), put("old", "k", "1"), put("old", "l", "2"), put("c", "k", "1"), put("", "loose", "1")} {
		s.want(r[0].Key, string(r[0].Value))
	}
	s.want(storageKey("x", 1, 1, "y"), "")
	s.want(storageKey("b", 1, 1, "k"), "")
	for group, v := range map[string]uint64{"a": 1, "old": 3, "b": 0, "c": 1} {
		s.wantVersion(group, v)
	}
}
