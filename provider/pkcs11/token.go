package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
)

// A Token is an open token. It is safe for concurrent use.
type Token struct {
	cfg  Config
	m    *module
	log  *slog.Logger
	pool *pool
	n    counters
	hung atomic.Int64

	failing atomic.Bool // the last operation failed for good

	recovering chan struct{} // one slot: held while state is renewed
	mu         sync.Mutex
	state      state
	info       TokenInfo
	module     ModuleInfo
	noLogin    *PINError // set for good when a PIN was refused
	lastErr    error
	closed     bool

	xdh atomic.Uint64 // the mechanism that made the last X25519 or X448 key
}

// A state is one login. Whatever was found under it is valid for its stamp.
type state struct {
	stamp
	slot   uint
	anchor sessionHandle // keeps the login, which ends with the last session
}

// A stamp names an initialisation of the module, and a login in it.
type stamp struct{ epoch, generation uint64 }

// Open loads and initialises the module, finds the token and logs in. Errors:
// ErrNotBuilt, ErrModule, ErrTokenNotFound, ErrAmbiguousToken, ErrPIN.
func Open(ctx context.Context, cfg Config) (*Token, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	m, err := acquireWithin(ctx, &cfg)
	if err != nil {
		return nil, err
	}
	t := &Token{cfg: cfg, m: m, log: cfg.Logger, recovering: make(chan struct{}, 1)}
	t.pool = newPool(t, cfg.MaxSessions)
	if err := t.start(ctx); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// acquireWithin is acquire that a hanging C_Initialize does not hold up beyond
// ctx.
func acquireWithin(ctx context.Context, cfg *Config) (*module, error) {
	type result struct {
		m   *module
		err error
	}
	done := make(chan result)
	go func() {
		m, err := acquire(cfg)
		select {
		case done <- result{m, err}:
		case <-ctx.Done():
			if err == nil {
				m.release()
			}
		}
	}()
	select {
	case r := <-done:
		return r.m, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %s: C_Initialize: %w", ErrModule, cfg.Module, ctx.Err())
	}
}

func (t *Token) start(ctx context.Context) error {
	i, err := t.askModule(ctx, t.m.currentEpoch())
	if err != nil {
		return err
	}
	t.mu.Lock()
	t.module = i
	t.mu.Unlock()
	return t.attempts(ctx, "open", func(ctx context.Context) (stamp, error) {
		st := t.stamp()
		_, err := t.regenerate(ctx, st)
		return st, err
	})
}

func (t *Token) askModule(ctx context.Context, epoch uint64) (ModuleInfo, error) {
	i := new(ModuleInfo) // the call's own until it returns
	err := t.call(ctx, "info", epoch, func() (err error) {
		*i, err = t.m.lib.info()
		return err
	}, nil)
	if err != nil {
		return ModuleInfo{}, fmt.Errorf("%w: %s: C_GetInfo: %w", ErrModule, t.cfg.Module, err)
	}
	return *i, nil
}

// locate finds the slot of the token that the configuration, and after the
// first time the token's own label and serial, describe.
func (t *Token) locate(ctx context.Context, epoch uint64) (TokenInfo, error) {
	all, err := t.list(ctx, epoch)
	if err != nil {
		return TokenInfo{}, err
	}
	var fit []TokenInfo
	for _, i := range all {
		if t.fits(i) {
			fit = append(fit, i)
		}
	}
	switch len(fit) {
	case 1:
		return fit[0], nil
	case 0:
		if t.known() {
			return TokenInfo{}, fmt.Errorf("%w: %w: %s in %s, which has %s", ErrTokenNotFound, ckrTokenNotPresent, t.wanted(), t.cfg.Module, describe(all))
		}
		return TokenInfo{}, fmt.Errorf("%w: %s in %s, which has %s", ErrTokenNotFound, t.wanted(), t.cfg.Module, describe(all))
	}
	return TokenInfo{}, fmt.Errorf("%w: %s in %s: %s", ErrAmbiguousToken, t.wanted(), t.cfg.Module, describe(fit))
}

func (t *Token) list(ctx context.Context, epoch uint64) ([]TokenInfo, error) {
	type answer struct{ all []TokenInfo }
	a := new(answer) // the call's own until it returns
	err := t.call(ctx, "slots", epoch, func() error {
		slots, err := t.m.lib.slots()
		if err != nil {
			return err
		}
		for _, slot := range slots {
			if i, err := t.m.lib.tokenInfo(slot); err == nil {
				a.all = append(a.all, i)
			} // else a token that was pulled meanwhile
		}
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	return a.all, nil
}

func (t *Token) known() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state.generation > 0
}

func (t *Token) fits(i TokenInfo) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state.generation > 0 { // a slot number may change, the token does not
		return i.Label == t.info.Label && i.Serial == t.info.Serial && i.Manufacturer == t.info.Manufacturer && i.Model == t.info.Model
	}
	u := t.cfg.uri
	return (t.cfg.Slot == nil || *t.cfg.Slot == i.Slot) &&
		among(t.cfg.TokenLabel, i.Label) && among(t.cfg.TokenSerial, i.Serial) &&
		among(u.Manufacturer, i.Manufacturer) && among(u.Model, i.Model)
}

func among(want, have string) bool { return want == "" || want == have }

func (t *Token) wanted() string {
	var w []string
	add := func(name, value string) {
		if value != "" {
			w = append(w, fmt.Sprintf("%s %q", name, value))
		}
	}
	add("label", t.cfg.TokenLabel)
	add("serial", t.cfg.TokenSerial)
	add("manufacturer", t.cfg.uri.Manufacturer)
	add("model", t.cfg.uri.Model)
	if t.cfg.Slot != nil {
		w = append(w, fmt.Sprintf("slot %d", *t.cfg.Slot))
	}
	if len(w) == 0 {
		return "any token"
	}
	return "a token with " + strings.Join(w, ", ")
}

func describe(all []TokenInfo) string {
	if len(all) == 0 {
		return "no token"
	}
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].String()
	}
	return strings.Join(names, ", ")
}

