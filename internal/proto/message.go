package proto

import (
	"encoding/binary"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/wire"
)

// Append appends the encoding, RFC 9420 §6.2.
func (m *PublicMessage) Append(b []byte) []byte {
	b = m.Content.Append(b)
	b = m.Auth.append(b, m.Content.ContentType)
	if m.Content.Sender.Type == SenderTypeMember {
		b = wire.AppendOpaque(b, m.MembershipTag)
	}
	return b
}

// Decode reads a public message.
func (m *PublicMessage) Decode(r *wire.Reader) {
	m.Content.Decode(r)
	m.Auth.decode(r, m.Content.ContentType)
	if m.Content.Sender.Type == SenderTypeMember {
		m.MembershipTag = r.Opaque()
	}
}

// Append appends the encoding, RFC 9420 §6.3.
func (m *PrivateMessage) Append(b []byte) []byte {
	b = wire.AppendOpaque(b, m.GroupID)
	b = binary.BigEndian.AppendUint64(b, m.Epoch)
	b = append(b, byte(m.ContentType))
	b = wire.AppendOpaque(b, m.AuthenticatedData)
	b = wire.AppendOpaque(b, m.EncryptedSenderData)
	return wire.AppendOpaque(b, m.Ciphertext)
}

// Decode reads a private message. It allocates nothing.
func (m *PrivateMessage) Decode(r *wire.Reader) {
	m.GroupID = r.Opaque()
	m.Epoch = r.Uint64()
	m.ContentType = decodeContentType(r)
	m.AuthenticatedData = r.Opaque()
	m.EncryptedSenderData = r.Opaque()
	m.Ciphertext = r.Opaque()
}

// Append appends the encoding, RFC 9420 §6.
func (m *MLSMessage) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(m.Version))
	b = binary.BigEndian.AppendUint16(b, uint16(m.WireFormat))
	switch m.WireFormat {
	case WireFormatPublicMessage:
		return m.PublicMessage.Append(b)
	case WireFormatPrivateMessage:
		return m.PrivateMessage.Append(b)
	case WireFormatWelcome:
		return m.Welcome.Append(b)
	case WireFormatGroupInfo:
		return m.GroupInfo.Append(b)
	}
	return m.KeyPackage.Append(b)
}

// Decode reads an MLSMessage.
func (m *MLSMessage) Decode(r *wire.Reader) {
	m.Version = decodeVersion(r)
	m.WireFormat = WireFormat(r.Uint16())
	if r.Err() != nil {
		return
	}
	switch m.WireFormat {
	case WireFormatPublicMessage:
		m.PublicMessage = new(PublicMessage)
		m.PublicMessage.Decode(r)
	case WireFormatPrivateMessage:
		m.PrivateMessage = new(PrivateMessage)
		m.PrivateMessage.Decode(r)
	case WireFormatWelcome:
		m.Welcome = new(Welcome)
		m.Welcome.Decode(r)
	case WireFormatGroupInfo:
		m.GroupInfo = new(GroupInfo)
		m.GroupInfo.Decode(r)
	case WireFormatKeyPackage:
		m.KeyPackage = new(KeyPackage)
		m.KeyPackage.Decode(r)
	default:
		r.Fail(check.Errorf(check.V008, "wire format %d", m.WireFormat))
	}
}

// DecodeMLSMessage decodes an MLSMessage.
func DecodeMLSMessage(b []byte) (*MLSMessage, error) { return decodeAll(b, (*MLSMessage).Decode) }

// A Header is what routes a PublicMessage or PrivateMessage.
type Header struct {
	WireFormat WireFormat
	GroupID    []byte
	Epoch      uint64
}

// DecodeHeader reads the header of an MLSMessage of either format without
// allocating, and nothing behind it. For other formats GroupID is nil.
func DecodeHeader(b []byte) (Header, error) {
	r := wire.NewReader(b)
	decodeVersion(&r)
	h := Header{WireFormat: WireFormat(r.Uint16())}
	if h.WireFormat == WireFormatPublicMessage || h.WireFormat == WireFormatPrivateMessage {
		h.GroupID = r.Opaque()
		h.Epoch = r.Uint64()
	}
	return h, r.Err()
}
