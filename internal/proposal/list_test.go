package proposal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
)

func TestV031_CustomProposalsAreSupported(t *testing.T) {
	supporting := supports(nil, []proto.ProposalType{customProposal}, nil)
	w := newWorld(t, 4, func(i int, l *proto.LeafNode) {
		if i != 2 {
			supporting(l)
		}
	})
	refuse(t, w.validate(0, w.by(0, custom())), check.V031)
	// Who is removed need not support it, nor who is added.
	accept(t, w.validate(0, w.by(0, custom()), w.by(0, remove(2))))
	accept(t, w.validate(0, w.by(0, custom()), w.by(0, remove(2)), w.adds("new")))
	accept(t, w.env.ValidateSingle(w.by(1, custom())))
}

func TestV076_SenderIsMember(t *testing.T) {
	w := newWorld(t, 3)
	w.env.Tree = w.apply(member(0), w.by(0, remove(1))).Edit.Finish()
	refuse(t, w.env.ValidateSingle(w.by(1, remove(2))), check.V076)
	refuse(t, w.env.ValidateSingle(w.by(900, remove(2))), check.V076)
	refuse(t, w.validate(0, w.by(1, remove(2))), check.V076)
	refuse(t, w.validate(1), check.V076)
}

// externalSenders gives the group one external sender.
func (w *world) externalSenders() {
	list := []proto.ExternalSender{{SignatureKey: w.newSigner().Public(),
		Credential: proto.Credential{Type: proto.CredentialTypeBasic, Identity: []byte("server")}}}
	w.env.Context.Extensions = proto.Extensions{{Type: proto.ExtensionTypeExternalSenders,
		Data: proto.AppendExternalSenders(nil, list)}}
}

func TestV077_ExternalSendersProposeSomeTypes(t *testing.T) {
	w := newWorld(t, 3)
	w.externalSenders()
	external := func(p *proto.Proposal) Entry {
		return Entry{Proposal: p, Sender: proto.Sender{Type: proto.SenderTypeExternal}, Ref: []byte("ref")}
	}
	kp, _ := w.keyPackage("new")
	for _, p := range []*proto.Proposal{add(kp), remove(1), w.psk("a"), reInit(), extensions()} {
		accept(t, w.env.ValidateSingle(external(p)))
		accept(t, w.validate(0, external(p)))
	}
	for _, p := range []*proto.Proposal{w.updates(1).Proposal, w.externalInit(), custom()} {
		refuse(t, w.env.ValidateSingle(external(p)), check.V077)
		refuse(t, w.validate(0, external(p)), check.V077)
	}
}

func TestV078_ExternalSendersAreListed(t *testing.T) {
	w := newWorld(t, 2)
	en := Entry{Proposal: remove(1), Sender: proto.Sender{Type: proto.SenderTypeExternal}, Ref: []byte("ref")}
	refuse(t, w.env.ValidateSingle(en), check.V078)
	w.externalSenders()
	accept(t, w.env.ValidateSingle(en))
	en.Sender.Index = 1
	refuse(t, w.env.ValidateSingle(en), check.V078)
	en.Sender.Index = 1<<32 - 1
	refuse(t, w.env.ValidateSingle(en), check.V078)
}

func TestV079_SendersSendWhatTheyMay(t *testing.T) {
	w := newWorld(t, 2)
	none := func([]byte) (Entry, bool) { return Entry{}, false }
	for _, typ := range []proto.SenderType{proto.SenderTypeExternal, proto.SenderTypeNewMemberProposal} {
		_, err := Resolve(&proto.Commit{}, proto.Sender{Type: typ}, none)
		refuse(t, err, check.V079)
		refuse(t, w.env.ValidateList(nil, proto.Sender{Type: typ}), check.V079)
	}
	newcomer := proto.Sender{Type: proto.SenderTypeNewMemberProposal}
	refuse(t, w.env.ValidateSingle(Entry{Proposal: remove(1), Sender: newcomer, Ref: []byte("r")}), check.V079)
	refuse(t, w.env.ValidateSingle(Entry{Proposal: w.externalInit(), Sender: joiner, Ref: []byte("r")}), check.V079)
	refuse(t, w.validate(0, Entry{Proposal: remove(1), Sender: joiner, Ref: []byte("r")}), check.V079)
	refuse(t, w.env.ValidateSingle(Entry{Proposal: remove(1), Ref: []byte("r")}), check.V079)
}

