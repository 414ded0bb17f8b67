package asm

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/hardmls/hardmls/internal/asm/aesgcm"
	"github.com/hardmls/hardmls/internal/asm/cpu"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
	"github.com/hardmls/hardmls/provider/soft"
)

// open returns the backend with the kernels of this CPU.
func open(t testing.TB, r io.Reader) provider.Crypto {
	t.Helper()
	c, err := New(Options{Rand: r})
	if errors.Is(err, ErrNoKernel) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConformance(t *testing.T) {
	c := open(t, nil)
	for _, id := range provider.CipherSuites() {
		t.Run(id.String(), func(t *testing.T) {
			t.Parallel()
			s, err := c.Suite(id)
			if err != nil {
				t.Fatal(err)
			}
			k, err := soft.NewSigner(c, s)
			if err != nil {
				t.Fatal(err)
			}
			providertest.TestSuite(t, c, id, providertest.SuiteOptions{
				Signer: k,
				Open:   func(r io.Reader) provider.Crypto { return open(t, r) },
			})
			t.Run("signer", func(t *testing.T) { providertest.TestSigner(t, s, k) })
		})
	}
	if _, err := c.Suite(0); !errors.Is(err, provider.ErrUnsupported) {
		t.Errorf("suite 0: %v", err)
	}
	if _, err := c.Suite(8); !errors.Is(err, provider.ErrUnsupported) {
		t.Errorf("suite 8: %v", err)
	}
}

// TestReport: each kernel in use stands in the report with its reason and soft's
// implementation as passed over, and nothing else changes.
func TestReport(t *testing.T) {
	c := open(t, nil)
	k := c.(*backend).kernels
	r, s := c.Report(), soft.New(soft.Options{}).Report()
	if r.Backend != "asm" || len(r.Choices) != len(s.Choices) {
		t.Fatalf("backend %q with %d choices, soft has %d", r.Backend, len(r.Choices), len(s.Choices))
	}
	want := map[string]string{
		nameAES128: k.aes128.String(),
		nameAES256: k.aes256.String(),
		nameSHA256: k.sha256.String(),
	}
	for i, c := range r.Choices {
		kernel := want[c.Primitive]
		switch {
		case kernel == "":
			if c != s.Choices[i] {
				t.Errorf("%s: %+v, soft has %+v", c.Primitive, c, s.Choices[i])
			}
		case kernel == aesgcm.Generic.String():
			if c.Impl != s.Choices[i].Impl || c.Skipped == "" {
				t.Errorf("%s without a kernel: %+v", c.Primitive, c)
			}
		default:
			if c.Impl != kernel || c.Reason == "" || c.Skipped != s.Choices[i].Impl || c.SelfTest != nil {
				t.Errorf("%s: %+v, want %s", c.Primitive, c, kernel)
			}
		}
	}
}

// TestFailingKernel: a kernel with another answer is left out, alone.
func TestFailingKernel(t *testing.T) {
	f := cpu.Detect()
	right := choose(f, known)
	if !right.any() {
		t.Skip(ErrNoKernel)
	}
	for name, bend := range map[string]func(a *answers){
		nameAES128: func(a *answers) { a.gcm128 = a.gcm256 },
		nameAES256: func(a *answers) { a.gcm256 = a.gcm128 },
		nameSHA256: func(a *answers) { a.sha256 = "not hex" },
	} {
		a := known
		bend(&a)
		k := choose(f, a)
		if (right.choices[name].impl == "") != (k.choices[name].failed == nil) {
			t.Errorf("%s: %+v", name, k.choices[name])
		}
		for other, c := range k.choices {
			if other != name && c != right.choices[other] {
				t.Errorf("%s failed, but %s is %+v", name, other, c)
			}
		}
		c, err := newBackend(Options{}, k)
		if errors.Is(err, ErrNoKernel) {
			continue // it was the only one
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range c.Report().Choices {
			failed := row.Primitive == name && right.choices[name].impl != ""
			if failed != strings.Contains(row.Skipped, "known answer differs") {
				t.Errorf("%s failed: row %+v", name, row)
			}
		}
		sameAsSoft(t, c)
	}
}

// TestPanickingKernel: a panic in a known answer is a failure.
func TestPanickingKernel(t *testing.T) {
	if err := guarded(func() error { panic("illegal") }); err == nil || !strings.Contains(err.Error(), "illegal") {
		t.Errorf("got %v", err)
	}
}

// TestNoKernel: without kernels there is no such backend.
func TestNoKernel(t *testing.T) {
	if _, err := newBackend(Options{}, kernels{}); !errors.Is(err, ErrNoKernel) {
		t.Errorf("got %v", err)
	}
}

// TestTiers runs every kernel that this CPU has, and asks the report for them.
func TestTiers(t *testing.T) {
	all := cpu.Detect()
	seen := make(map[[3]string]bool)
	for _, less := range []string{"", "-avx512", "-vaes", "-avx2", "-avx", "-aes", "-sha", "-pmull", "-sha2", "-sha3"} {
		f, err := cpu.Restrict(all, less)
		if err != nil {
			t.Fatal(err)
		}
		k := choose(f, known)
		tier := [3]string{k.aes128.String(), k.aes256.String(), k.sha256.String()}
		if seen[tier] || !k.any() {
			continue
		}
		seen[tier] = true
		for name, c := range k.choices {
			if c.failed != nil {
				t.Errorf("%q: %s: %v", less, name, c.failed)
			}
		}
		c, err := newBackend(Options{}, k)
		if err != nil {
			t.Fatal(err)
		}
		sameAsSoft(t, c)
		t.Logf("with %v: %v", f, tier)
	}
	if len(seen) == 0 {
		t.Skip(ErrNoKernel)
	}
}

// sameAsSoft seals with one backend what the other opens, in all suites.
func sameAsSoft(t *testing.T, c provider.Crypto) {
	t.Helper()
	other := soft.New(soft.Options{})
	for _, id := range provider.CipherSuites() {
		a, err := c.Suite(id)
		if err != nil {
			t.Fatal(err)
		}
		b, err := other.Suite(id)
		if err != nil {
			t.Fatal(err)
		}
		compareSuites(t, a, b, []byte("a secret"), []byte("a message"), []byte("additional"), 7)
	}
}

// compareSuites holds two backends of a suite against each other.
func compareSuites(t *testing.T, a, b provider.Suite, seed, msg, ad []byte, generation uint32) {
	t.Helper()
	p := a.Params()
	type result struct{ tag, okm, key, nonce, next, skipped, sdKey, sdNonce, bound, sealed []byte }
	work := func(s provider.Suite) (r result) {
		r.tag = make([]byte, p.Nh)
		s.MAC(r.tag, seed, msg)
		prk := make([]byte, p.Nh)
		s.Extract(prk, seed, msg)
		r.okm = make([]byte, len(msg)%300)
		s.Expand(r.okm, prk, ad)
		r.key, r.nonce, r.next = make([]byte, p.Nk), make([]byte, p.Nn), bytes.Clone(prk)
		up := s.Upgrades()
		up.Ratchet.RatchetStep(r.key, r.nonce, r.next, generation)
		r.skipped = bytes.Clone(prk)
		up.Ratchet.RatchetStep(nil, nil, r.skipped, generation)
		r.sealed = s.Seal(nil, r.key, r.nonce, msg, ad)
		bound := up.Bind.Bind(r.next)
		r.sdKey, r.sdNonce, r.bound = make([]byte, p.Nk), make([]byte, p.Nn), make([]byte, p.Nh)
		bound.SenderDataKey(r.sdKey, r.sdNonce, r.sealed[:min(len(r.sealed), p.Nh)])
		bound.MAC(r.bound, msg)
		bound.Wipe()
		return r
	}
	x, y := work(a), work(b)
	for _, c := range []struct {
		name string
		x, y []byte
	}{
		{"MAC", x.tag, y.tag}, {"Expand", x.okm, y.okm}, {"key", x.key, y.key}, {"nonce", x.nonce, y.nonce},
		{"secret", x.next, y.next}, {"secret alone", x.skipped, x.next}, {"sender data key", x.sdKey, y.sdKey},
		{"sender data nonce", x.sdNonce, y.sdNonce}, {"bound MAC", x.bound, y.bound}, {"ciphertext", x.sealed, y.sealed},
	} {
		if !bytes.Equal(c.x, c.y) {
			t.Errorf("%v: %s differs", p.ID, c.name)
		}
	}
	for _, s := range []provider.Suite{a, b} {
		if pt, err := s.Open(nil, x.key, x.nonce, x.sealed, ad); err != nil || !bytes.Equal(pt, msg) {
			t.Errorf("%v: Open: %v", p.ID, err)
		}
		if _, err := s.Open(nil, x.key, x.nonce, x.sealed[1:], ad); err != provider.ErrDecrypt {
			t.Errorf("%v: Open of a forgery: %v", p.ID, err)
		}
	}
}

// FuzzSuites compares the backend with soft.
func FuzzSuites(f *testing.F) {
	c, other := open(f, nil), soft.New(soft.Options{})
	f.Add([]byte("seed"), []byte("message"), []byte("ad"), uint32(7))
	f.Add(make([]byte, 65), make([]byte, 1100), make([]byte, 300), uint32(1<<31))
	f.Fuzz(func(t *testing.T, seed, msg, ad []byte, generation uint32) {
		for _, id := range []provider.CipherSuite{1, 3, 7} {
			a, err := c.Suite(id)
			if err != nil {
				t.Fatal(err)
			}
			b, err := other.Suite(id)
			if err != nil {
				t.Fatal(err)
			}
			compareSuites(t, a, b, seed, msg, ad, generation)
		}
	})
}

// TestMisusePanics: wrong lengths are bugs of the caller.
func TestMisusePanics(t *testing.T) {
	s, err := open(t, nil).Suite(provider.X25519_AES128GCM_SHA256_Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	up := s.Upgrades()
	bound, wiped := up.Bind.Bind(make([]byte, 32)), up.Bind.Bind(make([]byte, 32))
	wiped.Wipe()
	b := func(n int) []byte { return make([]byte, n) }
	for name, f := range map[string]func(){
		"Seal, key":              func() { s.Seal(nil, b(32), b(12), nil, nil) },
		"Seal, nonce":            func() { s.Seal(nil, b(16), b(11), nil, nil) },
		"Open, key":              func() { s.Open(nil, b(17), b(12), b(16), nil) },
		"Open, nonce":            func() { s.Open(nil, b(16), b(13), b(16), nil) },
		"MAC":                    func() { s.MAC(b(31), b(32), nil) },
		"Extract":                func() { s.Extract(b(33), b(32), nil) },
		"Expand":                 func() { s.Expand(b(255*32+1), b(32), nil) },
		"RatchetStep, secret":    func() { up.Ratchet.RatchetStep(b(16), b(12), b(31), 0) },
		"RatchetStep, key":       func() { up.Ratchet.RatchetStep(b(15), b(12), b(32), 0) },
		"RatchetStep, nonce":     func() { up.Ratchet.RatchetStep(b(16), b(11), b(32), 0) },
		"Bind":                   func() { up.Bind.Bind(b(31)) },
		"SenderDataKey, key":     func() { bound.SenderDataKey(b(15), b(12), nil) },
		"SenderDataKey, nonce":   func() { bound.SenderDataKey(b(16), b(13), nil) },
		"bound MAC":              func() { bound.MAC(b(31), nil) },
		"bound MAC after Wipe":   func() { wiped.MAC(b(32), nil) },
		"SenderDataKey and Wipe": func() { wiped.SenderDataKey(b(16), b(12), nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", name)
				}
			}()
			f()
		}()
	}
}

// TestAllocations: what has a kernel allocates nothing.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("what the race detector is told of escapes to the heap")
	}
	c := open(t, nil)
	k := c.(*backend).kernels
	for _, id := range provider.CipherSuites() {
		s, err := c.Suite(id)
		if err != nil {
			t.Fatal(err)
		}
		p := s.Params()
		secret, key, nonce := make([]byte, p.Nh), make([]byte, p.Nk), make([]byte, p.Nn)
		msg, ad, long := make([]byte, 256), make([]byte, 40), make([]byte, 3*p.Nh+1)
		buf, zeroKey, zeroNonce := make([]byte, 0, 256+p.Nt), make([]byte, p.Nk), make([]byte, p.Nn)
		ct := s.Seal(nil, zeroKey, zeroNonce, msg, ad)
		bound := s.Upgrades().Bind.Bind(secret)
		calls := map[string]func(){
			"Hash":          func() { s.Hash(secret, msg) },
			"Extract":       func() { s.Extract(secret, secret, msg) },
			"Expand":        func() { s.Expand(long, secret, ad) },
			"MAC":           func() { s.MAC(secret, msg, msg) },
			"RatchetStep":   func() { s.Upgrades().Ratchet.RatchetStep(key, nonce, secret, 1) },
			"SenderDataKey": func() { bound.SenderDataKey(key, nonce, secret) },
			"bound MAC":     func() { bound.MAC(secret, msg) },
		}
		if k.gcm(p) != aesgcm.Generic {
			calls["Seal"] = func() { s.Seal(buf, key, nonce, msg, ad) }
			calls["Open"] = func() { s.Open(buf, zeroKey, zeroNonce, ct, ad) }
			calls["Open of a forgery"] = func() { s.Open(buf, zeroKey, nonce, ct[1:], ad) }
		}
		for name, f := range calls {
			if got := testing.AllocsPerRun(200, f); got != 0 {
				t.Errorf("%v: %s allocates %v times", id, name, got)
			}
		}
	}
}
