package mls_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hardmls/hardmls/mls"
)

// TestParallelCommit: of many commits at once one is made; of many merges of one
// commit one takes place; and the group agrees.
func TestParallelCommit(t *testing.T) {
	for _, wire := range []mls.WireFormatPolicy{mls.PureCiphertext, mls.PurePlaintext} {
		alice, bob, carol := trio(t, mls.Config{WireFormat: wire})
		for range 10 {
			var made, merged, pending atomic.Int32
			var mu sync.Mutex
			var msg []byte
			var wg sync.WaitGroup
			for range parallelWorkers {
				wg.Go(func() {
					b, err := alice.group.Commit(t.Context(), mls.CommitOptions{})
					switch {
					case err == nil:
						made.Add(1)
						mu.Lock()
						msg = b.Commit
						mu.Unlock()
					case !errors.Is(err, mls.ErrPendingCommit):
						t.Errorf("commit: %v", err)
					}
				})
			}
			wg.Wait()
			for range parallelWorkers {
				wg.Go(func() {
					out, err := carol.group.Process(t.Context(), msg, mls.ProcessOptions{})
					if err != nil && !errors.Is(err, mls.ErrEpoch) && !errors.Is(err, mls.ErrEpochChanged) {
						t.Errorf("process: %v", err)
					}
					if st, ok := out.(*mls.StagedCommit); ok {
						switch err := carol.group.Merge(t.Context(), st); {
						case err == nil:
							merged.Add(1)
						case !errors.Is(err, mls.ErrEpochConflict):
							t.Errorf("merge: %v", err)
						}
						st.Discard()
					}
				})
				wg.Go(func() {
					switch err := alice.group.MergePending(t.Context()); {
					case err == nil:
						pending.Add(1)
					case !errors.Is(err, mls.ErrNoPendingCommit):
						t.Errorf("merge pending: %v", err)
					}
				})
			}
			wg.Wait()
			if made.Load() != 1 || merged.Load() != 1 || pending.Load() != 1 {
				t.Fatalf("%d commits, %d merges, %d merges of the pending one", made.Load(), merged.Load(), pending.Load())
			}
			bob.process(msg)
			agree(t, alice, bob, carol)
		}
	}
}

// TestParallelPropose: every proposal made at once reaches the others.
func TestParallelPropose(t *testing.T) {
	for _, wire := range []mls.WireFormatPolicy{mls.PureCiphertext, mls.PurePlaintext} {
		alice, bob, carol := trio(t, mls.Config{WireFormat: wire, OutOfOrder: parallelWorkers})
		var mu sync.Mutex
		var msgs [][]byte
		var wg sync.WaitGroup
		for i := range parallelWorkers {
			wg.Go(func() {
				msg, _, err := bob.group.Propose(t.Context(), mls.UpdateProposal(), mls.ProposeOptions{AAD: []byte{byte(i)}})
				if err != nil {
					t.Errorf("propose: %v", err)
					return
				}
				mu.Lock()
				msgs = append(msgs, msg)
				mu.Unlock()
			})
		}
		wg.Wait()
		for _, msg := range msgs {
			for _, c := range []*client{alice, carol} {
				wg.Go(func() {
					if out, err := c.group.Process(t.Context(), msg, mls.ProcessOptions{}); err != nil {
						t.Errorf("%s: %v", c.name, err)
					} else if _, ok := out.(*mls.ReceivedProposal); !ok {
						t.Errorf("%s: %T", c.name, out)
					}
				})
			}
		}
		wg.Wait()
		for _, c := range []*client{alice, bob, carol} {
			if n := len(c.group.PendingProposals()); n != parallelWorkers {
				t.Errorf("%s has %d proposals", c.name, n)
			}
		}
		alice.commit(mls.CommitOptions{}, []*client{bob, carol})
		agree(t, alice, bob, carol)
	}
}
