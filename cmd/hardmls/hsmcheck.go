package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/pkcs11"
	"github.com/hardmls/hardmls/provider/soft"
)

// hsmCheck is what check shows, for --json.
type hsmCheck struct {
	Module     pkcs11.ModuleInfo `json:"module"`
	Token      string            `json:"token"`
	PIN        string            `json:"pin"`
	Condition  string            `json:"condition"`
	Sessions   uint              `json:"max_sessions"` // 0: no limit, or it does not say
	Mechanisms []string          `json:"mechanisms"`
	Suites     []hsmSuite        `json:"suites"`
	Key        string            `json:"key"`
	Rates      []signRate        `json:"signing"`
	Knee       int               `json:"knee_sessions"`
	Problems   []string          `json:"problems"`
}

// hsmSuite is a ciphersuite that the token can serve.
type hsmSuite struct {
	ID     provider.CipherSuite `json:"id"`
	Name   string               `json:"name"`
	Sign   bool                 `json:"signature_keys"`
	Derive bool                 `json:"hpke_keys"`
}

// signRate is how fast a number of sessions signs.
type signRate struct {
	Sessions  int     `json:"sessions"`
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Errors    int     `json:"errors"`
}

func hsmCheckCommand(t *terminal, f *tokenFlags) *cobra.Command {
	var k keyFlags
	var each time.Duration
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Show what a token is, what it can serve, and how fast it signs",
		Long: `Shows module, token, state of the PIN, mechanisms, the ciphersuites whose keys it can
hold, and how many signatures a second it makes with 1, 2, 4 … sessions: with the key
that --label or --id names, or one made for it and deleted afterwards. The knee is
where more sessions stop to help. It exits with 1 if something is not well.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.open(cmd.Context(), t, func(tok *pkcs11.Token) error {
				return runHSMCheck(cmd.Context(), t, tok, &k, f.sessions, each)
			})
		},
	}
	k.add(cmd)
	cmd.Flags().DurationVar(&each, "time", 300*time.Millisecond, "how long each number of sessions is measured")
	return cmd
}

func runHSMCheck(ctx context.Context, t *terminal, tok *pkcs11.Token, k *keyFlags, sessions int, each time.Duration) error {
	if err := tok.Check(ctx); err != nil {
		return err
	}
	info := tok.Info()
	res := &hsmCheck{Module: tok.Module(), Token: info.String(), Sessions: info.MaxSessions}
	res.PIN = res.pinState(info.Flags)
	mechanisms, err := tok.Mechanisms(ctx)
	if err != nil {
		return err
	}
	has := map[string]pkcs11.Mechanism{}
	for _, m := range mechanisms {
		if name := m.String(); strings.HasPrefix(name, "CKM_") {
			res.Mechanisms = append(res.Mechanisms, name)
			has[name] = m
		}
	}
	res.Suites = suitesOf(has)
	if len(res.Suites) == 0 {
		res.Problems = append(res.Problems, "no ciphersuite's keys fit into this token")
	} else if err := withSigner(ctx, tok, k, func(s *pkcs11.Signer) error {
		res.Key = s.Info().String()
		return res.measure(ctx, s, sessions, each)
	}); err != nil {
		return err
	}
	health := tok.Health()
	res.Condition = health.Condition.String()
	if health.Condition != pkcs11.Healthy {
		res.Problems = append(res.Problems, fmt.Sprintf("the token is %s: %v", health.Condition, health.LastError))
	}
	if t.json {
		err = t.encode(res)
	} else {
		res.print(t)
	}
	if err == nil && len(res.Problems) > 0 {
		err = errFailed
	}
	return err
}

// pinState says what the token's flags say of the PIN, and notes what is not well.
func (r *hsmCheck) pinState(f pkcs11.TokenFlags) string {
	switch {
	case f.PINLocked():
		r.Problems = append(r.Problems, "the PIN is locked: the security officer resets it")
		return "locked"
	case f.PINFinalTry():
		r.Problems = append(r.Problems, "one more wrong PIN locks the token")
		return "final try"
	case f.PINCountLow():
		r.Problems = append(r.Problems, "a wrong PIN was tried since the last login")
		return "a wrong one was tried"
	case !f.LoginRequired():
		return "not needed"
	}
	return "good"
}

// suitesOf returns the ciphersuites whose keys a token with these mechanisms can hold.
func suitesOf(has map[string]pkcs11.Mechanism) (out []hsmSuite) {
	within := func(name string, bits uint) bool {
		m, ok := has[name]
		return ok && (m.MaxKeySize == 0 || m.MinKeySize <= bits && bits <= m.MaxKeySize)
	}
	for _, p := range allSuites() {
		s := hsmSuite{ID: p.ID, Name: p.ID.String()}
		switch p.Signature {
		case provider.ECDSA_P256_SHA256:
			s.Sign = within("CKM_ECDSA", 256)
		case provider.ECDSA_P384_SHA384:
			s.Sign = within("CKM_ECDSA", 384)
		case provider.ECDSA_P521_SHA512:
			s.Sign = within("CKM_ECDSA", 521)
		case provider.Ed25519, provider.Ed448:
			s.Sign = within("CKM_EDDSA", 256) && (p.Signature == provider.Ed25519 || within("CKM_EDDSA", 456))
		}
		switch p.KEM {
		case provider.KEM_P256:
			s.Derive = within("CKM_ECDH1_DERIVE", 256)
		case provider.KEM_P384:
			s.Derive = within("CKM_ECDH1_DERIVE", 384)
		case provider.KEM_P521:
			s.Derive = within("CKM_ECDH1_DERIVE", 521)
		case provider.KEM_X25519, provider.KEM_X448:
			_, montgomery := has["CKM_EC_MONTGOMERY_KEY_PAIR_GEN"]
			s.Derive = montgomery && has["CKM_ECDH1_DERIVE"].Type != 0
		}
		if s.Sign || s.Derive {
			out = append(out, s)
		}
	}
	return out
}

// measure signs with more and more sessions.
func (r *hsmCheck) measure(ctx context.Context, s *pkcs11.Signer, sessions int, each time.Duration) error {
	verify, err := verifierOf(s)
	if err != nil {
		return err
	}
	for n := 1; n <= sessions; n *= 2 {
		rate, err := rateOf(ctx, s, verify, n, each)
		if err != nil {
			return err
		}
		r.Rates = append(r.Rates, rate)
		if rate.Errors > 0 {
			r.Problems = append(r.Problems, fmt.Sprintf("%d of the signatures with %d sessions failed or do not verify", rate.Errors, n))
		}
	}
	best := 0.0
	for _, rate := range r.Rates {
		best = max(best, rate.PerSecond)
	}
	for i := len(r.Rates) - 1; i >= 0; i-- {
		if r.Rates[i].PerSecond >= 0.9*best {
			r.Knee = r.Rates[i].Sessions // the fewest that come near the best
		}
	}
	return nil
}

// verifierOf returns what checks the key's signatures in software.
func verifierOf(s *pkcs11.Signer) (func(msg, sig []byte) error, error) {
	id, err := suiteOf(s.Scheme())
	if err != nil {
		return nil, err
	}
	suite, err := soft.New(soft.Options{}).Suite(id)
	if err != nil {
		return nil, err
	}
	return func(msg, sig []byte) error { return suite.Verify(s.Public(), msg, sig) }, nil
}

// rateOf signs in n goroutines for as long as each says. One signature of each
// goroutine is verified.
func rateOf(ctx context.Context, s *pkcs11.Signer, verify func(msg, sig []byte) error, n int, each time.Duration) (signRate, error) {
	var (
		mu    sync.Mutex
		took  []time.Duration
		bad   int
		first error
		group sync.WaitGroup
	)
	start := time.Now()
	for range n {
		group.Go(func() {
			msg := make([]byte, 300)
			rand.Read(msg)
			for count := 0; time.Since(start) < each || count == 0; count++ {
				begun := time.Now()
				sig, err := s.Sign(ctx, nil, msg)
				d := time.Since(begun)
				if err == nil && count == 0 {
					err = verify(msg, sig)
				}
				mu.Lock()
				took = append(took, d)
				if err != nil {
					bad++
					first = errors.Join(first, err)
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	group.Wait()
	total := time.Since(start)
	if bad == len(took) {
		return signRate{}, first
	}
	slices.Sort(took)
	ms := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))].Microseconds()) / 1000 }
	return signRate{n, float64(len(took)-bad) / total.Seconds(), ms(0.5), ms(0.99), bad}, nil
}

func (r *hsmCheck) print(t *terminal) {
	t.line("module", "%s %s (%s), Cryptoki %s", r.Module.Manufacturer, r.Module.Description, r.Module.Version, r.Module.Cryptoki)
	t.line("token", "%s", r.Token)
	t.line("PIN", "%s", r.PIN)
	limit := "no limit known"
	if r.Sessions > 0 {
		limit = fmt.Sprint(r.Sessions, " at most")
	}
	t.line("sessions", "%s", limit)
	t.line("uses", "%s", strings.Join(r.Mechanisms, " "))
	rows := [][]string{{"suite", "", "signature keys", "HPKE keys"}}
	for _, s := range r.Suites {
		rows = append(rows, []string{fmt.Sprint(uint16(s.ID)), s.Name, yesNo(s.Sign), yesNo(s.Derive)})
	}
	if len(r.Suites) > 0 {
		t.table(rows)
	}
	if len(r.Rates) > 0 {
		t.line("key", "%s", r.Key)
		printRates(t, r.Rates, r.Knee)
	}
	if len(r.Problems) == 0 {
		t.line("result", "%s", t.green("all is well"))
	}
	for _, p := range r.Problems {
		t.line("problem", "%s", t.red(p))
	}
}

func printRates(t *terminal, rates []signRate, knee int) {
	rows := [][]string{{"sessions", "signatures/s", "p50", "p99", ""}}
	for _, s := range rates {
		note := ""
		if s.Sessions == knee {
			note = "← more do not help"
		}
		rows = append(rows, []string{fmt.Sprint(s.Sessions), thousands(int64(s.PerSecond)), fmt.Sprintf("%.2f ms", s.P50), fmt.Sprintf("%.2f ms", s.P99), note})
	}
	t.table(rows, 0, 1, 2, 3)
}

func hsmSignTestCommand(t *terminal, f *tokenFlags) *cobra.Command {
	var k keyFlags
	var n int
	cmd := &cobra.Command{
		Use:   "sign-test",
		Short: "Sign with a key of the token and verify each signature in software",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if n < 1 {
				return usageError{errors.New("--count must be positive")}
			}
			return f.open(cmd.Context(), t, func(tok *pkcs11.Token) error {
				return withSigner(cmd.Context(), tok, &k, func(s *pkcs11.Signer) error { return signTest(cmd.Context(), t, s, n) })
			})
		},
	}
	k.add(cmd)
	cmd.Flags().IntVar(&n, "count", 100, "how many signatures")
	return cmd
}

// signTestResult is what sign-test shows, for --json.
type signTestResult struct {
	Key    string  `json:"key"`
	Count  int     `json:"count"`
	Good   int     `json:"good"`
	Errors int     `json:"errors"`
	P50    float64 `json:"p50_ms"`
	P99    float64 `json:"p99_ms"`
	Error  string  `json:"first_error,omitempty"`
}

func signTest(ctx context.Context, t *terminal, s *pkcs11.Signer, n int) error {
	verify, err := verifierOf(s)
	if err != nil {
		return err
	}
	res := signTestResult{Key: s.Info().String(), Count: n}
	took := make([]time.Duration, 0, n)
	msg := make([]byte, 300)
	for range n {
		rand.Read(msg)
		start := time.Now()
		sig, err := s.Sign(ctx, nil, msg)
		took = append(took, time.Since(start))
		if err == nil {
			err = verify(msg, sig)
		}
		if err == nil {
			res.Good++
			continue
		}
		if res.Errors++; res.Error == "" {
			res.Error = err.Error()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	slices.Sort(took)
	res.P50 = float64(took[len(took)/2].Microseconds()) / 1000
	res.P99 = float64(took[len(took)*99/100].Microseconds()) / 1000
	if t.json {
		err = t.encode(res)
	} else {
		t.line("key", "%s", res.Key)
		t.line("signed", "%d of %d are good   p50 %.2f ms   p99 %.2f ms", res.Good, n, res.P50, res.P99)
		if res.Errors > 0 {
			t.line("problem", "%s", t.red(res.Error))
		}
	}
	if err == nil && res.Errors > 0 {
		err = errFailed
	}
	return err
}
