package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A wide kernel works on four blocks per register.
//
// The hash input, additional data ‖ ciphertext ‖ lengths, is a stream of N blocks,
// and it is right-aligned in vectors of four, for blocks of zeros in front change no
// hash.
//
//	short   N ≤ 16: everything in registers, loaded while the key is expanded. The
//	        last vector is full, and one set of powers, H⁴ H³ H² H, ends every
//	        message. Counters are aligned with the stream.
//	long    additional data is right-aligned alone, so that data begins with a
//	        vector and stores cross no cache line that they need not: first
//	        additional data vector by vector, then eight vectors of data at a time,
//	        then what is left. As many powers as there are blocks in the last vector
//	        end it.
//
// Loads and stores at the ends are masked. One whose mask is empty is jumped over:
// if its page is absent the processor takes the slow way even for lanes that are
// off.
type wide struct {
	bits   int
	open   bool
	rounds int
	key    []VecPhysical // round keys, in every lane: Z16 …
	labels int           // made by unique
}

func newWide(bits int, open bool) *wide {
	w := &wide{bits: bits, open: open, rounds: bits/32 + 6}
	w.key = zmm(16, 16+w.rounds+1)
	return w
}

// unique makes a label of code that is written more than once.
func (w *wide) unique(name string) string {
	w.labels++
	return label("%s%d", name, w.labels+100)
}

// General registers. Positions count bytes from the start of the stream, and dst,
// src and aad are such that they take positions.
var (
	dst, src, aad       = RDI, RSI, R8
	dataStart, dataEnd  = R11, R12
	aadStart, aadEnd    = R13, R14
	end                 = R10
	pos                 = RCX
	tmp0, tmp1, tmp2    = RAX, RBX, RDX
	table               = R9 // the frame, aligned
	counterLanes        = K7 // the last word of every block
	oddLanes, highLanes = K6, K5
)

// Places in the frame of a long message.
const (
	atPower  = 0   // (H⁴)⁸ … (H⁴)¹
	atFolded = 128 // the sum of the halves of each, for Karatsuba's middle product
	atLast   = 256 // H⁸ … H; of what follows, 64 bytes may be read and multiplied by zero
	atKeys   = 384 // the round keys after the eleventh, in every lane
	atMask   = 640 // E(J₀), which masks the tag
	frame    = 704
)

// inRegisters is how many round keys of a long message stay in registers.
const inRegisters = 11

// round returns round key i of a long message.
func (w *wide) round(i int) Op {
	if i < inRegisters {
		return w.key[i]
	}
	return Mem{Base: table, Disp: atKeys + 64*(i-inRegisters)}
}

// generate writes the function.
func (w *wide) generate() {
	name := label("%s%dVAES512", map[bool]string{false: "seal", true: "open"}[w.open], w.bits)
	TEXT(name, NOSPLIT, signature)
	AllocLocal(frame + 64)

	Comment("lane 0: the block of zeros, whose encryption is H; lane 1: J₀")
	Load(Param("key"), tmp0)
	Load(Param("nonce"), tmp1)
	VMOVQ(Mem{Base: tmp1}, X15)
	VPINSRD(U8(2), Mem{Base: tmp1, Disp: 8}, X15, X15)
	MOVL(U32(0x01000000), tmp2.As32())
	VPINSRD(U8(3), tmp2.As32(), X15, X1)
	VPXOR(X0, X0, X0)
	VINSERTI128(U8(1), X1, Y0, Y0)
	VSHUFI64X2(U8(0), Z15, Z15, Z15)
	w.expand(Y12, Y13, Y14, Y0)

	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("n"), dataEnd)
	Load(Param("aad"), aad)
	Load(Param("na"), aadEnd)

	Comment("blocks of additional data, of all")
	LEAQ(Mem{Base: aadEnd, Disp: 15}, dataStart)
	SHRQ(U8(4), dataStart)
	LEAQ(Mem{Base: dataEnd, Disp: 15}, end)
	SHRQ(U8(4), end)
	ADDQ(dataStart, end)
	Load(Param("last"), tmp0)
	ADDQ(tmp0, end)
	SHLQ(U8(4), dataStart)
	SHLQ(U8(4), end)

	MOVL(U32(0x8888), tmp1.As32())
	KMOVW(tmp1.As32(), counterLanes)
	MOVL(U32(0xcc), tmp1.As32())
	KMOVW(tmp1.As32(), oddLanes)
	MOVL(U32(0xf0), tmp1.As32())
	KMOVW(tmp1.As32(), highLanes)

	TESTQ(tmp0, tmp0)
	JE(to("long"))
	CMPQ(end, U32(256))
	JA(to("long"))
	w.short()
	Label("long")
	w.long()
}

// counter makes Z15 the counters of the vector at position 0: ctr stands at
// dataStart.
func (w *wide) counter() {
	MOVQ(dataStart, tmp1)
	SHRQ(U8(4), tmp1)
	Load(Param("ctr"), tmp2)
	SUBQ(tmp1, tmp2)
	VPBROADCASTD_Z(tmp2.As32(), counterLanes, Z14)
	VPADDD(Z14, Z15, Z15)
	VPADDD(lanes, Z15, Z15)
}

