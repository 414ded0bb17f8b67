package workload

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proposal"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
)

// A full tree has no blank parent above a member: what a group is after every
// other member has committed, and the one in which a commit costs O(log N). To
// get there by commits takes N/2 of them, each of which somebody must have the
// keys for. So the members here but for two are made up: leaves that are signed
// and parents whose hashes are those that commits from left to right leave. The
// GroupInfo of that lets Alice join from outside, and she adds Bob. They get the
// two leftmost leaves, above which no node is left out of a path: the longest path
// that a group of that size has, and the most keys that Bob can have to derive.

// NewFullPair makes a group of s.Members with a full tree.
func NewFullPair(s Setup, cfg mls.Config) (*Pair, error) {
	ctx := context.Background()
	if s.Members < 3 { // nobody is made up
		p, err := NewPair(s, cfg)
		if err == nil {
			err = renew(ctx, p)
		}
		return p, err
	}
	a, err := NewClient(s.Crypto, s.Suite, "alice")
	if err != nil {
		return nil, err
	}
	b, err := NewClient(s.Crypto, s.Suite, "bob")
	if err != nil {
		return nil, err
	}
	p := &Pair{AliceIs: a, BobIs: b}
	info, err := FullGroupInfo(s)
	if err != nil {
		return nil, err
	}
	x, err := mls.JoinExternal(ctx, a.Provider, info, a.Signer, a.Credential, cfg, mls.ExternalOptions{})
	if err != nil {
		return nil, err
	}
	if p.Alice, err = x.Merge(ctx); err != nil {
		return nil, err
	}
	kps, err := keyPackages(s.Crypto, &cfg, b, 2)
	if err != nil {
		return nil, err
	}
	bundle, err := p.Alice.AddMembers(ctx, kps...)
	if err != nil {
		return nil, err
	}
	p.Welcome = bundle.Welcome
	if err := p.Alice.MergePending(ctx); err != nil {
		return nil, err
	}
	staged, err := stage(ctx, p, cfg)
	if err != nil {
		return nil, err
	}
	if p.Bob, err = staged.Join(ctx); err != nil {
		return nil, err
	}
	return p, renew(ctx, p)
}

// renew lets Bob commit new keys and Alice follow.
func renew(ctx context.Context, p *Pair) error {
	bundle, err := p.Bob.SelfUpdate(ctx)
	if err != nil {
		return err
	}
	if err := p.Bob.MergePending(ctx); err != nil {
		return err
	}
	in, err := p.Alice.Process(ctx, bundle.Commit, mls.ProcessOptions{})
	if err != nil {
		return err
	}
	staged, ok := in.(*mls.StagedCommit)
	if !ok {
		return fmt.Errorf("workload: a commit was taken for %T", in)
	}
	return p.Alice.Merge(ctx, staged)
}

// FullGroupInfo returns a GroupInfo of a group of s.Members, two of which have still
// to come: what a member gives to who joins from outside.
func FullGroupInfo(s Setup) ([]byte, error) {
	suite, err := s.Crypto.Suite(s.Suite)
	if err != nil {
		return nil, err
	}
	g := &stranger{crypto: s.Crypto, suite: suite, groupID: random(32), nodes: make([]proto.Node, 2*s.Members-1),
		caps: proposal.DefaultCapabilities(s.Crypto.CipherSuites())}
	g.treeHash = g.build(treemath.Root(treemath.FullSize(uint32(s.Members))), []byte{})
	info := g.groupInfo()
	return info, g.err
}

// A stranger has a group of members that are made up, in which the two leftmost
// leaves are blank.
type stranger struct {
	crypto   provider.Crypto
	suite    provider.Suite
	groupID  []byte
	nodes    []proto.Node
	first    provider.Signer // of leaf 2
	treeHash []byte
	caps     proto.Capabilities
	err      error // the first
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
	if err != nil {
		g.err = err
		return nil
	}
	defer key.Wipe()
	return slices.Clone(key.Public())
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
	signer, err := soft.NewSigner(g.crypto, g.suite)
	if err != nil {
		g.err = err
		return nil
	}
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
	if err != nil {
		g.err = err
	}
	return sig
}

// groupInfo is what leaf 2 would give to who joins from outside.
func (g *stranger) groupInfo() []byte {
	if g.err != nil {
		return nil
	}
	nh := g.suite.Params().Nh
	gi := &proto.GroupInfo{
		GroupContext: proto.GroupContext{Version: proto.MLS10, CipherSuite: g.suite.Params().ID, GroupID: g.groupID, Epoch: 1,
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
