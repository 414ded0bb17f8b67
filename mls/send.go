package mls

import (
	"context"
	"io"

	"github.com/hardmls/hardmls/internal/framing"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/secrettree"
	"github.com/hardmls/hardmls/provider"
)

// How an application message is sent:
//
//	frame   under mu: state, proposals; a place in the lease is reserved
//	        no lock: AAD, padding, sizes; FramedContentTBS; reuse guard
//	sign    no lock, ctx
//	take    under mu: still the same epoch, else frame again; the generation
//	seal    no lock; cannot fail
//
// The generation is taken after signing, so a failed signature burns none, and
// was reserved on disk before, so no crash can use it twice.

// MessageOptions are the choices of one application message.
type MessageOptions struct {
	// AAD is authenticated with the message and readable by everybody.
	AAD []byte
	// Info, if not nil, receives the message's epoch and generation.
	Info *MessageInfo
}

// MessageInfo says where a message stands.
type MessageInfo struct {
	Epoch      uint64
	Sender     uint32 // leaf index
	Generation uint32 // of the sender in the epoch

	// AAD of a received message: it aliases the message and lives as long.
	AAD []byte
}

// sending is the scratch of one send.
type sending struct {
	sealer framing.Sealer
	op     secrettree.Op
	guard  [4]byte
}

func (s *sending) wipe() {
	s.sealer.Wipe()
	s.op.Wipe()
	clear(s.guard[:])
}

// sendTries is how often a send starts again because the epoch changed under it.
const sendTries = 3

// AppendMessage encrypts plaintext to the group as an application message (a
// PrivateMessage, RFC 9420 §6.3) and appends the encoded MLSMessage to dst, which
// must not overlap plaintext. It allocates nothing of its own when dst has room
// for the plaintext and about 300 bytes, plus the length of AAD, group id and
// GroupContext.
//
// On error dst is returned unchanged, the bytes behind it are cleared, and no
// generation was used: ErrPendingProposal, ErrUseAfterEviction,
// ErrReInitialized, ErrMessageTooLong, ErrEpochChanged, *SignerError,
// *StorageError, *RandomError.
func (g *Group) AppendMessage(ctx context.Context, dst, plaintext []byte, opt MessageOptions) ([]byte, error) {
	if len(plaintext) > g.cfg.MaxMessage || len(opt.AAD) > g.cfg.MaxMessage {
		return dst, ErrMessageTooLong
	}
	s := g.takeSending()
	defer g.putSending(s)
	for range sendTries {
		out, sent, err := g.trySend(ctx, s, dst, plaintext, opt)
		if sent || err != nil {
			return out, err
		}
	}
	return dst, ErrEpochChanged
}

// trySend is one round of AppendMessage; it reports false if the epoch changed
// before the generation was taken.
func (g *Group) trySend(ctx context.Context, s *sending, dst, plaintext []byte, opt MessageOptions) (out []byte, sent bool, err error) {
	m, signer, err := g.frame(ctx)
	if err != nil {
		return dst, false, err
	}
	if err = s.sealer.Begin(dst, m.frames, m.own, proto.ContentTypeApplication, plaintext, opt.AAD, g.cfg.padding); err == nil {
		if _, rerr := io.ReadFull(g.crypto.Rand(), s.guard[:]); rerr != nil {
			err = &RandomError{rerr}
		} else if err = s.sealer.Sign(ctx, signer); err != nil {
			err = &SignerError{err}
		}
	}
	taken, err := g.take(s, m, err)
	if !taken {
		s.sealer.Abort()
		return dst, false, public(err)
	}
	out = s.sealer.Finish(s.op.Key(), s.op.Nonce(), s.op.Generation(), s.guard)
	if opt.Info != nil {
		*opt.Info = MessageInfo{Epoch: m.number, Sender: uint32(m.own), Generation: s.op.Generation()}
	}
	g.mu.Lock()
	g.releaseMessages(m)
	g.mu.Unlock()
	return out, true, nil
}

