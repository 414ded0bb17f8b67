package mls

import (
	"context"
	"crypto/subtle"
	"errors"

	"github.com/hardmls/hardmls/provider"
)

// A transition is what becomes of a batch in memory: done once it is durable,
// undo if it is certain that it is not. One of them runs, under Group.mu; nil is
// nothing. late says that the outcome was unknown at first: the caller was given
// provider.ErrOutcomeUnknown and is gone.
type transition struct {
	done func(late bool)
	undo func(late bool)
}

func (t *transition) end(applied, late bool) {
	f := t.undo
	if applied {
		f = t.done
	}
	if f != nil {
		f(late)
	}
}

// unsettled is a batch of unknown outcome: what the store holds if it was
// applied.
type unsettled struct {
	transition
	put      []provider.Record // value: its hash
	gone     []provider.Key
	deletion bool // of the whole group
}

// newUnsettled describes what b leaves in the store.
func (g *Group) newUnsettled(b *provider.Batch, t transition) *unsettled {
	u := &unsettled{transition: t}
	for _, rec := range b.Put {
		u.put = append(u.put, provider.Record{Key: cloneKey(rec.Key), Value: g.hash(rec.Value)})
	}
	for _, k := range b.Delete {
		if !puts(b.Put, k) {
			u.gone = append(u.gone, cloneKey(k))
		}
	}
	return u
}

// applied reports whether the store holds what the batch left there: then it was
// this batch, or another owner's to the same effect, that made the version.
func (u *unsettled) applied(ctx context.Context, g *Group) (bool, error) {
	for _, k := range u.gone {
		switch v, err := getRecord(ctx, g.store, k); {
		case err != nil:
			return false, err
		case v != nil:
			return false, nil
		}
	}
	for _, rec := range u.put {
		v, err := getRecord(ctx, g.store, rec.Key)
		if err != nil {
			return false, err
		}
		if v == nil || subtle.ConstantTimeCompare(g.hash(v), rec.Value) != 1 {
			return false, nil
		}
	}
	return !u.deletion, nil
}

// settle finds out whether a batch of unknown outcome was applied, and ends its
// transition. What was received meanwhile stays. The writer slot is held.
func (g *Group) settle(ctx context.Context) error {
	g.mu.Lock()
	u, version := g.unsettled, g.version
	g.mu.Unlock()
	if u == nil {
		return nil
	}
	now, err := g.store.Version(ctx, g.id)
	if err != nil {
		return storageError("version", err)
	}
	failed, applied := ErrFenced, false
	switch now {
	case version:
		failed = nil
	case 0:
		if u.deletion {
			failed = ErrClosed
		}
	case version + 1:
		if applied, err = u.applied(ctx, g); err != nil {
			return err
		}
		if applied {
			failed = nil
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unsettled = nil
	if failed != nil {
		u.end(false, true)
		if failed == ErrClosed {
			g.forget()
		}
		g.failed = failed
		return failed
	}
	if applied {
		g.version++
	}
	u.end(applied, true)
	return nil
}

// apply writes b as the group's next transition, with everything that is dirty,
// and wipes what it added to b. On error memory is as it was. The writer slot is
// held.
func (g *Group) apply(ctx context.Context, b *provider.Batch, t transition) error {
	g.mu.Lock()
	if g.failed != nil {
		defer g.mu.Unlock()
		t.end(false, false)
		return g.failed
	}
	b.Group, b.Expect = g.id, g.version
	cursor := g.cursorDirty
	given := len(b.Put)
	defer func() { wipeRecords(b.Put[given:]) }()
	written := g.appendDirty(b)
	swept, stale := len(g.swept), len(g.stale)
	g.applying = true
	g.mu.Unlock()

	err := g.store.Apply(ctx, b)

	g.mu.Lock()
	defer g.mu.Unlock()
	g.applying = false
	for _, tree := range written {
		tree.EndWrite(err == nil)
	}
	if err == nil {
		g.version++
		g.swept, g.stale = g.swept[swept:], g.stale[stale:]
		t.end(true, false)
		return nil
	}
	g.cursorDirty = g.cursorDirty || cursor
	if errors.Is(err, provider.ErrOutcomeUnknown) {
		g.unsettled = g.newUnsettled(b, t)
		return storageError("apply", err)
	}
	t.end(false, false)
	if errors.Is(err, provider.ErrConflict) {
		g.failed = ErrFenced
		return ErrFenced
	}
	return storageError("apply", err)
}

func cloneKey(k provider.Key) provider.Key {
	k.Group, k.ID = clone(k.Group), clone(k.ID)
	return k
}
