package framing

import (
	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/provider"
)

// SealPublic appends the MLSMessage with the PublicMessage of signed to dst,
// with a membership tag if the sender is a member, RFC 9420 §6.2. ep is the
// epoch of signed, whose signature and, for a commit, confirmation tag are set.
func SealPublic(dst []byte, ep *Epoch, signed *proto.AuthenticatedContent) ([]byte, error) {
	c := &signed.Content
	if err := ep.match(c.GroupID, c.Epoch); err != nil {
		return dst, err
	}
	if signed.WireFormat != proto.WireFormatPublicMessage {
		return dst, check.Errorf(check.V073, "content signed for wire format %d", signed.WireFormat)
	}
	if err := checkSender(c, proto.WireFormatPublicMessage); err != nil {
		return dst, err
	}
	if err := ep.checkAuth(c.ContentType, signed.Auth.Signature, signed.Auth.ConfirmationTag); err != nil {
		return dst, err
	}
	pm := proto.PublicMessage{Content: *c, Auth: signed.Auth}
	if c.Sender.Type == proto.SenderTypeMember {
		if err := ep.checkMembershipKey(); err != nil {
			return dst, err
		}
		tag := make([]byte, ep.params.Nh)
		ep.membershipTag(tag, signed.AppendTBM(nil, ep.context))
		pm.MembershipTag = tag
	}
	m := proto.MLSMessage{Version: proto.MLS10, WireFormat: proto.WireFormatPublicMessage, PublicMessage: &pm}
	return m.Append(dst), nil
}

// OpenPublic checks pm as a member of epoch ep does before it looks for the
// signature key: that it belongs to the epoch (V070, V071), that its sender may
// send such content in the open (V072, V077 to V079), the form of its
// confirmation tag (V082) and its membership tag (V080, V081, V083:
// check.ErrAuth). The signature is VerifySignature's. The result shares the
// memory of pm.
func OpenPublic(ep *Epoch, pm *proto.PublicMessage) (*proto.AuthenticatedContent, error) {
	if err := ep.match(pm.Content.GroupID, pm.Content.Epoch); err != nil {
		return nil, err
	}
	ac, err := ObservePublic(ep.suite, pm)
	if err != nil {
		return nil, err
	}
	if pm.Content.Sender.Type != proto.SenderTypeMember {
		return ac, nil
	}
	if err := ep.checkMembershipKey(); err != nil {
		return nil, err
	}
	want := make([]byte, ep.params.Nh)
	ep.membershipTag(want, ac.AppendTBM(nil, ep.context))
	if !equalTags(want, pm.MembershipTag) {
		return nil, check.ErrAuth
	}
	return ac, nil
}

// ObservePublic is OpenPublic for who is no member: it cannot check the
// membership tag, only that there is one where there must be one, and leaves it
// to the caller which group and epoch the message is of.
func ObservePublic(s provider.Suite, pm *proto.PublicMessage) (*proto.AuthenticatedContent, error) {
	if err := checkSender(&pm.Content, proto.WireFormatPublicMessage); err != nil {
		return nil, err
	}
	if err := checkTag(s.Params(), pm.Content.ContentType, pm.Auth.ConfirmationTag); err != nil {
		return nil, err
	}
	if member := pm.Content.Sender.Type == proto.SenderTypeMember; member != (len(pm.MembershipTag) != 0) {
		return nil, check.ErrAuth // V080
	}
	return &proto.AuthenticatedContent{
		WireFormat: proto.WireFormatPublicMessage,
		Content:    pm.Content,
		Auth:       pm.Auth,
	}, nil
}
