package mls

import (
	"context"
	"errors"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/framing"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/secrettree"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// How a PrivateMessage is received:
//
//	peek      under mu: limits first; the head secret, or the kept key, is
//	          copied into the operation and the generation pinned
//	          no lock: sender data before, derivation, AEAD and signature after
//	consume   under mu: the key is gone, the derived state installed
//	abort     under mu: unpinned, nothing changed
//
// A key is consumed only after AEAD and signature, so a tampered copy burns
// nothing; a pinned generation is never evicted, so parallel receivers lose
// nothing. Handshake keys are consumed with the outcome (process.go).

// receiving is the scratch of one receive.
type receiving struct {
	opener framing.Opener
	op     secrettree.Op
	pub    []byte // copy of the sender's signature key
}

func (r *receiving) wipe() {
	r.opener.Wipe()
	r.op.Wipe()
}

// OpenMessage decrypts an application message and appends its plaintext to dst,
// which must not overlap msg. It is the allocation-free twin of Process: nothing
// of its own is allocated when dst has room for len(msg) plus the encoded
// GroupContext. msg is not written and not kept. info, if not nil, receives
// epoch, sender and AAD.
//
// On error dst is returned unchanged, the bytes behind it are cleared, and the
// genuine message still opens: ErrNotApplication for other messages (see
// Process), ErrDecrypt for what does not authenticate, ErrSecretReuse for a
// replay, ErrTooDistantInThePast, ErrTooDistantInTheFuture, ErrEpochGone,
// ErrOwnMessage, ErrUseAfterEviction, ErrMessageTooLong, *ValidationError.
func (g *Group) OpenMessage(ctx context.Context, dst, msg []byte, info *MessageInfo) ([]byte, error) {
	if len(msg) > g.cfg.MaxReceive {
		return dst, ErrMessageTooLong
	}
	r := g.takeReceiving()
	defer g.putReceiving(r)
	if err := r.opener.Parse(msg); err != nil {
		if errors.Is(err, framing.ErrNotPrivate) {
			return dst, ErrNotApplication
		}
		return dst, public(err)
	}
	if r.opener.ContentType() != proto.ContentTypeApplication {
		return dst, ErrNotApplication
	}
	m, err := g.peek(r)
	if err != nil {
		return dst, public(err)
	}
	if err := r.open(dst, m); err != nil {
		g.abort(r, m)
		return dst, public(err)
	}
	out, err := g.consume(ctx, r, m)
	if err != nil {
		return dst, public(err)
	}
	if info != nil {
		*info = MessageInfo{Epoch: m.number, Sender: uint32(r.op.Leaf()), Generation: r.op.Generation(),
			AAD: r.opener.AuthenticatedData()}
	}
	return out, nil
}

// peek finds the epoch, opens the sender data and pins the generation. On
// success the messages are acquired and r.pub is the sender's signature key.
func (g *Group) peek(r *receiving) (*messages, error) {
	g.mu.Lock()
	m, err := g.epochFor(r)
	if err != nil {
		g.mu.Unlock()
		return nil, err
	}
	m.acquire()
	g.mu.Unlock()

	leaf, generation, err := r.opener.SenderData(m.frames)
	err = forked(err)

	g.mu.Lock()
	defer g.mu.Unlock()
	if err == nil {
		err = g.peekGeneration(r, m, leaf, generation)
	}
	if err != nil {
		g.releaseMessages(m)
		return nil, err
	}
	return m, nil
}

// epochFor returns the message half of the epoch that r's message names. mu is
// held.
func (g *Group) epochFor(r *receiving) (*messages, error) {
	if err := g.checkReceive(); err != nil {
		return nil, err
	}
	if string(r.opener.GroupID()) != string(g.id) {
		return nil, check.Errorf(check.V070, "message of another group")
	}
	number := r.opener.Epoch()
	if number != g.head.epoch {
		g.forgetOld()
	}
	m := g.messagesOf(number)
	switch {
	case number > g.head.epoch:
		return nil, check.Errorf(check.V071, "epoch %d is ahead of %d", number, g.head.epoch)
	case m == nil:
		return nil, ErrEpochGone
	case m != g.cur.messages && r.opener.ContentType() != proto.ContentTypeApplication:
		return nil, check.Errorf(check.V071, "handshake message of epoch %d, now is %d", number, g.head.epoch)
	}
	return m, nil
}

// peekGeneration checks the sender and pins the generation. mu is held.
func (g *Group) peekGeneration(r *receiving, m *messages, leaf treemath.LeafIndex, generation uint32) error {
	if m.life.gone {
		return ErrEpochGone
	}
	if leaf == m.own {
		return ErrOwnMessage // V097
	}
	pub, ok := g.signatureKeyOf(m.number, leaf)
	if !ok {
		return check.ErrAuth // V087: no oracle for who can forge sender data
	}
	r.pub = append(r.pub[:0], pub...)
	typ := secrettree.Application
	if r.opener.ContentType() != proto.ContentTypeApplication {
		typ = secrettree.Handshake
		if g.cur == nil || m != g.cur.messages { // since epochFor
			return check.Errorf(check.V071, "handshake message of epoch %d, now is %d", m.number, g.head.epoch)
		}
	}
	return m.secrets.Peek(&r.op, leaf, typ, generation)
}

// open derives the key, decrypts behind dst and verifies the signature. No lock
// is held.
func (r *receiving) open(dst []byte, m *messages) error {
	r.op.Derive()
	if err := r.opener.Open(dst, m.frames, r.op.Key(), r.op.Nonce()); err != nil {
		return err
	}
	return r.opener.Verify(r.pub)
}

// consume uses up the key of an opened application message and returns dst with
// its plaintext.
func (g *Group) consume(ctx context.Context, r *receiving, m *messages) ([]byte, error) {
	g.mu.Lock()
	err := g.checkReceive()
	if err == nil && m.life.gone {
		err = ErrEpochGone
	}
	if err == nil {
		err = m.secrets.Consume(&r.op)
	} else {
		m.secrets.Abort(&r.op)
	}
	if err == nil && g.cfg.Receive == EachMessage {
		g.mu.Unlock()
		err = g.writeConsumed(ctx, r, m)
		g.mu.Lock()
	}
	g.releaseMessages(m)
	g.mu.Unlock()
	if err != nil {
		r.opener.Abort()
		return nil, err
	}
	return r.opener.Content(), nil
}

// writeConsumed makes the use of a message's key durable before its plaintext is
// handed out. If it can't, the key is given back, so that the message opens again.
func (g *Group) writeConsumed(ctx context.Context, r *receiving, m *messages) error {
	err := g.Flush(ctx)
	if errors.Is(err, provider.ErrOutcomeUnknown) {
		// If the batch was applied, the message is a replay from now on, and
		// this the last chance to hand it out: Flush finds out.
		err = g.Flush(ctx)
	}
	if err != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		if !m.life.gone {
			m.secrets.Return(&r.op)
		}
	}
	return err
}

