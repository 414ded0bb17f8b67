package proto

import (
	"encoding/binary"

	"github.com/hardmls/hardmls/internal/wire"
)

// Append appends the encoding, RFC 9420 §8.4.
func (p *PreSharedKeyID) Append(b []byte) []byte {
	b = append(b, byte(p.Type))
	if p.Type == PSKTypeExternal {
		b = wire.AppendOpaque(b, p.ID)
	} else {
		b = wire.AppendOpaque(append(b, byte(p.Usage)), p.GroupID)
		b = binary.BigEndian.AppendUint64(b, p.Epoch)
	}
	return wire.AppendOpaque(b, p.Nonce)
}

// Decode reads the id of a pre-shared key.
func (p *PreSharedKeyID) Decode(r *wire.Reader) {
	*p = PreSharedKeyID{}
	switch p.Type = PSKType(r.Uint8()); p.Type {
	case PSKTypeExternal:
		p.ID = r.Opaque()
	case PSKTypeResumption:
		p.Usage = ResumptionPSKUsage(r.Uint8())
		if p.Usage < ResumptionPSKUsageApplication || p.Usage > ResumptionPSKUsageBranch {
			unknown(r, "resumption PSK usage", uint64(p.Usage))
		}
		p.GroupID = r.Opaque()
		p.Epoch = r.Uint64()
	default:
		unknown(r, "PSK type", uint64(p.Type))
	}
	p.Nonce = r.Opaque()
}

// AppendPSKLabel appends PSKLabel, RFC 9420 §8.4: the id with its position among
// the count of all.
func (p *PreSharedKeyID) AppendPSKLabel(b []byte, index, count uint16) []byte {
	b = binary.BigEndian.AppendUint16(p.Append(b), index)
	return binary.BigEndian.AppendUint16(b, count)
}
