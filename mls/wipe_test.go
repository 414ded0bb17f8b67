package mls_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
)

// lentValues is a store that remembers the values it was lent, not copies of them.
type lentValues struct {
	provider.Storage
	values [][]byte
	err    error // of the next Apply, which does nothing then
}

func (s *lentValues) Apply(ctx context.Context, b *provider.Batch) error {
	for _, rec := range b.Put {
		s.values = append(s.values, rec.Value)
	}
	if err := s.err; err != nil {
		s.err = nil
		return err
	}
	return s.Storage.Apply(ctx, b)
}

// lending gives the client a store that remembers.
func (c *client) lending() *lentValues {
	s := &lentValues{Storage: c.store}
	c.store = s
	c.p = provider.Bundle{Backend: c.p.Crypto(), Store: s}
	return s
}

// isWiped reports whether nothing is left in b.
func isWiped(b []byte) bool { return bytes.Equal(b, make([]byte, len(b))) }

// TestBatchesAreWiped: of what a batch held nothing stays in memory, whatever it was
// written for.
func TestBatchesAreWiped(t *testing.T) {
	ctx := t.Context()
	alice, bob := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{})
	lent := bob.lending()
	alice.create()
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"key package and join", func() error { alice.add(nil, bob); return nil }},
		{"receive", func() error { bob.process(alice.send("hello")); return bob.group.Flush(ctx) }},
		{"send", func() error { bob.send("hello"); return nil }},
		{"propose", func() error { alice.process(bob.propose(mls.UpdateProposal())); return nil }},
		{"receive, then commit", func() error {
			out := bob.process(alice.propose(mls.RemoveProposal(1)))
			_, err := bob.group.Commit(ctx, mls.CommitOptions{Filter: func(p mls.PendingProposal) bool {
				return string(p.Ref) != string(out.(*mls.ReceivedProposal).Ref)
			}})
			return err
		}},
		{"merge of the own commit", func() error {
			b, err := bob.group.Pending()
			if err == nil {
				alice.process(b.Commit)
				err = bob.group.MergePending(ctx)
			}
			return err
		}},
		{"merge", func() error {
			bob.process(alice.send("hello"))
			b, err := alice.group.Commit(ctx, mls.CommitOptions{})
			if err == nil {
				bob.process(b.Commit)
				err = alice.group.MergePending(ctx)
			}
			return err
		}},
		{"close", func() error { bob.send("bye"); return bob.group.Close(ctx) }},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		left := 0
		for _, v := range lent.values {
			if !isWiped(v) {
				left++
			}
		}
		if left > 0 || len(lent.values) == 0 {
			t.Errorf("%s: %d of %d values are in memory still", step.name, left, len(lent.values))
		}
		lent.values = nil
	}
}

// TestFailedMergeKeepsItsBatch: what a staged commit will write outlives a store
// that fails, and nothing else does.
func TestFailedMergeKeepsItsBatch(t *testing.T) {
	ctx := t.Context()
	alice, bob := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{})
	lent := bob.lending()
	alice.create()
	alice.add(nil, bob)
	b, err := alice.group.Commit(ctx, mls.CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	st := bob.stage(b.Commit)
	bob.process(alice.send("late"))
	lent.values, lent.err = nil, errors.New("disk is full")
	if err := bob.group.Merge(ctx, st); err == nil {
		t.Fatal("merged on a full disk")
	}
	failed := lent.values
	wiped := 0
	for _, v := range failed {
		if isWiped(v) {
			wiped++
		}
	}
	if wiped < 4 { // the epoch that ends, the head, the ratchets of the late message
		t.Errorf("only %d values are wiped after the failure", wiped)
	}
	if err := bob.group.Merge(ctx, st); err != nil {
		t.Fatal(err)
	}
	for _, v := range append(failed, lent.values...) {
		if !isWiped(v) {
			t.Error("a value is in memory after the merge")
		}
	}
	if err := alice.group.MergePending(ctx); err != nil {
		t.Fatal(err)
	}
	agree(t, alice, bob)
	bob.reload()
	agree(t, alice, bob)
}

// lentRefs is a custody that remembers the references it gave out and was lent, not
// copies of them.
type lentRefs struct {
	provider.Keys
	mu   sync.Mutex
	refs []provider.KeyRef
}

func (k *lentRefs) lend(ref provider.KeyRef) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refs = append(k.refs, ref)
}

func (k *lentRefs) Generate(ctx context.Context, s provider.Suite, use provider.KeyUse) (provider.DecryptionKey, provider.KeyRef, error) {
	key, ref, err := k.Keys.Generate(ctx, s, use)
	k.lend(ref)
	return key, ref, err
}

func (k *lentRefs) Load(ctx context.Context, s provider.Suite, ref provider.KeyRef) (provider.DecryptionKey, error) {
	k.lend(ref)
	return k.Keys.Load(ctx, s, ref)
}

func (k *lentRefs) Delete(ctx context.Context, ref provider.KeyRef) error {
	k.lend(ref)
	return k.Keys.Delete(ctx, ref)
}

