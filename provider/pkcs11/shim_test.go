//go:build cgo && unix && !nopkcs11

package pkcs11_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/pkcs11"
	"github.com/hardmls/hardmls/provider/soft"
	"github.com/hardmls/hardmls/storage/bbolt"
)

// shim is a module between the tests and SoftHSM that does what they tell it. The
// numbers are those of testdata/shim/shim.c.
type shim struct {
	t       testing.TB
	control []byte
	path    string // of the control file
}

// Places of functions in CK_FUNCTION_LIST.
const (
	fLogin    = 18
	fSignInit = 42
	fSign     = 43

	functions = 68
)

// What a function does that is at fault.
const (
	answer = iota
	answerAfter
	abort
	hang
	corrupt
)

// newShim builds the shim and returns the configuration of a token behind it.
func newShim(t testing.TB) (*shim, pkcs11.Config) {
	t.Helper()
	cfg := newSoftHSM(t)
	cc, err := exec.LookPath("cc")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no C compiler: make hsm-deps installs one")
		}
		t.Skip("no C compiler")
	}
	dir := t.TempDir()
	module := filepath.Join(dir, "shim.so")
	if out, err := exec.Command(cc, "-shared", "-fPIC", "-O1", "-o", module, "testdata/shim/shim.c", "-ldl").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s := &shim{t: t, path: filepath.Join(dir, "control")}
	f, err := os.Create(s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 4 * (functions + 6)
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if s.control, err = syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SHIM_MODULE", cfg.Module)
	t.Setenv("SHIM_CONTROL", s.path)
	cfg.Module = module
	return s, cfg
}

func (s *shim) word(i int) []byte         { return s.control[4*i : 4*i+4] }
func (s *shim) calls(function int) uint32 { return binary.NativeEndian.Uint32(s.word(function)) }

func (s *shim) delay(d time.Duration) {
	binary.NativeEndian.PutUint32(s.word(functions), uint32(d.Microseconds()))
}

// replay makes the shim answer with the last signature by itself: a device that costs
// this machine nothing but the delay. Ed25519 signs a message always alike.
func (s *shim) replay(on uint32) { binary.NativeEndian.PutUint32(s.word(functions+5), on) }

// fault makes the next calls of a function go wrong.
func (s *shim) fault(function, times int, mode int, rv uint32) {
	for i, v := range []uint32{uint32(function), 0, uint32(mode), rv} {
		binary.NativeEndian.PutUint32(s.word(functions+1+i), v)
	}
	binary.NativeEndian.PutUint32(s.word(functions+2), uint32(times))
}

