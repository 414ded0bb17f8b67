package pkcs11

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hardmls/hardmls/provider"
)

// once fails the next call with the given name.
func once(f *fake, call string, err error) {
	var done atomic.Bool
	f.set(func() {
		f.fault = func(c string, _ int) error {
			if c == call && done.CompareAndSwap(false, true) {
				return err
			}
			return nil
		}
	})
}

// TestEveryAnswerOnce: each return value of the table, once, at a signature. All
// but the caller's own faults and refused PINs are cured, and the key still signs
// afterwards.
func TestEveryAnswerOnce(t *testing.T) {
	f := newFake()
	token := f.open(t, nil)
	k := f.key(t, token, "a")
	for code, c := range classes {
		if c == classPIN {
			continue
		}
		once(f, "sign", code)
		sig, err := k.Sign(t.Context(), []byte("prefix"), []byte("x"))
		if cured := c != classCaller; cured != (err == nil) {
			t.Errorf("%v: %v", code, err)
		}
		if err != nil {
			if got, _ := Code(err); rv(got) != code || string(sig) != "prefix" {
				t.Errorf("%v: the error is %v, the result %q", code, err, sig)
			}
		}
		signs(t, k, "afterwards")
	}
	once(f, "sign", rv(0x80000042))
	signs(t, k, "after a vendor's code")
	if h := token.Health(); h.Condition != Healthy {
		t.Errorf("afterwards the token is %v: %v", h.Condition, h.LastError)
	}
}

// TestErrorAfterSuccess: the module did the work and said that it did not.
func TestErrorAfterSuccess(t *testing.T) {
	f := newFake()
	token := f.open(t, nil)
	k := f.key(t, token, "a")
	once(f, "sign done", ckrDeviceError)
	signs(t, k, "x")
	once(f, "generate done", ckrDeviceError)
	f.key(t, token, "b")
	if keys, err := token.FindKeys(t.Context(), Query{Label: "b"}); err != nil || len(keys) != 1 {
		t.Errorf("a key that was made twice: %v, %v", keys, err)
	}
}

// TestDeviceLosses: ten times the module is gone until it is initialised again,
// under the load of 8 goroutines with three keys. Nobody sees an error, or a
// signature by another key, though handles mean other keys each time.
func TestDeviceLosses(t *testing.T) {
	f := newFake()
	var keys []*Signer
	token := f.open(t, nil)
	for i := range 3 {
		keys = append(keys, f.key(t, token, fmt.Sprint(i)))
	}
	var all sync.WaitGroup
	var n atomic.Int64
	end := make(chan struct{})
	for g := range 8 {
		all.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
				}
				k := keys[g%len(keys)]
				sig, err := k.Sign(context.Background(), nil, []byte("x"))
				if err != nil {
					t.Errorf("Sign: %v", err)
					return
				}
				if err := k.suite.Verify(k.Public(), []byte("x"), sig); err != nil {
					t.Errorf("a signature by another key: %v", err)
				}
				n.Add(1)
			}
		})
	}
	for range 10 {
		time.Sleep(20 * time.Millisecond)
		f.set(func() { f.alive = false })
	}
	time.Sleep(50 * time.Millisecond)
	close(end)
	all.Wait()
	t.Logf("%d signatures, %+v", n.Load(), token.Stats())
	if f.inits < 5 {
		t.Errorf("%d initialisations: the losses were not felt", f.inits)
	}
}

