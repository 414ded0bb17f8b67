// Package framing protects and opens the messages of a group, RFC 9420 §6:
// PrivateMessage with a Sealer and an Opener that copy the plaintext twice and
// allocate nothing, PublicMessage with plain functions.
//
// It knows no group, takes no lock and keeps no ratchet. Whoever calls it takes
// key and nonce of a generation from the secret tree. Signing and verifying are
// steps of their own, so that a slow token blocks nothing and a message that
// fails consumes no key:
//
//	sending    Begin → sign → SetAuth → (take a generation) → Finish
//	receiving  Parse → SenderData → (peek at the generation) → Open → Verify → Content
//
// What fails to authenticate (sender data, ciphertext, membership tag,
// signature) fails with the bare check.ErrAuth. What an authenticated member
// encoded wrongly fails with its check.
package framing

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// An Epoch is what framing needs of one epoch of a group. It is immutable and
// safe for concurrent use, but for Erase.
type Epoch struct {
	suite  provider.Suite
	params *provider.Params
	number uint64

	// header is version, wire_format, group_id<V> and epoch: the start of a
	// PrivateMessage in its MLSMessage and, byte for byte, of its
	// FramedContentTBS. What follows the wire format starts both AADs.
	header     []byte
	groupID    []byte // inside header
	context    []byte // the encoded GroupContext
	senderData boundSecret
	membership boundSecret
}

// NewEpoch prepares an epoch. context is the encoded GroupContext. The secrets
// are Nh bytes each; membershipKey is nil for an epoch that is past and takes
// nothing but PrivateMessages. All is copied but context, which stays as it is.
func NewEpoch(s provider.Suite, groupID []byte, epoch uint64, context, senderDataSecret, membershipKey []byte) *Epoch {
	header := make([]byte, 0, 4+wire.VarintLen(len(groupID))+len(groupID)+8)
	header = binary.BigEndian.AppendUint16(header, uint16(proto.MLS10))
	header = binary.BigEndian.AppendUint16(header, uint16(proto.WireFormatPrivateMessage))
	header = wire.AppendOpaque(header, groupID)
	id := header[len(header)-len(groupID):]
	header = binary.BigEndian.AppendUint64(header, epoch)
	return &Epoch{
		suite:      s,
		params:     s.Params(),
		number:     epoch,
		header:     header,
		groupID:    id[:len(id):len(id)],
		context:    context,
		senderData: bind(s, senderDataSecret),
		membership: bind(s, membershipKey),
	}
}

// Erase wipes the secrets. It must not run while a Sealer, an Opener or a
// function of this package works on the epoch, and none may afterwards.
func (ep *Epoch) Erase() {
	if ep == nil {
		return
	}
	ep.senderData.erase()
	ep.membership.erase()
}

// GroupID returns the group, which is shared and must not be changed.
func (ep *Epoch) GroupID() []byte { return ep.groupID }

// Number returns the number of the epoch.
func (ep *Epoch) Number() uint64 { return ep.number }

// Context returns the encoded GroupContext, which is shared and must not be
// changed.
func (ep *Epoch) Context() []byte { return ep.context }

// match reports whether a message of group groupID and epoch number belongs to
// ep (V070, V071).
func (ep *Epoch) match(groupID []byte, number uint64) error {
	if !bytes.Equal(groupID, ep.groupID) {
		return check.Errorf(check.V070, "message of another group")
	}
	if number != ep.number {
		return check.Errorf(check.V071, "message of epoch %d in epoch %d", number, ep.number)
	}
	return nil
}

// A boundSecret is a secret of an epoch in the form that the suite prepares, or
// as it is where the suite prepares none.
type boundSecret struct {
	bound provider.Bound
	plain *secret.Secret
}

func bind(s provider.Suite, sec []byte) boundSecret {
	if sec == nil {
		return boundSecret{}
	}
	if b := s.Upgrades().Bind; b != nil {
		return boundSecret{bound: b.Bind(sec)}
	}
	return boundSecret{plain: secret.New(sec)}
}

func (b *boundSecret) erase() {
	if b.bound != nil {
		b.bound.Wipe()
	}
	b.plain.Erase()
}

// usable reports whether there is a secret and it was not erased: an empty one
// would derive keys that everybody knows.
func (b *boundSecret) usable() bool { return b.bound != nil || b.plain.Len() > 0 }

// senderDataKey derives key and nonce of the sender data from a sample of the
// ciphertext, RFC 9420 §6.3.2.
func (ep *Epoch) senderDataKey(scratch *labels.Scratch, key, nonce, ciphertext []byte) {
	sample := ciphertext[:min(ep.params.Nh, len(ciphertext))]
	if b := ep.senderData.bound; b != nil {
		b.SenderDataKey(key, nonce, sample)
		return
	}
	scratch.ExpandWithLabel(ep.suite, key, ep.senderData.plain.Bytes(), labels.LabelKey, sample)
	scratch.ExpandWithLabel(ep.suite, nonce, ep.senderData.plain.Bytes(), labels.LabelNonce, sample)
}

// checkMembershipKey refuses PublicMessages in an epoch that takes none (V071).
func (ep *Epoch) checkMembershipKey() error {
	if !ep.membership.usable() {
		return check.Errorf(check.V071, "no PublicMessages in epoch %d any more", ep.number)
	}
	return nil
}

// membershipTag writes the MAC over tbm, an AuthenticatedContentTBM, to out,
// RFC 9420 §6.2.
func (ep *Epoch) membershipTag(out, tbm []byte) {
	if b := ep.membership.bound; b != nil {
		b.MAC(out, tbm)
		return
	}
	ep.suite.MAC(out, ep.membership.plain.Bytes(), tbm)
}

// equalTags compares in a time that depends on the lengths only. Tags of
// different lengths differ, whatever they begin with.
func equalTags(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
