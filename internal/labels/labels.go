// Package labels adds RFC 9420's labels to the primitives of a suite: key
// derivation (§8, §9), signatures (§5.1.2), public-key encryption (§5.1.3) and
// references (§5.2).
package labels

import (
	"context"
	"encoding/binary"

	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// prefix stands before every label.
const prefix = "MLS 1.0 "

// Labels of signatures, RFC 9420 §17.6.
const (
	LabelFramedContentTBS = "FramedContentTBS"
	LabelLeafNodeTBS      = "LeafNodeTBS"
	LabelKeyPackageTBS    = "KeyPackageTBS"
	LabelGroupInfoTBS     = "GroupInfoTBS"
)

// Labels of public-key encryption, RFC 9420 §17.7.
const (
	LabelUpdatePathNode = "UpdatePathNode"
	LabelWelcome        = "Welcome"
)

// Labels of key derivation, RFC 9420 §7.4, §8 and §9.
const (
	LabelPath           = "path"
	LabelNodeSecret     = "node"
	LabelJoiner         = "joiner"
	LabelWelcomeSecret  = "welcome"
	LabelEpoch          = "epoch"
	LabelSenderData     = "sender data"
	LabelEncryption     = "encryption"
	LabelExporter       = "exporter"
	LabelExported       = "exported"
	LabelExternal       = "external"
	LabelConfirm        = "confirm"
	LabelMembership     = "membership"
	LabelResumption     = "resumption"
	LabelAuthentication = "authentication"
	LabelInit           = "init"
	LabelDerivedPSK     = "derived psk"
	LabelTree           = "tree"
	LabelLeft           = "left"
	LabelRight          = "right"
	LabelHandshake      = "handshake"
	LabelApplication    = "application"
	LabelKey            = "key"
	LabelNonce          = "nonce"
	LabelSecret         = "secret"
)

// A Scratch holds the buffer in which labels are put together, so that
// derivations on the message path allocate nothing after its first use. It
// belongs to one operation. What it holds is not secret, but for the context of
// ExpandWithLabel.
type Scratch struct{ info []byte }

// Wipe clears the buffer, which stays ready.
func (c *Scratch) Wipe() { secret.Wipe(c.info[:cap(c.info)]) }

// ExpandWithLabel fills out from sec, RFC 9420 §8. out may be the same slice as
// sec. len(out) is at most 255·Nh.
func (c *Scratch) ExpandWithLabel(s provider.Suite, out, sec []byte, label string, context []byte) {
	b := c.appendHead(len(out), label)
	c.info = wire.AppendOpaque(b, context)
	s.Expand(out, sec, c.info)
}

// DeriveSecret fills out, which is Nh bytes, from sec, RFC 9420 §8.
func (c *Scratch) DeriveSecret(s provider.Suite, out, sec []byte, label string) {
	c.ExpandWithLabel(s, out, sec, label, nil)
}

// DeriveTreeSecret fills out from sec for a generation, RFC 9420 §9.1.
func (c *Scratch) DeriveTreeSecret(s provider.Suite, out, sec []byte, label string, generation uint32) {
	b := c.appendHead(len(out), label)
	c.info = binary.BigEndian.AppendUint32(append(b, 4), generation)
	s.Expand(out, sec, c.info)
}

// appendHead begins a KDFLabel, RFC 9420 §8: length and label.
func (c *Scratch) appendHead(n int, label string) []byte {
	if n > 1<<16-1 {
		panic("labels: output too long for a KDFLabel")
	}
	if c.info == nil {
		c.info = make([]byte, 0, 128)
	}
	b := binary.BigEndian.AppendUint16(c.info[:0], uint16(n))
	return appendLabel(b, label)
}

// ExpandWithLabel is Scratch.ExpandWithLabel for cold paths.
func ExpandWithLabel(s provider.Suite, out, sec []byte, label string, context []byte) {
	var c Scratch
	c.ExpandWithLabel(s, out, sec, label, context)
}

// DeriveSecret is Scratch.DeriveSecret for cold paths.
func DeriveSecret(s provider.Suite, out, sec []byte, label string) {
	ExpandWithLabel(s, out, sec, label, nil)
}

// DeriveTreeSecret is Scratch.DeriveTreeSecret for cold paths.
func DeriveTreeSecret(s provider.Suite, out, sec []byte, label string, generation uint32) {
	var c Scratch
	c.DeriveTreeSecret(s, out, sec, label, generation)
}

// AppendSignContent appends a SignContent, RFC 9420 §5.1.2.
func AppendSignContent(dst []byte, label string, content []byte) []byte {
	return wire.AppendOpaque(appendLabel(dst, label), content)
}

func appendLabel(dst []byte, label string) []byte {
	dst = wire.AppendVarint(dst, len(prefix)+len(label))
	return append(append(dst, prefix...), label...)
}

// SignWithLabel appends the signature of content to dst, RFC 9420 §5.1.2. The
// error is the signer's; dst is then returned as it was.
func SignWithLabel(ctx context.Context, signer provider.Signer, dst []byte, label string, content []byte) ([]byte, error) {
	sig, err := signer.Sign(ctx, dst, AppendSignContent(nil, label, content))
	if err != nil {
		return dst, err
	}
	return sig, nil
}

// VerifyWithLabel verifies a signature of content, RFC 9420 §5.1.2: nil or
// provider.ErrVerify.
func VerifyWithLabel(s provider.Suite, pub []byte, label string, content, sig []byte) error {
	return s.Verify(pub, AppendSignContent(nil, label, content), sig)
}

// AppendEncryptContext appends an EncryptContext, the HPKE info of RFC 9420
// §5.1.3.
func AppendEncryptContext(dst []byte, label string, context []byte) []byte {
	return wire.AppendOpaque(appendLabel(dst, label), context)
}

// RefHash returns the Nh-byte reference of value, RFC 9420 §5.2. The label is used
// as it is, without the prefix of the others.
func RefHash(s provider.Suite, label string, value []byte) []byte {
	in := wire.AppendOpaque(nil, []byte(label))
	in = wire.AppendOpaque(in, value)
	out := make([]byte, s.Params().Nh)
	s.Hash(out, in)
	return out
}

// KeyPackageRef returns the reference of an encoded KeyPackage, RFC 9420 §5.2.
func KeyPackageRef(s provider.Suite, keyPackage []byte) []byte {
	return RefHash(s, "MLS 1.0 KeyPackage Reference", keyPackage)
}

// ProposalRef returns the reference of the encoded AuthenticatedContent that holds
// a proposal, RFC 9420 §5.2.
func ProposalRef(s provider.Suite, authenticatedContent []byte) []byte {
	return RefHash(s, "MLS 1.0 Proposal Reference", authenticatedContent)
}
