package secrettree

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/hardmls/hardmls/internal/treemath"
)

// TestModel interleaves operations at random, and saves in between, and compares
// with the model after every step.
func TestModel(t *testing.T) {
	bothWays(t, func(t *testing.T, s *countingSuite) {
		for seed := range uint64(60) {
			runModel(t, s, seed)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	})
}

type inFlight struct {
	op      *Op
	id      ratchetID
	g       uint32
	derived bool
}

func runModel(t *testing.T, s *countingSuite, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	leaves := uint32(1) << rng.IntN(4)
	limits := Limits{OutOfOrder: uint32(rng.IntN(7)), Forward: uint32(rng.IntN(30))}
	secret := testSecret(byte(seed))
	tree, ref := New(s, secret, leaves, limits), newReference(secret, leaves)
	models := make(map[ratchetID]*model)
	disk := make(store)
	var flying []*inFlight
	var done []*inFlight // consumed and not wiped
	pop := func(list *[]*inFlight) *inFlight {
		i := rng.IntN(len(*list))
		f := (*list)[i]
		*list = append((*list)[:i:i], (*list)[i+1:]...)
		return f
	}
	derive := func(f *inFlight) {
		if !f.derived {
			f.op.Derive()
			f.derived = true
			if err := ref.check(f.op); err != nil {
				t.Error(err)
			}
		}
	}
	step := func() {
		switch action := rng.IntN(10); {
		case action < 4:
			id := ratchetID{treemath.LeafIndex(rng.Uint32N(leaves)), Type(rng.IntN(2))}
			m := models[id]
			if m == nil {
				m = newModel(limits)
				models[id] = m
			}
			g := uint32(max(0, int(m.head)+rng.IntN(20)-12))
			switch rng.IntN(30) {
			case 0:
				g = 1<<32 - 1
			case 1:
				g = m.head + limits.Forward + uint32(rng.IntN(3))
			}
			f := &inFlight{op: new(Op), id: id, g: g}
			before := tree.AppendState(nil)
			s.steps, s.expands = 0, 0
			got, want := tree.Peek(f.op, id.leaf, id.typ, g), m.peek(g)
			if !bytes.Equal(before, tree.AppendState(nil)) {
				t.Error("Peek changed the tree")
			}
			if !errors.Is(got, want) || (got == nil) != (want == nil) {
				t.Errorf("Peek of %d: %v, want %v", g, got, want)
			}
			if got != nil && s.steps+s.expands > 0 {
				t.Errorf("%v cost derivations", got)
			}
			if got == nil {
				flying = append(flying, f)
			}
		case len(flying) > 0 && action < 6:
			derive(flying[rng.IntN(len(flying))])
		case len(flying) > 0 && action < 8:
			f := pop(&flying)
			derive(f)
			got, want := tree.Consume(f.op), models[f.id].consume(f.g)
			if !errors.Is(got, want) || (got == nil) != (want == nil) {
				t.Errorf("Consume of %d: %v, want %v", f.g, got, want)
			}
			if got == nil {
				done = append(done, f)
			}
		case len(flying) > 0 && action < 9:
			f := pop(&flying)
			tree.Abort(f.op)
			models[f.id].abort(f.g)
			f.op.Wipe()
		case len(done) > 0:
			f := pop(&done)
			if rng.IntN(2) == 0 && models[f.id].used[f.g] {
				tree.Return(f.op)
				models[f.id].giveBack(f.g)
			}
			f.op.Wipe()
		}
	}
	for range 300 {
		step()
		switch rng.IntN(10) {
		case 0:
			disk.write(tree)
			if err := disk.equals(tree); err != nil {
				t.Error(err)
			}
		case 1: // changes while the write is under way, which may fail
			written := make(store)
			for r := range tree.BeginWrite {
				if r.Value == nil {
					r.Value = []byte{}
				}
				written.put(r)
			}
			for range rng.IntN(4) {
				step()
			}
			ok := rng.IntN(2) == 0
			if ok {
				for _, r := range written {
					if len(r.Value) == 0 {
						r.Value = nil
					}
					disk.put(r)
				}
			}
			tree.EndWrite(ok)
		case 2: // a write that stopped half-way
			left := rng.IntN(3)
			tree.BeginWrite(func(Record) bool { left--; return left >= 0 })
			if rng.IntN(2) == 0 {
				step()
			}
			tree.EndWrite(false)
		}
		if t.Failed() {
			return
		}
	}
	for _, f := range flying {
		tree.Abort(f.op)
	}
	if len(tree.pins) > 0 {
		t.Errorf("%d pins are left", len(tree.pins))
	}
	disk.write(tree)
	if err := disk.equals(tree); err != nil {
		t.Error(err)
	}
	if tree.IsDirty() {
		t.Error("dirty after a write")
	}
}
