package ratchettree

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
)

// FuzzTree: received nodes are refused, or a tree on which everything works.
func FuzzTree(f *testing.F) {
	s := toySuite(f)
	rng := rand.New(rand.NewPCG(3, 3))
	g := newGroup(f, s, 3)
	for range 12 {
		f.Add(g.tree.AppendRatchetTree(nil))
		g.step(rng, 20)
	}
	f.Add(grown(f, s, 8, 2).tree.AppendRatchetTree(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<14 {
			return
		}
		tree, err := Decode(s, data, 1<<14)
		if err != nil {
			return
		}
		if !bytes.Equal(tree.AppendRatchetTree(nil), data) {
			t.Error("encodes to something else")
		}
		ref := newNaive(tree)
		if !ref.unmergedValid() {
			t.Error("unmerged leaves that the reference refuses")
		}
		if err := tree.VerifyParentHashes(); (err == nil) != ref.parentHashesValid() {
			t.Errorf("parent hashes: %v, reference %t", err, ref.parentHashesValid())
		}
		_ = tree.VerifyUniqueKeys()
		_ = tree.VerifyLeafSignatures([]byte("group"))
		e := tree.Edit()
		leaf := proto.LeafNode{EncryptionKey: []byte("new"), Source: proto.LeafNodeSourceUpdate, Credential: proto.Credential{Type: 1}}
		first := e.Add(&leaf)
		e.Remove(0)
		leaf.EncryptionKey = []byte("newer")
		e.Update(first, &leaf)
		edited := e.Finish()
		if !bytes.Equal(edited.TreeHash(), newNaive(edited).treeHash(treemath.Root(edited.leaves))) {
			t.Error("tree hash after an edit")
		}
	})
}
