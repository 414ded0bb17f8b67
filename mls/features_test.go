package mls_test

import (
	"errors"
	"testing"
	"time"

	"github.com/hardmls/hardmls/mls"
)

// TestLastResort: a key package of last resort takes its owner into any number of
// groups, and its keys outlive them; another one is used up by the first.
func TestLastResort(t *testing.T) {
	ctx := t.Context()
	bob := newClient(t, "bob", mls.Config{LastResort: true})
	kp := bob.keyPackage()
	if !kp.LastResort() {
		t.Fatal("not marked as of last resort")
	}
	for _, name := range []string{"alice", "carol"} {
		c := newClient(t, name, mls.Config{})
		c.create()
		b := c.commit(mls.CommitOptions{Proposals: []mls.Proposal{mls.AddProposal(kp)}}, nil)
		bob.join(b.Welcome)
		agree(t, c, bob)
		bob.reload()
		bob.commit(mls.CommitOptions{}, []*client{c})
		agree(t, c, bob)
		if err := bob.group.Delete(ctx); err != nil {
			t.Fatal(err)
		}
		if name == "carol" {
			if err := mls.DeleteKeyPackage(ctx, bob.p, kp.Ref()); err != nil {
				t.Fatal(err)
			}
			if _, err := mls.OpenWelcome(ctx, bob.p, b.Welcome, bob.cfg); !errors.Is(err, mls.ErrNoKeyPackage) {
				t.Errorf("deleted key package: %v", err)
			}
		}
	}
}

// TestPastEpochAge: a past epoch is forgotten once it is too old, in memory and
// in the store, and all of them when the application says so.
func TestPastEpochAge(t *testing.T) {
	ctx := t.Context()
	now := time.Unix(1_800_000_000, 0)
	cfg := mls.Config{Now: func() time.Time { return now }, PastEpochs: -1, PastEpochAge: time.Minute}
	alice, bob := newClient(t, "alice", cfg), newClient(t, "bob", cfg)
	alice.create()
	alice.add(nil, bob)
	late := func() []byte {
		t.Helper()
		msg, err := alice.group.CreateMessage(ctx, []byte("late"), mls.MessageOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return msg
	}
	first, again := late(), late()
	alice.commit(mls.CommitOptions{}, []*client{bob})
	second := late()
	now = now.Add(50 * time.Second)
	alice.commit(mls.CommitOptions{}, []*client{bob})
	third := late()
	bob.reload()
	bob.process(first)
	now = now.Add(20 * time.Second)
	if _, err := bob.group.OpenMessage(ctx, nil, again, nil); !errors.Is(err, mls.ErrEpochGone) {
		t.Errorf("message of an epoch that ended 70 s ago: %v", err)
	}
	bob.process(second)
	bob.process(third)
	if err := bob.group.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	now = now.Add(-20 * time.Second) // what is gone from the store stays gone
	bob.reload()
	if _, err := bob.group.OpenMessage(ctx, nil, again, nil); !errors.Is(err, mls.ErrEpochGone) {
		t.Errorf("after a restart: %v", err)
	}

	fourth := late()
	alice.commit(mls.CommitOptions{}, []*client{bob})
	if err := bob.group.ForgetPastEpochs(ctx); err != nil {
		t.Fatal(err)
	}
	bob.reload()
	if _, err := bob.group.OpenMessage(ctx, nil, fourth, nil); !errors.Is(err, mls.ErrEpochGone) {
		t.Errorf("after ForgetPastEpochs: %v", err)
	}
	agree(t, alice, bob)
}

// TestSwapMembers: a member whose keys are lost comes back under new ones in one
// commit.
func TestSwapMembers(t *testing.T) {
	alice, bob, again := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{}), newClient(t, "bob", mls.Config{})
	alice.create()
	alice.add(nil, bob)
	b, err := alice.group.SwapMembers(t.Context(), []uint32{1}, again.keyPackage())
	if err != nil {
		t.Fatal(err)
	}
	if err := alice.group.MergePending(t.Context()); err != nil {
		t.Fatal(err)
	}
	again.join(b.Welcome)
	bob.process(b.Commit)
	if bob.group.IsActive() {
		t.Error("the lost membership is active")
	}
	agree(t, alice, again)
}

