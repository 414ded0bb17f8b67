// Package ratchettree is the ratchet tree of RFC 9420 §4 and §7: its public half
// as an immutable value, TreeKEM, tree and parent hashes.
//
// A Tree never changes; Edit makes the next one. Nodes stand in chunks, and the
// next tree copies only the chunks that it changes, so epochs share the rest, and
// a commit in a full tree costs O(log N). Tree hashes are cached with the nodes.
//
// A Tree is safe for concurrent use. An Edit is not.
package ratchettree

import (
	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// slot is a node with its tree hash: a leaf, a parent, or neither, if it is blank.
type slot struct {
	leaf   *proto.LeafNode
	parent *proto.ParentNode
	hash   []byte // RFC 9420 §7.8; nil in an Edit where it must be computed again
}

func (s *slot) blank() bool { return s.leaf == nil && s.parent == nil }

// chunkSize is how many nodes an edit copies for one that it changes.
const chunkSize = 32

type chunk [chunkSize]slot

// Tree is the public half of a ratchet tree. It is immutable.
type Tree struct {
	suite   provider.Suite
	leaves  uint32 // a power of two
	members int
	blank   treemath.LeafIndex // no leaf before it is blank
	last    treemath.LeafIndex // the last leaf that is not blank
	chunks  []*chunk
	encKeys keyIndex // node indices
	sigKeys keyIndex // leaf indices
}

// New returns the tree of a group with one member, RFC 9420 §11.
func New(s provider.Suite, leaf *proto.LeafNode) *Tree {
	t := &Tree{suite: s, leaves: 1, members: 1, blank: 1, chunks: []*chunk{{{leaf: leaf}}}}
	e := t.Edit()
	e.index(0)
	e.dirty(0)
	return e.Finish()
}

// FromNodes builds a tree from the nodes of a ratchet_tree extension, RFC 9420
// §12.4.3.3, and checks its structure: V013, V015, V016, and the unmerged leaves,
// V014, V017, V124 and V125. Keys, hashes and signatures are Verify's.
func FromNodes(s provider.Suite, nodes []proto.Node) (*Tree, error) {
	for len(nodes) > 0 && nodes[len(nodes)-1] == (proto.Node{}) {
		nodes = nodes[:len(nodes)-1]
	}
	if len(nodes) == 0 {
		return nil, check.Errorf(check.V016, "tree without members")
	}
	if len(nodes)%2 == 0 { // a parent without members on its right is in no path
		return nil, check.Errorf(check.V016, "tree ends with a parent")
	}
	if len(nodes) > treemath.MaxLeaves {
		return nil, check.Errorf(check.V013, "tree of %d nodes", len(nodes))
	}
	leaves := treemath.FullSize(uint32(len(nodes)+1) / 2)
	width := treemath.Width(leaves)
	t := &Tree{suite: s, leaves: leaves, chunks: make([]*chunk, (width+chunkSize-1)/chunkSize)}
	for i := range t.chunks {
		t.chunks[i] = new(chunk)
	}
	e := t.Edit()
	for i := range e.copied { // nobody else has these chunks
		e.copied[i] = true
	}
	for i, n := range nodes {
		x := treemath.NodeIndex(i)
		if n.Leaf != nil && !x.IsLeaf() || n.Parent != nil && x.IsLeaf() {
			return nil, check.Errorf(check.V015, "node %d is of the wrong type", i)
		}
		if n == (proto.Node{}) {
			continue
		}
		*e.own(x) = slot{leaf: n.Leaf, parent: n.Parent}
		e.index(x)
		if n.Leaf != nil {
			e.t.members++
			e.t.last = x.Leaf()
		}
	}
	if e.t.members == 0 {
		return nil, check.Errorf(check.V016, "tree without members")
	}
	e.findBlank()
	if err := e.t.checkUnmerged(); err != nil {
		return nil, err
	}
	return e.Finish(), nil
}

// slot returns the node at x, which is within the tree.
func (t *Tree) slot(x treemath.NodeIndex) *slot {
	return &t.chunks[x/chunkSize][x%chunkSize]
}

// Suite returns the suite of the tree.
func (t *Tree) Suite() provider.Suite { return t.suite }

// LeafCount returns how many leaves the tree has, blank ones included: a power of
// two.
func (t *Tree) LeafCount() uint32 { return t.leaves }

// MemberCount returns how many leaves are not blank.
func (t *Tree) MemberCount() int { return t.members }

// Leaf returns a leaf, nil if it is blank or outside the tree.
func (t *Tree) Leaf(i treemath.LeafIndex) *proto.LeafNode {
	if uint32(i) >= t.leaves {
		return nil
	}
	return t.slot(i.Node()).leaf
}

// Parent returns a parent node, nil if it is blank, a leaf, or outside the tree.
func (t *Tree) Parent(x treemath.NodeIndex) *proto.ParentNode {
	if uint32(x) >= treemath.Width(t.leaves) {
		return nil
	}
	return t.slot(x).parent
}

// encryptionKey returns the key of a node that is not blank, nil otherwise.
func (t *Tree) encryptionKey(x treemath.NodeIndex) []byte {
	switch s := t.slot(x); {
	case s.leaf != nil:
		return s.leaf.EncryptionKey
	case s.parent != nil:
		return s.parent.EncryptionKey
	}
	return nil
}

// Members calls yield for each leaf that is not blank, from the left, until it
// returns false.
func (t *Tree) Members(yield func(i treemath.LeafIndex, leaf *proto.LeafNode) bool) {
	for i := range treemath.LeafIndex(t.leaves) {
		if leaf := t.slot(i.Node()).leaf; leaf != nil && !yield(i, leaf) {
			return
		}
	}
}

// Nodes returns the nodes in their order, blank ones included.
func (t *Tree) Nodes() []proto.Node {
	nodes := make([]proto.Node, treemath.Width(t.leaves))
	for i := range nodes {
		s := t.slot(treemath.NodeIndex(i))
		nodes[i] = proto.Node{Leaf: s.leaf, Parent: s.parent}
	}
	return nodes
}

// AppendRatchetTree appends the content of a ratchet_tree extension, RFC 9420
// §12.4.3.3.
func (t *Tree) AppendRatchetTree(b []byte) []byte { return proto.AppendRatchetTree(b, t.Nodes()) }

// TreeHash returns the tree hash of the root, RFC 9420 §7.8. It is shared.
func (t *Tree) TreeHash() []byte { return t.slot(treemath.Root(t.leaves)).hash }

// NodeHash returns the tree hash of a node of the tree. It is shared.
func (t *Tree) NodeHash(x treemath.NodeIndex) []byte { return t.slot(x).hash }

// HasEncryptionKey reports whether a leaf or parent of the tree has that key.
func (t *Tree) HasEncryptionKey(pub []byte) bool {
	_, ok := t.encKeys.find(pub, t.hasEncryptionKey)
	return ok
}

func (t *Tree) hasEncryptionKey(x uint32, pub []byte) bool {
	return string(t.encryptionKey(treemath.NodeIndex(x))) == string(pub)
}

// FindSignatureKey returns the leaf with that signature key.
func (t *Tree) FindSignatureKey(pub []byte) (treemath.LeafIndex, bool) {
	i, ok := t.sigKeys.find(pub, t.hasSignatureKey)
	return treemath.LeafIndex(i), ok
}

func (t *Tree) hasSignatureKey(i uint32, pub []byte) bool {
	leaf := t.slot(treemath.LeafIndex(i).Node()).leaf
	return leaf != nil && string(leaf.SignatureKey) == string(pub)
}

// Changed calls yield for each node that differs from since's, with what it is
// now (blank where it is gone), until it returns false. It costs what changed,
// besides a look at each chunk.
func (t *Tree) Changed(since *Tree, yield func(x treemath.NodeIndex, n proto.Node) bool) {
	for i := range max(len(t.chunks), len(since.chunks)) {
		var now, before *chunk
		if i < len(t.chunks) {
			now = t.chunks[i]
		}
		if i < len(since.chunks) {
			before = since.chunks[i]
		}
		if now == before {
			continue
		}
		for k := range chunkSize {
			var a, b slot
			if now != nil {
				a = now[k]
			}
			if before != nil {
				b = before[k]
			}
			if a.leaf == b.leaf && a.parent == b.parent {
				continue
			}
			if !yield(treemath.NodeIndex(i*chunkSize+k), proto.Node{Leaf: a.leaf, Parent: a.parent}) {
				return
			}
		}
	}
}
