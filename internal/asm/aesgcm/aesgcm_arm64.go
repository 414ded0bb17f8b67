//go:build !purego

package aesgcm

import (
	"crypto/subtle"
	"encoding/binary"
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
		var m message
		m.begin(key, nonce)
		m.hash(aad)
		m.crypt(out[:n], plaintext)
		m.hash(out[:n])
		m.end(uint64(len(aad)), uint64(n))
		copyBlock(out[n:], &m.acc)
		m = message{}
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
		var m message
		m.begin(key, nonce)
		m.hash(aad)
		m.hash(ciphertext[:n])
		m.end(uint64(len(aad)), uint64(n))
		ok := subtle.ConstantTimeCompare(m.acc[:], ciphertext[n:]) == 1
		if ok { // nothing is decrypted before it is authentic
			m.crypt(out, ciphertext[:n])
		}
		m = message{}
		return ok
	default:
		return openGeneric(out, key, nonce, ciphertext, aad)
	}
}

// message is what one message needs while it is sealed or opened.
type message struct {
	rk     [15][blockSize]byte // round keys
	rounds uint64
	powers [8][blockSize]byte // see powersPMULL
	ctr    [blockSize]byte
	mask   [blockSize]byte // of the tag
	acc    [blockSize]byte // GHASH, in the end the tag
	buf    [blockSize]byte // a block that is not whole
}

//go:noescape
func expandAES(rk *[15][16]byte, key *byte, long uint64)

//go:noescape
func ctrAES(rk *[15][16]byte, rounds uint64, dst, src *byte, n uint64, ctr *[16]byte)

//go:noescape
func powersPMULL(powers *[8][16]byte, h *[16]byte)

//go:noescape
func ghashPMULL(acc *[16]byte, powers *[8][16]byte, p *byte, n uint64)

// begin expands the key, derives the hash key and the mask of the tag, and leaves the
// counter at the first block of data, SP 800-38D §7.1.
func (m *message) begin(key, nonce []byte) {
	m.rounds = 10
	if len(key) == 32 {
		m.rounds = 14
	}
	expandAES(&m.rk, &key[0], m.rounds-10)
	ctrAES(&m.rk, m.rounds, &m.buf[0], &m.buf[0], 1, &m.ctr) // E(0)
	powersPMULL(&m.powers, &m.buf)
	copyBlock(m.ctr[:], (*[blockSize]byte)(append(append(m.buf[:0], nonce...), 0, 0, 0, 1)))
	ctrAES(&m.rk, m.rounds, &m.mask[0], &m.mask[0], 1, &m.ctr)
}

// piece is how many bytes go into one call: assembly cannot be preempted.
const piece = 64 << 10

// crypt encrypts or decrypts.
func (m *message) crypt(dst, src []byte) {
	for len(src) >= blockSize {
		n := min(len(src)&^(blockSize-1), piece)
		ctrAES(&m.rk, m.rounds, unsafe.SliceData(dst), unsafe.SliceData(src), uint64(n/blockSize), &m.ctr)
		dst, src = dst[n:], src[n:]
	}
	if len(src) > 0 {
		clear(m.buf[:])
		copy(m.buf[:], src)
		ctrAES(&m.rk, m.rounds, &m.buf[0], &m.buf[0], 1, &m.ctr)
		copy(dst, m.buf[:len(src)])
	}
}

// hash hashes b, padded with zeros to whole blocks.
func (m *message) hash(b []byte) {
	for len(b) >= blockSize {
		n := min(len(b)&^(blockSize-1), piece)
		ghashPMULL(&m.acc, &m.powers, unsafe.SliceData(b), uint64(n/blockSize))
		b = b[n:]
	}
	if len(b) > 0 {
		clear(m.buf[:])
		copy(m.buf[:], b)
		ghashPMULL(&m.acc, &m.powers, &m.buf[0], 1)
	}
}

// end hashes the lengths and makes the tag.
func (m *message) end(aad, data uint64) {
	binary.BigEndian.PutUint64(m.buf[:8], aad*8)
	binary.BigEndian.PutUint64(m.buf[8:], data*8)
	ghashPMULL(&m.acc, &m.powers, &m.buf[0], 1)
	subtle.XORBytes(m.acc[:], m.acc[:], m.mask[:])
}

func copyBlock(dst []byte, src *[blockSize]byte) { copy(dst, src[:]) }
