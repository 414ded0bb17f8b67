package ratchettree

import (
	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// A Builder makes a tree from its encoded nodes: those of a ratchet_tree
// extension, or of a store.
type Builder struct {
	e   *Edit
	end uint32 // behind the last node that is not blank
}

// NewBuilder returns a Builder of a tree without nodes.
func NewBuilder(s provider.Suite) *Builder {
	t := &Tree{suite: s, nh: s.Params().Nh}
	return &Builder{e: t.Edit()}
}

// Set gives the node at x its encoding, which is that of a LeafNode or ParentNode
// and is copied. No node is set twice.
func (b *Builder) Set(x treemath.NodeIndex, enc []byte) {
	b.set(x, b.e.newNode(func(buf []byte) []byte { return append(buf, enc...) }))
}

func (b *Builder) set(x treemath.NodeIndex, n node) {
	if uint32(x) >= treemath.MaxLeaves { // more than Tree lets pass
		b.end = max(b.end, uint32(x)+1)
		return
	}
	b.e.reach(uint32(x) + 1)
	*b.e.own(x) = n
	b.e.index(x)
	b.end = max(b.end, uint32(x)+1)
	if x.IsLeaf() {
		b.e.t.members++
		b.e.t.last = max(b.e.t.last, x.Leaf())
	}
}

// Decode builds a tree of at most limit nodes from the content of a ratchet_tree
// extension, RFC 9420 §12.4.3.3, and checks it as proto.ReadRatchetTree and
// Builder.Tree do. It keeps nothing of b.
func Decode(s provider.Suite, b []byte, limit int) (*Tree, error) {
	builder := NewBuilder(s)
	err := proto.ReadRatchetTree(b, func(x treemath.NodeIndex, enc []byte) {
		if enc != nil && int(x) < limit {
			builder.Set(x, enc)
		} else if enc != nil {
			builder.end = uint32(x) + 1
		}
	})
	if err != nil {
		return nil, err
	}
	if int(builder.end) > limit {
		return nil, check.Errorf(check.V013, "ratchet tree of %d nodes", builder.end)
	}
	return builder.Tree()
}

// Tree returns the tree, and checks its structure: V013, V016, and the unmerged
// leaves, V014, V017, V124 and V125. Keys, hashes and signatures are Verify's. The
// Builder is used up.
func (b *Builder) Tree() (*Tree, error) {
	switch {
	case b.end == 0:
		return nil, check.Errorf(check.V016, "tree without members")
	case b.end%2 == 0: // a parent without members on its right is in no path
		return nil, check.Errorf(check.V016, "tree ends with a parent")
	case b.end > treemath.MaxLeaves:
		return nil, check.Errorf(check.V013, "tree of %d nodes", b.end)
	}
	t := b.finish()
	if err := t.checkUnmerged(); err != nil {
		return nil, err
	}
	return t, nil
}

func (b *Builder) finish() *Tree {
	e := b.e
	e.t.leaves = treemath.FullSize((b.end + 1) / 2)
	e.reach(treemath.Width(e.t.leaves))
	e.findBlank()
	e.t.Nodes(func(x treemath.NodeIndex, _ []byte) bool {
		e.dirty(x)
		return true
	})
	return e.Finish()
}
