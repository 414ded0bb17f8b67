package ratchettree

import (
	"math"
	"slices"

	"github.com/hardmls/hardmls/internal/treemath"
)

// Resolution appends the resolution of x to dst, RFC 9420 §4.1.1: the nodes that
// together have a key for every member below x.
func (t *Tree) Resolution(dst []treemath.NodeIndex, x treemath.NodeIndex) []treemath.NodeIndex {
	return t.resolution(dst, x, math.MaxInt)
}

// resolution stops early once it has more than limit nodes.
func (t *Tree) resolution(dst []treemath.NodeIndex, x treemath.NodeIndex, limit int) []treemath.NodeIndex {
	switch {
	case len(dst) > limit:
	case !t.isBlank(x):
		dst = append(dst, x)
		if !x.IsLeaf() {
			for _, i := range t.unmerged(x) {
				dst = append(dst, i.Node())
			}
		}
	case !x.IsLeaf() && !t.behind(x):
		dst = t.resolution(dst, treemath.Left(x), limit)
		dst = t.resolution(dst, treemath.Right(x), limit)
	}
	return dst
}

// behind reports whether x stands behind the last member, where all is blank.
func (t *Tree) behind(x treemath.NodeIndex) bool {
	return firstLeaf(x) > t.last
}

// empty reports whether the resolution of x is empty.
func (t *Tree) empty(x treemath.NodeIndex) bool {
	if !t.isBlank(x) {
		return false
	}
	return x.IsLeaf() || t.behind(x) || t.empty(treemath.Left(x)) && t.empty(treemath.Right(x))
}

// FilteredDirectPath appends to dst the direct path of a leaf without the nodes
// whose child on the copath has an empty resolution, RFC 9420 §4.1.2.
func (t *Tree) FilteredDirectPath(dst []treemath.NodeIndex, leaf treemath.LeafIndex) []treemath.NodeIndex {
	var path, copath [32]treemath.NodeIndex
	siblings := treemath.Copath(copath[:0], leaf.Node(), t.leaves)
	for i, x := range treemath.DirectPath(path[:0], leaf.Node(), t.leaves) {
		if !t.empty(siblings[i]) {
			dst = append(dst, x)
		}
	}
	return dst
}

// copathChild returns the child of x that is not above leaf.
func copathChild(x treemath.NodeIndex, leaf treemath.LeafIndex) treemath.NodeIndex {
	if l := treemath.Left(x); !treemath.InSubtree(leaf.Node(), l) {
		return l
	}
	return treemath.Right(x)
}

// without returns list without the leaves of exclude, in place.
func without(list []treemath.NodeIndex, exclude []treemath.LeafIndex) []treemath.NodeIndex {
	if len(exclude) == 0 {
		return list
	}
	sorted := exclude
	if !slices.IsSorted(sorted) {
		sorted = slices.Sorted(slices.Values(exclude))
	}
	return slices.DeleteFunc(list, func(x treemath.NodeIndex) bool {
		if !x.IsLeaf() {
			return false
		}
		_, found := slices.BinarySearch(sorted, x.Leaf())
		return found
	})
}
