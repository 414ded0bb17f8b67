package ratchettree

import (
	"bytes"
	"slices"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
)

// Edit is the next tree in the making. It reads like a Tree, through Tree. The
// tree that it began with stays as it is.
type Edit struct {
	t      Tree
	copied []bool                         // chunks that are the edit's own
	fresh  map[*proto.ParentNode]struct{} // parents that are the edit's own
	hasher hasher
}

// Edit begins the next tree.
func (t *Tree) Edit() *Edit {
	e := &Edit{t: *t, copied: make([]bool, len(t.chunks)), fresh: make(map[*proto.ParentNode]struct{})}
	e.t.chunks = slices.Clone(t.chunks)
	e.t.encKeys, e.t.sigKeys = t.encKeys.edit(), t.sigKeys.edit()
	return e
}

// Tree returns the tree as edited so far, for reading until the next change. Its
// hashes are not computed.
func (e *Edit) Tree() *Tree { return &e.t }

// Finish computes the hashes and returns the edited tree. The edit is used up.
func (e *Edit) Finish() *Tree {
	e.hash(treemath.Root(e.t.leaves))
	e.t.encKeys.settle()
	e.t.sigKeys.settle()
	t := e.t
	e.t = Tree{}
	return &t
}

// own returns the node at x for writing.
func (e *Edit) own(x treemath.NodeIndex) *slot {
	i := x / chunkSize
	if !e.copied[i] {
		c := *e.t.chunks[i]
		e.t.chunks[i], e.copied[i] = &c, true
	}
	return &e.t.chunks[i][x%chunkSize]
}

// dirty drops the hashes of x and everything above it.
func (e *Edit) dirty(x treemath.NodeIndex) {
	for {
		s := e.own(x)
		s.hash = nil
		parent, ok := treemath.Parent(x, e.t.leaves)
		if !ok {
			return
		}
		x = parent
		if e.t.slot(x).hash == nil {
			return
		}
	}
}

// index and unindex keep the keys of the node at x in step.
func (e *Edit) index(x treemath.NodeIndex) {
	switch s := e.t.slot(x); {
	case s.leaf != nil:
		e.t.encKeys.add(s.leaf.EncryptionKey, uint32(x))
		e.t.sigKeys.add(s.leaf.SignatureKey, uint32(x.Leaf()))
	case s.parent != nil:
		e.t.encKeys.add(s.parent.EncryptionKey, uint32(x))
	}
}

func (e *Edit) unindex(x treemath.NodeIndex) {
	switch s := e.t.slot(x); {
	case s.leaf != nil:
		e.t.encKeys.remove(s.leaf.EncryptionKey, uint32(x))
		e.t.sigKeys.remove(s.leaf.SignatureKey, uint32(x.Leaf()))
	case s.parent != nil:
		e.t.encKeys.remove(s.parent.EncryptionKey, uint32(x))
	}
}

// set replaces the node at x.
func (e *Edit) set(x treemath.NodeIndex, leaf *proto.LeafNode, parent *proto.ParentNode) {
	s := e.t.slot(x)
	if s.leaf == leaf && s.parent == parent {
		return
	}
	e.unindex(x)
	s = e.own(x)
	s.leaf, s.parent = leaf, parent
	e.index(x)
	e.dirty(x)
}

// NextLeaf returns the leaf that the next member gets: the leftmost blank one, or
// the first behind the tree.
func (e *Edit) NextLeaf() treemath.LeafIndex {
	e.findBlank()
	return e.t.blank
}

// findBlank moves the cursor on to the leftmost blank leaf.
func (e *Edit) findBlank() {
	for uint32(e.t.blank) < e.t.leaves && e.t.slot(e.t.blank.Node()).leaf != nil {
		e.t.blank++
	}
}

// extend doubles the tree until it has leaf i, RFC 9420 §7.7.
func (e *Edit) extend(i treemath.LeafIndex) {
	for uint32(i) >= e.t.leaves {
		root := treemath.Root(e.t.leaves)
		e.t.leaves *= 2
		for width := int(treemath.Width(e.t.leaves)); len(e.t.chunks)*chunkSize < width; {
			e.t.chunks = append(e.t.chunks, new(chunk))
			e.copied = append(e.copied, true)
		}
		e.dirty(root)
	}
}