// expand makes the round keys of the key at tmp0 and encrypts s with each as it comes.
// It stands first, for the message can be looked at while the rounds of the schedule
// wait for each other; and it works in half registers, which some processors are
// quicker with, before it copies the keys to all lanes. It takes three registers.
func (w *wide) expand(t, u, c, s VecPhysical) {
	half := make([]VecPhysical, len(w.key))
	for i, key := range w.key {
		half[i] = key.AsY().(VecPhysical)
	}
	VBROADCASTI32X4(Mem{Base: tmp0}, half[0])
	if w.bits == 256 {
		VBROADCASTI32X4(Mem{Base: tmp0, Disp: 16}, half[1])
	}
	VPXORQ(half[0], s, s)
	for i := 1; i <= w.rounds; i++ {
		back := w.bits / 128 // the key that this one is a sum of
		switch {
		case i < back:
		case back == 1 || i%2 == 0:
			VPSHUFB(lastWord, half[i-1], t)
			VPBROADCASTD(rcon.Offset(4*(i/back-1)), c)
		default:
			VPSHUFD(U8(0xff), half[i-1], t)
			VPXORQ(c, c, c)
		}
		if i >= back {
			Comment("four times the word that goes through the S-box, and the sums of words")
			VAESENCLAST(c, t, t)
			VPSLLDQ(U8(4), half[i-back], u)
			VPXORQ(half[i-back], u, u)
			VPSLLDQ(U8(8), u, half[i])
			VPTERNLOGQ(U8(0x96), t, u, half[i])
		}
		if i < w.rounds {
			VAESENC(half[i], s, s)
		} else {
			VAESENCLAST(half[i], s, s)
		}
	}
	for _, key := range w.key {
		VSHUFI64X2(U8(0), key, key, key)
	}
}

// below makes m a mask of the lanes of the vector at position at that stand before
// the position p. at is a number or a register.
func below(p GPPhysical, at Op, m GPPhysical) {
	MOVQ(p, m)
	SUBQ(at, m)
	CMOVQLT(numbers, m)
	CMPQ(m, U8(64))
	CMOVQGT(numbers.Offset(8), m)
	BZHIQ(m, numbers.Offset(16), m)
}

// between makes m a mask of the lanes from one position to another.
func between(from, to GPPhysical, at Op, m, t GPPhysical) {
	below(to, at, m)
	below(from, at, t)
	NOTQ(t)
	ANDQ(t, m)
}

// lengths makes z the block of lengths in lane 3, reversed.
func lengths(z VecPhysical) {
	x := z.AsX().(VecPhysical)
	Load(Param("aadTotal"), tmp0)
	Load(Param("total"), tmp1)
	SHLQ(U8(3), tmp0)
	SHLQ(U8(3), tmp1)
	VMOVQ(tmp1, x)
	VPINSRQ(U8(1), tmp0, x, x)
	VSHUFI64X2(U8(0), z, z, z)
	VMOVDQA64_Z(z, K4, z)
}

// reduce folds a product, lo + mi·x⁶⁴ + hi·x¹²⁸ in reversed bits, into hi. It takes t.
func reduce(lo, mi, hi, t VecPhysical) {
	VPCLMULQDQ(U8(0x10), polynomial, lo, t)
	VPSHUFD(U8(0x4e), lo, lo)
	VPTERNLOGQ(U8(0x96), t, lo, mi)
	VPCLMULQDQ(U8(0x10), polynomial, mi, t)
	VPSHUFD(U8(0x4e), mi, mi)
	VPTERNLOGQ(U8(0x96), t, mi, hi)
}

// multiply makes hi = a·b in every lane; lo, mi and t are taken.
func multiply(a, b, lo, mi, hi, t VecPhysical) {
	VPCLMULQDQ(U8(0x00), a, b, lo)
	VPCLMULQDQ(U8(0x01), a, b, mi)
	VPCLMULQDQ(U8(0x10), a, b, t)
	VPXORQ(t, mi, mi)
	VPCLMULQDQ(U8(0x11), a, b, hi)
	reduce(lo, mi, hi, t)
}

// square makes hi = a² in every lane.
func square(a, lo, mi, hi, t VecPhysical) {
	VPCLMULQDQ(U8(0x00), a, a, lo)
	VPCLMULQDQ(U8(0x11), a, a, hi)
	VPXORQ(mi, mi, mi)
	reduce(lo, mi, hi, t)
}

// powers makes of H, reversed in lane 0 of h, the vector H⁴ H³ H² H in last, and H⁴
// in every lane of h4; all divided by x. h, y and four more are taken. It calls between after each product.
func powers(h, y, last, h4 VecPhysical, free []VecPhysical, between func()) {
	lo, mi, sq, t := free[0], free[1], free[2], free[3]
	Comment("H/x: shift left, and take the bit that falls out as x⁻¹ = x¹²⁷ + x⁶ + x + 1")
	VSHUFI64X2(U8(0), h, h, h)
	VPSHUFD(U8(0xff), h, lo)
	VPSRAD(U8(31), lo, lo)
	VPANDQ(polynomial, lo, lo)
	VPSRLQ(U8(63), h, mi)
	VPSLLDQ(U8(8), mi, mi)
	VPADDQ(h, h, h)
	VPTERNLOGQ(U8(0x96), lo, mi, h)
	Comment("H²; H⁴ and H³ of H² · (H², H)")
	square(h, lo, mi, sq, t)
	between()
	VMOVDQA64(sq, y)
	VMOVDQA64(h, oddLanes, y)
	multiply(y, sq, lo, mi, last, t)
	between()
	VSHUFI64X2(U8(0), last, last, h4)
	VMOVDQA64(y, highLanes, last)
}

// sum adds the lanes of z up into lane 0.
func sum(z, t VecPhysical) {
	x, y := z.AsX(), z.AsY()
	VEXTRACTI64X4(U8(1), z, t.AsY())
	VPXORQ(t.AsY(), y, y)
	VEXTRACTI64X2(U8(1), y, t.AsX())
	VPXORQ(t.AsX(), x, x)
}

// leave clears all vector registers and returns.
func leave() {
	VZEROALL()
	for _, z := range zmm(16, 32) {
		VPXORQ(z, z, z)
	}
	RET()
}
