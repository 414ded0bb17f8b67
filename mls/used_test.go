package mls_test

import (
	"encoding/binary"
	"testing"

	"github.com/hardmls/hardmls/internal/secrettree"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
)

// secretTree is the secret tree of an epoch of four leaves as the client's store has
// it, for a thief who knows nothing of retired epochs.
func (c *client) secretTree(epoch uint64) *secrettree.Tree {
	c.t.Helper()
	if err := c.group.Flush(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	var recs []secrettree.Record
	for rec, err := range c.store.Scan(c.t.Context(), provider.Key{Group: c.group.ID(), Epoch: epoch + 1}) {
		if err != nil {
			c.t.Fatal(err)
		}
		r := secrettree.Record{Value: append([]byte(nil), rec.Value...)}
		switch id := rec.Key.ID; rec.Key.Kind {
		case 5:
			r.Kind, r.Type, r.Leaf = secrettree.RatchetRecord, secrettree.Type(id[0]), treemath.LeafIndex(binary.BigEndian.Uint32(id[1:]))
		case 6:
			r.Kind, r.Node = secrettree.NodeRecord, treemath.NodeIndex(binary.BigEndian.Uint32(id))
		default:
			continue
		}
		recs = append(recs, r)
	}
	suite, err := c.p.Crypto().Suite(c.cfg.CipherSuite)
	if err != nil {
		c.t.Fatal(err)
	}
	tree, err := secrettree.Restore(suite, 4, secrettree.Limits{Forward: 10}, func(yield func(secrettree.Record) bool) {
		for _, r := range recs {
			if !yield(r) {
				return
			}
		}
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return tree
}

// TestHandshakeKeysEndWithTheirEpoch: the key of an encrypted handshake that was
// opened or made can't be derived from what is kept of its epoch, RFC 9420 §9.2.
func TestHandshakeKeysEndWithTheirEpoch(t *testing.T) {
	ctx := t.Context()
	for name, tc := range map[string]struct {
		used []treemath.LeafIndex // bob, at leaf 1, ends epoch 1 in which these sent
		run  func(t *testing.T, alice, bob, carol *client)
	}{
		"commit": {[]treemath.LeafIndex{0}, func(t *testing.T, alice, bob, _ *client) { alice.commit(mls.CommitOptions{}, []*client{bob}) }},
		"proposal and commit": {[]treemath.LeafIndex{0, 2}, func(t *testing.T, alice, bob, carol *client) {
			msg := carol.propose(mls.UpdateProposal())
			alice.process(msg)
			bob.process(msg)
			alice.commit(mls.CommitOptions{}, []*client{bob})
		}},
		"discarded commit": {[]treemath.LeafIndex{0, 2}, func(t *testing.T, alice, bob, carol *client) {
			bob.stage(carol.pendingCommit(mls.CommitOptions{})).Discard()
			alice.commit(mls.CommitOptions{}, []*client{bob})
		}},
		"refused commit": {[]treemath.LeafIndex{0, 2}, func(t *testing.T, alice, bob, carol *client) {
			alice.process(carol.propose(mls.UpdateProposal())) // bob does not get it
			msg := alice.pendingCommit(mls.CommitOptions{})
			if _, err := bob.group.Process(ctx, msg, mls.ProcessOptions{}); err == nil {
				t.Fatal("a commit of an unknown proposal was staged")
			}
			bob.process(carol.pendingCommit(mls.CommitOptions{WithoutPending: true}))
		}},
		"own commit": {[]treemath.LeafIndex{1}, func(t *testing.T, alice, bob, _ *client) { bob.commit(mls.CommitOptions{}, nil) }},
		"own commit after a crash": {[]treemath.LeafIndex{1}, func(t *testing.T, alice, bob, _ *client) {
			bob.pendingCommit(mls.CommitOptions{})
			bob.reload()
			if err := bob.group.MergePending(ctx); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			alice, bob, carol := trio(t, mls.Config{})
			tc.run(t, alice, bob, carol)
			if n := bob.group.Epoch(); n != 2 {
				t.Fatalf("epoch %d", n)
			}
			var op secrettree.Op
			tree := bob.secretTree(1)
			for _, leaf := range tc.used {
				for g := range uint32(3) {
					if err := tree.Peek(&op, leaf, secrettree.Handshake, g); err == nil {
						t.Errorf("the key of a handshake, leaf %d, generation %d, can be derived", leaf, g)
					}
				}
			}
			if err := tree.Peek(&op, 3, secrettree.Application, 0); err != nil {
				t.Errorf("a late message could not be opened: %v", err)
			}
		})
	}
}
