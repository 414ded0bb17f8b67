package sha256

import (
	"encoding/binary"
	"math/bits"
)

// The functions of this file are the kernels in Go: what each of them must do, and
// what runs where there is no other. A state is H0 … H7.

var iv = state{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}

var roundConstants = [64]uint32{
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
}

// blocksGeneric is the compression of FIPS 180-4 §6.2.2, block by block.
func blocksGeneric(s *state, p []byte) {
	var w [64]uint32
	for ; len(p) >= BlockSize; p = p[BlockSize:] {
		for i := range 16 {
			w[i] = binary.BigEndian.Uint32(p[4*i:])
		}
		for i := 16; i < 64; i++ {
			x, y := w[i-2], w[i-15]
			w[i] = w[i-7] + w[i-16] +
				(bits.RotateLeft32(x, -17) ^ bits.RotateLeft32(x, -19) ^ x>>10) +
				(bits.RotateLeft32(y, -7) ^ bits.RotateLeft32(y, -18) ^ y>>3)
		}
		a, b, c, d, e, f, g, h := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
		for i := range w {
			x := h + (e&f ^ ^e&g) + roundConstants[i] + w[i] +
				(bits.RotateLeft32(e, -6) ^ bits.RotateLeft32(e, -11) ^ bits.RotateLeft32(e, -25))
			y := (a&b ^ a&c ^ b&c) +
				(bits.RotateLeft32(a, -2) ^ bits.RotateLeft32(a, -13) ^ bits.RotateLeft32(a, -22))
			a, b, c, d, e, f, g, h = x+y, a, b, c, d+x, e, f, g
		}
		for i, v := range [8]uint32{a, b, c, d, e, f, g, h} {
			s[i] += v
		}
	}
	clear(w[:])
}

func storeGeneric(out *[Size]byte, s *state) {
	for i, v := range s {
		binary.BigEndian.PutUint32(out[4*i:], v)
	}
}

// prepareGeneric sets k to the states behind a padded key.
func prepareGeneric(kernel Kernel, k *Key, key *block) {
	b := *key
	for i := range b {
		b[i] ^= 0x36
	}
	k.inner = iv
	blocks(kernel, &k.inner, b[:])
	for i := range b {
		b[i] ^= 0x36 ^ 0x5c
	}
	k.outer = iv
	blocks(kernel, &k.outer, b[:])
	clear(b[:])
}

// finishGeneric writes the tag to out, from the state behind the inner message.
func finishGeneric(k *Key, inner *state, out *[Size]byte) {
	var b block
	storeGeneric((*[Size]byte)(b[:]), inner)
	b[Size] = 0x80
	binary.BigEndian.PutUint64(b[BlockSize-8:], (BlockSize+Size)*8)
	s := k.outer
	blocks(k.kernel, &s, b[:])
	storeGeneric(out, &s)
	clear(b[:])
	s = state{}
}

// pairGeneric fills key, of 16 or 32 bytes, and nonce from the tags of two inner
// messages, each one block with its padding.
func pairGeneric(k *Key, b [2]block, key []byte, nonce *[nonceSize]byte) {
	var out [2][Size]byte
	for i := range b {
		s := k.inner
		blocks(k.kernel, &s, b[i][:])
		finishGeneric(k, &s, &out[i])
		s = state{}
	}
	move(key, out[0][:])
	move(nonce[:], out[1][:])
	clear(out[0][:])
	clear(out[1][:])
}

// stepGeneric derives key, nonce and the next secret from the three blocks.
func stepGeneric(kernel Kernel, key []byte, nonce *[nonceSize]byte, secret *[Size]byte, b [3]block) {
	var k Key
	keyGeneric(kernel, &k, secret)
	pairGeneric(&k, [2]block(b[:2]), key, nonce)
	blocks(kernel, &k.inner, b[2][:])
	finishGeneric(&k, &k.inner, secret)
	k.Wipe()
}

// nextGeneric replaces secret by the tag of the third block under it.
func nextGeneric(kernel Kernel, secret *[Size]byte, b [3]block) {
	var k Key
	keyGeneric(kernel, &k, secret)
	blocks(kernel, &k.inner, b[2][:])
	finishGeneric(&k, &k.inner, secret)
	k.Wipe()
}

func keyGeneric(kernel Kernel, k *Key, secret *[Size]byte) {
	var padded block
	copy(padded[:], secret[:])
	k.kernel = kernel
	prepareGeneric(kernel, k, &padded)
	clear(padded[:])
}
