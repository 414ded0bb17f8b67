package framing

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// signLabel is the label of a SignContent over a FramedContentTBS with its
// length, RFC 9420 §5.1.2 and §6.1. Its length fits one byte.
const signLabel = string(rune(len("MLS 1.0 "+labels.LabelFramedContentTBS))) + "MLS 1.0 " + labels.LabelFramedContentTBS

// senderLen is the length of a Sender of type member, RFC 9420 §6.
const senderLen = 1 + 4

// headerAAD is where the AADs start in a header: behind version and wire format.
const headerAAD = 2 + 2

// headLen is the length of what stands before the content in a
// FramedContentTBS.
func (ep *Epoch) headLen(aad []byte) int {
	return len(ep.header) + senderLen + opaqueLen(len(aad)) + 1
}

// appendHead appends what stands before the content in a FramedContentTBS of a
// PrivateMessage: version, wire format, group, epoch, sender, authenticated
// data and content type.
func (ep *Epoch) appendHead(b []byte, leaf treemath.LeafIndex, ct proto.ContentType, aad []byte) []byte {
	b = append(b, ep.header...)
	b = append(b, byte(proto.SenderTypeMember))
	b = binary.BigEndian.AppendUint32(b, uint32(leaf))
	b = wire.AppendOpaque(b, aad)
	return append(b, byte(ct))
}

// appendContent appends the content of a FramedContent or PrivateMessageContent:
// application data get their length, handshake contents are encoded already.
func appendContent(b []byte, ct proto.ContentType, content []byte) []byte {
	if ct == proto.ContentTypeApplication {
		return wire.AppendOpaque(b, content)
	}
	return append(b, content...)
}

// sizes are the lengths of a message before it is signed.
type sizes struct {
	tbs  int    // FramedContentTBS
	need uint64 // room for the SignContent, and for the longest message
}

// sizes computes them for content and authenticated data of these lengths, or
// fails with V096.
func (ep *Epoch) sizes(ct proto.ContentType, content, aad int, pad Padding) (sizes, error) {
	if content > wire.MaxVector || aad > wire.MaxVector {
		return sizes{}, tooLong()
	}
	encoded := uint64(content)
	auth := opaqueLen(ep.params.SigMax)
	switch ct {
	case proto.ContentTypeApplication:
		encoded = uint64(opaqueLen(content))
	case proto.ContentTypeCommit:
		auth += opaqueLen(ep.params.Nh)
	}
	head := uint64(len(ep.header)) + uint64(opaqueLen(aad)) + 1
	tbs := head + senderLen + encoded + uint64(len(ep.context))
	ciphertext := pad.padded(encoded + uint64(auth+ep.params.Nt))
	if tbs > wire.MaxVector || ciphertext > wire.MaxVector {
		return sizes{}, tooLong()
	}
	signed := uint64(len(signLabel)+wire.VarintLen(int(tbs))) + tbs
	msg := head + uint64(opaqueLen(senderDataLen+ep.params.Nt)) + uint64(opaqueLen(int(ciphertext)))
	return sizes{tbs: int(tbs), need: max(signed, msg)}, nil
}

// checkAuth checks the form of FramedContentAuthData (V012, V082).
func (ep *Epoch) checkAuth(ct proto.ContentType, sig, confirmationTag []byte) error {
	if len(sig) == 0 || len(sig) > ep.params.SigMax {
		return check.As(check.V012, check.ClassProvider, "signature of %d bytes, the suite's have up to %d", len(sig), ep.params.SigMax)
	}
	return checkTag(ep.params, ct, confirmationTag)
}

// checkTag checks that there is a confirmation tag of Nh bytes if and only if
// the content is a commit (V082).
func checkTag(p *provider.Params, ct proto.ContentType, tag []byte) error {
	want := 0
	if ct == proto.ContentTypeCommit {
		want = p.Nh
	}
	if len(tag) != want {
		return check.Errorf(check.V082, "confirmation tag of %d bytes, not %d", len(tag), want)
	}
	return nil
}

func opaqueLen(n int) int { return wire.VarintLen(n) + n }

// tooLong is the error for what does not fit a vector (V096): at most 2^30-1
// bytes, far below the limits of the AEADs.
func tooLong() error {
	return check.Errorf(check.V096, "a message has at most %d bytes", wire.MaxVector)
}

// reserve returns dst with n bytes more, whose content is undefined. It
// allocates once if dst has no room for them, and else not.
func reserve(dst []byte, n uint64) ([]byte, error) {
	if n > math.MaxInt-uint64(len(dst)) {
		return nil, tooLong()
	}
	return slices.Grow(dst, int(n))[:len(dst)+int(n)], nil
}
