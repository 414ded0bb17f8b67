package mls_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
	"github.com/hardmls/hardmls/storage/mem"
)

// client is one member under test with a store of its own.
type client struct {
	t      testing.TB
	name   string
	p      provider.Provider
	store  provider.Storage
	signer provider.Signer
	cred   mls.Credential
	cfg    mls.Config
	group  *mls.Group
}

// acceptAll is an authenticator for tests: everybody is who they say.
var acceptAll = mls.AuthenticatorFunc(func(context.Context, mls.AuthRequest) error { return nil })

func newClient(t testing.TB, name string, cfg mls.Config) *client {
	t.Helper()
	if cfg.Authenticator == nil {
		cfg.Authenticator = acceptAll
	}
	crypto := soft.New(soft.Options{})
	if cfg.CipherSuite == 0 {
		cfg.CipherSuite = provider.X25519_AES128GCM_SHA256_Ed25519
	}
	suite, err := crypto.Suite(cfg.CipherSuite)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := soft.NewSigner(crypto, suite)
	if err != nil {
		t.Fatal(err)
	}
	store := mem.New()
	return &client{t: t, name: name, store: store, signer: signer, cfg: cfg,
		p: provider.Bundle{Backend: crypto, Store: store}, cred: mls.BasicCredential([]byte(name))}
}

func (c *client) create() {
	c.t.Helper()
	g, err := mls.NewGroup(c.t.Context(), c.p, c.signer, c.cred, c.cfg)
	if err != nil {
		c.t.Fatalf("%s: create: %v", c.name, err)
	}
	c.group = g
}

func (c *client) keyPackage() *mls.KeyPackage {
	c.t.Helper()
	kp, err := mls.NewKeyPackage(c.t.Context(), c.p, c.signer, c.cred, c.cfg)
	if err != nil {
		c.t.Fatalf("%s: key package: %v", c.name, err)
	}
	parsed, err := mls.ParseKeyPackage(c.p.Crypto(), kp.Bytes(), c.cfg)
	if err != nil {
		c.t.Fatalf("%s: parse key package: %v", c.name, err)
	}
	return parsed
}

func (c *client) join(welcome []byte) {
	c.t.Helper()
	w, err := mls.OpenWelcome(c.t.Context(), c.p, welcome, c.cfg)
	if err != nil {
		c.t.Fatalf("%s: open welcome: %v", c.name, err)
	}
	sw, err := w.Stage(c.t.Context(), c.signer)
	if err != nil {
		c.t.Fatalf("%s: stage welcome: %v", c.name, err)
	}
	if c.group, err = sw.Join(c.t.Context()); err != nil {
		c.t.Fatalf("%s: join: %v", c.name, err)
	}
}

// process hands a message to the client and merges it if it is a commit.
func (c *client) process(msg []byte) mls.Processed {
	c.t.Helper()
	out, err := c.group.Process(c.t.Context(), msg, mls.ProcessOptions{})
	if err != nil {
		c.t.Fatalf("%s: process: %v", c.name, err)
	}
	if st, ok := out.(*mls.StagedCommit); ok {
		if err := c.group.Merge(c.t.Context(), st); err != nil {
			c.t.Fatalf("%s: merge: %v", c.name, err)
		}
	}
	return out
}

// commit makes, delivers and merges a commit of c, and lets added join.
func (c *client) commit(opt mls.CommitOptions, others []*client, added ...*client) *mls.CommitBundle {
	c.t.Helper()
	b, err := c.group.Commit(c.t.Context(), opt)
	if err != nil {
		c.t.Fatalf("%s: commit: %v", c.name, err)
	}
	for _, o := range others {
		o.process(b.Commit)
	}
	if err := c.group.MergePending(c.t.Context()); err != nil {
		c.t.Fatalf("%s: merge pending: %v", c.name, err)
	}
	for _, a := range added {
		a.join(b.Welcome)
	}
	return b
}

func (c *client) add(others []*client, added ...*client) {
	c.t.Helper()
	var opt mls.CommitOptions
	for _, a := range added {
		opt.Proposals = append(opt.Proposals, mls.AddProposal(a.keyPackage()))
	}
	c.commit(opt, others, added...)
}

// reload loads the client's group from its store again.
func (c *client) reload() {
	c.t.Helper()
	g, err := mls.LoadGroup(c.t.Context(), c.p, c.group.ID(), mls.Signers(c.signer), c.cfg)
	if err != nil {
		c.t.Fatalf("%s: load: %v", c.name, err)
	}
	c.group = g
}

