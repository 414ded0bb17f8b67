package aesgcm

import (
	"bytes"
	"crypto/aes"
	"crypto/rand"
	"errors"
	"math/bits"
	"slices"
	"testing"

	"github.com/hardmls/hardmls/internal/asm/asmtest"
	"github.com/hardmls/hardmls/internal/asm/cpu"
)

// sbox is the S-box of AES, FIPS 197 §5.1.1: the inverse in GF(2⁸), then an affine
// map.
func sbox(b byte) byte {
	mul := func(a, b byte) (p byte) {
		for ; b != 0; b >>= 1 {
			if b&1 != 0 {
				p ^= a
			}
			a = a<<1 ^ 0x1b*(a>>7)
		}
		return p
	}
	inverse := byte(1)
	for range 254 {
		inverse = mul(inverse, b)
	}
	r := inverse
	for i := 1; i < 5; i++ {
		r ^= bits.RotateLeft8(inverse, i)
	}
	return r ^ 0x63
}

// schedule is the key schedule of AES, FIPS 197 §5.2.
func schedule(key []byte) []byte {
	w, n := bytes.Clone(key), len(key)
	rcon := byte(1)
	for len(w) < 16*(n/4+7) {
		t := [4]byte(w[len(w)-4:])
		if len(w)%n == 0 {
			t = [4]byte{sbox(t[1]) ^ rcon, sbox(t[2]), sbox(t[3]), sbox(t[0])}
			rcon = rcon<<1 ^ 0x1b*(rcon>>7)
		} else if n == 32 && len(w)%n == 16 {
			t = [4]byte{sbox(t[0]), sbox(t[1]), sbox(t[2]), sbox(t[3])}
		}
		for i := range t {
			w = append(w, t[i]^w[len(w)-n])
		}
	}
	return w
}

// TestSchedule: the first example of FIPS 197 appendix A.
func TestSchedule(t *testing.T) {
	key := []byte{0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c}
	last := []byte{0xd0, 0x14, 0xf9, 0xa8, 0xc9, 0xee, 0x25, 0x89, 0xe1, 0x3f, 0x0c, 0xc8, 0xb6, 0x63, 0x0c, 0xa6}
	if w := schedule(key); len(w) != 176 || !bytes.Equal(w[160:], last) {
		t.Errorf("%x", w)
	}
}

// TestResidue looks for keys and what is made of them in registers and stack.
func TestResidue(t *testing.T) {
	if raceEnabled {
		t.Skip("instrumented code keeps copies")
	}
	forKernels(t, func(t *testing.T, k Kernel) {
		if k == Generic {
			t.Skip("the standard library keeps what it likes")
		}
		// No run has the secrets of another: they may lie in memory that is now a
		// stack.
		fill := func(n int) []byte {
			b := make([]byte, n)
			rand.Read(b)
			return b
		}
		for _, size := range []int{16, 32} {
			lengths := []int{0, 13, 64, 200, 600, 2000, 70_001}
			if testing.Short() {
				lengths = []int{13, 600, 2000}
			}
			for _, n := range lengths {
				key, nonce, plaintext, aad := fill(size), fill(NonceSize), fill(n), fill(30)
				b, err := aes.NewCipher(key)
				if err != nil {
					t.Fatal(err)
				}
				encrypt := func(ctr byte, iv []byte) []byte {
					out := append(bytes.Clone(iv), 0, 0, 0, ctr)
					b.Encrypt(out, out)
					return out
				}
				h := make([]byte, blockSize)
				b.Encrypt(h, h)
				mask, stream := encrypt(1, nonce), encrypt(2, nonce)
				sealed := Seal(k, nil, key, nonce, plaintext, aad)
				forged := bytes.Clone(sealed)
				forged[n] ^= 1
				secrets := [][]byte{key, schedule(key), h, mask, stream, plaintext}
				for _, s := range secrets[2:5] {
					r, mirrored := bytes.Clone(s), bytes.Clone(s)
					slices.Reverse(r)
					for i, c := range s {
						mirrored[i] = bits.Reverse8(c)
					}
					secrets = append(secrets, r, mirrored)
				}
				out := make([]byte, 0, n+TagSize)
				for what, c := range map[string]struct {
					f       func()
					secrets [][]byte
				}{
					"seal": {func() { Seal(k, out, key, nonce, plaintext, aad) }, secrets},
					"open": {func() {
						if _, err := Open(k, out, key, nonce, sealed, aad); err != nil {
							t.Error(err)
						}
					}, secrets},
					"forged": {func() {
						if _, err := Open(k, out, key, nonce, forged, aad); !errors.Is(err, ErrOpen) {
							t.Error(err)
						}
					}, append(slices.Clone(secrets), sealed[n:])},
				} {
					for _, where := range asmtest.Residue(cpu.Detect().Has(cpu.AVX512), c.f, c.secrets...) {
						t.Errorf("%s, key %d, plaintext %d: %s", what, size, n, where)
					}
				}
			}
		}
	})
}
