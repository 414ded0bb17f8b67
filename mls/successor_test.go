package mls_test

import (
	"errors"
	"testing"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
)

const (
	suite1 = provider.X25519_AES128GCM_SHA256_Ed25519
	suite2 = provider.P256_AES128GCM_SHA256_P256
)

// inSuite returns the client as it is in a group of another suite: with a signer
// of its own there, and the same store.
func (c *client) inSuite(suite provider.CipherSuite) *client {
	c.t.Helper()
	s, err := c.p.Crypto().Suite(suite)
	if err != nil {
		c.t.Fatal(err)
	}
	d := *c
	d.group = nil
	d.cfg.CipherSuite, d.cfg.GroupID, d.cfg.Extensions = suite, nil, nil
	if d.signer, err = soft.NewSigner(c.p.Crypto(), s); err != nil {
		c.t.Fatal(err)
	}
	return &d
}

// goOn returns the options for c to make a successor with the others.
func (c *client) goOn(others ...*client) mls.SuccessorOptions {
	c.t.Helper()
	opt := mls.SuccessorOptions{Signer: c.signer, Credential: c.cred, Config: c.cfg}
	for _, o := range others {
		opt.KeyPackages = append(opt.KeyPackages, o.keyPackage())
	}
	return opt
}

// reInitialized returns three clients whose group was re-initialised to suite 2
// under the id "next", with an extension.
func reInitialized(t *testing.T) (alice, bob, carol *client, ext []mls.Extension) {
	t.Helper()
	cfg := mls.Config{Capabilities: mls.Capabilities{Extensions: []uint16{0xF100}}}
	alice, bob, carol = newClient(t, "alice", cfg), newClient(t, "bob", cfg), newClient(t, "carol", cfg)
	alice.create()
	alice.add(nil, bob, carol)
	ext = []mls.Extension{{Type: 0xF100, Data: []byte("terms")}}
	msg, _, err := carol.group.Propose(t.Context(), mls.ReInitProposal([]byte("next"), suite2, ext), mls.ProposeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	alice.process(msg)
	bob.process(msg)
	alice.commit(mls.CommitOptions{}, []*client{bob, carol})
	return alice, bob, carol, ext
}

// TestReInit: one member proposes, another commits, a third makes the successor,
// all of them after a restart; the old group says where it went.
func TestReInit(t *testing.T) {
	ctx := t.Context()
	alice, bob, carol, ext := reInitialized(t)
	for _, c := range []*client{alice, bob, carol} {
		c.reload()
		if c.group.IsActive() {
			t.Errorf("%s: old group is active", c.name)
		}
		r, ok := c.group.ReInit()
		if !ok || string(r.GroupID) != "next" || r.CipherSuite != suite2 || len(r.Extensions) != 1 || string(r.Extensions[0].Data) != "terms" {
			t.Errorf("%s: terms %+v, %v", c.name, r, ok)
		}
		if _, err := c.group.CreateMessage(ctx, []byte("x"), mls.MessageOptions{}); !errors.Is(err, mls.ErrReInitialized) {
			t.Errorf("%s: send in the old group: %v", c.name, err)
		}
		if _, _, err := c.group.Branch(ctx, mls.SuccessorOptions{}); !errors.Is(err, mls.ErrReInitialized) {
			t.Errorf("%s: branch of the old group: %v", c.name, err)
		}
	}
	a, b, c := alice.inSuite(suite2), bob.inSuite(suite2), carol.inSuite(suite2)
	next, welcome, err := bob.group.Successor(ctx, b.goOn(a, c))
	if err != nil {
		t.Fatal(err)
	}
	b.group = next
	if string(next.ID()) != "next" || next.CipherSuite() != suite2 || next.Epoch() != 1 || len(next.Extensions()) != len(ext) {
		t.Errorf("successor %q, suite %v, epoch %d", next.ID(), next.CipherSuite(), next.Epoch())
	}
	b.reload()
	out, err := b.group.Outbox(ctx)
	if err != nil || len(out) != 1 || string(out[0].Welcome) != string(welcome) {
		t.Fatalf("outbox: %d entries, %v", len(out), err)
	}
	a.join(welcome)
	c.join(welcome)
	agree(t, a, b, c)
	a.commit(mls.CommitOptions{}, []*client{b, c})
	agree(t, a, b, c)
}

// TestReInitKeepNone: the successor needs the resumption secret even if none is
// kept for the application.
func TestReInitKeepNone(t *testing.T) {
	cfg := mls.Config{ResumptionPSKs: mls.KeepNone}
	alice, bob := newClient(t, "alice", cfg), newClient(t, "bob", cfg)
	alice.create()
	alice.add(nil, bob)
	alice.commit(mls.CommitOptions{Proposals: []mls.Proposal{mls.ReInitProposal([]byte("next"), suite1, nil)}}, []*client{bob})
	a, b := alice.inSuite(suite1), bob.inSuite(suite1)
	var welcome []byte
	var err error
	if a.group, welcome, err = alice.group.Successor(t.Context(), a.goOn(b)); err != nil {
		t.Fatal(err)
	}
	b.join(welcome)
	agree(t, a, b)
}

// refuseWelcome opens a Welcome to a successor, which must fail one of the checks.
func (c *client) refuseWelcome(t *testing.T, welcome []byte, id mls.Check) {
	t.Helper()
	w, err := mls.OpenWelcome(t.Context(), c.p, welcome, c.cfg)
	if err == nil {
		_, err = w.Stage(t.Context(), c.signer)
	}
	wantCheck(t, err, id)
}

// TestV201_SuccessorTerms: a joiner refuses a successor that is not what the ReInit
// said, and so does who makes it. Each refusal leaves the genuine Welcome good.
func TestV201_SuccessorTerms(t *testing.T) {
	ctx := t.Context()
	alice, bob, carol, ext := reInitialized(t)
	a, b, c := alice.inSuite(suite2), bob.inSuite(suite2), carol.inSuite(suite2)
	epoch := alice.group.Epoch()
	all := []mls.Credential{a.cred, b.cred, c.cred}

	if _, _, err := alice.group.Successor(ctx, a.goOn(b)); err == nil {
		t.Error("successor without carol")
	} else {
		wantCheck(t, err, 201)
	}
	dave := newClient(t, "dave", mls.Config{CipherSuite: suite2, Capabilities: a.cfg.Capabilities})
	_, _, err := alice.group.Successor(ctx, a.goOn(b, c, dave))
	wantCheck(t, err, 201)

	a1, b1 := alice.inSuite(suite1), bob.inSuite(suite1)
	good := mls.FalseSuccessor{Epoch: epoch, GroupID: []byte("next"), Suite: suite2, Extensions: ext, Members: all}
	for name, tc := range map[string]struct {
		change func(f *mls.FalseSuccessor)
		maker  *client
		others []*client
		joiner *client
	}{
		"id":         {func(f *mls.FalseSuccessor) { f.GroupID = []byte("elsewhere") }, a, []*client{b, c}, b},
		"suite":      {func(f *mls.FalseSuccessor) { f.Suite = suite1 }, a1, []*client{b1, carol.inSuite(suite1)}, b1},
		"extensions": {func(f *mls.FalseSuccessor) { f.Extensions = nil }, a, []*client{b, c}, b},
		"absent":     {func(f *mls.FalseSuccessor) { f.Members = all[:2] }, a, []*client{b}, b},
		"stranger":   {func(f *mls.FalseSuccessor) { f.Members = append(all[:3:3], dave.cred) }, a, []*client{b, c, dave}, b},
		"epoch":      {func(f *mls.FalseSuccessor) { f.Epoch-- }, a, []*client{b, c}, b},
	} {
		t.Run(name, func(t *testing.T) {
			f := good
			tc.change(&f)
			g, welcome, err := alice.group.GoOnFalsely(ctx, f, tc.maker.goOn(tc.others...))
			if err != nil {
				t.Fatal(err)
			}
			tc.joiner.refuseWelcome(t, welcome, 201)
			if err := g.Delete(ctx); err != nil {
				t.Fatal(err)
			}
		})
	}
	next, welcome, err := alice.group.Successor(ctx, a.goOn(b, c))
	if err != nil {
		t.Fatal(err)
	}
	a.group = next
	b.join(welcome)
	c.join(welcome)
	agree(t, a, b, c)
}

// TestV201_NotReInitialized: there is no successor of a group that goes on, and a
// Welcome that claims to be one is refused.
func TestV201_NotReInitialized(t *testing.T) {
	alice, bob := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{})
	alice.create()
	alice.add(nil, bob)
	if _, _, err := alice.group.Successor(t.Context(), mls.SuccessorOptions{}); !errors.Is(err, mls.ErrNotReInitialized) {
		t.Errorf("successor of a live group: %v", err)
	}
	a, b := alice.inSuite(suite1), bob.inSuite(suite1)
	_, welcome, err := alice.group.GoOnFalsely(t.Context(), mls.FalseSuccessor{Epoch: 1, GroupID: []byte("next"), Suite: suite1,
		Members: []mls.Credential{a.cred, b.cred}}, a.goOn(b))
	if err != nil {
		t.Fatal(err)
	}
	b.refuseWelcome(t, welcome, 201)
}

