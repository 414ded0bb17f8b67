package framing

import (
	"context"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// Sign signs content for the wire format wf, RFC 9420 §6.1. groupContext is the
// encoded GroupContext; it is signed where the sender type demands it. A
// commit's confirmation tag is the caller's to add, for it depends on the
// signature. The result takes over content.
//
// Errors: V072 for application data in a PublicMessage, V077 to V079 for
// content that the sender type does not allow, V078 for a PrivateMessage of a
// non-member, V096 for a message that does not fit, and the signer's own.
func Sign(ctx context.Context, signer provider.Signer, content *proto.FramedContent, wf proto.WireFormat, groupContext []byte) (*proto.AuthenticatedContent, error) {
	if err := checkSender(content, wf); err != nil {
		return nil, err
	}
	if content.RawContent == nil {
		content.RawContent = encodedHandshake(content)
	}
	n := uint64(len(content.RawContent)) + uint64(len(content.ApplicationData)) +
		uint64(len(content.AuthenticatedData)) + uint64(len(content.GroupID)) + uint64(len(groupContext))
	if n > wire.MaxVector-maxFraming {
		return nil, tooLong()
	}
	sig, err := labels.SignWithLabel(ctx, signer, nil, labels.LabelFramedContentTBS,
		content.AppendTBS(nil, wf, groupContext))
	if err != nil {
		return nil, err
	}
	return &proto.AuthenticatedContent{
		WireFormat: wf,
		Content:    *content,
		Auth:       proto.FramedContentAuthData{Signature: sig},
	}, nil
}

// maxFraming is more than a FramedContentTBS holds besides its vectors.
const maxFraming = 64

// VerifySignature verifies the signature of ac with the key that its sender
// type demands (V075), which the caller looked up: nil or check.ErrAuth (V074).
// groupContext is the encoded GroupContext of the epoch of ac.
func VerifySignature(s provider.Suite, pub []byte, ac *proto.AuthenticatedContent, groupContext []byte) error {
	tbs := ac.Content.AppendTBS(nil, ac.WireFormat, groupContext)
	if len(tbs) > wire.MaxVector {
		return check.ErrAuth
	}
	if labels.VerifyWithLabel(s, pub, labels.LabelFramedContentTBS, tbs, ac.Auth.Signature) != nil {
		return check.ErrAuth
	}
	return nil
}

// checkSender checks what a sender type may send, and how (V072, V077 to V079).
func checkSender(c *proto.FramedContent, wf proto.WireFormat) error {
	t := c.Sender.Type
	if wf == proto.WireFormatPublicMessage && c.ContentType == proto.ContentTypeApplication {
		return check.Errorf(check.V072, "application data in a PublicMessage")
	}
	if wf == proto.WireFormatPrivateMessage && t != proto.SenderTypeMember {
		return check.Errorf(check.V078, "only members send PrivateMessages")
	}
	switch t {
	case proto.SenderTypeMember:
		return nil
	case proto.SenderTypeExternal:
		if c.ContentType != proto.ContentTypeProposal || !externalAllows(c.Proposal.Type) {
			return check.Errorf(check.V077, "content that an external sender must not send")
		}
		return nil
	case proto.SenderTypeNewMemberProposal:
		if c.ContentType != proto.ContentTypeProposal || c.Proposal.Type != proto.ProposalTypeAdd {
			return check.Errorf(check.V079, "a new member proposes nothing but an Add")
		}
		return nil
	case proto.SenderTypeNewMemberCommit:
		if c.ContentType != proto.ContentTypeCommit {
			return check.Errorf(check.V079, "content of a joining commit is no Commit")
		}
		return nil
	}
	return check.Errorf(check.V009, "sender type %d", t)
}

// externalAllows reports whether an external sender may send proposals of type
// t, by RFC 9420's registry (§17.4). For types that RFC 9420 does not know
// their users decide.
func externalAllows(t proto.ProposalType) bool {
	return t != proto.ProposalTypeUpdate && t != proto.ProposalTypeExternalInit
}

// encodedContent returns the content as Begin takes it.
func encodedContent(c *proto.FramedContent) []byte {
	switch {
	case c.ContentType == proto.ContentTypeApplication:
		return c.ApplicationData
	case c.RawContent != nil:
		return c.RawContent
	}
	return encodedHandshake(c)
}

// encodedHandshake encodes a proposal or a commit.
func encodedHandshake(c *proto.FramedContent) []byte {
	switch c.ContentType {
	case proto.ContentTypeProposal:
		return c.Proposal.Append(nil)
	case proto.ContentTypeCommit:
		return c.Commit.Append(nil)
	}
	return nil
}
