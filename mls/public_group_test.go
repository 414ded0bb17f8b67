package mls_test

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/hardmls/hardmls/mls"
)

// observe begins to observe the client's group as a delivery service does: from a
// GroupInfo and a tree that came apart.
func (c *client) observe() *mls.PublicGroup {
	c.t.Helper()
	gi, err := c.group.GroupInfo(c.t.Context(), mls.GroupInfoOptions{NoRatchetTree: true})
	if err != nil {
		c.t.Fatal(err)
	}
	cfg := mls.Config{Authenticator: acceptAll, AllowNewMember: func(*mls.KeyPackage) bool { return true },
		ExternalCommits: mls.AcceptExternalJoins}
	if _, err := mls.NewPublicGroup(c.t.Context(), c.p.Crypto(), gi, cfg); !errors.Is(err, mls.ErrNoRatchetTree) {
		c.t.Errorf("observing without the tree: %v", err)
	}
	p, err := mls.NewPublicGroup(c.t.Context(), c.p.Crypto(), gi, cfg, mls.WithRatchetTree(c.group.RatchetTree()))
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// observeMessage hands a message to the observer and merges it if it is a commit.
func observeMessage(t *testing.T, p *mls.PublicGroup, msg []byte) mls.Processed {
	t.Helper()
	out, err := p.Process(t.Context(), msg)
	if err != nil {
		t.Fatalf("observer: %v", err)
	}
	if c, ok := out.(*mls.PublicCommit); ok {
		if err := p.Merge(c); err != nil {
			t.Fatalf("observer: merge: %v", err)
		}
	}
	return out
}

// sees checks that the observer and a member see the same group.
func sees(t *testing.T, p *mls.PublicGroup, c *client) {
	t.Helper()
	names := func(ms []mls.Member) (out []string) {
		for _, m := range ms {
			out = append(out, string(m.Credential.Identity))
		}
		return out
	}
	switch {
	case p.Epoch() != c.group.Epoch():
		t.Errorf("observer is in epoch %d, %s in %d", p.Epoch(), c.name, c.group.Epoch())
	case !bytes.Equal(p.TreeHash(), c.group.TreeHash()) || !bytes.Equal(p.RatchetTree(), c.group.RatchetTree()):
		t.Error("observer sees another tree")
	case !bytes.Equal(p.ConfirmationTag(), c.group.ConfirmationTag()):
		t.Error("observer sees another confirmation tag")
	case !slices.Equal(names(p.Members()), names(c.group.Members())) || p.MemberCount() != c.group.MemberCount():
		t.Errorf("observer sees %v", names(p.Members()))
	case len(p.PendingProposals()) != len(c.group.PendingProposals()):
		t.Errorf("observer has %d proposals", len(p.PendingProposals()))
	}
}

// reloaded returns the observer after a restart.
func reloaded(t *testing.T, p *mls.PublicGroup, c *client) *mls.PublicGroup {
	t.Helper()
	state := p.AppendState(nil)
	q, err := mls.LoadPublicGroup(c.p.Crypto(), state, mls.Config{Authenticator: acceptAll, ExternalCommits: mls.AcceptExternalJoins})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(q.AppendState(nil), state) {
		t.Error("state changed by loading it")
	}
	for n := range len(state) {
		if _, err := mls.LoadPublicGroup(c.p.Crypto(), state[:n], mls.Config{Authenticator: acceptAll}); err == nil {
			t.Fatalf("loaded %d of %d bytes", n, len(state))
		}
	}
	return q
}

// TestPublicGroup: an observer follows a group through everything that happens in
// the open, and after a restart.
func TestPublicGroup(t *testing.T) {
	ctx := t.Context()
	cfg := mls.Config{WireFormat: mls.PurePlaintext, ExternalCommits: mls.AcceptExternalJoins}
	alice, bob, carol, dave := newClient(t, "alice", cfg), newClient(t, "bob", cfg), newClient(t, "carol", cfg), newClient(t, "dave", cfg)
	alice.create()
	p := alice.observe()
	sees(t, p, alice)
	kp := bob.keyPackage()
	if _, err := p.ValidateKeyPackage(kp.Bytes()); err != nil {
		t.Errorf("key package: %v", err)
	}
	b := alice.commit(mls.CommitOptions{Proposals: []mls.Proposal{mls.AddProposal(kp), mls.AddProposal(carol.keyPackage())}}, nil, bob, carol)
	out := observeMessage(t, p, b.Commit).(*mls.PublicCommit)
	if len(out.Added()) != 2 || out.Committer() != 0 || out.Epoch() != 1 {
		t.Errorf("summary: added %v, committer %d, epoch %d", out.Added(), out.Committer(), out.Epoch())
	}
	if _, err := p.ValidateKeyPackage(kp.Bytes()); !errors.Is(err, mls.ErrList) && !errors.Is(err, mls.ErrLeaf) {
		t.Errorf("key package of a member: %v", err)
	}
	sees(t, p, bob)

	msg := bob.propose(mls.UpdateProposal())
	alice.process(msg)
	carol.process(msg)
	observeMessage(t, p, msg)
	if d, ok := observeMessage(t, p, msg).(*mls.Duplicate); !ok || d.Reason != mls.Replay {
		t.Error("the same proposal again")
	}
	sees(t, p, alice)
	p = reloaded(t, p, alice)
	sees(t, p, alice)
	b = carol.commit(mls.CommitOptions{}, []*client{alice, bob})
	observeMessage(t, p, b.Commit)
	if d, ok := observeMessage(t, p, b.Commit).(*mls.Duplicate); !ok || d.Reason != mls.AlreadyMerged {
		t.Error("the same commit again")
	}
	sees(t, p, bob)

	gi, err := alice.group.GroupInfo(ctx, mls.GroupInfoOptions{ExternalPub: true})
	if err != nil {
		t.Fatal(err)
	}
	x, err := mls.JoinExternal(ctx, dave.p, gi, dave.signer, dave.cred, dave.cfg, mls.ExternalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*client{alice, bob, carol} {
		c.process(x.Commit())
	}
	observeMessage(t, p, x.Commit())
	sees(t, p, alice)

	same, err := alice.group.Observe()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(same.AppendState(nil), p.AppendState(nil)) {
		t.Error("what a member hands to an observer is not what the observer knows")
	}

	b = alice.commit(mls.CommitOptions{Proposals: []mls.Proposal{mls.ReInitProposal([]byte("next"), suite2, nil)}}, []*client{bob, carol})
	observeMessage(t, p, b.Commit)
	p = reloaded(t, p, alice)
	if r, ok := p.ReInit(); !ok || string(r.GroupID) != "next" {
		t.Errorf("re-init: %+v, %v", r, ok)
	}
}

// TestPublicGroupOrder: a delivery service lets one commit of an epoch win, and
// says which epoch it misses.
func TestPublicGroupOrder(t *testing.T) {
	ctx := t.Context()
	cfg := mls.Config{WireFormat: mls.PurePlaintext}
	alice, bob := newClient(t, "alice", cfg), newClient(t, "bob", cfg)
	alice.create()
	alice.add(nil, bob)
	p, late := alice.observe(), alice.observe()
	a, err := alice.group.Commit(ctx, mls.CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := bob.group.Commit(ctx, mls.CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*mls.CommitBundle{a, b} {
		if err := p.ValidateCommit(ctx, c.Commit); err != nil {
			t.Errorf("commit of the epoch: %v", err)
		}
	}
	first, err := p.Process(ctx, a.Commit)
	if err != nil {
		t.Fatal(err)
	}
	second, err := p.Process(ctx, b.Commit)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Merge(second.(*mls.PublicCommit)); err != nil {
		t.Fatal(err)
	}
	if err := p.Merge(first.(*mls.PublicCommit)); !errors.Is(err, mls.ErrEpochConflict) {
		t.Errorf("second merge of an epoch: %v", err)
	}
	if err := p.ValidateCommit(ctx, a.Commit); !errors.Is(err, mls.ErrEpoch) {
		t.Errorf("commit that lost: %v", err)
	}
	if err := bob.group.MergePending(ctx); err != nil {
		t.Fatal(err)
	}
	alice.process(b.Commit)
	msg := alice.propose(mls.UpdateProposal())
	observeMessage(t, p, msg)
	before := late.AppendState(nil)
	var gap *mls.EpochGapError
	if _, err := late.Process(ctx, msg); !errors.As(err, &gap) || gap.Have != 1 || gap.Message != 2 || !errors.Is(err, mls.ErrEpoch) {
		t.Errorf("message of a later epoch: %v", err)
	}
	observeMessage(t, late, b.Commit)
	observeMessage(t, late, msg)
	sees(t, late, alice)
	if bytes.Equal(before, late.AppendState(nil)) {
		t.Error("nothing changed")
	}
}

// TestPublicGroupRefuses: what is tampered with, encrypted or of another group
// changes nothing.
func TestPublicGroupRefuses(t *testing.T) {
	ctx := t.Context()
	cfg := mls.Config{WireFormat: mls.PurePlaintext}
	alice, bob, other := newClient(t, "alice", cfg), newClient(t, "bob", cfg), newClient(t, "other", cfg)
	alice.create()
	alice.add(nil, bob)
	other.create()
	p := alice.observe()
	before := p.AppendState(nil)
	if _, err := p.Process(ctx, alice.send("hello")); !errors.Is(err, mls.ErrEncrypted) {
		t.Errorf("application message: %v", err)
	}
	if _, err := p.Process(ctx, other.propose(mls.UpdateProposal())); !errors.Is(err, mls.ErrGroup) {
		t.Errorf("message of another group: %v", err)
	}
	if _, err := p.Process(ctx, alice.keyPackage().Bytes()); !errors.Is(err, mls.ErrUnsupported) {
		t.Errorf("key package: %v", err)
	}
	b, err := bob.group.Commit(ctx, mls.CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// Membership and confirmation tags are beyond an observer; they come last.
	nh := 32
	for i := range b.Commit[:len(b.Commit)-2*(nh+1)] {
		msg := bytes.Clone(b.Commit)
		msg[i] ^= 0x40
		if out, err := p.Process(ctx, msg); err == nil {
			t.Fatalf("byte %d changed: %T", i, out)
		}
	}
	for n := range len(b.Commit) {
		if _, err := p.Process(ctx, b.Commit[:n]); err == nil {
			t.Fatalf("%d of %d bytes accepted", n, len(b.Commit))
		}
	}
	if !bytes.Equal(before, p.AppendState(nil)) {
		t.Error("refused messages changed the observer")
	}
	observeMessage(t, p, b.Commit)
}

// TestPublicGroupReaders: many read while one processes.
func TestPublicGroupReaders(t *testing.T) {
	cfg := mls.Config{WireFormat: mls.PurePlaintext}
	alice := newClient(t, "alice", cfg)
	alice.create()
	p := alice.observe()
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if len(p.Members()) != 1 || len(p.RatchetTree()) == 0 {
						t.Error("reader sees a broken group")
						return
					}
				}
			}
		})
	}
	for range 20 {
		observeMessage(t, p, alice.commit(mls.CommitOptions{}, nil).Commit)
	}
	close(stop)
	readers.Wait()
	sees(t, p, alice)
}
