package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
	"github.com/hardmls/hardmls/storage/mem"
)

func newGroup(t *testing.T, signer provider.Signer) *mls.Group {
	t.Helper()
	p := provider.Bundle{Backend: soft.New(soft.Options{}), Store: mem.New()}
	g, err := mls.NewGroup(t.Context(), p, signer, mls.BasicCredential([]byte("alice")), mls.Config{
		CipherSuite:   provider.P256_AES128GCM_SHA256_P256,
		Authenticator: mls.AuthenticatorFunc(func(context.Context, mls.AuthRequest) error { return nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestFailedSignatureBurnsNothing: whatever happens to the token while a message
// is signed, the group is as it was, and the next message has the generation
// that the failed ones did not get.
func TestFailedSignatureBurnsNothing(t *testing.T) {
	f := newFake()
	token := f.open(t, func(c *Config) { c.RecoverTimeout = 50 * time.Millisecond })
	g := newGroup(t, f.key(t, token, "alice"))
	hang := make(chan struct{})
	defer close(hang)
	for generation := uint32(0); generation < 3; generation++ {
		for name, fault := range map[string]func() error{
			"removed":       func() error { return ckrDeviceRemoved },
			"wrong size":    func() error { return ckrDataLenRange },
			"vendor's code": func() error { return rv(0x80000001) },
			"hang":          func() error { <-hang; return nil },
		} {
			f.set(func() {
				f.fault = func(call string, _ int) error {
					if call == "sign" {
						return fault()
					}
					return nil
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			dst := []byte("prefix")
			got, err := g.AppendMessage(ctx, dst, []byte("x"), mls.MessageOptions{})
			var e *mls.SignerError
			if !errors.As(err, &e) || string(got) != "prefix" {
				t.Errorf("%s: %q, %v", name, got, err)
			}
			if _, err := g.SelfUpdate(ctx); err == nil {
				t.Errorf("%s: a commit was made", name)
			}
			cancel()
		}
		f.set(func() { f.fault = nil })
		var info mls.MessageInfo
		if _, err := g.AppendMessage(t.Context(), nil, []byte("x"), mls.MessageOptions{Info: &info}); err != nil {
			t.Fatal(err)
		}
		if info.Generation != generation || info.Epoch != 0 {
			t.Errorf("epoch %d, generation %d, want 0 and %d", info.Epoch, info.Generation, generation)
		}
	}
	if _, err := g.SelfUpdate(t.Context()); err != nil {
		t.Errorf("a commit in the end: %v", err)
	}
}

// TestManyGroupsShareAToken: 1,000 groups send at once through 8 sessions of a
// token that takes 2 ms for a signature, all of which work at once.
func TestManyGroupsShareAToken(t *testing.T) {
	const groups, sessions, took = 1000, 8, 2 * time.Millisecond
	f := newFake()
	token := f.open(t, func(c *Config) { c.MaxSessions = sessions })
	k := f.key(t, token, "alice")
	all := make([]*mls.Group, groups)
	for i := range all {
		all[i] = newGroup(t, k)
	}
	var inside, most atomic.Int64
	f.set(func() {
		f.fault = func(call string, _ int) error {
			if call == "sign" {
				most.Store(max(most.Load(), inside.Add(1)))
				time.Sleep(took)
				inside.Add(-1)
			}
			return nil
		}
	})
	start := time.Now()
	var longest atomic.Int64
	var wg sync.WaitGroup
	for i, g := range all {
		wg.Go(func() {
			start := time.Now()
			if _, err := g.AppendMessage(context.Background(), nil, fmt.Append(nil, i), mls.MessageOptions{}); err != nil {
				t.Error(err)
			}
			longest.Store(max(longest.Load(), int64(time.Since(start))))
		})
	}
	wg.Wait()
	ideal := groups * took / sessions
	t.Logf("%v for %d signatures (%v if nothing else took time), the longest wait %v", time.Since(start), groups, ideal, time.Duration(longest.Load()))
	if n := most.Load(); n != sessions {
		t.Errorf("%d signatures at once, want %d", n, sessions)
	}
	if s := token.Stats(); s.Sessions != sessions || s.Retries != 0 {
		t.Errorf("%+v", s)
	}
}
