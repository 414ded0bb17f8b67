// Package ratchettree is the ratchet tree of RFC 9420 §4 and §7: its public half
// as an immutable value, TreeKEM, tree and parent hashes.
//
// A Tree never changes; Edit makes the next one. Nodes stand in chunks, and the
// next tree copies only the chunks that it changes, so epochs share the rest, and
// a commit in a full tree costs O(log N).
//
// A tree keeps its nodes encoded, each with its tree hash in one allocation: that
// is what hashes, signatures and ratchet_tree extensions are made of, and a
// decoded leaf is three times as large. What a caller asks for is decoded for it.
//
// A Tree is safe for concurrent use. An Edit is not.
package ratchettree

import (
	"iter"
	"slices"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// node is a node of a tree: its tree hash (RFC 9420 §7.8), Nh bytes, and behind it
// the encoding of a LeafNode at an even index, a ParentNode at an odd one. A blank
// node has no encoding, and no hash either where everything below its parent is
// blank: see Edit.hash. It is immutable once its edit is finished.
type node []byte

// chunkSize is how many nodes an edit copies for one that it changes.
const chunkSize = 16

// chunk is a run of nodes. A nil chunk is one of blank nodes.
type chunk [chunkSize]node

// Tree is the public half of a ratchet tree. It is immutable.
type Tree struct {
	suite   provider.Suite
	nh      int    // of suite
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
	b := NewBuilder(s)
	b.set(0, b.e.newNode(leaf.Append))
	return b.finish()
}

// FromNodes builds a tree from the nodes of a ratchet_tree extension, RFC 9420
// §12.4.3.3, and checks its structure: V015 and what Builder.Tree checks.
func FromNodes(s provider.Suite, nodes []proto.Node) (*Tree, error) {
	b := NewBuilder(s)
	for i := range nodes {
		x, n := treemath.NodeIndex(i), &nodes[i]
		switch {
		case n.Leaf != nil && !x.IsLeaf() || n.Parent != nil && x.IsLeaf():
			return nil, check.Errorf(check.V015, "node %d is of the wrong type", i)
		case n.Leaf != nil:
			b.set(x, b.e.newNode(n.Leaf.Append))
		case n.Parent != nil:
			b.set(x, b.e.newNode(n.Parent.Append))
		}
	}
	return b.Tree()
}

// node returns the node at x, which is within the tree.
func (t *Tree) node(x treemath.NodeIndex) node {
	c := t.chunks[x/chunkSize]
	if c == nil {
		return nil
	}
	return c[x%chunkSize]
}

// encoded returns the encoding of the node at x, nil if it is blank.
func (t *Tree) encoded(x treemath.NodeIndex) []byte {
	return t.chunks[x/chunkSize].encoded(int(x%chunkSize), t.nh)
}

// isBlank reports whether the node at x is blank.
func (t *Tree) isBlank(x treemath.NodeIndex) bool { return len(t.node(x)) <= t.nh }

// Suite returns the suite of the tree.
func (t *Tree) Suite() provider.Suite { return t.suite }

// LeafCount returns how many leaves the tree has, blank ones included: a power of
// two.
func (t *Tree) LeafCount() uint32 { return t.leaves }

// MemberCount returns how many leaves are not blank.
func (t *Tree) MemberCount() int { return t.members }

// IsMember reports whether a leaf is within the tree and not blank.
func (t *Tree) IsMember(i treemath.LeafIndex) bool {
	return uint32(i) < t.leaves && !t.isBlank(i.Node())
}

// Leaf decodes a leaf: nil if it is blank or outside the tree. Its bytes are the
// tree's.
func (t *Tree) Leaf(i treemath.LeafIndex) *proto.LeafNode {
	if !t.IsMember(i) {
		return nil
	}
	return decodeLeaf(t.encoded(i.Node()))
}

// decodeLeaf decodes what was decoded, or encoded from a leaf, before.
func decodeLeaf(b []byte) *proto.LeafNode {
	leaf := new(proto.LeafNode)
	r := wire.NewReader(b)
	leaf.Decode(&r)
	return leaf
}

// Parent decodes a parent node: nil if it is blank, a leaf, or outside the tree.
func (t *Tree) Parent(x treemath.NodeIndex) *proto.ParentNode {
	if x.IsLeaf() || uint32(x) >= treemath.Width(t.leaves) || t.isBlank(x) {
		return nil
	}
	p := new(proto.ParentNode)
	r := wire.NewReader(t.encoded(x))
	p.Decode(&r)
	return p
}

// encryptionKey returns the key of a node that is not blank, nil otherwise.
func (t *Tree) encryptionKey(x treemath.NodeIndex) []byte {
	enc := t.encoded(x)
	if enc == nil {
		return nil
	}
	r := wire.NewReader(enc)
	return r.Opaque()
}

// parentKey is encryptionKey of a parent: nil also for what is none.
func (t *Tree) parentKey(x treemath.NodeIndex) []byte {
	if x.IsLeaf() || uint32(x) >= treemath.Width(t.leaves) {
		return nil
	}
	return t.encryptionKey(x)
}

// SignatureKey returns the signature key of a member, nil for a leaf that is blank
// or outside the tree. It allocates nothing.
func (t *Tree) SignatureKey(i treemath.LeafIndex) []byte {
	if !t.IsMember(i) {
		return nil
	}
	return t.signatureKey(i.Node())
}

// signatureKey returns the signature key of a leaf that is not blank.
func (t *Tree) signatureKey(x treemath.NodeIndex) []byte {
	r := wire.NewReader(t.encoded(x))
	r.Opaque()
	return r.Opaque()
}

// Members calls yield for each leaf that is not blank, from the left, until it
// returns false.
func (t *Tree) Members(yield func(i treemath.LeafIndex, leaf *proto.LeafNode) bool) {
	t.memberNodes(func(i treemath.LeafIndex, enc []byte) bool { return yield(i, decodeLeaf(enc)) })
}

// CredentialTypes is Members with the type of the credential alone, which costs a
// hundredth.
func (t *Tree) CredentialTypes(yield func(i treemath.LeafIndex, c proto.CredentialType) bool) {
	t.memberNodes(func(i treemath.LeafIndex, enc []byte) bool { return yield(i, proto.LeafCredentialType(enc)) })
}

// Credentials is Members with the credential alone.
func (t *Tree) Credentials(yield func(i treemath.LeafIndex, c *proto.Credential) bool) {
	t.memberNodes(func(i treemath.LeafIndex, enc []byte) bool { return yield(i, proto.LeafCredential(enc)) })
}

// memberNodes is Members without decoding.
func (t *Tree) memberNodes(yield func(i treemath.LeafIndex, enc []byte) bool) {
	t.Nodes(func(x treemath.NodeIndex, enc []byte) bool { return !x.IsLeaf() || yield(x.Leaf(), enc) })
}

// Nodes calls yield for the encoding of each node that is not blank, in their
// order, until it returns false. The bytes are the tree's.
func (t *Tree) Nodes(yield func(x treemath.NodeIndex, enc []byte) bool) {
	for i, c := range t.chunks {
		if c == nil {
			continue
		}
		for k, n := range c {
			if len(n) > t.nh && !yield(treemath.NodeIndex(i*chunkSize+k), n[t.nh:]) {
				return
			}
		}
	}
}

// AppendRatchetTree appends the content of a ratchet_tree extension, RFC 9420
// §12.4.3.3.
func (t *Tree) AppendRatchetTree(b []byte) []byte {
	size, next := 0, treemath.NodeIndex(0)
	t.Nodes(func(x treemath.NodeIndex, enc []byte) bool {
		size += int(x-next) + 2 + len(enc) // blank nodes, presence and type
		next = x + 1
		return true
	})
	b = wire.AppendVarint(slices.Grow(b, size+4), size)
	next = 0
	t.Nodes(func(x treemath.NodeIndex, enc []byte) bool {
		for ; next < x; next++ {
			b = proto.AppendEncodedNode(b, next, nil)
		}
		b = proto.AppendEncodedNode(b, x, enc)
		next++
		return true
	})
	return b
}

// TreeHash returns the tree hash of the root, RFC 9420 §7.8. It is shared.
func (t *Tree) TreeHash() []byte { return t.NodeHash(treemath.Root(t.leaves)) }

// NodeHash returns the tree hash of a node of the tree. It is shared.
func (t *Tree) NodeHash(x treemath.NodeIndex) []byte {
	var h hasher
	return t.nodeHash(&h, x)
}

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
	return t.IsMember(treemath.LeafIndex(i)) && string(t.SignatureKey(treemath.LeafIndex(i))) == string(pub)
}

