package proposal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/ratchettree"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// now is the time of all tests; every leaf is valid for an hour around it.
var now = time.Unix(1_700_000_000, 0)

// Types that RFC 9420 does not define.
const (
	customProposal  proto.ProposalType   = 0xF001
	customExtension proto.ExtensionType  = 0xF002
	customCred      proto.CredentialType = 0xF003
)

// world is a group of n members whose keys the test holds: it signs whatever the
// test asks it to, valid or not.
type world struct {
	testing.TB
	crypto  testBackend
	suite   testSuite
	signers []provider.Signer // by leaf
	env     *Env
	refs    int
}

// newWorld makes a group of n members. all changes each member's leaf before it
// is signed.
func newWorld(t testing.TB, n int, all ...func(i int, l *proto.LeafNode)) *world {
	t.Helper()
	w := &world{TB: t}
	w.crypto, w.suite = testCrypto(t)
	var edit *ratchettree.Edit
	var tree *ratchettree.Tree
	for i := range n {
		kp, signer := w.keyPackage(fmt.Sprintf("member %d", i), func(kp *proto.KeyPackage) {
			for _, f := range all {
				f(i, &kp.LeafNode)
			}
		})
		w.signers = append(w.signers, signer)
		if tree == nil {
			tree = ratchettree.New(w.suite, &kp.LeafNode)
			edit = tree.Edit()
			continue
		}
		edit.Add(&kp.LeafNode)
	}
	w.env = &Env{
		Suite:   w.suite,
		Tree:    edit.Finish(),
		Context: &proto.GroupContext{Version: proto.MLS10, CipherSuite: w.suite.Params().ID, GroupID: []byte("group"), Epoch: 7},
		Policy: &Policy{Now: now, CheckLifetime: true, MaxLifetime: 24 * time.Hour,
			SameClient: func(a, b *proto.Credential) bool { return bytes.Equal(a.Identity, b.Identity) }},
	}
	return w
}

func (w *world) sign(s provider.Signer, label string, content []byte) []byte {
	w.Helper()
	sig, err := labels.SignWithLabel(context.Background(), s, nil, label, content)
	if err != nil {
		w.Fatal(err)
	}
	return sig
}

func (w *world) leaf(name string, signer provider.Signer, source proto.LeafNodeSource) proto.LeafNode {
	l := proto.LeafNode{
		EncryptionKey: w.encryptionKey(),
		SignatureKey:  bytes.Clone(signer.Public()),
		Credential:    proto.Credential{Type: proto.CredentialTypeBasic, Identity: []byte(name)},
		Capabilities:  DefaultCapabilities([]provider.CipherSuite{w.suite.Params().ID}),
		Source:        source,
	}
	if source == proto.LeafNodeSourceKeyPackage {
		l.Lifetime = proto.Lifetime{NotBefore: uint64(now.Unix()) - 1800, NotAfter: uint64(now.Unix()) + 1800}
	}
	return l
}

func (w *world) signLeaf(l *proto.LeafNode, signer provider.Signer, index treemath.LeafIndex) {
	l.Signature = w.sign(signer, labels.LabelLeafNodeTBS, l.AppendTBS(nil, []byte("group"), index))
	l.Raw = l.Append(nil)
}

// keyPackage makes a key package of a new client, changed by the given functions
// before it is signed.
func (w *world) keyPackage(name string, change ...func(*proto.KeyPackage)) (*proto.KeyPackage, provider.Signer) {
	w.Helper()
	signer := w.newSigner()
	return w.keyPackageOf(name, signer, change...), signer
}

func (w *world) keyPackageOf(name string, signer provider.Signer, change ...func(*proto.KeyPackage)) *proto.KeyPackage {
	kp := &proto.KeyPackage{Version: proto.MLS10, CipherSuite: w.suite.Params().ID, InitKey: w.encryptionKey(),
		LeafNode: w.leaf(name, signer, proto.LeafNodeSourceKeyPackage)}
	for _, f := range change {
		f(kp)
	}
	w.signLeaf(&kp.LeafNode, signer, 0)
	kp.Signature = w.sign(signer, labels.LabelKeyPackageTBS, kp.AppendTBS(nil))
	kp.Raw = kp.Append(nil)
	return kp
}

func member(i int) proto.Sender {
	return proto.Sender{Type: proto.SenderTypeMember, Leaf: treemath.LeafIndex(i)}
}

var joiner = proto.Sender{Type: proto.SenderTypeNewMemberCommit}

// by makes an entry by reference.
func (w *world) by(i int, p *proto.Proposal) Entry {
	w.refs++
	return Entry{Proposal: p, Sender: member(i), Ref: fmt.Appendf(nil, "ref %d", w.refs)}
}

// inline makes an entry of an external commit.
func inline(p *proto.Proposal) Entry { return Entry{Proposal: p, Sender: joiner} }

func add(kp *proto.KeyPackage) *proto.Proposal {
	return &proto.Proposal{Type: proto.ProposalTypeAdd, Add: kp}
}

