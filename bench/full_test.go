package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"

	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proposal"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
	"github.com/hardmls/hardmls/storage/mem"
)

// A full tree has no blank parent above a member: what a group is after every
// other member has committed, and the one in which a commit costs O(log N). To
// get there by commits takes N/2 of them, each of which somebody must have the
// keys for. So the members here but for two are made up: leaves that are signed
// and parents whose hashes are those that commits from left to right leave. The
// GroupInfo of that lets Alice join from outside, and she adds Bob. They get the
// two leftmost leaves, above which no node is left out of a path: the longest path
// that a group of that size has, and the most keys that Bob can have to derive.

// fullGroups are the stores in which Alice and Bob are in a full tree, by members.
var fullGroups = struct {
	sync.Mutex
	m map[int]*fullGroup
}{m: make(map[int]*fullGroup)}

type fullGroup struct {
	pair
	bobProvider provider.Provider
	bobSigner   provider.Signer
}

// newFullGroup returns Alice and Bob in a full tree of that many members, which
// are made once.
func newFullGroup(tb testing.TB, members int) *fullGroup {
	tb.Helper()
	fullGroups.Lock()
	defer fullGroups.Unlock()
	if g := fullGroups.m[members]; g != nil {
		return g
	}
	g := makeFullGroup(tb, members)
	fullGroups.m[members] = g
	return g
}

func newClient(tb testing.TB, name string) (provider.Provider, *mem.Store, provider.Signer, mls.Credential) {
	s, err := crypto().Suite(centre.suite)
	must(tb, err)
	signer, err := soft.NewSigner(crypto(), s)
	must(tb, err)
	store := mem.New()
	return provider.Bundle{Backend: crypto(), Store: store}, store, signer, mls.BasicCredential([]byte(name))
}

func makeFullGroup(tb testing.TB, members int) *fullGroup {
	tb.Helper()
	ctx := context.Background()
	cfg := config(centre.suite)
	ap, astore, asigner, acred := newClient(tb, "alice")
	bp, _, bsigner, bcred := newClient(tb, "bob")
	x, err := mls.JoinExternal(ctx, ap, newStranger(tb, members).groupInfo(), asigner, acred, cfg, mls.ExternalOptions{})
	must(tb, err)
	alice, err := x.Merge(ctx)
	must(tb, err)
	kp, err := mls.NewKeyPackage(ctx, bp, bsigner, bcred, cfg)
	must(tb, err)
	bundle, err := alice.AddMembers(ctx, kp)
	must(tb, err)
	must(tb, alice.MergePending(ctx))
	w, err := mls.OpenWelcome(ctx, bp, bundle.Welcome, cfg)
	must(tb, err)
	staged, err := w.Stage(ctx, bsigner)
	must(tb, err)
	bob, err := staged.Join(ctx)
	must(tb, err)
	g := &fullGroup{pair{alice: alice, bob: bob, provider: ap, signer: asigner, store: astore}, bp, bsigner}
	commit(tb, g.bob, g.alice)
	return g
}

// commit lets from renew its keys and to follow.
func commit(tb testing.TB, from, to *mls.Group) {
	tb.Helper()
	ctx := context.Background()
	bundle, err := from.SelfUpdate(ctx)
	must(tb, err)
	must(tb, from.MergePending(ctx))
	process(tb, to, bundle.Commit)
}

// A stranger has a group of members that are made up, in which the two leftmost
// leaves are blank.
type stranger struct {
	tb       testing.TB
	suite    provider.Suite
	groupID  []byte
	nodes    []proto.Node
	first    provider.Signer // of leaf 2
	treeHash []byte
	caps     proto.Capabilities
}