// TestReplacedKey: after the token was lost it has another key under the same
// name.
func TestReplacedKey(t *testing.T) {
	f := newFake()
	token := f.open(t, nil)
	k := f.key(t, token, "a")
	id := k.Info().ID
	if err := token.DeleteKey(t.Context(), Query{ID: id}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Sign(t.Context(), nil, []byte("x")); !errors.Is(err, ErrKeyNotFound) || !errors.Is(err, provider.ErrKeyNotFound) {
		t.Errorf("Sign with a deleted key: %v", err)
	}
	if _, err := token.GenerateKey(t.Context(), provider.ECDSA_P256_SHA256, KeyOptions{Label: "a", ID: id}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Sign(t.Context(), nil, []byte("x")); !errors.Is(err, ErrWrongKey) {
		t.Errorf("Sign with a replaced key: %v", err)
	}
}

// TestWrongSignatures: the token's first signature of a login is checked, all
// with VerifyAll, and what is wrong for good never comes out.
func TestWrongSignatures(t *testing.T) {
	f := newFake()
	token := f.open(t, nil)
	k := f.key(t, token, "a")
	var left atomic.Int64
	f.bend = func(sig []byte) {
		if left.Add(-1) >= 0 {
			sig[5] ^= 1
		}
	}
	left.Store(1)
	signs(t, k, "the second try is right")
	if token.Stats().Regenerations < 2 {
		t.Error("a wrong signature was not followed by a new login")
	}
	left.Store(1 << 40)
	if sig, err := k.Sign(t.Context(), nil, []byte("x")); err != nil {
		t.Errorf("only the first signature of a login is verified: %v", err)
	} else if k.suite.Verify(k.Public(), []byte("x"), sig) == nil {
		t.Error("the fake made a right signature")
	}
	all := f.open(t, func(c *Config) { c.VerifyAll = true })
	k, err := all.Signer(t.Context(), Query{Label: "a"})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if sig, err := k.Sign(t.Context(), []byte("p"), []byte("x")); !errors.Is(err, ErrBadSignature) || string(sig) != "p" {
			t.Errorf("a signature that never verifies: %q, %v", sig, err)
		}
	}
	left.Store(0)
	signs(t, k, "when the token has come to its senses")
	f.bend = func(sig []byte) { clear(sig) }
	if _, err := k.Sign(t.Context(), nil, []byte("x")); !errors.Is(err, ErrBadSignature) {
		t.Errorf("a signature of zeros: %v", err)
	}
}

// TestSessionLimit: a token with fewer sessions than are configured.
func TestSessionLimit(t *testing.T) {
	f := newFake()
	f.limit = 4 // it does not say so
	token := f.open(t, func(c *Config) { c.MaxSessions = 32 })
	k := f.key(t, token, "a")
	f.set(func() {
		f.fault = func(call string, _ int) error {
			if call == "sign" {
				time.Sleep(5 * time.Millisecond)
			}
			return nil
		}
	})
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() { signs(t, k, "x") })
	}
	all.Wait()
	if s := token.Stats(); s.Limit > 31 || s.Sessions > 3 {
		t.Errorf("limit %d, %d sessions", s.Limit, s.Sessions)
	}
	f.set(func() { f.limit = 0 }) // somebody else has left
	before := token.Stats().Limit
	token.pool.mu.Lock()
	token.pool.tight = time.Now().Add(-2 * growAfter)
	token.pool.mu.Unlock()
	signs(t, k, "x")
	if n := token.Stats().Limit; n != before+1 {
		t.Errorf("later the limit is %d, want %d", n, before+1)
	}
	g := newFake()
	g.token.MaxSessions = 3 // it does
	told := g.open(t, func(c *Config) { c.MaxSessions = 32; c.Module += "2" })
	if s := told.Stats(); s.Limit != 2 {
		t.Errorf("limit %d, want 2 beside the session that keeps the login", s.Limit)
	}
}