// Change is a node of two trees: its encoding now and before, nil where it is
// blank.
type Change struct{ Now, Before []byte }

// Changed iterates over the nodes that differ from since's. It costs what changed,
// besides a look at each chunk.
func (t *Tree) Changed(since *Tree) iter.Seq2[treemath.NodeIndex, Change] {
	return func(yield func(treemath.NodeIndex, Change) bool) {
		for i := range max(len(t.chunks), len(since.chunks)) {
			now, before := t.chunk(i), since.chunk(i)
			if now == before {
				continue
			}
			for k := range chunkSize {
				c := Change{now.encoded(k, t.nh), before.encoded(k, t.nh)}
				if !same(c.Now, c.Before) && !yield(treemath.NodeIndex(i*chunkSize+k), c) {
					return
				}
			}
		}
	}
}

// chunk returns a chunk that may be behind the tree.
func (t *Tree) chunk(i int) *chunk {
	if i < len(t.chunks) {
		return t.chunks[i]
	}
	return nil
}

// encoded returns the encoding of a node of a chunk, which may be nil.
func (c *chunk) encoded(k, nh int) []byte {
	if c == nil || len(c[k]) <= nh {
		return nil
	}
	return c[k][nh:]
}

// same reports whether a and b are the same bytes of one node, or both blank.
func same(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	return &a[0] == &b[0]
}
