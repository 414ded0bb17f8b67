package proto

import (
	"encoding/binary"

	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
)

// Append appends the encoding, RFC 9420 §7.2: Raw where it is set.
func (l *LeafNode) Append(b []byte) []byte {
	if l.Raw != nil {
		return append(b, l.Raw...)
	}
	return wire.AppendOpaque(l.appendSigned(b), l.Signature)
}

// appendSigned appends the part of the encoding that is signed.
func (l *LeafNode) appendSigned(b []byte) []byte {
	b = wire.AppendOpaque(b, l.EncryptionKey)
	b = wire.AppendOpaque(b, l.SignatureKey)
	b = l.Credential.Append(b)
	b = l.Capabilities.Append(b)
	b = append(b, byte(l.Source))
	switch l.Source {
	case LeafNodeSourceKeyPackage:
		b = binary.BigEndian.AppendUint64(b, l.Lifetime.NotBefore)
		b = binary.BigEndian.AppendUint64(b, l.Lifetime.NotAfter)
	case LeafNodeSourceCommit:
		b = wire.AppendOpaque(b, l.ParentHash)
	}
	return l.Extensions.Append(b)
}

// Decode reads a leaf node and keeps its bytes.
func (l *LeafNode) Decode(r *wire.Reader) {
	c := startCapture(r)
	l.Lifetime, l.ParentHash = Lifetime{}, nil
	l.EncryptionKey = r.Opaque()
	l.SignatureKey = r.Opaque()
	l.Credential.Decode(r)
	l.Capabilities.Decode(r)
	switch l.Source = LeafNodeSource(r.Uint8()); l.Source {
	case LeafNodeSourceKeyPackage:
		l.Lifetime.NotBefore = r.Uint64()
		l.Lifetime.NotAfter = r.Uint64()
	case LeafNodeSourceUpdate:
	case LeafNodeSourceCommit:
		l.ParentHash = r.Opaque()
	default:
		unknown(r, "leaf node source", uint64(l.Source))
	}
	l.Extensions.Decode(r)
	l.Signature = r.Opaque()
	l.Raw = c.end(r)
}

// DecodeLeafNode decodes a leaf node.
func DecodeLeafNode(b []byte) (*LeafNode, error) { return decodeAll(b, (*LeafNode).Decode) }

// LeafCredentialType returns the type of the credential of an encoded leaf.
func LeafCredentialType(enc []byte) CredentialType {
	r := wire.NewReader(enc)
	r.Opaque()
	r.Opaque()
	return CredentialType(r.Uint16())
}

// LeafCredential decodes the credential of an encoded leaf.
func LeafCredential(enc []byte) *Credential {
	r := wire.NewReader(enc)
	r.Opaque()
	r.Opaque()
	c := new(Credential)
	c.Decode(&r)
	return c
}

// LeafParentHash returns the parent hash of an encoded leaf, false if it has none.
func LeafParentHash(enc []byte) ([]byte, bool) {
	r := wire.NewReader(enc)
	r.Opaque()
	r.Opaque()
	r.Uint16()
	for range 1 + 5 { // credential, capabilities: a vector each
		r.Opaque()
	}
	if LeafNodeSource(r.Uint8()) != LeafNodeSourceCommit {
		return nil, false
	}
	hash := r.Opaque()
	return hash, r.Err() == nil
}

// AppendTBS appends LeafNodeTBS, RFC 9420 §7.2. groupID and leaf count for leaves
// of an update or a commit only.
func (l *LeafNode) AppendTBS(b []byte, groupID []byte, leaf treemath.LeafIndex) []byte {
	if l.Raw != nil {
		b = append(b, l.Raw[:len(l.Raw)-wire.VarintLen(len(l.Signature))-len(l.Signature)]...)
	} else {
		b = l.appendSigned(b)
	}
	if l.Source == LeafNodeSourceKeyPackage {
		return b
	}
	return binary.BigEndian.AppendUint32(wire.AppendOpaque(b, groupID), uint32(leaf))
}

// capture remembers where a structure begins, to keep its bytes.
type capture struct{ rest []byte }

func startCapture(r *wire.Reader) capture { return capture{r.Rest()} }

// end returns what r read since the capture began, nil if r failed.
func (c capture) end(r *wire.Reader) []byte {
	if r.Err() != nil {
		return nil
	}
	n := len(c.rest) - r.Len()
	return c.rest[:n:n]
}
