package mls_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
)

// faulty puts a store that fails on demand, and a custody that counts, behind the
// client.
func (c *client) faulty() (*providertest.FaultStorage, *providertest.FaultKeys) {
	keys := providertest.NewFaultKeys(provider.KeysOf(c.p))
	store := providertest.NewFaultStorage(c.store)
	c.p = provider.Bundle{Backend: c.p.Crypto(), Custody: []provider.Keys{keys}, Store: store}
	return store, keys
}

// unknown makes op's first Apply one whose outcome it is not told, although the
// store has it.
func unknown(t *testing.T, store *providertest.FaultStorage, apply int, op func() error) {
	t.Helper()
	store.Fault = providertest.FailUnknownApplied
	store.FailAt(apply)
	err := op()
	store.FailAt()
	if !errors.Is(err, provider.ErrOutcomeUnknown) {
		t.Fatalf("got %v, want an unknown outcome", err)
	}
}

// other is a second owner of the client's store and group.
func (c *client) other() *client {
	o := *c
	o.reload()
	return &o
}

func pair(t *testing.T, cfg mls.Config) (alice, bob *client, store *providertest.FaultStorage) {
	t.Helper()
	alice, bob = newClient(t, "alice", mls.Config{}), newClient(t, "bob", cfg)
	store, _ = bob.faulty()
	alice.create()
	alice.add(nil, bob)
	return alice, bob, store
}

// TestUnknownOutcomeKeepsWhatWasReceived: while it is not known whether a batch was
// applied, messages are received as ever, and nothing of that is lost when it is.
func TestUnknownOutcomeKeepsWhatWasReceived(t *testing.T) {
	ctx := t.Context()
	for name, policy := range map[string]mls.ReceivePolicy{"on flush": mls.OnFlush, "each message": mls.EachMessage} {
		t.Run(name, func(t *testing.T) {
			alice, bob, store := pair(t, mls.Config{Receive: policy})
			early := alice.send("early")
			in, err := bob.group.Begin(early)
			if err != nil {
				t.Fatal(err)
			}
			b, err := alice.group.Commit(ctx, mls.CommitOptions{})
			if err != nil {
				t.Fatal(err)
			}
			st := bob.stage(b.Commit)
			unknown(t, store, 0, func() error { return bob.group.Sent(ctx, 7) })

			msg := alice.send("pay 100")
			if _, err := bob.group.Process(ctx, msg, mls.ProcessOptions{Cursor: []byte("after pay")}); err != nil {
				t.Fatal(err)
			}
			if err := bob.group.Flush(ctx); err != nil {
				t.Fatal(err)
			}
			bob.duplicate(msg, mls.Replay)
			if _, err := in.Finish(ctx, mls.ProcessOptions{}); err != nil {
				t.Errorf("message between Begin and Finish: %v", err)
			}
			if err := bob.group.Flush(ctx); err != nil {
				t.Fatal(err)
			}
			if err := bob.group.Merge(ctx, st); err != nil {
				t.Errorf("commit staged before: %v", err)
			}
			if err := alice.group.MergePending(ctx); err != nil {
				t.Fatal(err)
			}
			bob.reload()
			if got := bob.group.Delivered(); string(got) != "after pay" {
				t.Errorf("cursor %q after a restart", got)
			}
			bob.duplicate(msg, mls.Replay)
			agree(t, alice, bob)
		})
	}
}

