package proto

import (
	"encoding/binary"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// Append appends the encoding, RFC 9420 §10: Raw where it is set.
func (k *KeyPackage) Append(b []byte) []byte {
	if k.Raw != nil {
		return append(b, k.Raw...)
	}
	return wire.AppendOpaque(k.AppendTBS(b), k.Signature)
}

// AppendTBS appends KeyPackageTBS, RFC 9420 §10.
func (k *KeyPackage) AppendTBS(b []byte) []byte {
	if k.Raw != nil {
		return append(b, k.Raw[:len(k.Raw)-wire.VarintLen(len(k.Signature))-len(k.Signature)]...)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(k.Version))
	b = binary.BigEndian.AppendUint16(b, uint16(k.CipherSuite))
	b = wire.AppendOpaque(b, k.InitKey)
	b = k.LeafNode.Append(b)
	return k.Extensions.Append(b)
}

// Decode reads a key package and keeps its bytes.
func (k *KeyPackage) Decode(r *wire.Reader) {
	c := startCapture(r)
	k.Version = decodeVersion(r)
	k.CipherSuite = provider.CipherSuite(r.Uint16())
	k.InitKey = r.Opaque()
	k.LeafNode.Decode(r)
	k.Extensions.Decode(r)
	k.Signature = r.Opaque()
	k.Raw = c.end(r)
}

// DecodeKeyPackage decodes a key package.
func DecodeKeyPackage(b []byte) (*KeyPackage, error) { return decodeAll(b, (*KeyPackage).Decode) }

// decodeVersion reads a protocol version and refuses all but mls10, V007.
func decodeVersion(r *wire.Reader) ProtocolVersion {
	v := ProtocolVersion(r.Uint16())
	if v != MLS10 {
		r.Fail(check.Errorf(check.V007, "protocol version %d", v))
	}
	return v
}
