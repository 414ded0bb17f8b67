//go:build !purego

package aesgcm

import "unsafe"

// The kernels do a message of at most longest bytes in one call, a longer one in
// pieces of 64 KiB, because assembly cannot be preempted. Each piece expands the key
// anew, 2 % of its time, so that no key stands in memory in between.
//
// n bytes at src go to dst, na bytes at aad are hashed before them. ctr is the
// counter of the first block of data, 2 for the first piece. acc points to the hash
// of the pieces before, and is nil for the first one. What comes out is the hash, or
// with last = 1 the tag of a message that has aadTotal and total bytes. A piece that
// is not the last one has whole blocks only, but where additional data ends in it; a
// last one that is not the first has more than 256 bytes. dst may be src, and out may
// be acc. internal/asm/_gen/aesgcm says where the methods come from.

//go:noescape
func seal128VAES512(dst, src *byte, n uint64, aad *byte, na uint64, key, nonce *byte, ctr, last, aadTotal, total uint64, acc, out *byte)

//go:noescape
func open128VAES512(dst, src *byte, n uint64, aad *byte, na uint64, key, nonce *byte, ctr, last, aadTotal, total uint64, acc, out *byte)

//go:noescape
func seal256VAES512(dst, src *byte, n uint64, aad *byte, na uint64, key, nonce *byte, ctr, last, aadTotal, total uint64, acc, out *byte)

//go:noescape
func open256VAES512(dst, src *byte, n uint64, aad *byte, na uint64, key, nonce *byte, ctr, last, aadTotal, total uint64, acc, out *byte)

//go:noescape
func seal128VAES256(dst, src *byte, n uint64, aad *byte, na uint64, key, nonce *byte, ctr, last, aadTotal, total uint64, acc, out *byte)

//go:noescape
func open128VAES256(dst, src *byte, n uint64, aad *byte, na uint64, key, nonce *byte, ctr, last, aadTotal, total uint64, acc, out *byte)

//go:noescape
func seal256VAES256(dst, src *byte, n uint64, aad *byte, na uint64, key, nonce *byte, ctr, last, aadTotal, total uint64, acc, out *byte)

//go:noescape
func open256VAES256(dst, src *byte, n uint64, aad *byte, na uint64, key, nonce *byte, ctr, last, aadTotal, total uint64, acc, out *byte)

//go:noescape
func seal128AESNI(dst, src *byte, n uint64, aad *byte, na uint64, key, nonce *byte, ctr, last, aadTotal, total uint64, acc, out *byte)

//go:noescape
func open128AESNI(dst, src *byte, n uint64, aad *byte, na uint64, key, nonce *byte, ctr, last, aadTotal, total uint64, acc, out *byte)

//go:noescape
func seal256AESNI(dst, src *byte, n uint64, aad *byte, na uint64, key, nonce *byte, ctr, last, aadTotal, total uint64, acc, out *byte)

//go:noescape
func open256AESNI(dst, src *byte, n uint64, aad *byte, na uint64, key, nonce *byte, ctr, last, aadTotal, total uint64, acc, out *byte)

const (
	piece   = 64 << 10
	longest = piece + 1024
)

// sealKernel does a whole message; the tag follows the ciphertext.
func sealKernel(k Kernel, out, plaintext, key, nonce, aad []byte) {
	n, na := uint64(len(plaintext)), uint64(len(aad))
	if n+na > longest {
		pieces(k, false, out, plaintext, key, nonce, aad, (*[TagSize]byte)(out[n:]))
		return
	}
	dst, src, a := &out[0], unsafe.SliceData(plaintext), unsafe.SliceData(aad)
	switch {
	case k == VAES512 && len(key) == 16:
		seal128VAES512(dst, src, n, a, na, &key[0], &nonce[0], 2, 1, na, n, nil, &out[n])
	case k == VAES512:
		seal256VAES512(dst, src, n, a, na, &key[0], &nonce[0], 2, 1, na, n, nil, &out[n])
	default:
		call(k, false, dst, src, n, a, na, key, nonce, 2, 1, na, n, nil, &out[n])
	}
}

