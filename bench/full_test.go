package bench

import (
	"sync"
	"testing"

	"github.com/hardmls/hardmls/bench/workload"
	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/storage/mem"
)

// fullGroups are the groups in which Alice and Bob are in a full tree, by members.
var fullGroups = struct {
	sync.Mutex
	m map[int]*pair
}{m: make(map[int]*pair)}

// newFullGroup returns Alice and Bob in a full tree of that many members, which
// are made once.
func newFullGroup(tb testing.TB, members int) *pair {
	tb.Helper()
	fullGroups.Lock()
	defer fullGroups.Unlock()
	if g := fullGroups.m[members]; g != nil {
		return g
	}
	s := centre
	s.members = members
	p, err := workload.NewFullPair(s.of(), config(s.suite))
	must(tb, err)
	fullGroups.m[members] = pairOf(p)
	return fullGroups.m[members]
}

func newClient(tb testing.TB, name string) (provider.Provider, *mem.Store, provider.Signer, mls.Credential) {
	tb.Helper()
	c, err := workload.NewClient(crypto(), centre.suite, name)
	must(tb, err)
	return c.Provider, c.Store, c.Signer, c.Credential
}