// Add places a leaf at NextLeaf and lists it as unmerged in every parent above
// that is not blank, RFC 9420 §12.1.1. The tree keeps a copy: see ownLeaf.
func (e *Edit) Add(leaf *proto.LeafNode) treemath.LeafIndex {
	i := e.NextLeaf()
	e.place(i, ownLeaf(leaf))
	x := i.Node()
	for {
		parent, ok := treemath.Parent(x, e.t.leaves)
		if !ok {
			return i
		}
		x = parent
		if e.t.slot(x).parent != nil {
			e.addUnmerged(x, i)
		}
	}
}

// ownLeaf returns a leaf with bytes of its own. A decoded one borrows from its
// message, and a commit can be thousands of times as long as the leaf that would
// keep it in memory until its member's next update.
func ownLeaf(leaf *proto.LeafNode) *proto.LeafNode {
	if leaf.Raw == nil {
		return leaf
	}
	own, err := proto.DecodeLeafNode(bytes.Clone(leaf.Raw))
	if err != nil { // not encoded by this module; as good as it was
		return leaf
	}
	return own
}

// place sets a leaf that may be new.
func (e *Edit) place(i treemath.LeafIndex, leaf *proto.LeafNode) {
	e.extend(i)
	if e.t.slot(i.Node()).leaf == nil {
		e.t.members++
		e.t.last = max(e.t.last, i)
	}
	e.set(i.Node(), leaf, nil)
}

// addUnmerged lists leaf i in the parent at x. A parent is copied once per edit.
func (e *Edit) addUnmerged(x treemath.NodeIndex, i treemath.LeafIndex) {
	s := e.own(x)
	p := s.parent
	if _, ok := e.fresh[p]; !ok {
		c := *p
		c.UnmergedLeaves = slices.Clone(p.UnmergedLeaves)
		p = &c
		s.parent = p
		e.fresh[p] = struct{}{}
	}
	at, found := slices.BinarySearch(p.UnmergedLeaves, i)
	if !found {
		p.UnmergedLeaves = slices.Insert(p.UnmergedLeaves, at, i)
	}
	e.dirty(x)
}

// Update replaces a member's leaf and blanks the nodes above it, RFC 9420 §12.1.2.
func (e *Edit) Update(i treemath.LeafIndex, leaf *proto.LeafNode) {
	e.set(i.Node(), leaf, nil)
	e.blankPath(i)
}

// Remove blanks a member's leaf and the nodes above it, and truncates the tree,
// RFC 9420 §12.1.3.
func (e *Edit) Remove(i treemath.LeafIndex) {
	if e.t.Leaf(i) == nil {
		return
	}
	e.set(i.Node(), nil, nil)
	e.blankPath(i)
	e.t.members--
	e.t.blank = min(e.t.blank, i)
	if i == e.t.last {
		e.truncate()
	}
}

func (e *Edit) blankPath(i treemath.LeafIndex) {
	var path [32]treemath.NodeIndex
	for _, x := range treemath.DirectPath(path[:0], i.Node(), e.t.leaves) {
		e.set(x, nil, nil)
	}
}

// truncate halves the tree while its right half is blank, RFC 9420 §7.7. Nodes
// above the last member are blank then: its removal blanked the path.
func (e *Edit) truncate() {
	for e.t.last > 0 && e.t.slot(e.t.last.Node()).leaf == nil {
		e.t.last--
	}
	leaves := treemath.FullSize(uint32(e.t.last) + 1)
	if leaves == e.t.leaves {
		return
	}
	for x := treemath.Width(leaves); x < treemath.Width(e.t.leaves); x++ {
		if !e.t.slot(treemath.NodeIndex(x)).blank() {
			e.set(treemath.NodeIndex(x), nil, nil)
		}
	}
	e.t.leaves = leaves
	width := treemath.Width(leaves)
	chunks := (int(width) + chunkSize - 1) / chunkSize
	e.t.chunks, e.copied = e.t.chunks[:chunks:chunks], e.copied[:chunks:chunks]
	for x := width; x < uint32(chunks*chunkSize); x++ { // what is left of the last chunk
		*e.own(treemath.NodeIndex(x)) = slot{}
	}
	e.t.blank = min(e.t.blank, treemath.LeafIndex(leaves))
}