func TestV101_UpdateIsAMembers(t *testing.T) {
	w := newWorld(t, 3)
	accept(t, w.env.ValidateSingle(w.updates(1)))
	accept(t, w.validate(0, w.updates(1), w.updates(2)))
	r := w.apply(member(0), w.updates(1))
	if !slices.Equal(r.Updated, []treemath.LeafIndex{1}) {
		t.Errorf("updated %v", r.Updated)
	}
}

func TestV102_RemoveNamesAMember(t *testing.T) {
	w := newWorld(t, 4)
	w.env.Tree = w.apply(member(0), w.by(0, remove(1))).Edit.Finish()
	for _, leaf := range []int{1, 4, 5, 1 << 31, 1<<32 - 1} {
		refuse(t, w.env.ValidateSingle(w.by(0, remove(leaf))), check.V102)
		refuse(t, w.validate(0, w.by(0, remove(leaf))), check.V102)
		refuse(t, w.external(w.externalInit(), remove(leaf)), check.V102)
	}
	accept(t, w.env.ValidateSingle(w.by(3, remove(3)))) // one may ask to leave
}

func TestV103_PSKNonceLength(t *testing.T) {
	w := newWorld(t, 2)
	nh := w.suite.Params().Nh
	for _, n := range []int{0, nh - 1, nh + 1} {
		p := w.psk("a", func(id *proto.PreSharedKeyID) { id.Nonce = make([]byte, n) })
		refuse(t, w.env.ValidateSingle(w.by(1, p)), check.V103)
		refuse(t, w.validate(0, w.by(1, p)), check.V103)
		refuse(t, w.external(w.externalInit(), p), check.V103)
	}
	accept(t, w.validate(0, w.by(1, w.psk("a"))))
}

func resumption(u proto.ResumptionPSKUsage) func(*proto.PreSharedKeyID) {
	return func(id *proto.PreSharedKeyID) {
		id.Type, id.Usage, id.GroupID = proto.PSKTypeResumption, u, []byte("old")
	}
}

func TestV104_ReInitPSK(t *testing.T) { usage(t, proto.ResumptionPSKUsageReInit, check.V104) }

func TestV105_BranchPSK(t *testing.T) { usage(t, proto.ResumptionPSKUsageBranch, check.V105) }

func usage(t *testing.T, u proto.ResumptionPSKUsage, id check.ID) {
	w := newWorld(t, 2)
	p := w.psk("", resumption(u))
	refuse(t, w.env.ValidateSingle(w.by(1, p)), id)
	refuse(t, w.validate(0, w.by(1, p)), id)
	refuse(t, w.external(w.externalInit(), p), id)
	w.env.Resumption = u
	accept(t, w.validate(0, w.by(0, p)))
	w.env.Resumption = proto.ResumptionPSKUsageReInit + proto.ResumptionPSKUsageBranch - u
	refuse(t, w.validate(0, w.by(0, p)), id)
	accept(t, w.validate(0, w.by(1, w.psk("", resumption(proto.ResumptionPSKUsageApplication)))))
}

func TestV106_ReInitVersion(t *testing.T) {
	w := newWorld(t, 2)
	lower := reInit(func(r *proto.ReInit) { r.Version = 0 })
	refuse(t, w.env.ValidateSingle(w.by(1, lower)), check.V106)
	refuse(t, w.validate(0, w.by(1, lower)), check.V106)
	accept(t, w.validate(0, w.by(1, reInit())))
	accept(t, w.env.ValidateSingle(w.by(1, reInit(func(r *proto.ReInit) { r.Version = 2 }))))
}

func TestV107_ExternalInit(t *testing.T) {
	w := newWorld(t, 2)
	refuse(t, w.env.ValidateSingle(w.by(1, w.externalInit())), check.V107)
	accept(t, w.external(w.externalInit()))
	for _, n := range []int{0, w.suite.Params().Nenc - 1, w.suite.Params().Nenc + 1} {
		p := &proto.Proposal{Type: proto.ProposalTypeExternalInit, ExternalInit: make([]byte, n)}
		refuse(t, w.external(p), check.V107)
	}
}

