package ratchettree

import (
	"slices"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// hash returns the tree hash of x, RFC 9420 §7.8, computing what is missing below.
//
// A node that is not dirty and has no hash has nothing but blank nodes below it.
// Only hashes that a dirty parent asks for are kept, so that the blank right side
// of a tree costs nothing.
func (e *Edit) hash(x treemath.NodeIndex) []byte {
	t := &e.t
	n, dirty := t.node(x), e.isDirty(x)
	if !dirty && len(n) > 0 {
		return n[:t.nh]
	}
	slot := e.own(x)
	if len(n) <= t.nh || !zeros(n[:t.nh]) { // another version's, or none
		enc := t.encoded(x)
		n = make(node, t.nh+len(enc))
		copy(n[t.nh:], enc)
		*slot = n
	}
	switch {
	case !dirty:
		e.hasher.blank(t.suite, n[:t.nh], x)
	case x.IsLeaf():
		e.hasher.leaf(t.suite, n[:t.nh], x, t.encoded(x))
	default:
		left, right := e.hash(treemath.Left(x)), e.hash(treemath.Right(x))
		e.hasher.parent(t.suite, n[:t.nh], t.encoded(x), left, right)
	}
	e.setClean(x)
	return n[:t.nh]
}

// zeros reports whether a hash is that of newNode, which is not computed yet.
func zeros(hash []byte) bool {
	for _, b := range hash {
		if b != 0 {
			return false
		}
	}
	return true
}

// nodeHash returns the tree hash of x, in a finished tree.
func (t *Tree) nodeHash(h *hasher, x treemath.NodeIndex) []byte {
	if n := t.node(x); len(n) > 0 {
		return n[:t.nh]
	}
	out := make([]byte, t.nh)
	h.blank(t.suite, out, x)
	return out
}

// hasher holds the input of one hash at a time. What is given to a suite lives on
// the heap, so a buffer for each node would cost more than its hash.
type hasher struct {
	in     []byte
	blanks [][]byte // the hashes of two blank children, by the level of their parent
}

// leaf hashes a leaf, whose encoding is nil if it is blank.
func (h *hasher) leaf(s provider.Suite, out []byte, x treemath.NodeIndex, enc []byte) {
	h.in = proto.AppendLeafNodeHashInput(h.in[:0], x.Leaf(), enc)
	s.Hash(out, h.in)
}

// parent hashes a parent, whose encoding is nil if it is blank, over the hashes of
// its children.
func (h *hasher) parent(s provider.Suite, out, enc, left, right []byte) {
	h.in = proto.AppendParentNodeHashInput(h.in[:0], enc, left, right)
	s.Hash(out, h.in)
}

// blank hashes a node below which all is blank.
func (h *hasher) blank(s provider.Suite, out []byte, x treemath.NodeIndex) {
	if x.IsLeaf() {
		h.leaf(s, out, x, nil)
		return
	}
	nh := len(out)
	for len(h.blanks) <= x.Level() {
		h.blanks = append(h.blanks, make([]byte, 2*nh))
	}
	left, right := h.blanks[x.Level()][:nh], h.blanks[x.Level()][nh:]
	h.blank(s, left, treemath.Left(x))
	h.blank(s, right, treemath.Right(x))
	h.parent(s, out, nil, left, right)
}

// hashWithout returns the tree hash of x as if the given leaves were blank and
// in no list of unmerged leaves: the original tree hash of RFC 9420 §7.9. The
// leaves are sorted. Where none is below x, that is the cached hash.
func (t *Tree) hashWithout(h *hasher, x treemath.NodeIndex, leaves []treemath.LeafIndex) []byte {
	leaves = below(leaves, x)
	if len(leaves) == 0 {
		return t.nodeHash(h, x)
	}
	out := make([]byte, t.nh)
	if x.IsLeaf() {
		h.leaf(t.suite, out, x, nil)
		return out
	}
	left, right := t.hashWithout(h, treemath.Left(x), leaves), t.hashWithout(h, treemath.Right(x), leaves)
	var enc []byte
	if parent := t.Parent(x); parent != nil {
		parent.UnmergedLeaves = difference(parent.UnmergedLeaves, leaves)
		enc = parent.Append(nil)
	}
	h.parent(t.suite, out, enc, left, right)
	return out
}

// below returns the part of sorted leaves that is below x.
func below(leaves []treemath.LeafIndex, x treemath.NodeIndex) []treemath.LeafIndex {
	first := firstLeaf(x)
	from, _ := slices.BinarySearch(leaves, first)
	to, _ := slices.BinarySearch(leaves, first+1<<x.Level())
	return leaves[from:to]
}

// firstLeaf returns the leftmost leaf below x.
func firstLeaf(x treemath.NodeIndex) treemath.LeafIndex {
	k := x.Level()
	return treemath.LeafIndex(uint32(x) >> (k + 1) << k)
}

// difference returns sorted a without the elements of sorted b.
func difference(a, b []treemath.LeafIndex) []treemath.LeafIndex {
	out := make([]treemath.LeafIndex, 0, len(a))
	for _, x := range a {
		for len(b) > 0 && b[0] < x {
			b = b[1:]
		}
		if len(b) == 0 || b[0] != x {
			out = append(out, x)
		}
	}
	return out
}

// parentHash hashes ParentHashInput, RFC 9420 §7.9.
func (h *hasher) parentHash(s provider.Suite, p *proto.ParentNode, originalSiblingTreeHash []byte) []byte {
	h.in = proto.AppendParentHashInput(h.in[:0], p.EncryptionKey, p.ParentHash, originalSiblingTreeHash)
	out := make([]byte, s.Params().Nh)
	s.Hash(out, h.in)
	return out
}
