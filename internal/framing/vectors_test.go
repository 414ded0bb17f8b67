package framing

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
	"github.com/hardmls/hardmls/testvectors"
)

// hexBytes is hexadecimal in JSON.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*h = b
	return err
}

// protection is a case of message-protection.json.
type protection struct {
	CipherSuite             provider.CipherSuite `json:"cipher_suite"`
	GroupID                 hexBytes             `json:"group_id"`
	Epoch                   uint64               `json:"epoch"`
	TreeHash                hexBytes             `json:"tree_hash"`
	ConfirmedTranscriptHash hexBytes             `json:"confirmed_transcript_hash"`

	SignaturePriv hexBytes `json:"signature_priv"`
	SignaturePub  hexBytes `json:"signature_pub"`

	EncryptionSecret hexBytes `json:"encryption_secret"`
	SenderDataSecret hexBytes `json:"sender_data_secret"`
	MembershipKey    hexBytes `json:"membership_key"`

	Proposal        hexBytes `json:"proposal"`
	ProposalPub     hexBytes `json:"proposal_pub"`
	ProposalPriv    hexBytes `json:"proposal_priv"`
	Commit          hexBytes `json:"commit"`
	CommitPub       hexBytes `json:"commit_pub"`
	CommitPriv      hexBytes `json:"commit_priv"`
	Application     hexBytes `json:"application"`
	ApplicationPriv hexBytes `json:"application_priv"`
}

// vectorLeaf is the sender in all of the official cases, in a group of two.
const vectorLeaf = 1

func TestVectors(t *testing.T) {
	var cases []protection
	testvectors.MLS(t, "message-protection.json", &cases)
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("suite=%d", c.CipherSuite), func(t *testing.T) {
			w := newVectorWorld(t, &c)
			t.Run("proposal", func(t *testing.T) {
				w.handshake(t, proto.ContentTypeProposal, c.Proposal, c.ProposalPub, c.ProposalPriv)
			})
			t.Run("commit", func(t *testing.T) {
				w.handshake(t, proto.ContentTypeCommit, c.Commit, c.CommitPub, c.CommitPriv)
			})
			t.Run("application", func(t *testing.T) { w.application(t, c.Application, c.ApplicationPriv) })
		})
	}
}

// vectorWorld is the group of a case.
type vectorWorld struct {
	suite      provider.Suite
	signer     provider.Signer
	pub        []byte
	ep         *Epoch
	encryption []byte
}

func newVectorWorld(t *testing.T, c *protection) *vectorWorld {
	s, err := soft.New(soft.Options{}).Suite(c.CipherSuite)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := soft.ImportSigner(s, c.SignaturePriv)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(signer.Public(), c.SignaturePub) {
		t.Fatal("the signer has another public key")
	}
	context := (&proto.GroupContext{
		Version: proto.MLS10, CipherSuite: c.CipherSuite, GroupID: c.GroupID, Epoch: c.Epoch,
		TreeHash: c.TreeHash, ConfirmedTranscriptHash: c.ConfirmedTranscriptHash,
	}).Append(nil)
	return &vectorWorld{
		suite: s, signer: signer, pub: c.SignaturePub, encryption: c.EncryptionSecret,
		ep: NewEpoch(s, c.GroupID, c.Epoch, context, c.SenderDataSecret, c.MembershipKey),
	}
}

// handshake opens the case's messages, and ours with the same content.
func (w *vectorWorld) handshake(t *testing.T, ct proto.ContentType, raw, public, private []byte) {
	w.wantPublic(t, public, raw)
	w.wantPrivate(t, private, raw)

	content := proto.FramedContent{
		GroupID: w.ep.GroupID(), Epoch: w.ep.Number(),
		Sender:      proto.Sender{Type: proto.SenderTypeMember, Leaf: vectorLeaf},
		ContentType: ct, RawContent: raw,
	}
	sign := func(wf proto.WireFormat) *proto.AuthenticatedContent {
		c := content
		ac, err := Sign(context.Background(), w.signer, &c, wf, w.ep.Context())
		if err != nil {
			t.Fatal(err)
		}
		if ct == proto.ContentTypeCommit {
			ac.Auth.ConfirmationTag = filled(w.suite.Params().Nh, 7)
		}
		return ac
	}
	msg, err := SealPublic(nil, w.ep, sign(proto.WireFormatPublicMessage))
	if err != nil {
		t.Fatal(err)
	}
	w.wantPublic(t, msg, raw)

	key, nonce := w.messageKey(ct, testGeneration)
	msg, err = SealPrivate(nil, w.ep, sign(proto.WireFormatPrivateMessage),
		key, nonce, testGeneration, testGuard, PadToMultiple(100))
	if err != nil {
		t.Fatal(err)
	}
	w.wantPrivate(t, msg, raw)
}