func TestV108_RequiredCapabilitiesHoldForAll(t *testing.T) {
	can := supports(nil, []proto.ProposalType{customProposal}, nil)
	raise := extensions(required(proto.RequiredCapabilities{Proposals: []proto.ProposalType{customProposal}}))
	w := newWorld(t, 4, func(i int, l *proto.LeafNode) {
		if i != 2 {
			can(l)
		}
	})
	refuse(t, w.validate(0, w.by(0, raise)), check.V108)
	accept(t, w.validate(0, w.by(0, raise), w.by(0, remove(2))))
	accept(t, w.validate(0, w.by(0, raise), w.updates(2, can)))
	refuse(t, w.validate(0, w.by(0, raise), w.by(0, remove(2)), w.adds("new")), check.V026)
	accept(t, w.validate(0, w.by(0, raise), w.by(0, remove(2)), w.adds("new", inKeyPackage(can))))
	refuse(t, w.validate(0, w.by(0, raise), w.by(0, remove(2)), w.updates(1)), check.V026)
	accept(t, w.env.ValidateSingle(w.by(1, raise))) // a remove may come with it
}

func TestV109_GroupExtensionsAreSupportedByAll(t *testing.T) {
	can := supports([]proto.ExtensionType{customExtension}, nil, nil)
	set := extensions(proto.Extension{Type: customExtension})
	w := newWorld(t, 3, func(i int, l *proto.LeafNode) {
		if i != 2 {
			can(l)
		}
	})
	refuse(t, w.validate(0, w.by(0, set)), check.V109)
	accept(t, w.validate(0, w.by(0, set), w.by(0, remove(2))))
	accept(t, w.validate(0, w.by(0, set), w.updates(2, can)))
}

func TestV110_NewMemberProposalsAreAllowedByTheApplication(t *testing.T) {
	w := newWorld(t, 2)
	kp, _ := w.keyPackage("new")
	en := Entry{Proposal: add(kp), Sender: proto.Sender{Type: proto.SenderTypeNewMemberProposal}, Ref: []byte("ref")}
	refuse(t, w.env.ValidateSingle(en), check.V110)
	w.env.Policy.AllowNewMember = func(*proto.KeyPackage) bool { return false }
	refuse(t, w.env.ValidateSingle(en), check.V110)
	w.env.Policy.AllowNewMember = func(k *proto.KeyPackage) bool { return k == kp }
	accept(t, w.env.ValidateSingle(en))
	accept(t, w.validate(0, en))
}

func TestV112_ProposalsAreBounded(t *testing.T) {
	w := newWorld(t, 2)
	w.env.Policy.MaxProposals = 3
	var entries []Entry
	for i := range 4 {
		entries = append(entries, w.by(1, w.psk(fmt.Sprint(i))))
	}
	accept(t, w.validate(0, entries[:3]...))
	refuse(t, w.validate(0, entries...), check.V112)
}

func TestV130_EachProposalIsValid(t *testing.T) {
	w := newWorld(t, 2)
	var entries []Entry
	for i := range 100 {
		entries = append(entries, w.by(1, w.psk(fmt.Sprint(i))))
	}
	accept(t, w.validate(0, entries...))
	for _, bad := range []int{97, 40} {
		entries[bad].Proposal.PSK.Nonce = nil
	}
	err := w.validate(0, entries...)
	refuse(t, err, check.V103)
	if e := new(check.Error); !errors.As(err, &e) || e.Proposal != 40 {
		t.Errorf("not the first bad proposal: %v", err)
	}
}

func TestV131_NoUpdateOfTheCommitter(t *testing.T) {
	w := newWorld(t, 2)
	refuse(t, w.validate(1, w.updates(1)), check.V131)
}

func TestV132_NoRemoveOfTheCommitter(t *testing.T) {
	w := newWorld(t, 2)
	refuse(t, w.validate(0, w.by(1, remove(0))), check.V132)
	refuse(t, w.validate(0, Entry{Proposal: remove(0), Sender: member(0)}), check.V132)
}

func TestV133_OneChangeOfALeaf(t *testing.T) {
	w := newWorld(t, 3)
	refuse(t, w.validate(0, w.updates(1), w.updates(1)), check.V133)
	refuse(t, w.validate(0, w.updates(1), w.by(2, remove(1))), check.V133)
	refuse(t, w.validate(0, w.by(2, remove(1)), w.updates(1)), check.V133)
	refuse(t, w.validate(0, w.by(2, remove(1)), w.by(0, remove(1))), check.V133)
	accept(t, w.validate(0, w.updates(1), w.by(1, remove(2))))
}

