package providertest

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"hash"
	"io"
	"math"
	"slices"
	"testing"

	"github.com/hardmls/hardmls/provider"
)

// SuiteOptions are what TestSuite cannot get from the backend by itself.
type SuiteOptions struct {
	// Signer is a key of the suite. Without one, Ed25519 and ECDSA keys of
	// the standard library are used, and for other schemes the checks of
	// signatures are skipped.
	Signer provider.Signer

	// Open returns the same backend over another source of randomness. Nil
	// skips the checks that let it fail.
	Open func(rand io.Reader) provider.Crypto
}

// TestSuite holds suite id of backend c to the contract of provider.Suite and
// everything it leads to: HPKE, software keys, upgrades. Hashes and HKDF are
// compared with the standard library by the suite's KDF identifier, AES-GCM and
// HPKE by theirs; for identifiers that it doesn't know, a comparison is skipped
// by name. At most one SuiteOptions may be given. Run it under the race
// detector too.
func TestSuite(t *testing.T, c provider.Crypto, id provider.CipherSuite, opts ...SuiteOptions) {
	var o SuiteOptions
	if len(opts) > 0 {
		o = opts[0]
	}
	s, err := c.Suite(id)
	if err != nil {
		t.Fatalf("Suite(%v): %v", id, err)
	}
	for _, check := range suiteChecks {
		t.Run(check.name, func(t *testing.T) { check.run(newSuite(t, c, s, o)) })
	}
	t.Run("software keys", func(t *testing.T) { TestKeys(t, s, c.SoftwareKeys()) })
}

var suiteChecks = []struct {
	name string
	run  func(s suite)
}{
	{"backend", checkBackend},
	{"params", checkParams},
	{"hash", checkHash},
	{"extract", checkExtract},
	{"expand", checkExpand},
	{"mac", checkMAC},
	{"aead round trip", checkAEAD},
	{"aead reference", checkAEADReference},
	{"aead buffers", checkAEADBuffers},
	{"aead misuse", checkAEADMisuse},
	{"aead forgery", checkAEADForgery},
	{"hpke round trip", checkHPKE},
	{"hpke reference", checkHPKEReference},
	{"hpke forgery", checkHPKEForgery},
	{"hpke public keys", checkPublicKeys},
	{"hpke clears on error", checkSealManyClears},
	{"hpke failing randomness", checkFailingRand},
	{"hpke opaque keys", checkOpaqueKeys},
	{"hpke export", checkExport},
	{"derived keys", checkDeriveKey},
	{"decap", checkDecap},
	{"verify", checkVerify},
	{"signature keys", checkSignatureKeys},
	{"strict DER", checkStrictDER},
	{"ratchet upgrade", checkRatchetUpgrade},
	{"bound upgrade", checkBoundUpgrade},
	{"verify upgrade", checkVerifyUpgrade},
	{"concurrency", checkSuiteConcurrency},
}

// A suite is what a check works on.
type suite struct {
	testing.TB
	provider.Suite
	c    provider.Crypto
	p    *provider.Params
	opts SuiteOptions
	rnd  io.Reader // for inputs, repeatable
}

func newSuite(t testing.TB, c provider.Crypto, s provider.Suite, o SuiteOptions) suite {
	return suite{TB: t, Suite: s, c: c, p: s.Params(), opts: o, rnd: NewRand(uint64(s.Params().ID))}
}

// bytes returns n bytes that are neither 0 nor marker.
func (s suite) bytes(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.rnd, b); err != nil {
		s.Fatal(err)
	}
	for i := range b {
		if b[i] == 0 || b[i] == marker {
			b[i] = 1
		}
	}
	return b
}

// marker fills what must not be written.
const marker = 0xEE

func marked(n int) []byte { return bytes.Repeat([]byte{marker}, n) }

// mustPanic checks that f panics.
func mustPanic(t testing.TB, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s did not panic", what)
		}
	}()
	f()
}

// hashOf returns the standard library's hash of a KDF, or nil.
func hashOf(kdf uint16) func() hash.Hash {
	switch kdf {
	case provider.KDF_SHA256:
		return sha256.New
	case provider.KDF_SHA384:
		return sha512.New384
	case provider.KDF_SHA512:
		return sha512.New
	}
	return nil
}

func checkBackend(s suite) {
	ids := s.c.CipherSuites()
	if !slices.Contains(ids, s.p.ID) {
		s.Errorf("CipherSuites() is %v, without %v", ids, s.p.ID)
	}
	for i := range ids {
		ids[i] = math.MaxUint16
	}
	if !slices.Contains(s.c.CipherSuites(), s.p.ID) {
		s.Error("the slice of CipherSuites is shared")
	}
	for _, id := range []provider.CipherSuite{0, math.MaxUint16} {
		got, err := s.c.Suite(id)
		if !errors.Is(err, provider.ErrUnsupported) || got != nil {
			s.Errorf("Suite(%v) returned %v, %v, want ErrUnsupported", id, got, err)
		}
		if _, ok := errors.AsType[*provider.UnsupportedError](err); !ok {
			s.Errorf("Suite(%v) returned a %T", id, err)
		}
	}
	if s.c.Rand() == nil || s.c.SoftwareKeys() == nil {
		s.Error("Rand or SoftwareKeys is nil")
	}
	r := s.c.Report()
	if r.Backend == "" || len(r.Choices) == 0 {
		s.Errorf("the report is empty: %+v", r)
	}
	for _, c := range r.Choices {
		if c.SelfTest != nil {
			s.Errorf("self-test of %s: %v", c.Primitive, c.SelfTest)
		}
	}
}

func checkParams(s suite) {
	p := *s.p
	if want, ok := provider.ParamsOf(p.ID); ok && p != *want {
		s.Errorf("parameters are %+v, want %+v", p, *want)
	}
	for name, n := range map[string]int{"Nh": p.Nh, "Nk": p.Nk, "Nn": p.Nn, "Nt": p.Nt, "Npk": p.Npk, "Nsk": p.Nsk,
		"Nenc": p.Nenc, "Nsecret": p.Nsecret, "Nsigpk": p.Nsigpk, "SigMax": p.SigMax} {
		if n <= 0 {
			s.Errorf("%s is %d", name, n)
		}
	}
	if p.Nh > provider.MaxNh || p.Nk > provider.MaxNk || p.Nn > provider.MaxNn || p.Nt > provider.MaxNt ||
		p.Nsk > provider.MaxNsk || p.Npk > provider.MaxNpk || p.SigMax > provider.MaxSigMax {
		s.Errorf("a size is beyond package provider's bounds: %+v", p)
	}
	if s.HPKE() == nil || s.Upgrades() == nil {
		s.Error("HPKE or Upgrades is nil")
	}
	if s.Params() != s.p || s.Upgrades() != s.Suite.Upgrades() {
		s.Error("Params or Upgrades changes from call to call")
	}
}
