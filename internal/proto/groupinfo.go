package proto

import (
	"encoding/binary"

	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// Append appends the encoding, RFC 9420 §8.1.
func (c *GroupContext) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(c.Version))
	b = binary.BigEndian.AppendUint16(b, uint16(c.CipherSuite))
	b = wire.AppendOpaque(b, c.GroupID)
	b = binary.BigEndian.AppendUint64(b, c.Epoch)
	b = wire.AppendOpaque(b, c.TreeHash)
	b = wire.AppendOpaque(b, c.ConfirmedTranscriptHash)
	return c.Extensions.Append(b)
}

// Decode reads a group context.
func (c *GroupContext) Decode(r *wire.Reader) {
	c.Version = decodeVersion(r)
	c.CipherSuite = provider.CipherSuite(r.Uint16())
	c.GroupID = r.Opaque()
	c.Epoch = r.Uint64()
	c.TreeHash = r.Opaque()
	c.ConfirmedTranscriptHash = r.Opaque()
	c.Extensions.Decode(r)
}

// Append appends the encoding, RFC 9420 §12.4.3: Raw where it is set.
func (g *GroupInfo) Append(b []byte) []byte {
	if g.Raw != nil {
		return append(b, g.Raw...)
	}
	return wire.AppendOpaque(g.AppendTBS(b), g.Signature)
}

// AppendTBS appends GroupInfoTBS, RFC 9420 §12.4.3.
func (g *GroupInfo) AppendTBS(b []byte) []byte {
	if g.Raw != nil {
		return append(b, g.Raw[:len(g.Raw)-wire.VarintLen(len(g.Signature))-len(g.Signature)]...)
	}
	b = g.GroupContext.Append(b)
	b = g.Extensions.Append(b)
	b = wire.AppendOpaque(b, g.ConfirmationTag)
	return binary.BigEndian.AppendUint32(b, uint32(g.Signer))
}

// Decode reads a group info and keeps its bytes.
func (g *GroupInfo) Decode(r *wire.Reader) {
	c := startCapture(r)
	g.GroupContext.Decode(r)
	g.Extensions.Decode(r)
	g.ConfirmationTag = r.Opaque()
	g.Signer = decodeLeafIndex(r)
	g.Signature = r.Opaque()
	g.Raw = c.end(r)
}

// DecodeGroupInfo decodes a group info.
func DecodeGroupInfo(b []byte) (*GroupInfo, error) { return decodeAll(b, (*GroupInfo).Decode) }