func TestV134_NoClientIsAddedTwice(t *testing.T) {
	w := newWorld(t, 2)
	signer := w.newSigner()
	same := func() []Entry {
		return []Entry{w.by(0, add(w.keyPackageOf("a", signer))), w.by(1, add(w.keyPackageOf("b", signer)))}
	}
	refuse(t, w.validate(0, same()...), check.V134)
	key := w.encryptionKey()
	init := func(kp *proto.KeyPackage) { kp.InitKey = key }
	refuse(t, w.validate(0, w.adds("a", init), w.adds("b", init)), check.V134)
	clients(t, func(t *testing.T, w *world) {
		refuse(t, w.validate(0, w.adds("a"), w.adds("a")), check.V134)
		accept(t, w.validate(0, w.adds("a"), w.adds("b")))
	})
	w.env.Policy.SameClient = nil // then keys alone tell
	accept(t, w.validate(0, w.adds("a"), w.adds("a")))
	refuse(t, w.validate(0, same()...), check.V134)
}

// clients runs f with each way to tell clients apart.
func clients(t *testing.T, f func(t *testing.T, w *world)) {
	t.Run("pairs", func(t *testing.T) { f(t, newWorld(t, 3)) })
	t.Run("ids", func(t *testing.T) {
		w := newWorld(t, 3)
		w.env.Policy.SameClient = nil
		w.env.Policy.ClientID = func(c *proto.Credential) []byte { return c.Identity }
		f(t, w)
	})
	t.Run("equal credentials", func(t *testing.T) {
		f(t, newWorld(t, 3))
		w := newWorld(t, 3)
		l := w.env.newList([]Entry{w.adds("a"), w.adds("a")}, member(0))
		l.adds = []int{0, 1}
		refuse(t, l.checkClientIDs(encoded, w.env.Policy.SameClient), check.V134)
		accept(t, l.checkClientIDs(encoded, func(a, b *proto.Credential) bool { return false }))
	})
}

func encoded(c *proto.Credential) []byte { return c.Append(nil) }

func TestV135_NoMemberIsAdded(t *testing.T) {
	w := newWorld(t, 3)
	refuse(t, w.validate(0, w.by(0, add(w.keyPackageOf("new", w.signers[1])))), check.V135)
	accept(t, w.validate(0, w.by(0, add(w.keyPackageOf("new", w.signers[1]))), w.by(0, remove(1))))
	accept(t, w.validate(0, w.by(0, remove(1)), w.by(0, add(w.keyPackageOf("new", w.signers[1])))))
	clients(t, func(t *testing.T, w *world) {
		refuse(t, w.validate(0, w.adds("member 1")), check.V135)
		refuse(t, w.validate(0, w.adds("member 0")), check.V135)
		accept(t, w.validate(0, w.adds("member 1"), w.by(0, remove(1))))
		refuse(t, w.validate(0, w.adds("member 1"), w.by(0, remove(2))), check.V135)
	})
}

func TestV136_NoPSKTwice(t *testing.T) {
	w := newWorld(t, 2)
	refuse(t, w.validate(0, w.by(1, w.psk("a")), Entry{Proposal: w.psk("a"), Sender: member(0)}), check.V136)
	accept(t, w.validate(0, w.by(1, w.psk("a")), w.by(1, w.psk("b"))))
}

func TestV137_OneGroupContextExtensions(t *testing.T) {
	w := newWorld(t, 2)
	refuse(t, w.validate(0, w.by(1, extensions()), w.by(1, extensions())), check.V137)
	accept(t, w.validate(0, w.by(1, extensions())))
}

func TestV138_ReInitStandsAlone(t *testing.T) {
	w := newWorld(t, 2)
	refuse(t, w.validate(0, w.by(1, reInit()), w.adds("new")), check.V138)
	refuse(t, w.validate(0, w.adds("new"), w.by(1, reInit())), check.V138)
	refuse(t, w.validate(0, w.by(1, reInit()), w.by(1, reInit())), check.V138)
	r := w.apply(member(0), w.by(1, reInit()))
	if r.ReInit == nil || string(r.ReInit.GroupID) != "next" {
		t.Errorf("reinit %+v", r.ReInit)
	}
}

