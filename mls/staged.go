package mls

import (
	"context"
	"errors"

	"github.com/hardmls/hardmls/provider"
)

// A StagedCommit is a commit that was checked and not yet merged: the next epoch.
// It shows what will change, so that an application can refuse. Merging makes it
// the group's current epoch; discarding forgets its secrets.
type StagedCommit struct {
	group       *Group
	base        *epoch
	change      *change // nil for a pending commit loaded from the store
	next        *epoch  // nil if selfRemoved
	selfRemoved bool
	used        bool   // merged, being merged, or discarded; guarded by Group.mu
	late        bool   // merged by a call that did not know; guarded by Group.mu
	cursor      []byte // delivery cursor that counts once the commit is merged or discarded
	commitHash  []byte
	batch       *provider.Batch // what merging writes
	CommitSummary

	// Of a commit of one's own.
	message, welcome, groupInfo []byte
	fresh                       []provider.KeyRef // keys that only this commit holds
}

// plan computes the batch that merging will apply and the summary. Nothing but
// what is dirty at the time of merging is added to it later.
func (st *StagedCommit) plan() {
	st.CommitSummary = st.change.summary()
	st.batch = st.group.planMerge(st)
}

// SelfRemoved reports whether merging removes this client from the group.
func (st *StagedCommit) SelfRemoved() bool { return st.selfRemoved }

// EpochAuthenticator returns the authenticator of the staged epoch, RFC 9420 §8.7:
// nil if this client is removed by it, and once it was merged or discarded.
func (st *StagedCommit) EpochAuthenticator() []byte {
	st.group.mu.Lock()
	defer st.group.mu.Unlock()
	if st.next == nil || st.used {
		return nil
	}
	return clone(st.next.keys.Authenticator.Bytes())
}

// Export derives a secret of the staged epoch, as Group.Export will after
// merging. ErrStagedUsed once it was merged or discarded.
func (st *StagedCommit) Export(out []byte, label string, context []byte) error {
	st.group.mu.Lock()
	defer st.group.mu.Unlock()
	switch {
	case st.used:
		return ErrStagedUsed
	case st.next == nil:
		return ErrUseAfterEviction
	}
	return public(st.next.keys.Export(out, label, context))
}

// Discard forgets the staged epoch. It does nothing after Merge, and for the
// pending commit of the group, which Group.DiscardPending forgets.
func (st *StagedCommit) Discard() {
	g := st.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if !st.used && g.pending != st {
		g.deliver(st.cursor)
		st.erase()
	}
}

// erase forgets what only st holds. Group.mu is held.
func (st *StagedCommit) erase() {
	st.used = true
	wipeRefs(st.fresh)
	if st.next != nil {
		st.next.eraseAll()
	}
	if st.batch != nil {
		wipeBatch(st.batch)
	}
}

// newKeys returns the references of private keys that only st's records name.
func (st *StagedCommit) newKeys() []provider.KeyRef {
	var refs []provider.KeyRef
	for _, r := range st.fresh {
		refs = append(refs, r.Clone())
	}
	return refs
}

// Merge makes a staged commit of another member the group's current epoch. A
// pending commit of one's own is thereby lost: its keys are deleted.
//
// Errors: *EpochConflictError if the group moved on since the commit was staged,
// ErrStagedUsed, *StorageError (then nothing changed), ErrFenced.
func (g *Group) Merge(ctx context.Context, st *StagedCommit) error {
	if st.group != g {
		return errors.New("mls: commit was staged in another group")
	}
	if err := g.lockWriter(ctx); err != nil {
		return err
	}
	err := g.merge(ctx, st)
	g.unlockWriter()
	if err != nil {
		return err
	}
	g.sweepSpent(ctx)
	return nil
}

// MergePending makes the pending commit of this client the current epoch, once
// the delivery service has accepted it. Its Welcome goes to the outbox, where it
// stays until Sent. Errors as Merge's, and ErrNoPendingCommit.
func (g *Group) MergePending(ctx context.Context) error {
	if err := g.lockWriter(ctx); err != nil {
		return err
	}
	g.mu.Lock()
	st, err := g.pending, g.check()
	g.mu.Unlock()
	if err == nil && st == nil {
		err = ErrNoPendingCommit
	}
	if err == nil {
		err = g.merge(ctx, st)
	}
	g.unlockWriter()
	if err != nil {
		return err
	}
	g.sweepSpent(ctx)
	return nil
}

// merge applies st's batch and installs its epoch. The writer slot is held.
func (g *Group) merge(ctx context.Context, st *StagedCommit) error {
	g.mu.Lock()
	if st.late {
		g.mu.Unlock() // the last call could not tell that it had merged
		st.late = false
		return nil
	}
	if err := g.mayMerge(st); err != nil {
		g.mu.Unlock()
		return err
	}
	if g.cfg.PastEpochs > 0 && !st.selfRemoved {
		// RFC 9420 §9.2: the past epoch must not hold the keys of handshakes.
		st.base.messages.secrets.OpenUsed()
	}
	st.used = true // from here on Discard leaves it alone
	b := cloneBatch(st.batch)
	planned := len(b.Put)                           // those stay st's until it is merged
	defer func() { wipeRecords(b.Put[planned:]) }() // of the epoch that ends
	spent := g.spentBy(st)
	h := g.nextHead(st)
	epochs := g.keptEpochs()
	g.mu.Unlock()

	now := g.cfg.Now().Unix()
	if st.selfRemoved {
		b.Drop = append(b.Drop, epochs...)
	} else {
		g.planRetire(b, st, now)
	}
	if st.welcome != nil {
		b.Put = append(b.Put, provider.Record{Key: g.key(kindOutbox, id64(h.outbox)), Value: append(newRecord(), st.welcome...)})
		h.outbox++
	}
	b.Put = append(b.Put, provider.Record{Key: g.key(kindHead, nil), Value: h.encode()})
	g.bury(b, spent)
	return g.apply(ctx, b, transition{
		done: func(late bool) {
			st.late = late
			g.install(st, h, spent, now)
			wipeBatch(st.batch)
		},
		undo: func(bool) {
			st.used = false
			wipeRefs(spent)
		},
	})
}

