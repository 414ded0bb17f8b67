package ratchettree

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
	"github.com/hardmls/hardmls/provider/soft"
)

// group is a tree and the own halves of all its members.
type group struct {
	t     testing.TB
	suite provider.Suite
	rng   *rand.ChaCha8
	tree  *Tree
	priv  map[treemath.LeafIndex]*Private

	encKeys, sigKeys [][]byte // all that ever were
}

func toySuite(t testing.TB) provider.Suite {
	t.Helper()
	s, err := providertest.ToyCrypto(providertest.NewRand(1)).Suite(providertest.Toy1)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func realSuite(t testing.TB) provider.Suite {
	t.Helper()
	s, err := soft.New(soft.Options{}).Suite(1)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newGroup(t testing.TB, s provider.Suite, seed uint64) *group {
	g := &group{t: t, suite: s, rng: rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}), priv: make(map[treemath.LeafIndex]*Private)}
	leaf, key := g.newLeaf(proto.LeafNodeSourceKeyPackage)
	g.tree = New(s, leaf)
	g.priv[0] = NewPrivate(0, key)
	return g
}

func (g *group) random(n int) []byte {
	b := make([]byte, n)
	g.rng.Read(b)
	return b
}

func (g *group) newKey() provider.DecryptionKey {
	key, err := g.suite.HPKE().DeriveKey(g.random(g.suite.Params().Nh))
	if err != nil {
		g.t.Fatal(err)
	}
	return key
}

func (g *group) newLeaf(source proto.LeafNodeSource) (*proto.LeafNode, provider.DecryptionKey) {
	key := g.newKey()
	leaf := &proto.LeafNode{EncryptionKey: bytes.Clone(key.Public()), SignatureKey: g.random(32), Source: source,
		Credential: proto.Credential{Type: 1, Identity: g.random(8)}, Signature: g.random(64)}
	g.encKeys, g.sigKeys = append(g.encKeys, leaf.EncryptionKey), append(g.sigKeys, leaf.SignatureKey)
	return leaf, key
}

// change is one commit: removes, updates and adds, then perhaps a path.
type change struct {
	updates map[treemath.LeafIndex]*proto.LeafNode
	removes []treemath.LeafIndex
	adds    []*proto.LeafNode
	path    *proto.UpdatePath
	sender  treemath.LeafIndex
}

// proposals applies what stands before the path, and returns the new leaves.
func (c *change) proposals(e *Edit) (added []treemath.LeafIndex) {
	for i, leaf := range c.updates {
		e.Update(i, leaf)
	}
	for _, i := range c.removes {
		e.Remove(i)
	}
	for _, leaf := range c.adds {
		added = append(added, e.Add(leaf))
	}
	return added
}

