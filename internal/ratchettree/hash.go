package ratchettree

import (
	"slices"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// hash returns the tree hash of x, RFC 9420 §7.8, computing what is missing below.
func (e *Edit) hash(x treemath.NodeIndex) []byte {
	if h := e.t.slot(x).hash; h != nil {
		return h
	}
	var left, right []byte
	if !x.IsLeaf() {
		left, right = e.hash(treemath.Left(x)), e.hash(treemath.Right(x))
	}
	s := e.own(x)
	s.hash = e.hasher.node(e.t.suite, x, s.leaf, s.parent, left, right)
	return s.hash
}

// hasher holds the input of one hash at a time. What is given to a suite lives on
// the heap, so a buffer for each node would cost more than its hash.
type hasher struct{ in []byte }

// node hashes one node over the hashes of its children.
func (h *hasher) node(s provider.Suite, x treemath.NodeIndex, leaf *proto.LeafNode, parent *proto.ParentNode, left, right []byte) []byte {
	if x.IsLeaf() {
		h.in = proto.AppendLeafNodeHashInput(h.in[:0], x.Leaf(), leaf)
	} else {
		h.in = proto.AppendParentNodeHashInput(h.in[:0], parent, left, right)
	}
	return h.sum(s)
}

func (h *hasher) sum(s provider.Suite) []byte {
	out := make([]byte, s.Params().Nh)
	s.Hash(out, h.in)
	return out
}

// hashWithout returns the tree hash of x as if the given leaves were blank and
// in no list of unmerged leaves: the original tree hash of RFC 9420 §7.9. The
// leaves are sorted. Where none is below x, that is the cached hash.
func (t *Tree) hashWithout(h *hasher, x treemath.NodeIndex, leaves []treemath.LeafIndex) []byte {
	leaves = below(leaves, x)
	if len(leaves) == 0 {
		return t.slot(x).hash
	}
	if x.IsLeaf() {
		return h.node(t.suite, x, nil, nil, nil, nil)
	}
	left, right := t.hashWithout(h, treemath.Left(x), leaves), t.hashWithout(h, treemath.Right(x), leaves)
	parent := t.slot(x).parent
	if parent != nil {
		c := *parent
		c.UnmergedLeaves = difference(parent.UnmergedLeaves, leaves)
		parent = &c
	}
	return h.node(t.suite, x, nil, parent, left, right)
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
	return h.sum(s)
}
