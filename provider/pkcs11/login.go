package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// pinCounts counts the wrong PINs that this process gave to each token of a
// module since the last right one. Some tokens lock without a flag before.
type pinCounts struct {
	sync.Mutex
	count map[string]int
}

// wrongPINLimit is how many wrong PINs in a row this process gives to one token
// before AllowFinalTry must permit another: tokens lock after three.
const wrongPINLimit = 2

func (p *pinCounts) get(token string) int {
	p.Lock()
	defer p.Unlock()
	return p.count[token]
}

func (p *pinCounts) wrong(token string) {
	p.Lock()
	defer p.Unlock()
	p.count[token]++
}

func (p *pinCounts) right(token string) {
	p.Lock()
	defer p.Unlock()
	delete(p.count, token)
}

// ensureLogin logs the user in on a session, unless the token needs no login or
// already has one. A PIN that was refused once stops this for good: the Token
// never costs a second attempt.
func (t *Token) ensureLogin(ctx context.Context, epoch uint64, h sessionHandle, info TokenInfo) error {
	if !info.Flags.LoginRequired() && t.cfg.PIN == nil {
		return nil
	}
	if in, err := t.loggedIn(ctx, epoch, h); err != nil || in {
		return err
	}
	pin, err := t.givePIN(ctx, info)
	if err != nil {
		return err
	}
	var lost bool // the call was left behind and wipes the PIN itself
	defer func() {
		if !lost {
			clear(pin)
		}
	}()
	done := func(err error) error { t.observe(Event{Kind: EventLogin, Err: err}); return err }
	err = t.call(ctx, "login", epoch, func() error { return t.m.lib.login(h, ckuUser, pin) }, func() { clear(pin) })
	var hang *HangError
	lost = errors.As(err, &hang)
	if errors.Is(err, ckrUserAlreadyLoggedIn) {
		err = nil
	}
	if err == nil {
		t.m.wrongPINs.right(info.key())
		return done(nil)
	}
	if code, ok := Code(err); ok && classes[rv(code)] == classPIN {
		t.m.wrongPINs.wrong(info.key())
		return done(t.stop(&PINError{Token: info.Label, Reason: "the token refused it, and it will not be tried again", Tried: true, Err: err}))
	}
	return done(err)
}

func (i TokenInfo) key() string { return i.Manufacturer + "\x00" + i.Serial + "\x00" + i.Label }

// stop ends all logins of this Token.
func (t *Token) stop(e *PINError) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.noLogin == nil {
		t.noLogin = e
		t.log.Error("pkcs11: no login", "token", e.Token, "reason", e.Reason)
	}
	return e
}

func (t *Token) stopped() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.noLogin != nil {
		return t.noLogin
	}
	return nil
}

// givePIN returns the PIN if it may be tried.
func (t *Token) givePIN(ctx context.Context, info TokenInfo) ([]byte, error) {
	if err := t.stopped(); err != nil {
		return nil, err
	}
	refuse := func(reason string, err error) error {
		return &PINError{Token: info.Label, Reason: reason, Err: err}
	}
	switch n := t.m.wrongPINs.get(info.key()); {
	case info.Flags.PINLocked():
		return nil, t.stop(&PINError{Token: info.Label, Reason: "it is locked, the security officer must unlock it", Err: ckrPINLocked})
	case t.cfg.AllowFinalTry:
	case info.Flags.PINFinalTry():
		return nil, refuse("the next wrong one locks it, and AllowFinalTry is not set", nil)
	case n >= wrongPINLimit:
		return nil, refuse(fmt.Sprintf("%d wrong ones were tried in this process, and AllowFinalTry is not set", n), nil)
	}
	if t.cfg.PIN == nil {
		if info.Flags.ProtectedPath() {
			return nil, nil
		}
		return nil, refuse("the token needs one", errNoPIN)
	}
	pin, err := t.cfg.PIN(ctx, info)
	if err != nil {
		return nil, refuse("its source failed, no attempt was spent", err)
	}
	return pin, nil
}

func (t *Token) loggedIn(ctx context.Context, epoch uint64, h sessionHandle) (bool, error) {
	var state uint
	got := &state
	err := t.call(ctx, "session info", epoch, func() (err error) {
		*got, err = t.m.lib.sessionState(h)
		return err
	}, nil)
	if err != nil {
		return false, err
	}
	return state == cksROUser || state == cksRWUser, nil
}
