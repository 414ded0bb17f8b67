package mls_test

import (
	"sync"
	"testing"

	"github.com/hardmls/hardmls/mls"
)

// duplicate processes a message that brings nothing new.
func (c *client) duplicate(msg []byte, reason mls.DuplicateReason) {
	c.t.Helper()
	before := c.state()
	out := c.process(msg)
	if d, ok := out.(*mls.Duplicate); !ok || d.Reason != reason {
		c.t.Errorf("%s: got %#v, want a duplicate of reason %d", c.name, out, reason)
	}
	c.unchanged(before, "a duplicate")
}

// TestDuplicates delivers messages again, to those who read them and to whoever
// sent them, also after a reload.
func TestDuplicates(t *testing.T) {
	for _, wire := range []mls.WireFormatPolicy{mls.PureCiphertext, mls.PurePlaintext} {
		alice, bob, carol := trio(t, mls.Config{WireFormat: wire})
		text := bob.send("text")
		update := bob.propose(mls.UpdateProposal())
		for _, c := range []*client{alice, carol} {
			c.accept(text)
			c.accept(update)
		}
		for range 2 {
			bob.duplicate(text, mls.OwnEcho)
			bob.duplicate(update, mls.OwnEcho)
			for _, c := range []*client{alice, carol} {
				c.duplicate(text, mls.Replay)
				c.duplicate(update, mls.Replay)
			}
			for _, c := range []*client{alice, bob, carol} {
				c.reload()
			}
		}
		b := alice.commit(mls.CommitOptions{}, []*client{bob, carol})
		for range 2 {
			for _, c := range []*client{alice, bob, carol} {
				c.duplicate(b.Commit, mls.AlreadyMerged)
				c.reload()
			}
		}
		agree(t, alice, bob, carol)
	}
}

// TestParallelDuplicates delivers one proposal to 16 goroutines at once: it is
// stored once.
func TestParallelDuplicates(t *testing.T) {
	for _, wire := range []mls.WireFormatPolicy{mls.PureCiphertext, mls.PurePlaintext} {
		for range 20 {
			alice, bob, carol := trio(t, mls.Config{WireFormat: wire})
			msg := bob.propose(mls.UpdateProposal())
			var mu sync.Mutex
			received := 0
			var wg sync.WaitGroup
			for range parallelWorkers {
				wg.Go(func() {
					out, err := carol.group.Process(t.Context(), msg, mls.ProcessOptions{})
					if err != nil {
						t.Errorf("process: %v", err)
					}
					mu.Lock()
					defer mu.Unlock()
					if _, ok := out.(*mls.ReceivedProposal); ok {
						received++
					}
				})
			}
			wg.Wait()
			if n := len(carol.group.PendingProposals()); n != 1 || received != 1 {
				t.Fatalf("wire format %d: %d proposals stored, %d received, want 1", wire, n, received)
			}
			carol.reload()
			if n := len(carol.group.PendingProposals()); n != 1 {
				t.Fatalf("%d proposals after a reload", n)
			}
			alice.process(msg)
			carol.commit(mls.CommitOptions{}, []*client{alice, bob})
			agree(t, alice, bob, carol)
		}
	}
}
