package mls_test

import (
	"testing"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
	"github.com/hardmls/hardmls/provider/soft"
)

// TestResyncDeletesOldKeys: who comes back by an external commit has one private
// key afterwards, whatever the old membership had.
func TestResyncDeletesOldKeys(t *testing.T) {
	alice, carol := newClient(t, "alice", mls.Config{ExternalCommits: mls.AcceptExternalCommits}), newClient(t, "carol", mls.Config{})
	crypto := soft.New(soft.Options{})
	keys := providertest.NewFaultKeys(crypto.SoftwareKeys())
	carol.p = provider.Bundle{Backend: crypto, Custody: []provider.Keys{keys}, Store: carol.store}
	alice.create()
	alice.add(nil, carol)
	update, _, err := carol.group.Propose(t.Context(), mls.UpdateProposal(), mls.ProposeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	alice.process(update)
	if _, err := carol.group.Commit(t.Context(), mls.CommitOptions{WithoutPending: true}); err != nil {
		t.Fatal(err)
	}
	if n := keys.Live(); n != 3 {
		t.Fatalf("%d keys before: the leaf's, the update's, the pending commit's", n)
	}
	gi, err := alice.group.GroupInfo(t.Context(), mls.GroupInfoOptions{ExternalPub: true})
	if err != nil {
		t.Fatal(err)
	}
	own := carol.group.OwnIndex()
	x, err := mls.JoinExternal(t.Context(), carol.p, gi, carol.signer, carol.cred, carol.cfg, mls.ExternalOptions{Resync: &own})
	if err != nil {
		t.Fatal(err)
	}
	alice.process(x.Commit())
	if carol.group, err = x.Merge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := keys.Live(); n != 1 {
		t.Errorf("%d private keys after the resync", n)
	}
	agree(t, alice, carol)
}
