package ratchettree

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// wantCheck reports an error that is not that of check id.
func wantCheck(t testing.TB, err error, id check.ID) {
	t.Helper()
	var e *check.Error
	if !errors.As(err, &e) || e.Check != id {
		t.Errorf("got %v, want %v", err, id)
	}
}

// grown returns a group of n members who have all committed, so no node is blank,
// and then extra members that are unmerged.
func grown(t testing.TB, s provider.Suite, n, extra int) *group {
	t.Helper()
	g := newGroup(t, s, 5)
	g.add(n-1, true)
	for i := range treemath.LeafIndex(n) {
		g.commit(&change{sender: i}, nil, nil, true, false)
	}
	if extra > 0 {
		g.add(extra, false)
	}
	return g
}

// add adds members, with a path by leaf 0 or without.
func (g *group) add(n int, path bool) {
	g.t.Helper()
	c := &change{}
	var keys []provider.DecryptionKey
	for range n {
		leaf, key := g.newLeaf(proto.LeafNodeSourceKeyPackage)
		c.adds, keys = append(c.adds, leaf), append(keys, key)
	}
	g.commit(c, nil, keys, path, false)
}

func (g *group) remove(leaves ...treemath.LeafIndex) {
	g.t.Helper()
	g.commit(&change{removes: leaves}, nil, nil, false, false)
}

// TestV016 refuses trees without members.
func TestV016(t *testing.T) {
	for _, nodes := range [][]proto.Node{nil, {{}}, make([]proto.Node, 7), make([]proto.Node, 1)} {
		_, err := FromNodes(toySuite(t), nodes)
		wantCheck(t, err, check.V016)
	}
}

// TestV016Parent refuses a parent behind the last member: it would stand outside
// the tree, until that grows.
func TestV016Parent(t *testing.T) {
	g := grown(t, toySuite(t), 8, 0)
	for _, n := range []int{1, 2, 3, 5, 8} {
		nodes := make([]proto.Node, 2*n)
		copy(nodes, nodesOf(g.tree)[:2*n-1])
		nodes[2*n-1].Parent = &proto.ParentNode{EncryptionKey: g.newKey().Public()}
		_, err := FromNodes(g.suite, nodes)
		wantCheck(t, err, check.V016)
	}
}

// TestV015 refuses nodes of the wrong type.
func TestV015(t *testing.T) {
	leaf := &proto.LeafNode{EncryptionKey: []byte{1}}
	for _, nodes := range [][]proto.Node{{{Leaf: leaf}, {Leaf: leaf}, {Leaf: leaf}}, {{Parent: &proto.ParentNode{}}, {}, {Leaf: leaf}}} {
		_, err := FromNodes(toySuite(t), nodes)
		wantCheck(t, err, check.V015)
	}
}

// TestUnmergedLeaves refuses lists of unmerged leaves that do not fit the tree.
func TestUnmergedLeaves(t *testing.T) {
	g := grown(t, toySuite(t), 8, 0)
	g.remove(2, 6)
	g.commit(&change{sender: 0}, nil, nil, true, false)
	g.commit(&change{sender: 4}, nil, nil, true, false)
	g.add(2, false)
	type leaves = []treemath.LeafIndex
	cases := []struct {
		name   string
		id     check.ID
		damage func(nodes []proto.Node)
	}{
		{"not sorted", check.V014, func(n []proto.Node) { n[7].Parent.UnmergedLeaves = leaves{6, 2} }},
		{"twice", check.V014, func(n []proto.Node) { n[7].Parent.UnmergedLeaves = leaves{2, 2, 6} }},
		{"outside the tree", check.V017, func(n []proto.Node) { n[7].Parent.UnmergedLeaves = leaves{2, 6, 8} }},
		{"far outside", check.V017, func(n []proto.Node) { n[3].Parent.UnmergedLeaves = leaves{2, 1<<32 - 1} }},
		{"not below", check.V124, func(n []proto.Node) { n[3].Parent.UnmergedLeaves = leaves{2, 4} }},
		{"blank", check.V124, func(n []proto.Node) { n[4].Leaf = nil }},
		{"not listed below", check.V125, func(n []proto.Node) { n[3].Parent.UnmergedLeaves = nil }},
		{"not listed far below", check.V125, func(n []proto.Node) {
			n[3].Parent, n[7].Parent.UnmergedLeaves = nil, leaves{0, 2, 6}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			nodes := deepNodes(g.tree)
			if nodes[1].Parent == nil || len(nodes[3].Parent.UnmergedLeaves) != 1 || len(nodes[7].Parent.UnmergedLeaves) != 2 {
				t.Fatal("the tree is not what the test wants")
			}
			c.damage(nodes)
			_, err := FromNodes(g.suite, nodes)
			wantCheck(t, err, c.id)
		})
	}
}

