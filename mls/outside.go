package mls

import (
	"context"
	"errors"
	"io"

	"github.com/hardmls/hardmls/internal/framing"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/provider"
)

// An OutsideProposal is a proposal of who is not a member of the group, RFC 9420
// §12.1.8. It is a PublicMessage, so members must accept those: every policy but
// PureCiphertext and PurePlaintext alike, since the policy is about members'
// messages.
type OutsideProposal struct {
	GroupID []byte
	Epoch   uint64 // the group's current one
	// AAD is authenticated with the proposal.
	AAD []byte
}

// ProposeAsExternalSender signs a proposal of the external sender whose place in
// the group's external_senders extension is index, and returns the message to
// send to the group. Only adds, removes, pre-shared keys, re-init and group context
// extensions may be proposed (RFC 9420 §12.1.8.1).
//
// Errors: *SignerError, *RandomError, provider.UnsupportedError.
func ProposeAsExternalSender(ctx context.Context, c provider.Crypto, suite provider.CipherSuite, signer provider.Signer, index uint32, to OutsideProposal, p Proposal) ([]byte, error) {
	if p.wire == nil {
		return nil, errUpdateByOutsider
	}
	s, err := bindSuite(c, suite)
	if err != nil {
		return nil, err
	}
	w := p.wire
	if w.Type == proto.ProposalTypePSK {
		if w, err = withNonce(c.Rand(), s, w); err != nil {
			return nil, err
		}
	}
	return proposeOutside(ctx, s, signer, proto.Sender{Type: proto.SenderTypeExternal, Index: index}, to, w)
}

// ProposeToJoin signs a proposal by which the owner of a key package asks to be
// added, RFC 9420 §12.1.8.2, and returns the message to send to the group. signer
// is that of the key package. The members decide by Config.AllowNewMember; the
// Welcome of who commits it is opened as any other.
//
// Errors: *SignerError, ErrSignerNotFound if signer is another's.
func ProposeToJoin(ctx context.Context, c provider.Crypto, signer provider.Signer, kp *KeyPackage, to OutsideProposal) ([]byte, error) {
	if string(signer.Public()) != string(kp.wire.LeafNode.SignatureKey) {
		return nil, ErrSignerNotFound
	}
	s, err := bindSuite(c, kp.CipherSuite())
	if err != nil {
		return nil, err
	}
	return proposeOutside(ctx, s, signer, proto.Sender{Type: proto.SenderTypeNewMemberProposal}, to, AddProposal(kp).wire)
}

var errUpdateByOutsider = errors.New("mls: who is no member has no leaf to update")

// proposeOutside signs a proposal that no member sends: neither membership tag
// nor GroupContext protects it, RFC 9420 §6.1, §6.2.
func proposeOutside(ctx context.Context, s provider.Suite, signer provider.Signer, sender proto.Sender, to OutsideProposal, p *proto.Proposal) ([]byte, error) {
	content := &proto.FramedContent{
		GroupID:           clone(to.GroupID),
		Epoch:             to.Epoch,
		Sender:            sender,
		AuthenticatedData: clone(to.AAD),
		ContentType:       proto.ContentTypeProposal,
		Proposal:          p,
		RawContent:        p.Append(nil),
	}
	ac, err := framing.Sign(ctx, signer, content, proto.WireFormatPublicMessage, nil)
	if err != nil {
		return nil, &SignerError{err}
	}
	frames := framing.NewEpoch(s, content.GroupID, to.Epoch, nil, nil, nil)
	defer frames.Erase()
	return framing.SealPublic(nil, frames, ac)
}

// withNonce returns a copy of a PSK proposal with a fresh nonce, V210.
func withNonce(rand io.Reader, s provider.Suite, p *proto.Proposal) (*proto.Proposal, error) {
	id := *p.PSK
	id.Nonce = make([]byte, s.Params().Nh)
	if _, err := io.ReadFull(rand, id.Nonce); err != nil {
		return nil, &RandomError{err}
	}
	return &proto.Proposal{Type: p.Type, PSK: &id}, nil
}

// proposedKeyPackage returns the key package of an Add, whose signatures were
// verified when it arrived.
func proposedKeyPackage(s provider.Suite, kp *proto.KeyPackage) *KeyPackage {
	return &KeyPackage{wire: kp, ref: labels.KeyPackageRef(s, kp.Raw)}
}