func TestV139_NoExternalInitInARegularCommit(t *testing.T) {
	w := newWorld(t, 2)
	refuse(t, w.validate(0, w.by(1, w.externalInit())), check.V139)
	refuse(t, w.validate(0, Entry{Proposal: w.externalInit(), Sender: member(0)}), check.V139)
}

func TestV140_ReferencesAreKnown(t *testing.T) {
	w := newWorld(t, 3)
	known := w.updates(1)
	lookup := func(ref []byte) (Entry, bool) { return known, bytes.Equal(ref, known.Ref) }
	ref := func(b []byte) proto.ProposalOrRef { return proto.ProposalOrRef{Reference: b} }
	entries, err := Resolve(&proto.Commit{Proposals: proto.Proposals(ref(known.Ref), proto.ProposalOrRef{Proposal: remove(2)})}, member(0), lookup)
	accept(t, err)
	if len(entries) != 2 || entries[0].Sender != member(1) || entries[1].Sender != member(0) || entries[1].Ref != nil {
		t.Errorf("entries %+v", entries)
	}
	_, err = Resolve(&proto.Commit{Proposals: proto.Proposals(ref([]byte("unknown")))}, member(0), lookup)
	refuse(t, err, check.V140)
	_, err = Resolve(&proto.Commit{Proposals: proto.Proposals(ref(nil))}, member(0), lookup)
	refuse(t, err, check.V140)
	_, err = Resolve(&proto.Commit{Proposals: proto.Proposals(ref(known.Ref), ref(known.Ref))}, member(0), lookup)
	refuse(t, err, check.V140)
	refuse(t, w.validate(0, Entry{Proposal: remove(2), Sender: member(1)}), check.V140)
}

func TestV141_NoUpdateByValue(t *testing.T) {
	w := newWorld(t, 2)
	en := w.updates(1)
	en.Ref = nil
	refuse(t, w.validate(1, en), check.V141)
}

func TestV143_NewExtensionsRuleTheOthers(t *testing.T) {
	can := supports(nil, []proto.ProposalType{customProposal}, nil)
	raise := extensions(required(proto.RequiredCapabilities{Proposals: []proto.ProposalType{customProposal}}))
	w := newWorld(t, 2, everyMember(can))
	for _, order := range [][]Entry{
		{w.by(0, raise), w.adds("new")}, {w.adds("new"), w.by(0, raise)},
	} {
		refuse(t, w.validate(0, order...), check.V026)
	}
	r := w.apply(member(0), w.by(0, raise))
	refuse(t, w.path(r, member(0), 0, w.signers[0]), check.V026) // V162
	r = w.apply(member(0), w.by(0, raise))
	accept(t, w.path(r, member(0), 0, w.signers[0], can))
	// The other way round, who could not be added before can be now.
	w.env.Context.Extensions = raise.GroupContextExtensions
	refuse(t, w.validate(0, w.adds("new")), check.V026)
	accept(t, w.validate(0, w.adds("new"), w.by(0, extensions())))
}

func TestV144_OrderOfApplication(t *testing.T) {
	w := newWorld(t, 4)
	r := w.apply(member(0), w.adds("a"), w.by(0, w.psk("1")), w.updates(3), w.by(0, remove(1)), w.adds("b"), w.by(0, w.psk("0")))
	if len(r.Added) != 2 || r.Added[0].Leaf != 1 || r.Added[1].Leaf != 4 {
		t.Errorf("added %+v", r.Added)
	}
	if got := string(r.Edit.Tree().Leaf(1).Credential.Identity); got != "a" {
		t.Errorf("leaf 1 is %q", got)
	}
	if len(r.PSKs) != 2 || string(r.PSKs[0].ID) != "1" || string(r.PSKs[1].ID) != "0" {
		t.Errorf("PSKs %v", r.PSKs)
	}
	if !slices.Equal(r.Removed, []treemath.LeafIndex{1}) || !slices.Equal(r.Updated, []treemath.LeafIndex{3}) {
		t.Errorf("removed %v, updated %v", r.Removed, r.Updated)
	}
	if w.env.Tree.Leaf(1) == nil || w.env.Tree.Leaf(4) != nil {
		t.Error("the epoch's tree changed")
	}
}

func TestV146_OneExternalInit(t *testing.T) {
	w := newWorld(t, 3)
	refuse(t, w.external(), check.V146)
	refuse(t, w.external(remove(1)), check.V146)
	refuse(t, w.external(w.externalInit(), w.externalInit()), check.V146)
	accept(t, w.external(w.psk("a"), remove(1), w.externalInit()))
}

