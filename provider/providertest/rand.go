package providertest

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
)

// ErrInjected is the error of every fake that was not given another one.
var ErrInjected = errors.New("providertest: injected failure")

// NewRand returns a reader whose bytes follow from seed: the same on every
// machine, as long as reads come in the same order. It is safe for concurrent
// use and anything but random.
func NewRand(seed uint64) io.Reader {
	var key [32]byte
	copy(key[:], "hardmls/providertest")
	binary.LittleEndian.PutUint64(key[24:], seed)
	return &seeded{src: rand.NewChaCha8(key)}
}

type seeded struct {
	mu  sync.Mutex
	src *rand.ChaCha8
}

func (r *seeded) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.src.Read(b)
}

// StuckRand is a reader that gives the same byte for ever, as a broken device
// does.
type StuckRand byte

// Read implements io.Reader.
func (r StuckRand) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r)
	}
	return len(b), nil
}

// A FaultRand passes reads on and fails chosen ones. It is safe for concurrent
// use if its Inner is.
type FaultRand struct {
	Inner io.Reader
	plan
}

// FailingRand returns a FaultRand over NewRand(0) that fails for ever after n
// reads.
func FailingRand(n int) *FaultRand {
	r := &FaultRand{Inner: NewRand(0)}
	r.FailFrom(n)
	return r
}

// Read implements io.Reader. A read that fails gives one byte less than asked
// for and ErrInjected, so that who forgets to look at the error keeps a buffer
// that looks filled.
func (r *FaultRand) Read(b []byte) (int, error) {
	fail := r.next()
	n, err := r.Inner.Read(b)
	if fail && len(b) > 0 {
		return len(b) - 1, ErrInjected
	}
	return n, err
}

// A plan counts calls and says which of them fail.
type plan struct {
	mu    sync.Mutex
	calls int
	fails func(call int) bool
}

// next counts a call and reports whether it is to fail.
func (p *plan) next() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	call := p.calls
	p.calls++
	return p.fails != nil && p.fails(call)
}

// Calls returns how many calls there have been since the last Reset.
func (p *plan) Calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// rebase makes the next call number 0, without changing which ones fail.
func (p *plan) rebase() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = 0
}

// Reset sets the count to zero and makes no call fail any more.
func (p *plan) Reset() { p.Fail(nil) }

// Fail starts the count at zero again; from then on the calls (the first is 0)
// for which fails returns true fail. fails must not call the fake.
func (p *plan) Fail(fails func(call int) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls, p.fails = 0, fails
}

// FailAt starts the count at zero again and makes the calls with these
// numbers, counted from 0, fail.
func (p *plan) FailAt(calls ...int) {
	bad := map[int]bool{}
	for _, c := range calls {
		bad[c] = true
	}
	p.Fail(func(call int) bool { return bad[call] })
}

// FailFrom starts the count at zero again and makes call n and every later one
// fail.
func (p *plan) FailFrom(n int) { p.Fail(func(call int) bool { return call >= n }) }
