package mls_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/storage/mem"
)

// TestV013_GroupID: a group without an id would share its records with those of no
// group, so there is none; nor one whose id swells every record.
func TestV013_GroupID(t *testing.T) {
	ctx := t.Context()
	eve := newClient(t, "eve", mls.Config{GroupID: make([]byte, mls.MaxGroupID+1)})
	if _, err := mls.NewGroup(ctx, eve.p, eve.signer, eve.cred, eve.cfg); !errors.Is(err, mls.ErrLimit) {
		t.Errorf("new group: %v", err)
	}
	if _, err := mls.LoadGroup(ctx, eve.p, nil, mls.Signers(eve.signer), eve.cfg); err == nil {
		t.Error("loaded a group without an id")
	}
	eve.cfg.GroupID = nil
	eve.create()
	for name, id := range map[string][]byte{"empty": {}, "long": make([]byte, mls.MaxGroupID+1)} {
		_, _, err := eve.group.Propose(ctx, mls.ReInitProposal(id, suite1, nil), mls.ProposeOptions{})
		if !errors.Is(err, mls.ErrProposal) {
			t.Errorf("re-init to an %s id: %v", name, err)
		}
	}
}

// TestV013_JoinedGroupID: an invitation to a group without an id is refused, by
// Welcome as by external commit.
func TestV013_JoinedGroupID(t *testing.T) {
	ctx := t.Context()
	eve, bob := newClient(t, "eve", mls.Config{}), newClient(t, "bob", mls.Config{})
	welcome, info, err := mls.GroupWithoutID(ctx, eve.p, eve.signer, eve.cred, eve.cfg, bob.keyPackage())
	if err != nil {
		t.Fatal(err)
	}
	records := bob.store.(*mem.Store).Len()
	w, err := mls.OpenWelcome(ctx, bob.p, welcome, bob.cfg)
	if err == nil {
		_, err = w.Stage(ctx, bob.signer)
	}
	if !errors.Is(err, mls.ErrLimit) {
		t.Errorf("welcome: %v", err)
	}
	_, err = mls.JoinExternal(ctx, bob.p, info, bob.signer, bob.cred, bob.cfg, mls.ExternalOptions{})
	if !errors.Is(err, mls.ErrLimit) {
		t.Errorf("external commit: %v", err)
	}
	if n := bob.store.(*mem.Store).Len(); n != records {
		t.Errorf("%d records, before %d", n, records)
	}
}

// TestClearedUpdate: the key of an own Update outlives the proposal until the epoch
// ends, for a commit of it that is staged.
func TestClearedUpdate(t *testing.T) {
	ctx := t.Context()
	alice, bob := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{})
	_, keys := bob.faulty()
	alice.create()
	alice.add(nil, bob)
	alice.process(bob.propose(mls.UpdateProposal()))
	b, err := alice.group.Commit(ctx, mls.CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	st := bob.stage(b.Commit)
	if err := bob.group.ClearProposals(ctx); err != nil {
		t.Fatal(err)
	}
	if err := bob.group.Merge(ctx, st); err != nil {
		t.Fatal(err)
	}
	if err := alice.group.MergePending(ctx); err != nil {
		t.Fatal(err)
	}
	if n := keys.Live(); n != 1 {
		t.Errorf("%d keys after the merge", n)
	}
	agree(t, alice, bob)
	bob.reload()
	agree(t, alice, bob)
}

// onceSigner runs a hook before its first signature.
type onceSigner struct {
	provider.Signer
	once sync.Once
	hook func()
}

func (s *onceSigner) Sign(ctx context.Context, dst, msg []byte) ([]byte, error) {
	s.once.Do(s.hook)
	return s.Signer.Sign(ctx, dst, msg)
}

// TestRemoveIsNotRetried: a proposal to remove the member at a leaf is not made in
// another epoch, where somebody else may sit there; to leave is.
func TestRemoveIsNotRetried(t *testing.T) {
	ctx := t.Context()
	for name, leave := range map[string]bool{"remove": false, "leave": true} {
		alice, bob, carol, dave := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{}),
			newClient(t, "carol", mls.Config{}), newClient(t, "dave", mls.Config{})
		once := &onceSigner{Signer: alice.signer, hook: func() {}}
		alice.signer = once
		bob.create()
		bob.add(nil, alice, carol)
		leaf := carol.group.OwnIndex()
		b, err := bob.group.SwapMembers(ctx, []uint32{leaf}, dave.keyPackage())
		if err != nil {
			t.Fatal(err)
		}
		once.once, once.hook = sync.Once{}, func() { alice.process(b.Commit) }
		var ref mls.ProposalRef
		if leave {
			_, ref, err = alice.group.Leave(ctx, mls.ProposeOptions{})
		} else {
			_, ref, err = alice.group.Propose(ctx, mls.RemoveProposal(leaf), mls.ProposeOptions{})
		}
		if leave != (err == nil) || !leave && !errors.Is(err, mls.ErrEpochChanged) {
			t.Errorf("%s: %v, %v", name, ref, err)
		}
	}
}

