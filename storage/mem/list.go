package mem

import (
	"math/bits"
	"math/rand/v2"
	"strings"
)

// A list is a skip list: nodes sorted by key on level 0, and on each level
// above a quarter of the level below, so that a search takes O(log n) steps.
// The zero value is an empty list.
type list struct {
	heads [maxLevels]*node
}

// maxLevels serves 4^16 records.
const maxLevels = 16

// A node is one record.
type node struct {
	key   string
	value []byte
	next  []*node // one per level of this node
}

// set makes the value a copy of v and clears what was there before.
func (n *node) set(v []byte) {
	if cap(n.value) < len(v) {
		clear(n.value)
		n.value = make([]byte, len(v))
	}
	if len(n.value) > len(v) {
		clear(n.value[len(v):])
	}
	n.value = n.value[:len(v)]
	copy(n.value, v)
}

func (l *list) first() *node { return l.heads[0] }

// path is, per level, where the link to the first node at or behind a key is.
type path [maxLevels]**node

// find returns the links that lead to the first node with a key ≥ key.
func (l *list) find(key string) (p path) {
	links := l.heads[:]
	for level := maxLevels - 1; level >= 0; level-- {
		for n := links[level]; n != nil && n.key < key; n = links[level] {
			links = n.next
		}
		p[level] = &links[level]
	}
	return p
}

// seek returns the first node with a key ≥ key, or nil.
func (l *list) seek(key string) *node {
	p := l.find(key)
	return *p[0]
}

// insert adds a node for key, which the list doesn't have.
func (l *list) insert(key string) *node {
	levels := 1 + bits.TrailingZeros32(rand.Uint32()|1<<(2*(maxLevels-1)))/2
	n := &node{key: key, next: make([]*node, levels)}
	p := l.find(key)
	for level := range n.next {
		n.next[level], *p[level] = *p[level], n
	}
	return n
}

// remove takes n out of the list.
func (l *list) remove(n *node) {
	p := l.find(n.key)
	for level := range n.next {
		*p[level] = n.next[level]
	}
}

// cut takes all nodes whose keys begin with prefix out of the list and returns
// them, linked on level 0 and ended by nil.
func (l *list) cut(prefix string) *node {
	from := l.find(prefix)
	var last *node
	first := *from[0]
	for n := first; n != nil && strings.HasPrefix(n.key, prefix); n = n.next[0] {
		for level := range n.next {
			*from[level] = n.next[level]
		}
		last = n
	}
	if last == nil {
		return nil
	}
	last.next[0] = nil
	return first
}
