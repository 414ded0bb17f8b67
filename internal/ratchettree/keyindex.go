package ratchettree

import (
	"hash/maphash"
	"maps"
)

// keyIndex finds the node that has a public key. It is a multiset: in the middle
// of an edit two nodes may have one key. Versions share their base; what an edit
// changes goes into a small delta of its own, which is folded in when it grows.
//
// Keys are looked up by a hash with a seed of this process, so that nobody can
// choose keys that collide; the few that do stand behind one another.
type keyIndex struct {
	base  map[uint64]uint32
	delta map[uint64]uint32 // absent: see base; gone: deleted
}

// gone marks a deleted entry of a delta.
const gone = 1<<32 - 1

var keySeed = maphash.MakeSeed()

func newKeyIndex() keyIndex {
	return keyIndex{base: make(map[uint64]uint32), delta: make(map[uint64]uint32)}
}

func (k *keyIndex) get(h uint64) (v uint32, ok bool) {
	if v, ok = k.delta[h]; ok {
		return v, true
	}
	v, ok = k.base[h]
	return v, ok
}

// find returns a value whose key is pub, as has says.
func (k *keyIndex) find(pub []byte, has func(v uint32, pub []byte) bool) (uint32, bool) {
	for h := maphash.Bytes(keySeed, pub); ; h++ {
		v, ok := k.get(h)
		if !ok {
			return 0, false
		}
		if v != gone && has(v, pub) {
			return v, true
		}
	}
}

// edit returns a version that can be changed without changing k.
func (k *keyIndex) edit() keyIndex {
	return keyIndex{base: k.base, delta: maps.Clone(k.delta)}
}

// settle ends an edit: a delta that has grown is folded in here, once, and not by
// every edit that begins with this version.
func (k *keyIndex) settle() {
	if len(k.delta) > 64+len(k.base)/64 {
		*k = keyIndex{base: k.fold(), delta: make(map[uint64]uint32)}
	}
}

// fold returns base and delta in one map, without deleted entries but those that
// another one may stand behind.
func (k *keyIndex) fold() map[uint64]uint32 {
	base := maps.Clone(k.base)
	maps.Copy(base, k.delta)
	for h, v := range base {
		if v != gone {
			continue
		}
		if _, ok := base[h+1]; !ok {
			delete(base, h)
		}
	}
	return base
}

func (k *keyIndex) add(pub []byte, v uint32) {
	for h := maphash.Bytes(keySeed, pub); ; h++ {
		if old, ok := k.get(h); !ok || old == gone {
			k.delta[h] = v
			return
		}
	}
}

func (k *keyIndex) remove(pub []byte, v uint32) {
	for h := maphash.Bytes(keySeed, pub); ; h++ {
		old, ok := k.get(h)
		if !ok {
			return
		}
		if old == v {
			k.delta[h] = gone
			return
		}
	}
}