// TestDiscardedCommit: a commit that was discarded and comes back all the same is
// told apart from an echo: the group has gone on without this client.
func TestDiscardedCommit(t *testing.T) {
	ctx := t.Context()
	for name, wire := range map[string]mls.WireFormatPolicy{"private": mls.PureCiphertext, "public": mls.PurePlaintext} {
		alice, bob := newClient(t, "alice", mls.Config{WireFormat: wire}), newClient(t, "bob", mls.Config{WireFormat: wire})
		alice.create()
		alice.add(nil, bob)
		b, err := alice.group.Commit(ctx, mls.CommitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := alice.group.DiscardPending(ctx); err != nil {
			t.Fatal(err)
		}
		before := alice.state()
		if _, err := alice.group.Process(ctx, b.Commit, mls.ProcessOptions{}); !errors.Is(err, mls.ErrDiscardedCommit) {
			t.Errorf("%s: %v", name, err)
		}
		alice.unchanged(before, name)
	}
}

// TestWrongSigner: a source of signers that gives another key's is found out when
// the group is loaded, not by who receives.
func TestWrongSigner(t *testing.T) {
	alice, bob := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{})
	alice.create()
	_, err := mls.LoadGroup(t.Context(), alice.p, alice.group.ID(), anySigner{bob.signer}, alice.cfg)
	if !errors.Is(err, mls.ErrSignerNotFound) {
		t.Errorf("got %v, want ErrSignerNotFound", err)
	}
}

type anySigner struct{ s provider.Signer }

func (s anySigner) Signer(context.Context, []byte) (provider.Signer, error) { return s.s, nil }

// TestLoweredLimits: a configuration that keeps less takes effect on what is in
// the store already.
func TestLoweredLimits(t *testing.T) {
	ctx := t.Context()
	alice := newClient(t, "alice", mls.Config{ResumptionPSKs: 10, PastEpochs: 10})
	alice.create()
	for range 8 {
		alice.commit(mls.CommitOptions{}, nil)
	}
	if _, err := alice.group.Commit(ctx, mls.CommitOptions{}); err != nil { // planned under the old limits
		t.Fatal(err)
	}
	fresh := newClient(t, "fresh", mls.Config{ResumptionPSKs: 2, PastEpochs: 1})
	fresh.create()
	for range 9 {
		fresh.commit(mls.CommitOptions{}, nil)
	}
	alice.cfg.ResumptionPSKs, alice.cfg.PastEpochs = 2, 1
	alice.reload()
	if err := alice.group.MergePending(ctx); err != nil {
		t.Fatal(err)
	}
	if got, want := alice.store.(*mem.Store).Len(), fresh.store.(*mem.Store).Len(); got != want {
		t.Errorf("%d records, a group that had these limits always has %d", got, want)
	}
}

// TestOutboxOutlivesEviction: Welcomes that were not sent yet are still owed to the
// members that they are for.
func TestOutboxOutlivesEviction(t *testing.T) {
	ctx := t.Context()
	alice, bob, carol := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{}), newClient(t, "carol", mls.Config{})
	alice.create()
	alice.add(nil, bob)
	b := bob.commit(mls.CommitOptions{Proposals: []mls.Proposal{mls.AddProposal(carol.keyPackage())}}, []*client{alice})
	alice.commit(mls.CommitOptions{Proposals: []mls.Proposal{mls.RemoveProposal(1)}}, []*client{bob})
	if bob.group.IsActive() {
		t.Fatal("bob was not removed")
	}
	bob.reload()
	out, err := bob.group.Outbox(ctx)
	if err != nil || len(out) != 1 || !bytes.Equal(out[0].Welcome, b.Welcome) {
		t.Fatalf("outbox of %d, %v", len(out), err)
	}
	if err := bob.group.Sent(ctx, out[0].ID); err != nil {
		t.Fatal(err)
	}
	if n := bob.store.(*mem.Store).Len(); n != 1 {
		t.Errorf("%d records of an evicted member, want the head", n)
	}
}

// TestConflictNamesWinner: a commit that lost says which commit won its epoch, not
// which came last.
func TestConflictNamesWinner(t *testing.T) {
	ctx := t.Context()
	alice, bob := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{})
	alice.create()
	alice.add(nil, bob)
	lost, err := bob.group.Commit(ctx, mls.CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	st := alice.stage(lost.Commit)
	won := alice.commit(mls.CommitOptions{}, []*client{bob})
	alice.commit(mls.CommitOptions{}, []*client{bob})
	var conflict *mls.EpochConflictError
	if err := alice.group.Merge(ctx, st); !errors.As(err, &conflict) {
		t.Fatal(err)
	}
	s, err := alice.p.Crypto().Suite(suite1)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, s.Params().Nh)
	s.Hash(want, won.Commit)
	if !bytes.Equal(conflict.Winner, want) {
		t.Errorf("winner %x, want %x", conflict.Winner, want)
	}
}

