package secrettree

import "testing"

// TestAllocations: after a sender's first message, keys cost no allocation.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	bothWays(t, func(t *testing.T, s *countingSuite) {
		tree := New(s, testSecret(1), 16, testLimits)
		var op Op
		next := func() {
			if err := tree.Next(&op, 3, Application); err != nil {
				t.Fatal(err)
			}
			op.Wipe()
		}
		next()
		if n := testing.AllocsPerRun(100, next); n != 0 {
			t.Errorf("Next: %v allocations", n)
		}
		var g uint32
		receive := func() {
			if err := take(tree, &op, 5, Application, g); err != nil {
				t.Fatal(err)
			}
			op.Wipe()
			g++
		}
		receive()
		tree.BeginWrite(func(Record) bool { return true })
		tree.EndWrite(true)
		receive()
		if n := testing.AllocsPerRun(100, receive); n != 0 {
			t.Errorf("Peek, Derive, Consume: %v allocations", n)
		}
		swapped := func() { // each pair in reverse
			for _, k := range []uint32{g + 1, g} {
				if err := take(tree, &op, 5, Application, k); err != nil {
					t.Fatal(err)
				}
				op.Wipe()
			}
			g += 2
		}
		swapped()
		if n := testing.AllocsPerRun(100, swapped); n != 0 {
			t.Errorf("out of order: %v allocations", n)
		}
	})
}

func BenchmarkReceive(b *testing.B) {
	tree := New(softSuite(b), testSecret(1), 16, testLimits)
	var op Op
	b.ReportAllocs()
	for g := uint32(0); b.Loop(); g++ {
		if err := take(tree, &op, 5, Application, g); err != nil {
			b.Fatal(err)
		}
		op.Wipe()
	}
}
