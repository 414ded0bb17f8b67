// Package aesgcm is AES-GCM, NIST SP 800-38D, for keys that seal or open one
// message: a call expands the key, derives the hash key, encrypts and
// authenticates, and leaves neither keys nor states behind. MLS uses every AEAD key
// once, so this is the cost that counts.
//
// The kernels allocate nothing and clear the registers and stack that held secrets.
// Generic is the standard library, which allocates two objects and cannot wipe
// them; under GODEBUG=fips140=only it refuses nonces that it has not drawn itself
// and Generic panics.
//
// Keys are 16 or 32 bytes, nonces 12, tags 16. A wrong length and a forbidden
// overlap are bugs of the caller and panic, as crypto/cipher does.
package aesgcm

import (
	"errors"
	"unsafe"
)

//go:generate go run -C ../_gen ./aesgcm -out ../aesgcm/aesgcm_amd64.s

const (
	NonceSize = 12
	TagSize   = 16
	blockSize = 16

	maxPlaintext = (1<<32 - 2) * blockSize // SP 800-38D §5.2.1.1
)

// ErrOpen is what Open returns for everything that is not authentic.
var ErrOpen = errors.New("aesgcm: message authentication failed")

// A Kernel is an implementation. Only Select and tests choose one: a kernel whose
// instructions the CPU lacks must not be called.
type Kernel uint8

const (
	Generic Kernel = iota // the standard library
	AESNI                 // amd64: AES-NI and PCLMULQDQ, with AVX's encoding
	VAES256               // amd64: VAES and VPCLMULQDQ on YMM
	VAES512               // amd64: VAES and VPCLMULQDQ on ZMM
	ARM64                 // arm64: AES and PMULL
)

// String names the kernel as a report does.
func (k Kernel) String() string {
	switch k {
	case AESNI:
		return "aesni"
	case VAES256:
		return "vaes256"
	case VAES512:
		return "vaes512"
	case ARM64:
		return "arm64"
	}
	return "generic"
}

// Seal encrypts plaintext, authenticates it and aad, and appends ciphertext and tag
// to dst. The plaintext may be exactly where the ciphertext goes (plaintext[:0] as
// dst); no other overlap of dst's free part with plaintext, and none with aad, is
// allowed, nor any with key or nonce. The same key must not be used with the same
// nonce again.
func Seal(k Kernel, dst, key, nonce, plaintext, aad []byte) []byte {
	check(key, nonce)
	if uint64(len(plaintext)) > maxPlaintext {
		panic("aesgcm: message too long")
	}
	ret, out := extend(dst, len(plaintext)+TagSize)
	checkOverlap(out, plaintext, aad)
	seal(k, out, key, nonce, plaintext, aad)
	return ret
}

// Open authenticates ciphertext, which ends with the tag, and aad, and appends the
// plaintext to dst. The ciphertext may be exactly where the plaintext goes
// (ciphertext[:0] as dst), with the rules of Seal for any other overlap. If it is
// not authentic, Open returns ErrOpen and the free part of dst that the plaintext
// would have taken is zero.
func Open(k Kernel, dst, key, nonce, ciphertext, aad []byte) ([]byte, error) {
	check(key, nonce)
	if len(ciphertext) < TagSize || uint64(len(ciphertext)) > maxPlaintext+TagSize {
		return nil, ErrOpen
	}
	n := len(ciphertext) - TagSize
	ret, out := extend(dst, n)
	checkOverlap(out, ciphertext, aad)
	if !open(k, out, key, nonce, ciphertext, aad) {
		clear(out)
		return nil, ErrOpen
	}
	return ret, nil
}

func check(key, nonce []byte) {
	if len(key) != 16 && len(key) != 32 {
		panic("aesgcm: key of a wrong length")
	}
	if len(nonce) != NonceSize {
		panic("aesgcm: nonce of a wrong length")
	}
}

// checkOverlap panics unless out begins where in does or lies apart from it, and
// apart from aad.
func checkOverlap(out, in, aad []byte) {
	if overlap(out, in) && &out[0] != &in[0] {
		panic("aesgcm: input and output overlap without being the same")
	}
	if overlap(out, aad) {
		panic("aesgcm: output overlaps the additional data")
	}
}

func overlap(a, b []byte) bool {
	return len(a) > 0 && len(b) > 0 &&
		uintptr(unsafe.Pointer(&a[0])) <= uintptr(unsafe.Pointer(&b[len(b)-1])) &&
		uintptr(unsafe.Pointer(&b[0])) <= uintptr(unsafe.Pointer(&a[len(a)-1]))
}

// extend returns dst longer by n, and the part behind dst.
func extend(dst []byte, n int) (ret, out []byte) {
	total := len(dst) + n
	if total < len(dst) {
		panic("aesgcm: message too long")
	}
	if total <= cap(dst) {
		ret = dst[:total]
	} else {
		ret = make([]byte, total)
		copy(ret, dst)
	}
	return ret, ret[len(dst):]
}
