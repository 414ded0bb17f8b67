// Package treemath is the arithmetic of RFC 9420 appendix C: ratchet trees as
// arrays in which leaves have even and parents odd indices.
//
// Trees are full: their leaf count is a power of two. Node indices of such a tree
// follow from the index alone, but for the root.
package treemath

import "math/bits"

// A LeafIndex counts the leaves of a ratchet tree from the left, from 0.
type LeafIndex uint32

// A NodeIndex counts the nodes of a ratchet tree in in-order, from 0.
type NodeIndex uint32

// MaxLeaves is the largest tree. It bounds work and keeps every index far from
// overflow (V017).
const MaxLeaves = 1 << 24

// Node returns the index of the leaf among all nodes.
func (i LeafIndex) Node() NodeIndex { return NodeIndex(i) << 1 }

// IsLeaf reports whether x is a leaf.
func (x NodeIndex) IsLeaf() bool { return x&1 == 0 }

// Leaf returns the index of x, which must be a leaf, among the leaves.
func (x NodeIndex) Leaf() LeafIndex { return LeafIndex(x >> 1) }

// Level returns the height of x above the leaves.
func (x NodeIndex) Level() int { return bits.TrailingZeros32(^uint32(x)) }

// Width returns how many nodes a tree of n leaves has; n is not 0.
func Width(n uint32) uint32 { return 2*n - 1 }

// FullSize returns the leaf count of the smallest full tree of at least n leaves;
// n is not 0.
func FullSize(n uint32) uint32 { return 1 << bits.Len32(n-1) }

// Root returns the root of a full tree of n leaves.
func Root(n uint32) NodeIndex { return NodeIndex(n - 1) }

// Left returns the left child of a parent.
func Left(x NodeIndex) NodeIndex { return x - 1<<(x.Level()-1) }

// Right returns the right child of a parent.
func Right(x NodeIndex) NodeIndex { return x + 1<<(x.Level()-1) }

// Parent returns the parent of x in a full tree of n leaves, false for the root.
func Parent(x NodeIndex, n uint32) (NodeIndex, bool) {
	if x == Root(n) {
		return 0, false
	}
	return parent(x), true
}

func parent(x NodeIndex) NodeIndex {
	k := x.Level()
	return (x | 1<<k) &^ (1 << (k + 1))
}

// Sibling returns the other child of x's parent in a full tree of n leaves, false
// for the root.
func Sibling(x NodeIndex, n uint32) (NodeIndex, bool) {
	if x == Root(n) {
		return 0, false
	}
	return x ^ 2<<x.Level(), true
}

// DirectPath appends to dst the ancestors of x in a full tree of n leaves, from
// its parent to the root.
func DirectPath(dst []NodeIndex, x NodeIndex, n uint32) []NodeIndex {
	for root := Root(n); x != root; {
		x = parent(x)
		dst = append(dst, x)
	}
	return dst
}

// Copath appends to dst the siblings of x and of its ancestors but the root, from
// the leaf up.
func Copath(dst []NodeIndex, x NodeIndex, n uint32) []NodeIndex {
	for root := Root(n); x != root; x = parent(x) {
		dst = append(dst, x^2<<x.Level())
	}
	return dst
}

// CommonAncestor returns the lowest node that has both x and y below it or is one
// of them.
func CommonAncestor(x, y NodeIndex) NodeIndex {
	for x != y {
		if x.Level() <= y.Level() {
			x = parent(x)
		} else {
			y = parent(y)
		}
	}
	return x
}

// InSubtree reports whether x is root or below it.
func InSubtree(x, root NodeIndex) bool {
	k := root.Level()
	return x>>(k+1) == root>>(k+1) && x.Level() <= k
}
