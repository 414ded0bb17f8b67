package proto

import (
	"bytes"
	"encoding/binary"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/wire"
)

// Append appends the encoding, RFC 9420 §5.3.
func (c *Credential) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(c.Type))
	if c.Type == CredentialTypeX509 {
		return appendList(b, c.Certificates, func(b []byte, e *[]byte) []byte { return wire.AppendOpaque(b, *e) })
	}
	return wire.AppendOpaque(b, c.Identity)
}

// Decode reads a credential. A type that RFC 9420 does not define is unsupported.
func (c *Credential) Decode(r *wire.Reader) {
	switch c.Type = CredentialType(r.Uint16()); c.Type {
	case CredentialTypeBasic:
		c.Identity, c.Certificates = r.Opaque(), c.Certificates[:0]
	case CredentialTypeX509:
		c.Identity = nil
		outer, whole, list := r.Enter(), r.Len(), c.Certificates[:0]
		for !r.Empty() && grow(r, &list, whole, certificateList) {
			list[len(list)-1] = r.Opaque()
		}
		c.Certificates = leave(r, outer, list)
	default:
		r.Fail(check.As(check.V029, check.ClassUnsupported, "credential type %d", c.Type))
	}
}

// Append appends the encoding, RFC 9420 §12.1.8.1.
func (s *ExternalSender) Append(b []byte) []byte {
	return s.Credential.Append(wire.AppendOpaque(b, s.SignatureKey))
}

// Decode reads an external sender.
func (s *ExternalSender) Decode(r *wire.Reader) {
	s.SignatureKey = r.Opaque()
	s.Credential.Decode(r)
}

// Clone returns a copy that shares no memory with c.
func (c *Credential) Clone() *Credential {
	d := &Credential{Type: c.Type, Identity: bytes.Clone(c.Identity)}
	for _, der := range c.Certificates {
		d.Certificates = append(d.Certificates, bytes.Clone(der))
	}
	return d
}
