//go:build cgo && unix && !nopkcs11

package pkcs11_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/pkcs11"
	"github.com/hardmls/hardmls/provider/providertest"
)

// An intruder uses the module behind the Token's back, as another library in
// the process would.
type intruder struct {
	t    testing.TB
	ctx  *p11.Ctx
	slot uint
}

func intrude(t testing.TB, token *pkcs11.Token, module string) *intruder {
	t.Helper()
	return &intruder{t, p11.New(module), token.Info().Slot}
}

func (i *intruder) must(err error) {
	i.t.Helper()
	if err != nil {
		i.t.Errorf("intruder: %v", err)
	}
}

// logout ends the login of every session in the process.
func (i *intruder) logout() {
	s, err := i.ctx.OpenSession(i.slot, p11.CKF_SERIAL_SESSION)
	i.must(err)
	i.ctx.Logout(s) // somebody may have been quicker
	i.must(i.ctx.CloseSession(s))
}

// signing is goroutines that sign and verify until stop is called, which
// returns how many signatures were made and the longest wait for one. Errors
// and bad signatures fail the test.
func signing(t *testing.T, s provider.Suite, goroutines int, signers ...*pkcs11.Signer) (stop func() (int64, time.Duration)) {
	t.Helper()
	var n, longest atomic.Int64
	var all sync.WaitGroup
	end := make(chan struct{})
	for g := range goroutines {
		k := signers[g%len(signers)]
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-end:
					return
				default:
				}
				msg := fmt.Appendf(nil, "message %d of %d", i, g)
				start := time.Now()
				sig, err := k.Sign(context.Background(), nil, msg)
				if err != nil {
					t.Errorf("Sign: %v", err)
					return
				}
				if err := s.Verify(k.Public(), msg, sig); err != nil {
					t.Errorf("a signature of %s: %v", k.Info(), err)
					return
				}
				longest.Store(max(longest.Load(), int64(time.Since(start))))
				n.Add(1)
			}
		})
	}
	return func() (int64, time.Duration) {
		close(end)
		all.Wait()
		return n.Load(), time.Duration(longest.Load())
	}
}

// TestLogouts: 50 logouts (10 with -short) under the load of 8 goroutines cost no error and no
// wrong signature.
func TestLogouts(t *testing.T) {
	for name, newToken := range map[string]func(testing.TB) pkcs11.Config{
		"SoftHSM": func(t testing.TB) pkcs11.Config { return newSoftHSM(t) },
		"NSS":     newNSS,
	} {
		t.Run(name, func(t *testing.T) {
			cfg := newToken(t)
			token := open(t, cfg)
			s := bind(t, provider.P256_AES128GCM_SHA256_P256)
			keys := generate(t, token, provider.ECDSA_P256_SHA256, "a", "b", "c")
			i := intrude(t, token, cfg.Module)
			logouts := 50
			if testing.Short() {
				logouts = 10
			}
			stop := signing(t, s, 8, keys...)
			for range logouts {
				time.Sleep(20 * time.Millisecond)
				i.logout()
			}
			time.Sleep(20 * time.Millisecond)
			n, longest := stop()
			st := token.Stats()
			t.Logf("%d signatures, longest %v, %d new logins, %d retries", n, longest, st.Regenerations, st.Retries)
			if st.Regenerations < uint64(logouts/2) {
				t.Errorf("only %d new logins: the logouts were not felt", st.Regenerations)
			}
			if n < 30 || st.Reinits > 0 {
				t.Errorf("%d signatures, %d new initialisations", n, st.Reinits)
			}
			if h := token.Health(); h.Condition != pkcs11.Healthy {
				t.Errorf("afterwards the token is %v: %v", h.Condition, h.LastError)
			}
		})
	}
}