func newStranger(tb testing.TB, members int) *stranger {
	s, err := crypto().Suite(centre.suite)
	must(tb, err)
	g := &stranger{tb: tb, suite: s, groupID: random(32), nodes: make([]proto.Node, 2*members-1),
		caps: proposal.DefaultCapabilities(crypto().CipherSuites())}
	g.treeHash = g.build(treemath.Root(treemath.FullSize(uint32(members))), []byte{})
	return g
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func (g *stranger) hash(in []byte) []byte {
	out := make([]byte, g.suite.Params().Nh)
	g.suite.Hash(out, in)
	return out
}

func (g *stranger) newKey() []byte {
	key, err := g.suite.HPKE().DeriveKey(random(g.suite.Params().Nh))
	must(g.tb, err)
	return key.Public()
}

// build makes the nodes below x, of which the right end has the given parent hash
// (RFC 9420 §7.9), and returns the tree hash.
func (g *stranger) build(x treemath.NodeIndex, parentHash []byte) []byte {
	if x.IsLeaf() {
		return g.buildLeaf(x.Leaf(), parentHash)
	}
	if first := x - (1<<x.Level() - 1); int(first) >= len(g.nodes) { // behind the last member
		return g.hash(proto.AppendParentNodeHashInput(nil, nil, g.build(treemath.Left(x), nil), g.build(treemath.Right(x), nil)))
	}
	var enc, left, right []byte
	if int(x) >= len(g.nodes) || x == 1 { // without members on one side
		left, right = g.build(treemath.Left(x), parentHash), g.build(treemath.Right(x), nil)
	} else {
		p := &proto.ParentNode{EncryptionKey: g.newKey(), ParentHash: parentHash}
		g.nodes[x].Parent = p
		enc = p.Append(nil)
		left = g.build(treemath.Left(x), random(g.suite.Params().Nh))
		right = g.build(treemath.Right(x), g.hash(proto.AppendParentHashInput(nil, p.EncryptionKey, parentHash, left)))
	}
	return g.hash(proto.AppendParentNodeHashInput(nil, enc, left, right))
}

func (g *stranger) buildLeaf(i treemath.LeafIndex, parentHash []byte) []byte {
	if int(i.Node()) >= len(g.nodes) || i < 2 {
		return g.hash(proto.AppendLeafNodeHashInput(nil, i, nil))
	}
	signer, err := soft.NewSigner(crypto(), g.suite)
	must(g.tb, err)
	if i == 2 {
		g.first = signer
	}
	leaf := &proto.LeafNode{EncryptionKey: g.newKey(), SignatureKey: signer.Public(), Capabilities: g.caps,
		Credential: proto.Credential{Type: proto.CredentialTypeBasic, Identity: fmt.Append(nil, "member ", i)},
		Source:     proto.LeafNodeSourceCommit, ParentHash: parentHash}
	leaf.Signature = g.sign(signer, labels.LabelLeafNodeTBS, leaf.AppendTBS(nil, g.groupID, i))
	g.nodes[i.Node()].Leaf = leaf
	return g.hash(proto.AppendLeafNodeHashInput(nil, i, leaf.Append(nil)))
}

func (g *stranger) sign(signer provider.Signer, label string, content []byte) []byte {
	sig, err := labels.SignWithLabel(context.Background(), signer, nil, label, content)
	must(g.tb, err)
	return sig
}

// groupInfo is what leaf 2 would give to who joins from outside.
func (g *stranger) groupInfo() []byte {
	nh := g.suite.Params().Nh
	gi := &proto.GroupInfo{
		GroupContext: proto.GroupContext{Version: proto.MLS10, CipherSuite: centre.suite, GroupID: g.groupID, Epoch: 1,
			TreeHash: g.treeHash, ConfirmedTranscriptHash: random(nh)},
		Extensions: proto.Extensions{
			{Type: proto.ExtensionTypeRatchetTree, Data: proto.AppendRatchetTree(nil, g.nodes)},
			{Type: proto.ExtensionTypeExternalPub, Data: wire.AppendOpaque(nil, g.newKey())},
		},
		ConfirmationTag: random(nh),
		Signer:          2,
	}
	gi.Signature = g.sign(g.first, labels.LabelGroupInfoTBS, gi.AppendTBS(nil))
	m := proto.MLSMessage{Version: proto.MLS10, WireFormat: proto.WireFormatGroupInfo, GroupInfo: gi}
	return m.Append(nil)
}
