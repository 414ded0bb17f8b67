package proto

import (
	"encoding/binary"

	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// Append appends the encoding, RFC 9420 §12.4.3.1.
func (w *Welcome) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(w.CipherSuite))
	b = appendList(b, w.Secrets, func(b []byte, s *EncryptedGroupSecrets) []byte { return s.Append(b) })
	return wire.AppendOpaque(b, w.EncryptedGroupInfo)
}

// Decode reads a welcome.
func (w *Welcome) Decode(r *wire.Reader) {
	w.CipherSuite = provider.CipherSuite(r.Uint16())
	outer, whole, list := r.Enter(), r.Len(), w.Secrets[:0]
	for !r.Empty() && grow(r, &list, whole, secretsList) {
		list[len(list)-1].Decode(r)
	}
	w.Secrets = leave(r, outer, list)
	w.EncryptedGroupInfo = r.Opaque()
}

// Append appends the encoding, RFC 9420 §12.4.3.1.
func (s *EncryptedGroupSecrets) Append(b []byte) []byte {
	return s.EncryptedGroupSecrets.Append(wire.AppendOpaque(b, s.NewMember))
}

// Decode reads one member's part of a welcome.
func (s *EncryptedGroupSecrets) Decode(r *wire.Reader) {
	s.NewMember = r.Opaque()
	s.EncryptedGroupSecrets.Decode(r)
}

// Append appends the encoding, RFC 9420 §12.4.3.1. It makes room for the whole of
// it first, so that no secret stays behind in an array that was too small.
func (g *GroupSecrets) Append(b []byte) []byte {
	const length = 4 // at most, of a vector
	room := 3*length + 1 + len(g.JoinerSecret) + len(g.PathSecret)
	for i := range g.PSKs {
		p := &g.PSKs[i]
		room += 1 + 1 + 8 + 3*length + len(p.ID) + len(p.GroupID) + len(p.Nonce)
	}
	if room > cap(b)-len(b) {
		b = append(make([]byte, 0, len(b)+room), b...)
	}
	b = wire.AppendOpaque(b, g.JoinerSecret)
	b = appendOptional(b, g.PathSecret != nil)
	if g.PathSecret != nil {
		b = wire.AppendOpaque(b, g.PathSecret)
	}
	return appendList(b, g.PSKs, func(b []byte, p *PreSharedKeyID) []byte { return p.Append(b) })
}

// Decode reads group secrets.
func (g *GroupSecrets) Decode(r *wire.Reader) {
	g.JoinerSecret = r.Opaque()
	if r.Optional() {
		g.PathSecret = r.Opaque()
	}
	outer, whole, list := r.Enter(), r.Len(), g.PSKs[:0]
	for !r.Empty() && grow(r, &list, whole, pskList) {
		list[len(list)-1].Decode(r)
	}
	g.PSKs = leave(r, outer, list)
}

// DecodeGroupSecrets decodes group secrets. On error nothing of b is referred to.
func DecodeGroupSecrets(b []byte) (*GroupSecrets, error) { return decodeAll(b, (*GroupSecrets).Decode) }