// TestGREASE: by default key packages, leaves and GroupInfos carry values that
// nobody knows, and NoGREASE leaves them out.
func TestGREASE(t *testing.T) {
	reserved := func(es []mls.Extension) (n int) {
		for _, e := range es {
			if e.Type&0x0F0F == 0x0A0A {
				n++
			}
		}
		return n
	}
	greasy, plain := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{NoGREASE: true})
	if n := reserved(greasy.keyPackage().Extensions()); n != 1 {
		t.Errorf("%d reserved extensions in a key package, want 1", n)
	}
	if n := reserved(plain.keyPackage().Extensions()); n != 0 {
		t.Errorf("%d reserved extensions in a key package, want none", n)
	}
	greasy.create()
	greasy.add(nil, plain)
	agree(t, greasy, plain)
	with, err := greasy.group.GroupInfo(t.Context(), mls.GroupInfoOptions{NoRatchetTree: true})
	if err != nil {
		t.Fatal(err)
	}
	without, err := plain.group.GroupInfo(t.Context(), mls.GroupInfoOptions{NoRatchetTree: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(with) <= len(without) {
		t.Errorf("GroupInfo of %d bytes with a reserved extension, %d without", len(with), len(without))
	}
}

// TestExtensions: the extensions of RFC 9420 are made and read without knowing
// their encoding.
func TestExtensions(t *testing.T) {
	sender := mls.ExternalSender{SignatureKey: []byte("key"), Credential: mls.BasicCredential([]byte("server"))}
	required := mls.RequiredCapabilities{Extensions: []uint16{0xF100}, Credentials: []mls.CredentialType{mls.CredentialBasic}}
	es := []mls.Extension{mls.ApplicationIDExtension([]byte("device 7")),
		mls.RequiredCapabilitiesExtension(required), mls.ExternalSendersExtension(sender)}
	if id, ok := mls.ApplicationID(es); !ok || string(id) != "device 7" {
		t.Errorf("application id %q, %v", id, ok)
	}
	got, err := mls.RequiredCapabilitiesOf(es)
	if err != nil || len(got.Extensions) != 1 || got.Extensions[0] != 0xF100 || got.Proposals != nil || len(got.Credentials) != 1 {
		t.Errorf("required capabilities %+v, %v", got, err)
	}
	senders, err := mls.ExternalSendersOf(es)
	if err != nil || len(senders) != 1 || string(senders[0].SignatureKey) != "key" || !senders[0].Credential.Equal(sender.Credential) {
		t.Errorf("external senders %+v, %v", senders, err)
	}
	es[2].Data = es[2].Data[:4]
	if _, err := mls.ExternalSendersOf(es); !errors.Is(err, mls.ErrMalformed) {
		t.Errorf("cut extension: %v", err)
	}
	if _, ok := mls.ApplicationID([]mls.Extension{{Type: mls.ExtensionApplicationID, Data: []byte{5}}}); ok {
		t.Error("cut application id")
	}
}

// TestLeafExtensions: what a client says of itself reaches the others, and a group
// takes in only who supports what it demands.
func TestLeafExtensions(t *testing.T) {
	able := mls.Config{LeafExtensions: []mls.Extension{mls.ApplicationIDExtension([]byte("device 7"))},
		Capabilities: mls.Capabilities{Proposals: []uint16{0xF200}}}
	alice, bob, carol := newClient(t, "alice", able), newClient(t, "bob", able), newClient(t, "carol", mls.Config{})
	alice.cfg.Extensions = []mls.Extension{mls.RequiredCapabilitiesExtension(mls.RequiredCapabilities{Proposals: []uint16{0xF200}})}
	alice.create()
	alice.add(nil, bob)
	m, _ := alice.group.Member(1)
	if id, ok := mls.ApplicationID(m.Extensions); !ok || string(id) != "device 7" {
		t.Errorf("bob's application id is %q, %v", id, ok)
	}
	if _, err := alice.group.AddMembers(t.Context(), carol.keyPackage()); err == nil {
		t.Error("added a client without the required capability")
	}

	custom := mls.CustomProposal(0xF200, []byte("motion"))
	b, err := bob.group.Commit(t.Context(), mls.CommitOptions{Proposals: []mls.Proposal{custom}})
	if err != nil {
		t.Fatal(err)
	}
	check := func(st *mls.StagedCommit) {
		t.Helper()
		c := st.Custom()
		if len(c) != 1 || c[0].Type != 0xF200 || string(c[0].Custom) != "motion" || c[0].Sender != 1 {
			t.Errorf("custom proposals %+v", c)
		}
		if len(st.Extensions()) != 1 || len(st.PSKs()) != 0 {
			t.Errorf("extensions %v, PSKs %v", st.Extensions(), st.PSKs())
		}
	}
	bob.reload()
	check(bob.group.StagedPending())
	out, err := alice.group.Process(t.Context(), b.Commit, mls.ProcessOptions{})
	if err != nil {
		t.Fatal(err)
	}
	check(out.(*mls.StagedCommit))
}

// TestPendingProposalContent: who decides about a proposal sees what it says.
func TestPendingProposalContent(t *testing.T) {
	ctx := t.Context()
	cfg := mls.Config{Capabilities: mls.Capabilities{Proposals: []uint16{0xF200}, Extensions: []uint16{0xF100}}}
	alice, bob, carol := newClient(t, "alice", cfg), newClient(t, "bob", cfg), newClient(t, "carol", cfg)
	alice.create()
	alice.add(nil, bob)
	kp := carol.keyPackage()
	ext := []mls.Extension{{Type: 0xF100, Data: []byte("rules")}}
	for name, tc := range map[string]struct {
		p    mls.Proposal
		good func(p *mls.PendingProposal) bool
	}{
		"add":    {mls.AddProposal(kp), func(p *mls.PendingProposal) bool { return string(p.KeyPackage.Ref()) == string(kp.Ref()) }},
		"update": {mls.UpdateProposal(), func(p *mls.PendingProposal) bool { return string(p.Update.Credential.Identity) == "bob" }},
		"remove": {mls.RemoveProposal(1), func(p *mls.PendingProposal) bool { return p.Target == 1 }},
		"psk": {mls.PSKProposal(mls.ExternalPSK([]byte("id"))), func(p *mls.PendingProposal) bool {
			return string(p.PSK.External) == "id"
		}},
		"re-init": {mls.ReInitProposal([]byte("next"), suite2, nil), func(p *mls.PendingProposal) bool {
			return string(p.ReInit.GroupID) == "next" && p.ReInit.CipherSuite == suite2
		}},
		"extensions": {mls.GroupContextExtensionsProposal(ext), func(p *mls.PendingProposal) bool {
			return len(p.Extensions) == 1 && string(p.Extensions[0].Data) == "rules"
		}},
		"custom": {mls.CustomProposal(0xF200, []byte("x")), func(p *mls.PendingProposal) bool { return string(p.Custom) == "x" }},
	} {
		msg, ref, err := bob.group.Propose(ctx, tc.p, mls.ProposeOptions{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := alice.process(msg).(*mls.ReceivedProposal)
		if string(got.Ref) != string(ref) || got.Sender != 1 || got.External || got.NewMember || !tc.good(&got.PendingProposal) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestProposeAsExternalSender: a server that is listed proposes, and the members
// commit it.
func TestProposeAsExternalSender(t *testing.T) {
	ctx := t.Context()
	cfg := mls.Config{WireFormat: mls.MixedCiphertext}
	alice, bob, server := newClient(t, "alice", cfg), newClient(t, "bob", cfg), newClient(t, "server", cfg)
	alice.cfg.Extensions = []mls.Extension{mls.ExternalSendersExtension(
		mls.ExternalSender{SignatureKey: alice.signer.Public(), Credential: alice.cred},
		mls.ExternalSender{SignatureKey: server.signer.Public(), Credential: server.cred})}
	alice.create()
	alice.add(nil, bob)
	to := mls.OutsideProposal{GroupID: alice.group.ID(), Epoch: alice.group.Epoch()}
	for _, p := range []mls.Proposal{mls.RemoveProposal(1), mls.PSKProposal(mls.ResumptionPSK(to.GroupID, to.Epoch))} {
		msg, err := mls.ProposeAsExternalSender(ctx, server.p.Crypto(), suite1, server.signer, 1, to, p)
		if err != nil {
			t.Fatal(err)
		}
		got := alice.process(msg).(*mls.ReceivedProposal)
		if !got.External || got.Sender != 1 {
			t.Errorf("received as %+v", got.PendingProposal)
		}
		bob.process(msg)
	}
	alice.commit(mls.CommitOptions{}, []*client{bob})
	if bob.group.IsActive() || alice.group.MemberCount() != 1 {
		t.Error("bob was not removed")
	}
	if _, err := mls.ProposeAsExternalSender(ctx, server.p.Crypto(), suite1, server.signer, 1, to, mls.UpdateProposal()); err == nil {
		t.Error("an external sender updated a leaf")
	}
	if _, err := mls.ProposeAsExternalSender(ctx, server.p.Crypto(), suite1, failingSigner{server.signer}, 1, to, mls.RemoveProposal(0)); err == nil {
		t.Error("proposal without a signature")
	}
}

// TestProposeToJoin: a client asks to be added, and comes in if the application
// agrees.
func TestProposeToJoin(t *testing.T) {
	ctx := t.Context()
	welcome := func(kp *mls.KeyPackage) bool { return string(kp.Credential().Identity) == "bob" }
	alice := newClient(t, "alice", mls.Config{WireFormat: mls.MixedCiphertext, AllowNewMember: welcome})
	bob, eve := newClient(t, "bob", mls.Config{}), newClient(t, "eve", mls.Config{})
	alice.create()
	to := mls.OutsideProposal{GroupID: alice.group.ID(), Epoch: alice.group.Epoch(), AAD: []byte("please")}
	ask := func(c *client) []byte {
		t.Helper()
		msg, err := mls.ProposeToJoin(ctx, c.p.Crypto(), c.signer, c.keyPackage(), to)
		if err != nil {
			t.Fatal(err)
		}
		return msg
	}
	if _, err := alice.group.Process(ctx, ask(eve), mls.ProcessOptions{}); !errors.Is(err, mls.ErrProposal) && !errors.Is(err, mls.ErrSender) {
		t.Errorf("eve asks: %v", err)
	}
	got := alice.process(ask(bob)).(*mls.ReceivedProposal)
	if !got.NewMember || string(got.KeyPackage.Credential().Identity) != "bob" {
		t.Errorf("received as %+v", got.PendingProposal)
	}
	alice.commit(mls.CommitOptions{}, nil, bob)
	agree(t, alice, bob)
	if _, err := mls.ProposeToJoin(ctx, eve.p.Crypto(), eve.signer, bob.keyPackage(), to); !errors.Is(err, mls.ErrSignerNotFound) {
		t.Errorf("another's key package: %v", err)
	}
}
