package pkcs11

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"
)

// hangs makes every call of that name wait until release is called.
func hangs(f *fake, call string) (release func()) {
	c := make(chan struct{})
	f.set(func() {
		f.fault = func(name string, _ int) error {
			if name == call {
				<-c
			}
			return nil
		}
	})
	return func() { close(c); f.set(func() { f.fault = nil }) }
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 200 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%s does not come true", what)
}

// TestHangs: calls that do not return end with their context. When as many hang
// as may, further calls fail at once; when they come back, all is well.
func TestHangs(t *testing.T) {
	f := newFake()
	token := f.open(t, func(c *Config) { c.MaxAbandoned, c.MaxSessions = 5, 3 })
	k := f.key(t, token, "a")
	signs(t, k, "x")
	release := hangs(f, "sign")
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		sig, err := k.Sign(ctx, []byte("p"), []byte("x"))
		cancel()
		var hang *HangError
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &hang) || string(sig) != "p" {
			t.Errorf("Sign that hangs: %q, %v", sig, err)
		}
	}
	if s := token.Stats(); s.Hanging != 5 || s.Abandoned != 5 || s.InUse != 0 {
		t.Errorf("%+v", s)
	}
	before := f.count("sign")
	threads := runtime.NumGoroutine()
	for range 100 {
		start := time.Now()
		if _, err := k.Sign(t.Context(), nil, []byte("x")); !errors.Is(err, ErrUnavailable) || time.Since(start) > 5*time.Second {
			t.Fatalf("Sign while too many hang: %v after %v", err, time.Since(start))
		}
	}
	if f.count("sign") != before || runtime.NumGoroutine() > threads+2 {
		t.Errorf("%d more calls, %d more goroutines", f.count("sign")-before, runtime.NumGoroutine()-threads)
	}
	if h := token.Health(); h.Condition != Blocked {
		t.Errorf("the token is %v", h.Condition)
	}
	release()
	eventually(t, "no hanging call", func() bool { return token.Stats().Hanging == 0 })
	signs(t, k, "x")
	eventually(t, "only used sessions", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.sessions) <= 2 // the anchor and one of the pool: late ones are closed
	})
	if h := token.Health(); h.Condition != Healthy {
		t.Errorf("afterwards it is %v: %v", h.Condition, h.LastError)
	}
}

// TestCallTimeout: without a deadline of the caller's, CallTimeout ends a call
// that hangs, and another session does the work.
func TestCallTimeout(t *testing.T) {
	f := newFake()
	token := f.open(t, func(c *Config) { c.CallTimeout = 200 * time.Millisecond })
	k := f.key(t, token, "a")
	c := make(chan struct{})
	defer close(c)
	f.set(func() {
		n := f.calls["sign"]
		f.fault = func(name string, i int) error {
			if name == "sign" && i == n+1 {
				<-c
			}
			return nil
		}
	})
	signs(t, k, "x")
	if s := token.Stats(); s.Abandoned == 0 {
		t.Errorf("%d calls left behind", s.Abandoned)
	}
}

// TestNoFinalizeUnderACall: a device is lost while a call hangs. The module is
// not initialised again under that call, and is when it has come back.
func TestNoFinalizeUnderACall(t *testing.T) {
	f := newFake()
	token := f.open(t, func(c *Config) { c.RecoverTimeout = 300 * time.Millisecond })
	k := f.key(t, token, "a")
	release := hangs(f, "sign")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	k.Sign(ctx, nil, []byte("x"))
	f.set(func() { f.alive = false })
	if err := token.Check(t.Context()); err == nil {
		t.Error("Check of a lost token succeeded")
	}
	if f.count("finalize") != 0 {
		t.Fatal("the module was finalised under a call")
	}
	release()
	eventually(t, "no hanging call", func() bool { return token.Stats().Hanging == 0 })
	signs(t, k, "x")
	if f.count("finalize") != 1 {
		t.Errorf("%d finalisations", f.count("finalize"))
	}
}

// TestHangingInitialisation: C_Initialize hangs when the module is initialised
// again. Callers get their errors in time, and the token heals when it returns.
func TestHangingInitialisation(t *testing.T) {
	f := newFake()
	token := f.open(t, func(c *Config) { c.RecoverTimeout, c.CallTimeout = 100*time.Millisecond, 50*time.Millisecond })
	k := f.key(t, token, "a")
	release := hangs(f, "initialize")
	f.set(func() { f.alive = false })
	start := time.Now()
	for range 3 {
		if _, err := k.Sign(t.Context(), nil, []byte("x")); err == nil {
			t.Error("Sign succeeded")
		}
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("three errors took %v", d)
	}
	release()
	eventually(t, "a healthy token", func() bool { return token.Check(t.Context()) == nil })
	signs(t, k, "x")
}

// TestMemoryOfFailingCalls: failing calls leave nothing behind.
func TestMemoryOfFailingCalls(t *testing.T) {
	f := newFake()
	token := f.open(t, func(c *Config) { c.RecoverTimeout = -1 })
	k := f.key(t, token, "a")
	f.set(func() {
		f.fault = func(call string, _ int) error {
			if call == "sign" {
				return ckrDataLenRange
			}
			return nil
		}
	})
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for range 5000 {
		if _, err := k.Sign(t.Context(), nil, []byte("x")); err == nil {
			t.Fatal("Sign succeeded")
		}
	}
	if after := heap(); after > before+1<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.sessions) > 2 {
		t.Errorf("%d sessions are open", len(f.sessions))
	}
}

// TestReinitOverCalls: where the configuration permits it, a lost module is
// initialised again though a call hangs in it; the one who waits for that call
// is served by another session.
func TestReinitOverCalls(t *testing.T) {
	f := newFake()
	token := f.open(t, func(c *Config) { c.ReinitOverCalls = true })
	k := f.key(t, token, "a")
	entered, release := make(chan struct{}), make(chan struct{})
	f.set(func() {
		first := f.calls["sign"] + 1
		f.fault = func(call string, n int) error {
			if call == "sign" && n == first {
				close(entered)
				<-release
			}
			return nil
		}
	})
	done := make(chan error)
	go func() {
		_, err := k.Sign(context.Background(), nil, []byte("x"))
		done <- err
	}()
	<-entered
	f.set(func() { f.alive = false })
	signs(t, k, "y")
	if err := <-done; err != nil {
		t.Errorf("the call that hung: %v", err)
	}
	if s := token.Stats(); s.Reinits != 1 || s.Hanging != 1 {
		t.Errorf("%+v", s)
	}
	close(release)
	eventually(t, "no hanging call", func() bool { return token.Stats().Hanging == 0 })
	signs(t, k, "z")
}
