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

// A direction is whether the output or the input is what is hashed.
type direction uint8

const (
	sealing direction = iota
	opening
)

const (
	piece   = 64 << 10
	longest = piece + 1024
)

// wide does a whole message; dst is as long as src.
func wide(d direction, dst, src, key, nonce, aad []byte, tag *[TagSize]byte) {
	if len(src)+len(aad) > longest {
		widePieces(d, dst, src, key, nonce, aad, tag)
		return
	}
	wideCall(d, dst, src, key, nonce, aad, 2, 1, uint64(len(aad)), uint64(len(src)), nil, &tag[0])
}

// widePieces does pieces until a last one is left, of more than 1 KiB.
func widePieces(d direction, dst, src, key, nonce, aad []byte, tag *[TagSize]byte) {
	aadTotal, total := uint64(len(aad)), uint64(len(src))
	ctr := uint64(2)
	var acc *byte
	for len(src)+len(aad) > longest {
		if len(aad) >= piece {
			wideCall(d, nil, nil, key, nonce, aad[:piece], ctr, 0, 0, 0, acc, &tag[0])
			aad = aad[piece:]
		} else {
			n := min(piece, (len(src)-(longest-piece))&^(blockSize-1))
			wideCall(d, dst[:n], src[:n], key, nonce, aad, ctr, 0, 0, 0, acc, &tag[0])
			dst, src, aad, ctr = dst[n:], src[n:], nil, ctr+uint64(n/blockSize)
		}
		acc = &tag[0]
	}
	wideCall(d, dst, src, key, nonce, aad, ctr, 1, aadTotal, total, acc, &tag[0])
}

func wideCall(d direction, dst, src, key, nonce, aad []byte, ctr, last, aadTotal, total uint64, acc, out *byte) {
	n, na := uint64(len(src)), uint64(len(aad))
	to, from, a := unsafe.SliceData(dst), unsafe.SliceData(src), unsafe.SliceData(aad)
	switch {
	case d == sealing && len(key) == 16:
		seal128VAES512(to, from, n, a, na, &key[0], &nonce[0], ctr, last, aadTotal, total, acc, out)
	case d == sealing:
		seal256VAES512(to, from, n, a, na, &key[0], &nonce[0], ctr, last, aadTotal, total, acc, out)
	case len(key) == 16:
		open128VAES512(to, from, n, a, na, &key[0], &nonce[0], ctr, last, aadTotal, total, acc, out)
	default:
		open256VAES512(to, from, n, a, na, &key[0], &nonce[0], ctr, last, aadTotal, total, acc, out)
	}
}
