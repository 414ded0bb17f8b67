package ratchettree

import (
	"slices"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
)

// Edit is the next tree in the making. It reads like a Tree, through Tree. The
// tree that it began with stays as it is.
type Edit struct {
	t      Tree
	state  []chunkState                    // of each chunk
	fresh  map[treemath.NodeIndex]struct{} // parents whose bytes are the edit's own
	hasher hasher
}

// chunkState is what an edit did to a chunk.
type chunkState struct {
	own   bool   // the chunk is the edit's own
	dirty uint16 // bit for bit, the nodes whose hash must be computed again
}

// Edit begins the next tree.
func (t *Tree) Edit() *Edit {
	e := &Edit{t: *t, state: make([]chunkState, len(t.chunks))}
	e.t.chunks = slices.Clone(t.chunks)
	e.t.encKeys, e.t.sigKeys = t.encKeys.edit(), t.sigKeys.edit()
	return e
}

// Tree returns the tree as edited so far, for reading until the next change. Its
// hashes are not computed.
func (e *Edit) Tree() *Tree { return &e.t }

// Finish computes the hashes and returns the edited tree. The edit is used up.
func (e *Edit) Finish() *Tree {
	for x := range e.fresh { // they grew by doubling
		n := e.own(x)
		*n = slices.Clone(*n)
	}
	e.hash(treemath.Root(e.t.leaves))
	e.t.encKeys.settle()
	e.t.sigKeys.settle()
	t := e.t
	e.t = Tree{}
	return &t
}

// reach makes the chunks of the first width nodes.
func (e *Edit) reach(width uint32) {
	if n := (int(width) + chunkSize - 1) / chunkSize; n > len(e.t.chunks) {
		e.t.chunks = append(e.t.chunks, make([]*chunk, n-len(e.t.chunks))...)
		e.state = append(e.state, make([]chunkState, n-len(e.state))...)
	}
}

// own returns the node at x for writing.
func (e *Edit) own(x treemath.NodeIndex) *node {
	i := x / chunkSize
	if s := &e.state[i]; !s.own {
		c := new(chunk)
		if old := e.t.chunks[i]; old != nil {
			*c = *old
		}
		e.t.chunks[i], s.own = c, true
	}
	return &e.t.chunks[i][x%chunkSize]
}

func (e *Edit) isDirty(x treemath.NodeIndex) bool {
	return e.state[x/chunkSize].dirty>>(x%chunkSize)&1 == 1
}

func (e *Edit) setDirty(x treemath.NodeIndex) { e.state[x/chunkSize].dirty |= 1 << (x % chunkSize) }

func (e *Edit) setClean(x treemath.NodeIndex) { e.state[x/chunkSize].dirty &^= 1 << (x % chunkSize) }

// dirty drops the hashes of x and everything above it.
func (e *Edit) dirty(x treemath.NodeIndex) {
	e.setDirty(x)
	for {
		parent, ok := treemath.Parent(x, e.t.leaves)
		if !ok || e.isDirty(parent) {
			return
		}
		x = parent
		e.setDirty(x)
	}
}

// newNode returns a node whose encoding encode appends, with zeros for its hash.
func (e *Edit) newNode(encode func(b []byte) []byte) node {
	e.hasher.in = encode(e.hasher.in[:0])
	n := make(node, e.t.nh+len(e.hasher.in))
	copy(n[e.t.nh:], e.hasher.in)
	return n
}

// index and unindex keep the keys of the node at x in step.
func (e *Edit) index(x treemath.NodeIndex) {
	if e.t.isBlank(x) {
		return
	}
	e.t.encKeys.add(e.t.encryptionKey(x), uint32(x))
	if x.IsLeaf() {
		e.t.sigKeys.add(e.t.signatureKey(x), uint32(x.Leaf()))
	}
}

func (e *Edit) unindex(x treemath.NodeIndex) {
	if e.t.isBlank(x) {
		return
	}
	e.t.encKeys.remove(e.t.encryptionKey(x), uint32(x))
	if x.IsLeaf() {
		e.t.sigKeys.remove(e.t.signatureKey(x), uint32(x.Leaf()))
	}
}