// TestRecoverTimeout: what does not come back is an error in time.
func TestRecoverTimeout(t *testing.T) {
	f := newFake()
	token := f.open(t, func(c *Config) { c.RecoverTimeout = time.Second })
	k := f.key(t, token, "a")
	f.set(func() {
		f.fault = func(call string, _ int) error {
			if call == "sign" || call == "slots" || call == "initialize" {
				return ckrDeviceRemoved
			}
			return nil
		}
	})
	start := time.Now()
	_, err := k.Sign(t.Context(), nil, []byte("x"))
	var e *Error
	if !errors.As(err, &e) || e.Op != "sign" || e.Token != "fake" || e.Tries < 2 {
		t.Errorf("Sign: %v", err)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
	if h := token.Health(); h.Condition != Failing || h.LastError == nil {
		t.Errorf("the token is %v, %v", h.Condition, h.LastError)
	}
	f.set(func() { f.fault = nil })
	signs(t, k, "plugged in again")
	if h := token.Health(); h.Condition != Healthy {
		t.Errorf("afterwards it is %v", h.Condition)
	}
}

// TestForeignModule: somebody else initialised the module: it is used, and
// neither finalised nor initialised again.
func TestForeignModule(t *testing.T) {
	f := newFake()
	if err := f.initialize(""); err != nil {
		t.Fatal(err)
	}
	token := f.open(t, func(c *Config) { c.RecoverTimeout = 300 * time.Millisecond })
	k := f.key(t, token, "a")
	f.set(func() {
		f.fault = func(call string, _ int) error {
			if call == "sign" {
				return ckrDeviceError
			}
			return nil
		}
	})
	if _, err := k.Sign(t.Context(), nil, []byte("x")); err == nil {
		t.Error("Sign succeeded")
	}
	f.set(func() { f.fault = nil })
	signs(t, k, "x")
	if err := token.Close(); err != nil {
		t.Error(err)
	}
	if f.count("finalize") != 0 || f.inits != 1 {
		t.Errorf("%d finalisations, %d initialisations of somebody else's module", f.count("finalize"), f.inits)
	}
}

// TestTwoTokensOfOneModule share its initialisation, and both survive another.
func TestTwoTokensOfOneModule(t *testing.T) {
	f := newFake()
	a, b := f.open(t, nil), f.open(t, nil)
	k := f.key(t, a, "a")
	other, err := b.Signer(t.Context(), Query{Label: "a"})
	if err != nil {
		t.Fatal(err)
	}
	f.set(func() { f.alive = false })
	signs(t, k, "x")
	signs(t, other, "x")
	if f.inits != 2 {
		t.Errorf("%d initialisations, want 2", f.inits)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if _, err := k.Sign(t.Context(), nil, []byte("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("Sign after Close: %v", err)
	}
	signs(t, other, "one is closed, the other works")
	if f.count("finalize") != 1 {
		t.Error("the module was finalised under a Token")
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if f.count("finalize") != 2 || f.alive {
		t.Error("the last Token did not finalise the module")
	}
}

// TestSessionsAreClosed: after failures and Close nothing is left open.
func TestSessionsAreClosed(t *testing.T) {
	f := newFake()
	token := f.open(t, nil)
	k := f.key(t, token, "a")
	f.open(t, nil) // keeps the module
	for _, code := range []rv{ckrOperationActive, ckrUserNotLoggedIn, ckrGeneralError, ckrDataLenRange} {
		once(f, "sign", code)
		k.Sign(t.Context(), nil, []byte("x"))
	}
	f.set(func() { f.fault = nil })
	signs(t, k, "x")
	if err := token.Close(); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.sessions); n != 1 {
		t.Errorf("%d sessions are open, want the other Token's one", n)
	}
}

// TestKeysAfterDeviceLoss: keys of the custody are found again, and one whose
// handle means another is noticed before it decapsulates.
func TestKeysAfterDeviceLoss(t *testing.T) {
	f := newFake()
	token := f.open(t, nil)
	suite, err := software.Suite(provider.P256_AES128GCM_SHA256_P256)
	if err != nil {
		t.Fatal(err)
	}
	key, ref, err := token.Keys().Generate(t.Context(), suite, provider.LeafKey)
	if err != nil {
		t.Fatal(err)
	}
	decap := func() ([]byte, error) {
		p := suite.Params()
		job := provider.SealJob{Pub: key.Public(), Plaintext: []byte("hello"), Enc: make([]byte, p.Nenc), CT: make([]byte, 5+p.Nt)}
		if err := suite.HPKE().SealMany(nil, nil, []provider.SealJob{job}); err != nil {
			t.Fatal(err)
		}
		return suite.HPKE().Open(t.Context(), nil, key, job.Enc, nil, nil, job.CT)
	}
	if got, err := decap(); err != nil || string(got) != "hello" {
		t.Fatalf("%q, %v", got, err)
	}
	for range 3 {
		f.set(func() { f.alive = false })
		if got, err := decap(); err != nil || string(got) != "hello" {
			t.Fatalf("after a loss: %q, %v", got, err)
		}
	}
	f.set(func() { // the object is another key's
		f.alive = false
		for _, o := range f.objects {
			if bytes.Equal(o.attrs[ckaID], encode(mustID(t, token, ref))) {
				other, _, err := (&fake{sessions: map[sessionHandle]bool{1: true}, alive: true, calls: map[string]int{}, handles: map[objectHandle]*fakeObject{}}).pair()
				if err != nil {
					t.Error(err)
				}
				o.signer = other
			}
		}
	})
	if _, err := decap(); !errors.Is(err, ErrWrongKey) || errors.Is(err, provider.ErrDecrypt) {
		t.Errorf("a key with another's handle: %v", err)
	}
	if err := token.Keys().Delete(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	if _, err := token.Keys().Load(t.Context(), suite, ref); !errors.Is(err, provider.ErrKeyNotFound) {
		t.Errorf("Load after Delete: %v", err)
	}
}

// pair makes a key pair in f and returns its private half.
func (f *fake) pair() (any, objectHandle, error) {
	_, h, err := f.generatePair(1, ckmECKeyPairGen, []attribute{{ckaECParams, curves[0].params[0]}}, nil)
	return f.handles[h].signer, h, err
}

func mustID(t *testing.T, token *Token, ref provider.KeyRef) []byte {
	id, err := token.Keys().ObjectID(ref)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestCloseUnderLoad: signatures that are being made end well or with ErrClosed,
// and the module is finalised after them.
func TestCloseUnderLoad(t *testing.T) {
	f := newFake()
	token := f.open(t, nil)
	k := f.key(t, token, "a")
	f.set(func() {
		f.fault = func(call string, _ int) error {
			if call == "sign" {
				time.Sleep(time.Millisecond)
			}
			return nil
		}
	})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				if _, err := k.Sign(context.Background(), nil, []byte("x")); err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Errorf("Sign: %v", err)
					}
					return
				}
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	if err := token.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	all.Wait()
	if err := token.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	if h := token.Health(); h.Condition != IsClosed || f.alive {
		t.Errorf("the token is %v, the module alive: %v", h.Condition, f.alive)
	}
}

// TestVanishingObjects: an object that is destroyed by somebody while keys are
// listed is left out. It is no sign of a lost login.
func TestVanishingObjects(t *testing.T) {
	f := newFake()
	token := f.open(t, nil)
	f.key(t, token, "a")
	f.key(t, token, "b")
	logins := token.Stats().Regenerations
	var done atomic.Bool
	f.set(func() {
		f.fault = func(call string, _ int) error {
			if call == "read" && done.CompareAndSwap(false, true) {
				f.set(func() { f.objects = f.objects[2:] })
			}
			return nil
		}
	})
	keys, err := token.FindKeys(t.Context(), Query{})
	if err != nil || len(keys) != 1 || keys[0].Label != "b" {
		t.Errorf("%v, %v", keys, err)
	}
	if n := token.Stats().Regenerations; n != logins {
		t.Errorf("%d new logins", n-logins)
	}
}