// commit applies a change to the group, with a path by sender (of its own leaf, or
// a new one for an external commit) if withPath, and returns the change. All
// members must agree.
func (g *group) commit(c *change, keys map[treemath.LeafIndex]provider.DecryptionKey, addKeys []provider.DecryptionKey, withPath, external bool) {
	g.t.Helper()
	context := []byte("context")
	e := g.tree.Edit()
	added := c.proposals(e)
	for _, i := range c.removes {
		delete(g.priv, i)
	}
	for i, key := range keys {
		g.priv[i] = g.priv[i].WithLeaf(key)
	}
	if !withPath {
		g.tree = e.Finish()
		for k, i := range added {
			g.priv[i] = NewPrivate(i, addKeys[k])
		}
		return
	}
	if external {
		c.sender = e.NextLeaf()
	}
	var leafKey provider.DecryptionKey
	path, err := e.BeginPath(c.sender, g.random(g.suite.Params().Nh), func(parentHash []byte) (*proto.LeafNode, error) {
		var leaf *proto.LeafNode
		leaf, leafKey = g.newLeaf(proto.LeafNodeSourceCommit)
		leaf.ParentHash = parentHash
		return leaf, nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
	next := e.Finish()
	if c.path, err = path.Seal(context, added); err != nil {
		g.t.Fatal(err)
	}
	for _, n := range c.path.Nodes {
		g.encKeys = append(g.encKeys, n.EncryptionKey)
	}
	// the others
	f := g.tree.Edit()
	c.proposals(f)
	if err := f.ApplyPath(c.sender, c.path, added); err != nil {
		g.t.Fatalf("ApplyPath: %v", err)
	}
	theirs := f.Finish()
	if !bytes.Equal(theirs.TreeHash(), next.TreeHash()) || !bytes.Equal(theirs.AppendRatchetTree(nil), next.AppendRatchetTree(nil)) {
		g.t.Fatal("committer and members disagree on the tree")
	}
	want := path.CommitSecret()
	for i, p := range g.priv {
		if i == c.sender && !external {
			continue
		}
		q, got, err := theirs.OpenPath(g.t.Context(), p, c.sender, c.path, context, added)
		if err != nil {
			g.t.Fatalf("member %d opens the path of %d: %v", i, c.sender, err)
		}
		if !got.Equal(want) {
			g.t.Fatalf("member %d has another commit secret", i)
		}
		g.priv[i] = q
		p.Erase()
	}
	for k, i := range added {
		if pathSecret := path.PathSecretFor(i); pathSecret != nil {
			if g.priv[i], err = OpenWelcomePath(next, i, addKeys[k], c.sender, pathSecret); err != nil {
				g.t.Fatalf("new member %d: %v", i, err)
			}
		} else {
			g.t.Fatalf("no path secret for leaf %d", i)
		}
	}
	g.priv[c.sender] = path.Private(leafKey)
	path.Erase()
	g.tree = theirs
	if g.rng.Uint64()%2 == 0 {
		g.tree = next
	}
	g.checkPrivates()
}

// checkPrivates: every member has the key of every node above it where it is not
// unmerged, and what it stores restores it.
func (g *group) checkPrivates() {
	g.t.Helper()
	for i, p := range g.priv {
		if string(p.leaf.key.Public()) != string(g.tree.Leaf(i).EncryptionKey) {
			g.t.Fatalf("member %d has not the key of its leaf", i)
		}
		again := NewPrivate(i, p.leaf.key)
		p.Secrets(func(x treemath.NodeIndex, s *secret.Secret) bool {
			if err := again.Restore(g.tree, x, s.Bytes()); err != nil {
				g.t.Fatalf("member %d, node %d: %v", i, x, err)
			}
			return true
		})
		for _, x := range treemath.DirectPath(nil, i.Node(), g.tree.leaves) {
			parent := g.tree.Parent(x)
			_, has := again.keyOf(g.tree, x)
			if should := parent != nil && !contains(parent.UnmergedLeaves, i); should && !has {
				g.t.Fatalf("member %d lacks the key of node %d", i, x)
			}
		}
	}
}

func contains(list []treemath.LeafIndex, i treemath.LeafIndex) bool {
	for _, k := range list {
		if k == i {
			return true
		}
	}
	return false
}

// members lists those of the group, in order.
func (g *group) members() (list []treemath.LeafIndex) {
	g.tree.Members(func(i treemath.LeafIndex, _ *proto.LeafNode) bool {
		list = append(list, i)
		return true
	})
	return list
}

// step makes one random commit.
func (g *group) step(rng *rand.Rand, limit int) {
	g.t.Helper()
	members := g.members()
	rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	c := &change{updates: make(map[treemath.LeafIndex]*proto.LeafNode), sender: members[0]}
	rest := members[1:]
	grow := len(members) < 3 || len(members) < limit && rng.IntN(2) == 0
	if n := min(rng.IntN(4), len(rest)); rng.IntN(5) == 0 || len(members) >= limit {
		if rng.IntN(8) == 0 {
			n = len(rest) / 2
		}
		c.removes, rest = rest[:n], rest[n:]
	}
	keys := make(map[treemath.LeafIndex]provider.DecryptionKey)
	if rng.IntN(6) == 0 {
		for _, i := range rest[:min(rng.IntN(3), len(rest))] {
			c.updates[i], keys[i] = g.newLeaf(proto.LeafNodeSourceUpdate)
		}
	}
	var addKeys []provider.DecryptionKey
	if grow {
		for range 1 + rng.IntN(5) {
			leaf, key := g.newLeaf(proto.LeafNodeSourceKeyPackage)
			c.adds, addKeys = append(c.adds, leaf), append(addKeys, key)
		}
	}
	switch rng.IntN(5) {
	case 0:
		g.commit(c, keys, addKeys, false, false)
	case 1: // an external commit adds nobody but its sender
		c.adds, c.updates = nil, nil
		g.commit(c, nil, nil, true, true)
	default:
		g.commit(c, keys, addKeys, true, false)
	}
}

func encryptInfo(groupContext string) []byte {
	return labels.AppendEncryptContext(nil, labels.LabelUpdatePathNode, []byte(groupContext))
}
