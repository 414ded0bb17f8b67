//go:build !purego

package aesgcm

import "unsafe"

// The kernels on ZMM do a message of at most longest bytes in one call, a longer one
// in pieces of 64 KiB, because assembly cannot be preempted. Each piece expands the
// key anew, 2 % of its time, so that no key stands in memory in between.
//
// n bytes at src go to dst, na bytes at aad are hashed before them. ctr is the
// counter of the first block of data, 2 for the first piece. acc points to the hash
// of the pieces before, and is nil for the first one. What comes out is the hash, or
// with last = 1 the tag of a message that has aadTotal and total bytes; a piece that
// is not the last one has whole blocks only, of more than 256 bytes. dst may be src,
// and out may be acc.

//go:noescape
func seal128VAES512(dst, src *byte, n uint64, aad *byte, na uint64, key, nonce *byte, ctr, last, aadTotal, total uint64, acc, out *byte)

//go:noescape
func open128VAES512(dst, src *byte, n uint64, aad *byte, na uint64, key, nonce *byte, ctr, last, aadTotal, total uint64, acc, out *byte)

//go:noescape
func seal256VAES512(dst, src *byte, n uint64, aad *byte, na uint64, key, nonce *byte, ctr, last, aadTotal, total uint64, acc, out *byte)

//go:noescape
func open256VAES512(dst, src *byte, n uint64, aad *byte, na uint64, key, nonce *byte, ctr, last, aadTotal, total uint64, acc, out *byte)

const (
	piece   = 64 << 10
	longest = piece + 1024
)

// sealWide does a whole message; tag follows the ciphertext.
func sealWide(out, plaintext, key, nonce, aad []byte) {
	n, na := uint64(len(plaintext)), uint64(len(aad))
	if n+na > longest {
		piecesWide(false, out, plaintext, key, nonce, aad, (*[TagSize]byte)(out[n:]))
		return
	}
	dst, src, a := &out[0], unsafe.SliceData(plaintext), unsafe.SliceData(aad)
	if len(key) == 16 {
		seal128VAES512(dst, src, n, a, na, &key[0], &nonce[0], 2, 1, na, n, nil, &out[n])
	} else {
		seal256VAES512(dst, src, n, a, na, &key[0], &nonce[0], 2, 1, na, n, nil, &out[n])
	}
}

// openWide does a whole message without its tag, and writes the one that it should
// have to tag.
func openWide(out, ciphertext, key, nonce, aad []byte, tag *[TagSize]byte) {
	n, na := uint64(len(ciphertext)), uint64(len(aad))
	if n+na > longest {
		piecesWide(true, out, ciphertext, key, nonce, aad, tag)
		return
	}
	dst, src, a := unsafe.SliceData(out), unsafe.SliceData(ciphertext), unsafe.SliceData(aad)
	if len(key) == 16 {
		open128VAES512(dst, src, n, a, na, &key[0], &nonce[0], 2, 1, na, n, nil, &tag[0])
	} else {
		open256VAES512(dst, src, n, a, na, &key[0], &nonce[0], 2, 1, na, n, nil, &tag[0])
	}
}

// piecesWide does pieces until a last one is left, of more than 1 KiB.
func piecesWide(open bool, dst, src, key, nonce, aad []byte, tag *[TagSize]byte) {
	aadTotal, total := uint64(len(aad)), uint64(len(src))
	ctr := uint64(2)
	var acc *byte
	for len(src)+len(aad) > longest {
		if len(aad) >= piece {
			pieceWide(open, nil, nil, key, nonce, aad[:piece], ctr, 0, 0, 0, acc, &tag[0])
			aad = aad[piece:]
		} else {
			n := min(piece, (len(src)-(longest-piece))&^(blockSize-1))
			pieceWide(open, dst[:n], src[:n], key, nonce, aad, ctr, 0, 0, 0, acc, &tag[0])
			dst, src, aad, ctr = dst[n:], src[n:], nil, ctr+uint64(n/blockSize)
		}
		acc = &tag[0]
	}
	pieceWide(open, dst, src, key, nonce, aad, ctr, 1, aadTotal, total, acc, &tag[0])
}

func pieceWide(open bool, dst, src, key, nonce, aad []byte, ctr, last, aadTotal, total uint64, acc, out *byte) {
	n, na := uint64(len(src)), uint64(len(aad))
	to, from, a := unsafe.SliceData(dst), unsafe.SliceData(src), unsafe.SliceData(aad)
	switch {
	case !open && len(key) == 16:
		seal128VAES512(to, from, n, a, na, &key[0], &nonce[0], ctr, last, aadTotal, total, acc, out)
	case !open:
		seal256VAES512(to, from, n, a, na, &key[0], &nonce[0], ctr, last, aadTotal, total, acc, out)
	case len(key) == 16:
		open128VAES512(to, from, n, a, na, &key[0], &nonce[0], ctr, last, aadTotal, total, acc, out)
	default:
		open256VAES512(to, from, n, a, na, &key[0], &nonce[0], ctr, last, aadTotal, total, acc, out)
	}
}
