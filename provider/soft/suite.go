// Package soft is the backend of Hardmls in software: the standard library,
// golang.org/x/crypto and circl, with HMAC, HKDF and HPKE of its own above
// them, which allocate little and wipe what they own. It serves the seven
// ciphersuites of RFC 9420 §17.1 on every platform of Go, without cgo.
//
// Private keys lie in the memory of the process; their reference is the key
// itself. Report names what cannot be wiped.
package soft

import (
	"crypto/rand"
	"fmt"
	"io"
	"sync"

	"github.com/hardmls/hardmls/provider"
)

// Options are what New may be given.
type Options struct {
	// Rand is the only source of randomness of HPKE and of generated keys.
	// Reads come from many goroutines at once. Nil means crypto/rand.
	Rand io.Reader
}

// New returns the software backend.
func New(o Options) provider.Crypto { return newBackend(o) }

func newBackend(o Options) *backend {
	c := &backend{rand: o.Rand}
	if c.rand == nil {
		c.rand = rand.Reader
	}
	for i, id := range provider.CipherSuites() {
		p, _ := provider.ParamsOf(id)
		c.suites[i].get = sync.OnceValue(func() *suite { return newSuite(p, c.rand) })
	}
	return c
}

// importer is behind the functions that need no randomness.
var importer = newBackend(Options{})

// A backend implements provider.Crypto.
type backend struct {
	rand   io.Reader
	suites [7]struct{ get func() *suite }
}

// CipherSuites implements provider.Crypto: the suites of RFC 9420 in their
// order.
func (c *backend) CipherSuites() []provider.CipherSuite { return provider.CipherSuites() }

// Rand implements provider.Crypto.
func (c *backend) Rand() io.Reader { return c.rand }

// SoftwareKeys implements provider.Crypto.
func (c *backend) SoftwareKeys() provider.Keys { return softKeys{c} }

// Suite implements provider.Crypto. The known answers of a primitive run once
// in a process.
func (c *backend) Suite(id provider.CipherSuite) (provider.Suite, error) {
	s, err := c.suite(id)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (c *backend) suite(id provider.CipherSuite) (*suite, error) {
	p, ok := provider.ParamsOf(id)
	if !ok {
		return nil, &provider.UnsupportedError{Suite: id, Reason: "no suite of RFC 9420"}
	}
	for _, prim := range primitivesOf(p) {
		if err := prim.test(); err != nil {
			return nil, &provider.UnsupportedError{Suite: id, Primitive: prim.name, Reason: err.Error()}
		}
	}
	return c.suites[id-1].get(), nil
}

// hpkeOf returns this backend's HPKE for a suite of whatever backend.
func (c *backend) hpkeOf(s provider.Suite) (*hpkeSuite, error) {
	own, err := c.suite(s.Params().ID)
	if err != nil {
		return nil, err
	}
	return own.hpke, nil
}

// A suite implements provider.Suite.
type suite struct {
	p    *provider.Params
	kdf  *kdf
	aead *aead
	hpke *hpkeSuite
	sig  scheme
	up   provider.Upgrades
}

var _ provider.Suite = (*suite)(nil)

func newSuite(p *provider.Params, rand io.Reader) *suite {
	s := &suite{p: p, kdf: kdfOf(p.KDF), aead: aeadOf(p.AEAD), hpke: newHPKE(p, rand), sig: schemeOf(p.Signature)}
	s.up = upgradesOf(s)
	return s
}

// Params implements provider.Suite.
func (s *suite) Params() *provider.Params { return s.p }

// HPKE implements provider.Suite.
func (s *suite) HPKE() provider.HPKE { return s.hpke }

// Upgrades implements provider.Suite.
func (s *suite) Upgrades() *provider.Upgrades { return &s.up }

// Verify implements provider.Suite.
func (s *suite) Verify(pub, msg, sig []byte) error {
	if len(pub) != s.p.Nsigpk || len(sig) > s.p.SigMax || !s.sig.verify(pub, msg, sig) {
		return provider.ErrVerify
	}
	return nil
}

// CheckSignatureKey implements provider.Suite. For Ed25519 and Ed448 it also
// refuses encodings that are not canonical and points of small order.
func (s *suite) CheckSignatureKey(pub []byte) error {
	if len(pub) != s.p.Nsigpk {
		return fmt.Errorf("%w: signature key of %d bytes", provider.ErrInvalidKey, len(pub))
	}
	if !s.sig.check(pub) {
		return fmt.Errorf("%w: signature key is no point of its curve", provider.ErrInvalidKey)
	}
	return nil
}