// adds makes an Add by member 0 of a new client.
func (w *world) adds(name string, change ...func(*proto.KeyPackage)) Entry {
	w.Helper()
	kp, _ := w.keyPackage(name, change...)
	return w.by(0, add(kp))
}

// updates makes an Update of member i.
func (w *world) updates(i int, change ...func(*proto.LeafNode)) Entry {
	w.Helper()
	return w.updatesWith(i, w.signers[i], change...)
}

func (w *world) updatesWith(i int, signer provider.Signer, change ...func(*proto.LeafNode)) Entry {
	w.Helper()
	l := w.leaf(fmt.Sprintf("member %d", i), signer, proto.LeafNodeSourceUpdate)
	for _, f := range change {
		f(&l)
	}
	w.signLeaf(&l, signer, treemath.LeafIndex(i))
	return w.by(i, &proto.Proposal{Type: proto.ProposalTypeUpdate, Update: &l})
}

func remove(i int) *proto.Proposal {
	return &proto.Proposal{Type: proto.ProposalTypeRemove, Remove: treemath.LeafIndex(i)}
}

func (w *world) psk(id string, change ...func(*proto.PreSharedKeyID)) *proto.Proposal {
	p := &proto.PreSharedKeyID{Type: proto.PSKTypeExternal, ID: []byte(id), Nonce: make([]byte, w.suite.Params().Nh)}
	for _, f := range change {
		f(p)
	}
	return &proto.Proposal{Type: proto.ProposalTypePSK, PSK: p}
}

func extensions(es ...proto.Extension) *proto.Proposal {
	return &proto.Proposal{Type: proto.ProposalTypeGroupContextExtensions, GroupContextExtensions: es}
}

func required(r proto.RequiredCapabilities) proto.Extension {
	return proto.Extension{Type: proto.ExtensionTypeRequiredCapabilities, Data: r.Append(nil)}
}

func reInit(change ...func(*proto.ReInit)) *proto.Proposal {
	r := &proto.ReInit{GroupID: []byte("next"), Version: proto.MLS10, CipherSuite: 1}
	for _, f := range change {
		f(r)
	}
	return &proto.Proposal{Type: proto.ProposalTypeReInit, ReInit: r}
}

func (w *world) externalInit() *proto.Proposal {
	return &proto.Proposal{Type: proto.ProposalTypeExternalInit, ExternalInit: make([]byte, w.suite.Params().Nenc)}
}

func custom() *proto.Proposal {
	return &proto.Proposal{Type: customProposal, Custom: []byte("content")}
}

// validate is ValidateList for a commit of member c.
func (w *world) validate(c int, entries ...Entry) error {
	return w.env.ValidateList(entries, member(c))
}

// external is ValidateList for an external commit.
func (w *world) external(ps ...*proto.Proposal) error {
	var entries []Entry
	for _, p := range ps {
		entries = append(entries, inline(p))
	}
	return w.env.ValidateList(entries, joiner)
}

// apply validates and applies a list that must be valid.
func (w *world) apply(c proto.Sender, entries ...Entry) *Result {
	w.Helper()
	accept(w, w.env.ValidateList(entries, c))
	r, err := w.env.Apply(entries, c)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// path validates a path leaf, signed by signer for the given index.
func (w *world) path(r *Result, c proto.Sender, index int, signer provider.Signer, change ...func(*proto.LeafNode)) error {
	w.Helper()
	l := w.leaf(fmt.Sprintf("member %d", index), signer, proto.LeafNodeSourceCommit)
	for _, f := range change {
		f(&l)
	}
	w.signLeaf(&l, signer, treemath.LeafIndex(index))
	return w.env.ValidatePathLeaf(r, &l, treemath.LeafIndex(index), c)
}

// refuse demands that err is check id's.
func refuse(t testing.TB, err error, id check.ID) {
	t.Helper()
	if id.Class() == check.ClassAuth {
		if !errors.Is(err, check.ErrAuth) {
			t.Errorf("%v: got %v", id, err)
		}
		return
	}
	var e *check.Error
	if !errors.As(err, &e) || e.Check != id {
		t.Errorf("got %v, want check %v", err, id)
	}
}

func accept(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("refused: %v", err)
	}
}

// Changes of leaves, for key packages, updates and paths alike.

func inKeyPackage(f func(*proto.LeafNode)) func(*proto.KeyPackage) {
	return func(kp *proto.KeyPackage) { f(&kp.LeafNode) }
}

func supports(es []proto.ExtensionType, ps []proto.ProposalType, cs []proto.CredentialType) func(*proto.LeafNode) {
	return func(l *proto.LeafNode) {
		c := &l.Capabilities
		c.Extensions = append(c.Extensions, es...)
		c.Proposals = append(c.Proposals, ps...)
		c.Credentials = append(c.Credentials, cs...)
	}
}

func everyMember(f func(*proto.LeafNode)) func(int, *proto.LeafNode) {
	return func(_ int, l *proto.LeafNode) { f(l) }
}