func (w *vectorWorld) application(t *testing.T, data, private []byte) {
	w.wantPrivate(t, private, data)

	var s Sealer
	if err := s.Begin(nil, w.ep, vectorLeaf, proto.ContentTypeApplication, data, []byte("aad"), PadToMultiple(100)); err != nil {
		t.Fatal(err)
	}
	if err := s.Sign(context.Background(), w.signer); err != nil {
		t.Fatal(err)
	}
	key, nonce := w.messageKey(proto.ContentTypeApplication, testGeneration)
	w.wantPrivate(t, s.Finish(key, nonce, testGeneration, testGuard), data)

	c := &proto.FramedContent{
		GroupID: w.ep.GroupID(), Epoch: w.ep.Number(),
		Sender:      proto.Sender{Type: proto.SenderTypeMember, Leaf: vectorLeaf},
		ContentType: proto.ContentTypeApplication, ApplicationData: data,
	}
	_, err := Sign(context.Background(), w.signer, c, proto.WireFormatPublicMessage, w.ep.Context())
	wantCheck(t, err, check.V072)
}

func (w *vectorWorld) wantPublic(t *testing.T, msg, raw []byte) {
	t.Helper()
	ac, err := OpenPublic(w.ep, parsePublic(t, msg))
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifySignature(w.suite, w.pub, ac, w.ep.Context()); err != nil {
		t.Fatal(err)
	}
	if ac.Content.Sender.Leaf != vectorLeaf || !bytes.Equal(ac.Content.RawContent, raw) {
		t.Errorf("opened %x, want %x", ac.Content.RawContent, raw)
	}
}

func (w *vectorWorld) wantPrivate(t *testing.T, msg, raw []byte) {
	t.Helper()
	var o Opener
	if err := o.Parse(msg); err != nil {
		t.Fatal(err)
	}
	leaf, generation, err := o.SenderData(w.ep)
	if err != nil {
		t.Fatal(err)
	}
	key, nonce := w.messageKey(o.ContentType(), generation)
	if err := o.Open(nil, w.ep, key, nonce); err != nil {
		t.Fatal(err)
	}
	if err := o.Verify(w.pub); err != nil {
		t.Fatal(err)
	}
	var got []byte
	if o.ContentType() == proto.ContentTypeApplication {
		got = o.Content()
	} else {
		got = o.Authenticated().Content.RawContent
	}
	if leaf != vectorLeaf || !bytes.Equal(got, raw) {
		t.Errorf("opened %x, want %x", got, raw)
	}
}

// messageKey derives key and nonce of a generation of leaf 1 of two, RFC 9420
// §9, as the section has it and with nothing kept.
func (w *vectorWorld) messageKey(ct proto.ContentType, generation uint32) (key, nonce []byte) {
	p := w.suite.Params()
	expand := func(sec []byte, label, context string) []byte {
		out := make([]byte, p.Nh)
		labels.ExpandWithLabel(w.suite, out, sec, label, []byte(context))
		return out
	}
	sec := expand(w.encryption, labels.LabelTree, labels.LabelRight)
	if ct == proto.ContentTypeApplication {
		sec = expand(sec, labels.LabelApplication, "")
	} else {
		sec = expand(sec, labels.LabelHandshake, "")
	}
	for g := range generation {
		labels.DeriveTreeSecret(w.suite, sec, sec, labels.LabelSecret, g)
	}
	key, nonce = make([]byte, p.Nk), make([]byte, p.Nn)
	labels.DeriveTreeSecret(w.suite, key, sec, labels.LabelKey, generation)
	labels.DeriveTreeSecret(w.suite, nonce, sec, labels.LabelNonce, generation)
	return key, nonce
}