// abort gives back what peek took; nothing has changed.
func (g *Group) abort(r *receiving, m *messages) {
	r.opener.Abort()
	g.mu.Lock()
	defer g.mu.Unlock()
	m.secrets.Abort(&r.op)
	g.releaseMessages(m)
}

// forgetOld forgets the past epochs that are older than Config.PastEpochAge. Their
// records go with the next batch. mu is held.
func (g *Group) forgetOld() {
	if g.cfg.PastEpochAge == 0 {
		return
	}
	limit := g.cfg.Now().Add(-g.cfg.PastEpochAge).Unix()
	n := 0
	for n < len(g.past) && g.past[n].retired < limit {
		n++
	}
	g.forgetPast(n)
}

// forgetPast forgets the n oldest past epochs. mu is held.
func (g *Group) forgetPast(n int) {
	for _, p := range g.past[:n] {
		g.stale = append(g.stale, p.number)
		g.dropMessages(p.messages)
	}
	g.past = append([]past(nil), g.past[n:]...)
}

// ForgetPastEpochs forgets the keys of all past epochs: late messages of theirs
// can't be opened any more. They are gone from memory even if the error says that
// the store could not be written; it is tried again with the next batch.
func (g *Group) ForgetPastEpochs(ctx context.Context) error {
	g.mu.Lock()
	err := g.failed
	if err == nil {
		g.forgetPast(len(g.past))
	}
	g.mu.Unlock()
	if err != nil {
		return err
	}
	return g.Flush(ctx)
}

// Flush writes what was received since the last batch. When it returns nil,
// everything processed before the call is durable: acknowledge up to the last
// cursor given.
func (g *Group) Flush(ctx context.Context) error {
	g.mu.Lock()
	clean := g.unsettled == nil && !g.applying && !g.dirty()
	g.mu.Unlock()
	if clean {
		return nil
	}
	if err := g.lockWriter(ctx); err != nil {
		return err
	}
	defer g.unlockWriter()
	g.mu.Lock()
	err := g.failed
	clean = !g.dirty()
	g.mu.Unlock()
	if err != nil || clean {
		return err
	}
	return g.apply(ctx, new(provider.Batch), transition{})
}

func (g *Group) takeReceiving() *receiving {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := len(g.receivers); n > 0 {
		r := g.receivers[n-1]
		g.receivers = g.receivers[:n-1]
		return r
	}
	return &receiving{pub: make([]byte, 0, provider.MaxNpk)}
}

func (g *Group) putReceiving(r *receiving) {
	r.wipe()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.receivers) < freeScratch {
		g.receivers = append(g.receivers, r)
	}
}
