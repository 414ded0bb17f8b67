package secrettree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// A RecordKind tells the records of a tree apart.
type RecordKind uint8

// The kinds of records.
const (
	RatchetRecord RecordKind = 1 // of Leaf and Type
	NodeRecord    RecordKind = 2 // of Node
)

// A Record is a stored part of a tree. A nil Value means that it is gone.
type Record struct {
	Kind  RecordKind
	Leaf  treemath.LeafIndex
	Type  Type
	Node  treemath.NodeIndex
	Value []byte
}

// recordVersion is the first byte of every value.
const recordVersion = 1

// IsDirty reports whether something changed since it was last written.
func (t *Tree) IsDirty() bool { return len(t.dirtyRatchets)+len(t.dirtyNodes) > 0 }

// BeginWrite yields a record of everything that changed since it was last
// written; a value lives until the next one. EndWrite must follow before another
// BeginWrite. What changes in between is dirty again.
func (t *Tree) BeginWrite(yield func(r Record) bool) {
	t.writingRatchets, t.dirtyRatchets = t.dirtyRatchets, t.writingRatchets[:0]
	t.writingNodes, t.dirtyNodes = t.dirtyNodes, t.writingNodes[:0]
	slices.Sort(t.writingNodes)
	t.writingNodes = slices.Compact(t.writingNodes)
	for _, id := range t.writingRatchets { // all of them, wherever yield stops
		t.ratchets[id].dirty = false
	}
	var buf []byte
	defer func() { secret.Wipe(buf[:cap(buf)]) }()
	room := func(n int) {
		if n > cap(buf) {
			secret.Wipe(buf)
			buf = make([]byte, 0, n)
		}
		buf = buf[:0]
	}
	for _, x := range t.writingNodes {
		r := Record{Kind: NodeRecord, Node: x}
		if s, ok := t.nodes[x]; ok {
			room(1 + s.Len())
			buf = append(append(buf, recordVersion), s.Bytes()...)
			r.Value = buf
		}
		if !yield(r) {
			return
		}
	}
	for _, id := range t.writingRatchets {
		room(t.ratchetLen(t.ratchets[id]))
		buf = t.appendRatchet(buf, t.ratchets[id])
		if !yield(Record{Kind: RatchetRecord, Leaf: id.leaf, Type: id.typ, Value: buf}) {
			return
		}
	}
}

// EndWrite says whether what BeginWrite yielded was written. If not, it is dirty
// still.
func (t *Tree) EndWrite(written bool) {
	if !written {
		t.dirtyNodes = append(t.dirtyNodes, t.writingNodes...)
		for _, id := range t.writingRatchets {
			if r := t.ratchets[id]; r != nil {
				t.touch(id, r)
			}
		}
	}
	t.writingNodes, t.writingRatchets = t.writingNodes[:0], t.writingRatchets[:0]
}

// ratchetLen is how much appendRatchet appends.
func (t *Tree) ratchetLen(r *ratchet) int {
	return 1 + 4 + t.params.Nh + len(r.kept)*(4+t.params.Nk+t.params.Nn)
}

// appendRatchet encodes a ratchet: version, head, secret, and for each kept
// generation its number, key and nonce.
func (t *Tree) appendRatchet(b []byte, r *ratchet) []byte {
	b = binary.BigEndian.AppendUint32(append(b, recordVersion), r.head)
	b = append(b, r.secret[:t.params.Nh]...)
	for i := range r.kept {
		k := &r.kept[i]
		b = binary.BigEndian.AppendUint32(b, k.generation)
		b = append(b, k.key[:t.params.Nk]...)
		b = append(b, k.nonce[:t.params.Nn]...)
	}
	return b
}