// agree checks that clients are in one epoch, and that each reads the others.
func agree(t testing.TB, cs ...*client) {
	t.Helper()
	for _, c := range cs[1:] {
		if !bytes.Equal(c.group.EpochAuthenticator(), cs[0].group.EpochAuthenticator()) {
			t.Fatalf("%s and %s disagree on the epoch", c.name, cs[0].name)
		}
		if !bytes.Equal(c.group.TreeHash(), cs[0].group.TreeHash()) {
			t.Fatalf("%s and %s disagree on the tree", c.name, cs[0].name)
		}
	}
	for _, from := range cs {
		text := fmt.Appendf(nil, "hello from %s in epoch %d", from.name, from.group.Epoch())
		msg, err := from.group.CreateMessage(t.Context(), text, mls.MessageOptions{AAD: []byte("aad")})
		if err != nil {
			t.Fatalf("%s: send: %v", from.name, err)
		}
		for _, to := range cs {
			if to == from {
				continue
			}
			out, ok := to.process(msg).(*mls.ApplicationMessage)
			if !ok || !bytes.Equal(out.Data, text) || string(out.Info.AAD) != "aad" || out.Info.Sender != from.group.OwnIndex() {
				t.Fatalf("%s read %v from %s", to.name, out, from.name)
			}
		}
	}
}

// suites are those that a test of whole groups runs on.
func suites(t *testing.T, f func(t *testing.T, cfg mls.Config)) {
	for _, id := range provider.CipherSuites() {
		t.Run(fmt.Sprintf("suite=%d", id), func(t *testing.T) { f(t, mls.Config{CipherSuite: id}) })
	}
}

func TestGroupLife(t *testing.T) {
	suites(t, func(t *testing.T, cfg mls.Config) {
		for _, policy := range []mls.WireFormatPolicy{mls.PureCiphertext, mls.PurePlaintext, mls.MixedCiphertext, mls.MixedPlaintext} {
			cfg.WireFormat = policy
			testGroupLife(t, cfg)
		}
	})
}

