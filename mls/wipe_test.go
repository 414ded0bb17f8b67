package mls_test

import (
	"bytes"
	"context"
	"errors"
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