// openKernel does a whole message without its tag, and writes the one that it should
// have to tag.
func openKernel(k Kernel, out, ciphertext, key, nonce, aad []byte, tag *[TagSize]byte) {
	n, na := uint64(len(ciphertext)), uint64(len(aad))
	if n+na > longest {
		pieces(k, true, out, ciphertext, key, nonce, aad, tag)
		return
	}
	dst, src, a := unsafe.SliceData(out), unsafe.SliceData(ciphertext), unsafe.SliceData(aad)
	switch {
	case k == VAES512 && len(key) == 16:
		open128VAES512(dst, src, n, a, na, &key[0], &nonce[0], 2, 1, na, n, nil, &tag[0])
	case k == VAES512:
		open256VAES512(dst, src, n, a, na, &key[0], &nonce[0], 2, 1, na, n, nil, &tag[0])
	default:
		call(k, true, dst, src, n, a, na, key, nonce, 2, 1, na, n, nil, &tag[0])
	}
}

// pieces does pieces until a last one is left, of more than 1 KiB.
func pieces(k Kernel, open bool, dst, src, key, nonce, aad []byte, tag *[TagSize]byte) {
	aadTotal, total := uint64(len(aad)), uint64(len(src))
	ctr := uint64(2)
	var acc *byte
	for len(src)+len(aad) > longest {
		if len(aad) >= piece {
			call(k, open, nil, nil, 0, &aad[0], piece, key, nonce, ctr, 0, 0, 0, acc, &tag[0])
			aad = aad[piece:]
		} else {
			n := min(piece, (len(src)-(longest-piece))&^(blockSize-1))
			call(k, open, &dst[0], &src[0], uint64(n), unsafe.SliceData(aad), uint64(len(aad)), key, nonce, ctr, 0, 0, 0, acc, &tag[0])
			dst, src, aad, ctr = dst[n:], src[n:], nil, ctr+uint64(n/blockSize)
		}
		acc = &tag[0]
	}
	call(k, open, unsafe.SliceData(dst), unsafe.SliceData(src), uint64(len(src)), unsafe.SliceData(aad), uint64(len(aad)),
		key, nonce, ctr, 1, aadTotal, total, acc, &tag[0])
}

// call chooses the assembly.
func call(k Kernel, open bool, dst, src *byte, n uint64, aad *byte, na uint64, key, nonce []byte, ctr, last, aadTotal, total uint64, acc, out *byte) {
	long := len(key) == 32
	switch {
	case k == VAES512 && !open && long:
		seal256VAES512(dst, src, n, aad, na, &key[0], &nonce[0], ctr, last, aadTotal, total, acc, out)
	case k == VAES512 && !open && !long:
		seal128VAES512(dst, src, n, aad, na, &key[0], &nonce[0], ctr, last, aadTotal, total, acc, out)
	case k == VAES512 && open && long:
		open256VAES512(dst, src, n, aad, na, &key[0], &nonce[0], ctr, last, aadTotal, total, acc, out)
	case k == VAES512 && open && !long:
		open128VAES512(dst, src, n, aad, na, &key[0], &nonce[0], ctr, last, aadTotal, total, acc, out)
	case k == VAES256 && !open && long:
		seal256VAES256(dst, src, n, aad, na, &key[0], &nonce[0], ctr, last, aadTotal, total, acc, out)
	case k == VAES256 && !open && !long:
		seal128VAES256(dst, src, n, aad, na, &key[0], &nonce[0], ctr, last, aadTotal, total, acc, out)
	case k == VAES256 && open && long:
		open256VAES256(dst, src, n, aad, na, &key[0], &nonce[0], ctr, last, aadTotal, total, acc, out)
	case k == VAES256 && open && !long:
		open128VAES256(dst, src, n, aad, na, &key[0], &nonce[0], ctr, last, aadTotal, total, acc, out)
	case k == AESNI && !open && long:
		seal256AESNI(dst, src, n, aad, na, &key[0], &nonce[0], ctr, last, aadTotal, total, acc, out)
	case k == AESNI && !open && !long:
		seal128AESNI(dst, src, n, aad, na, &key[0], &nonce[0], ctr, last, aadTotal, total, acc, out)
	case k == AESNI && open && long:
		open256AESNI(dst, src, n, aad, na, &key[0], &nonce[0], ctr, last, aadTotal, total, acc, out)
	case k == AESNI && open && !long:
		open128AESNI(dst, src, n, aad, na, &key[0], &nonce[0], ctr, last, aadTotal, total, acc, out)
	}
}