// constantHash is a suite whose hashes are all the same.
type constantHash struct{ provider.Suite }

func (constantHash) Hash(out, _ []byte) { clear(out) }

// TestV122 refuses trees whose parents have no chain of parent hashes, or two.
func TestV122(t *testing.T) {
	verify := func(t *testing.T, g *group, s provider.Suite, damage func(n []proto.Node)) error {
		t.Helper()
		nodes := deepNodes(g.tree)
		damage(nodes)
		tree, err := FromNodes(s, nodes)
		if err != nil {
			t.Fatal(err)
		}
		err = tree.VerifyParentHashes()
		if (err == nil) != newNaive(tree).parentHashesValid() {
			t.Errorf("%v, but the reference does not agree", err)
		}
		return err
	}
	full, unmerged := grown(t, toySuite(t), 8, 0), grown(t, toySuite(t), 7, 1)
	before := grown(t, toySuite(t), 8, 0) // leaf 6 is unmerged, on the left of leaf 7, the D of node 11
	before.remove(6)
	before.commit(&change{sender: 7}, nil, nil, true, false)
	before.add(1, false)
	for _, c := range []struct {
		name   string
		g      *group
		damage func(n []proto.Node)
	}{
		{"hash of a parent", full, func(n []proto.Node) {
			for _, x := range []int{1, 3, 5, 9, 11, 13} {
				if h := n[x].Parent.ParentHash; len(h) > 0 {
					h[0] ^= 1
				}
			}
		}},
		{"hash of a leaf", full, func(n []proto.Node) { n[14].Leaf.ParentHash[0] ^= 1 }},
		{"empty hash", full, func(n []proto.Node) { n[14].Leaf.ParentHash = nil }},
		{"leaf not of a commit", full, func(n []proto.Node) { n[14].Leaf.Source = proto.LeafNodeSourceUpdate }},
		{"key of a parent", full, func(n []proto.Node) { n[7].Parent.EncryptionKey = []byte("another") }},
		{"sibling's hash", full, func(n []proto.Node) { n[12].Leaf.Signature = []byte("another") }},
		{"D is not in the resolution", full, func(n []proto.Node) { n[13] = proto.Node{} }},
		{"an unmerged leaf is not listed", unmerged, func(n []proto.Node) {
			for _, x := range []int{7, 11} {
				if p := n[x].Parent; p != nil {
					p.UnmergedLeaves = nil
				}
			}
		}},
		{"an unmerged leaf before D is not listed", before, func(n []proto.Node) {
			n[7].Parent.UnmergedLeaves, n[11].Parent.UnmergedLeaves = nil, nil
		}},
		{"an unmerged leaf is listed below only", before, func(n []proto.Node) { n[7].Parent.UnmergedLeaves = nil }},
		{"a leaf is listed that is merged", full, func(n []proto.Node) {
			for _, x := range []int{7, 11, 13} {
				n[x].Parent.UnmergedLeaves = []treemath.LeafIndex{7}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) { wantCheck(t, verify(t, c.g, c.g.suite, c.damage), check.V122) })
	}
	t.Run("two chains", func(t *testing.T) {
		s := constantHash{toySuite(t)}
		g := grown(t, s, 2, 0)
		if err := verify(t, g, s, func(n []proto.Node) {
			n[0].Leaf.Source, n[0].Leaf.ParentHash = proto.LeafNodeSourceUpdate, nil
		}); err != nil {
			t.Fatal(err)
		}
		wantCheck(t, verify(t, g, s, func(n []proto.Node) {
			for _, x := range []int{0, 2} {
				n[x].Leaf.Source, n[x].Leaf.ParentHash = proto.LeafNodeSourceCommit, make([]byte, 32)
			}
		}), check.V122)
	})
}

// TestV123 shows that the hash of a sibling is the one that it had at the commit:
// without the leaves that were added since, and with those alone.
func TestV123(t *testing.T) {
	g := grown(t, toySuite(t), 8, 0)
	g.remove(6)
	g.commit(&change{sender: 0}, nil, nil, true, false)
	g.add(1, false) // leaf 6, below the sibling of the committer's path
	root := g.tree.Parent(treemath.Root(8))
	if len(root.UnmergedLeaves) != 1 || root.UnmergedLeaves[0] != 6 {
		t.Fatalf("unmerged at the root: %v", root.UnmergedLeaves)
	}
	if err := g.tree.VerifyParentHashes(); err != nil {
		t.Fatal(err)
	}
	now := new(hasher).parentHash(g.suite, root, g.tree.NodeHash(11))
	nodes := deepNodes(g.tree)
	nodes[3].Parent.ParentHash = now // with the sibling as it is today
	tree, err := FromNodes(g.suite, nodes)
	if err != nil {
		t.Fatal(err)
	}
	wantCheck(t, tree.VerifyParentHashes(), check.V122)
}

// TestUniqueKeys refuses keys that stand twice.
func TestUniqueKeys(t *testing.T) {
	g := grown(t, toySuite(t), 8, 0)
	for name, c := range map[string]struct {
		id     check.ID
		damage func(n []proto.Node)
	}{
		"two parents":             {check.V126, func(n []proto.Node) { n[5].Parent.EncryptionKey = n[1].Parent.EncryptionKey }},
		"parent behind leaf":      {check.V126, func(n []proto.Node) { n[5].Parent.EncryptionKey = n[0].Leaf.EncryptionKey }},
		"leaf behind parent":      {check.V127, func(n []proto.Node) { n[8].Leaf.EncryptionKey = n[1].Parent.EncryptionKey }},
		"two leaves":              {check.V127, func(n []proto.Node) { n[8].Leaf.EncryptionKey = n[2].Leaf.EncryptionKey }},
		"signature key":           {check.V127, func(n []proto.Node) { n[8].Leaf.SignatureKey = n[2].Leaf.SignatureKey }},
		"malformed key of parent": {check.V011, func(n []proto.Node) { n[5].Parent.EncryptionKey = []byte{1} }},
	} {
		t.Run(name, func(t *testing.T) {
			nodes := deepNodes(g.tree)
			c.damage(nodes)
			tree, err := FromNodes(g.suite, nodes)
			if err != nil {
				t.Fatal(err)
			}
			wantCheck(t, tree.VerifyUniqueKeys(), c.id)
		})
	}
}

// TestPathRefused refuses the public half of damaged paths, and leaves the tree as
// it was.
func TestPathRefused(t *testing.T) {
	g := grown(t, toySuite(t), 8, 0)
	before := g.tree
	c := &change{sender: 2}
	g.commit(c, nil, nil, true, false)
	other := g.newKey().Public()
	for name, tc := range map[string]struct {
		id     check.ID
		damage func(p *proto.UpdatePath)
	}{
		"leaf key stays":        {check.V163, func(p *proto.UpdatePath) { p.LeafNode.EncryptionKey = before.Leaf(2).EncryptionKey }},
		"leaf key of another":   {check.V164, func(p *proto.UpdatePath) { p.LeafNode.EncryptionKey = before.Leaf(1).EncryptionKey }},
		"key of the tree":       {check.V164, func(p *proto.UpdatePath) { p.Nodes[1].EncryptionKey = before.Leaf(7).EncryptionKey }},
		"key of its own place":  {check.V164, func(p *proto.UpdatePath) { p.Nodes[1].EncryptionKey = before.Parent(3).EncryptionKey }},
		"key twice":             {check.V164, func(p *proto.UpdatePath) { p.Nodes[2].EncryptionKey = p.Nodes[0].EncryptionKey }},
		"key of its leaf":       {check.V164, func(p *proto.UpdatePath) { p.Nodes[2].EncryptionKey = p.LeafNode.EncryptionKey }},
		"a node too few":        {check.V165, func(p *proto.UpdatePath) { p.Nodes = p.Nodes[:2] }},
		"a node too many":       {check.V165, func(p *proto.UpdatePath) { p.Nodes = append(p.Nodes, p.Nodes[0]) }},
		"no nodes":              {check.V165, func(p *proto.UpdatePath) { p.Nodes = nil }},
		"no ciphertext":         {check.V166, func(p *proto.UpdatePath) { p.Nodes[1].EncryptedPathSecret = nil }},
		"a ciphertext too many": {check.V166, func(p *proto.UpdatePath) { p.Nodes[1].EncryptedPathSecret = make([]proto.HPKECiphertext, 2) }},
		"another key":           {check.V169, func(p *proto.UpdatePath) { p.Nodes[1].EncryptionKey = other }},
		"parent hash":           {check.V169, func(p *proto.UpdatePath) { p.LeafNode.ParentHash = make([]byte, 32) }},
		"no parent hash":        {check.V169, func(p *proto.UpdatePath) { p.LeafNode.ParentHash = nil }},
		"malformed key":         {check.V011, func(p *proto.UpdatePath) { p.Nodes[1].EncryptionKey = []byte{1} }},
	} {
		t.Run(name, func(t *testing.T) {
			path := *c.path
			path.Nodes = append([]proto.UpdatePathNode(nil), path.Nodes...)
			tc.damage(&path)
			v := newVersion(before)
			wantCheck(t, before.Edit().ApplyPath(2, &path, nil), tc.id)
			v.same(t)
		})
	}
}

// TestPathSecretRefused refuses the private half of damaged paths.
func TestPathSecretRefused(t *testing.T) {
	for _, s := range []provider.Suite{toySuite(t), realSuite(t)} {
		g := grown(t, s, 8, 0)
		e := g.tree.Edit()
		var leafKey provider.DecryptionKey
		path, err := e.BeginPath(2, g.random(32), func(hash []byte) (*proto.LeafNode, error) {
			var leaf *proto.LeafNode
			leaf, leafKey = g.newLeaf(proto.LeafNodeSourceCommit)
			leaf.ParentHash = hash
			return leaf, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		defer leafKey.Wipe()
		next := e.Finish()
		up, err := path.Seal([]byte("context"), nil)
		if err != nil {
			t.Fatal(err)
		}
		open := func(groupContext string, up *proto.UpdatePath) error {
			q, sec, err := next.OpenPath(context.Background(), g.priv[5], 2, up, []byte(groupContext), nil)
			if err == nil {
				q.Erase()
				sec.Erase()
			} else if q != nil || sec != nil {
				t.Error("secrets beside an error")
			}
			return err
		}
		if err := open("context", up); err != nil {
			t.Fatal(err)
		}
		wantCheck(t, open("another context", up), check.V167)
		top := &up.Nodes[2].EncryptedPathSecret[0]
		for name, b := range map[string][]byte{"ciphertext": top.Ciphertext, "encapsulated key": top.KEMOutput} {
			b[0] ^= 1
			t.Log(name)
			wantCheck(t, open("context", up), check.V167)
			b[0] ^= 1
		}
		// a path secret of another node, well encrypted to this member
		for _, plaintext := range [][]byte{path.secrets[1].Bytes(), make([]byte, 32)} {
			jobs := []provider.SealJob{{Pub: g.tree.encryptionKey(11), Plaintext: plaintext, Enc: top.KEMOutput, CT: top.Ciphertext}}
			if err := s.HPKE().SealMany(encryptInfo("context"), nil, jobs); err != nil {
				t.Fatal(err)
			}
			wantCheck(t, open("context", up), check.V168)
		}
		short := provider.SealJob{Pub: g.tree.encryptionKey(11), Plaintext: make([]byte, 31), Enc: top.KEMOutput, CT: make([]byte, 31+16)}
		if err := s.HPKE().SealMany(encryptInfo("context"), nil, []provider.SealJob{short}); err != nil {
			t.Fatal(err)
		}
		top.Ciphertext = short.CT
		wantCheck(t, open("context", up), check.V167)
		up.Nodes[2].EncryptedPathSecret = nil
		wantCheck(t, open("context", up), check.V166)
	}
}

// TestV199 refuses a path secret of a Welcome that does not give the tree's keys.
func TestV199(t *testing.T) {
	g := grown(t, toySuite(t), 8, 0)
	e := g.tree.Edit()
	path, err := e.BeginPath(2, g.random(32), func(hash []byte) (*proto.LeafNode, error) {
		leaf, _ := g.newLeaf(proto.LeafNodeSourceCommit)
		leaf.ParentHash = hash
		return leaf, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	next := e.Finish()
	if _, err := OpenWelcomePath(next, 5, g.newKey(), 2, path.PathSecretFor(5)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		own, signer treemath.LeafIndex
		secret      []byte
	}{{5, 2, make([]byte, 32)}, {5, 2, path.PathSecretFor(3)}, {5, 5, path.PathSecretFor(5)}, {5, 8, path.PathSecretFor(5)},
		{5, 1<<32 - 1, path.PathSecretFor(5)}, {5, 4, path.PathSecretFor(5)}} {
		_, err := OpenWelcomePath(next, c.own, g.newKey(), c.signer, c.secret)
		wantCheck(t, err, check.V199)
	}
}

// TestV121 hashes leaves as they were received, though their lists are in another
// order than ours would be.
func TestV121(t *testing.T) {
	s := toySuite(t)
	g := newGroup(t, s, 1)
	leaf, _ := g.newLeaf(proto.LeafNodeSourceKeyPackage)
	leaf.Capabilities.Extensions = []proto.ExtensionType{9, 3, 7}
	leaf.Extensions = proto.Extensions{{Type: 9, Data: []byte{1}}, {Type: 3}, {Type: 7}}
	received := leaf.Append(nil)
	decoded, err := proto.DecodeLeafNode(received)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := FromNodes(s, []proto.Node{{Leaf: decoded}})
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, s.Params().Nh)
	s.Hash(want, append([]byte{1, 0, 0, 0, 0, 1}, received...)) // RFC 9420 §7.8
	if !bytes.Equal(tree.TreeHash(), want) {
		t.Error("the tree hash is not over the received bytes")
	}
}