// keptEpochs returns the prefixes of all epochs that are in the store. mu is held.
func (g *Group) keptEpochs() []provider.Key {
	epochs := []provider.Key{{Group: g.id, Epoch: g.head.epoch + 1}}
	for _, p := range g.past {
		epochs = append(epochs, provider.Key{Group: g.id, Epoch: p.number + 1})
	}
	return epochs
}

// mayMerge checks that st's base is still current. mu is held.
func (g *Group) mayMerge(st *StagedCommit) error {
	switch {
	case g.failed != nil:
		return g.failed
	case st.used:
		return ErrStagedUsed
	case g.cur != st.base:
		e := &EpochConflictError{Base: st.base.number(), Epoch: g.head.epoch}
		if back := e.Epoch - e.Base; e.Epoch > e.Base && back <= uint64(len(g.head.committed)) {
			e.Winner = clone(g.head.committed[uint64(len(g.head.committed))-back])
		}
		return e
	}
	return g.check()
}

// nextHead returns the head after st. mu is held.
func (g *Group) nextHead(st *StagedCommit) head {
	h := g.head
	h.arrivals = 0
	if st.cursor != nil {
		h.cursor = st.cursor
	}
	h.committed = append(h.committed[:len(h.committed):len(h.committed)], st.commitHash)
	if n := len(h.committed); n > keptCommits {
		h.committed = h.committed[n-keptCommits:]
	}
	switch {
	case st.selfRemoved:
		h.phase = evicted
		return h
	case st.info.reinit != nil:
		h.phase, h.reinit = reinitialized, st.info.reinit
	}
	h.epoch = st.next.number()
	h.own = uint32(st.next.own)
	return h
}

// install swaps in the epoch of st. mu is held.
func (g *Group) install(st *StagedCommit, h head, spent []provider.KeyRef, now int64) {
	old := g.cur
	if st.cursor != nil {
		g.head.cursor = st.cursor
	}
	g.setHead(h)
	g.spentKeys = append(g.spentKeys, spent...)
	g.proposals = nil
	g.forgetUpdates()
	if g.pending != nil && g.pending != st {
		g.pending.erase()
	}
	g.pending = nil
	wipeRefs(st.fresh) // the epoch has its own
	if st.selfRemoved {
		g.dropMessages(old.messages)
		g.dropEpoch(old)
		for _, p := range g.past {
			g.dropMessages(p.messages)
		}
		g.cur, g.past = nil, nil
		return
	}
	g.cur = st.next
	old.messages.secrets.Retire()
	g.past = append(g.past, past{old.messages, now, replacedKeys(old.tree, st.next.tree)})
	for len(g.past) > g.cfg.PastEpochs {
		g.dropMessages(g.past[0].messages)
		g.past = append([]past(nil), g.past[1:]...)
	}
	g.forgetOld()
	g.dropEpoch(old)
}

// spentBy returns the references of keys that no record names after st is
// merged. mu is held.
func (g *Group) spentBy(st *StagedCommit) []provider.KeyRef {
	var kept provider.KeyRef
	if st.next != nil {
		kept = st.next.leafRef
	}
	var spent []provider.KeyRef
	add := func(r provider.KeyRef) {
		if len(r) > 0 && !sameRef(r, kept) {
			spent = append(spent, r.Clone())
		}
	}
	add(g.cur.ownedRef())
	for _, u := range g.ownUpdates {
		add(u.ref)
	}
	if g.pending != nil && g.pending != st {
		for _, r := range g.pending.fresh {
			add(r)
		}
	}
	return spent
}

// DiscardPending forgets the pending commit and deletes its keys. Proposals stay
// pending. It is safe only if the delivery service refused the commit.
func (g *Group) DiscardPending(ctx context.Context) error {
	if err := g.lockWriter(ctx); err != nil {
		return err
	}
	g.mu.Lock()
	st, err := g.pending, g.failed
	g.mu.Unlock()
	if err == nil && st == nil {
		err = ErrNoPendingCommit
	}
	if err == nil {
		b := &provider.Batch{Delete: []provider.Key{{Group: g.id, Kind: kindPending}}}
		spent := st.newKeys()
		g.bury(b, spent)
		err = g.apply(ctx, b, transition{done: func(bool) {
			g.pending = nil
			g.deliver(st.cursor)
			st.erase()
			g.spentKeys = append(g.spentKeys, spent...)
		}})
	}
	g.unlockWriter()
	if err != nil {
		return err
	}
	g.sweepSpent(ctx)
	return nil
}