func testGroupLife(t *testing.T, cfg mls.Config) {
	alice, bob, carol, dave := newClient(t, "alice", cfg), newClient(t, "bob", cfg), newClient(t, "carol", cfg), newClient(t, "dave", cfg)
	alice.create()
	alice.add(nil, bob, carol)
	agree(t, alice, bob, carol)
	bob.add([]*client{alice, carol}, dave)
	agree(t, alice, bob, carol, dave)
	carol.commit(mls.CommitOptions{}, []*client{alice, bob, dave})
	agree(t, alice, bob, carol, dave)

	msg, _, err := dave.group.Propose(t.Context(), mls.UpdateProposal(), mls.ProposeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*client{alice, bob, carol} {
		c.process(msg)
	}
	if _, err := bob.group.CreateMessage(t.Context(), nil, mls.MessageOptions{}); !errors.Is(err, mls.ErrPendingProposal) {
		t.Fatalf("send with a pending proposal: %v", err)
	}
	dave.reload()
	alice.reload()
	alice.commit(mls.CommitOptions{}, []*client{bob, carol, dave})
	agree(t, alice, bob, carol, dave)

	alice.commit(mls.CommitOptions{Proposals: []mls.Proposal{mls.RemoveProposal(bob.group.OwnIndex())}}, []*client{bob, carol, dave})
	agree(t, alice, carol, dave)
	if _, err := bob.group.CreateMessage(t.Context(), nil, mls.MessageOptions{}); !errors.Is(err, mls.ErrUseAfterEviction) {
		t.Fatalf("send after eviction: %v", err)
	}
	bob.reload()
	if bob.group.IsActive() {
		t.Fatal("bob is active after eviction and reload")
	}
	for _, c := range []*client{alice, carol, dave} {
		c.reload()
	}
	agree(t, alice, carol, dave)
}

func TestPendingCommitSurvivesReload(t *testing.T) {
	cfg := mls.Config{}
	alice, bob, carol := newClient(t, "alice", cfg), newClient(t, "bob", cfg), newClient(t, "carol", cfg)
	alice.create()
	alice.add(nil, bob)
	b, err := alice.group.AddMembers(t.Context(), carol.keyPackage())
	if err != nil {
		t.Fatal(err)
	}
	alice.reload()
	again, err := alice.group.Pending()
	if err != nil || !bytes.Equal(again.Commit, b.Commit) || !bytes.Equal(again.Welcome, b.Welcome) {
		t.Fatalf("pending commit is not the same after reload: %v", err)
	}
	bob.process(b.Commit)
	if _, ok := alice.process(b.Commit).(*mls.OwnPendingCommit); !ok {
		t.Fatal("own commit not recognised")
	}
	if err := alice.group.MergePending(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, err := alice.group.Outbox(t.Context())
	if err != nil || len(out) != 2 || !bytes.Equal(out[1].Welcome, b.Welcome) {
		t.Fatalf("outbox of %d: %v", len(out), err)
	}
	carol.join(out[1].Welcome)
	for _, w := range out {
		if err := alice.group.Sent(t.Context(), w.ID); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := alice.group.Outbox(t.Context()); err != nil || len(out) != 0 {
		t.Fatalf("outbox of %d after sending: %v", len(out), err)
	}
	agree(t, alice, bob, carol)
}

func TestExternalJoin(t *testing.T) {
	suites(t, func(t *testing.T, cfg mls.Config) {
		cfg.ExternalCommits = mls.AcceptExternalCommits
		alice, bob, carol := newClient(t, "alice", cfg), newClient(t, "bob", cfg), newClient(t, "carol", cfg)
		alice.create()
		alice.add(nil, bob)
		for resync := range 2 {
			gi, err := alice.group.GroupInfo(t.Context(), mls.GroupInfoOptions{ExternalPub: true})
			if err != nil {
				t.Fatal(err)
			}
			var opt mls.ExternalOptions
			if resync == 1 {
				own := carol.group.OwnIndex()
				opt.Resync = &own
			}
			x, err := mls.JoinExternal(t.Context(), carol.p, gi, carol.signer, carol.cred, carol.cfg, opt)
			if err != nil {
				t.Fatal(err)
			}
			alice.process(x.Commit())
			bob.process(x.Commit())
			if carol.group, err = x.Merge(t.Context()); err != nil {
				t.Fatal(err)
			}
			agree(t, alice, bob, carol)
		}
	})
}

func TestPSK(t *testing.T) {
	alice, bob := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{})
	alice.create()
	alice.add(nil, bob)
	agree(t, alice, bob)
	opt := mls.CommitOptions{Proposals: []mls.Proposal{
		mls.PSKProposal(mls.ExternalPSK([]byte("k"))),
		mls.PSKProposal(mls.ResumptionPSK(alice.group.ID(), alice.group.Epoch())),
	}}
	var missing *mls.PSKError
	if _, err := alice.group.Commit(t.Context(), opt); !errors.As(err, &missing) || len(missing.IDs) != 1 {
		t.Fatalf("commit without the key: %v", err)
	}
	for _, c := range []*client{alice, bob} {
		if err := mls.PutPSK(t.Context(), c.p, []byte("k"), []byte("secret")); err != nil {
			t.Fatal(err)
		}
	}
	alice.commit(opt, []*client{bob})
	agree(t, alice, bob)
}

func TestLateMessages(t *testing.T) {
	alice, bob, carol := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{}), newClient(t, "carol", mls.Config{})
	alice.create()
	alice.add(nil, bob, carol)
	late, err := bob.group.CreateMessage(t.Context(), []byte("late"), mls.MessageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// Bob is replaced at his leaf: the late message is still his.
	dave := newClient(t, "dave", mls.Config{})
	alice.commit(mls.CommitOptions{Proposals: []mls.Proposal{mls.RemoveProposal(bob.group.OwnIndex()), mls.AddProposal(dave.keyPackage())}},
		[]*client{carol}, dave)
	if dave.group.OwnIndex() != 1 {
		t.Fatalf("dave sits at %d", dave.group.OwnIndex())
	}
	alice.reload()
	for _, c := range []*client{alice, carol} {
		if m, ok := c.process(late).(*mls.ApplicationMessage); !ok || string(m.Data) != "late" {
			t.Fatalf("%s lost the late message", c.name)
		}
		if d, ok := c.process(late).(*mls.Duplicate); !ok || d.Reason != mls.Replay {
			t.Fatalf("%s took a replay", c.name)
		}
	}
	for range mls.DefaultPastEpochs {
		alice.commit(mls.CommitOptions{}, []*client{carol, dave})
	}
	if _, err := carol.group.Process(t.Context(), late, mls.ProcessOptions{}); !errors.Is(err, mls.ErrEpochGone) {
		t.Fatalf("message of a dropped epoch: %v", err)
	}
}
