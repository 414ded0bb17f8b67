package pkcs11

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// regenerate makes a new login and generation, unless somebody did since seen:
// it finds the token's slot, opens a new anchor session and logs in. Keys find
// their handles again when they are used next.
func (t *Token) regenerate(ctx context.Context, seen stamp) error {
	select {
	case t.recovering <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-t.recovering }()
	if t.isClosed() {
		return ErrClosed
	}
	epoch := t.m.currentEpoch()
	if now := t.stamp(); now != seen && now.epoch == epoch {
		return nil
	}
	start := time.Now()
	err := t.newLogin(ctx, epoch)
	t.observe(Event{Kind: EventRegenerate, Duration: time.Since(start), Err: err})
	if seen.generation > 0 {
		t.log.Info("pkcs11: new login", "token", t.Info().Label, "duration", time.Since(start), "error", err)
	}
	return err
}

func (t *Token) newLogin(ctx context.Context, epoch uint64) error {
	t.pool.clear(ctx)
	info, err := t.locate(ctx, epoch)
	if err != nil {
		return err
	}
	anchor, err := t.openHandle(ctx, epoch, info.Slot)
	if err != nil {
		return err
	}
	if err := t.ensureLogin(ctx, epoch, anchor, info); err != nil {
		t.closeHandle(ctx, epoch, anchor)
		return err
	}
	t.mu.Lock()
	old := t.state
	t.state = state{stamp{epoch, old.generation + 1}, info.Slot, anchor}
	t.info = info
	t.mu.Unlock()
	if old.generation > 0 {
		t.closeHandle(ctx, old.epoch, old.anchor)
	}
	if info.MaxSessions > 1 {
		t.pool.lowerTo(int(info.MaxSessions) - 1) // the anchor is one
	}
	return nil
}

// use runs f with a session of the pool, as often as attempts says.
func (t *Token) use(ctx context.Context, op string, f func(ctx context.Context, s *session) error) error {
	return t.attempts(ctx, op, func(ctx context.Context) (stamp, error) {
		st := t.stamp()
		s, err := t.pool.get(ctx)
		if err != nil {
			return st, err
		}
		err = f(ctx, s)
		var hang *HangError
		if errors.As(err, &hang) {
			t.pool.lose()
		} else {
			t.pool.put(s, err)
		}
		return s.stamp, err
	})
}

// attempts runs f until it succeeds, fails for a reason that no repetition
// cures, or RecoverTimeout has passed since the first failure. After a failure
// it climbs a ladder: another session, a new login, a new initialisation, as
// far as the failure asks for, and one rung further each time the same comes
// again. f returns the stamp that it worked under.
//
// What f does must be harmless to repeat.
func (t *Token) attempts(ctx context.Context, op string, f func(context.Context) (stamp, error)) error {
	var r *recovery
	for tries := 1; ; tries++ {
		if err := t.usable(); err != nil {
			return err
		}
		st, err := f(ctx)
		if err == nil {
			if t.failing.Load() {
				t.failing.Store(false)
			}
			return nil
		}
		if r == nil {
			r = &recovery{t: t, op: op}
			deadline, cancel := within(ctx, t.cfg.RecoverTimeout)
			defer cancel()
			r.ctx = deadline
		}
		if !r.again(ctx, st, err) {
			return t.failed(op, tries, err)
		}
	}
}

func (t *Token) usable() error {
	if t.isClosed() {
		return ErrClosed
	}
	return t.stopped()
}

// A recovery is one operation's way up the ladder.
type recovery struct {
	t     *Token
	op    string
	ctx   context.Context // ends with RecoverTimeout
	rung  int             // the strongest remedy tried
	moved int             // times that the key was not where it was
	odd   bool            // an unknown answer was met
	pause time.Duration
}

const (
	rungSession = 1 + iota
	rungLogin
	rungInit
)

// again applies the remedy for err and reports whether to try again.
func (r *recovery) again(caller context.Context, st stamp, err error) bool {
	if caller.Err() != nil || r.t.cfg.RecoverTimeout < 0 || r.ctx.Err() != nil {
		return false
	}
	var remedy int
	switch classify(err) {
	case classCaller, classPIN:
		return false
	case classSession, classHang:
		remedy = r.climb(rungSession)
	case classLogin:
		if errors.Is(err, errKeyMoved) {
			if r.moved++; r.moved > 2 {
				return false
			}
			remedy = rungLogin
			break
		}
		remedy = r.climb(rungLogin)
	case classDevice:
		remedy = r.climb(rungLogin)
	case classUnknown:
		if r.odd {
			return false
		}
		r.odd = true
		remedy = rungSession
	case classBusy:
		if r.wait() != nil {
			return false
		}
	}
	r.t.observe(Event{Kind: EventRetry, Call: r.op, Err: err})
	r.apply(remedy, st)
	return r.ctx.Err() == nil
}

// climb returns the remedy for a failure that asks for at least rung: the next
// stronger one if that was tried.
func (r *recovery) climb(rung int) int {
	r.rung = min(max(rung, r.rung+1), rungInit)
	return r.rung
}

// apply does what remedy says. Its own failure is not returned: the operation
// is tried again, fails, and says more.
func (r *recovery) apply(remedy int, st stamp) {
	t := r.t
	if remedy == rungInit {
		if done, err := t.m.reinit(r.ctx, st.epoch, t.cfg.ReinitInterval); done {
			t.observe(Event{Kind: EventReinit, Err: err})
			t.log.Warn("pkcs11: module initialised again", "module", t.cfg.Module, "for", r.op, "error", err)
		} else if err != nil && r.wait() != nil {
			return
		}
	}
	if remedy >= rungLogin {
		if err := t.regenerate(r.ctx, st); err != nil {
			t.note(err)
			if classify(err) == classDevice && remedy < rungInit {
				r.rung = rungLogin
				r.apply(rungInit, st)
				return
			}
			r.wait()
		}
	}
}

// wait is a pause that grows.
func (r *recovery) wait() error {
	r.pause = min(max(2*r.pause, 2*time.Millisecond), 500*time.Millisecond)
	return sleep(r.ctx, r.pause/2+rand.N(r.pause/2+1))
}
