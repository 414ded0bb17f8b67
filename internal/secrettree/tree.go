// Package secrettree is the secret tree of an epoch and its sender ratchets, RFC
// 9420 §9.
//
// It is a data structure without locks: the caller serialises every call but
// Op.Derive, which touches the operation alone. Receiving goes in steps, so that
// derivation, decryption and verification happen without the caller's lock:
//
//	Peek      checks the limits, copies the head secret (or a kept key) into the
//	          operation and pins the generation; nothing else changes
//	Derive    no lock: from the copied head to the generation
//	Consume   uses the key up and advances the ratchet
//	Abort     instead of Consume: unpins, nothing changed
//
// A pinned generation is never evicted, so that parallel receivers lose nothing
// when one of them moves the window on. What is kept for late messages is their
// keys and nonces, never a ratchet secret.
package secrettree

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// A Type tells the two ratchets of a sender apart. It is as wide as the index of a
// leaf, so that the two together are a key which maps look up fast.
type Type uint32

// The types of ratchets. Their values are part of the storage format.
const (
	Handshake   Type = 0
	Application Type = 1
)

// Limits bound what a receiver does for a message, RFC 9420 §15.3 and §9.2.
type Limits struct {
	// OutOfOrder is how many generations below the newest one stay readable.
	OutOfOrder uint32
	// Forward is how many generations a message may be ahead of the next one.
	Forward uint32
}

// Refusals of a generation.
var (
	// ErrTooDistantInTheFuture: beyond Limits.Forward. Nothing was derived.
	ErrTooDistantInTheFuture = refusal(check.V093, "generation is too far ahead")
	// ErrTooDistantInThePast: below the window; the key is gone.
	ErrTooDistantInThePast = refusal(check.V093, "generation is too old")
	// ErrSecretReuse: the key was used.
	ErrSecretReuse = refusal(check.V092, "generation was used already")
	// ErrRatchetTooLong: no generation comes after this one.
	ErrRatchetTooLong = refusal(check.V091, "generations are used up")
)

func refusal(id check.ID, text string) error { return check.Errorf(id, "%s", text) }

// lastGeneration is never used: the ratchet would have to go on behind it (V091).
const lastGeneration = 1<<32 - 1

// Tree is the secret tree of one epoch.
type Tree struct {
	suite  provider.Suite
	params *provider.Params
	step   provider.RatchetStepper // nil: not offered
	leaves uint32
	limits Limits
	label  labels.Scratch
	ahead  ratchet // scratch of AppendAhead

	nodes    map[treemath.NodeIndex]*secret.Secret // whose children were not derived
	ratchets map[ratchetID]*ratchet
	pins     []pin
	used     []treemath.LeafIndex // of keys that were used and not consumed
	retired  bool                 // no handshake ratchets any more

	dirtyRatchets, writingRatchets []ratchetID
	dirtyNodes, writingNodes       []treemath.NodeIndex
}

type ratchetID struct {
	leaf treemath.LeafIndex
	typ  Type
}

// New returns the tree of an epoch of the given leaf count. encryptionSecret is
// Nh bytes and not kept.
func New(s provider.Suite, encryptionSecret []byte, leaves uint32, limits Limits) *Tree {
	t := empty(s, leaves, limits)
	t.setNode(treemath.Root(leaves), secret.New(encryptionSecret))
	return t
}

func empty(s provider.Suite, leaves uint32, limits Limits) *Tree {
	return &Tree{
		suite: s, params: s.Params(), step: s.Upgrades().Ratchet, leaves: leaves, limits: limits,
		nodes:    make(map[treemath.NodeIndex]*secret.Secret),
		ratchets: make(map[ratchetID]*ratchet),
	}
}

// Erase forgets every secret. It is idempotent; the tree is unusable afterwards.
func (t *Tree) Erase() {
	for _, s := range t.nodes {
		s.Erase()
	}
	for _, r := range t.ratchets {
		r.erase()
	}
	clear(t.nodes)
	clear(t.ratchets)
	t.label.Wipe()
}

// Format prints no secret, whatever the verb.
func (t *Tree) Format(f fmt.State, _ rune) { io.WriteString(f, "secrettree.Tree(redacted)") }

func (t *Tree) setNode(x treemath.NodeIndex, s *secret.Secret) {
	t.nodes[x] = s
	t.dirtyNodes = append(t.dirtyNodes, x)
}

// errNoSecret is a leaf for which nothing was kept: stored records were damaged.
var errNoSecret = errors.New("secrettree: no secret above this leaf")

// top returns the lowest node at or above leaf that has a secret.
func (t *Tree) top(leaf treemath.LeafIndex) (treemath.NodeIndex, error) {
	x := leaf.Node()
	for {
		if _, ok := t.nodes[x]; ok {
			return x, nil
		}
		parent, ok := treemath.Parent(x, t.leaves)
		if !ok {
			return 0, errNoSecret
		}
		x = parent
	}
}

// child derives the secret of the child of x on the way to leaf, RFC 9420 §9.
func (t *Tree) child(out, sec []byte, x treemath.NodeIndex, leaf treemath.LeafIndex) treemath.NodeIndex {
	next, side := treemath.Left(x), left
	if !treemath.InSubtree(leaf.Node(), next) {
		next, side = treemath.Right(x), right
	}
	t.label.ExpandWithLabel(t.suite, out, sec, labels.LabelTree, side)
	return next
}