// TestStaleHandles is the trap that handles are: after a new initialisation the
// same handle is another key. The module is finalised under idle sessions, and
// the keys are used in another order than they were found in at first.
func TestStaleHandles(t *testing.T) {
	cfg := newSoftHSM(t)
	token := open(t, cfg)
	s := bind(t, provider.P256_AES128GCM_SHA256_P256)
	keys := generate(t, token, provider.ECDSA_P256_SHA256, "a", "b", "c")
	i := intrude(t, token, cfg.Module)
	for round, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {2, 0, 1}} {
		for _, k := range order {
			msg := fmt.Appendf(nil, "round %d", round)
			sig, err := keys[k].Sign(t.Context(), nil, msg)
			if err != nil {
				t.Fatal(err)
			}
			for other := range keys {
				if ok := s.Verify(keys[other].Public(), msg, sig) == nil; ok != (other == k) {
					t.Fatalf("round %d: a signature of key %d fits key %d: %v", round, k, other, ok)
				}
			}
		}
		i.must(i.ctx.Finalize())
	}
	if n := token.Stats().Reinits; n != 3 {
		t.Errorf("%d new initialisations, want 3", n)
	}
	if err := token.Check(t.Context()); err != nil { // leaves the module initialised for Close
		t.Fatal(err)
	}
}

// TestForeignReinit: somebody finalises the module, initialises it, logs in and
// has sessions of its own, so that old handles work and mean something else.
func TestForeignReinit(t *testing.T) {
	cfg := newSoftHSM(t)
	cfg.VerifyAll = true
	token := open(t, cfg)
	s := bind(t, provider.P256_AES128GCM_SHA256_P256)
	keys := generate(t, token, provider.ECDSA_P256_SHA256, "a", "b", "c")
	i := intrude(t, token, cfg.Module)
	for round := range 5 {
		for k := range keys {
			msg := fmt.Appendf(nil, "round %d", round)
			sig, err := keys[k].Sign(t.Context(), nil, msg)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Verify(keys[k].Public(), msg, sig); err != nil {
				t.Fatalf("round %d: key %d: %v", round, k, err)
			}
		}
		i.must(i.ctx.Finalize())
		i.must(i.ctx.Initialize())
		for range round {
			session, err := i.ctx.OpenSession(i.slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
			i.must(err)
			i.ctx.Login(session, p11.CKU_USER, testPIN)
			for _, label := range []string{"c", "b", "a"} {
				i.must(i.ctx.FindObjectsInit(session, []*p11.Attribute{p11.NewAttribute(p11.CKA_LABEL, label)}))
				_, _, err = i.ctx.FindObjects(session, 10)
				i.must(err)
				i.must(i.ctx.FindObjectsFinal(session))
			}
		}
	}
}

// TestAlwaysAuthenticateOnSoftHSM: a key that wants the PIN for each signature,
// which SoftHSM takes at its word.
func TestAlwaysAuthenticateOnSoftHSM(t *testing.T) {
	cfg := newSoftHSM(t)
	token := open(t, cfg)
	i := intrude(t, token, cfg.Module)
	session, err := i.ctx.OpenSession(i.slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	i.must(err)
	common := []*p11.Attribute{p11.NewAttribute(p11.CKA_TOKEN, true), p11.NewAttribute(p11.CKA_ID, []byte("id")), p11.NewAttribute(p11.CKA_LABEL, "each time")}
	_, _, err = i.ctx.GenerateKeyPair(session, []*p11.Mechanism{p11.NewMechanism(p11.CKM_EC_KEY_PAIR_GEN, nil)},
		append(common, p11.NewAttribute(p11.CKA_EC_PARAMS, []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07})),
		append(common, p11.NewAttribute(p11.CKA_PRIVATE, true), p11.NewAttribute(p11.CKA_SIGN, true), p11.NewAttribute(p11.CKA_ALWAYS_AUTHENTICATE, true)))
	i.must(err)
	i.must(i.ctx.CloseSession(session))
	k, err := token.Signer(t.Context(), pkcs11.Query{Label: "each time"})
	if err != nil {
		t.Fatal(err)
	}
	if !k.Info().AlwaysAuthenticate {
		t.Error("the key does not say so")
	}
	s := bind(t, provider.P256_AES128GCM_SHA256_P256)
	providertest.TestSigner(t, s, k)
	i.logout()
	sig, err := k.Sign(t.Context(), nil, []byte("x"))
	if err != nil || s.Verify(k.Public(), []byte("x"), sig) != nil {
		t.Errorf("after a logout: %v", err)
	}
}