// TestUnknownMerge: a merge whose outcome was unknown can be called again, and so
// can the making of a commit, which then finds the one that is pending.
func TestUnknownMerge(t *testing.T) {
	ctx := t.Context()
	alice, bob, store := pair(t, mls.Config{})
	b, err := alice.group.Commit(ctx, mls.CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	st := bob.stage(b.Commit)
	unknown(t, store, 0, func() error { return bob.group.Merge(ctx, st) })
	st.Discard() // does nothing to a commit that may be merged
	if err := bob.group.Merge(ctx, st); err != nil {
		t.Fatalf("second merge: %v", err)
	}
	if err := bob.group.Merge(ctx, st); !errors.Is(err, mls.ErrStagedUsed) {
		t.Errorf("third merge: %v", err)
	}
	if err := alice.group.MergePending(ctx); err != nil {
		t.Fatal(err)
	}
	agree(t, alice, bob)

	unknown(t, store, 0, func() error { _, err := bob.group.Commit(ctx, mls.CommitOptions{}); return err })
	if _, err := bob.group.Commit(ctx, mls.CommitOptions{}); !errors.Is(err, mls.ErrPendingCommit) {
		t.Errorf("second commit: %v", err)
	}
	own, err := bob.group.Pending()
	if err != nil {
		t.Fatal(err)
	}
	alice.process(own.Commit)
	if err := bob.group.MergePending(ctx); err != nil {
		t.Fatal(err)
	}
	agree(t, alice, bob)
}

// TestUnknownLeaseIsGivenUp: generations that another owner of the store may have
// reserved by the same record are used by nobody.
func TestUnknownLeaseIsGivenUp(t *testing.T) {
	ctx := t.Context()
	alice, bob, store := pair(t, mls.Config{LeaseSize: 4})
	unknown(t, store, 0, func() error {
		_, err := bob.group.CreateMessage(ctx, []byte("x"), mls.MessageOptions{})
		return err
	})
	other := bob.other() // which loaded the group now
	var info mls.MessageInfo
	msg, err := bob.group.CreateMessage(ctx, []byte("x"), mls.MessageOptions{Info: &info})
	if err != nil {
		t.Fatal(err)
	}
	if info.Generation < 4 {
		t.Errorf("generation %d of a lease whose owner is unknown", info.Generation)
	}
	if got := alice.process(msg).(*mls.ApplicationMessage); string(got.Data) != "x" {
		t.Errorf("read %q", got.Data)
	}
	if err := bob.group.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := other.group.CreateMessage(ctx, []byte("x"), mls.MessageOptions{}); !errors.Is(err, mls.ErrFenced) {
		t.Errorf("other owner: %v, want ErrFenced", err)
	}
}

// TestUnknownIsAnothers: if another owner made the version that a batch of unknown
// outcome would have made, the group is fenced.
func TestUnknownIsAnothers(t *testing.T) {
	ctx := t.Context()
	_, bob, store := pair(t, mls.Config{})
	other := bob.other()
	store.Fault = providertest.FailUnknownLost
	store.FailAt(0)
	if _, err := bob.group.Commit(ctx, mls.CommitOptions{}); !errors.Is(err, provider.ErrOutcomeUnknown) {
		t.Fatal(err)
	}
	store.FailAt()
	if _, _, err := other.group.Propose(ctx, mls.UpdateProposal(), mls.ProposeOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.group.Commit(ctx, mls.CommitOptions{}); !errors.Is(err, mls.ErrFenced) {
		t.Errorf("got %v, want ErrFenced", err)
	}
	if err := bob.group.Close(ctx); err != nil {
		t.Errorf("close of a fenced group: %v", err)
	}
	if err := bob.group.Export(make([]byte, 32), "x", nil); !errors.Is(err, mls.ErrClosed) {
		t.Errorf("export of a closed group: %v", err)
	}
}

// TestUnknownJoin: joining finds out by itself whether it has joined, and never
// takes its own new key for an old one.
func TestUnknownJoin(t *testing.T) {
	ctx := t.Context()
	cfg := mls.Config{ExternalCommits: mls.AcceptExternalCommits}
	alice, bob, carol := newClient(t, "alice", cfg), newClient(t, "bob", cfg), newClient(t, "carol", cfg)
	alice.create()
	store, keys := bob.faulty()
	b, err := alice.group.AddMembers(ctx, bob.keyPackage())
	if err != nil {
		t.Fatal(err)
	}
	if err := alice.group.MergePending(ctx); err != nil {
		t.Fatal(err)
	}
	w, err := mls.OpenWelcome(ctx, bob.p, b.Welcome, bob.cfg)
	if err != nil {
		t.Fatal(err)
	}
	sw, err := w.Stage(ctx, bob.signer)
	if err != nil {
		t.Fatal(err)
	}
	unknown(t, store, 0, func() error { _, err := sw.Join(ctx); return err })
	if bob.group, err = sw.Join(ctx); err != nil {
		t.Fatal(err)
	}
	agree(t, alice, bob)
	if n := keys.Live(); n != 1 {
		t.Errorf("%d keys after joining", n)
	}

	gi, err := alice.group.GroupInfo(ctx, mls.GroupInfoOptions{ExternalPub: true})
	if err != nil {
		t.Fatal(err)
	}
	store, keys = carol.faulty()
	x, err := mls.JoinExternal(ctx, carol.p, gi, carol.signer, carol.cred, carol.cfg, mls.ExternalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	alice.process(x.Commit())
	bob.process(x.Commit())
	unknown(t, store, 1, func() error { _, err := x.Merge(ctx); return err })
	if carol.group, err = x.Merge(ctx); err != nil {
		t.Fatal(err)
	}
	if n := keys.Live(); n != 1 {
		t.Errorf("%d keys after joining externally", n)
	}
	carol.duplicate(x.Commit(), mls.AlreadyMerged)
	agree(t, alice, bob, carol)

	own := carol.group.OwnIndex()
	if gi, err = alice.group.GroupInfo(ctx, mls.GroupInfoOptions{ExternalPub: true}); err != nil {
		t.Fatal(err)
	}
	if x, err = mls.JoinExternal(ctx, carol.p, gi, carol.signer, carol.cred, carol.cfg, mls.ExternalOptions{Resync: &own}); err != nil {
		t.Fatal(err)
	}
	alice.process(x.Commit())
	unknown(t, store, 5, func() error { _, err := x.Merge(ctx); return err })
	if err := x.Discard(ctx); err != nil {
		t.Fatal(err)
	}
	carol.reload()
	agree(t, alice, carol)
}

// stuckStorage holds each Apply until it is told how it ends.
type stuckStorage struct {
	provider.Storage
	begun chan struct{}
	end   chan error
}

func (s *stuckStorage) Apply(ctx context.Context, b *provider.Batch) error {
	if s.begun == nil {
		return s.Storage.Apply(ctx, b)
	}
	s.begun <- struct{}{}
	if err := <-s.end; err != nil {
		return err
	}
	return s.Storage.Apply(ctx, b)
}

// TestFlushWaits: what one Flush is writing is not durable yet for another.
func TestFlushWaits(t *testing.T) {
	ctx := t.Context()
	alice, bob := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{})
	stuck := &stuckStorage{Storage: bob.store}
	bob.p = provider.Bundle{Backend: bob.p.Crypto(), Store: stuck}
	alice.create()
	alice.add(nil, bob)
	bob.process(alice.send("x"))
	stuck.begun, stuck.end = make(chan struct{}), make(chan error)
	results := make(chan error, 2)
	go func() { results <- bob.group.Flush(ctx) }()
	<-stuck.begun
	go func() { results <- bob.group.Flush(ctx) }()
	full := errors.New("disk full")
	stuck.end <- full
	<-stuck.begun // the second one writes what the first could not
	select {
	case err := <-results:
		if !errors.Is(err, full) {
			t.Errorf("first flush: %v", err)
		}
	case <-ctx.Done():
	}
	stuck.end <- nil
	if err := <-results; err != nil {
		t.Errorf("second flush: %v", err)
	}
}

// TestCursorOfCommit: the delivery cursor of a commit is written with its merge,
// not before, else a crash between loses the commit.
func TestCursorOfCommit(t *testing.T) {
	ctx := t.Context()
	alice, bob := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{})
	alice.create()
	alice.add(nil, bob)
	b, err := alice.group.Commit(ctx, mls.CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	process := func(c *client) mls.Processed {
		t.Helper()
		out, err := c.group.Process(ctx, b.Commit, mls.ProcessOptions{Cursor: []byte("commit")})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.group.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		if got := c.group.Delivered(); len(got) > 0 {
			t.Errorf("%s: delivered %q before the merge", c.name, got)
		}
		return out
	}
	delivered := func(c *client) {
		t.Helper()
		c.reload()
		if got := c.group.Delivered(); !bytes.Equal(got, []byte("commit")) {
			t.Errorf("%s: delivered %q after the merge", c.name, got)
		}
	}
	process(bob)
	bob.reload() // a crash: the commit is delivered again
	st := process(bob).(*mls.StagedCommit)
	if err := bob.group.Merge(ctx, st); err != nil {
		t.Fatal(err)
	}
	delivered(bob)
	process(alice)
	if err := alice.group.MergePending(ctx); err != nil {
		t.Fatal(err)
	}
	delivered(alice)
	if b, err = alice.group.Commit(ctx, mls.CommitOptions{}); err != nil {
		t.Fatal(err)
	}
	bob.group.Process(ctx, b.Commit, mls.ProcessOptions{Cursor: []byte("refused")})
	out, err := bob.group.Process(ctx, b.Commit, mls.ProcessOptions{Cursor: []byte("refused")})
	if err != nil {
		t.Fatal(err)
	}
	out.(*mls.StagedCommit).Discard()
	if got := bob.group.Delivered(); string(got) != "refused" {
		t.Errorf("delivered %q after discarding", got)
	}
}