var left, right = []byte(labels.LabelLeft), []byte(labels.LabelRight)

// root writes to out the first secret of a ratchet that was not opened yet, and
// changes nothing.
func (t *Tree) root(out []byte, id ratchetID) error {
	if t.retired && id.typ == Handshake {
		return ErrTooDistantInThePast
	}
	x, err := t.top(id.leaf)
	if err != nil {
		return err
	}
	copy(out, t.nodes[x].Bytes())
	for !x.IsLeaf() {
		x = t.child(out, out, x, id.leaf)
	}
	t.label.DeriveSecret(t.suite, out, out, typeLabel(id.typ))
	return nil
}

func typeLabel(typ Type) string {
	if typ == Handshake {
		return labels.LabelHandshake
	}
	return labels.LabelApplication
}

// open returns a ratchet, deriving the path to its leaf if need be. Each node on
// the way is erased once both its children exist, RFC 9420 §9.2.
func (t *Tree) open(id ratchetID) (*ratchet, error) {
	if r := t.ratchets[id]; r != nil {
		return r, nil
	}
	if t.retired && id.typ == Handshake {
		return nil, ErrTooDistantInThePast
	}
	x, err := t.top(id.leaf)
	if err != nil {
		return nil, err
	}
	t.openFrom(x, id.leaf)
	return t.ratchets[id], nil
}

// openFrom derives the ratchets of leaf from the secret of x, a node above it. One
// that was restored on its own stays.
func (t *Tree) openFrom(x treemath.NodeIndex, leaf treemath.LeafIndex) {
	sec := t.nodes[x]
	for !x.IsLeaf() {
		near, far := secret.Zero(t.params.Nh), secret.Zero(t.params.Nh)
		next := t.child(near.Bytes(), sec.Bytes(), x, leaf)
		other, side := treemath.Right(x), right
		if next == other {
			other, side = treemath.Left(x), left
		}
		t.label.ExpandWithLabel(t.suite, far.Bytes(), sec.Bytes(), labels.LabelTree, side)
		t.setNode(other, far)
		t.dropNode(x)
		sec.Erase() // below the first node the tree never knew it
		x, sec = next, near
	}
	for _, typ := range []Type{Handshake, Application} {
		at := ratchetID{leaf, typ}
		if typ == Handshake && t.retired {
			continue
		}
		if t.ratchets[at] == nil {
			r := new(ratchet)
			t.label.DeriveSecret(t.suite, r.secret[:t.params.Nh], sec.Bytes(), typeLabel(typ))
			t.ratchets[at] = r
			t.touch(at, r)
		}
	}
	t.dropNode(x)
	sec.Erase()
}

// Used notes that a key of a leaf was used whose generation is not consumed, or that
// a restored ratchet of it was.
func (t *Tree) Used(leaf treemath.LeafIndex) {
	if uint32(leaf) < t.leaves && !slices.Contains(t.used, leaf) {
		t.used = append(t.used, leaf)
	}
}

// OpenUsed erases what the ratchets of used leaves come from, so that they alone hold
// their keys. None takes a step.
func (t *Tree) OpenUsed() {
	for _, leaf := range t.used {
		if x, err := t.top(leaf); err == nil {
			t.openFrom(x, leaf)
		}
	}
	t.used = t.used[:0]
}

// Retire forgets every handshake ratchet, for good: when its epoch is over only
// application messages may still come. Generations of theirs are refused with
// ErrTooDistantInThePast from then on. After OpenUsed, none that was used can be
// derived any more.
func (t *Tree) Retire() {
	t.retired = true
	for id, r := range t.ratchets {
		if id.typ == Handshake {
			r.erase()
			delete(t.ratchets, id)
		}
	}
	t.dirtyRatchets = slices.DeleteFunc(t.dirtyRatchets, func(id ratchetID) bool { return id.typ == Handshake })
}

func (t *Tree) dropNode(x treemath.NodeIndex) {
	if s, ok := t.nodes[x]; ok {
		s.Erase()
		delete(t.nodes, x)
		t.dirtyNodes = append(t.dirtyNodes, x)
	}
}

// A pin keeps a generation's key from being evicted while operations work on it.
type pin struct {
	ratchetID
	generation uint32
	count      int
}

func (t *Tree) pin(id ratchetID, generation uint32) {
	for i := range t.pins {
		if p := &t.pins[i]; p.ratchetID == id && p.generation == generation {
			p.count++
			return
		}
	}
	t.pins = append(t.pins, pin{id, generation, 1})
}

func (t *Tree) unpin(id ratchetID, generation uint32) {
	for i := range t.pins {
		if p := &t.pins[i]; p.ratchetID == id && p.generation == generation {
			if p.count--; p.count == 0 {
				t.pins = slices.Delete(t.pins, i, i+1)
			}
			return
		}
	}
}

func (t *Tree) pinned(id ratchetID, generation uint32) bool {
	for i := range t.pins {
		if p := &t.pins[i]; p.ratchetID == id && p.generation == generation {
			return true
		}
	}
	return false
}
