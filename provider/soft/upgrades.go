package soft

import (
	"encoding/binary"
	"sync"

	"github.com/hardmls/hardmls/provider"
)

// upgradesOf prepares the ways to derive secrets that reuse the keyed states
// of HMAC. BenchmarkUpgrades compares them with the plain way.
func upgradesOf(s *suite) provider.Upgrades {
	return provider.Upgrades{Ratchet: newRatchet(s), Bind: newBinder(s)}
}

// A ratchet is provider.RatchetStepper: DeriveTreeSecret of RFC 9420 §9.1 for
// "key", "nonce" and "secret". Each is one block of HKDF-Expand.
type ratchet struct {
	p                  *provider.Params
	kdf                *kdf
	key, nonce, secret []byte // KDFLabel up to the length of its context
}

func newRatchet(s *suite) *ratchet {
	p := s.p
	return &ratchet{p, s.kdf, labelOf(p.Nk, "key", 4), labelOf(p.Nn, "nonce", 4), labelOf(p.Nh, "secret", 4)}
}

// labelOf is KDFLabel of RFC 9420 §8 up to its context: length, label, and the
// length of a context below 64 bytes, or none if context is negative.
func labelOf(length int, label string, context int) []byte {
	label = "MLS 1.0 " + label
	b := append([]byte{byte(length >> 8), byte(length), byte(len(label))}, label...)
	if context >= 0 {
		b = append(b, byte(context))
	}
	return b
}

// RatchetStep implements provider.RatchetStepper.
func (r *ratchet) RatchetStep(key, nonce, secret []byte, generation uint32) {
	if len(secret) != r.p.Nh || key != nil && (len(key) != r.p.Nk || len(nonce) != r.p.Nn) {
		panic("soft: RatchetStep with a wrong length")
	}
	w := r.kdf.get()
	tail := binary.BigEndian.AppendUint32(w.small[:0], generation)
	tail = append(tail, 1)
	if key == nil {
		w.mac(secret, secret, r.secret, tail)
	} else {
		w.key2(w.inner[:], w.outer[:], secret)
		w.step(key, r.key, tail)
		w.step(nonce, r.nonce, tail)
		w.step(secret, r.secret, tail)
		clear(w.inner[:])
		clear(w.outer[:])
	}
	w.put()
}

// step fills out with the first bytes of HMAC over head ‖ tail under the states
// of key2.
func (s *scratch) step(out, head, tail []byte) {
	s.begin2(s.inner[:])
	s.h.Write(head)
	s.h.Write(tail)
	s.end2(s.outer[:])
	copy(out, s.sum[:])
}

// A binder is provider.Binder.
type binder struct {
	p          *provider.Params
	kdf        *kdf
	key, nonce []byte // KDFLabel without its context
}

func newBinder(s *suite) *binder {
	return &binder{s.p, s.kdf, labelOf(s.p.Nk, "key", -1), labelOf(s.p.Nn, "nonce", -1)}
}

// A bound is the two keyed states of HMAC.
type bound struct {
	b            *binder
	mu           sync.RWMutex
	inner, outer []byte
	wiped        bool
}

// Bind implements provider.Binder.
func (b *binder) Bind(secret []byte) provider.Bound {
	if len(secret) != b.p.Nh {
		panic("soft: Bind of a wrong length")
	}
	w := b.kdf.get()
	n := len(b.kdf.blank)
	states := make([]byte, 2*n)
	x := &bound{b: b, inner: states[:n:n], outer: states[n:]}
	w.key2(x.inner, x.outer, secret)
	w.put()
	return x
}

// MAC implements provider.Bound.
func (x *bound) MAC(out, msg []byte) {
	x.b.kdf.wantOut(out)
	w := x.b.kdf.get()
	x.start(w)
	w.h.Write(msg)
	x.finish(w)
	copy(out, w.sum[:x.b.p.Nh])
	w.put()
}

// SenderDataKey implements provider.Bound: ExpandWithLabel of RFC 9420 §6.3.2.
func (x *bound) SenderDataKey(key, nonce, sample []byte) {
	if len(key) != x.b.p.Nk || len(nonce) != x.b.p.Nn {
		panic("soft: SenderDataKey with a wrong length")
	}
	w := x.b.kdf.get()
	w.one[0] = 1
	size := appendVarint(w.small[:0], len(sample))
	x.expand(w, key, x.b.key, size, sample)
	x.expand(w, nonce, x.b.nonce, size, sample)
	w.put()
}

func (x *bound) expand(w *scratch, out, label, size, sample []byte) {
	x.start(w)
	w.h.Write(label)
	w.h.Write(size)
	w.h.Write(sample)
	w.h.Write(w.one[:])
	x.finish(w)
	copy(out, w.sum[:x.b.p.Nh])
}

func (x *bound) start(w *scratch) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	x.alive()
	w.begin2(x.inner)
}

func (x *bound) finish(w *scratch) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	x.alive()
	w.end2(x.outer)
}

func (x *bound) alive() {
	if x.wiped {
		panic("soft: use of a bound secret after Wipe")
	}
}

// Wipe implements provider.Bound.
func (x *bound) Wipe() {
	x.mu.Lock()
	defer x.mu.Unlock()
	clear(x.inner)
	clear(x.outer)
	x.wiped = true
}

// appendVarint is the variable-size length of RFC 9420 §2.1.2.
func appendVarint(b []byte, n int) []byte {
	switch {
	case n < 1<<6:
		return append(b, byte(n))
	case n < 1<<14:
		return append(b, byte(n>>8)|0x40, byte(n))
	case n < 1<<30:
		return append(b, byte(n>>24)|0x80, byte(n>>16), byte(n>>8), byte(n))
	}
	panic("soft: vector too long")
}
