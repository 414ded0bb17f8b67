package mls_test

import (
	"errors"
	"testing"

	"github.com/hardmls/hardmls/mls"
)

// stage processes a commit and returns it unmerged.
func (c *client) stage(msg []byte) *mls.StagedCommit {
	c.t.Helper()
	out, err := c.group.Process(c.t.Context(), msg, mls.ProcessOptions{})
	if err != nil {
		c.t.Fatalf("%s: process: %v", c.name, err)
	}
	st, ok := out.(*mls.StagedCommit)
	if !ok {
		c.t.Fatalf("%s: a commit is %T", c.name, out)
	}
	return st
}

// TestV218 lets two members commit in one epoch; whichever wins, the loser goes on
// in the winner's epoch, and a third member that has staged both can merge one.
func TestV218(t *testing.T) {
	for _, wire := range []mls.WireFormatPolicy{mls.PureCiphertext, mls.PurePlaintext} {
		for order := range 2 {
			alice, bob, carol := trio(t, mls.Config{WireFormat: wire})
			winner, loser := alice, bob
			if order == 1 {
				winner, loser = bob, alice
			}
			won, lost := winner.pendingCommit(mls.CommitOptions{}), loser.pendingCommit(mls.CommitOptions{})
			first, second := carol.stage(won), carol.stage(lost)
			if err := carol.group.Merge(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			var conflict *mls.EpochConflictError
			err := carol.group.Merge(t.Context(), second)
			if !errors.As(err, &conflict) || !errors.Is(err, mls.ErrEpochConflict) || conflict.Base+1 != conflict.Epoch || conflict.Winner == nil {
				t.Errorf("merge of the loser: %v", err)
			}
			second.Discard()
			if err := carol.group.Merge(t.Context(), first); !errors.Is(err, mls.ErrStagedUsed) {
				t.Errorf("second merge: %v", err)
			}
			if _, ok := winner.process(won).(*mls.OwnPendingCommit); !ok {
				t.Error("the winner does not know its own commit")
			}
			if err := winner.group.MergePending(t.Context()); err != nil {
				t.Fatal(err)
			}
			loser.process(won)
			if _, err := loser.group.Pending(); !errors.Is(err, mls.ErrNoPendingCommit) {
				t.Errorf("the loser's commit is pending still: %v", err)
			}
			if err := loser.group.MergePending(t.Context()); !errors.Is(err, mls.ErrNoPendingCommit) {
				t.Errorf("merge of the lost commit: %v", err)
			}
			agree(t, alice, bob, carol)
			for _, c := range []*client{winner, carol} {
				if _, err := c.group.Process(t.Context(), lost, mls.ProcessOptions{}); err == nil {
					t.Errorf("%s took the lost commit in the next epoch", c.name)
				}
			}
			for _, c := range []*client{alice, bob, carol} {
				if d, ok := c.process(won).(*mls.Duplicate); !ok || d.Reason != mls.AlreadyMerged {
					t.Errorf("%s: the winning commit again is %v", c.name, d)
				}
				c.reload()
			}
			agree(t, alice, bob, carol)
			loser.commit(mls.CommitOptions{}, []*client{winner, carol})
			agree(t, alice, bob, carol)
		}
	}
}

// TestDiscard: a staged commit that is discarded leaves the group as it was; it can
// be processed again, and be merged then.
func TestDiscard(t *testing.T) {
	for _, wire := range []mls.WireFormatPolicy{mls.PureCiphertext, mls.PurePlaintext} {
		alice, bob, carol := trio(t, mls.Config{WireFormat: wire})
		msg := alice.pendingCommit(mls.CommitOptions{})
		before := carol.state()
		st := carol.stage(msg)
		st.Discard()
		st.Discard()
		if err := carol.group.Merge(t.Context(), st); !errors.Is(err, mls.ErrStagedUsed) {
			t.Errorf("merge of a discarded commit: %v", err)
		}
		if carol.group.Epoch() != 1 {
			t.Error("epoch changed")
		}
		carol.unchanged(before, "a discarded commit")
		agree(t, bob, carol)
		if err := carol.group.Merge(t.Context(), carol.stage(msg)); err != nil {
			t.Fatalf("merge after discard: %v", err)
		}
		bob.process(msg)
		if err := alice.group.MergePending(t.Context()); err != nil {
			t.Fatal(err)
		}
		agree(t, alice, bob, carol)
	}
}

// TestDiscardPending: one commit at a time, and a discarded one leaves no trace.
func TestDiscardPending(t *testing.T) {
	alice, bob, carol := trio(t, mls.Config{})
	if err := alice.group.DiscardPending(t.Context()); !errors.Is(err, mls.ErrNoPendingCommit) {
		t.Errorf("nothing to discard: %v", err)
	}
	proposal := bob.propose(mls.UpdateProposal())
	alice.process(proposal)
	carol.process(proposal)
	first := alice.pendingCommit(mls.CommitOptions{})
	if _, err := alice.group.Commit(t.Context(), mls.CommitOptions{}); !errors.Is(err, mls.ErrPendingCommit) {
		t.Errorf("second commit: %v", err)
	}
	alice.reload()
	if _, err := alice.group.Commit(t.Context(), mls.CommitOptions{}); !errors.Is(err, mls.ErrPendingCommit) {
		t.Errorf("second commit after a reload: %v", err)
	}
	for range 2 {
		if err := alice.group.DiscardPending(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(alice.group.PendingProposals()); n != 1 {
			t.Errorf("%d proposals are pending, want 1", n)
		}
		alice.reload()
		alice.pendingCommit(mls.CommitOptions{})
	}
	if err := alice.group.DiscardPending(t.Context()); err != nil {
		t.Fatal(err)
	}
	alice.commit(mls.CommitOptions{}, []*client{bob, carol})
	agree(t, alice, bob, carol)
	for _, c := range []*client{bob, carol} {
		if _, err := c.group.Process(t.Context(), first, mls.ProcessOptions{}); err == nil {
			t.Errorf("%s took a discarded commit of the epoch before", c.name)
		}
	}
}

// TestForeignStaged: a commit is merged only where it was staged.
func TestForeignStaged(t *testing.T) {
	alice, bob, carol := trio(t, mls.Config{})
	msg := alice.pendingCommit(mls.CommitOptions{})
	if err := bob.group.Merge(t.Context(), carol.stage(msg)); err == nil {
		t.Error("merged another client's staged commit")
	}
	st := bob.stage(msg)
	bob.reload()
	if err := bob.group.Merge(t.Context(), st); err == nil {
		t.Error("merged a commit staged before a reload")
	}
	bob.process(msg)
	carol.process(msg)
	if err := alice.group.MergePending(t.Context()); err != nil {
		t.Fatal(err)
	}
	agree(t, alice, bob, carol)
}
