package soft

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding"
	"hash"
	"sync"

	"github.com/hardmls/hardmls/provider"
)

const (
	maxBlock = sha512.BlockSize
	maxState = 256 // a marshalled SHA-2 state, of at most 204 bytes
)

// A kdf is HMAC (RFC 2104) and HKDF (RFC 5869) over one SHA-2 function. Its
// states are kept for reuse and are overwritten before they are put back.
type kdf struct {
	nh, block int
	sum       func(out, msg []byte)
	blank     []byte // the marshalled state of no input
	free      sync.Pool
}

var (
	kdf256 = newKDF(sha256.New, func(out, msg []byte) { h := sha256.Sum256(msg); copy(out, h[:]) })
	kdf384 = newKDF(sha512.New384, func(out, msg []byte) { h := sha512.Sum384(msg); copy(out, h[:]) })
	kdf512 = newKDF(sha512.New, func(out, msg []byte) { h := sha512.Sum512(msg); copy(out, h[:]) })
)

func kdfOf(id uint16) *kdf {
	switch id {
	case provider.KDF_SHA256:
		return kdf256
	case provider.KDF_SHA384:
		return kdf384
	case provider.KDF_SHA512:
		return kdf512
	}
	return nil
}

// A state is what the hash objects of the standard library can do.
type state interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

func newKDF(fresh func() hash.Hash, sum func(out, msg []byte)) *kdf {
	h := fresh().(state)
	k := &kdf{nh: h.Size(), block: h.BlockSize(), sum: sum}
	k.blank, _ = h.AppendBinary(nil)
	k.free.New = func() any { return &scratch{kdf: k, h: fresh().(state)} }
	return k
}

// A scratch is the memory of one computation. Everything that passes through
// an interface of the standard library lies in it, so that nothing else needs
// the heap.
type scratch struct {
	kdf   *kdf
	h     state
	pad   [maxBlock]byte // the key, xor 0x36 or 0x5c
	sum   [provider.MaxNh]byte
	last  [provider.MaxNh]byte
	small [64]byte
	one   [1]byte
	inner [maxState]byte // marshalled states of a key
	outer [maxState]byte
}

func (k *kdf) get() *scratch { return k.free.Get().(*scratch) }

// put wipes s and keeps it. Unmarshalling the state of no input overwrites the
// whole of the hash object, its block buffer included, which Reset leaves.
func (s *scratch) put() {
	s.wipe()
	s.kdf.free.Put(s)
}

func (s *scratch) wipe() {
	s.load(s.kdf.blank)
	clear(s.pad[:])
	clear(s.sum[:])
	clear(s.last[:])
	clear(s.small[:])
}

func (s *scratch) load(state []byte) {
	if err := s.h.UnmarshalBinary(state); err != nil {
		panic("soft: " + err.Error())
	}
}

// setKey puts the block of HMAC's inner key into pad.
func (s *scratch) setKey(key []byte) {
	k := s.kdf
	n := 0
	if len(key) <= k.block {
		n = copy(s.pad[:], key)
	} else {
		s.h.Reset()
		s.h.Write(key)
		n = len(s.h.Sum(s.pad[:0]))
	}
	clear(s.pad[n:k.block])
	subtle.XORBytes(s.pad[:k.block], s.pad[:k.block], ipad[:])
}

var ipad, turn = filled(0x36), filled(0x36 ^ 0x5c)

func filled(c byte) (b [maxBlock]byte) {
	for i := range b {
		b[i] = c
	}
	return b
}

// begin starts HMAC under the key of setKey, whose block of pad is the inner
// one; end leaves it so.
func (s *scratch) begin() {
	s.h.Reset()
	s.h.Write(s.pad[:s.kdf.block])
}

// end leaves the tag in sum.
func (s *scratch) end() {
	b := s.kdf.block
	s.h.Sum(s.sum[:0])
	subtle.XORBytes(s.pad[:b], s.pad[:b], turn[:])
	s.h.Reset()
	s.h.Write(s.pad[:b])
	s.h.Write(s.sum[:s.kdf.nh])
	s.h.Sum(s.sum[:0])
	subtle.XORBytes(s.pad[:b], s.pad[:b], turn[:])
}

// mac is HMAC over the parts. out may be any prefix of the tag and may be key.
func (s *scratch) mac(out, key []byte, parts ...[]byte) {
	s.setKey(key)
	s.begin()
	for _, p := range parts {
		s.h.Write(p)
	}
	s.end()
	copy(out, s.sum[:s.kdf.nh])
}

// expand is HKDF-Expand with the parts as info. out may be prk, not a part.
func (s *scratch) expand(out, prk []byte, parts ...[]byte) {
	nh := s.kdf.nh
	if len(out) > 255*nh {
		panic("soft: Expand of more than 255·Nh bytes")
	}
	s.setKey(prk)
	for i := 1; len(out) > 0; i++ {
		s.begin()
		if i > 1 {
			s.h.Write(s.last[:nh])
		}
		for _, p := range parts {
			s.h.Write(p)
		}
		s.one[0] = byte(i)
		s.h.Write(s.one[:])
		s.end()
		out = out[copy(out, s.sum[:nh]):]
		if len(out) > 0 {
			copy(s.last[:], s.sum[:nh])
		}
	}
}

// key2 computes the inner and outer states of HMAC under key, so that each tag
// costs two blocks less. A state takes len(kdf.blank) bytes.
func (s *scratch) key2(inner, outer, key []byte) {
	b := s.kdf.block
	s.setKey(key)
	s.begin()
	s.save(inner)
	subtle.XORBytes(s.pad[:b], s.pad[:b], turn[:])
	s.begin()
	s.save(outer)
}

func (s *scratch) save(to []byte) {
	if _, err := s.h.AppendBinary(to[:0]); err != nil {
		panic("soft: " + err.Error())
	}
}

// end2 is end for a computation that began with load of an inner state.
func (s *scratch) end2(outer []byte) {
	s.h.Sum(s.sum[:0])
	s.load(outer[:len(s.kdf.blank)])
	s.h.Write(s.sum[:s.kdf.nh])
	s.h.Sum(s.sum[:0])
}

// begin2 loads an inner state.
func (s *scratch) begin2(inner []byte) { s.load(inner[:len(s.kdf.blank)]) }

// Hash implements provider.Suite.
func (s *suite) Hash(out, msg []byte) {
	s.kdf.wantOut(out)
	s.kdf.sum(out, msg)
}

// Extract implements provider.Suite: HKDF-Extract of RFC 5869 §2.2.
func (s *suite) Extract(out, salt, ikm []byte) { s.MAC(out, salt, ikm) }

// MAC implements provider.Suite.
func (s *suite) MAC(out, key, msg []byte) {
	s.kdf.wantOut(out)
	w := s.kdf.get()
	w.mac(out, key, msg)
	w.put()
}

// Expand implements provider.Suite: HKDF-Expand of RFC 5869 §2.3.
func (s *suite) Expand(out, prk, info []byte) {
	w := s.kdf.get()
	w.expand(out, prk, info)
	w.put()
}

func (k *kdf) wantOut(out []byte) {
	if len(out) != k.nh {
		panic("soft: output of a wrong length")
	}
}