// TestCallsOfASignature: a signature is one C_SignInit and one C_Sign.
func TestCallsOfASignature(t *testing.T) {
	s, cfg := newShim(t)
	token := open(t, cfg)
	for _, scheme := range []provider.SignatureScheme{provider.ECDSA_P256_SHA256, provider.Ed25519} {
		k, err := token.GenerateKey(t.Context(), scheme, pkcs11.KeyOptions{Label: scheme.String()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Sign(t.Context(), nil, []byte("warm")); err != nil {
			t.Fatal(err)
		}
		before := make([]uint32, functions)
		for f := range before {
			before[f] = s.calls(f)
		}
		const n = 50
		for range n {
			if _, err := k.Sign(t.Context(), nil, []byte("message")); err != nil {
				t.Fatal(err)
			}
		}
		for f := range before {
			want := uint32(0)
			if f == fSignInit || f == fSign {
				want = n
			}
			if got := s.calls(f) - before[f]; got != want {
				t.Errorf("%v: %d calls of function %d for %d signatures, want %d", scheme, got, f, n, want)
			}
		}
	}
}

// TestWrongPINOnce: a wrong PIN reaches the token once.
func TestWrongPINOnce(t *testing.T) {
	s, cfg := newShim(t)
	cfg.PIN = pkcs11.PINValue([]byte("not the PIN"))
	if _, err := pkcs11.Open(t.Context(), cfg); !errors.Is(err, pkcs11.ErrPIN) {
		t.Fatalf("open: %v", err)
	}
	if n := s.calls(fLogin); n != 1 {
		t.Errorf("%d logins with a wrong PIN", n)
	}
}

// TestTokenLies: a signature that does not verify is not handed out, and the send that
// needed it can be repeated with the same generation.
func TestTokenLies(t *testing.T) {
	ctx := t.Context()
	s, cfg := newShim(t)
	cfg.VerifyAll, cfg.RecoverTimeout = true, 500*time.Millisecond
	k, err := open(t, cfg).GenerateKey(ctx, provider.Ed25519, pkcs11.KeyOptions{Label: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	store, err := bbolt.Open(filepath.Join(t.TempDir(), "store"), bbolt.Options{TestingOnlyNoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	accept := mls.AuthenticatorFunc(func(context.Context, mls.AuthRequest) error { return nil })
	g, err := mls.NewGroup(ctx, provider.Bundle{Backend: soft.New(soft.Options{}), Store: store}, k, mls.BasicCredential([]byte("alice")), mls.Config{Authenticator: accept})
	if err != nil {
		t.Fatal(err)
	}
	s.fault(fSign, 1<<30, corrupt, 0)
	if _, err := g.CreateMessage(ctx, []byte("x"), mls.MessageOptions{}); !errors.Is(err, pkcs11.ErrBadSignature) {
		t.Errorf("signatures of nobody: %v", err)
	}
	s.fault(fSign, 0, answer, 0)
	var info mls.MessageInfo
	if _, err := g.CreateMessage(ctx, []byte("x"), mls.MessageOptions{Info: &info}); err != nil || info.Generation != 0 {
		t.Errorf("generation %d, %v", info.Generation, err)
	}
}

const crashingEnv = "HARDMLS_TEST_CRASHING_TOKEN"

// TestCrashingTokenProcess is the process that a module takes down.
func TestCrashingTokenProcess(t *testing.T) {
	var module, label, store string
	if _, err := fmt.Sscan(os.Getenv(crashingEnv), &module, &label, &store); err != nil {
		t.Skip("run by TestModuleCrashes")
	}
	ctx := context.Background()
	token, err := pkcs11.Open(ctx, pkcs11.Config{Module: module, TokenLabel: label, PIN: pkcs11.PINValue([]byte(testPIN))})
	if err != nil {
		t.Fatal(err)
	}
	k, err := token.Signer(ctx, pkcs11.Query{Label: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := bbolt.Open(store, bbolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := provider.Bundle{Backend: soft.New(soft.Options{}), Store: s}
	cfg := mls.Config{Authenticator: mls.AuthenticatorFunc(func(context.Context, mls.AuthRequest) error { return nil }), GroupID: []byte("group")}
	g, err := mls.LoadGroup(ctx, p, cfg.GroupID, mls.Signers(k), cfg)
	if errors.Is(err, mls.ErrGroupNotFound) {
		g, err = mls.NewGroup(ctx, p, k, mls.BasicCredential([]byte("alice")), cfg)
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		var info mls.MessageInfo
		if _, err := g.CreateMessage(ctx, []byte("x"), mls.MessageOptions{Info: &info}); err != nil {
			t.Fatal(err)
		}
		fmt.Println("sent", info.Generation)
	}
}

// TestModuleCrashes: a module that aborts takes its process down, and the next one goes
// on without using a generation twice.
func TestModuleCrashes(t *testing.T) {
	s, cfg := newShim(t)
	if _, err := open(t, cfg).GenerateKey(t.Context(), provider.Ed25519, pkcs11.KeyOptions{Label: "alice"}); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(t.TempDir(), "store")
	sent := map[string]bool{}
	run := func() bool {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashingTokenProcess$")
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s", crashingEnv, cfg.Module, cfg.TokenLabel, store))
		out, err := cmd.Output()
		for l := range strings.Lines(string(out)) {
			if strings.HasPrefix(l, "sent ") {
				if sent[l] {
					t.Errorf("%s twice", strings.TrimSpace(l))
				}
				sent[l] = true
			}
		}
		return err == nil
	}
	if !run() || len(sent) != 5 {
		t.Fatalf("first process sent %d", len(sent))
	}
	s.fault(fSign, 1, abort, 0)
	if run() {
		t.Error("the process outlived its module")
	}
	if !run() || len(sent) < 10 {
		t.Errorf("%d messages in the end", len(sent))
	}
}

// TestFailuresLeakNothing: failing calls do not make the process grow.
func TestFailuresLeakNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector keeps a memory of its own")
	}
	s, cfg := newShim(t)
	cfg.RecoverTimeout = -1
	k, err := open(t, cfg).GenerateKey(t.Context(), provider.Ed25519, pkcs11.KeyOptions{Label: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	const deviceError = 0x30
	s.fault(fSignInit, 1<<31-1, answer, deviceError) // SoftHSM itself loses some bytes of each C_SignInit
	n := 200_000
	if testing.Short() {
		n = 5_000
	}
	fail := func(n int) {
		for range n {
			if _, err := k.Sign(t.Context(), nil, []byte("x")); err == nil {
				t.Fatal("signed")
			}
		}
	}
	fail(n / 20)
	before := resident(t)
	fail(n)
	if grown := resident(t) - before; grown > 8<<20 {
		t.Errorf("%d failing calls: %d bytes more", n, grown)
	}
}

// resident returns the memory of the process, Go's and C's.
func resident(t *testing.T) int64 {
	t.Helper()
	runtime.GC()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc")
	}
	var size, rss int64
	if _, err := fmt.Sscan(string(b), &size, &rss); err != nil {
		t.Fatal(err)
	}
	return rss * int64(os.Getpagesize())
}

// BenchmarkSlowToken signs with a token that takes its time for each call, over more
// and more sessions: signatures per second, and how many a session makes compared with
// one alone. miekg's way takes three calls for a signature.
func BenchmarkSlowToken(b *testing.B) {
	s, cfg := newShim(b)
	cfg.MaxSessions = 32
	token := open(b, cfg)
	k, err := token.GenerateKey(b.Context(), provider.Ed25519, pkcs11.KeyOptions{Label: "alice"})
	if err != nil {
		b.Fatal(err)
	}
	for _, d := range []time.Duration{time.Millisecond, 3 * time.Millisecond} {
		alone := 0.0
		for _, sessions := range []int{1, 4, 16, 32} {
			b.Run(fmt.Sprintf("call=%v/sessions=%d", d, sessions), func(b *testing.B) {
				if _, err := k.Sign(b.Context(), nil, []byte("x")); err != nil {
					b.Fatal(err)
				}
				s.delay(d)
				s.replay(1)
				defer s.delay(0)
				defer s.replay(0)
				ours := func() error { _, err := k.Sign(b.Context(), nil, []byte("x")); return err }
				plain := miekg(b, cfg, token, k)
				var rate, other float64
				for b.Loop() {
					rate, other = perSecond(b, sessions, ours), perSecond(b, sessions, plain)
				}
				if sessions == 1 {
					alone = rate
				}
				b.ReportMetric(rate, "signatures/s")
				b.ReportMetric(rate/other, "x-miekg")
				b.ReportMetric(100*rate/(alone*float64(sessions)), "%-of-linear")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// perSecond calls f in n goroutines for a while, each of which has its own first.
func perSecond(b *testing.B, n int, f func() error) float64 {
	const long = 500 * time.Millisecond
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		count int
	)
	for range n {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	start := time.Now()
	for range n {
		wg.Go(func() {
			done := 0
			for ; time.Since(start) < long; done++ {
				if err := f(); err != nil {
					b.Error(err)
					return
				}
			}
			mu.Lock()
			count += done
			mu.Unlock()
		})
	}
	wg.Wait()
	return float64(count) / time.Since(start).Seconds()
}

// miekg returns a signature by the bare library, on a session from a pool.
func miekg(b *testing.B, cfg pkcs11.Config, token *pkcs11.Token, k *pkcs11.Signer) func() error {
	c := p11.New(cfg.Module)
	type session struct {
		h   p11.SessionHandle
		key p11.ObjectHandle
	}
	pool := make(chan session, 64)
	open := func() (session, error) {
		h, err := c.OpenSession(token.Info().Slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
		if err != nil {
			return session{}, err
		}
		if err := c.FindObjectsInit(h, []*p11.Attribute{p11.NewAttribute(p11.CKA_CLASS, p11.CKO_PRIVATE_KEY), p11.NewAttribute(p11.CKA_ID, k.Info().ID)}); err != nil {
			return session{}, err
		}
		found, _, err := c.FindObjects(h, 1)
		if err != nil || len(found) != 1 {
			return session{}, errors.Join(err, errors.New("no key"))
		}
		return session{h, found[0]}, c.FindObjectsFinal(h)
	}
	return func() error {
		var s session
		select {
		case s = <-pool:
		default:
			var err error
			if s, err = open(); err != nil {
				return err
			}
		}
		defer func() { pool <- s }()
		if err := c.SignInit(s.h, []*p11.Mechanism{p11.NewMechanism(0x1057, nil)}, s.key); err != nil {
			return err
		}
		_, err := c.Sign(s.h, []byte("x"))
		return err
	}
}