// TestBranch: some members branch off; the old group goes on, and a branch of a
// branch works as well.
func TestBranch(t *testing.T) {
	ctx := t.Context()
	alice, bob, carol := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{}), newClient(t, "carol", mls.Config{})
	alice.create()
	alice.add(nil, bob, carol)
	a, c := alice.inSuite(suite1), carol.inSuite(suite1)
	next, welcome, err := carol.group.Branch(ctx, c.goOn(a))
	if err != nil {
		t.Fatal(err)
	}
	c.group = next
	// The old group moves on before alice joins.
	bob.commit(mls.CommitOptions{}, []*client{alice, carol})
	a.join(welcome)
	agree(t, a, c)
	agree(t, alice, bob, carol)
	alice.reload()
	agree(t, alice, bob, carol)

	aa, cc := a.inSuite(suite1), c.inSuite(suite1)
	if aa.group, welcome, err = a.group.Branch(ctx, aa.goOn(cc)); err != nil {
		t.Fatal(err)
	}
	cc.join(welcome)
	agree(t, aa, cc)
}

// TestV202_BranchTerms: a joiner refuses a branch of another suite or with a
// stranger, and so does who makes it.
func TestV202_BranchTerms(t *testing.T) {
	ctx := t.Context()
	alice, bob := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{})
	alice.create()
	alice.add(nil, bob)
	dave := newClient(t, "dave", mls.Config{})
	a, b := alice.inSuite(suite1), bob.inSuite(suite1)
	_, _, err := alice.group.Branch(ctx, a.goOn(b, dave))
	wantCheck(t, err, 202)

	f := mls.FalseSuccessor{Branch: true, Epoch: 1, GroupID: []byte("branch"), Suite: suite1,
		Members: []mls.Credential{a.cred, b.cred, dave.cred}}
	_, welcome, err := alice.group.GoOnFalsely(ctx, f, a.goOn(b, dave))
	if err != nil {
		t.Fatal(err)
	}
	b.refuseWelcome(t, welcome, 202)

	a2, b2 := alice.inSuite(suite2), bob.inSuite(suite2)
	f.GroupID, f.Suite = []byte("other"), suite2
	if _, welcome, err = alice.group.GoOnFalsely(ctx, f, a2.goOn(b2)); err != nil {
		t.Fatal(err)
	}
	b2.refuseWelcome(t, welcome, 202)

	// Dave, who is not in the old group, has not its secret.
	if _, err := mls.OpenWelcome(ctx, dave.p, welcome, dave.cfg); !errors.Is(err, mls.ErrNoKeyPackage) {
		t.Errorf("stranger: %v", err)
	}
	if err := bob.group.Delete(ctx); err != nil {
		t.Fatal(err)
	}
	if _, welcome, err = alice.group.Branch(ctx, a.goOn(b)); err != nil {
		t.Fatal(err)
	}
	b.refuseWelcome(t, welcome, 202)
}

