package mls_test

import (
	"errors"
	"testing"

	"github.com/hardmls/hardmls/mls"
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
	alice, carol := newClient(t, "alice", mls.Config{}), newClient(t, "carol", mls.Config{})
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
