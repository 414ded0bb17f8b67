package pkcs11

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// call runs f, one or a few calls into the library with handles of epoch, and
// returns its error. A call that is still inside when ctx or CallTimeout ends
// is left behind: call returns, f goes on in its goroutine with its thread, and
// late is run when it comes back. So f must own what it touches.
//
// The error is f's, or a *HangError: errHang by CallTimeout, or by a new
// initialisation of the module, else the context's.
func (t *Token) call(ctx context.Context, name string, epoch uint64, f func() error, late func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if n := t.hanging(); n >= t.cfg.MaxAbandoned {
		return fmt.Errorf("%w: %d calls hang in the module", ErrUnavailable, n)
	}
	w, err := t.m.enter(ctx, epoch, t.cfg.CallTimeout)
	if err != nil {
		return err
	}
	start := time.Now()
	if ctx.Done() == nil && t.cfg.CallTimeout < 0 {
		err := f()
		t.m.leave(w, false)
		t.observe(Event{Kind: EventCall, Call: name, Duration: time.Since(start), Err: err})
		return err
	}
	c := &running{done: make(chan struct{}), behind: make(chan struct{})}
	go func() {
		c.err = f()
		if c.over.CompareAndSwap(false, true) {
			t.m.leave(w, false)
		} else {
			<-c.behind
			t.m.leave(w, true)
			t.hung.Add(-1)
			t.observe(Event{Kind: EventReturn, Call: name, Duration: time.Since(start), Err: c.err})
			if late != nil {
				late()
			}
		}
		close(c.done)
	}()
	err = c.wait(ctx, t.cfg.CallTimeout, w)
	if err != nil && c.over.CompareAndSwap(false, true) {
		t.hung.Add(1)
		t.m.leftBehind(w)
		close(c.behind)
		err = &HangError{Call: name, After: time.Since(start), Cause: err}
		t.observe(Event{Kind: EventAbandon, Call: name, Err: err})
		t.log.Warn("pkcs11: a call into the module did not return", "call", name, "after", time.Since(start), "hanging", t.hanging())
		return err
	}
	<-c.done
	t.observe(Event{Kind: EventCall, Call: name, Duration: time.Since(start), Err: c.err})
	return c.err
}

// A running is a call in its goroutine. Who sets over first decides: the call
// came back, or it was left behind.
type running struct {
	over   atomic.Bool
	done   chan struct{}
	behind chan struct{} // closed when it is counted as left behind
	err    error
}

func (c *running) wait(ctx context.Context, limit time.Duration, w *tenancy) error {
	var expired <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-expired:
		return errHang
	case <-w.over: // the module was initialised again all the same
		return errHang
	}
}

func (t *Token) hanging() int { return int(t.hung.Load()) }
