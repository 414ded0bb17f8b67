package ratchettree

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
)

// batchSuite offers a BatchVerifier that counts its calls.
type batchSuite struct {
	provider.Suite
	calls *atomic.Int32
}

func (s batchSuite) Upgrades() *provider.Upgrades {
	u := *s.Suite.Upgrades()
	u.Verify = s
	return &u
}

func (s batchSuite) VerifyMany(jobs []provider.VerifyJob) {
	s.calls.Add(1)
	for i := range jobs {
		j := &jobs[i]
		j.Err = s.Verify(j.Pub, j.Msg, j.Sig)
	}
}

// signedTree returns the tree of n members whose leaves are signed: those of key
// packages and those of updates in turn.
func signedTree(t *testing.T, s provider.Suite, groupID []byte, n int) *Tree {
	t.Helper()
	crypto := soft.New(soft.Options{})
	g := newGroup(t, s, 1)
	nodes := make([]proto.Node, 2*n-1)
	for i := range n {
		signer, err := soft.NewSigner(crypto, s)
		if err != nil {
			t.Fatal(err)
		}
		source := proto.LeafNodeSourceKeyPackage
		if i%2 == 1 {
			source = proto.LeafNodeSourceUpdate
		}
		leaf, _ := g.newLeaf(source)
		leaf.SignatureKey = signer.Public()
		tbs := leaf.AppendTBS(nil, groupID, treemath.LeafIndex(i))
		if leaf.Signature, err = labels.SignWithLabel(t.Context(), signer, nil, labels.LabelLeafNodeTBS, tbs); err != nil {
			t.Fatal(err)
		}
		nodes[2*i].Leaf = leaf
	}
	return fromNodes(t, s, nodes)
}

func fromNodes(t *testing.T, s provider.Suite, nodes []proto.Node) *Tree {
	t.Helper()
	tree, err := FromNodes(s, nodes)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// TestLeafSignatures refuses a tree in which any one leaf is not signed as it
// stands (V044), or for another group or place (V045): one by one and in batches,
// in trees that one core verifies and in trees that several do.
func TestLeafSignatures(t *testing.T) {
	groupID := []byte("group")
	real := realSuite(t)
	var calls atomic.Int32
	for name, s := range map[string]provider.Suite{"one by one": real, "batch": batchSuite{real, &calls}} {
		for _, n := range []int{1, 2, 9, 33, 150} {
			t.Run(fmt.Sprintf("%s/%d", name, n), func(t *testing.T) {
				tree := signedTree(t, s, groupID, n)
				if err := tree.VerifyLeafSignatures(groupID); err != nil {
					t.Fatal(err)
				}
				refuse := func(what string, i int, damage func(nodes []proto.Node)) {
					t.Helper()
					nodes := deepNodes(tree)
					damage(nodes)
					if err := fromNodes(t, s, nodes).VerifyLeafSignatures(groupID); !errors.Is(err, check.ErrAuth) {
						t.Errorf("%s of leaf %d: %v", what, i, err)
					}
				}
				for i := range n {
					if n == 150 && i%75 > 0 && i%75 < 74 && i%64 > 0 && i%64 < 63 {
						continue // not at the end of a part or batch
					}
					refuse("V044: signature", i, func(nodes []proto.Node) {
						sig := append([]byte(nil), nodes[2*i].Leaf.Signature...)
						sig[0] ^= 1
						nodes[2*i].Leaf.Signature = sig
					})
					refuse("V044: credential", i, func(nodes []proto.Node) { nodes[2*i].Leaf.Credential.Identity = []byte("another") })
					if i >= 3 && i%2 == 1 {
						refuse("V045: place", i, func(nodes []proto.Node) { nodes[2], nodes[2*i] = nodes[2*i], nodes[2] })
					}
				}
				err := tree.VerifyLeafSignatures([]byte("another group")) // V045
				if n > 1 && !errors.Is(err, check.ErrAuth) || n == 1 && err != nil {
					t.Errorf("another group: %v", err) // a key package's leaf is for any group
				}
			})
		}
	}
	if calls.Load() == 0 {
		t.Error("the BatchVerifier was not used")
	}
}
