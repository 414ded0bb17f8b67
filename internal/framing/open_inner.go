package framing

import (
	"bytes"
	"encoding/binary"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/wire"
)

// readInner reads the PrivateMessageContent at inner, RFC 9420 §6.3.1, and
// returns where its content is.
func (o *Opener) readInner(inner span) (content span, err error) {
	b := inner.of(o.buf)
	if o.ct != proto.ContentTypeApplication {
		// What is decoded outlives dst's spare capacity.
		o.own = bytes.Clone(b)
		b = o.own
	}
	r := wire.NewReader(b)
	o.readContent(&r)
	n := r.Offset()
	content = span{inner.from, inner.from + n}
	o.data = span{content.to - len(o.content.ApplicationData), content.to}
	o.content.ApplicationData = nil

	sig := r.Opaque()
	if o.ct == proto.ContentTypeCommit {
		o.tag = r.Opaque()
	}
	padding := r.Bytes(r.Len())
	if err := r.Done(); err != nil {
		return span{}, err
	}
	if len(sig) == 0 || len(sig) > o.ep.params.SigMax {
		return span{}, check.ErrAuth // V012
	}
	o.sigLen = copy(o.sig[:], sig)
	if err := checkTag(o.ep.params, o.ct, o.tag); err != nil {
		return span{}, err
	}
	if !allZero(padding) {
		return span{}, check.Errorf(check.V084, "padding is not zero")
	}
	if o.own != nil {
		o.content.RawContent = b[:n:n]
	}
	return content, nil
}

// readContent reads what the content type demands.
func (o *Opener) readContent(r *wire.Reader) {
	o.content = proto.FramedContent{ContentType: o.ct}
	switch o.ct {
	case proto.ContentTypeApplication:
		o.content.ApplicationData = r.Opaque()
	case proto.ContentTypeProposal:
		o.content.Proposal = new(proto.Proposal)
		o.content.Proposal.Decode(r)
	case proto.ContentTypeCommit:
		o.content.Commit = new(proto.Commit)
		o.content.Commit.Decode(r)
	}
}

// rebuild builds the SignContent around the content, which stays where it is.
func (o *Opener) rebuild(content span) error {
	ep := o.ep
	tbs := uint64(ep.headLen(o.aad)) + uint64(content.len()) + uint64(len(ep.context))
	if tbs > wire.MaxVector {
		return o.fail(tooLong())
	}
	start := content.from - ep.headLen(o.aad) - wire.VarintLen(int(tbs)) - len(signLabel)
	b := append(o.buf[:start], signLabel...)
	b = wire.AppendVarint(b, int(tbs))
	ep.appendHead(b, o.leaf, o.ct, o.aad)
	b = append(o.buf[:content.to], ep.context...)
	o.signed = span{start, len(b)}
	o.stage = openDecrypted
	return nil
}

// allZero reports whether b is all zero, in a time that depends on its length
// only.
func allZero(b []byte) bool {
	var or uint64
	for len(b) >= 8 {
		or |= binary.NativeEndian.Uint64(b)
		b = b[8:]
	}
	for _, c := range b {
		or |= uint64(c)
	}
	return or == 0
}