// CreateMessage is AppendMessage into a new slice.
func (g *Group) CreateMessage(ctx context.Context, plaintext []byte, opt MessageOptions) ([]byte, error) {
	out, err := g.AppendMessage(ctx, nil, plaintext, opt)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// frame checks that application data may be sent and reserves a place in the
// lease, refilling it if need be. The messages are acquired for the caller.
func (g *Group) frame(ctx context.Context) (*messages, provider.Signer, error) {
	for {
		g.mu.Lock()
		m, signer, err := g.reserve()
		g.mu.Unlock()
		if err != nil || m != nil {
			return m, signer, err
		}
		if err := g.refill(ctx); err != nil {
			return nil, nil, err
		}
	}
}

// reserve returns nil without an error if the lease is used up. mu is held.
func (g *Group) reserve() (*messages, provider.Signer, error) {
	if err := g.check(); err != nil {
		return nil, nil, err
	}
	if g.unsettled != nil {
		return nil, nil, nil // refill settles it
	}
	if len(g.proposals) > 0 {
		return nil, nil, ErrPendingProposal // V178
	}
	m := g.cur.messages
	next, err := m.secrets.NextGeneration(m.own, secrettree.Application)
	if err != nil {
		return nil, nil, public(err)
	}
	if uint64(next)+uint64(m.inflight) >= uint64(m.leased) {
		return nil, nil, nil
	}
	m.inflight++
	m.acquire()
	return m, g.cur.signer, nil
}

// refill persists the own ratchet's head LeaseSize generations ahead, with room
// for the sends under way, before any of those generations is used.
func (g *Group) refill(ctx context.Context) error {
	if err := g.lockWriter(ctx); err != nil {
		return err
	}
	defer g.unlockWriter()
	g.mu.Lock()
	if err := g.check(); err != nil {
		g.mu.Unlock()
		return err
	}
	m := g.cur.messages
	next, err := m.secrets.NextGeneration(m.own, secrettree.Application)
	if err == nil && uint64(next)+uint64(m.inflight) < uint64(m.leased) {
		g.mu.Unlock() // another send refilled it
		return nil
	}
	if g.refilling == nil {
		g.refilling = new(refilling)
	}
	ahead := m.inflight + uint32(g.cfg.LeaseSize)
	if err == nil {
		err = g.refilling.prepare(g.id, m, next, ahead)
	}
	g.mu.Unlock()
	defer g.refilling.wipe()
	if err != nil {
		return public(err)
	}
	return g.apply(ctx, &g.refilling.batch, g.refilling.transition)
}

// refilling is the scratch of refill, which with a lease of 1 runs for each
// message: it allocates nothing after its first use. The writer slot guards it.
type refilling struct {
	batch  provider.Batch
	put    [1]provider.Record
	id     [ratchetIDLen]byte
	value  []byte
	m      *messages
	skip   uint32 // generations that are given up first
	leased uint32
	op     secrettree.Op
	transition
}

// prepare fills the batch with the own ratchet of m as it is ahead generations
// behind next. Group.mu is held.
func (r *refilling) prepare(group []byte, m *messages, next, ahead uint32) (err error) {
	if r.done == nil {
		r.done = r.leaseTaken
	}
	r.skip = 0
	if m.void > next {
		r.skip = m.void - next
	}
	if r.value, err = m.secrets.AppendAhead(r.value[:0], m.own, secrettree.Application, r.skip+ahead); err != nil {
		return err
	}
	r.m, r.leased = m, next+r.skip+ahead
	k := provider.Key{Group: group, Epoch: m.number + 1, Kind: kindRatchet,
		ID: appendRatchetID(r.id[:0], m.own, secrettree.Application)}
	r.put[0] = provider.Record{Key: k, Value: r.value}
	r.batch = provider.Batch{Put: r.put[:]}
	return nil
}

// leaseTaken is done under Group.mu once the batch is durable. A lease that was
// written with an unknown outcome is nobody's: another owner may have written the
// same record. Its generations are given up with the next one.
func (r *refilling) leaseTaken(late bool) {
	if late {
		r.m.void = r.leased
		return
	}
	for range r.skip {
		if r.m.secrets.Next(&r.op, r.m.own, secrettree.Application) != nil {
			break // the lease was written, so there are as many
		}
	}
	r.op.Wipe()
	r.m.leased = r.leased
}

// wipe forgets the secret of the record.
func (r *refilling) wipe() { clear(r.value[:cap(r.value)]) }

// putAhead adds to b the own ratchet's record with its head n generations
// ahead. mu is held.
func (g *Group) putAhead(b *provider.Batch, m *messages, typ secrettree.Type, n uint32) error {
	value, err := m.secrets.AppendAhead(nil, m.own, typ, n)
	if err != nil {
		return err
	}
	b.Put = append(b.Put, provider.Record{Key: ratchetKey(g.id, m.number, m.own, typ), Value: value})
	return nil
}

// take takes the generation for a signed message. With an error, or if the
// group moved on since frame, it gives the place back and reports false.
func (g *Group) take(s *sending, m *messages, err error) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	m.inflight--
	if err == nil {
		err = g.check()
	}
	if err == nil && g.cur.messages == m && len(g.proposals) == 0 {
		if err = m.secrets.Next(&s.op, m.own, secrettree.Application); err == nil {
			return true, nil
		}
	}
	g.releaseMessages(m)
	return false, err
}

// releaseMessages gives back a reference to m. mu is held.
func (g *Group) releaseMessages(m *messages) {
	if m.life.release() {
		m.erase()
	}
}

func (g *Group) takeSending() *sending {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := len(g.senders); n > 0 {
		s := g.senders[n-1]
		g.senders = g.senders[:n-1]
		return s
	}
	return new(sending)
}

func (g *Group) putSending(s *sending) {
	s.wipe()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.senders) < freeScratch {
		g.senders = append(g.senders, s)
	}
}
