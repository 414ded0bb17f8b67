package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// A Condition is what a Token is in.
type Condition uint8

// The conditions of a Token.
const (
	Healthy  Condition = iota + 1 // the last operation went well
	Failing                       // the last operation failed after all remedies
	Hanging                       // calls hang, but fewer than MaxAbandoned
	Blocked                       // MaxAbandoned calls hang: every call is refused
	NoPIN                         // a PIN was refused or is locked: no login until a new Open
	IsClosed                      // Close was called
)

// String returns the name of the condition.
func (c Condition) String() string {
	switch c {
	case Healthy:
		return "healthy"
	case Failing:
		return "failing"
	case Hanging:
		return "hanging"
	case Blocked:
		return "blocked"
	case NoPIN:
		return "no PIN"
	case IsClosed:
		return "closed"
	}
	return "unknown"
}

// Health is the state of a Token for monitoring.
type Health struct {
	Condition Condition
	LastError error // the last failure, even if all is well again; nil if none
}

// Health returns the state without calling the module; [Token.Check] does call
// it.
func (t *Token) Health() Health {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := Health{Condition: Healthy, LastError: t.lastErr}
	switch n := t.hanging(); {
	case t.closed:
		h.Condition = IsClosed
	case t.noLogin != nil:
		h.Condition = NoPIN
	case n >= t.cfg.MaxAbandoned:
		h.Condition = Blocked
	case t.failing.Load():
		h.Condition = Failing
	case n > 0:
		h.Condition = Hanging
	}
	return h
}

// Check asks the token for the state of a session, with all remedies if that
// fails.
func (t *Token) Check(ctx context.Context) error {
	return t.use(ctx, "check", func(ctx context.Context, s *session) error {
		return s.do(ctx, "session info", func() error {
			state, err := t.m.lib.sessionState(s.h)
			if err == nil && t.Info().Flags.LoginRequired() && state != cksROUser && state != cksRWUser {
				return ckrUserNotLoggedIn
			}
			return err
		})
	})
}

func (t *Token) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastErr = err
}

// failed notes the end of an operation and dresses its error. A caller's own
// fault, such as an ended context, says nothing about the token.
func (t *Token) failed(op string, tries int, err error) error {
	if classify(err) != classCaller {
		t.mu.Lock()
		t.lastErr = err
		t.mu.Unlock()
		t.failing.Store(true)
	}
	var pin *PINError
	if errors.As(err, &pin) || errors.Is(err, ErrClosed) {
		return err
	}
	return &Error{Op: op, Token: t.Info().Label, Tries: tries, Err: err}
}

// Format prints the token's name for every verb: a Token reaches its PIN
// source.
func (t *Token) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "pkcs11.Token(%s)", t.Info()) }

// LogValue implements slog.LogValuer.
func (t *Token) LogValue() slog.Value { return slog.StringValue(t.Info().String()) }
