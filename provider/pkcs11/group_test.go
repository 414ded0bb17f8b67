package pkcs11_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/pkcs11"
	"github.com/hardmls/hardmls/provider/soft"
	"github.com/hardmls/hardmls/storage/mem"
)

// A client is one member of a group.
type client struct {
	provider   provider.Bundle
	signer     provider.Signer
	credential mls.Credential
	config     mls.Config
}

func newClient(t *testing.T, id provider.CipherSuite, name string, signer provider.Signer, custody ...provider.Keys) *client {
	t.Helper()
	crypto := soft.New(soft.Options{})
	if signer == nil {
		s, err := crypto.Suite(id)
		if err != nil {
			t.Fatal(err)
		}
		if signer, err = soft.NewSigner(crypto, s); err != nil {
			t.Fatal(err)
		}
	}
	return &client{
		provider:   provider.Bundle{Backend: crypto, Custody: custody, Store: mem.New()},
		signer:     signer,
		credential: mls.BasicCredential([]byte(name)),
		config: mls.Config{CipherSuite: id, Authenticator: mls.AuthenticatorFunc(func(context.Context, mls.AuthRequest) error {
			return nil
		})},
	}
}

// addTo makes c a member of group and returns its view of the group.
func (c *client) addTo(t *testing.T, adder *client, group *mls.Group) *mls.Group {
	t.Helper()
	ctx := t.Context()
	kp, err := mls.NewKeyPackage(ctx, c.provider, c.signer, c.credential, c.config)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := mls.ParseKeyPackage(adder.provider.Crypto(), kp.Bytes(), adder.config)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := group.AddMembers(ctx, theirs)
	if err != nil {
		t.Fatal(err)
	}
	if err := group.MergePending(ctx); err != nil {
		t.Fatal(err)
	}
	w, err := mls.OpenWelcome(ctx, c.provider, bundle.Welcome, c.config)
	if err != nil {
		t.Fatal(err)
	}
	staged, err := w.Stage(ctx, c.signer)
	if err != nil {
		t.Fatal(err)
	}
	joined, err := staged.Join(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return joined
}

func wantDelivered(t *testing.T, from, to *mls.Group, text string) {
	t.Helper()
	msg, err := from.CreateMessage(t.Context(), []byte(text), mls.MessageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := to.Process(t.Context(), msg, mls.ProcessOptions{})
	if err != nil {
		t.Fatal(err)
	}
	app, ok := got.(*mls.ApplicationMessage)
	if !ok || !bytes.Equal(app.Data, []byte(text)) {
		t.Fatalf("received %T", got)
	}
}

// TestGroupSignsInTheToken is a group of which one member signs in the token:
// it creates the group, commits, sends and receives.
func TestGroupSignsInTheToken(t *testing.T) {
	token := open(t, newSoftHSM(t))
	for _, id := range []provider.CipherSuite{provider.P256_AES128GCM_SHA256_P256, provider.X25519_AES128GCM_SHA256_Ed25519} {
		t.Run(id.String(), func(t *testing.T) {
			signer, err := token.GenerateKey(t.Context(), bind(t, id).Params().Signature, pkcs11.KeyOptions{Label: "alice"})
			if err != nil {
				t.Fatal(err)
			}
			alice, bob := newClient(t, id, "alice", signer), newClient(t, id, "bob", nil)
			group, err := mls.NewGroup(t.Context(), alice.provider, alice.signer, alice.credential, alice.config)
			if err != nil {
				t.Fatal(err)
			}
			bobs := bob.addTo(t, alice, group)
			wantDelivered(t, group, bobs, "signed in the token")
			wantDelivered(t, bobs, group, "signed in software")
			if n := token.Stats().Signatures; n < 3 {
				t.Errorf("the token made %d signatures", n)
			}
		})
	}
}

// TestGroupKeepsItsKeysInTheToken is a group of which one member joins with an
// init key of the token and keeps its leaf key there, loads the group again,
// and leaves no object behind but that leaf key.
func TestGroupKeepsItsKeysInTheToken(t *testing.T) {
	token := open(t, newSoftHSM(t))
	for _, id := range []provider.CipherSuite{provider.P256_AES128GCM_SHA256_P256, provider.X25519_AES128GCM_SHA256_Ed25519} {
		t.Run(id.String(), func(t *testing.T) {
			ctx := t.Context()
			signer, err := token.GenerateKey(ctx, bind(t, id).Params().Signature, pkcs11.KeyOptions{Label: "bob"})
			if err != nil {
				t.Fatal(err)
			}
			objects := func() int {
				t.Helper()
				all, err := token.Keys().Objects(ctx)
				if err != nil {
					t.Fatal(err)
				}
				return len(all)
			}
			before := objects()
			alice, bob := newClient(t, id, "alice", nil), newClient(t, id, "bob", signer, token.Keys())
			group, err := mls.NewGroup(ctx, alice.provider, alice.signer, alice.credential, alice.config)
			if err != nil {
				t.Fatal(err)
			}
			bobs := bob.addTo(t, alice, group)
			if n := objects() - before; n != 1 {
				t.Errorf("after joining there are %d objects, want the leaf key alone", n)
			}
			wantDelivered(t, group, bobs, "to a key in the token")
			for range 3 { // each commit of Alice's encrypts a path secret to Bob's leaf key
				bundle, err := group.SelfUpdate(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if err := group.MergePending(ctx); err != nil {
					t.Fatal(err)
				}
				got, err := bobs.Process(ctx, bundle.Commit, mls.ProcessOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if err := bobs.Merge(ctx, got.(*mls.StagedCommit)); err != nil {
					t.Fatal(err)
				}
			}
			if bundle, err := bobs.SelfUpdate(ctx); err != nil {
				t.Fatal(err)
			} else if err := bobs.MergePending(ctx); err != nil {
				t.Fatal(err)
			} else if got, err := group.Process(ctx, bundle.Commit, mls.ProcessOptions{}); err != nil {
				t.Fatal(err)
			} else if err := group.Merge(ctx, got.(*mls.StagedCommit)); err != nil {
				t.Fatal(err)
			}
			if n := objects() - before; n != 1 {
				t.Errorf("after a new leaf key there are %d objects, want that key alone", n)
			}
			loaded, err := mls.LoadGroup(ctx, bob.provider, bobs.ID(), mls.Signers(signer), bob.config)
			if err != nil {
				t.Fatal(err)
			}
			wantDelivered(t, group, loaded, "after loading")
		})
	}
}
