package secrettree

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// take opens one generation.
func take(t *Tree, op *Op, leaf treemath.LeafIndex, typ Type, g uint32) error {
	if err := t.Peek(op, leaf, typ, g); err != nil {
		return err
	}
	op.Derive()
	return t.Consume(op)
}

// withHead returns a tree of one leaf whose ratchet is at head.
func withHead(t *testing.T, s *countingSuite, head uint32) *Tree {
	t.Helper()
	value := append(binary.BigEndian.AppendUint32([]byte{recordVersion}, head), testSecret(3)...)
	tree, err := Restore(s, 1, testLimits, slices.Values([]Record{
		{Kind: RatchetRecord, Type: Handshake, Value: value}, {Kind: RatchetRecord, Type: Application, Value: value}}))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// TestV091 is the end of a ratchet, RFC 9420 §9: its last generation is never used.
func TestV091(t *testing.T) {
	bothWays(t, func(t *testing.T, s *countingSuite) {
		tree := withHead(t, s, 1<<32-3)
		var op Op
		for g := uint32(1<<32 - 3); g != 1<<32-1; g++ {
			if err := take(tree, &op, 0, Handshake, g); err != nil {
				t.Fatal(err)
			}
			if err := tree.Next(&op, 0, Application); err != nil || op.Generation() != g {
				t.Fatalf("Next: generation %d, %v", op.Generation(), err)
			}
		}
		before := tree.AppendState(nil)
		s.expands, s.steps = 0, 0
		_, errGeneration := tree.NextGeneration(0, Application)
		_, errAhead := tree.AppendAhead(nil, 0, Application, 1)
		for name, err := range map[string]error{
			"Peek": tree.Peek(&op, 0, Handshake, 1<<32-1), "Next": tree.Next(&op, 0, Application),
			"NextGeneration": errGeneration, "AppendAhead": errAhead} {
			var e *check.Error
			if !errors.Is(err, ErrRatchetTooLong) || !errors.As(err, &e) || e.Check != check.V091 {
				t.Errorf("%s: %v", name, err)
			}
		}
		if s.expands+s.steps != 0 {
			t.Errorf("%d derivations", s.expands+s.steps)
		}
		if !bytes.Equal(before, tree.AppendState(nil)) {
			t.Error("the tree changed")
		}
		if _, err := tree.AppendAhead(nil, 0, Application, 0); err != nil {
			t.Error(err)
		}
	})
}

// TestV093Far refuses generations far ahead at no cost.
func TestV093Far(t *testing.T) {
	bothWays(t, func(t *testing.T, s *countingSuite) {
		tree := New(s, testSecret(1), 1<<20, testLimits)
		before, began := tree.AppendState(nil), time.Now()
		s.expands, s.steps = 0, 0
		var op Op
		for _, g := range []uint32{1001, 1 << 20, 1<<32 - 2} {
			if err := tree.Peek(&op, 77, Application, g); !errors.Is(err, ErrTooDistantInTheFuture) {
				t.Errorf("generation %d: %v", g, err)
			}
		}
		if s.expands+s.steps != 0 || !bytes.Equal(before, tree.AppendState(nil)) || time.Since(began) > time.Second {
			t.Error("a refusal cost something")
		}
		if err := take(tree, &op, 77, Application, 1000); err != nil {
			t.Errorf("the farthest generation that is allowed: %v", err)
		}
		if got := len(tree.ratchets[ratchetID{77, Application}].kept); got != 5 {
			t.Errorf("%d keys kept, want 5", got)
		}
	})
}

// TestV087 refuses a leaf outside the tree.
func TestV087(t *testing.T) {
	tree := New(softSuite(t), testSecret(1), 4, testLimits)
	var op Op
	_, ahead := tree.AppendAhead(nil, 4, Application, 1)
	for _, err := range []error{tree.Peek(&op, 4, Application, 0), tree.Next(&op, 1<<31, Application), ahead} {
		var e *check.Error
		if !errors.As(err, &e) || e.Check != check.V087 {
			t.Errorf("%v", err)
		}
	}
}

// TestUnopenedLeafStays shows that Peek and Abort of a sender that never sent
// change nothing.
func TestUnopenedLeafStays(t *testing.T) {
	tree := New(softSuite(t), testSecret(1), 8, testLimits)
	disk := make(store)
	disk.write(tree)
	before := tree.AppendState(nil)
	var op Op
	for leaf := range treemath.LeafIndex(8) {
		if err := tree.Peek(&op, leaf, Application, 9); err != nil {
			t.Fatal(err)
		}
		op.Derive()
		tree.Abort(&op)
	}
	if !bytes.Equal(before, tree.AppendState(nil)) || tree.IsDirty() || len(tree.pins) > 0 {
		t.Error("the tree changed")
	}
}

// TestParallelReceivers lets 16 goroutines receive one sender's messages at once.
func TestParallelReceivers(t *testing.T) {
	const workers, messages = 16, 2000
	for _, overtake := range []bool{false, true} {
		t.Run(fmt.Sprintf("overtake=%t", overtake), func(t *testing.T) {
			secret := testSecret(1)
			tree, ref := New(softSuite(t), secret, 4, testLimits), newReference(secret, 4)
			ref.keys(ratchetID{2, Application}, messages)
			var mu sync.Mutex
			var wg sync.WaitGroup
			next := uint32(0)
			for w := range workers {
				wg.Go(func() {
					var op Op
					for {
						mu.Lock()
						g := next
						next++
						var err error
						if g < messages {
							err = tree.Peek(&op, 2, Application, g)
						}
						mu.Unlock()
						if g >= messages {
							return
						}
						if err != nil {
							t.Errorf("Peek of %d: %v", g, err)
							return
						}
						if overtake && w%4 == 0 {
							time.Sleep(100 * time.Microsecond) // the others run far ahead
						}
						op.Derive()
						if err := ref.check(&op); err != nil {
							t.Error(err)
						}
						mu.Lock()
						err = tree.Consume(&op)
						mu.Unlock()
						if err != nil {
							t.Errorf("Consume of %d: %v", g, err)
						}
						op.Wipe()
					}
				})
			}
			wg.Wait()
			if r := tree.ratchets[ratchetID{2, Application}]; r.head != messages || len(r.kept) > 0 || len(tree.pins) > 0 {
				t.Errorf("head %d, %d keys and %d pins left", r.head, len(r.kept), len(tree.pins))
			}
		})
	}
}

// TestAppendAhead compares what is stored before sending with what is there after.
func TestAppendAhead(t *testing.T) {
	bothWays(t, func(t *testing.T, s *countingSuite) {
		for _, opened := range []bool{false, true} {
			for _, n := range []uint32{0, 1, 2, 17} {
				tree := New(s, testSecret(5), 4, testLimits)
				var op Op
				if opened {
					for range 3 {
						if err := tree.Next(&op, 1, Application); err != nil {
							t.Fatal(err)
						}
					}
				}
				before := tree.AppendState(nil)
				ahead, err := tree.AppendAhead([]byte("head"), 1, Application, n)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(before, tree.AppendState(nil)) {
					t.Error("AppendAhead changed the tree")
				}
				if _, err := tree.open(ratchetID{1, Application}); err != nil {
					t.Fatal(err)
				}
				for range n {
					if err := tree.Next(&op, 1, Application); err != nil {
						t.Fatal(err)
					}
				}
				want := tree.appendRatchet([]byte("head"), tree.ratchets[ratchetID{1, Application}])
				if !bytes.Equal(ahead, want) {
					t.Errorf("opened %t, n %d: differs", opened, n)
				}
			}
		}
	})
}

// TestRecordsHoldNoUsedSecret looks for the ratchet secrets of used generations in
// everything that is written: only keys and nonces of skipped ones may be there.
func TestRecordsHoldNoUsedSecret(t *testing.T) {
	s := softSuite(t)
	tree := New(s, testSecret(9), 1, testLimits)
	sec := expandWithLabel(testSecret(9), "application", nil, 32)
	past := [][]byte{testSecret(9)}
	used := make(map[uint32]bool)
	ref := newReference(testSecret(9), 1)
	var op Op
	head := uint32(0)
	for _, g := range []uint32{0, 4, 2, 9, 30, 28, 29, 31} {
		if err := take(tree, &op, 0, Application, g); err != nil {
			t.Fatal(err)
		}
		used[g] = true
		for ; head <= g; head++ {
			past = append(past, sec)
			sec = expandWithLabel(sec, "secret", binary.BigEndian.AppendUint32(nil, head), 32)
		}
		records := 0
		for r := range tree.BeginWrite {
			for _, old := range past {
				if bytes.Contains(r.Value, old) {
					t.Errorf("generation %d: a used secret is stored", g)
				}
			}
			for u := range used {
				if bytes.Contains(r.Value, ref.keys(ratchetID{0, Application}, u).key) {
					t.Errorf("generation %d: the key of %d is stored after its use", g, u)
				}
			}
			records++
		}
		tree.EndWrite(true)
		if g > 0 && records != 1 {
			t.Errorf("generation %d: %d records, want one", g, records)
		}
	}
	if bytes.Contains(tree.AppendState(nil), testSecret(9)) {
		t.Error("the encryption secret is there still")
	}
}

// TestWriteCost counts the records of a sender's messages.
func TestWriteCost(t *testing.T) {
	tree := New(softSuite(t), testSecret(2), 1024, testLimits)
	disk := make(store)
	disk.write(tree)
	var op Op
	count := func() (n int) {
		for r := range tree.BeginWrite {
			disk.put(r)
			n++
		}
		tree.EndWrite(true)
		return n
	}
	if err := take(tree, &op, 700, Application, 0); err != nil {
		t.Fatal(err)
	}
	if n := count(); n > 10+1+2 { // copath, root, both ratchets
		t.Errorf("%d records for the first message", n)
	}
	for g := uint32(1); g < 20; g++ {
		if err := take(tree, &op, 700, Application, g); err != nil {
			t.Fatal(err)
		}
		if n := count(); n != 1 {
			t.Errorf("%d records for generation %d, want 1", n, g)
		}
	}
	if n := count(); n != 0 {
		t.Errorf("%d records though nothing changed", n)
	}
}

// outputs is a suite that remembers where derived secrets were written.
type outputs struct {
	provider.Suite
	written [][]byte
}

func (s *outputs) Expand(out, prk, info []byte) {
	s.Suite.Expand(out, prk, info)
	s.written = append(s.written, out)
}

// TestDerivationLeavesNothing opens leaves one after the other: of all secrets that
// were derived only those are in memory that the tree still needs.
func TestDerivationLeavesNothing(t *testing.T) {
	s := &outputs{Suite: softSuite(t)}
	tree := New(s, testSecret(4), 32, testLimits)
	for _, leaf := range []treemath.LeafIndex{5, 4, 31, 5} {
		if _, err := tree.open(ratchetID{leaf, Handshake}); err != nil {
			t.Fatal(err)
		}
		needed := make(map[*byte]bool)
		for _, sec := range tree.nodes {
			needed[&sec.Bytes()[0]] = true
		}
		for _, r := range tree.ratchets {
			needed[&r.secret[0]] = true
		}
		for _, out := range s.written {
			if !needed[&out[0]] && !bytes.Equal(out, make([]byte, len(out))) {
				t.Errorf("leaf %d: a secret of a node above it is in memory", leaf)
			}
		}
	}
}

// TestKeptKeysMove lets the list of kept keys outgrow its array, each way it can.
func TestKeptKeysMove(t *testing.T) {
	var other Op
	for name, grow := range map[string]func(*Tree, *Op) error{
		"Consume": func(tree *Tree, op *Op) error { return take(tree, op, 0, Application, 40) },
		"advance": func(tree *Tree, op *Op) error { // the head moves between Peek and Consume
			if err := tree.Peek(op, 0, Application, 40); err != nil {
				return err
			}
			op.Derive()
			if err := take(tree, &other, 0, Application, 12); err != nil {
				return err
			}
			return tree.Consume(op)
		},
		"Return": func(tree *Tree, op *Op) error {
			if err := take(tree, op, 0, Application, 10); err != nil {
				return err
			}
			tree.Return(op)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			tree := New(softSuite(t), testSecret(4), 1, Limits{OutOfOrder: 100, Forward: 100})
			var op Op
			if err := take(tree, &op, 0, Application, 9); err != nil {
				t.Fatal(err)
			}
			r := tree.ratchets[ratchetID{0, Application}]
			r.kept = slices.Clip(r.kept)
			old := r.kept
			if err := grow(tree, &op); err != nil {
				t.Fatal(err)
			}
			if len(r.kept) <= len(old) {
				t.Fatalf("%d keys kept, before %d", len(r.kept), len(old))
			}
			for i := range old {
				if old[i] != (messageKey{}) {
					t.Fatalf("the key of generation %d is where the list was", old[i].generation)
				}
			}
			for g := range uint32(9) {
				if err := take(tree, &op, 0, Application, g); err != nil {
					t.Errorf("generation %d: %v", g, err)
				}
			}
		})
	}
}