// set replaces the node at x; a nil n blanks it.
func (e *Edit) set(x treemath.NodeIndex, n node) {
	if n == nil && e.t.isBlank(x) {
		return
	}
	e.unindex(x)
	*e.own(x) = n
	delete(e.fresh, x)
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
	for e.t.IsMember(e.t.blank) {
		e.t.blank++
	}
}

// extend doubles the tree until it has leaf i, RFC 9420 §7.7.
func (e *Edit) extend(i treemath.LeafIndex) {
	for uint32(i) >= e.t.leaves {
		root := treemath.Root(e.t.leaves)
		e.t.leaves *= 2
		e.reach(treemath.Width(e.t.leaves))
		if parent, ok := treemath.Parent(root, e.t.leaves); ok {
			e.dirty(parent)
		}
	}
}

// Add places a leaf at NextLeaf and lists it as unmerged in every parent above
// that is not blank, RFC 9420 §12.1.1.
func (e *Edit) Add(leaf *proto.LeafNode) treemath.LeafIndex {
	i := e.NextLeaf()
	e.place(i, leaf)
	x := i.Node()
	for {
		parent, ok := treemath.Parent(x, e.t.leaves)
		if !ok {
			return i
		}
		x = parent
		if !e.t.isBlank(x) {
			e.addUnmerged(x, i)
		}
	}
}

// place sets a leaf that may be new.
func (e *Edit) place(i treemath.LeafIndex, leaf *proto.LeafNode) {
	e.extend(i)
	if !e.t.IsMember(i) {
		e.t.members++
		e.t.last = max(e.t.last, i)
	}
	e.set(i.Node(), e.newNode(leaf.Append))
}

// addUnmerged lists leaf i in the parent at x. A parent is copied once per edit.
func (e *Edit) addUnmerged(x treemath.NodeIndex, i treemath.LeafIndex) {
	n := e.own(x)
	if _, ok := e.fresh[x]; !ok {
		if e.fresh == nil {
			e.fresh = make(map[treemath.NodeIndex]struct{})
		}
		e.fresh[x] = struct{}{}
		*n = slices.Clone(*n)
		clear((*n)[:e.t.nh])
	}
	*n = proto.InsertUnmerged(*n, e.t.nh, i)
	e.dirty(x)
}

// Update replaces a member's leaf and blanks the nodes above it, RFC 9420 §12.1.2.
func (e *Edit) Update(i treemath.LeafIndex, leaf *proto.LeafNode) {
	e.set(i.Node(), e.newNode(leaf.Append))
	e.blankPath(i)
}

// Remove blanks a member's leaf and the nodes above it, and truncates the tree,
// RFC 9420 §12.1.3.
func (e *Edit) Remove(i treemath.LeafIndex) {
	if !e.t.IsMember(i) {
		return
	}
	e.set(i.Node(), nil)
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
		e.set(x, nil)
	}
}

// truncate halves the tree while its right half is blank, RFC 9420 §7.7. Nodes
// above the last member are blank then: its removal blanked the path.
func (e *Edit) truncate() {
	for e.t.last > 0 && e.t.isBlank(e.t.last.Node()) {
		e.t.last--
	}
	leaves := treemath.FullSize(uint32(e.t.last) + 1)
	if leaves == e.t.leaves {
		return
	}
	for x := treemath.Width(leaves); x < treemath.Width(e.t.leaves); x++ {
		e.set(treemath.NodeIndex(x), nil)
	}
	e.t.leaves = leaves
	width := treemath.Width(leaves)
	chunks := (int(width) + chunkSize - 1) / chunkSize
	e.t.chunks, e.state = e.t.chunks[:chunks:chunks], e.state[:chunks:chunks]
	for x := width; x < uint32(chunks*chunkSize); x++ { // what is left of the last chunk
		*e.own(treemath.NodeIndex(x)) = nil
		e.setClean(treemath.NodeIndex(x))
	}
	e.t.blank = min(e.t.blank, treemath.LeafIndex(leaves))
}
