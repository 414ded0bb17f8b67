package proto

import (
	"encoding/binary"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// Append appends the encoding, RFC 9420 §12.1.
func (p *Proposal) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(p.Type))
	switch p.Type {
	case ProposalTypeAdd:
		return p.Add.Append(b)
	case ProposalTypeUpdate:
		return p.Update.Append(b)
	case ProposalTypeRemove:
		return binary.BigEndian.AppendUint32(b, uint32(p.Remove))
	case ProposalTypePSK:
		return p.PSK.Append(b)
	case ProposalTypeReInit:
		return p.ReInit.Append(b)
	case ProposalTypeExternalInit:
		return wire.AppendOpaque(b, p.ExternalInit)
	case ProposalTypeGroupContextExtensions:
		return p.GroupContextExtensions.Append(b)
	}
	return wire.AppendOpaque(b, p.Custom)
}

// renew returns x, or a new one: what is decoded again and again needs one only.
func renew[T any](x *T) *T {
	if x == nil {
		return new(T)
	}
	return x
}

// Decode reads a proposal. RFC 9420 does not say how long the content of another
// type is: by convention it is one opaque vector. GREASE types are refused, V029.
func (p *Proposal) Decode(r *wire.Reader) {
	switch p.Type = ProposalType(r.Uint16()); p.Type {
	case ProposalTypeAdd:
		p.Add = renew(p.Add)
		p.Add.Decode(r)
	case ProposalTypeUpdate:
		p.Update = renew(p.Update)
		p.Update.Decode(r)
	case ProposalTypeRemove:
		p.Remove = treemath.LeafIndex(r.Uint32()) // range: V102
	case ProposalTypePSK:
		p.PSK = renew(p.PSK)
		p.PSK.Decode(r)
	case ProposalTypeReInit:
		p.ReInit = renew(p.ReInit)
		p.ReInit.Decode(r)
	case ProposalTypeExternalInit:
		p.ExternalInit = r.Opaque()
	case ProposalTypeGroupContextExtensions:
		p.GroupContextExtensions.Decode(r)
	case 0:
		unknown(r, "proposal type", 0)
	default:
		if IsGREASE(uint16(p.Type)) {
			r.Fail(check.Errorf(check.V029, "proposal type %d", p.Type))
		}
		p.Custom = r.Opaque()
	}
}

// DecodeProposal decodes a proposal.
func DecodeProposal(b []byte) (*Proposal, error) { return decodeAll(b, (*Proposal).Decode) }

// Append appends the encoding, RFC 9420 §12.1.5.
func (p *ReInit) Append(b []byte) []byte {
	b = wire.AppendOpaque(b, p.GroupID)
	b = binary.BigEndian.AppendUint16(b, uint16(p.Version))
	b = binary.BigEndian.AppendUint16(b, uint16(p.CipherSuite))
	return p.Extensions.Append(b)
}

// Decode reads the content of a re-init proposal. The version is checked where
// it matters, V106.
func (p *ReInit) Decode(r *wire.Reader) {
	p.GroupID = r.Opaque()
	p.Version = ProtocolVersion(r.Uint16())
	p.CipherSuite = provider.CipherSuite(r.Uint16())
	p.Extensions.Decode(r)
}
