package mls

import (
	"context"
	"io"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/framing"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/secrettree"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// transact runs one transition of the group: build, under mu, checks what must
// hold, fills the batch, whose values are wiped in the end, and says what becomes
// of it. base must still be the current epoch, else ErrEpochChanged.
func (g *Group) transact(ctx context.Context, base *epoch, build func(b *provider.Batch) (transition, error)) error {
	if err := g.lockWriter(ctx); err != nil {
		return err
	}
	defer g.unlockWriter()
	g.mu.Lock()
	err := g.check()
	if err == nil && g.cur != base {
		err = ErrEpochChanged
	}
	b := new(provider.Batch)
	defer wipeBatch(b)
	var t transition
	if err == nil {
		if t, err = build(b); err != nil {
			t.end(false, false)
		}
	}
	g.mu.Unlock()
	if err != nil {
		return err
	}
	return g.apply(ctx, b, t)
}

// frame returns the FramedContent of a member's message in this epoch, still
// without content.
func (e *epoch) frame(typ proto.ContentType, aad []byte) *proto.FramedContent {
	return &proto.FramedContent{
		GroupID:           e.context.GroupID,
		Epoch:             e.number(),
		Sender:            memberSender(e.own),
		AuthenticatedData: clone(aad),
		ContentType:       typ,
	}
}

// handshake is a proposal or commit on its way out.
type handshake struct {
	ac  *proto.AuthenticatedContent
	msg []byte

	base   *epoch
	guard  [4]byte
	op     secrettree.Op // private: pins the generation until sent or unsent
	pinned bool
}

// signHandshake signs content in the wire format of the group's policy. No lock
// is held.
func (g *Group) signHandshake(ctx context.Context, base *epoch, content *proto.FramedContent) (*handshake, error) {
	h := &handshake{base: base}
	wf := proto.WireFormatPublicMessage
	if g.cfg.WireFormat.sendsPrivate() {
		wf = proto.WireFormatPrivateMessage
		if _, err := io.ReadFull(g.crypto.Rand(), h.guard[:]); err != nil {
			return nil, &RandomError{err}
		}
	}
	ac, err := framing.Sign(ctx, base.signer, content, wf, base.contextBytes)
	if err != nil {
		return nil, &SignerError{err}
	}
	h.ac = ac
	return h, nil
}

// sealHandshake makes the message of a signed handshake. A private one takes the
// next handshake generation: b puts the ratchet ahead of it, and the generation
// is used up with h.sent, or given back with h.unsent. The writer slot and mu
// are held.
func (g *Group) sealHandshake(b *provider.Batch, base *epoch, h *handshake) error {
	if h.ac.WireFormat == proto.WireFormatPublicMessage {
		var err error
		h.msg, err = framing.SealPublic(nil, base.messages.frames, h.ac)
		return err
	}
	m := base.messages
	next, err := m.secrets.NextGeneration(m.own, secrettree.Handshake)
	if err != nil {
		return err
	}
	if err := g.putAhead(b, m, secrettree.Handshake, 1); err != nil {
		return err
	}
	if err := m.secrets.Peek(&h.op, m.own, secrettree.Handshake, next); err != nil {
		return err
	}
	h.pinned = true
	h.op.Derive()
	h.msg, err = framing.SealPrivate(nil, m.frames, h.ac, h.op.Key(), h.op.Nonce(), next, h.guard, g.cfg.padding)
	return err
}

// sent uses up the generation of a sealed handshake. mu is held.
func (h *handshake) sent() {
	if !h.pinned {
		return
	}
	h.pinned = false
	h.base.messages.secrets.Consume(&h.op)
	h.op.Wipe()
}

// unsent gives the generation back. mu is held.
func (h *handshake) unsent() {
	if !h.pinned {
		return
	}
	h.pinned = false
	h.base.messages.secrets.Abort(&h.op)
	h.op.Wipe()
}

// signLeaf signs a leaf node, RFC 9420 §7.2. groupID and index matter for every
// source but key_package.
func signLeaf(ctx context.Context, s provider.Suite, signer provider.Signer, leaf *proto.LeafNode, groupID []byte, index treemath.LeafIndex) error {
	leaf.Raw, leaf.Signature = nil, nil
	sig, err := labels.SignWithLabel(ctx, signer, nil, labels.LabelLeafNodeTBS, leaf.AppendTBS(nil, groupID, index))
	if err != nil {
		return &SignerError{err}
	}
	leaf.Signature = sig
	leaf.Raw = leaf.Append(nil)
	return nil
}

// verifySender verifies the signature of a handshake message under pub.
func verifySender(pub *publicState, ac *proto.AuthenticatedContent, key []byte) error {
	var context []byte
	switch ac.Content.Sender.Type {
	case proto.SenderTypeMember, proto.SenderTypeNewMemberCommit:
		context = pub.contextBytes
	}
	return framing.VerifySignature(pub.suite, key, ac, context)
}

func errTooManyProposals() error {
	return check.Errorf(check.V112, "too many pending proposals")
}
