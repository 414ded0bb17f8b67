package ratchettree

import (
	"bytes"
	"testing"

	"github.com/hardmls/hardmls/internal/proto"
)

// TestKeepsNoMessage overwrites the messages that leaves and paths were decoded
// from: the tree borrows nothing from them, so it keeps none in memory.
func TestKeepsNoMessage(t *testing.T) {
	g := grown(t, toySuite(t), 8, 0)
	e := g.tree.Edit()
	path, err := e.BeginPath(2, g.random(32), func(hash []byte) (*proto.LeafNode, error) {
		leaf, _ := g.newLeaf(proto.LeafNodeSourceCommit)
		leaf.ParentHash = hash
		leaf.Raw = leaf.Append(nil)
		return leaf, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := e.Finish()
	sealed, err := path.Seal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	msg := sealed.Append(nil)
	received, err := proto.DecodeUpdatePath(msg)
	if err != nil {
		t.Fatal(err)
	}
	e = g.tree.Edit()
	if err := e.ApplyPath(2, received, nil); err != nil {
		t.Fatal(err)
	}
	clear(msg)
	got := e.Finish()
	if !bytes.Equal(got.AppendRatchetTree(nil), want.AppendRatchetTree(nil)) || !bytes.Equal(got.TreeHash(), want.TreeHash()) {
		t.Error("the tree borrows from the path")
	}

	added, _ := g.newLeaf(proto.LeafNodeSourceKeyPackage)
	msg = added.Append(nil)
	leaf, err := proto.DecodeLeafNode(msg)
	if err != nil {
		t.Fatal(err)
	}
	e, f := g.tree.Edit(), g.tree.Edit()
	e.Add(added)
	f.Add(leaf)
	clear(msg)
	if !bytes.Equal(f.Finish().AppendRatchetTree(nil), e.Finish().AppendRatchetTree(nil)) {
		t.Error("the tree borrows from a key package")
	}
}