// TestReferencesAreWiped: a reference can be the private key itself, so none is in
// memory for longer than its key is of use.
func TestReferencesAreWiped(t *testing.T) {
	ctx := t.Context()
	update := func(_, bob *client) error {
		_, _, err := bob.group.Propose(ctx, mls.UpdateProposal(), mls.ProposeOptions{})
		return err
	}
	win := func(alice, bob *client) error {
		b, err := alice.group.Commit(ctx, mls.CommitOptions{})
		if err != nil {
			return err
		}
		bob.process(b.Commit)
		return alice.group.MergePending(ctx)
	}
	commit := func(_, bob *client) error {
		_, err := bob.group.Commit(ctx, mls.CommitOptions{WithoutPending: true})
		return err
	}
	merge := func(_, bob *client) error { return bob.group.MergePending(ctx) }
	must := func(err error) error {
		if err == nil {
			return errors.New("no error")
		}
		return nil
	}
	for name, steps := range map[string][]func(alice, bob *client) error{
		"own update committed": {
			func(alice, bob *client) error { alice.process(bob.propose(mls.UpdateProposal())); return nil }, win},
		"own update lost":          {update, win},
		"own commit":               {update, commit, merge},
		"own commit, then another": {commit, merge, commit, merge},
		"own commit lost":          {commit, win},
		"own commit discarded":     {commit, func(_, bob *client) error { return bob.group.DiscardPending(ctx) }},
		"loaded with both": {update, commit, func(_, bob *client) error {
			if err := bob.group.Close(ctx); err != nil {
				return err
			}
			bob.reload()
			return nil
		}, win},
		"update fails": {func(alice, bob *client) error {
			bob.store.(*lentValues).err = errors.New("disk is full")
			return must(update(alice, bob))
		}},
		"commit fails": {func(_, bob *client) error {
			_, err := bob.group.Commit(ctx, mls.CommitOptions{Signer: failingSigner{bob.signer}})
			return must(err)
		}},
		"deleted with both": {update, commit, func(_, bob *client) error { return bob.group.Delete(ctx) }},
	} {
		t.Run(name, func(t *testing.T) {
			alice, bob := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{})
			bob.lending()
			keys := &lentRefs{Keys: provider.KeysOf(bob.p)}
			bob.p = provider.Bundle{Backend: bob.p.Crypto(), Store: bob.store, Custody: []provider.Keys{keys}}
			alice.create()
			alice.add(nil, bob)
			keys.refs = nil // the key package's
			for i, step := range steps {
				if err := step(alice, bob); err != nil {
					t.Fatalf("step %d: %v", i, err)
				}
			}
			if err := bob.group.Close(ctx); err != nil && !errors.Is(err, mls.ErrClosed) {
				t.Fatal(err)
			}
			for i, ref := range keys.refs {
				if !isWiped(ref) {
					t.Errorf("reference %d of %d is in memory still", i, len(keys.refs))
				}
			}
			if len(keys.refs) == 0 {
				t.Error("no key was used")
			}
		})
	}
}

// TestWelcomeReferencesAreWiped: what becomes of a Welcome, its references do not stay.
func TestWelcomeReferencesAreWiped(t *testing.T) {
	ctx := t.Context()
	stage := func(bob *client, w *mls.Welcome) *mls.StagedWelcome {
		sw, err := w.Stage(ctx, bob.signer)
		if err != nil {
			t.Fatal(err)
		}
		return sw
	}
	for name, end := range map[string]func(alice, bob *client, w *mls.Welcome){
		"closed":    func(_, _ *client, w *mls.Welcome) { w.Close() },
		"discarded": func(_, bob *client, w *mls.Welcome) { stage(bob, w).Discard() },
		"refused": func(alice, _ *client, w *mls.Welcome) {
			if _, err := w.Stage(ctx, alice.signer); err == nil {
				t.Error("staged with another's signer")
			}
		},
		"joined": func(alice, bob *client, w *mls.Welcome) {
			g, err := stage(bob, w).Join(ctx)
			if err != nil {
				t.Fatal(err)
			}
			bob.group = g
			agree(t, alice, bob)
			if err := g.Close(ctx); err != nil {
				t.Fatal(err)
			}
		},
	} {
		for _, lastResort := range []bool{false, true} {
			alice, bob := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{LastResort: lastResort})
			keys := &lentRefs{Keys: provider.KeysOf(bob.p)}
			bob.p = provider.Bundle{Backend: bob.p.Crypto(), Store: bob.store, Custody: []provider.Keys{keys}}
			alice.create()
			b := alice.commit(mls.CommitOptions{Proposals: []mls.Proposal{mls.AddProposal(bob.keyPackage())}}, nil)
			w, err := mls.OpenWelcome(ctx, bob.p, b.Welcome, bob.cfg)
			if err != nil {
				t.Fatal(err)
			}
			end(alice, bob, w)
			for i, ref := range keys.refs {
				if !isWiped(ref) {
					t.Errorf("%s, last resort %v: reference %d of %d is in memory still", name, lastResort, i, len(keys.refs))
				}
			}
		}
	}
}
