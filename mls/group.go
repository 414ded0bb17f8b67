package mls

import (
	"context"
	"errors"
	"sync"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proposal"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/internal/secrettree"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// A Group is one MLS group as a member of it. It is safe for concurrent use.
//
// Two locks: mu guards memory and is never held across a call that takes a
// context, a signature, HPKE or a seal; the writer slot w is held for "check the
// base, Apply, swap". Every transition takes a snapshot under mu, builds and
// signs without a lock, and checks under w and mu that its base still stands.
type Group struct {
	id       []byte
	provider provider.Provider
	suite    provider.Suite
	crypto   provider.Crypto
	keys     provider.Keys
	store    provider.Storage
	cfg      config
	signers  SignerSource

	w         chan struct{} // one slot: who holds it may Apply
	refilling *refilling    // of who holds w; nil until the first message is sent

	mu          sync.Mutex
	head        head
	cursorDirty bool       // head.cursor is newer than the store's
	version     uint64     // of the group in the store
	applying    bool       // a batch is being written
	unsettled   *unsettled // a batch of unknown outcome: settle it first
	failed      error      // ErrFenced or ErrClosed: final
	cur         *epoch
	past        []past // oldest first
	proposals   []storedProposal
	ownUpdates  map[string]ownUpdate // by proposal reference
	committing  bool                 // a Commit is being built
	pending     *StagedCommit        // own commit, waiting
	spentKeys   []provider.KeyRef    // deleted by no one yet; they have tombstones
	swept       []provider.Key       // tombstones of deleted keys
	stale       []uint64             // epochs on disk that are no longer kept
	senders     []*sending           // free scratch
	receivers   []*receiving         // free scratch
}

// MaxGroupID is the longest group id, in bytes. None may be empty.
const MaxGroupID = proposal.MaxGroupID

// freeScratch is how many idle operations' scratch a group keeps per direction.
const freeScratch = 4

func newGroup(p provider.Provider, suite provider.Suite, id []byte, cfg config, signers SignerSource) (*Group, error) {
	if p.Storage() == nil {
		return nil, errNoStorage
	}
	if len(id) == 0 || len(id) > MaxGroupID {
		// Records of no group have no group id, and each record carries it.
		return nil, public(check.Errorf(check.V013, "group id of %d bytes: at least 1, at most %d", len(id), MaxGroupID))
	}
	return &Group{
		id:       id,
		provider: p,
		suite:    suite,
		crypto:   p.Crypto(),
		keys:     provider.KeysOf(p),
		store:    p.Storage(),
		cfg:      cfg,
		signers:  signers,
		w:        make(chan struct{}, 1),
	}, nil
}

// A SignerSource finds the signer of a public key: a Signer is never stored, so
// loading a group and merging a commit with a new key ask for it.
type SignerSource interface {
	// Signer returns the signer whose public key is pub, or an error that
	// wraps ErrSignerNotFound.
	Signer(ctx context.Context, pub []byte) (provider.Signer, error)
}

// Signers returns a SignerSource of the given signers.
func Signers(s ...provider.Signer) SignerSource { return signerList(s) }

type signerList []provider.Signer

func (l signerList) Signer(_ context.Context, pub []byte) (provider.Signer, error) {
	for _, s := range l {
		if string(s.Public()) == string(pub) {
			return s, nil
		}
	}
	return nil, ErrSignerNotFound
}

// check returns why the group can't do what needs an operational group, nil if
// it can. mu is held.
func (g *Group) check() error {
	if g.failed != nil {
		return g.failed
	}
	switch g.head.phase {
	case evicted:
		return ErrUseAfterEviction
	case reinitialized:
		return ErrReInitialized
	}
	return nil
}

// checkReceive is check for what is only read: a re-initialised group still reads
// late messages. mu is held.
func (g *Group) checkReceive() error {
	if err := g.check(); err != ErrReInitialized {
		return err
	}
	return nil
}

// lockWriter takes the writer slot, and settles an unknown outcome first. The
// caller calls unlockWriter.
func (g *Group) lockWriter(ctx context.Context) error {
	select {
	case g.w <- struct{}{}:
	default:
		select {
		case g.w <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := g.settle(ctx); err != nil {
		g.unlockWriter()
		return err
	}
	return nil
}

func (g *Group) unlockWriter() { <-g.w }

// Close forgets the group's secrets in memory; the group stays in the store. What
// was received since the last flush is written first, and the unused part of the
// lease is given back. If that fails the group stays open, so that Close can be
// tried again, unless it was fenced: then there is nothing left to write.
func (g *Group) Close(ctx context.Context) error {
	if err := g.lockWriter(ctx); err != nil && !errors.Is(err, ErrFenced) {
		return err
	} else if err == nil {
		defer g.unlockWriter()
		if err := g.unload(ctx); err != nil && !errors.Is(err, ErrFenced) {
			return err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forget()
	g.failed = ErrClosed
	return nil
}

// unload writes what is dirty, and the own ratchet as far as it was used. The
// writer slot is held.
func (g *Group) unload(ctx context.Context) error {
	b := new(provider.Batch)
	defer wipeBatch(b)
	g.mu.Lock()
	clean, err := !g.dirty(), g.failed
	if err == nil && g.cur != nil {
		m := g.cur.messages
		next, err := m.secrets.NextGeneration(m.own, secrettree.Application)
		if err == nil && m.inflight == 0 && m.leased > next && m.void <= next && g.putAhead(b, m, secrettree.Application, 0) == nil {
			m.leased, clean = next, false // nothing can be sent without a new lease
		}
	}
	g.mu.Unlock()
	if err != nil || clean {
		return err
	}
	return g.apply(ctx, b, transition{})
}

// Delete removes the group from the store and from memory. ErrClosed if that was
// done before.
func (g *Group) Delete(ctx context.Context) error {
	if err := g.lockWriter(ctx); err != nil {
		return err
	}
	defer g.unlockWriter()
	g.mu.Lock()
	if g.failed != nil {
		g.mu.Unlock()
		return g.failed
	}
	refs := g.heldKeys()
	b := &provider.Batch{Group: g.id, Expect: g.version, Drop: []provider.Key{{Group: g.id}}}
	g.mu.Unlock()
	g.bury(b, refs)
	wipeRefs(refs)
	if err := g.store.Apply(ctx, b); err != nil && !g.deleted(ctx, err) {
		return storageError("apply", err)
	}
	g.mu.Lock()
	g.forget()
	g.failed = ErrClosed
	g.mu.Unlock()
	// The group is gone, whatever becomes of its keys now: their tombstones
	// stay until the next group of this store is loaded.
	_ = sweepTombstones(ctx, g.keys, g.store)
	return nil
}

// deleted reports whether the batch that deletes the group was applied although
// it failed with err. If that can't be told now, the next call finds out.
func (g *Group) deleted(ctx context.Context, err error) bool {
	if !errors.Is(err, provider.ErrOutcomeUnknown) {
		return false
	}
	version, err := g.store.Version(ctx, g.id)
	if err != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.unsettled = &unsettled{deletion: true}
	}
	return err == nil && version == 0
}

// heldKeys returns the references of every private key that the group's records
// name. mu is held.
func (g *Group) heldKeys() []provider.KeyRef {
	var refs []provider.KeyRef
	if g.cur != nil && len(g.cur.ownedRef()) > 0 {
		refs = append(refs, g.cur.ownedRef().Clone())
	}
	for _, u := range g.ownUpdates {
		refs = append(refs, u.ref.Clone())
	}
	if g.pending != nil {
		refs = append(refs, g.pending.newKeys()...)
	}
	return refs
}

// forget drops every epoch. mu is held.
func (g *Group) forget() {
	if g.pending != nil {
		g.pending.erase()
		g.pending = nil
	}
	if g.cur != nil {
		g.dropMessages(g.cur.messages)
		g.dropEpoch(g.cur)
	}
	for _, p := range g.past {
		g.dropMessages(p.messages)
	}
	g.past, g.proposals = nil, nil
	g.forgetUpdates()
	wipeRefs(g.spentKeys) // their tombstones stay
	g.spentKeys = nil
}

// forgetUpdates forgets the own Updates of the epoch. mu is held.
func (g *Group) forgetUpdates() {
	for _, u := range g.ownUpdates {
		secret.Wipe(u.ref)
	}
	clear(g.ownUpdates)
}

func (g *Group) dropEpoch(e *epoch) {
	if e.life.end() {
		e.erase()
	}
}

func (g *Group) dropMessages(m *messages) {
	if m.life.end() {
		m.erase()
	}
}

// current takes a reference to the current epoch for an operation that reads it
// without mu; done gives it back.
func (g *Group) current() (e *epoch, done func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.check(); err != nil {
		return nil, nil, err
	}
	e = g.cur
	e.life.acquire()
	return e, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if e.life.release() {
			e.erase()
		}
	}, nil
}

// messagesOf returns the message half of an epoch that is kept, nil for another.
// mu is held.
func (g *Group) messagesOf(number uint64) *messages {
	if g.cur != nil && g.cur.messages.number == number {
		return g.cur.messages
	}
	for _, p := range g.past {
		if p.number == number {
			return p.messages
		}
	}
	return nil
}

// signatureKeyOf returns the signature key of a member of an epoch that is kept:
// of that epoch, not of the present occupant of its leaf (V076). mu is held.
func (g *Group) signatureKeyOf(number uint64, leaf treemath.LeafIndex) ([]byte, bool) {
	for _, p := range g.past {
		if p.number < number {
			continue
		}
		if pub, ok := p.replaced[leaf]; ok {
			return pub, pub != nil
		}
	}
	pub := g.cur.tree.SignatureKey(leaf)
	return pub, pub != nil
}
