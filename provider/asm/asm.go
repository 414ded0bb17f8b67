// Package asm is provider/soft with kernels in assembly in the places where a
// message spends its time: AES-GCM under a fresh key, the step of a sender ratchet,
// HMAC and HKDF over SHA-256, the keys of the sender data. What it has no kernel for,
// soft does: signatures, HPKE, ChaCha20-Poly1305, SHA-384 and SHA-512.
//
// Each kernel is chosen for the CPU when the backend is made, and must give its known
// answers; one that does not is left out, and the report says so. The environment
// variable HARDMLS_CPU takes CPU features away, to compare or to avoid kernels.
//
// The kernels allocate nothing and clear the registers and frames that held keys.
package asm

import (
	"errors"
	"io"
	"sync"

	"github.com/hardmls/hardmls/internal/asm/cpu"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
)

// Options are what New may be given.
type Options struct {
	// Rand is the only source of randomness of HPKE and of generated keys.
	// Reads come from many goroutines at once. Nil means crypto/rand.
	Rand io.Reader
}

// ErrNoKernel is a machine, or a build, for which there is no kernel: provider/soft
// is all that this backend would be.
var ErrNoKernel = errors.New("asm: no kernel for this CPU and build")

// New returns the backend. The error is that of HARDMLS_CPU, or ErrNoKernel.
func New(o Options) (provider.Crypto, error) {
	f, err := cpu.Usable()
	if err != nil {
		return nil, err
	}
	return newBackend(o, choose(f, known))
}

func newBackend(o Options, k kernels) (provider.Crypto, error) {
	if !k.any() {
		return nil, ErrNoKernel
	}
	b := &backend{Crypto: soft.New(soft.Options{Rand: o.Rand}), kernels: k}
	for i, id := range provider.CipherSuites() {
		b.suites[i] = sync.OnceValues(func() (*suite, error) {
			s, err := b.Crypto.Suite(id)
			if err != nil {
				return nil, err
			}
			return newSuite(s, k), nil
		})
	}
	return b, nil
}

// A backend implements provider.Crypto. What it does not define is soft's.
type backend struct {
	provider.Crypto
	kernels kernels
	suites  [7]func() (*suite, error)
}

// Suite implements provider.Crypto.
func (b *backend) Suite(id provider.CipherSuite) (provider.Suite, error) {
	if id < 1 || int(id) > len(b.suites) {
		return b.Crypto.Suite(id) // an error
	}
	s, err := b.suites[id-1]()
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Report implements provider.Crypto: soft's, with the kernels in their places.
func (b *backend) Report() provider.Report {
	r := b.Crypto.Report()
	r.Backend = "asm"
	for i, c := range r.Choices {
		if k, ok := b.kernels.choices[c.Primitive]; ok {
			r.Choices[i] = k.over(c)
		}
	}
	r.Notes = append([]string{"HPKE, and what stands above without a kernel, is done by provider/soft, whose notes follow"}, r.Notes...)
	return r
}