func TestV147_OneRemoveInAnExternalCommit(t *testing.T) {
	w := newWorld(t, 3)
	refuse(t, w.external(w.externalInit(), remove(1), remove(2)), check.V147)
	accept(t, w.external(w.externalInit(), remove(0)))
}

func TestV148_ResyncIsOfTheSameClient(t *testing.T) {
	w := newWorld(t, 3)
	as := func(name string) func(*proto.LeafNode) {
		return func(l *proto.LeafNode) { l.Credential.Identity = []byte(name) }
	}
	resync := func() *Result { return w.apply(joiner, inline(w.externalInit()), inline(remove(1))) }
	refuse(t, w.path(resync(), joiner, 1, w.newSigner(), as("eve")), check.V148)
	r := resync()
	accept(t, w.path(r, joiner, 1, w.newSigner(), as("member 1")))
	if c := r.NewCredentials; len(c) != 1 || c[0].Replaces == nil || c[0].Use != CredentialExternalJoin {
		t.Errorf("to authenticate: %+v", c)
	}
	r = resync()
	accept(t, w.path(r, joiner, 1, w.signers[1], as("member 1"))) // with the old signature key
	if c := r.NewCredentials; len(c) != 1 || c[0].Replaces == nil || c[0].Use != CredentialExternalJoin {
		t.Errorf("to authenticate of who comes back as it was: %+v", c)
	}
	refuse(t, w.path(resync(), joiner, 1, w.newSigner(), func(l *proto.LeafNode) {
		as("member 1")(l)
		l.EncryptionKey = w.env.Tree.Leaf(1).EncryptionKey
	}), check.V053)
	w.env.Policy.SameClient = nil
	refuse(t, w.path(resync(), joiner, 1, w.newSigner(), as("eve")), check.V148)
	accept(t, w.path(resync(), joiner, 1, w.newSigner(), as("member 1")))
	w.env.Policy.ClientID = func(c *proto.Credential) []byte { return bytes.TrimSuffix(c.Identity, []byte(" renewed")) }
	refuse(t, w.path(resync(), joiner, 1, w.newSigner(), as("eve")), check.V148)
	accept(t, w.path(resync(), joiner, 1, w.newSigner(), as("member 1 renewed")))
	w.env.Policy.ClientID = func(*proto.Credential) []byte { return nil } // nobody knows who it is
	refuse(t, w.path(resync(), joiner, 1, w.newSigner(), as("member 1")), check.V148)
}

func TestV149_TypesInAnExternalCommit(t *testing.T) {
	w := newWorld(t, 3)
	kp, _ := w.keyPackage("new")
	for _, p := range []*proto.Proposal{add(kp), w.updates(1).Proposal, reInit(), extensions(), custom()} {
		refuse(t, w.external(w.externalInit(), p), check.V149)
	}
}

func TestV150_NoReferencesInAnExternalCommit(t *testing.T) {
	w := newWorld(t, 2)
	c := &proto.Commit{Proposals: proto.Proposals(proto.ProposalOrRef{Proposal: w.externalInit()}, proto.ProposalOrRef{Reference: []byte("ref")})}
	_, err := Resolve(c, joiner, func(ref []byte) (Entry, bool) { return w.by(1, remove(1)), true })
	refuse(t, err, check.V150)
	refuse(t, w.env.ValidateList([]Entry{inline(w.externalInit()), w.by(1, remove(1))}, joiner), check.V150)
}

func TestV151_NoPSKTwiceInAnExternalCommit(t *testing.T) {
	w := newWorld(t, 2)
	refuse(t, w.external(w.externalInit(), w.psk("a"), w.psk("a")), check.V151)
	accept(t, w.external(w.externalInit(), w.psk("a"), w.psk("b")))
}

func TestV163_PathRenewsTheKey(t *testing.T) {
	w := newWorld(t, 2)
	same := func(l *proto.LeafNode) { l.EncryptionKey = w.env.Tree.Leaf(0).EncryptionKey }
	refuse(t, w.path(w.apply(member(0)), member(0), 0, w.signers[0], same), check.V163)
}

