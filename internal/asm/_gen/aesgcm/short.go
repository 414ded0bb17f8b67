package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// short does a whole message of at most 16 blocks, right-aligned in four vectors.
//
//	Z0        H, E(J₀)
//	Z1 – Z4   counters, then key stream, then output
//	Z5 – Z8   input, then what is hashed
//	Z9 – Z12  additional data and lengths
func (w *wide) short() {
	stream, data, extra := zmm(1, 5), zmm(5, 9), zmm(9, 13)
	mask := []OpmaskPhysical{K1, K2, K3, K4}

	MOVL(U32(0xc0), tmp1.As32())
	KMOVW(tmp1.As32(), K4)
	lengths(extra[3])

	MOVL(U32(256), aadStart.As32())
	SUBQ(end, aadStart)
	ADDQ(aadStart, aadEnd)
	ADDQ(aadStart, dataStart)
	ADDQ(dataStart, dataEnd)
	SUBQ(aadStart, aad)
	SUBQ(dataStart, src)
	SUBQ(dataStart, dst)
	w.counter()

	Comment("the counters, and what there is of additional data and input")
	for j := 3; j >= 0; j-- {
		if j < 3 {
			VPXORQ(extra[j], extra[j], extra[j])
			CMPQ(end, U32(64*(3-j)))
			JBE(to("loaded"))
		}
		VPXORQ(data[j], data[j], data[j])
		between(dataStart, dataEnd, U32(64*j), tmp0, tmp1)
		KMOVQ(tmp0, mask[j])
		TESTQ(tmp0, tmp0)
		JE(to(label("nodata%d", j)))
		VMOVDQU8_Z(Mem{Base: src, Disp: 64 * j}, mask[j], data[j])
		Label(label("nodata%d", j))
		between(aadStart, aadEnd, U32(64*j), tmp0, tmp1)
		TESTQ(tmp0, tmp0)
		JE(to(label("noaad%d", j)))
		KMOVQ(tmp0, K5)
		VMOVDQU8_Z(Mem{Base: aad, Disp: 64 * j}, K5, Z13)
		VPSHUFB(byteOrder, Z13, Z13)
		VPXORQ(Z13, extra[j], extra[j])
		Label(label("noaad%d", j))
	}
	Label("loaded")
	MOVL(U32(0xf0), tmp1.As32())
	KMOVW(tmp1.As32(), highLanes)
	for j := range 4 {
		VPSHUFB(ctrOrder, Z15, stream[j])
		if j < 3 {
			VPADDD(fours, Z15, Z15)
		}
	}
	encrypt := func(streams []VecPhysical) {
		for i, key := range w.key {
			for _, s := range streams {
				switch i {
				case 0:
					VPXORQ(key, s, s)
				case w.rounds:
					VAESENCLAST(key, s, s)
				default:
					VAESENC(key, s, s)
				}
			}
		}
	}
	CMPQ(end, U32(128))
	JA(to("four"))
	encrypt(stream[2:])
	JMP(to("encrypted"))
	Label("four")
	encrypt(stream)
	Label("encrypted")

	Comment("output, and what is hashed; the round keys are not needed any more")
	for j := 3; j >= 0; j-- {
		if j < 3 {
			CMPQ(end, U32(64*(3-j)))
			JBE(to("done"))
		}
		VPXORQ(data[j], stream[j], stream[j])
		if !w.open {
			VMOVDQU8_Z(stream[j], mask[j], data[j])
		}
		VPSHUFB(byteOrder, data[j], data[j])
		VPXORQ(extra[j], data[j], data[j])
		KTESTQ(mask[j], mask[j])
		JE(to(label("nostore%d", j)))
		VMOVDQU8(stream[j], mask[j], Mem{Base: dst, Disp: 64 * j})
		Label(label("nostore%d", j))
	}
	Label("done")

	h, y, last, h4, free := Z16, Z17, Z18, Z19, zmm(20, 24)
	lo, mi, hi, t := Z20, Z21, Z22, Z23
	VPSHUFB(byteOrder, Z0, h)
	VEXTRACTI64X2(U8(1), h.AsY(), X24)
	powers(h, y, last, h4, free, func() {})

	step := func(a, b VecPhysical) { // b += a·H⁴
		multiply(a, h4, lo, mi, hi, t)
		VPXORQ(hi, b, b)
	}
	CMPQ(end, U32(64))
	JBE(to("tag"))
	CMPQ(end, U32(128))
	JBE(to("two"))
	CMPQ(end, U32(192))
	JBE(to("three"))
	step(data[0], data[1])
	Label("three")
	step(data[1], data[2])
	Label("two")
	step(data[2], data[3])
	Label("tag")
	multiply(data[3], last, lo, mi, hi, t)
	sum(hi, t)
	VPXORQ(X24, hi.AsX(), hi.AsX())
	VPSHUFB(byteOrder, hi.AsX(), hi.AsX())
	Load(Param("out"), tmp0)
	VMOVDQU8(hi.AsX(), Mem{Base: tmp0})
	leave()
}
