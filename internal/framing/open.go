package framing

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// An Opener opens one PrivateMessage at a time, RFC 9420 §6.3. The zero value
// is ready. It belongs to one operation of one goroutine, allocates nothing for
// application data after its first use, and is wiped before somebody else gets
// it.
//
// The message is never written to. It is opened in the spare capacity of the
// caller's dst, where the SignContent is then built around the content; what
// remains is the content alone, moved down to dst's end.
//
// After an error nothing that was decrypted remains behind dst, and the Opener
// takes no call but Parse, ParseBare, Abort and Wipe. Calls out of order are bugs of
// the caller and panic.
type Opener struct {
	_     noCopy
	stage openStage
	ep    *Epoch

	// The header, borrowed from the message.
	groupID    []byte
	number     uint64
	ct         proto.ContentType
	aad        []byte
	fullAD     []byte // PrivateContentAAD, RFC 9420 §6.3.1
	shortAD    []byte // SenderDataAAD, §6.3.2
	encrypted  []byte // encrypted_sender_data
	ciphertext []byte

	leaf       treemath.LeafIndex
	generation uint32
	guard      [guardLen]byte

	buf     []byte // dst and what is reserved behind it
	base    int    // len(dst)
	data    span   // application_data
	signed  span   // SignContent
	sigLen  int
	sig     [provider.MaxSigMax]byte
	own     []byte // a handshake message's PrivateMessageContent, a copy
	content proto.FramedContent
	tag     []byte // inside own
	nonce   [provider.MaxNn]byte
	keys    senderDataKeys
	opening [senderDataLen + provider.MaxNt]byte
}

type openStage uint8

const (
	openIdle      openStage = iota
	openParsed              // the header is read
	openSender              // sender data are known
	openDecrypted           // SignContent stands
	openVerified
)

// ErrNotPrivate is an MLSMessage of another wire format.
var ErrNotPrivate = errors.New("framing: not a PrivateMessage")

// Parse reads the header of an MLSMessage that holds a PrivateMessage. msg must
// not change until the Opener is done with it. Errors are those of decoding,
// V007, V008, and ErrNotPrivate.
func (o *Opener) Parse(msg []byte) error {
	o.Abort()
	r := wire.NewReader(msg)
	version, format := proto.ProtocolVersion(r.Uint16()), proto.WireFormat(r.Uint16())
	switch {
	case r.Err() != nil:
	case version != proto.MLS10:
		r.Fail(check.Errorf(check.V007, "protocol version %d", version))
	case format < proto.WireFormatPublicMessage || format > proto.WireFormatKeyPackage:
		r.Fail(check.Errorf(check.V008, "wire format %d", format))
	case format != proto.WireFormatPrivateMessage:
		r.Fail(ErrNotPrivate)
	}
	return o.parse(msg, &r)
}

// ParseBare is Parse for a PrivateMessage without its MLSMessage.
func (o *Opener) ParseBare(msg []byte) error {
	o.Abort()
	r := wire.NewReader(msg)
	return o.parse(msg, &r)
}

func (o *Opener) parse(msg []byte, r *wire.Reader) error {
	from := r.Offset()
	o.groupID = r.Opaque()
	o.number = r.Uint64()
	o.ct = proto.ContentType(r.Uint8())
	short := r.Offset()
	o.aad = r.Opaque()
	full := r.Offset()
	o.encrypted = r.Opaque()
	o.ciphertext = r.Opaque()
	if r.Err() == nil && (o.ct < proto.ContentTypeApplication || o.ct > proto.ContentTypeCommit) {
		r.Fail(check.Errorf(check.V009, "content type %d", o.ct))
	}
	if err := r.Done(); err != nil {
		return o.fail(err)
	}
	o.shortAD, o.fullAD = msg[from:short], msg[from:full]
	o.stage = openParsed
	return nil
}

// GroupID returns group_id of the message that was parsed, a part of it. Like
// the rest of the header it is there until the next Parse, Abort or Wipe, or a
// call that fails.
func (o *Opener) GroupID() []byte { return o.groupID }

// Epoch returns epoch of the message that was parsed.
func (o *Opener) Epoch() uint64 { return o.number }

// ContentType returns content_type of the message that was parsed.
func (o *Opener) ContentType() proto.ContentType { return o.ct }

// AuthenticatedData returns authenticated_data of the message that was parsed,
// a part of it. Nothing vouches for it before Open and Verify.
func (o *Opener) AuthenticatedData() []byte { return o.aad }

