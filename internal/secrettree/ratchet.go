package secrettree

import (
	"slices"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// ratchet is a sender ratchet, RFC 9420 §9.1: the secret of the next generation
// and the keys of generations that were skipped.
type ratchet struct {
	head   uint32 // next generation
	secret [provider.MaxNh]byte
	kept   []messageKey // by generation, oldest first
	dirty  bool
}

// messageKey is the key and nonce of one generation.
type messageKey struct {
	generation uint32
	key        [provider.MaxNk]byte
	nonce      [provider.MaxNn]byte
}

func (r *ratchet) erase() {
	clear(r.secret[:])
	clear(r.kept[:cap(r.kept)])
	r.kept = r.kept[:0]
}

// find returns the position of a kept generation, -1 if it is not kept.
func (r *ratchet) find(generation uint32) int {
	for i := range r.kept {
		if r.kept[i].generation == generation {
			return i
		}
	}
	return -1
}

// remove forgets a kept key.
func (r *ratchet) remove(i int) {
	copy(r.kept[i:], r.kept[i+1:])
	last := len(r.kept) - 1
	r.kept[last] = messageKey{}
	r.kept = r.kept[:last]
}

// reserve makes room for n more kept keys. A list that moves leaves no key behind.
func (r *ratchet) reserve(n int) {
	if n <= cap(r.kept)-len(r.kept) {
		return
	}
	moved := make([]messageKey, len(r.kept), max(len(r.kept)+n, 2*cap(r.kept)))
	copy(moved, r.kept)
	clear(r.kept)
	r.kept = moved
}

// inWindow reports whether the key of a skipped generation is kept when newest
// was received.
func (t *Tree) inWindow(generation, newest uint32) bool {
	return newest-generation <= t.limits.OutOfOrder
}

// evict forgets the keys that fell out of the window, but pinned ones.
func (t *Tree) evict(id ratchetID, r *ratchet) {
	for i := 0; i < len(r.kept); {
		if g := r.kept[i].generation; t.inWindow(g, r.head-1) || t.pinned(id, g) {
			i++
			continue
		}
		r.remove(i)
		t.touch(id, r)
	}
}

// touch marks a ratchet as changed since it was last written.
func (t *Tree) touch(id ratchetID, r *ratchet) {
	if !r.dirty {
		r.dirty = true
		t.dirtyRatchets = append(t.dirtyRatchets, id)
	}
}

// stepper derives keys along a ratchet, with the suite's own step if it offers one.
type stepper struct {
	suite  provider.Suite
	params *provider.Params
	step   provider.RatchetStepper
}

// next fills key and nonce of a generation and replaces its secret by the next
// one. With a nil key only the secret advances.
func (s *stepper) next(c *labels.Scratch, key, nonce, sec []byte, generation uint32) {
	if s.step != nil {
		s.step.RatchetStep(key, nonce, sec, generation)
		return
	}
	if key != nil {
		c.DeriveTreeSecret(s.suite, key, sec, labels.LabelKey, generation)
		c.DeriveTreeSecret(s.suite, nonce, sec, labels.LabelNonce, generation)
	}
	c.DeriveTreeSecret(s.suite, sec, sec, labels.LabelSecret, generation)
}

func (t *Tree) stepper() stepper { return stepper{t.suite, t.params, t.step} }

// An Op is one use of a generation. It is scratch that is used again: the zero
// value is ready, and Wipe makes it so. It belongs to one operation.
type Op struct {
	stepper
	id         ratchetID
	generation uint32
	from       uint32 // head that secret was copied at
	ahead      bool   // generation was not below the head: Derive has work to do
	secret     [provider.MaxNh]byte
	key        messageKey
	keep       uint32       // how many keys below generation are kept
	skipped    []messageKey // those keys, oldest first
	label      labels.Scratch
}

// Key returns the key, Nk bytes, until Wipe.
func (op *Op) Key() []byte { return op.key.key[:op.params.Nk] }

// Nonce returns the nonce, Nn bytes, until Wipe.
func (op *Op) Nonce() []byte { return op.key.nonce[:op.params.Nn] }

// Leaf returns the sender.
func (op *Op) Leaf() treemath.LeafIndex { return op.id.leaf }

// Generation returns the generation.
func (op *Op) Generation() uint32 { return op.generation }

// Wipe erases every secret of the operation.
func (op *Op) Wipe() {
	clear(op.secret[:])
	op.key = messageKey{}
	op.forgetSkipped()
	op.label.Wipe()
}

func (op *Op) forgetSkipped() {
	clear(op.skipped)
	op.skipped = op.skipped[:0]
}

func (op *Op) begin(t *Tree, id ratchetID, generation uint32) {
	op.stepper, op.id, op.generation, op.ahead = t.stepper(), id, generation, false
	op.forgetSkipped()
}

// checkLeaf refuses a leaf outside the tree.
func (t *Tree) checkLeaf(leaf treemath.LeafIndex) error {
	if uint32(leaf) >= t.leaves {
		return check.Errorf(check.V087, "leaf %d outside the tree", leaf)
	}
	return nil
}

// NextGeneration returns the next generation of a sender; ErrRatchetTooLong if
// there is none.
func (t *Tree) NextGeneration(leaf treemath.LeafIndex, typ Type) (uint32, error) {
	r := t.ratchets[ratchetID{leaf, typ}]
	if r == nil {
		return 0, nil
	}
	if r.head == lastGeneration {
		return 0, ErrRatchetTooLong
	}
	return r.head, nil
}

// Next takes the next generation of an own ratchet for sending. Its record must be
// in the store already, as far ahead as this (AppendAhead), so it does not count
// as changed.
func (t *Tree) Next(op *Op, leaf treemath.LeafIndex, typ Type) error {
	if err := t.checkLeaf(leaf); err != nil {
		return err
	}
	id := ratchetID{leaf, typ}
	r, err := t.open(id)
	if err != nil {
		return err
	}
	if r.head == lastGeneration {
		return ErrRatchetTooLong
	}
	op.begin(t, id, r.head)
	op.next(&op.label, op.Key(), op.Nonce(), r.secret[:t.params.Nh], r.head)
	r.head++
	return nil
}

// Peek begins an operation on a generation of a sender.
//
// Errors: ErrRatchetTooLong, ErrTooDistantInTheFuture, ErrTooDistantInThePast,
// ErrSecretReuse; then nothing is pinned. None of them costs a derivation.
func (t *Tree) Peek(op *Op, leaf treemath.LeafIndex, typ Type, generation uint32) error {
	if err := t.checkLeaf(leaf); err != nil {
		return err
	}
	if generation == lastGeneration {
		return ErrRatchetTooLong
	}
	id := ratchetID{leaf, typ}
	r := t.ratchets[id]
	var head uint32
	if r != nil {
		head = r.head
	}
	op.begin(t, id, generation)
	switch {
	case uint64(generation) > uint64(head)+uint64(t.limits.Forward):
		return ErrTooDistantInTheFuture
	case generation < head:
		i := r.find(generation)
		if i < 0 {
			if t.inWindow(generation, head-1) {
				return ErrSecretReuse
			}
			return ErrTooDistantInThePast
		}
		op.key = r.kept[i]
	case r != nil:
		op.from, op.ahead = head, true
		op.secret = r.secret
	default:
		op.from, op.ahead = 0, true
		if err := t.root(op.secret[:t.params.Nh], id); err != nil {
			return err
		}
	}
	t.pin(id, generation)
	if op.ahead {
		op.keep = min(t.limits.OutOfOrder, generation-op.from)
		op.skipped = slices.Grow(op.skipped, int(op.keep))
	}
	return nil
}

// Derive computes the key. It touches nothing but op, so no lock is needed.
func (op *Op) Derive() {
	if !op.ahead {
		return
	}
	sec := op.secret[:op.params.Nh]
	for g := op.from; g != op.generation; g++ {
		if op.generation-g > op.keep {
			op.next(&op.label, nil, nil, sec, g)
			continue
		}
		op.skipped = op.skipped[:len(op.skipped)+1]
		k := &op.skipped[len(op.skipped)-1]
		k.generation = g
		op.next(&op.label, k.key[:op.params.Nk], k.nonce[:op.params.Nn], sec, g)
	}
	op.key.generation = op.generation
	op.next(&op.label, op.Key(), op.Nonce(), sec, op.generation)
}

// Consume uses up the generation: its key is gone, and the ratchet is behind it.
// ErrSecretReuse if another operation was faster.
func (t *Tree) Consume(op *Op) error {
	id, g := op.id, op.generation
	t.unpin(id, g)
	r, err := t.open(id)
	if err != nil {
		return err
	}
	if g < r.head {
		i := r.find(g)
		if i < 0 {
			return ErrSecretReuse
		}
		r.remove(i)
		t.touch(id, r)
		t.evict(id, r)
		return nil
	}
	if r.head == op.from && !t.pinnedBelow(op) {
		r.secret = op.secret
		r.reserve(len(op.skipped))
		for i := range op.skipped {
			if t.inWindow(op.skipped[i].generation, g) {
				r.kept = append(r.kept, op.skipped[i])
			}
		}
	} else {
		t.advance(id, r, g)
	}
	r.head = g + 1
	t.touch(id, r)
	t.evict(id, r)
	return nil
}

// pinnedBelow reports whether another operation works on a generation that op
// skipped and did not keep.
func (t *Tree) pinnedBelow(op *Op) bool {
	for i := range t.pins {
		p := &t.pins[i]
		if p.ratchetID == op.id && p.generation >= op.from && p.generation < op.generation && !t.inWindow(p.generation, op.generation) {
			return true
		}
	}
	return false
}

// advance derives from the present head to behind g, which itself is not kept.
func (t *Tree) advance(id ratchetID, r *ratchet, g uint32) {
	sec, s := r.secret[:t.params.Nh], t.stepper()
	for i := r.head; i != g; i++ {
		if !t.inWindow(i, g) && !t.pinned(id, i) {
			s.next(&t.label, nil, nil, sec, i)
			continue
		}
		r.reserve(1)
		r.kept = append(r.kept, messageKey{generation: i})
		k := &r.kept[len(r.kept)-1]
		s.next(&t.label, k.key[:t.params.Nk], k.nonce[:t.params.Nn], sec, i)
	}
	s.next(&t.label, nil, nil, sec, g)
}

// Abort ends an operation without using the key up.
func (t *Tree) Abort(op *Op) {
	t.unpin(op.id, op.generation)
	if r := t.ratchets[op.id]; r != nil {
		t.evict(op.id, r)
	}
}

// Return undoes Consume: the key can be used again by whoever peeks next. It is
// for a caller whose work failed after it had consumed.
func (t *Tree) Return(op *Op) {
	r := t.ratchets[op.id]
	if r == nil || r.find(op.generation) >= 0 {
		return
	}
	at := 0
	for at < len(r.kept) && r.kept[at].generation < op.generation {
		at++
	}
	r.reserve(1)
	r.kept = append(r.kept, messageKey{})
	copy(r.kept[at+1:], r.kept[at:])
	r.kept[at] = op.key
	t.touch(op.id, r)
}