// TestFinishOnce: an incoming message is finished or aborted once.
func TestFinishOnce(t *testing.T) {
	ctx := t.Context()
	alice, bob := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{})
	alice.create()
	alice.add(nil, bob)
	in, err := bob.group.Begin(alice.send("x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Finish(ctx, mls.ProcessOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Finish(ctx, mls.ProcessOptions{}); !errors.Is(err, mls.ErrStagedUsed) {
		t.Errorf("second Finish: %v", err)
	}
	in.Abort()
	if in, err = bob.group.Begin(alice.send("y")); err != nil {
		t.Fatal(err)
	}
	in.Abort()
	if _, err := in.Finish(ctx, mls.ProcessOptions{}); !errors.Is(err, mls.ErrStagedUsed) {
		t.Errorf("Finish after Abort: %v", err)
	}
}

// TestCloseReturnsLease: a clean unload gives back the generations that it did not
// use.
func TestCloseReturnsLease(t *testing.T) {
	ctx := t.Context()
	alice, bob := newClient(t, "alice", mls.Config{LeaseSize: 50}), newClient(t, "bob", mls.Config{})
	alice.create()
	alice.add(nil, bob)
	for want := range uint32(3) {
		var info mls.MessageInfo
		msg, err := alice.group.CreateMessage(ctx, []byte("x"), mls.MessageOptions{Info: &info})
		if err != nil {
			t.Fatal(err)
		}
		bob.process(msg)
		if info.Generation != want {
			t.Errorf("generation %d, want %d", info.Generation, want)
		}
		if err := alice.group.Close(ctx); err != nil {
			t.Fatal(err)
		}
		alice.reload()
	}
}

// TestExternalSendersAreAuthenticated: who joins is asked about the external senders
// of the group as well.
func TestExternalSendersAreAuthenticated(t *testing.T) {
	ctx := t.Context()
	alice, bob := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{})
	alice.cfg.Extensions = []mls.Extension{mls.ExternalSendersExtension(
		mls.ExternalSender{SignatureKey: alice.signer.Public(), Credential: mls.BasicCredential([]byte("mallory"))})}
	alice.create()
	bob.cfg.Authenticator = mls.AuthenticatorFunc(func(_ context.Context, r mls.AuthRequest) error {
		if r.Use == mls.AuthExternalSender && string(r.Credential.Identity) == "mallory" {
			return errors.New("not trusted")
		}
		return nil
	})
	b, err := alice.group.AddMembers(ctx, bob.keyPackage())
	if err != nil {
		t.Fatal(err)
	}
	w, err := mls.OpenWelcome(ctx, bob.p, b.Welcome, bob.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Stage(ctx, bob.signer); !errors.Is(err, mls.ErrCredential) {
		t.Errorf("got %v, want ErrCredential", err)
	}
}

// TestMaxReceive: nothing longer than the limit is decoded, whatever it is.
func TestMaxReceive(t *testing.T) {
	ctx := t.Context()
	alice, bob := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{})
	alice.create()
	b, err := alice.group.AddMembers(ctx, bob.keyPackage())
	if err != nil {
		t.Fatal(err)
	}
	if err := alice.group.MergePending(ctx); err != nil {
		t.Fatal(err)
	}
	info := alice.groupInfo()
	kp := bob.keyPackage().Bytes()
	small := bob.cfg
	small.MaxReceive = 100
	alice.cfg.MaxReceive = 100
	alice.reload()
	p, err := alice.group.Observe()
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func() error{
		"welcome": func() error { _, err := mls.OpenWelcome(ctx, bob.p, b.Welcome, small); return err },
		"external join": func() error {
			_, err := mls.JoinExternal(ctx, bob.p, info, bob.signer, bob.cred, small, mls.ExternalOptions{})
			return err
		},
		"key package":    func() error { _, err := mls.ParseKeyPackage(bob.p.Crypto(), kp, small); return err },
		"public group":   func() error { _, err := mls.NewPublicGroup(ctx, bob.p.Crypto(), info, small); return err },
		"observed":       func() error { _, err := p.ValidateKeyPackage(kp); return err },
		"history":        func() error { _, err := alice.group.CompareGroupInfo(info); return err },
		"message":        func() error { _, err := alice.group.Process(ctx, kp, mls.ProcessOptions{}); return err },
		"opened message": func() error { _, err := alice.group.OpenMessage(ctx, nil, kp, nil); return err },
	} {
		if err := f(); !errors.Is(err, mls.ErrMessageTooLong) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
