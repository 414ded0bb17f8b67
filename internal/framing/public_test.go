package framing

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
)

// publicContent returns a proposal, or a commit, of the sender.
func (w *world) publicContent(sender proto.Sender, ct proto.ContentType) *proto.FramedContent {
	c := &proto.FramedContent{
		GroupID: w.ep.GroupID(), Epoch: w.ep.Number(), Sender: sender,
		AuthenticatedData: []byte("aad"), ContentType: ct,
	}
	remove := &proto.Proposal{Type: proto.ProposalTypeRemove, Remove: 3}
	switch ct {
	case proto.ContentTypeApplication:
		c.ApplicationData = []byte("data")
	case proto.ContentTypeProposal:
		c.Proposal = remove
	case proto.ContentTypeCommit:
		c.Commit = &proto.Commit{Proposals: proto.Proposals(proto.ProposalOrRef{Proposal: remove})}
	}
	return c
}

var (
	member   = proto.Sender{Type: proto.SenderTypeMember, Leaf: testLeaf}
	external = proto.Sender{Type: proto.SenderTypeExternal, Index: 2}
	joiner   = proto.Sender{Type: proto.SenderTypeNewMemberCommit}
	proposer = proto.Sender{Type: proto.SenderTypeNewMemberProposal}
)

// public signs content and wraps it.
func (w *world) public(c *proto.FramedContent) (*proto.AuthenticatedContent, []byte) {
	w.t.Helper()
	ac, err := Sign(context.Background(), w.signer, c, proto.WireFormatPublicMessage, w.ep.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if c.ContentType == proto.ContentTypeCommit {
		ac.Auth.ConfirmationTag = filled(w.suite.Params().Nh, 9)
	}
	msg, err := SealPublic(nil, w.ep, ac)
	if err != nil {
		w.t.Fatal(err)
	}
	return ac, msg
}

func parsePublic(t testing.TB, msg []byte) *proto.PublicMessage {
	t.Helper()
	m, err := proto.DecodeMLSMessage(msg)
	if err != nil {
		t.Fatal(err)
	}
	return m.PublicMessage
}

func (w *world) openPublic(pm *proto.PublicMessage) (*proto.AuthenticatedContent, error) {
	ac, err := OpenPublic(w.ep, pm)
	if err != nil {
		return nil, err
	}
	return ac, VerifySignature(w.suite, w.signer.Public(), ac, w.ep.Context())
}

func TestPublicRoundTrip(t *testing.T) {
	for name, w := range worlds(t) {
		for _, c := range []*proto.FramedContent{
			w.publicContent(member, proto.ContentTypeProposal),
			w.publicContent(member, proto.ContentTypeCommit),
			w.publicContent(external, proto.ContentTypeProposal),
			w.publicContent(joiner, proto.ContentTypeCommit),
		} {
			ac, msg := w.public(c)
			pm := parsePublic(t, msg)
			if tagged := pm.MembershipTag != nil; tagged != (c.Sender.Type == proto.SenderTypeMember) {
				t.Errorf("%s: sender type %d: membership tag %x", name, c.Sender.Type, pm.MembershipTag)
			}
			got, err := w.openPublic(pm)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !bytes.Equal(got.Append(nil), ac.Append(nil)) {
				t.Errorf("%s: content changed", name)
			}
			if _, err := ObservePublic(w.suite, pm); err != nil {
				t.Errorf("%s: observer: %v", name, err)
			}
		}
	}
}

func TestTamperedPublic(t *testing.T) {
	w := newWorld(t)
	_, msg := w.public(w.publicContent(member, proto.ContentTypeCommit))
	bad := bytes.Clone(msg)
	for i := range msg {
		bad[i] ^= 1
		m, err := proto.DecodeMLSMessage(bad)
		if err == nil && m.PublicMessage != nil {
			_, err = w.openPublic(m.PublicMessage)
		}
		if err == nil && m.PublicMessage != nil {
			t.Errorf("byte %d: accepted", i)
		}
		bad[i] = msg[i]
	}
	if _, err := w.openPublic(parsePublic(t, msg)); err != nil {
		t.Error(err)
	}
}

func TestV070_V071_Public(t *testing.T) {
	w := newWorld(t)
	_, msg := w.public(w.publicContent(member, proto.ContentTypeProposal))
	pm := parsePublic(t, msg)
	pm.Content.GroupID = []byte("other")
	_, err := OpenPublic(w.ep, pm)
	wantCheck(t, err, check.V070)
	pm = parsePublic(t, msg)
	pm.Content.Epoch++
	_, err = OpenPublic(w.ep, pm)
	wantCheck(t, err, check.V071)
}

func TestV072_ApplicationInPublicMessage(t *testing.T) {
	w := newWorld(t)
	c := w.publicContent(member, proto.ContentTypeApplication)
	_, err := Sign(context.Background(), w.signer, c, proto.WireFormatPublicMessage, w.ep.Context())
	wantCheck(t, err, check.V072)

	// A member who signs and tags it all the same.
	ac := &proto.AuthenticatedContent{WireFormat: proto.WireFormatPublicMessage, Content: *c}
	ac.Auth.Signature = w.sign(t, c)
	out, err := SealPublic([]byte("dst"), w.ep, ac)
	wantCheck(t, err, check.V072)
	if string(out) != "dst" {
		t.Error("dst changed")
	}
	_, err = OpenPublic(w.ep, w.tagged(ac))
	wantCheck(t, err, check.V072)
}

// sign signs content as a member that checks nothing.
func (w *world) sign(t testing.TB, c *proto.FramedContent) []byte {
	t.Helper()
	sig, err := w.signer.Sign(context.Background(), nil, c.AppendTBS(nil, proto.WireFormatPublicMessage, w.ep.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// tagged is a PublicMessage with a valid membership tag around anything.
func (w *world) tagged(ac *proto.AuthenticatedContent) *proto.PublicMessage {
	tag := make([]byte, w.suite.Params().Nh)
	w.ep.membershipTag(tag, ac.AppendTBM(nil, w.ep.Context()))
	return &proto.PublicMessage{Content: ac.Content, Auth: ac.Auth, MembershipTag: tag}
}

func TestV074_PublicSignature(t *testing.T) {
	w := newWorld(t)
	for _, sender := range []proto.Sender{member, external} {
		ac, _ := w.public(w.publicContent(sender, proto.ContentTypeProposal))
		pub := w.signer.Public()
		if err := VerifySignature(w.suite, pub, ac, w.ep.Context()); err != nil {
			t.Fatal(err)
		}
		other := *ac
		other.WireFormat = proto.WireFormatPrivateMessage
		wantCheck(t, VerifySignature(w.suite, pub, &other, w.ep.Context()), check.V074)
		other = *ac
		other.Content.AuthenticatedData = []byte("aae")
		wantCheck(t, VerifySignature(w.suite, pub, &other, w.ep.Context()), check.V074)
		err := VerifySignature(w.suite, pub, ac, []byte("another GroupContext"))
		if inContext := sender.Type == proto.SenderTypeMember; inContext != (err == check.ErrAuth) {
			t.Errorf("sender type %d with another GroupContext: %v", sender.Type, err)
		}
		other = *ac
		other.Auth.Signature = ac.Auth.Signature[:len(ac.Auth.Signature)-1]
		wantCheck(t, VerifySignature(w.suite, pub, &other, w.ep.Context()), check.V074)
	}
}

func TestV077_ExternalSender(t *testing.T) {
	w := newWorld(t)
	commit := w.publicContent(external, proto.ContentTypeCommit)
	update := w.publicContent(external, proto.ContentTypeProposal)
	update.Proposal = &proto.Proposal{Type: proto.ProposalTypeUpdate}
	init := w.publicContent(external, proto.ContentTypeProposal)
	init.Proposal = &proto.Proposal{Type: proto.ProposalTypeExternalInit}
	for _, c := range []*proto.FramedContent{commit, update, init} {
		_, err := Sign(context.Background(), w.signer, c, proto.WireFormatPublicMessage, nil)
		wantCheck(t, err, check.V077)
		_, err = OpenPublic(w.ep, &proto.PublicMessage{Content: *c})
		wantCheck(t, err, check.V077)
	}
}

func TestV078_OutsiderInPrivateMessage(t *testing.T) {
	w := newWorld(t)
	for _, sender := range []proto.Sender{external, joiner, proposer} {
		c := w.publicContent(sender, proto.ContentTypeProposal)
		_, err := Sign(context.Background(), w.signer, c, proto.WireFormatPrivateMessage, nil)
		wantCheck(t, err, check.V078)
	}
}

func TestV079_NewMember(t *testing.T) {
	w := newWorld(t)
	for _, c := range []*proto.FramedContent{
		w.publicContent(joiner, proto.ContentTypeProposal),
		w.publicContent(proposer, proto.ContentTypeProposal), // a Remove
		w.publicContent(proposer, proto.ContentTypeCommit),
	} {
		_, err := Sign(context.Background(), w.signer, c, proto.WireFormatPublicMessage, nil)
		wantCheck(t, err, check.V079)
		_, err = OpenPublic(w.ep, &proto.PublicMessage{Content: *c})
		wantCheck(t, err, check.V079)
	}
}

func TestV009_SenderType(t *testing.T) {
	w := newWorld(t)
	for _, typ := range []proto.SenderType{0, 5, 255} {
		c := w.publicContent(proto.Sender{Type: typ}, proto.ContentTypeProposal)
		_, err := OpenPublic(w.ep, &proto.PublicMessage{Content: *c})
		wantCheck(t, err, check.V009)
	}
}

func TestV080_TagIffMember(t *testing.T) {
	w := newWorld(t)
	_, msg := w.public(w.publicContent(member, proto.ContentTypeProposal))
	pm := parsePublic(t, msg)
	pm.MembershipTag = nil
	_, err := OpenPublic(w.ep, pm)
	wantCheck(t, err, check.V080)
	_, err = ObservePublic(w.suite, pm)
	wantCheck(t, err, check.V080)

	ac, _ := w.public(w.publicContent(external, proto.ContentTypeProposal))
	_, err = OpenPublic(w.ep, w.tagged(ac))
	wantCheck(t, err, check.V080)
}

func TestV081_MembershipTagLength(t *testing.T) {
	for name, w := range worlds(t) {
		_, msg := w.public(w.publicContent(member, proto.ContentTypeCommit))
		genuine := parsePublic(t, msg).MembershipTag
		nh := w.suite.Params().Nh
		if len(genuine) != nh {
			t.Fatalf("%s: tag of %d bytes", name, len(genuine))
		}
		for n := range nh + 2 {
			pm := parsePublic(t, msg)
			pm.MembershipTag = append(bytes.Clone(genuine), 0)[:n]
			_, err := OpenPublic(w.ep, pm)
			if n == nh {
				if err != nil {
					t.Errorf("%s: genuine tag: %v", name, err)
				}
				continue
			}
			wantCheck(t, err, check.V081)
		}
	}
}

func TestV082_PublicConfirmationTag(t *testing.T) {
	w := newWorld(t)
	nh := w.suite.Params().Nh
	for ct, lengths := range map[proto.ContentType][]int{
		proto.ContentTypeCommit:   {0, 1, nh - 1, nh + 1},
		proto.ContentTypeProposal: {1, nh},
	} {
		ac, _ := w.public(w.publicContent(member, ct))
		for _, n := range lengths {
			ac.Auth.ConfirmationTag = filled(n, 9)
			_, err := OpenPublic(w.ep, w.tagged(ac))
			wantCheck(t, err, check.V082)
			_, err = SealPublic(nil, w.ep, ac)
			wantCheck(t, err, check.V082)
		}
	}
}

func TestV083_SwappedAuth(t *testing.T) {
	w := newWorld(t)
	a, _ := w.public(w.publicContent(member, proto.ContentTypeCommit))
	b := w.publicContent(member, proto.ContentTypeCommit)
	b.AuthenticatedData = []byte("other")
	_, msg := w.public(b)

	pm := parsePublic(t, msg)
	pm.Auth.Signature = a.Auth.Signature
	_, err := OpenPublic(w.ep, pm)
	wantCheck(t, err, check.V083)

	pm = parsePublic(t, msg)
	pm.Auth.ConfirmationTag = filled(len(pm.Auth.ConfirmationTag), 8)
	_, err = OpenPublic(w.ep, pm)
	wantCheck(t, err, check.V083)
}

func TestSealPublicRefuses(t *testing.T) {
	w := newWorld(t)
	for id, change := range map[check.ID]func(ac *proto.AuthenticatedContent){
		check.V070: func(ac *proto.AuthenticatedContent) { ac.Content.GroupID = []byte("other") },
		check.V071: func(ac *proto.AuthenticatedContent) { ac.Content.Epoch++ },
		check.V073: func(ac *proto.AuthenticatedContent) { ac.WireFormat = proto.WireFormatPrivateMessage },
		check.V082: func(ac *proto.AuthenticatedContent) { ac.Auth.ConfirmationTag = filled(32, 1) },
	} {
		ac, _ := w.public(w.publicContent(member, proto.ContentTypeProposal))
		change(ac)
		out, err := SealPublic([]byte("dst"), w.ep, ac)
		wantCheck(t, err, id)
		if string(out) != "dst" {
			t.Error("dst changed")
		}
	}
	ac, _ := w.public(w.publicContent(member, proto.ContentTypeProposal))
	ac.Auth.Signature = nil
	if _, err := SealPublic(nil, w.ep, ac); !errors.Is(err, check.ErrProvider) {
		t.Errorf("no signature: %v", err)
	}
}

func TestV096_SignTooLong(t *testing.T) {
	w := newWorld(t)
	c := w.publicContent(member, proto.ContentTypeProposal)
	if strconv.IntSize == 32 {
		t.Skip("no room for a message that is too long")
	}
	c.RawContent = make([]byte, 1<<30-1) // never touched, so never there
	_, err := Sign(context.Background(), w.signer, c, proto.WireFormatPublicMessage, nil)
	wantCheck(t, err, check.V096)
}
