package bench

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/hardmls/hardmls/bench/workload"
	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/auto"
	"github.com/hardmls/hardmls/provider/soft"
	"github.com/hardmls/hardmls/storage/mem"
)

// setup is what one benchmark runs on.
type setup struct {
	suite   provider.CipherSuite
	size    int
	members int
	null    bool // a signer that signs nothing: what an HSM deployment pays itself
	soft    bool // provider/soft, whatever this machine could run
}

// centre is the point that the axes cross.
var centre = setup{suite: provider.X25519_AES128GCM_SHA256_Ed25519, size: 256, members: 2}

func (s setup) name() string {
	n := fmt.Sprintf("suite=%d/size=%d/members=%d/provider=%s", s.suite, s.size, s.members, s.crypto().Report().Backend)
	if s.null {
		n += "/signer=null"
	}
	return n
}

// axes are the setups of the message path.
func axes() []setup {
	list := []setup{centre}
	for _, id := range []provider.CipherSuite{2, 3} {
		s := centre
		s.suite = id
		list = append(list, s)
	}
	for _, n := range []int{64, 1350, 8 << 10, 64 << 10, 1 << 20} {
		s := centre
		s.size = n
		list = append(list, s)
	}
	for _, n := range []int{100, 1000, 10000} {
		s := centre
		s.members = n
		list = append(list, s)
	}
	s := centre
	s.null = true
	list = append(list, s)
	if backend() == "soft" {
		return list
	}
	for _, s := range list { // what the assembly is for
		if s.size == centre.size && s.members == centre.members {
			s.soft = true
			list = append(list, s)
		}
	}
	return list
}

// crypto is the backend of every benchmark, chosen as an application would.
var crypto = sync.OnceValue(func() provider.Crypto {
	c, _, err := auto.New(auto.Options{})
	if err != nil {
		panic(err)
	}
	return c
})

func backend() string { return crypto().Report().Backend }

var softCrypto = soft.New(soft.Options{})

func (s setup) crypto() provider.Crypto {
	if s.soft {
		return softCrypto
	}
	return crypto()
}

func config(id provider.CipherSuite) mls.Config { return workload.Config(id) }

// of is the setup as package workload has it.
func (s setup) of() workload.Setup {
	return workload.Setup{Crypto: s.crypto(), Suite: s.suite, Size: s.size, Members: s.members, Null: s.null}
}

// pair is a sender and a receiver in a group of the given size.
type pair struct {
	alice, bob *mls.Group
	provider   provider.Provider // Alice's
	signer     provider.Signer   // Alice's
	store      *mem.Store        // Alice's
}

type pairKey struct {
	use     pairUse
	suite   provider.CipherSuite
	members int
	soft    bool
}

// pairUse keeps groups apart in which Bob reads from those in which he does not:
// he would be too far behind.
type pairUse int

const (
	sends pairUse = iota
	receives
	sparse // both commit
)

var pairs = struct {
	sync.Mutex
	m map[pairKey]*pair
}{m: make(map[pairKey]*pair)}

// withNullSigner loads Alice again, with a signer that signs nothing. The group
// that a benchmark sends with lives in the same store, so one of the two is
// fenced as soon as both write; each benchmark makes its own.
func (p *pair) withNullSigner(tb testing.TB) *mls.Group {
	tb.Helper()
	signer := workload.NullSigner{Signer: p.signer}
	g, err := mls.LoadGroup(context.Background(), p.provider, p.alice.ID(), mls.Signers(signer), config(p.alice.CipherSuite()))
	must(tb, err)
	return g
}

// newPair returns two members of a group, made once per suite, size and backend. The
// other members exist as leaves only: added by one commit, never joined.
func newPair(tb testing.TB, use pairUse, s setup) *pair {
	tb.Helper()
	pairs.Lock()
	defer pairs.Unlock()
	k := pairKey{use, s.suite, s.members, s.soft}
	if p, ok := pairs.m[k]; ok {
		return p
	}
	p := makePair(tb, s)
	pairs.m[k] = p
	return p
}

func makePair(tb testing.TB, s setup) *pair {
	tb.Helper()
	p, err := workload.NewPair(s.of(), config(s.suite))
	must(tb, err)
	return pairOf(p)
}

func pairOf(p *workload.Pair) *pair {
	return &pair{alice: p.Alice, bob: p.Bob, provider: p.AliceIs.Provider, signer: p.AliceIs.Signer, store: p.AliceIs.Store}
}

func must(tb testing.TB, err error) {
	if err != nil {
		tb.Helper() // takes longer than what some benchmarks measure
		tb.Fatal(err)
	}
}