// Info returns what the token said about itself when it was found last.
func (t *Token) Info() TokenInfo {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.info
}

// Module returns what the module says about itself.
func (t *Token) Module() ModuleInfo {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.module
}

// Mechanisms lists what the token can do.
func (t *Token) Mechanisms(ctx context.Context) ([]Mechanism, error) {
	var list []Mechanism
	err := t.attempts(ctx, "mechanisms", func(ctx context.Context) (stamp, error) {
		st, slot := t.current()
		var got []Mechanism
		err := t.call(ctx, "mechanisms", st.epoch, func() (err error) {
			got, err = t.m.lib.mechanisms(slot)
			return err
		}, nil)
		if err == nil {
			list = got
		}
		return st, err
	})
	return list, err
}

// Tokens lists the tokens of the module that cfg names, without a login.
func Tokens(ctx context.Context, cfg Config) ([]TokenInfo, ModuleInfo, error) {
	if err := cfg.fill(); err != nil {
		return nil, ModuleInfo{}, err
	}
	m, err := acquireWithin(ctx, &cfg)
	if err != nil {
		return nil, ModuleInfo{}, err
	}
	defer m.release()
	t := &Token{cfg: cfg, m: m, log: cfg.Logger}
	info, err := t.askModule(ctx, m.currentEpoch())
	if err != nil {
		return nil, ModuleInfo{}, err
	}
	all, err := t.list(ctx, m.currentEpoch())
	if err != nil {
		return nil, info, &Error{Op: "list tokens", Tries: 1, Err: err}
	}
	return all, info, nil
}

func (t *Token) current() (stamp, uint) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state.stamp, t.state.slot
}

func (t *Token) stamp() stamp {
	st, _ := t.current()
	return st
}

// Close ends the sessions of this Token, and the module with the last Token of
// it. Calls that hang are left behind. It is idempotent.
func (t *Token) Close() error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil
	}
	t.closed = true
	st := t.state
	t.mu.Unlock()
	ctx, cancel := within(context.Background(), t.cfg.CallTimeout)
	defer cancel()
	t.pool.close(ctx)
	if st.generation > 0 {
		t.closeHandle(ctx, st.epoch, st.anchor)
	}
	return t.m.release()
}

func (t *Token) isClosed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed
}
