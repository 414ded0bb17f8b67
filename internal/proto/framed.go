package proto

import (
	"encoding/binary"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
)

// Append appends the encoding, RFC 9420 §6.
func (s *Sender) Append(b []byte) []byte {
	b = append(b, byte(s.Type))
	switch s.Type {
	case SenderTypeMember:
		b = binary.BigEndian.AppendUint32(b, uint32(s.Leaf))
	case SenderTypeExternal:
		b = binary.BigEndian.AppendUint32(b, s.Index)
	}
	return b
}

// Decode reads a sender. Whether its leaf is a member is checked later, V076.
func (s *Sender) Decode(r *wire.Reader) {
	switch s.Type = SenderType(r.Uint8()); s.Type {
	case SenderTypeMember:
		s.Leaf = treemath.LeafIndex(r.Uint32())
	case SenderTypeExternal:
		s.Index = r.Uint32()
	case SenderTypeNewMemberProposal, SenderTypeNewMemberCommit:
	default:
		unknown(r, "sender type", uint64(s.Type))
	}
}

// Append appends the encoding, RFC 9420 §6. A proposal's or commit's RawContent
// is used where it is set.
func (c *FramedContent) Append(b []byte) []byte {
	b = wire.AppendOpaque(b, c.GroupID)
	b = binary.BigEndian.AppendUint64(b, c.Epoch)
	b = c.Sender.Append(b)
	b = wire.AppendOpaque(b, c.AuthenticatedData)
	b = append(b, byte(c.ContentType))
	switch {
	case c.ContentType == ContentTypeApplication:
		return wire.AppendOpaque(b, c.ApplicationData)
	case c.RawContent != nil:
		return append(b, c.RawContent...)
	case c.ContentType == ContentTypeProposal:
		return c.Proposal.Append(b)
	}
	return c.Commit.Append(b)
}

// Decode reads a framed content.
func (c *FramedContent) Decode(r *wire.Reader) {
	c.GroupID = r.Opaque()
	c.Epoch = r.Uint64()
	c.Sender.Decode(r)
	c.AuthenticatedData = r.Opaque()
	c.ContentType = decodeContentType(r)
	if r.Err() != nil {
		return
	}
	switch c.ContentType {
	case ContentTypeApplication:
		c.ApplicationData = r.Opaque()
	case ContentTypeProposal:
		raw := startCapture(r)
		c.Proposal = new(Proposal)
		c.Proposal.Decode(r)
		c.RawContent = raw.end(r)
	case ContentTypeCommit:
		raw := startCapture(r)
		c.Commit = new(Commit)
		c.Commit.Decode(r)
		c.RawContent = raw.end(r)
	}
}

func decodeContentType(r *wire.Reader) ContentType {
	t := ContentType(r.Uint8())
	if t < ContentTypeApplication || t > ContentTypeCommit {
		unknown(r, "content type", uint64(t))
	}
	return t
}

// AppendTBS appends FramedContentTBS, RFC 9420 §6.1. context is the encoded
// GroupContext, which counts for members and new members that commit only.
func (c *FramedContent) AppendTBS(b []byte, wf WireFormat, context []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(MLS10))
	b = binary.BigEndian.AppendUint16(b, uint16(wf))
	b = c.Append(b)
	switch c.Sender.Type {
	case SenderTypeMember, SenderTypeNewMemberCommit:
		b = append(b, context...)
	}
	return b
}

// append appends the encoding, RFC 9420 §6.1: a commit's has a confirmation tag.
func (a *FramedContentAuthData) append(b []byte, t ContentType) []byte {
	b = wire.AppendOpaque(b, a.Signature)
	if t == ContentTypeCommit {
		b = wire.AppendOpaque(b, a.ConfirmationTag)
	}
	return b
}

func (a *FramedContentAuthData) decode(r *wire.Reader, t ContentType) {
	a.Signature = r.Opaque()
	if t == ContentTypeCommit {
		a.ConfirmationTag = r.Opaque()
	}
}

// Append appends the encoding, RFC 9420 §6.1.
func (a *AuthenticatedContent) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(a.WireFormat))
	b = a.Content.Append(b)
	return a.Auth.append(b, a.Content.ContentType)
}

// Decode reads an authenticated content.
func (a *AuthenticatedContent) Decode(r *wire.Reader) {
	a.WireFormat = WireFormat(r.Uint16())
	if a.WireFormat != WireFormatPublicMessage && a.WireFormat != WireFormatPrivateMessage {
		r.Fail(check.Errorf(check.V008, "wire format %d", a.WireFormat))
	}
	a.Content.Decode(r)
	a.Auth.decode(r, a.Content.ContentType)
}

// DecodeAuthenticatedContent decodes an authenticated content.
func DecodeAuthenticatedContent(b []byte) (*AuthenticatedContent, error) {
	return decodeAll(b, (*AuthenticatedContent).Decode)
}

// AppendTBM appends AuthenticatedContentTBM, RFC 9420 §6.2.
func (a *AuthenticatedContent) AppendTBM(b []byte, context []byte) []byte {
	b = a.Content.AppendTBS(b, a.WireFormat, context)
	return a.Auth.append(b, a.Content.ContentType)
}

// AppendConfirmedTranscriptHashInput appends ConfirmedTranscriptHashInput, RFC
// 9420 §8.2.
func (a *AuthenticatedContent) AppendConfirmedTranscriptHashInput(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(a.WireFormat))
	b = a.Content.Append(b)
	return wire.AppendOpaque(b, a.Auth.Signature)
}
