package mls_test

import (
	"context"
	"errors"
	"testing"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
)

// TestKeepNone: without past epochs a late message is lost at once, and without
// resumption PSKs none is found.
func TestKeepNone(t *testing.T) {
	cfg := mls.Config{PastEpochs: mls.KeepNone, ResumptionPSKs: mls.KeepNone}
	alice, bob := newClient(t, "alice", cfg), newClient(t, "bob", cfg)
	alice.create()
	alice.add(nil, bob)
	late, err := alice.group.CreateMessage(t.Context(), []byte("late"), mls.MessageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	alice.commit(mls.CommitOptions{}, []*client{bob})
	bob.reload()
	if _, err := bob.group.Process(t.Context(), late, mls.ProcessOptions{}); !errors.Is(err, mls.ErrEpochGone) {
		t.Errorf("late message: %v", err)
	}
	psk := mls.PSKProposal(mls.ResumptionPSK(alice.group.ID(), alice.group.Epoch()))
	if _, err := alice.group.Commit(t.Context(), mls.CommitOptions{Proposals: []mls.Proposal{psk}}); !errors.Is(err, mls.ErrPSK) {
		t.Errorf("resumption PSK: %v", err)
	}
	agree(t, alice, bob)
	cfg.MaxMessage = mls.KeepNone
	cfg.Authenticator = acceptAll
	if _, err := mls.NewGroup(t.Context(), alice.p, alice.signer, alice.cred, cfg); err == nil {
		t.Error("KeepNone as a limit was accepted")
	}
}

// TestExternalJoinerIsAdded: who joins by an external commit is among the added.
func TestExternalJoinerIsAdded(t *testing.T) {
	alice, carol := newClient(t, "alice", mls.Config{ExternalCommits: mls.AcceptExternalJoins}), newClient(t, "carol", mls.Config{})
	alice.create()
	gi, err := alice.group.GroupInfo(t.Context(), mls.GroupInfoOptions{ExternalPub: true})
	if err != nil {
		t.Fatal(err)
	}
	x, err := mls.JoinExternal(t.Context(), carol.p, gi, carol.signer, carol.cred, carol.cfg, mls.ExternalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := alice.group.Process(t.Context(), x.Commit(), mls.ProcessOptions{})
	if err != nil {
		t.Fatal(err)
	}
	added := out.(*mls.StagedCommit).Added()
	if len(added) != 1 || string(added[0].Credential.Identity) != "carol" {
		t.Errorf("added: %+v", added)
	}
}

// TestV145_ExternalCommits: who may join on its own is the members' choice, nobody by
// default, and their Authenticator is asked about each, one who comes back included.
func TestV145_ExternalCommits(t *testing.T) {
	ctx := t.Context()
	for policy, allowed := range map[mls.ExternalCommitPolicy]struct{ join, resync bool }{
		mls.RefuseExternalCommits: {},
		mls.AcceptExternalJoins:   {join: true},
		mls.AcceptExternalCommits: {join: true, resync: true},
	} {
		var asked []mls.AuthRequest
		alice, bob, carol := newClient(t, "alice", mls.Config{ExternalCommits: policy}), newClient(t, "bob", mls.Config{}), newClient(t, "carol", mls.Config{})
		alice.create()
		alice.add(nil, bob)
		observer, err := alice.group.Observe()
		if err != nil {
			t.Fatal(err)
		}
		alice.cfg.Authenticator = mls.AuthenticatorFunc(func(_ context.Context, r mls.AuthRequest) error {
			asked = append(asked, r)
			return nil
		})
		alice.reload()
		gi, err := alice.group.GroupInfo(ctx, mls.GroupInfoOptions{ExternalPub: true})
		if err != nil {
			t.Fatal(err)
		}
		old := bob.group.OwnIndex()
		for _, tc := range []struct {
			who     *client
			opt     mls.ExternalOptions
			allowed bool
		}{{carol, mls.ExternalOptions{}, allowed.join}, {bob, mls.ExternalOptions{Resync: &old}, allowed.resync}} {
			x, err := mls.JoinExternal(ctx, tc.who.p, gi, tc.who.signer, tc.who.cred, tc.who.cfg, tc.opt)
			if err != nil {
				t.Fatal(err)
			}
			asked = nil
			out, err := alice.group.Process(ctx, x.Commit(), mls.ProcessOptions{})
			_, seen := observer.Process(ctx, x.Commit())
			var refused *mls.ValidationError
			switch {
			case !tc.allowed:
				if !errors.As(err, &refused) || refused.Check.String() != "V145" || len(asked) > 0 {
					t.Errorf("policy %d, %s: %v, asked %d times", policy, tc.who.name, err, len(asked))
				}
				if !errors.As(seen, &refused) || refused.Check.String() != "V145" {
					t.Errorf("policy %d, %s: observer: %v", policy, tc.who.name, seen)
				}
			case err != nil || seen != nil:
				t.Errorf("policy %d, %s: %v, observer: %v", policy, tc.who.name, err, seen)
			default:
				out.(*mls.StagedCommit).Discard()
				if len(asked) != 1 || asked[0].Use != mls.AuthExternalJoin || (asked[0].Replaces != nil) != (tc.opt.Resync != nil) {
					t.Errorf("policy %d, %s: asked %+v", policy, tc.who.name, asked)
				}
			}
		}
	}
	_, err := mls.NewGroup(ctx, newClient(t, "eve", mls.Config{}).p, nil, mls.Credential{}, mls.Config{Authenticator: acceptAll, ExternalCommits: 9})
	if err == nil {
		t.Error("an unknown policy was taken")
	}
}

// TestForgedExternalCommitIsCheap: who has a GroupInfo but no signature key makes the
// members verify a signature, and compute no tree.
func TestForgedExternalCommitIsCheap(t *testing.T) {
	ctx := t.Context()
	alice, bob, carol := newClient(t, "alice", mls.Config{ExternalCommits: mls.AcceptExternalJoins}), newClient(t, "bob", mls.Config{}), newClient(t, "carol", mls.Config{})
	counted := &slowCrypto{Crypto: alice.p.Crypto()}
	alice.p = provider.Bundle{Backend: counted, Store: alice.store}
	alice.create()
	alice.add(nil, bob)
	gi, err := alice.group.GroupInfo(ctx, mls.GroupInfoOptions{ExternalPub: true})
	if err != nil {
		t.Fatal(err)
	}
	x, err := mls.JoinExternal(ctx, carol.p, gi, carol.signer, carol.cred, carol.cfg, mls.ExternalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	forged := x.Commit()
	forged[len(forged)-1-32-1] ^= 1 // the last byte of the signature: behind it is the confirmation tag
	counted.hashes.Store(0)
	if _, err := alice.group.Process(ctx, forged, mls.ProcessOptions{}); !errors.Is(err, mls.ErrDecrypt) {
		t.Errorf("got %v", err)
	}
	if n := counted.hashes.Load(); n != 0 {
		t.Errorf("%d hashes for a forged commit", n)
	}
	alice.process(x.Commit())
	if counted.hashes.Load() == 0 {
		t.Error("no hashes for a genuine one")
	}
}

// TestMaxMembers: a tree that is larger than the limit is refused, one that is as
// large is not.
func TestMaxMembers(t *testing.T) {
	alice, bob := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{})
	alice.create()
	alice.add(nil, bob)
	gi, err := alice.group.GroupInfo(t.Context(), mls.GroupInfoOptions{ExternalPub: true})
	if err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[int]bool{1: false, 2: true, -1: true} {
		carol := newClient(t, "carol", mls.Config{MaxMembers: limit})
		_, err := mls.JoinExternal(t.Context(), carol.p, gi, carol.signer, carol.cred, carol.cfg, mls.ExternalOptions{})
		if ok := err == nil; ok != want || !ok && !errors.Is(err, mls.ErrLimit) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}