// TestRetire: handshake keys of an epoch that is over can't be derived from what is
// kept if one of their leaf was used, and late application messages still open, after
// a restart too.
func TestRetire(t *testing.T) {
	tree := New(softSuite(t), testSecret(5), 16, testLimits)
	ref := newReference(testSecret(5), 16)
	disk := make(store)
	var op Op
	for _, leaf := range []treemath.LeafIndex{2, 7} { // each gets both ratchets
		if err := take(tree, &op, leaf, Handshake, 3); err != nil {
			t.Fatal(err)
		}
	}
	if err := take(tree, &op, 7, Application, 1); err != nil {
		t.Fatal(err)
	}
	disk.write(tree)
	before := len(tree.ratchets)
	use := func(leaf treemath.LeafIndex, ratchets int) {
		t.Helper()
		tree.Used(leaf)
		tree.Used(leaf)
		if tree.OpenUsed(); len(tree.ratchets) != before+ratchets {
			t.Fatalf("%d ratchets more, want %d", len(tree.ratchets)-before, ratchets)
		}
	}
	use(11, 2)
	use(11, 2)
	use(16, 2) // outside the tree
	held := tree.ratchets[ratchetID{2, Handshake}]
	tree.Retire()
	if held.secret != [provider.MaxNh]byte{} || len(held.kept) > 0 {
		t.Error("a handshake ratchet is in memory")
	}
	use(12, 0) // three less, one more twice
	disk.write(tree)
	for _, r := range disk {
		if r.Kind == RatchetRecord && r.Type == Handshake && r.Leaf > 7 {
			t.Errorf("the handshake ratchet of leaf %d was written", r.Leaf)
		}
	}
	restored, err := Restore(softSuite(t), 16, testLimits, disk.all)
	if err != nil {
		t.Fatal(err)
	}
	restored.Retire()
	for name, tree := range map[string]*Tree{"kept": tree, "restored": restored} {
		for leaf := range treemath.LeafIndex(16) {
			for _, g := range []uint32{0, 4} {
				if err := tree.Peek(&op, leaf, Handshake, g); !errors.Is(err, ErrTooDistantInThePast) {
					t.Errorf("%s: handshake of leaf %d, generation %d: %v", name, leaf, g, err)
				}
			}
			if _, err := tree.AppendAhead(nil, leaf, Handshake, 1); !errors.Is(err, ErrTooDistantInThePast) {
				t.Errorf("%s: AppendAhead: %v", name, err)
			}
			if err := tree.Next(&op, leaf, Handshake); !errors.Is(err, ErrTooDistantInThePast) {
				t.Errorf("%s: Next: %v", name, err)
			}
			if err := tree.Peek(&op, leaf, Application, 2); err != nil {
				t.Fatal(err)
			}
			op.Derive()
			if err := ref.check(&op); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if err := tree.Consume(&op); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestErase leaves nothing behind, and prints nothing.
func TestErase(t *testing.T) {
	tree := New(softSuite(t), testSecret(2), 8, testLimits)
	var op Op
	if err := take(tree, &op, 3, Handshake, 4); err != nil {
		t.Fatal(err)
	}
	op.Wipe()
	if !bytes.Equal(op.Key(), make([]byte, 16)) || !bytes.Equal(op.Nonce(), make([]byte, 12)) {
		t.Error("Wipe left a key")
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s"} {
		if got := fmt.Sprintf(verb, tree); got != "secrettree.Tree(redacted)" {
			t.Errorf("%s prints %q", verb, got)
		}
	}
	r := tree.ratchets[ratchetID{3, Handshake}]
	kept := r.kept[:cap(r.kept)]
	tree.Erase()
	tree.Erase()
	for _, k := range kept {
		if k != (messageKey{}) {
			t.Error("Erase left a key")
		}
	}
	if len(tree.AppendState(nil)) > 0 {
		t.Error("Erase left a secret")
	}
	if err := tree.Peek(&op, 3, Handshake, 9); err == nil {
		t.Error("Peek of an erased tree")
	}
}
