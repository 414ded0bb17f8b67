package ratchettree

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// TestRandomTrees compares over 1,000 trees with the naive reference.
func TestRandomTrees(t *testing.T) {
	run := func(t *testing.T, s provider.Suite, groups, steps int) {
		for seed := range uint64(groups) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(seed, 2))
				g := newGroup(t, s, seed)
				limit := 2 + rng.IntN(39)
				var old []*version
				for range steps {
					before := g.tree
					old = append(old, newVersion(before))
					g.step(rng, limit)
					g.compare()
					compareChanged(t, before, g.tree)
					compareDamaged(t, rng, g.tree)
				}
				for _, v := range old {
					v.same(t)
				}
			})
		}
	}
	t.Run("toy", func(t *testing.T) { run(t, toySuite(t), 40, 30) })
	t.Run("real", func(t *testing.T) { run(t, realSuite(t), 3, 12) })
}

// compare holds the present tree against the reference.
func (g *group) compare() {
	t, tree, ref := g.t, g.tree, newNaive(g.tree)
	t.Helper()
	for x := range ref.nodes {
		x := treemath.NodeIndex(x)
		if !bytes.Equal(tree.NodeHash(x), ref.treeHash(x)) {
			t.Fatalf("tree hash of node %d", x)
		}
		if !slices.Equal(tree.Resolution(nil, x), ref.resolution(x)) {
			t.Fatalf("resolution of node %d", x)
		}
	}
	if err := tree.VerifyParentHashes(); err != nil || !ref.parentHashesValid() {
		t.Fatalf("parent hashes: %v, reference %t", err, ref.parentHashesValid())
	}
	if err := tree.VerifyUniqueKeys(); err != nil {
		t.Fatal(err)
	}
	for _, key := range g.encKeys {
		if tree.HasEncryptionKey(key) != ref.hasKey(key) {
			t.Fatal("HasEncryptionKey differs from a scan")
		}
	}
	for _, key := range g.sigKeys {
		i, ok := tree.FindSignatureKey(key)
		j, want := ref.findSigner(key)
		if ok != want || ok && i != j {
			t.Fatal("FindSignatureKey differs from a scan")
		}
	}
	members := 0
	for i := range treemath.LeafIndex(tree.LeafCount()) {
		if tree.Leaf(i) != nil {
			members++
		}
	}
	if members != tree.MemberCount() || len(g.priv) != members {
		t.Fatalf("%d members, counted %d, with keys %d", tree.MemberCount(), members, len(g.priv))
	}
	if want := slices.IndexFunc(ref.nodes, func(n proto.Node) bool { return n == (proto.Node{}) }); want >= 0 {
		first := treemath.LeafIndex(tree.LeafCount())
		for i := range first {
			if tree.Leaf(i) == nil {
				first = i
				break
			}
		}
		if got := tree.Edit().NextLeaf(); got != first {
			t.Fatalf("NextLeaf is %d, want %d", got, first)
		}
	}
	sameTree(t, tree, nodesOf(tree))
}

// sameTree builds a tree from nodes, and from their encoding, which must be tree.
func sameTree(t testing.TB, tree *Tree, nodes []proto.Node) {
	t.Helper()
	encoded := proto.AppendRatchetTree(nil, nodes)
	if !bytes.Equal(tree.AppendRatchetTree([]byte("dst")), append([]byte("dst"), encoded...)) {
		t.Fatal("AppendRatchetTree gives another encoding")
	}
	decoded, err := proto.DecodeRatchetTree(encoded)
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range [][]proto.Node{nodes, decoded.Nodes()} {
		again, err := FromNodes(tree.suite, list)
		if err != nil {
			t.Fatal(err)
		}
		if again.leaves != tree.leaves || again.members != tree.members || again.last != tree.last ||
			!bytes.Equal(again.TreeHash(), tree.TreeHash()) || !bytes.Equal(again.AppendRatchetTree(nil), tree.AppendRatchetTree(nil)) {
			t.Fatal("FromNodes gives another tree")
		}
	}
}

// compareChanged applies what Changed says to the old nodes.
func compareChanged(t testing.TB, before, now *Tree) {
	t.Helper()
	encoded := func(tree *Tree) map[treemath.NodeIndex]string {
		m := make(map[treemath.NodeIndex]string)
		tree.Nodes(func(x treemath.NodeIndex, enc []byte) bool { m[x] = string(enc); return true })
		return m
	}
	nodes, seen := encoded(before), make(map[treemath.NodeIndex]bool)
	for x, c := range now.Changed(before) {
		if seen[x] || nodes[x] == string(c.Now) || nodes[x] != string(c.Before) {
			t.Errorf("node %d is listed twice or did not change", x)
		}
		seen[x] = true
		if nodes[x] = string(c.Now); c.Now == nil {
			delete(nodes, x)
		}
	}
	if !maps.Equal(nodes, encoded(now)) {
		t.Fatal("a node is not listed")
	}
	for range now.Changed(before) { // which panics if it goes on
		break
	}
}

