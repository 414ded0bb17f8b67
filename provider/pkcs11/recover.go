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
//
// It returns the initialisation of the module that it met, which is the one to
// replace if it was no use.
func (t *Token) regenerate(ctx context.Context, seen stamp) (epoch uint64, err error) {
	select {
	case t.recovering <- struct{}{}:
	case <-ctx.Done():
		return seen.epoch, ctx.Err()
	}
	defer func() { <-t.recovering }()
	epoch = t.m.currentEpoch()
	if t.isClosed() {
		return epoch, ErrClosed
	}
	if now := t.stamp(); now != seen && now.epoch == epoch {
		return epoch, nil
	}
	start := time.Now()
	if err = t.login(ctx, epoch); err == nil {
		t.m.helped(epoch)
	}
	t.observe(Event{Kind: EventRegenerate, Duration: time.Since(start), Err: err})
	if seen.generation > 0 {
		t.log.Info("pkcs11: new login", "token", t.Info().Label, "duration", time.Since(start), "error", err)
	}
	return epoch, err
}

func (t *Token) login(ctx context.Context, epoch uint64) error {
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
		t.pool.bound(int(min(info.MaxSessions, 1<<20)) - 1) // the anchor is one
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
		if t.isClosed() {
			return ErrClosed
		}
		st, err := f(ctx)
		if err == nil {
			if t.failing.Load() {
				t.failing.Store(false)
			}
			return nil
		}
		if r == nil {
			r = &recovery{t: t, op: op, start: time.Now(), met: map[class]int{}}
			deadline, cancel := within(ctx, t.cfg.RecoverTimeout)
			defer cancel()
			r.ctx = deadline
		}
		if again, refused := r.again(ctx, st, err); refused != nil {
			return t.failed(op, tries, refused)
		} else if !again {
			return t.failed(op, tries, err)
		}
	}
}

// A recovery is one operation's way up the ladder.
type recovery struct {
	t     *Token
	op    string
	ctx   context.Context // ends with RecoverTimeout
	start time.Time
	met   map[class]int // how often each failure was met under the newest login
	moved int           // times that the key was not where it was
	pause time.Duration
}

// A remedy is a rung of the ladder.
type remedy uint8

const (
	another   remedy = iota // another session
	newLogin                // and a new login
	newModule               // and a new initialisation of the module
)

// patience is how long logins may fail to help before the module is initialised
// again.
const patience = 2 * time.Second

// ladders say which remedy is for the first, second, ... failure of a class.
// The last one goes on. A new initialisation hurts everybody in the process, so
// it comes soon only where a device says that it is lost; else logins have a
// while to help, since somebody who logs out again and again looks alike.
var ladders = map[class][]remedy{
	classSession: {another, another, newLogin, newLogin, newModule},
	classHang:    {another, another, newLogin},
	classLogin:   {newLogin, newLogin, newLogin, newLogin, newModule},
	classDevice:  {newLogin, newModule},
	classVague:   {another, newLogin, newLogin, newModule},
	classBusy:    {another},
	classUnknown: {another, another, newLogin},
}

// again applies the remedy for err, which came under the login st, and reports
// whether to try again. The remedy may need a PIN, and refused is why there is
// none.
func (r *recovery) again(caller context.Context, st stamp, err error) (try bool, refused error) {
	if caller.Err() != nil || r.t.cfg.RecoverTimeout < 0 || r.ctx.Err() != nil {
		return false, nil
	}
	c := classify(err)
	ladder := ladders[c]
	if len(ladder) == 0 {
		return false, nil
	}
	r.t.observe(Event{Kind: EventRetry, Call: r.op, Err: err})
	if now := r.t.stamp(); now != st && now.epoch == r.t.m.currentEpoch() {
		return true, nil // somebody was quicker
	}
	if errors.Is(err, errKeyMoved) {
		if r.moved++; r.moved > 2 {
			return false, nil
		}
	}
	n := r.met[c]
	r.met[c]++
	if c == classUnknown && n >= len(ladder) {
		return false, nil
	}
	if c == classBusy && r.wait() != nil {
		return false, nil
	}
	what := ladder[min(n, len(ladder)-1)]
	if what == newModule && c != classDevice && time.Since(r.start) < min(patience, r.t.cfg.RecoverTimeout/4) {
		if what = newLogin; r.wait() != nil {
			return false, nil
		}
	}
	refused = r.apply(what, st)
	return r.ctx.Err() == nil, refused
}

// apply does what remedy says. Its own failure is not returned: the operation
// is tried again, fails, and says more. Only a refused PIN is: nothing helps
// against that.
func (r *recovery) apply(what remedy, st stamp) (refused error) {
	switch what {
	case another:
		return nil
	case newModule:
		r.renew(st.epoch)
	}
	epoch, err := r.t.regenerate(r.ctx, st)
	if err != nil && classify(err) == classDevice {
		r.renew(epoch)
		_, err = r.t.regenerate(r.ctx, st)
	}
	if err == nil {
		return nil
	}
	r.t.note(err)
	if classify(err) == classPIN {
		return err
	}
	r.wait()
	return nil
}

// renew initialises the module again, unless somebody did since epoch.
func (r *recovery) renew(epoch uint64) {
	t := r.t
	done, err := t.m.reinit(r.ctx, epoch, t.cfg.ReinitInterval, t.cfg.ReinitOverCalls)
	if done {
		t.observe(Event{Kind: EventReinit, Err: err})
		t.log.Warn("pkcs11: module initialised again", "module", t.cfg.Module, "for", r.op, "error", err)
	}
	if err != nil {
		t.note(err)
		r.wait()
	}
}

// wait is a pause that grows.
func (r *recovery) wait() error {
	r.pause = min(max(2*r.pause, 2*time.Millisecond), 250*time.Millisecond)
	return sleep(r.ctx, r.pause/2+rand.N(r.pause/2+1))
}