func TestV040_NewCredentialsAreToBeAuthenticated(t *testing.T) {
	w := newWorld(t, 4)
	senders := proto.AppendExternalSenders(nil, []proto.ExternalSender{{SignatureKey: []byte("key"),
		Credential: proto.Credential{Type: proto.CredentialTypeBasic, Identity: []byte("server")}}})
	es := extensions(proto.Extension{Type: proto.ExtensionTypeExternalSenders, Data: senders})
	r := w.apply(member(0), w.adds("new"), w.updatesWith(1, w.newSigner()), w.updates(2), w.by(0, es))
	accept(t, w.path(r, member(0), 0, w.newSigner()))
	var got []string
	for _, c := range r.NewCredentials {
		got = append(got, fmt.Sprintf("%d %s %v", c.Use, c.Credential.Identity, c.Replaces != nil))
	}
	want := []string{"4 server false", "2 member 1 true", "1 new false", "2 member 0 true"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	w.env.Context.Extensions = es.GroupContextExtensions
	if r := w.apply(member(0), w.by(0, es)); len(r.NewCredentials) != 0 {
		t.Errorf("external senders as before: %+v", r.NewCredentials)
	}
	r = w.apply(joiner, inline(w.externalInit()))
	accept(t, w.path(r, joiner, 4, w.newSigner()))
	if c := r.NewCredentials; len(c) != 1 || c[0].Use != CredentialExternalJoin || c[0].Leaf != 4 {
		t.Errorf("external join: %+v", c)
	}
}

func TestPathRequired(t *testing.T) {
	w := newWorld(t, 2)
	for _, tc := range []struct {
		p    *proto.Proposal
		want bool
	}{
		{add(nil), false}, {w.updates(1).Proposal, true}, {remove(1), true}, {w.psk("a"), false},
		{reInit(), false}, {w.externalInit(), true}, {extensions(), true}, {custom(), false},
	} {
		if got := PathRequired([]Entry{{Proposal: w.psk("b")}, {Proposal: tc.p}}); got != tc.want {
			t.Errorf("type %d: %v", tc.p.Type, got)
		}
	}
	if !PathRequired(nil) {
		t.Error("an empty commit needs a path")
	}
}

func TestV192_WelcomePSKs(t *testing.T) {
	w := newWorld(t, 1+1)
	branch := *w.psk("", resumption(proto.ResumptionPSKUsageBranch)).PSK
	reinit := *w.psk("", resumption(proto.ResumptionPSKUsageReInit)).PSK
	plain := *w.psk("a").PSK
	ids, err := ValidateWelcomePSKs(w.suite, []proto.PreSharedKeyID{plain, branch, plain})
	accept(t, err)
	if len(ids) != 3 || ids[1].Usage != branch.Usage {
		t.Errorf("ids %v", ids)
	}
	_, err = ValidateWelcomePSKs(w.suite, []proto.PreSharedKeyID{reinit, plain, branch})
	refuse(t, err, check.V192)
	plain.Nonce = plain.Nonce[1:]
	_, err = ValidateWelcomePSKs(w.suite, []proto.PreSharedKeyID{plain})
	refuse(t, err, check.V193)
}

// TestSameClientBeyondPairs shows that long lists compare equal credentials.
func TestSameClientBeyondPairs(t *testing.T) {
	w := newWorld(t, 3)
	asked := 0
	w.env.Policy.SameClient = func(a, b *proto.Credential) bool {
		asked++
		return bytes.Equal(a.Identity, b.Identity)
	}
	var entries []Entry
	for i := range 400 {
		entries = append(entries, w.adds(fmt.Sprint("new ", i)))
	}
	accept(t, w.validate(0, entries...))
	if asked != 0 {
		t.Errorf("asked %d times about different credentials", asked)
	}
	refuse(t, w.validate(0, append(entries, w.adds("new 7"))...), check.V134)
	refuse(t, w.validate(0, append(entries, w.adds("member 2"))...), check.V135)
	accept(t, w.validate(0, append(entries, w.adds("member 2"), w.by(0, remove(2)))...))
}

// TestSameClientGetsCopies: each credential is copied once, however many questions
// there are about it.
func TestSameClientGetsCopies(t *testing.T) {
	const members, added = 20, 10
	w := newWorld(t, members)
	copies, asked := map[*byte]bool{}, 0
	w.env.Policy.SameClient = func(a, b *proto.Credential) bool {
		asked++
		for _, c := range []*proto.Credential{a, b} {
			copies[&c.Identity[0]] = true
			c.Identity[0] ^= 0x80
			defer func() { c.Identity[0] ^= 0x80 }()
		}
		return bytes.Equal(a.Identity, b.Identity)
	}
	var entries []Entry
	for i := range added {
		entries = append(entries, w.adds(fmt.Sprint("new ", i)))
	}
	accept(t, w.validate(0, entries...))
	if want := added*(added-1)/2 + added*members; asked != want || len(copies) != added+members {
		t.Errorf("asked %d times about %d copies, want %d and %d", asked, len(copies), want, added+members)
	}
	for _, en := range entries {
		if copies[&en.Proposal.Add.LeafNode.Credential.Identity[0]] {
			t.Error("the credential itself was handed out")
		}
	}
}

func TestV041_SuccessorsAreToBeAuthenticated(t *testing.T) {
	w := newWorld(t, 3)
	eve := func(l *proto.LeafNode) { l.Credential.Identity = []byte("eve") }
	r := w.apply(member(0), w.updates(1, eve))
	accept(t, w.path(r, member(0), 0, w.signers[0], eve))
	for i, c := range r.NewCredentials {
		if c.Replaces == nil || string(c.Replaces.Identity) != fmt.Sprint("member ", 1-i) || c.Use != CredentialUpdate {
			t.Errorf("to authenticate: %+v", c)
		}
	}
	if len(r.NewCredentials) != 2 {
		t.Errorf("%d credentials to authenticate", len(r.NewCredentials))
	}
}

func TestV100_AddIsOfAValidKeyPackage(t *testing.T) {
	w := newWorld(t, 2)
	w.externalSenders()
	w.env.Policy.AllowNewMember = func(*proto.KeyPackage) bool { return true }
	bad, _ := w.keyPackage("new", func(kp *proto.KeyPackage) { kp.InitKey = kp.LeafNode.EncryptionKey })
	good, _ := w.keyPackage("new")
	for _, typ := range []proto.SenderType{proto.SenderTypeMember, proto.SenderTypeExternal, proto.SenderTypeNewMemberProposal} {
		en := Entry{Proposal: add(bad), Sender: proto.Sender{Type: typ}, Ref: []byte("ref")}
		refuse(t, w.env.ValidateSingle(en), check.V063)
		refuse(t, w.validate(1, en), check.V063)
		en.Proposal = add(good)
		accept(t, w.env.ValidateSingle(en))
		accept(t, w.validate(1, en))
	}
}

// TestV142_TheResultIsValid shows that what a list gives is a tree that a joiner
// accepts, as far as leaves and keys go.
func TestV142_TheResultIsValid(t *testing.T) {
	can := supports([]proto.ExtensionType{customExtension}, nil, nil)
	w := newWorld(t, 9, everyMember(can))
	entries := []Entry{w.by(0, remove(8)), w.by(1, remove(2)), w.updates(3, can), w.by(0, extensions(proto.Extension{Type: customExtension}))}
	for i := range 5 {
		entries = append(entries, w.adds(fmt.Sprint("new ", i), inKeyPackage(can)))
	}
	r := w.apply(member(0), entries...)
	tree := r.Edit.Finish()
	accept(t, tree.VerifyUniqueKeys())
	accept(t, tree.VerifyLeafSignatures(w.env.Context.GroupID))
	next := *w.env.Context
	next.Extensions = r.Extensions
	accept(t, ValidateTreeLeaves(w.suite, tree, &next, w.env.Policy))
	if n := tree.MemberCount(); n != 12 {
		t.Errorf("%d members", n)
	}
}

func TestV162_PathLeafFitsTheNewExtensions(t *testing.T) {
	can := supports([]proto.ExtensionType{customExtension}, nil, nil)
	w := newWorld(t, 3, everyMember(can))
	commit := func() *Result { return w.apply(member(0), w.by(0, extensions(proto.Extension{Type: customExtension}))) }
	refuse(t, w.path(commit(), member(0), 0, w.signers[0]), check.V027)
	accept(t, w.path(commit(), member(0), 0, w.signers[0], can))
	accept(t, w.path(commit(), member(0), 0, w.newSigner(), can))
	// What the list leaves behind does not bind the path.
	w.env.Context.Extensions = proto.Extensions{{Type: customExtension}}
	accept(t, w.path(w.apply(member(0), w.by(0, extensions())), member(0), 0, w.signers[0]))
}