// SenderData decrypts the sender data: who sent the message, and under which
// generation, if the message is genuine. Whether leaf is a member (V087) is the
// caller's to check. Errors: V070 and V071 for another group or epoch, and
// check.ErrAuth (V086).
func (o *Opener) SenderData(ep *Epoch) (leaf treemath.LeafIndex, generation uint32, err error) {
	o.expect(openParsed)
	if err := ep.match(o.groupID, o.number); err != nil {
		return 0, 0, o.fail(err)
	}
	n := senderDataLen + ep.params.Nt
	if len(o.encrypted) != n || !o.keys.open(ep, o.opening[:n], o.encrypted, o.shortAD, o.ciphertext) {
		return 0, 0, o.fail(check.ErrAuth)
	}
	o.leaf = treemath.LeafIndex(binary.BigEndian.Uint32(o.opening[:]))
	o.generation = binary.BigEndian.Uint32(o.opening[4:])
	copy(o.guard[:], o.opening[8:])
	clear(o.opening[:])
	o.stage = openSender
	return o.leaf, o.generation, nil
}

// Open decrypts the message with the key and nonce of its sender, content type
// and generation in ep, behind dst, which may have spare capacity and must not
// overlap the message. If dst is too small the content goes to a copy of it,
// made once. Errors: check.ErrAuth (V085) if the ciphertext does not open under
// this key, header and reuse guard; for what it holds V084 (padding), V082
// (confirmation tag) and those of decoding.
func (o *Opener) Open(dst []byte, ep *Epoch, key, nonce []byte) error {
	o.expect(openSender)
	o.ep = ep
	// The length of the TBS takes at most four bytes. Until the content is
	// known to end somewhere the GroupContext may come last.
	head := len(signLabel) + 4 + ep.headLen(o.aad)
	buf, err := reserve(dst, uint64(head)+uint64(len(o.ciphertext))+uint64(len(ep.context)))
	if err != nil {
		return o.fail(err)
	}
	o.buf, o.base = buf, len(dst)

	at := o.base + head
	opened, err := ep.suite.Open(buf[:at], key, guarded(&o.nonce, nonce, o.guard), o.ciphertext, o.fullAD)
	clear(o.nonce[:])
	if err != nil {
		return o.fail(check.ErrAuth)
	}
	content, err := o.readInner(span{at, len(opened)})
	if err != nil {
		return o.fail(err)
	}
	return o.rebuild(content)
}

// Verify checks the signature with the signature key of the sender's leaf in
// the epoch of the message: nil or check.ErrAuth (V012, V074).
func (o *Opener) Verify(pub []byte) error {
	o.expect(openDecrypted)
	if o.ep.suite.Verify(pub, o.signed.of(o.buf), o.sig[:o.sigLen]) != nil {
		return o.fail(check.ErrAuth)
	}
	o.stage = openVerified
	return nil
}

// Content returns the dst given to Open, extended by the application data of a
// message that verified. The Opener is done with the message then. It panics if
// the content type is another one.
func (o *Opener) Content() []byte {
	o.expect(openVerified)
	if o.ct != proto.ContentTypeApplication {
		panic("framing: Content of a handshake message")
	}
	end := o.base + copy(o.buf[o.base:], o.data.of(o.buf))
	clear(o.buf[end:])
	dst := o.buf[:end]
	o.done()
	return dst
}

// Authenticated returns the proposal or commit of a message that verified, in
// memory of its own. The Opener is done with the message then, and nothing
// remains behind the dst given to Open. It panics if the message holds
// application data.
func (o *Opener) Authenticated() *proto.AuthenticatedContent {
	o.expect(openVerified)
	if o.ct == proto.ContentTypeApplication {
		panic("framing: Authenticated of an application message")
	}
	c := o.content
	c.GroupID, c.Epoch = o.ep.groupID, o.number
	c.Sender = proto.Sender{Type: proto.SenderTypeMember, Leaf: o.leaf}
	c.AuthenticatedData = bytes.Clone(o.aad)
	ac := &proto.AuthenticatedContent{
		WireFormat: proto.WireFormatPrivateMessage,
		Content:    c,
		Auth:       proto.FramedContentAuthData{Signature: bytes.Clone(o.sig[:o.sigLen]), ConfirmationTag: o.tag},
	}
	clear(o.buf[o.base:])
	o.done()
	return ac
}

// Abort drops the message, if there is one, and clears what was decrypted.
func (o *Opener) Abort() {
	clear(o.buf[o.base:])
	clear(o.own)
	o.done()
	o.groupID, o.aad, o.fullAD, o.shortAD, o.encrypted, o.ciphertext = nil, nil, nil, nil, nil, nil
}

// Wipe aborts and erases everything that the Opener remembers. It stays ready.
func (o *Opener) Wipe() {
	o.Abort()
	clear(o.sig[:])
	o.keys.labels.Wipe()
}

// fail aborts and returns err.
func (o *Opener) fail(err error) error {
	o.Abort()
	return err
}

// done forgets everything but the header.
func (o *Opener) done() {
	o.stage, o.ep = openIdle, nil
	o.buf, o.base = nil, 0
	o.own, o.tag = nil, nil
	o.content = proto.FramedContent{}
	clear(o.guard[:])
	clear(o.opening[:])
}

func (o *Opener) expect(stage openStage) {
	if o.stage != stage {
		panic("framing: Opener called out of order")
	}
}
