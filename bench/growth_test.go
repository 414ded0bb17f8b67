package bench

import (
	"context"
	"runtime"
	"testing"

	"github.com/hardmls/hardmls/mls"
)

// What an operation allocates says how it grows, whatever the machine is doing:
// who copies, decodes or writes a tree allocates one.

// allocated returns the bytes that f allocates.
func allocated(tb testing.TB, f func() error) float64 {
	tb.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	must(tb, f())
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc - before.TotalAlloc)
}

// TestCommitsGrowByTheLogarithm: in a full tree of 64 times as many members a path
// is twice as long. The list of the tree's chunks is all that is copied: a byte for
// each member.
func TestCommitsGrowByTheLogarithm(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("the race detector allocates; a tree of 4,096 takes a second to make")
	}
	const few, many = 64, 4096
	ctx := context.Background()
	cost := map[string][2]float64{}
	for k, n := range []int{few, many} {
		p := newFullGroup(t, n)
		var commit []byte
		measure := func(name string, f func() error) {
			c := cost[name]
			c[k] = allocated(t, f)
			cost[name] = c
		}
		for range 2 { // the first time around is for scratch
			measure("create", func() error {
				bundle, err := p.alice.SelfUpdate(ctx)
				if err == nil {
					commit = bundle.Commit
				}
				return err
			})
			measure("merge", func() error { return p.alice.MergePending(ctx) })
			measure("process and merge", func() error { process(t, p.bob, commit); return nil })
		}
	}
	for name, c := range cost {
		t.Logf("%s: %.0f bytes at %d members, %.0f at %d", name, c[0], few, c[1], many)
		if limit := 2.2*c[0] + 4*many; c[1] > limit {
			t.Errorf("%s: %.0f bytes at %d members, %.0f at %d, at most %.0f", name, c[0], few, c[1], many, limit)
		}
	}
}

// TestGroupsGrowLinearly: to make a group by one commit, and to join it, takes four
// times as much for four times as many members.
func TestGroupsGrowLinearly(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("the race detector allocates")
	}
	ctx := context.Background()
	cfg := config(centre.suite)
	const few, many = 250, 1000
	var create, join [2]float64
	for k, n := range []int{few, many} {
		kps := newKeyPackages(t, n-2)
		a, _, asigner, acred := newClient(t, "alice")
		b, _, bsigner, bcred := newClient(t, "bob")
		kp, err := mls.NewKeyPackage(ctx, b, bsigner, bcred, cfg)
		must(t, err)
		kps = append(kps, kp)
		var welcome []byte
		create[k] = allocated(t, func() error {
			g, err := mls.NewGroup(ctx, a, asigner, acred, cfg)
			if err != nil {
				return err
			}
			bundle, err := g.AddMembers(ctx, kps...)
			if err != nil {
				return err
			}
			welcome = bundle.Welcome
			return g.MergePending(ctx)
		})
		join[k] = allocated(t, func() error {
			w, err := mls.OpenWelcome(ctx, b, welcome, cfg)
			if err != nil {
				return err
			}
			staged, err := w.Stage(ctx, bsigner)
			if err != nil {
				return err
			}
			_, err = staged.Join(ctx)
			return err
		})
	}
	const limit = 4.5
	if r := create[1] / create[0]; r > limit {
		t.Errorf("create: %.0f bytes for %d, %.0f for %d: %.1f times", create[0], few, create[1], many, r)
	}
	if r := join[1] / join[0]; r > limit {
		t.Errorf("join: %.0f bytes for %d, %.0f for %d: %.1f times", join[0], few, join[1], many, r)
	}
	t.Logf("for each member: create %.0f bytes, join %.0f", create[1]/many, join[1]/many)
}
