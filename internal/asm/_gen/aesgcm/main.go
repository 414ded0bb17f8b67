// Command aesgcm writes the amd64 kernels of internal/asm/aesgcm.
//
// The method: GHASH in reflected bit order, a product of two 128-bit elements as
// carry-less products of 64 bits and a reduction in two folds, is that of S. Gueron
// and M. Kounavis, "Intel Carry-Less Multiplication Instruction and its Usage for
// Computing the GCM Mode", 2014, with the hash key divided by x beforehand and the
// polynomial's upper half, 0xc2…, as the multiplier of a fold. N. Drucker, S. Gueron
// and V. Krasnov, "Making AES great again: the forthcoming vectorized AES
// instruction", 2018, has AES on wide registers. The key schedule by AESENCLAST on
// four equal columns, which makes ShiftRows do nothing, the right-aligned stream and
// the arrangement are our own.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!purego")
	constants()
	for _, bits := range []int{128, 256} {
		for _, open := range []bool{false, true} {
			newWide(bits, open).generate()
		}
	}
	for _, width := range []int{2, 1} {
		for _, bits := range []int{128, 256} {
			for _, open := range []bool{false, true} {
				newNarrow(bits, width, open).generate()
			}
		}
	}
	Generate()
}

// signature is that of every kernel, see kernels_amd64.go.
const signature = "func(dst *byte, src *byte, n uint64, aad *byte, na uint64, key *byte, nonce *byte, ctr uint64, last uint64, aadTotal uint64, total uint64, acc *byte, out *byte)"

// Constants, repeated over 64 bytes where a vector of any width reads them.
var (
	byteOrder  Mem // reverses the 16 bytes of a block
	ctrOrder   Mem // reverses the last four bytes of a block
	lastWord   Mem // copies the last word of a block, rotated, to all four
	polynomial Mem // x^128 + x^127 + x^126 + x^121 + 1 without x^128, reflected
	rcon       Mem // FIPS 197 §5.2, one word each
	lanes      Mem // 0, 1, 2, 3 as counters of four blocks
	fours      Mem // 4 as the counter of each block
	steps      Mem // 4, 8, … 28 as the last byte of the counter of each block, in its place
	thirtyTwos Mem // 32 as the counter of each block
	counts     Mem // 0 … 15 as the counter of a block, 8, 16, 16
	numbers    Mem // 0, 64, -1, for conditional moves
)

// constants declares them.
func constants() {
	repeated := func(name string, lo, hi uint64) Mem {
		m := GLOBL(name, RODATA|NOPTR)
		for i := 0; i < 64; i += 16 {
			DATA(i, U64(lo))
			DATA(i+8, U64(hi))
		}
		return m
	}
	byteOrder = repeated("byteOrder", 0x08090a0b0c0d0e0f, 0x0001020304050607)
	ctrOrder = repeated("ctrOrder", 0x0706050403020100, 0x0c0d0e0f0b0a0908)
	lastWord = repeated("lastWord", 0x0c0f0e0d0c0f0e0d, 0x0c0f0e0d0c0f0e0d)
	polynomial = repeated("polynomial", 1, 0xc200000000000000)
	rcon = GLOBL("rcon", RODATA|NOPTR)
	for i, c := range []uint32{0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36} {
		DATA(4*i, U32(c))
	}
	lanes = GLOBL("lanes", RODATA|NOPTR)
	for i := range 4 {
		DATA(16*i, U64(0))
		DATA(16*i+8, U64(uint64(i)<<32))
	}
	numbers = GLOBL("numbers", RODATA|NOPTR)
	DATA(0, U64(0))
	DATA(8, U64(64))
	DATA(16, U64(1<<64-1))
	steps = GLOBL("steps", RODATA|NOPTR)
	for i := range 7 {
		for j := range 4 {
			DATA(64*i+16*j, U64(0))
			DATA(64*i+16*j+8, U64(uint64(4*i+4)<<56))
		}
	}
	thirtyTwos = repeated("thirtyTwos", 0, 32<<32)
	counts = GLOBL("counts", RODATA|NOPTR)
	for i, n := range []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 8, 16, 16} {
		DATA(16*i, U64(0))
		DATA(16*i+8, U64(n<<32))
	}
	fours = repeated("fours", 0, 4<<32)
}

// label makes a label of this function.
func label(name string, args ...any) string { return fmt.Sprintf(name, args...) }

// jump targets and references are LabelRef.
func to(name string) LabelRef { return LabelRef(name) }

// zmm gives the registers Z(from) to Z(to-1).
func zmm(from, to int) (z []VecPhysical) {
	all := []VecPhysical{
		Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15,
		Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30, Z31,
	}
	return all[from:to]
}
