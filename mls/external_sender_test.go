package mls_test

import (
	"errors"
	"testing"

	"github.com/hardmls/hardmls/internal/framing"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
)

// outsider signs proposals as the first external sender of groups.
type outsider struct {
	suite  provider.Suite
	signer provider.Signer
}

func newOutsider(t *testing.T, p provider.Provider) *outsider {
	t.Helper()
	suite, err := p.Crypto().Suite(provider.X25519_AES128GCM_SHA256_Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := soft.NewSigner(p.Crypto(), suite)
	if err != nil {
		t.Fatal(err)
	}
	return &outsider{suite, signer}
}

// extension lists the outsider among a group's external senders.
func (o *outsider) extension() mls.Extension {
	return mls.Extension{Type: uint16(proto.ExtensionTypeExternalSenders),
		Data: proto.AppendExternalSenders(nil, []proto.ExternalSender{{
			SignatureKey: o.signer.Public(),
			Credential:   proto.Credential{Type: proto.CredentialTypeBasic, Identity: []byte("outsider")},
		}})}
}

// remove proposes to remove a member, by an external sender of that index.
func (o *outsider) remove(t *testing.T, g *mls.Group, leaf, index uint32) []byte {
	t.Helper()
	content := &proto.FramedContent{GroupID: g.ID(), Epoch: g.Epoch(),
		Sender:      proto.Sender{Type: proto.SenderTypeExternal, Index: index},
		ContentType: proto.ContentTypeProposal,
		Proposal:    &proto.Proposal{Type: proto.ProposalTypeRemove, Remove: treemath.LeafIndex(leaf)}}
	ac, err := framing.Sign(t.Context(), o.signer, content, proto.WireFormatPublicMessage, nil)
	if err != nil {
		t.Fatal(err)
	}
	ep := framing.NewEpoch(o.suite, g.ID(), g.Epoch(), nil, nil, nil)
	msg, err := framing.SealPublic(nil, ep, ac)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

// TestV075_ExternalSenderProposes: the proposal of a listed external sender waits for
// a commit as a member's does, and one of nobody listed is refused.
func TestV075_ExternalSenderProposes(t *testing.T) {
	cfg := mls.Config{WireFormat: mls.MixedCiphertext}
	alice, bob := newClient(t, "alice", cfg), newClient(t, "bob", cfg)
	out := newOutsider(t, alice.p)
	alice.cfg.Extensions = []mls.Extension{out.extension()}
	alice.create()
	alice.add(nil, bob)

	if _, err := alice.group.Process(t.Context(), out.remove(t, alice.group, 1, 1), mls.ProcessOptions{}); !errors.Is(err, mls.ErrSender) {
		t.Errorf("sender who is not listed: %v, want ErrSender", err)
	}
	stranger := newOutsider(t, alice.p)
	if _, err := alice.group.Process(t.Context(), stranger.remove(t, alice.group, 1, 0), mls.ProcessOptions{}); !errors.Is(err, mls.ErrDecrypt) {
		t.Errorf("signature of another key: %v, want ErrDecrypt", err)
	}

	msg := out.remove(t, alice.group, 1, 0)
	got, ok := alice.process(msg).(*mls.ReceivedProposal)
	if !ok || !got.External || got.Target != 1 {
		t.Fatalf("got %+v, want the external proposal to remove leaf 1", got)
	}
	bob.process(msg)
	alice.commit(mls.CommitOptions{}, []*client{bob})
	if n := alice.group.MemberCount(); n != 1 {
		t.Errorf("%d members after the commit, want 1", n)
	}
	if bob.group.IsActive() {
		t.Error("bob is still a member")
	}
}
