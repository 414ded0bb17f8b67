package conformance

import (
	"context"
	"errors"
	"fmt"

	"github.com/hardmls/hardmls/internal/framing"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/schedule"
	"github.com/hardmls/hardmls/internal/secrettree"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

type cryptoBasicsCase struct {
	Suite   provider.CipherSuite `json:"cipher_suite"`
	RefHash struct {
		Label string
		Value hexBytes
		Out   hexBytes
	} `json:"ref_hash"`
	Expand struct {
		Secret  hexBytes
		Label   string
		Context hexBytes
		Length  int
		Out     hexBytes
	} `json:"expand_with_label"`
	Derive struct {
		Secret hexBytes
		Label  string
		Out    hexBytes
	} `json:"derive_secret"`
	Tree struct {
		Secret     hexBytes
		Label      string
		Generation uint32
		Length     int
		Out        hexBytes
	} `json:"derive_tree_secret"`
	Sign struct {
		Priv, Pub, Content hexBytes
		Label              string
		Signature          hexBytes
	} `json:"sign_with_label"`
	Encrypt struct {
		Priv, Pub          hexBytes
		Label              string
		Context, Plaintext hexBytes
		KEMOutput          hexBytes `json:"kem_output"`
		Ciphertext         hexBytes
	} `json:"encrypt_with_label"`
}

func runCryptoBasics(r *runner, c *cryptoBasicsCase) error {
	s, err := r.suite(c.Suite)
	if err != nil {
		return err
	}
	expanded, derived, tree := make([]byte, c.Expand.Length), make([]byte, s.Params().Nh), make([]byte, c.Tree.Length)
	labels.ExpandWithLabel(s, expanded, c.Expand.Secret, c.Expand.Label, c.Expand.Context)
	labels.DeriveSecret(s, derived, c.Derive.Secret, c.Derive.Label)
	labels.DeriveTreeSecret(s, tree, c.Tree.Secret, c.Tree.Label, c.Tree.Generation)
	return all(
		same("RefHash", labels.RefHash(s, c.RefHash.Label, c.RefHash.Value), c.RefHash.Out),
		same("ExpandWithLabel", expanded, c.Expand.Out),
		same("DeriveSecret", derived, c.Derive.Out),
		same("DeriveTreeSecret", tree, c.Tree.Out),
		c.sign(r, s),
		c.encrypt(r, s))
}

func (c *cryptoBasicsCase) sign(r *runner, s provider.Suite) error {
	v := &c.Sign
	if err := labels.VerifyWithLabel(s, v.Pub, v.Label, v.Content, v.Signature); err != nil {
		return err
	}
	signer, err := r.b.ImportSigner(s, v.Priv)
	if err != nil {
		return err
	}
	if err := same("signature public key", signer.Public(), v.Pub); err != nil {
		return err
	}
	sig, err := labels.SignWithLabel(r.ctx, signer, nil, v.Label, v.Content)
	if err != nil {
		return err
	}
	return labels.VerifyWithLabel(s, v.Pub, v.Label, v.Content, sig)
}

func (c *cryptoBasicsCase) encrypt(r *runner, s provider.Suite) error {
	v := &c.Encrypt
	key, _, err := r.b.ImportKey(s, v.Priv)
	if err != nil {
		return err
	}
	if err := same("HPKE public key", key.Public(), v.Pub); err != nil {
		return err
	}
	info := labels.AppendEncryptContext(nil, v.Label, v.Context)
	open := func(kemOutput, ciphertext []byte) error {
		out, err := s.HPKE().Open(r.ctx, nil, key, kemOutput, info, nil, ciphertext)
		return all(err, same("plaintext", out, v.Plaintext))
	}
	if err := open(v.KEMOutput, v.Ciphertext); err != nil {
		return err
	}
	job := provider.SealJob{Pub: v.Pub, Plaintext: v.Plaintext, Enc: make([]byte, s.Params().Nenc),
		CT: make([]byte, len(v.Plaintext)+s.Params().Nt)}
	if err := s.HPKE().SealMany(info, nil, []provider.SealJob{job}); err != nil {
		return err
	}
	return open(job.Enc, job.CT)
}

type secretTreeCase struct {
	Suite      provider.CipherSuite `json:"cipher_suite"`
	SenderData struct {
		Secret     hexBytes `json:"sender_data_secret"`
		Ciphertext hexBytes
		Key, Nonce hexBytes
	} `json:"sender_data"`
	Encryption hexBytes `json:"encryption_secret"`
	Leaves     [][]struct {
		Generation       uint32
		HandshakeKey     hexBytes `json:"handshake_key"`
		HandshakeNonce   hexBytes `json:"handshake_nonce"`
		ApplicationKey   hexBytes `json:"application_key"`
		ApplicationNonce hexBytes `json:"application_nonce"`
	}
}

func runSecretTree(r *runner, c *secretTreeCase) error {
	s, err := r.suite(c.Suite)
	if err != nil {
		return err
	}
	v, p := &c.SenderData, s.Params()
	key, nonce := make([]byte, p.Nk), make([]byte, p.Nn)
	sample := v.Ciphertext[:min(len(v.Ciphertext), p.Nh)]
	labels.ExpandWithLabel(s, key, v.Secret, labels.LabelKey, sample)
	labels.ExpandWithLabel(s, nonce, v.Secret, labels.LabelNonce, sample)
	if err := all(same("sender data key", key, v.Key), same("sender data nonce", nonce, v.Nonce)); err != nil {
		return err
	}
	if b := s.Upgrades().Bind; b != nil {
		bound := b.Bind(v.Secret)
		bound.SenderDataKey(key, nonce, sample)
		bound.Wipe()
		if err := all(same("bound sender data key", key, v.Key), same("bound sender data nonce", nonce, v.Nonce)); err != nil {
			return err
		}
	}
	for _, reverse := range []bool{false, true} {
		if err := c.leaves(s, reverse); err != nil {
			return err
		}
	}
	return nil
}

// leaves receives every generation, in order or the other way round: then all but
// the last come out of the window.
func (c *secretTreeCase) leaves(s provider.Suite, reverse bool) error {
	t := secrettree.New(s, c.Encryption, treemath.FullSize(uint32(len(c.Leaves))), secrettree.Limits{OutOfOrder: 1000, Forward: 1000})
	defer t.Erase()
	var op secrettree.Op
	receive := func(leaf int, typ secrettree.Type, g uint32, key, nonce []byte) error {
		if err := t.Peek(&op, treemath.LeafIndex(leaf), typ, g); err != nil {
			return err
		}
		op.Derive()
		if err := t.Consume(&op); err != nil {
			return err
		}
		return all(same(fmt.Sprintf("leaf %d generation %d key", leaf, g), op.Key(), key), same("nonce", op.Nonce(), nonce))
	}
	for i, generations := range c.Leaves {
		for k := range generations {
			if reverse {
				k = len(generations) - 1 - k
			}
			g := generations[k]
			if err := all(
				receive(i, secrettree.Handshake, g.Generation, g.HandshakeKey, g.HandshakeNonce),
				receive(i, secrettree.Application, g.Generation, g.ApplicationKey, g.ApplicationNonce)); err != nil {
				return err
			}
		}
	}
	return nil
}

type keyScheduleCase struct {
	Suite   provider.CipherSuite `json:"cipher_suite"`
	GroupID hexBytes             `json:"group_id"`
	Init    hexBytes             `json:"initial_init_secret"`
	Epochs  []struct {
		TreeHash      hexBytes `json:"tree_hash"`
		Commit        hexBytes `json:"commit_secret"`
		PSK           hexBytes `json:"psk_secret"`
		Confirmed     hexBytes `json:"confirmed_transcript_hash"`
		Context       hexBytes `json:"group_context"`
		Joiner        hexBytes `json:"joiner_secret"`
		Welcome       hexBytes `json:"welcome_secret"`
		Init          hexBytes `json:"init_secret"`
		SenderData    hexBytes `json:"sender_data_secret"`
		Encryption    hexBytes `json:"encryption_secret"`
		Exporter      hexBytes `json:"exporter_secret"`
		Authenticator hexBytes `json:"epoch_authenticator"`
		External      hexBytes `json:"external_secret"`
		Confirmation  hexBytes `json:"confirmation_key"`
		Membership    hexBytes `json:"membership_key"`
		Resumption    hexBytes `json:"resumption_psk"`
		ExternalPub   hexBytes `json:"external_pub"`
		Export        struct {
			Label   string
			Context hexBytes
			Length  int
			Secret  hexBytes
		} `json:"exporter"`
	}
}

func runKeySchedule(r *runner, c *keyScheduleCase) error {
	s, err := r.suite(c.Suite)
	if err != nil {
		return err
	}
	init := c.Init
	for i := range c.Epochs {
		e := &c.Epochs[i]
		context := proto.GroupContext{Version: proto.MLS10, CipherSuite: c.Suite, GroupID: c.GroupID, Epoch: uint64(i),
			TreeHash: e.TreeHash, ConfirmedTranscriptHash: e.Confirmed}
		if err := same("GroupContext", context.Append(nil), e.Context); err != nil {
			return err
		}
		joiner := schedule.NewJoiner(s, init, e.Commit, e.Context)
		welcome := joiner.Welcome(e.PSK)
		keys := joiner.Epoch(e.PSK, e.Context)
		external, err := keys.ExternalKey()
		if err != nil {
			return err
		}
		exported := make([]byte, e.Export.Length)
		// The label of the vectors is a string of hexadecimal digits, taken as it is.
		if err := all(keys.Export(exported, e.Export.Label, e.Export.Context),
			same("joiner_secret", joiner.Bytes(), e.Joiner),
			same("welcome_secret", welcome.Secret(), e.Welcome),
			same("init_secret", keys.Init.Bytes(), e.Init),
			same("sender_data_secret", keys.SenderData.Bytes(), e.SenderData),
			same("encryption_secret", keys.Encryption.Bytes(), e.Encryption),
			same("exporter_secret", keys.Exporter.Bytes(), e.Exporter),
			same("epoch_authenticator", keys.Authenticator.Bytes(), e.Authenticator),
			same("external_secret", keys.External.Bytes(), e.External),
			same("confirmation_key", keys.Confirmation.Bytes(), e.Confirmation),
			same("membership_key", keys.Membership.Bytes(), e.Membership),
			same("resumption_psk", keys.Resumption.Bytes(), e.Resumption),
			same("external_pub", external.Public(), e.ExternalPub),
			same("exported secret", exported, e.Export.Secret)); err != nil {
			return fmt.Errorf("epoch %d: %w", i, err)
		}
		init = e.Init
	}
	return nil
}

type pskSecretCase struct {
	Suite provider.CipherSuite `json:"cipher_suite"`
	PSKs  []struct {
		ID    hexBytes `json:"psk_id"`
		PSK   hexBytes `json:"psk"`
		Nonce hexBytes `json:"psk_nonce"`
	} `json:"psks"`
	Secret hexBytes `json:"psk_secret"`
}

func runPSKSecret(r *runner, c *pskSecretCase) error {
	s, err := r.suite(c.Suite)
	if err != nil {
		return err
	}
	var psks []schedule.PSK
	for _, p := range c.PSKs {
		id := &proto.PreSharedKeyID{Type: proto.PSKTypeExternal, ID: p.ID, Nonce: p.Nonce}
		psks = append(psks, schedule.PSK{ID: id, Secret: p.PSK})
	}
	return same("psk_secret", schedule.PSKSecret(s, psks).Bytes(), c.Secret)
}

type transcriptCase struct {
	Suite     provider.CipherSuite `json:"cipher_suite"`
	Key       hexBytes             `json:"confirmation_key"`
	Content   hexBytes             `json:"authenticated_content"`
	Before    hexBytes             `json:"interim_transcript_hash_before"`
	Confirmed hexBytes             `json:"confirmed_transcript_hash_after"`
	Interim   hexBytes             `json:"interim_transcript_hash_after"`
}

func runTranscript(r *runner, c *transcriptCase) error {
	s, err := r.suite(c.Suite)
	if err != nil {
		return err
	}
	ac, err := proto.DecodeAuthenticatedContent(c.Content)
	if err != nil {
		return err
	}
	if ac.Content.Commit == nil {
		return errors.New("not a commit")
	}
	tag := make([]byte, s.Params().Nh)
	s.MAC(tag, c.Key, c.Confirmed)
	return all(
		same("encoding", ac.Append(nil), c.Content),
		same("confirmation_tag", ac.Auth.ConfirmationTag, tag),
		same("confirmed_transcript_hash", schedule.ConfirmedTranscriptHash(s, c.Before, ac), c.Confirmed),
		same("interim_transcript_hash", schedule.InterimTranscriptHash(s, c.Confirmed, tag), c.Interim))
}

type protectionCase struct {
	Suite       provider.CipherSuite `json:"cipher_suite"`
	GroupID     hexBytes             `json:"group_id"`
	Epoch       uint64
	TreeHash    hexBytes `json:"tree_hash"`
	Confirmed   hexBytes `json:"confirmed_transcript_hash"`
	Priv        hexBytes `json:"signature_priv"`
	Pub         hexBytes `json:"signature_pub"`
	Encryption  hexBytes `json:"encryption_secret"`
	SenderData  hexBytes `json:"sender_data_secret"`
	Membership  hexBytes `json:"membership_key"`
	Proposal    hexBytes
	ProposalPub hexBytes `json:"proposal_pub"`
	ProposalPrv hexBytes `json:"proposal_priv"`
	Commit      hexBytes
	CommitPub   hexBytes `json:"commit_pub"`
	CommitPrv   hexBytes `json:"commit_priv"`
	Application hexBytes
	AppPrv      hexBytes `json:"application_priv"`
}

// protectionSender is the member that the vectors are sent by.
const protectionSender treemath.LeafIndex = 1

// protection is a case with its epoch.
type protection struct {
	*protectionCase
	ctx     context.Context
	s       provider.Suite
	ep      *framing.Epoch
	context []byte
	signer  provider.Signer
}

func runProtection(r *runner, c *protectionCase) error {
	s, err := r.suite(c.Suite)
	if err != nil {
		return err
	}
	gc := proto.GroupContext{Version: proto.MLS10, CipherSuite: c.Suite, GroupID: c.GroupID, Epoch: c.Epoch,
		TreeHash: c.TreeHash, ConfirmedTranscriptHash: c.Confirmed}
	p := &protection{protectionCase: c, ctx: r.ctx, s: s, context: gc.Append(nil)}
	p.ep = framing.NewEpoch(s, c.GroupID, c.Epoch, p.context, c.SenderData, c.Membership)
	defer p.ep.Erase()
	if p.signer, err = r.b.ImportSigner(s, c.Priv); err != nil {
		return err
	}
	proposal, err := proto.DecodeProposal(c.Proposal)
	if err != nil {
		return err
	}
	commit, err := proto.DecodeCommit(c.Commit)
	if err != nil {
		return err
	}
	for _, k := range []struct {
		name     string
		content  proto.FramedContent
		pub, prv []byte
		raw      []byte
	}{
		{"proposal", proto.FramedContent{ContentType: proto.ContentTypeProposal, Proposal: proposal}, c.ProposalPub, c.ProposalPrv, c.Proposal},
		{"commit", proto.FramedContent{ContentType: proto.ContentTypeCommit, Commit: commit}, c.CommitPub, c.CommitPrv, c.Commit},
		{"application", proto.FramedContent{ContentType: proto.ContentTypeApplication, ApplicationData: c.Application}, nil, c.AppPrv, c.Application},
	} {
		k.content.GroupID, k.content.Epoch = c.GroupID, c.Epoch
		k.content.Sender = proto.Sender{Type: proto.SenderTypeMember, Leaf: protectionSender}
		if err := p.private(k.prv, k.raw); err != nil {
			return fmt.Errorf("%s, private: %w", k.name, err)
		}
		if err := p.protectPrivate(k.content, k.raw); err != nil {
			return fmt.Errorf("%s, protected as private: %w", k.name, err)
		}
		if err := p.public(k.pub, k.content, k.raw); err != nil {
			return fmt.Errorf("%s, public: %w", k.name, err)
		}
	}
	return nil
}

// private opens a PrivateMessage with a fresh secret tree.
func (p *protection) private(msg, raw []byte) error {
	t := secrettree.New(p.s, p.Encryption, 2, secrettree.Limits{OutOfOrder: 5, Forward: 1000})
	defer t.Erase()
	var o framing.Opener
	defer o.Wipe()
	if err := o.Parse(msg); err != nil {
		return err
	}
	leaf, generation, err := o.SenderData(p.ep)
	if err != nil {
		return err
	}
	if leaf != protectionSender {
		return fmt.Errorf("sender is %d", leaf)
	}
	typ := secrettree.Handshake
	if o.ContentType() == proto.ContentTypeApplication {
		typ = secrettree.Application
	}
	var op secrettree.Op
	defer op.Wipe()
	if err := t.Peek(&op, leaf, typ, generation); err != nil {
		return err
	}
	op.Derive()
	if err := all(o.Open(nil, p.ep, op.Key(), op.Nonce()), t.Consume(&op)); err != nil {
		return err
	}
	if err := o.Verify(p.Pub); err != nil {
		return err
	}
	if o.ContentType() == proto.ContentTypeApplication {
		return same("application data", o.Content(), raw)
	}
	return same("content", o.Authenticated().Content.RawContent, raw)
}

// protectPrivate makes a PrivateMessage of the content and opens it.
func (p *protection) protectPrivate(content proto.FramedContent, raw []byte) error {
	t := secrettree.New(p.s, p.Encryption, 2, secrettree.Limits{})
	defer t.Erase()
	typ := secrettree.Handshake
	if content.ContentType == proto.ContentTypeApplication {
		typ = secrettree.Application
	}
	var op secrettree.Op
	defer op.Wipe()
	if err := t.Next(&op, protectionSender, typ); err != nil {
		return err
	}
	ac, err := p.authenticate(content, proto.WireFormatPrivateMessage)
	if err != nil {
		return err
	}
	msg, err := framing.SealPrivate(nil, p.ep, ac, op.Key(), op.Nonce(), op.Generation(), [4]byte{1, 2, 3, 4}, framing.Padding{})
	if err != nil {
		return err
	}
	return p.private(msg, raw)
}

func (p *protection) authenticate(content proto.FramedContent, wf proto.WireFormat) (*proto.AuthenticatedContent, error) {
	ac, err := framing.Sign(p.ctx, p.signer, &content, wf, p.context)
	if err == nil && content.ContentType == proto.ContentTypeCommit {
		ac.Auth.ConfirmationTag = make([]byte, p.s.Params().Nh)
	}
	return ac, err
}

// public opens the PublicMessage of the vectors and one of our own; application
// data must not be sent as one.
func (p *protection) public(msg []byte, content proto.FramedContent, raw []byte) error {
	ac, err := p.authenticate(content, proto.WireFormatPublicMessage)
	if content.ContentType == proto.ContentTypeApplication {
		if err == nil {
			return errors.New("application data signed for a PublicMessage")
		}
		return nil
	}
	if err != nil {
		return err
	}
	own, err := framing.SealPublic(nil, p.ep, ac)
	if err != nil {
		return err
	}
	for _, b := range [][]byte{msg, own} {
		m, err := proto.DecodeMLSMessage(b)
		if err != nil {
			return err
		}
		if m.PublicMessage == nil {
			return errors.New("not a PublicMessage")
		}
		got, err := framing.OpenPublic(p.ep, m.PublicMessage)
		if err != nil {
			return err
		}
		if err := all(framing.VerifySignature(p.s, p.Pub, got, p.context), same("content", got.Content.RawContent, raw)); err != nil {
			return err
		}
	}
	return nil
}
