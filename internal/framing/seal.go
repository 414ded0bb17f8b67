package framing

import (
	"context"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// A Sealer makes one PrivateMessage at a time, RFC 9420 §6.3. The zero value is
// ready. It belongs to one operation of one goroutine, allocates nothing after
// its first use, and is wiped before somebody else gets it.
//
// The message is made in place, in the spare capacity of the caller's dst:
//
//	Begin    label | TBS: version … sender aad type | content | GroupContext
//	SetAuth  header: version … aad | sender data | content | auth | padding
//	Finish   header: version … aad | sealed      | ciphertext               | tag
//
// Begin copies the content in, SetAuth moves it a few bytes to the left, Finish
// seals it where it stands.
//
// Calls out of this order are bugs of the caller and panic.
type Sealer struct {
	_     noCopy
	stage sealStage
	ep    *Epoch
	leaf  treemath.LeafIndex
	ct    proto.ContentType
	pad   Padding

	buf     []byte // dst and what is reserved behind it
	base    int    // len(dst)
	touched int    // end of what was written to buf

	signed  span // SignContent
	aad     span // authenticated_data<V>
	content span
	sealed  span // sender data, encrypted in place
	inner   span // PrivateMessageContent with padding, encrypted in place

	sig   [provider.MaxSigMax]byte
	keys  senderDataKeys
	nonce [provider.MaxNn]byte
}

// span is a part of buf.
type span struct{ from, to int }

func (s span) of(b []byte) []byte { return b[s.from:s.to:s.to] }
func (s span) len() int           { return s.to - s.from }

type sealStage uint8

const (
	sealIdle    sealStage = iota
	sealBegun             // SignContent stands
	sealLaidOut           // the message stands, unsealed
)

// Begin starts a message of the member at leaf. content is the application data
// as it is, or the encoding of a Proposal or a Commit. It is copied behind dst,
// which may have spare capacity and must not overlap content or aad. If dst is
// too small it grows once, to what the finished message can need at most.
//
// Begin fails only with V096, for a message that does not fit, and has then
// touched nothing.
func (s *Sealer) Begin(dst []byte, ep *Epoch, leaf treemath.LeafIndex, ct proto.ContentType, content, aad []byte, pad Padding) error {
	s.expect(sealIdle)
	sz, err := ep.sizes(ct, len(content), len(aad), pad)
	if err != nil {
		return err
	}
	buf, err := reserve(dst, sz.need)
	if err != nil {
		return err
	}
	s.ep, s.leaf, s.ct, s.pad = ep, leaf, ct, pad
	s.buf, s.base = buf, len(dst)

	b := append(buf[:s.base], signLabel...)
	b = wire.AppendVarint(b, sz.tbs)
	b = ep.appendHead(b, leaf, ct, aad)
	s.aad = span{len(b) - 1 - opaqueLen(len(aad)), len(b) - 1}
	s.content.from = len(b)
	b = appendContent(b, ct, content)
	s.content.to = len(b)
	b = append(b, ep.context...)
	s.signed = span{s.base, len(b)}
	s.touched = len(b)
	s.stage = sealBegun
	return nil
}

// BeginSigned is Begin and SetAuth for content that is signed already: a
// handshake message, which is hashed or referred to as an AuthenticatedContent
// before it is encrypted. An AuthenticatedContent that is not of ep, not from a
// member or not to be encrypted fails with V070, V071, V073 or V078; on error
// nothing behind dst remains and the Sealer is ready for another Begin.
func (s *Sealer) BeginSigned(dst []byte, ep *Epoch, ac *proto.AuthenticatedContent, pad Padding) error {
	c := &ac.Content
	if err := ep.match(c.GroupID, c.Epoch); err != nil {
		return err
	}
	if ac.WireFormat != proto.WireFormatPrivateMessage {
		return check.Errorf(check.V073, "content signed for wire format %d", ac.WireFormat)
	}
	if c.Sender.Type != proto.SenderTypeMember {
		return check.Errorf(check.V078, "only members send PrivateMessages")
	}
	if err := s.Begin(dst, ep, c.Sender.Leaf, c.ContentType, encodedContent(c), c.AuthenticatedData, pad); err != nil {
		return err
	}
	if err := s.SetAuth(ac.Auth.Signature, ac.Auth.ConfirmationTag); err != nil {
		s.Abort()
		return err
	}
	return nil
}

// SealPrivate is BeginSigned and Finish in one.
func SealPrivate(dst []byte, ep *Epoch, signed *proto.AuthenticatedContent, key, nonce []byte, generation uint32, reuseGuard [4]byte, pad Padding) ([]byte, error) {
	var s Sealer
	defer s.Wipe()
	if err := s.BeginSigned(dst, ep, signed, pad); err != nil {
		return dst, err
	}
	return s.Finish(key, nonce, generation, reuseGuard), nil
}

// ToSign returns the SignContent that the sender signs, RFC 9420 §5.1.2 and
// §6.1. It is valid until the next call on s and must not be changed.
func (s *Sealer) ToSign() []byte {
	s.expect(sealBegun)
	return s.signed.of(s.buf)
}

// Sign is ToSign, the signer's signature and SetAuth, for content without a
// confirmation tag. An error of the signer is returned as it is. After an error
// the message can be signed again or aborted.
func (s *Sealer) Sign(ctx context.Context, signer provider.Signer) error {
	sig, err := signer.Sign(ctx, s.sig[:0], s.ToSign())
	if err != nil {
		return err
	}
	return s.SetAuth(sig, nil)
}

// SetAuth puts everything but the encryption in its place: header, content,
// signature, padding and, for a commit, the confirmation tag of Nh bytes. It
// keeps neither argument. It fails, and changes nothing, if a signature is no
// signature of the suite by its length (V012, class Provider) or the tag is
// missing, of another length, or too many (V082).
func (s *Sealer) SetAuth(sig, confirmationTag []byte) error {
	s.expect(sealBegun)
	if err := s.ep.checkAuth(s.ct, sig, confirmationTag); err != nil {
		return err
	}
	ep, nt := s.ep, s.ep.params.Nt
	auth := opaqueLen(len(sig))
	if s.ct == proto.ContentTypeCommit {
		auth += opaqueLen(len(confirmationTag))
	}
	ciphertext := int(s.pad.padded(uint64(s.content.len() + auth + nt)))

	// What moves moves first. The authenticated data go left, and the content
	// then starts behind them wherever it goes.
	b := append(s.buf[:s.base], ep.header...)
	b = append(b, byte(s.ct))
	b = append(b, s.aad.of(s.buf)...)
	s.aad = span{len(b) - s.aad.len(), len(b)}
	s.sealed.from = len(b) + wire.VarintLen(senderDataLen+nt)
	s.sealed.to = s.sealed.from + senderDataLen + nt
	at := s.sealed.to + wire.VarintLen(ciphertext)
	copy(s.buf[at:], s.content.of(s.buf))
	s.inner = span{at, at + ciphertext - nt}

	wire.AppendVarint(b, senderDataLen+nt)
	wire.AppendVarint(s.buf[:s.sealed.to], ciphertext)
	b = wire.AppendOpaque(s.buf[:at+s.content.len()], sig)
	if s.ct == proto.ContentTypeCommit {
		b = wire.AppendOpaque(b, confirmationTag)
	}
	clear(s.buf[len(b):s.inner.to])
	s.touched = max(s.touched, s.inner.to+nt)
	s.stage = sealLaidOut
	return nil
}

// Finish encrypts with key and nonce of generation, which the caller took from
// the secret tree for this message alone, and a reuseGuard that is fresh. It
// returns dst extended by the MLSMessage and cannot fail. The Sealer is then
// ready for another Begin.
func (s *Sealer) Finish(key, nonce []byte, generation uint32, reuseGuard [4]byte) []byte {
	s.expect(sealLaidOut)
	ep, end := s.ep, s.inner.to+s.ep.params.Nt

	// RFC 9420 §6.3.1: PrivateContentAAD is the header as it stands, from
	// group_id to authenticated_data. §6.3.2: SenderDataAAD ends before the
	// latter.
	start := s.base + headerAAD
	ep.suite.Seal(s.buf[:s.inner.from], key, guarded(&s.nonce, nonce, reuseGuard),
		s.inner.of(s.buf), s.buf[start:s.aad.to])
	s.keys.seal(ep, s.sealed.of(s.buf), s.leaf, generation, reuseGuard,
		s.buf[start:s.aad.from], s.buf[s.inner.from:end])

	clear(s.buf[end:max(end, s.touched)])
	msg := s.buf[:end]
	s.reset()
	return msg
}

// Abort drops the message that was begun and clears what was written behind
// dst. It does nothing if there is none.
func (s *Sealer) Abort() {
	if s.stage == sealIdle {
		return
	}
	clear(s.buf[s.base:s.touched])
	s.reset()
}

// Wipe aborts and erases everything that the Sealer remembers. It stays ready.
func (s *Sealer) Wipe() {
	s.Abort()
	clear(s.sig[:])
	s.keys.labels.Wipe()
}

func (s *Sealer) reset() {
	clear(s.nonce[:])
	s.ep, s.buf, s.pad = nil, nil, Padding{}
	s.stage = sealIdle
}

func (s *Sealer) expect(stage sealStage) {
	if s.stage != stage {
		panic("framing: Sealer called out of order")
	}
}
