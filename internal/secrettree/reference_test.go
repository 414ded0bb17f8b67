package secrettree

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
)

var testLimits = Limits{OutOfOrder: 5, Forward: 1000}

// countingSuite counts derivations and may hide its upgrades.
type countingSuite struct {
	provider.Suite
	hide    bool
	expands int
	steps   int
}

func (s *countingSuite) Expand(out, prk, info []byte) {
	s.expands++
	s.Suite.Expand(out, prk, info)
}

func (s *countingSuite) RatchetStep(key, nonce, secret []byte, generation uint32) {
	s.steps++
	s.Suite.Upgrades().Ratchet.RatchetStep(key, nonce, secret, generation)
}

func (s *countingSuite) Upgrades() *provider.Upgrades {
	if s.hide || s.Suite.Upgrades().Ratchet == nil {
		return new(provider.Upgrades)
	}
	return &provider.Upgrades{Ratchet: s}
}

func softSuite(t testing.TB) provider.Suite {
	t.Helper()
	s, err := soft.New(soft.Options{}).Suite(1)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bothWays runs f with the suite's own step of a ratchet and without.
func bothWays(t *testing.T, f func(t *testing.T, s *countingSuite)) {
	s := softSuite(t)
	t.Run("plain", func(t *testing.T) { f(t, &countingSuite{Suite: s, hide: true}) })
	t.Run("upgrade", func(t *testing.T) {
		if s.Upgrades().Ratchet == nil {
			t.Skip("provider/soft offers no RatchetStepper")
		}
		f(t, &countingSuite{Suite: s})
	})
}

// reference derives keys from RFC 9420 §8 and §9 with the standard library's
// HKDF, for SHA-256 and AES-128-GCM.
type reference struct {
	encryptionSecret []byte
	leaves           uint32
	chains           map[ratchetID][]generationKeys
	next             map[ratchetID][]byte
}

type generationKeys struct{ key, nonce []byte }

func newReference(encryptionSecret []byte, leaves uint32) *reference {
	return &reference{encryptionSecret, leaves, make(map[ratchetID][]generationKeys), make(map[ratchetID][]byte)}
}

func expandWithLabel(secret []byte, label string, context []byte, n int) []byte {
	full := "MLS 1.0 " + label
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(append(info, byte(len(full))), full...)
	info = append(append(info, byte(len(context))), context...)
	out, err := hkdf.Expand(sha256.New, secret, string(info), n)
	if err != nil {
		panic(err)
	}
	return out
}

func (r *reference) keys(id ratchetID, generation uint32) generationKeys {
	if r.next[id] == nil {
		secret := r.encryptionSecret
		for n, i := r.leaves, uint32(id.leaf); n > 1; {
			n /= 2
			if i < n {
				secret = expandWithLabel(secret, "tree", []byte("left"), 32)
			} else {
				secret = expandWithLabel(secret, "tree", []byte("right"), 32)
				i -= n
			}
		}
		r.next[id] = expandWithLabel(secret, map[Type]string{Handshake: "handshake", Application: "application"}[id.typ], nil, 32)
	}
	for g := uint32(len(r.chains[id])); g <= generation; g++ {
		at := binary.BigEndian.AppendUint32(nil, g)
		r.chains[id] = append(r.chains[id], generationKeys{
			expandWithLabel(r.next[id], "key", at, 16), expandWithLabel(r.next[id], "nonce", at, 12)})
		r.next[id] = expandWithLabel(r.next[id], "secret", at, 32)
	}
	return r.chains[id][generation]
}

// check compares the key that an operation has.
func (r *reference) check(op *Op) error {
	want := r.keys(op.id, op.Generation())
	if !bytes.Equal(op.Key(), want.key) || !bytes.Equal(op.Nonce(), want.nonce) {
		return fmt.Errorf("leaf %d, type %d, generation %d: wrong key or nonce", op.Leaf(), op.id.typ, op.Generation())
	}
	return nil
}

// model says what a receiver may open, in terms of single generations.
type model struct {
	limits Limits
	head   uint32
	used   map[uint32]bool
	lost   map[uint32]bool
	pins   map[uint32]int
}

func newModel(limits Limits) *model {
	return &model{limits, 0, make(map[uint32]bool), make(map[uint32]bool), make(map[uint32]int)}
}

func (m *model) outside(g uint32) bool { return m.head-1-g > m.limits.OutOfOrder }

func (m *model) peek(g uint32) error {
	switch {
	case g == 1<<32-1:
		return ErrRatchetTooLong
	case uint64(g) > uint64(m.head)+uint64(m.limits.Forward):
		return ErrTooDistantInTheFuture
	case g < m.head && (m.used[g] || m.lost[g]):
		if m.outside(g) {
			return ErrTooDistantInThePast
		}
		return ErrSecretReuse
	}
	m.pins[g]++
	return nil
}

// slide forgets what fell out of the window.
func (m *model) slide() {
	for g := range m.head {
		if !m.used[g] && m.outside(g) && m.pins[g] == 0 {
			m.lost[g] = true
		}
	}
}

func (m *model) consume(g uint32) error {
	m.pins[g]--
	if m.used[g] {
		return ErrSecretReuse
	}
	m.used[g] = true
	m.head = max(m.head, g+1)
	m.slide()
	return nil
}

func (m *model) abort(g uint32) {
	m.pins[g]--
	m.slide()
}

func (m *model) giveBack(g uint32) { delete(m.used, g) }

// store holds records as a storage would.
type store map[string]Record

func (s store) put(r Record) {
	key := fmt.Sprint(r.Kind, r.Leaf, r.Type, r.Node)
	if r.Value == nil {
		delete(s, key)
		return
	}
	r.Value = bytes.Clone(r.Value)
	s[key] = r
}

func (s store) all(yield func(Record) bool) {
	for _, r := range s {
		if !yield(r) {
			return
		}
	}
}

func (s store) write(t *Tree) {
	for r := range t.BeginWrite {
		s.put(r)
	}
	t.EndWrite(true)
}

// equals reports whether what is stored is the tree in memory.
func (s store) equals(t *Tree) error {
	back, err := Restore(t.suite, t.leaves, t.limits, s.all)
	if err != nil {
		return err
	}
	if !bytes.Equal(back.AppendState(nil), t.AppendState(nil)) {
		return fmt.Errorf("restored tree differs from the one in memory")
	}
	return nil
}

func testSecret(seed byte) []byte { return bytes.Repeat([]byte{seed, 7}, 16) }
