package proposal

import (
	"fmt"
	"slices"
	"testing"

	"github.com/hardmls/hardmls/internal/proto"
)

// kept names which of entries are in got, by position.
func kept(entries, got []Entry) []int {
	at := []int{}
	for _, en := range got {
		at = append(at, slices.IndexFunc(entries, func(o Entry) bool { return o.Proposal == en.Proposal }))
	}
	return at
}

func TestSelect(t *testing.T) {
	w := newWorld(t, 4)
	byValue := func(p *proto.Proposal) Entry { return Entry{Proposal: p, Sender: member(0)} }
	signer := w.newSigner()
	for _, tc := range []struct {
		name    string
		entries []Entry
		want    []int
	}{
		{"all", []Entry{w.updates(1), w.adds("a"), w.by(1, remove(2)), w.by(1, w.psk("a"))}, []int{0, 1, 2, 3}},
		{"own update and remove", []Entry{w.updates(0), w.by(1, remove(0)), w.updates(1)}, []int{2}},
		{"latest update", []Entry{w.updates(1), w.updates(2), w.updates(1)}, []int{1, 2}},
		{"remove before updates", []Entry{w.updates(1), w.by(2, remove(1)), w.updates(1)}, []int{1}},
		{"first remove", []Entry{w.by(2, remove(1)), w.by(3, remove(1))}, []int{0}},
		{"remove by value", []Entry{w.updates(1), w.by(2, remove(1)), byValue(remove(1))}, []int{2}},
		{"same PSK", []Entry{w.by(1, w.psk("a")), w.by(2, w.psk("a"))}, []int{0}},
		{"latest extensions", []Entry{w.by(1, extensions()), w.by(2, extensions())}, []int{1}},
		{"extensions by value", []Entry{w.by(2, extensions()), byValue(extensions())}, []int{1}},
		{"latest add of a client", []Entry{w.by(1, add(w.keyPackageOf("a", signer))), w.by(1, add(w.keyPackageOf("a", signer)))}, []int{1}},
		{"reinit last", []Entry{w.by(1, reInit()), w.updates(1)}, []int{1}},
		{"reinit alone", []Entry{w.by(1, reInit()), w.by(2, reInit()), w.updates(0)}, []int{1}},
		{"reinit by value", []Entry{w.updates(1), byValue(reInit())}, []int{1}},
		{"external init", []Entry{w.by(1, w.externalInit())}, []int{}},
		{"none", nil, []int{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := Select(tc.entries, member(0))
			if at := kept(tc.entries, got); !slices.Equal(at, tc.want) {
				t.Errorf("kept %v, want %v", at, tc.want)
			}
			accept(t, w.validate(0, got...))
			if at := kept(tc.entries, w.env.Select(tc.entries, member(0))); !slices.Equal(at, tc.want) {
				t.Errorf("the epoch keeps %v, want %v", at, tc.want)
			}
		})
	}
	entries := []Entry{w.updates(1), inline(w.externalInit())}
	if at := kept(entries, Select(entries, joiner)); !slices.Equal(at, []int{1}) {
		t.Errorf("an external committer keeps %v", at)
	}
}

func TestSelectDropsWhatTheGroupForbids(t *testing.T) {
	w := newWorld(t, 4)
	raise := extensions(required(proto.RequiredCapabilities{Proposals: []proto.ProposalType{customProposal}}))
	old := inKeyPackage(func(l *proto.LeafNode) { l.Capabilities.CipherSuites = nil })
	for _, tc := range []struct {
		name    string
		entries []Entry
		want    []int
	}{
		{"custom", []Entry{w.by(1, custom()), w.adds("a"), w.by(2, custom())}, []int{1}},
		{"extensions", []Entry{w.by(1, extensions()), w.by(1, raise)}, []int{0}},
		{"adds of members", []Entry{w.adds("member 2"), w.adds("a"), w.by(0, add(w.keyPackageOf("b", w.signers[3])))}, []int{1}},
		{"add of a removed member", []Entry{w.adds("member 2"), w.by(1, remove(2))}, []int{0, 1}},
		{"adds that lack something", []Entry{w.adds("a", old), w.adds("b"), w.adds("c", old)}, []int{1}},
		{"update to another's key", []Entry{w.updates(1), w.updatesWith(1, w.signers[2])}, []int{0}},
		{"one client twice", []Entry{w.adds("a"), w.adds("a")}, []int{0}},
		{"remove of nobody", []Entry{w.by(1, remove(77)), w.updates(1)}, []int{1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := w.env.Select(tc.entries, member(0))
			if at := kept(tc.entries, got); !slices.Equal(at, tc.want) {
				t.Errorf("kept %v, want %v", at, tc.want)
			}
			accept(t, w.validate(0, got...))
		})
	}
	// What the committer wants itself is its own affair.
	mine := []Entry{{Proposal: remove(77), Sender: member(0)}, w.updates(1)}
	if at := kept(mine, w.env.Select(mine, member(0))); !slices.Equal(at, []int{0, 1}) {
		t.Errorf("kept %v", at)
	}
}

// TestSelectIsBounded shows that a member who fills the store with bad proposals
// costs little and stands in nobody's way.
func TestSelectIsBounded(t *testing.T) {
	w := newWorld(t, 4)
	raise := extensions(required(proto.RequiredCapabilities{Proposals: []proto.ProposalType{customProposal}}))
	var bad []Entry
	for range 1000 {
		bad = append(bad, w.by(1, raise))
	}
	bad = append(bad, w.updates(3), Entry{Proposal: remove(2), Sender: member(0)}, w.adds("a"))
	got := w.env.Select(bad, member(0))
	if at := kept(bad, got); !slices.Equal(at, []int{1000, 1001, 1002}) {
		t.Errorf("kept %v", at)
	}
	accept(t, w.validate(0, got...))
	var many []Entry
	for i := range 1000 {
		many = append(many, w.by(1, w.psk(fmt.Sprint(i))), w.updatesWith(1, w.signers[2]))
	}
	if got := w.env.Select(many, member(0)); len(got) != 1000 {
		t.Errorf("kept %d", len(got))
	}
}

// TestSelectTrims: what a commit has no room for is left out, the latest first, but
// what the committer wants stays.
func TestSelectTrims(t *testing.T) {
	w := newWorld(t, 4)
	entries := []Entry{w.by(0, w.psk("own")), w.by(1, w.psk("a")), w.by(2, w.psk("b")), w.by(0, w.psk("own, late")),
		{Proposal: w.psk("wanted"), Sender: member(0)}}
	for limit, want := range [][]int{1: {4}, 2: {0, 4}, 3: {0, 3, 4}, 4: {0, 1, 3, 4}, 5: {0, 1, 2, 3, 4}} {
		if limit == 0 {
			continue
		}
		w.env.Policy.MaxProposals = limit
		got := w.env.Select(entries, member(0))
		if at := kept(entries, got); !slices.Equal(at, want) {
			t.Errorf("at most %d: kept %v, want %v", limit, at, want)
		}
		accept(t, w.validate(0, got...))
	}
}