// AppendAhead appends the value of a ratchet's record as it will be n generations
// on, so that it can be stored before those are used. The tree stays as it is. If
// dst has no room, the whole of it is copied once.
func (t *Tree) AppendAhead(dst []byte, leaf treemath.LeafIndex, typ Type, n uint32) ([]byte, error) {
	if err := t.checkLeaf(leaf); err != nil {
		return dst, err
	}
	id := ratchetID{leaf, typ}
	ahead := &t.ahead
	defer ahead.erase()
	ahead.head = 0
	if r := t.ratchets[id]; r != nil {
		ahead.head, ahead.secret = r.head, r.secret
		ahead.kept = append(ahead.kept, r.kept...)
	} else if err := t.root(ahead.secret[:t.params.Nh], id); err != nil {
		return dst, err
	}
	if uint64(ahead.head)+uint64(n) > lastGeneration {
		return dst, ErrRatchetTooLong
	}
	s := t.stepper()
	for range n {
		s.next(&t.label, nil, nil, ahead.secret[:t.params.Nh], ahead.head)
		ahead.head++
	}
	return t.appendRatchet(slices.Grow(dst, t.ratchetLen(ahead)), ahead), nil
}

// Restore builds a tree from its records. They may be damaged: what does not fit
// is an error.
func Restore(s provider.Suite, leaves uint32, limits Limits, records iter.Seq[Record]) (*Tree, error) {
	t := empty(s, leaves, limits)
	for rec := range records {
		if err := t.restore(rec); err != nil {
			t.Erase()
			return nil, err
		}
	}
	return t, nil
}

func (t *Tree) restore(rec Record) error {
	if len(rec.Value) == 0 || rec.Value[0] != recordVersion {
		return errors.New("secrettree: record of an unknown version")
	}
	r := wire.NewReader(rec.Value[1:])
	switch rec.Kind {
	case NodeRecord:
		if uint32(rec.Node) >= treemath.Width(t.leaves) || r.Len() != t.params.Nh {
			return errors.New("secrettree: node record does not fit the tree")
		}
		t.nodes[rec.Node] = secret.New(r.Bytes(r.Len()))
		return nil
	case RatchetRecord:
		if uint32(rec.Leaf) >= t.leaves || rec.Type > Application {
			return errors.New("secrettree: ratchet record does not fit the tree")
		}
		ratchet, err := t.decodeRatchet(&r)
		if err != nil {
			return err
		}
		t.ratchets[ratchetID{rec.Leaf, rec.Type}] = ratchet
		return nil
	}
	return fmt.Errorf("secrettree: record of unknown kind %d", rec.Kind)
}

func (t *Tree) decodeRatchet(r *wire.Reader) (*ratchet, error) {
	x := &ratchet{head: r.Uint32()}
	copy(x.secret[:], r.Bytes(t.params.Nh))
	next := uint64(0)
	for !r.Empty() {
		k := messageKey{generation: r.Uint32()}
		copy(k.key[:], r.Bytes(t.params.Nk))
		copy(k.nonce[:], r.Bytes(t.params.Nn))
		if uint64(k.generation) < next || k.generation >= x.head {
			r.Fail(errors.New("secrettree: kept generations out of order"))
		}
		next = uint64(k.generation) + 1
		x.reserve(1)
		x.kept = append(x.kept, k)
	}
	if err := r.Done(); err != nil {
		x.erase()
		return nil, err
	}
	return x, nil
}

// AppendState appends an encoding of the whole tree: equal for equal states, so
// that a test can show that nothing changed. Pins are not part of it.
func (t *Tree) AppendState(b []byte) []byte {
	nodes := make([]treemath.NodeIndex, 0, len(t.nodes))
	for x := range t.nodes {
		nodes = append(nodes, x)
	}
	slices.Sort(nodes)
	for _, x := range nodes {
		b = binary.BigEndian.AppendUint32(b, uint32(x))
		b = append(b, t.nodes[x].Bytes()...)
	}
	ids := make([]ratchetID, 0, len(t.ratchets))
	for id := range t.ratchets {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(x, y ratchetID) int {
		return int(int64(x.leaf)*2+int64(x.typ)) - int(int64(y.leaf)*2+int64(y.typ))
	})
	for _, id := range ids {
		b = binary.BigEndian.AppendUint32(b, uint32(id.leaf))
		b = wire.AppendOpaque(append(b, byte(id.typ)), t.appendRatchet(nil, t.ratchets[id]))
	}
	return b
}
