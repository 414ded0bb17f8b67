//go:build !purego

package aesgcm

import (
	"crypto/subtle"
	"unsafe"

	"github.com/hardmls/hardmls/internal/asm/cpu"
)

const needARM64 = cpu.AES | cpu.PMULL

// Select returns the kernel for a CPU, and why it is this one.
func Select(f cpu.Features) (k Kernel, reason string) {
	if f.Has(needARM64) {
		return ARM64, needARM64.String()
	}
	return Generic, "lacks " + (needARM64 &^ f).String()
}

func seal(k Kernel, out, key, nonce, plaintext, aad []byte) {
	switch k {
	case ARM64:
		raceRead(key, nonce, plaintext, aad)
		raceWrite(out)
		n := len(plaintext)
		pieces(0, out[:n], plaintext, key, nonce, aad, (*[TagSize]byte)(out[n:]))
	default:
		sealGeneric(out, key, nonce, plaintext, aad)
	}
}

func open(k Kernel, out, key, nonce, ciphertext, aad []byte) bool {
	switch k {
	case ARM64:
		raceRead(key, nonce, ciphertext, aad)
		raceWrite(out)
		n := len(ciphertext) - TagSize
		// In place, the tag stands behind what is written.
		var tag [TagSize]byte
		pieces(1, out, ciphertext[:n], key, nonce, aad, &tag)
		ok := subtle.ConstantTimeCompare(tag[:], ciphertext[n:]) == 1
		tag = [TagSize]byte{}
		return ok
	default:
		return openGeneric(out, key, nonce, ciphertext, aad)
	}
}

// pieceARM64 encrypts, or decrypts with opening = 1, n bytes at src to dst and hashes
// first the na bytes at aad and then the ciphertext. A key has 16 bytes, with long = 1
// it has 32. ctr is the counter of the first block of data, 2 for the first piece. acc
// points to the hash of the pieces before, and is nil for the first one. What comes out
// is the hash, or with last = 1 the tag of a message that has aadTotal and total bytes;
// a piece that is not the last one has whole blocks only. dst may be src, and out may
// be acc.
//
//go:noescape
func pieceARM64(dst, src *byte, n uint64, aad *byte, na uint64, key *byte, long uint64, nonce *byte, ctr, opening, last, aadTotal, total uint64, acc, out *byte)

// piece is how many bytes of each kind go into one call, because assembly cannot be
// preempted. Each call expands the key anew, so that no key stands in memory in
// between.
const piece = 64 << 10

// pieces does a whole message; dst is as long as src.
func pieces(opening uint64, dst, src, key, nonce, aad []byte, tag *[TagSize]byte) {
	ctr, long := uint64(2), uint64(len(key)/32)
	aadTotal, total := uint64(len(aad)), uint64(len(src))
	var acc *byte
	do := func(n, na int, last uint64) {
		pieceARM64(unsafe.SliceData(dst), unsafe.SliceData(src), uint64(n), unsafe.SliceData(aad), uint64(na),
			&key[0], long, &nonce[0], ctr, opening, last, aadTotal, total, acc, &tag[0])
		dst, src, aad = dst[n:], src[n:], aad[na:]
		ctr += uint64(n / blockSize)
		acc = &tag[0]
	}
	for len(aad) > piece {
		do(0, piece, 0)
	}
	for len(src) > piece {
		do(piece, len(aad), 0)
	}
	do(len(src), len(aad), 1)
}
