package ratchettree

import (
	"hash/maphash"
	"slices"
	"sync/atomic"
)

// keyIndex finds the node that has a public key. It is a multiset: in the middle
// of an edit two nodes may have one key. It is a trie over a hash of the key, of
// which an edit copies the nodes on the way to what it changes, so versions share
// the rest, and no edit costs more than others.
//
// Keys are hashed with a seed of this process, so that nobody can choose keys that
// collide; those that do stand in one bucket.
type keyIndex struct {
	root  *indexNode
	owner uint64 // of the edit that changes this version in place; 0: none
}

// indexNode is a bucket, or else an inner node, whose bucket is nil. It may be
// written only by the edit that made it.
type indexNode struct {
	owner  uint64
	kids   [1 << indexBits]*indexNode
	bucket []indexEntry
}

// indexEntry is a value under the hash of its key.
type indexEntry struct{ hash, value uint32 }

// With few bits a level and buckets that are split into few, an entry takes about
// 14 bytes whatever their number.
const (
	indexBits  = 2  // of the hash for each level
	bucketSize = 32 // of a bucket that is not yet split
	hashBits   = 32 // after which there is nothing to split by
)

var (
	keySeed    = maphash.MakeSeed()
	indexOwner atomic.Uint64
)

func hashKey(pub []byte) uint32 { return uint32(maphash.Bytes(keySeed, pub)) }

// find returns a value whose key is pub, as has says.
func (k *keyIndex) find(pub []byte, has func(v uint32, pub []byte) bool) (uint32, bool) {
	h := hashKey(pub)
	for _, e := range k.bucket(h) {
		if e.hash == h && has(e.value, pub) {
			return e.value, true
		}
	}
	return 0, false
}

// bucket returns the entries among which those of hash h are.
func (k *keyIndex) bucket(h uint32) []indexEntry {
	n := k.root
	for shift := 0; n != nil && n.bucket == nil; shift += indexBits {
		n = n.kids[kid(h, shift)]
	}
	if n == nil {
		return nil
	}
	return n.bucket
}

func kid(h uint32, shift int) uint32 { return h >> shift & (1<<indexBits - 1) }

// edit returns a version that can be changed, until settle, without changing k.
func (k *keyIndex) edit() keyIndex { return keyIndex{k.root, indexOwner.Add(1)} }

// settle ends the changes.
func (k *keyIndex) settle() { k.owner = 0 }

func (k *keyIndex) add(pub []byte, v uint32) {
	k.root = k.insert(k.root, 0, indexEntry{hashKey(pub), v})
}

func (k *keyIndex) remove(pub []byte, v uint32) {
	k.root = k.delete(k.root, 0, indexEntry{hashKey(pub), v})
}

// writable returns n, or a copy of it if it belongs to other versions.
func (k *keyIndex) writable(n *indexNode) *indexNode {
	if n.owner == k.owner {
		return n
	}
	return &indexNode{owner: k.owner, kids: n.kids, bucket: slices.Clone(n.bucket)}
}

// insert returns what stands in the place of n with e in it.
func (k *keyIndex) insert(n *indexNode, shift int, e indexEntry) *indexNode {
	if n == nil {
		return &indexNode{owner: k.owner, bucket: []indexEntry{e}}
	}
	n = k.writable(n)
	if n.bucket != nil {
		if len(n.bucket) < bucketSize || shift >= hashBits {
			if len(n.bucket) == cap(n.bucket) { // by doubling, half of it would be empty
				n.bucket = append(make([]indexEntry, 0, len(n.bucket)+len(n.bucket)/8+2), n.bucket...)
			}
			n.bucket = append(n.bucket, e)
			return n
		}
		full := n.bucket
		n.bucket = nil
		for _, old := range full {
			i := kid(old.hash, shift)
			n.kids[i] = k.insert(n.kids[i], shift+indexBits, old)
		}
	}
	i := kid(e.hash, shift)
	n.kids[i] = k.insert(n.kids[i], shift+indexBits, e)
	return n
}

// delete returns what stands in the place of n without one e: nil for nothing.
func (k *keyIndex) delete(n *indexNode, shift int, e indexEntry) *indexNode {
	if n == nil {
		return nil
	}
	if n.bucket != nil {
		i := slices.Index(n.bucket, e)
		if i < 0 {
			return n
		}
		if len(n.bucket) == 1 {
			return nil
		}
		n = k.writable(n)
		n.bucket = slices.Delete(n.bucket, i, i+1)
		return n
	}
	i := kid(e.hash, shift)
	below := k.delete(n.kids[i], shift+indexBits, e)
	if below == n.kids[i] { // not there, or taken out in place
		return n
	}
	n = k.writable(n)
	n.kids[i] = below
	if n.kids == [1 << indexBits]*indexNode{} {
		return nil
	}
	return n
}