// TestNewGroupWithMembers: a group of three in one batch, which a crash can't
// leave half made.
func TestNewGroupWithMembers(t *testing.T) {
	ctx := t.Context()
	alice, bob, carol := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{}), newClient(t, "carol", mls.Config{})
	keys := alice.counted()
	g, welcome, err := mls.NewGroupWithMembers(ctx, alice.p, alice.signer, alice.cred, alice.cfg, bob.keyPackage(), carol.keyPackage())
	if err != nil {
		t.Fatal(err)
	}
	alice.group = g
	keys.want(t, 1, "after making a group of three")
	bob.join(welcome)
	carol.join(welcome)
	alice.reload()
	agree(t, alice, bob, carol)
	out, err := alice.group.Outbox(ctx)
	if err != nil || len(out) != 1 {
		t.Fatalf("outbox: %d entries, %v", len(out), err)
	}
	if err := alice.group.Sent(ctx, out[0].ID); err != nil {
		t.Fatal(err)
	}
	bob.signer = failingSigner{bob.signer}
	before := bob.counted()
	if _, _, err := mls.NewGroupWithMembers(ctx, bob.p, bob.signer, bob.cred, bob.cfg, carol.keyPackage()); err == nil {
		t.Error("made a group without a signature")
	}
	before.want(t, 0, "after a failure")
}