// version is a tree as it was when it was made.
type version struct {
	tree           *Tree
	hash, encoding []byte
}

func newVersion(t *Tree) *version {
	return &version{t, bytes.Clone(t.TreeHash()), t.AppendRatchetTree(nil)}
}

func (v *version) same(t testing.TB) {
	t.Helper()
	if !bytes.Equal(v.hash, v.tree.TreeHash()) || !bytes.Equal(v.encoding, v.tree.AppendRatchetTree(nil)) {
		t.Fatal("an old version changed")
	}
}

// compareDamaged damages a tree and asks package and reference.
func compareDamaged(t testing.TB, rng *rand.Rand, tree *Tree) {
	t.Helper()
	for range 6 {
		nodes := deepNodes(tree)
		for range 1 + rng.IntN(2) {
			damage(rng, nodes)
		}
		ref := &naive{tree.suite, tree.leaves, nodes}
		got, err := FromNodes(tree.suite, nodes)
		if (err == nil) != ref.unmergedValid() {
			t.Fatalf("unmerged leaves: %v, reference %t", err, ref.unmergedValid())
		}
		if err != nil {
			continue
		}
		ref.leaves, ref.nodes = got.leaves, nodesOf(got)
		if err := got.VerifyParentHashes(); (err == nil) != ref.parentHashesValid() {
			t.Fatalf("parent hashes: %v, reference %t", err, ref.parentHashesValid())
		}
	}
}

// deepNodes are the nodes of a tree, to be changed.
func deepNodes(tree *Tree) []proto.Node {
	nodes := nodesOf(tree)
	for x := range nodes {
		if l := nodes[x].Leaf; l != nil {
			c := *l
			c.Raw, c.ParentHash = nil, bytes.Clone(l.ParentHash)
			nodes[x].Leaf = &c
		}
		if p := nodes[x].Parent; p != nil {
			c := *p
			c.ParentHash, c.UnmergedLeaves = bytes.Clone(p.ParentHash), slices.Clone(p.UnmergedLeaves)
			nodes[x].Parent = &c
		}
	}
	return nodes
}

// damage changes one node but for the last leaf, so that the tree keeps its size.
func damage(rng *rand.Rand, nodes []proto.Node) {
	x := rng.IntN(len(nodes))
	switch n := &nodes[x]; {
	case n.Parent != nil:
		switch rng.IntN(4) {
		case 0:
			n.Parent.EncryptionKey = []byte{1}
		case 1:
			n.Parent.ParentHash = append(n.Parent.ParentHash, 1)
		case 2:
			if len(n.Parent.UnmergedLeaves) > 0 {
				n.Parent.UnmergedLeaves = n.Parent.UnmergedLeaves[1:]
			}
		case 3:
			i := treemath.LeafIndex(rng.IntN(len(nodes)/2 + 2))
			n.Parent.UnmergedLeaves = append(n.Parent.UnmergedLeaves, i)
			if rng.IntN(4) > 0 {
				slices.Sort(n.Parent.UnmergedLeaves)
			}
		}
	case n.Leaf != nil:
		switch rng.IntN(3) {
		case 0:
			n.Leaf.Source = proto.LeafNodeSource(1 + rng.IntN(3))
		case 1:
			n.Leaf.Signature = []byte{1}
		case 2:
			if n.Leaf.Source == proto.LeafNodeSourceCommit {
				n.Leaf.ParentHash = []byte{1}
			}
		}
	}
}

// TestReadersOfOldVersions read while the tree goes on; run it with -race.
func TestReadersOfOldVersions(t *testing.T) {
	g, rng := newGroup(t, toySuite(t), 77), rand.New(rand.NewPCG(1, 1))
	var wg sync.WaitGroup
	for range 60 {
		v := newVersion(g.tree)
		for range 2 {
			wg.Go(func() {
				v.same(t)
				if err := v.tree.VerifyParentHashes(); err != nil {
					t.Error(err)
				}
				if err := v.tree.VerifyUniqueKeys(); err != nil {
					t.Error(err)
				}
				v.tree.Members(func(i treemath.LeafIndex, leaf *proto.LeafNode) bool {
					if j, ok := v.tree.FindSignatureKey(leaf.SignatureKey); !ok || i != j || !v.tree.HasEncryptionKey(leaf.EncryptionKey) {
						t.Errorf("leaf %d is not found", i)
					}
					return true
				})
			})
		}
		g.step(rng, 40)
	}
	wg.Wait()
}
