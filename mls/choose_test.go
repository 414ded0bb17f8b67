package mls_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/hardmls/hardmls/mls"
)

// refuseNamed is an authenticator that does not know a client of that name.
func refuseNamed(name string) mls.Authenticator {
	return mls.AuthenticatorFunc(func(_ context.Context, r mls.AuthRequest) error {
		if string(r.Credential.Identity) == name {
			return errors.New("unknown client")
		}
		return nil
	})
}

// TestStoredProposalsStopNobody: a member who proposes what others can't commit, or
// too much of it, is removed all the same, and what is sound is committed.
func TestStoredProposalsStopNobody(t *testing.T) {
	ctx := t.Context()
	psk := func(id string) mls.Proposal { return mls.PSKProposal(mls.ExternalPSK([]byte(id))) }
	for name, propose := range map[string]func(bob, mallory *client) [][]byte{
		"PSK": func(bob, _ *client) [][]byte { return [][]byte{bob.propose(psk("bob's own"))} },
		"Add": func(bob, mallory *client) [][]byte {
			return [][]byte{bob.propose(mls.AddProposal(mallory.keyPackage()))}
		},
		"Add before a sound one": func(bob, mallory *client) [][]byte {
			sound := newClient(t, "dave", mls.Config{}) // a latecomer of the same key, whom nobody refuses
			sound.signer = mallory.signer
			return [][]byte{bob.propose(mls.AddProposal(sound.keyPackage())), bob.propose(mls.AddProposal(mallory.keyPackage()))}
		},
		"several kinds": func(bob, mallory *client) [][]byte {
			return [][]byte{bob.propose(psk("bob's own")), bob.propose(mls.AddProposal(mallory.keyPackage()))}
		},
		"flood": func(bob, _ *client) (msgs [][]byte) {
			for i := range 5 {
				msgs = append(msgs, bob.propose(psk(fmt.Sprint("known ", i))))
			}
			return msgs
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := mls.Config{Authenticator: refuseNamed("mallory"), MaxProposals: 5}
			alice, bob, carol := trio(t, cfg)
			mallory := newClient(t, "mallory", mls.Config{})
			ids := []string{"bob's own"}
			for i := range 5 {
				ids = append(ids, fmt.Sprint("known ", i))
			}
			for i, id := range ids {
				for _, c := range []*client{bob, alice, carol} {
					if i == 0 && c != bob {
						continue
					}
					if err := mls.PutPSK(ctx, c.p, []byte(id), []byte("secret")); err != nil {
						t.Fatal(err)
					}
				}
			}
			for _, msg := range propose(bob, mallory) {
				alice.process(msg)
				carol.process(msg)
			}
			b, err := alice.group.RemoveMembers(ctx, bob.group.OwnIndex())
			if err != nil {
				t.Fatalf("removing who proposed that: %v", err)
			}
			st := alice.group.StagedPending()
			if len(st.Removed()) != 1 || string(st.Removed()[0].Credential.Identity) != "bob" {
				t.Errorf("removed %v", st.Removed())
			}
			switch name {
			case "flood":
				if got := len(st.PSKs()); got != 4 {
					t.Errorf("%d PSKs committed beside the removal, want 4", got)
				}
			case "Add before a sound one":
				if added := st.Added(); len(added) != 1 || string(added[0].Credential.Identity) != "dave" {
					t.Errorf("added %v", added)
				}
			}
			carol.process(b.Commit)
			if err := alice.group.MergePending(ctx); err != nil {
				t.Fatal(err)
			}
			agree(t, alice, carol)
		})
	}
}

// TestV040NamesTheProposal: what the committer itself wants is not left out: the
// error says which proposal it is.
func TestV040NamesTheProposal(t *testing.T) {
	alice, _, carol := trio(t, mls.Config{Authenticator: refuseNamed("mallory")})
	mallory, dave := newClient(t, "mallory", mls.Config{}), newClient(t, "dave", mls.Config{})
	alice.process(carol.propose(mls.AddProposal(dave.keyPackage())))
	_, err := alice.group.AddMembers(t.Context(), newClient(t, "erin", mls.Config{}).keyPackage(), mallory.keyPackage())
	var e *mls.ValidationError
	if !errors.As(err, &e) || e.Check.String() != "V040" || e.Proposal != 2 {
		t.Errorf("got %v, want V040 at proposal 2", err)
	}
}

// TestUnsentProposalIsCommitted: a client that stops between storing a proposal and
// sending it commits it all the same, by value: nobody knows its reference.
func TestUnsentProposalIsCommitted(t *testing.T) {
	alice, bob, carol := trio(t, mls.Config{})
	dave := newClient(t, "dave", mls.Config{})
	alice.propose(mls.AddProposal(dave.keyPackage()))
	alice.reload()
	sent := alice.propose(mls.RemoveProposal(carol.group.OwnIndex()))
	bob.process(sent)
	carol.process(sent)
	b := alice.commit(mls.CommitOptions{}, []*client{bob, carol}, dave)
	if b.Welcome == nil {
		t.Error("the proposal was left out")
	}
	agree(t, alice, bob, dave)
	if n := alice.group.MemberCount(); n != 3 {
		t.Errorf("%d members, want 3", n)
	}
}
