package bench

import (
	"context"
	"runtime"
	"testing"

	"github.com/hardmls/hardmls/bench/workload"
	"github.com/hardmls/hardmls/mls"
)

// memoryLimits bound the live heap of one group in a full tree, with its encoded
// leaves and without past epochs.
var memoryLimits = []struct {
	members int
	bytes   float64
}{
	{10, 11_000}, // 10,040 with kernels; without them a group's suite holds a little more
	{1000, 500_000},
	{10000, 5_000_000},
}

// TestGroupMemory holds a group's live heap to its limits. 10,000 members are the
// benchmark's: making them takes seconds.
func TestGroupMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, l := range memoryLimits[:2] {
		if got := groupMemory(t, newFullGroup(t, l.members), l.members, mls.KeepNone); got > l.bytes {
			t.Errorf("%d members: %.0f bytes, at most %.0f", l.members, got, l.bytes)
		}
	}
}

// BenchmarkGroupMemory reports the live heap of one group as bytes/group.
func BenchmarkGroupMemory(b *testing.B) {
	for _, t := range trees {
		for _, l := range memoryLimits {
			b.Run(groupName(t.name, l.members), func(b *testing.B) {
				p := t.make(b, l.members)
				var got float64
				for b.Loop() {
					got = groupMemory(b, p, l.members, mls.KeepNone)
				}
				b.ReportMetric(got, "bytes/group")
				b.ReportMetric(got/float64(l.members), "bytes/member")
				if t.name == "full" { // it has past epochs
					b.ReportMetric((groupMemory(b, p, l.members, 2)-got)/2, "bytes/past-epoch")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// groupMemory loads one stored group several times over and returns what the heap
// grew by for each.
func groupMemory(tb testing.TB, p *pair, members, past int) float64 {
	ctx := context.Background()
	groups := make([]*mls.Group, 3+1000/members)
	cfg := config(centre.suite)
	cfg.PastEpochs = past
	load := func() *mls.Group {
		g, err := mls.LoadGroup(ctx, p.provider, p.alice.ID(), mls.Signers(p.signer), cfg)
		must(tb, err)
		return g
	}
	load() // what is made once
	before := liveHeap()
	for i := range groups {
		groups[i] = load()
	}
	after := liveHeap()
	runtime.KeepAlive(groups)
	return float64(after-before) / float64(len(groups))
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestJoinedGroupKeepsNoMessage joins a group of 1,000 and measures what is left
// in memory of it: no more than of a loaded one, so nothing of the Welcome.
func TestJoinedGroupKeepsNoMessage(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const members = 1000
	ctx := context.Background()
	s := centre
	s.members = members
	info, err := workload.FullGroupInfo(s.of())
	must(t, err)
	p, _, signer, cred := newClient(t, "carol")
	cfg := config(centre.suite)
	x, err := mls.JoinExternal(ctx, p, info, signer, cred, cfg, mls.ExternalOptions{})
	must(t, err)
	g, err := x.Merge(ctx)
	must(t, err)
	x = nil
	with := liveHeap()
	runtime.KeepAlive(g)
	g = nil
	joined := float64(with - liveHeap())
	runtime.KeepAlive(p) // the store
	if limit := memoryLimits[1].bytes; joined > limit {
		t.Errorf("%.0f bytes, at most %.0f", joined, limit)
	}
}
