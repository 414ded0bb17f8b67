package pkcs11

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A session belongs to one goroutine at a time, from get to put, and only that
// one closes it: modules crash when a session is closed under a call.
type session struct {
	t *Token
	stamp
	h sessionHandle
}

// A pool keeps idle sessions, the last used on top. Sessions of an earlier
// login are not used again.
type pool struct {
	t     *Token
	slots chan struct{} // one element per session that may be in use

	mu     sync.Mutex
	idle   []*session
	open   int // idle or in use
	limit  int
	most   int       // what limit may grow to
	tight  time.Time // when limit was lowered, or raised, last
	closed bool
}

func newPool(t *Token, limit int) *pool {
	p := &pool{t: t, slots: make(chan struct{}, limit), limit: limit, most: limit}
	for range limit {
		p.slots <- struct{}{}
	}
	return p
}

// get returns a session of the present login. It waits for one.
func (p *pool) get(ctx context.Context) (*session, error) {
	select {
	case <-p.slots:
	default:
		p.t.n.waiting.Add(1)
		defer p.t.n.waiting.Add(-1)
		select {
		case <-p.slots:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s, err := p.take(ctx)
	if err != nil {
		p.slots <- struct{}{}
	}
	return s, err
}

func (p *pool) take(ctx context.Context) (*session, error) {
	st, slot := p.t.current()
	for {
		s, err := p.pop()
		if err != nil {
			return nil, err
		}
		if s == nil {
			break
		}
		if s.stamp == st {
			return s, nil
		}
		p.drop(ctx, s, nil)
	}
	h, err := p.t.openHandle(ctx, st.epoch, slot)
	if err != nil {
		p.refused(err)
		return nil, err
	}
	p.mu.Lock()
	p.open++
	p.mu.Unlock()
	return &session{t: p.t, stamp: st, h: h}, nil
}

func (p *pool) pop() (*session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	n := len(p.idle)
	if n == 0 {
		return nil, nil
	}
	s := p.idle[n-1]
	p.idle[n-1], p.idle = nil, p.idle[:n-1]
	return s, nil
}

// put gives a session back after an operation that ended with err. After an
// answer that may have left an operation open in it, it is given up: there is
// no way to cancel one.
func (p *pool) put(s *session, err error) {
	defer func() { p.slots <- struct{}{} }()
	p.mu.Lock()
	p.grow()
	if !poisoned(err) && !p.closed {
		p.idle = append(p.idle, s)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	ctx, cancel := within(context.Background(), p.t.cfg.CallTimeout)
	defer cancel()
	p.drop(ctx, s, err)
}

// poisoned reports whether a session may be in a state unknown after err.
func poisoned(err error) bool {
	_, answered := Code(err)
	return answered || errors.Is(err, errKeyMoved)
}

// gone reports whether err says that the session does not exist any more. Its
// handle may be another session's by now.
func gone(err error) bool {
	code, _ := Code(err)
	switch rv(code) {
	case ckrSessionHandleInvalid, ckrSessionClosed, ckrNotInitialized:
		return true
	}
	return false
}

// lose forgets a session whose call was left behind. The goroutine of the call
// owns it now, and closes it.
func (p *pool) lose() {
	p.mu.Lock()
	p.open--
	p.mu.Unlock()
	p.t.observe(Event{Kind: EventDiscard, Call: "hang"})
	p.slots <- struct{}{}
}

// drop closes a session that the caller owns.
func (p *pool) drop(ctx context.Context, s *session, err error) {
	p.mu.Lock()
	p.open--
	p.mu.Unlock()
	p.t.observe(Event{Kind: EventDiscard, Err: err})
	if !gone(err) {
		p.t.closeHandle(ctx, s.epoch, s.h)
	}
}

// clear closes the idle sessions, before others of the same handles are opened.
func (p *pool) clear(ctx context.Context) {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, s := range idle {
		p.drop(ctx, s, nil)
	}
}

func (p *pool) close(ctx context.Context) {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.clear(ctx)
}

func (p *pool) counts() (open, inUse, limit int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open, p.open - len(p.idle), p.limit
}

// refused lowers the limit to what is open when the token has no more sessions.
func (p *pool) refused(err error) {
	if code, ok := Code(err); !ok || rv(code) != ckrSessionCount {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lower(p.open)
}

// growAfter is when a pool that the token had no room for tries one session
// more: others may have left.
const growAfter = 30 * time.Second

func (p *pool) grow() {
	if p.limit < p.most && time.Since(p.tight) > growAfter {
		p.limit++
		p.tight = time.Now()
		p.slots <- struct{}{}
	}
}

// lower takes slots away until limit is left, at least one. The caller has
// locked p.mu.
func (p *pool) lower(limit int) {
	p.tight = time.Now()
	for p.limit > max(1, limit) {
		select {
		case <-p.slots:
			p.limit--
		default: // all in use: enough for now
			return
		}
	}
}

// bound sets what the token says that it has room for.
func (p *pool) bound(most int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.most = max(1, min(most, cap(p.slots)))
	p.lower(p.most)
}

// openHandle opens a session. One whose opening was left behind is closed when
// it comes.
func (t *Token) openHandle(ctx context.Context, epoch uint64, slot uint) (sessionHandle, error) {
	type answer struct {
		h   sessionHandle
		err error
	}
	a := new(answer)
	err := t.call(ctx, "open session", epoch, func() error {
		a.h, a.err = t.m.lib.openSession(slot)
		return a.err
	}, func() {
		if a.err == nil {
			t.closeLate(epoch, a.h)
		}
	})
	if err != nil {
		return 0, err
	}
	return a.h, nil
}

// closeHandle closes a session of the initialisation epoch, if that is still
// the module's. Its error says nothing that anybody could act on.
func (t *Token) closeHandle(ctx context.Context, epoch uint64, h sessionHandle) {
	t.call(ctx, "close session", epoch, func() error { return t.m.lib.closeSession(h) }, nil)
}

// closeLate closes the session of a call that was left behind and came back.
func (t *Token) closeLate(epoch uint64, h sessionHandle) {
	if w, err := t.m.enter(context.Background(), epoch, t.cfg.CallTimeout); err == nil {
		t.m.lib.closeSession(h)
		t.m.leave(w, false)
	}
}

// do runs f, calls into the library with the session's handle, as one call.
func (s *session) do(ctx context.Context, name string, f func() error) error {
	return s.t.call(ctx, name, s.epoch, f, func() { s.t.closeLate(s.epoch, s.h) })
}
