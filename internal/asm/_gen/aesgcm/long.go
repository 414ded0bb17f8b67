package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// long does a message of more than 16 blocks or a piece of one.
//
//	Z0 – Z7    counters, then key stream, then output
//	Z8         the hash
//	Z9 – Z11   a product: low, middle, high
//	Z12 – Z14  temporary
//	Z15        the next counters, in the byte order of the machine
//	Z16 …      round keys
//	Z27 – Z30  temporary among eights
//	Z31        H⁴ in every lane; temporary among eights
func (w *wide) long() {
	acc, h4 := Z8, Z31
	at := func(base GPPhysical, i int) Mem { return Mem{Base: base, Index: pos, Scale: 1, Disp: 64 * i} }

	Comment("additional data ends, and data begins, with a vector")
	MOVQ(dataStart, aadStart)
	NEGQ(aadStart)
	ANDQ(U8(63), aadStart)
	ADDQ(aadStart, end)
	ADDQ(aadStart, aadEnd)
	ADDQ(aadStart, dataStart)
	ADDQ(dataStart, dataEnd)
	SUBQ(aadStart, aad)
	SUBQ(dataStart, src)
	SUBQ(dataStart, dst)
	LEAQ(Mem{Base: SP, Disp: 63}, table)
	ANDQ(I8(-64), table)
	w.counter()
	for i := inRegisters; i <= w.rounds; i++ {
		VMOVDQU64(w.key[i], w.round(i))
	}
	VPSHUFB(byteOrder, Z0, Z0)
	VEXTRACTI64X2(U8(1), Y0, X1)
	VMOVDQU(X1, Mem{Base: table, Disp: atMask})
	powers(Z0, Z1, Z2, h4, zmm(3, 7))
	VMOVDQU64(Z2, Mem{Base: table, Disp: atLast + 64})
	multiply(Z2, h4, Z3, Z4, Z5, Z6)
	VMOVDQU64(Z5, Mem{Base: table, Disp: atLast})

	VPXORQ(acc, acc, acc)
	VPXORQ(Z12, Z12, Z12)
	XORL(pos.As32(), pos.As32())
	Load(Param("acc"), tmp0)
	TESTQ(tmp0, tmp0)
	JE(to("next"))
	Comment("the hash of the pieces before is added to the first block")
	MOVL(U32(0xffff), tmp1.As32())
	SHLXQ(aadStart, tmp1, tmp1)
	KMOVQ(tmp1, K1)
	SUBQ(aadStart, tmp0)
	VMOVDQU8_Z(Mem{Base: tmp0}, K1, Z12)
	VPSHUFB(byteOrder, Z12, Z12)

	w.slow(acc, h4)
	Label("next")
	CMPQ(pos, dataStart)
	JL(to("slow"))
	MOVQ(dataEnd, tmp2)
	SUBQ(pos, tmp2)
	SARQ(U8(6), tmp2)
	JLE(to("ends"))
	w.eights(acc, at)
	w.rest(acc, at)

	Comment("H⁴ again, should there be a vector whose last block is not whole")
	VBROADCASTI32X4(Mem{Base: table, Disp: atPower + 7*16}, h4)
	Label("ends")
	MOVQ(end, tmp2)
	SUBQ(pos, tmp2)
	CMPQ(tmp2, U8(64))
	JG(to("slow"))
	w.finish(acc)
}

// finish does the last blocks, tmp2 bytes and at most four of them with the lengths,
// and multiplies them with as many powers, the hash with the four powers before.
func (w *wide) finish(acc VecPhysical) {
	MOVQ(table, tmp0)
	SUBQ(tmp2, tmp0)
	VMOVDQU64(Mem{Base: tmp0, Disp: atLast + 64}, Z13)
	VPCLMULQDQ(U8(0x00), Z13, acc, Z9)
	VPCLMULQDQ(U8(0x01), Z13, acc, Z10)
	VPCLMULQDQ(U8(0x10), Z13, acc, Z14)
	VPCLMULQDQ(U8(0x11), Z13, acc, Z11)
	VPXORQ(Z14, Z10, Z10)
	VMOVDQU64(Mem{Base: tmp0, Disp: atLast + 128}, Z31)
	w.encryptTail()
	Load(Param("last"), tmp0)
	TESTQ(tmp0, tmp0)
	JE(to("nolengths"))
	Comment("the lengths, in the lane of the last block")
	MOVL(U32(3), tmp1.As32())
	SHRQ(U8(3), tmp2)
	SUBQ(U8(2), tmp2)
	SHLXQ(tmp2, tmp1, tmp1)
	KMOVW(tmp1.As32(), K4)
	lengths(Z13)
	VPXORQ(Z13, Z12, Z12)
	Label("nolengths")
	VPCLMULQDQ(U8(0x00), Z31, Z12, Z13)
	VPXORQ(Z13, Z9, Z9)
	VPCLMULQDQ(U8(0x01), Z31, Z12, Z13)
	VPXORQ(Z13, Z10, Z10)
	VPCLMULQDQ(U8(0x10), Z31, Z12, Z13)
	VPXORQ(Z13, Z10, Z10)
	VPCLMULQDQ(U8(0x11), Z31, Z12, Z13)
	VPXORQ(Z13, Z11, Z11)
	reduce(Z9, Z10, Z11, Z13)
	sum(Z11, Z13)
	Load(Param("last"), tmp0)
	TESTQ(tmp0, tmp0)
	JE(to("unmasked"))
	VPXOR(Mem{Base: table, Disp: atMask}, X11, X11)
	Label("unmasked")
	VPSHUFB(byteOrder, X11, X11)
	Load(Param("out"), tmp0)
	VMOVDQU(X11, Mem{Base: tmp0})

	VPXORQ(Z0, Z0, Z0)
	for i := 0; i < frame; i += 64 {
		VMOVDQU64(Z0, Mem{Base: table, Disp: i})
	}
	leave()
}

// encryptTail does the data that stands in the vector at pos, if any, and adds what
// is hashed of it to Z12. It takes Z0, Z13 and Z14.
func (w *wide) encryptTail() {
	at := func(base GPPhysical) Mem { return Mem{Base: base, Index: pos, Scale: 1} }
	none := w.unique("nodata")
	between(dataStart, dataEnd, pos, tmp0, tmp1)
	TESTQ(tmp0, tmp0)
	JE(to(none))
	KMOVQ(tmp0, K1)
	VMOVDQU8_Z(at(src), K1, Z13)
	VPSHUFB(ctrOrder, Z15, Z0)
	VPXORQ(w.key[0], Z0, Z0)
	for i := 1; i < w.rounds; i++ {
		VAESENC(w.round(i), Z0, Z0)
	}
	VAESENCLAST(w.round(w.rounds), Z0, Z0)
	VPXORQ(Z13, Z0, Z0)
	VMOVDQU8(Z0, K1, at(dst))
	if !w.open {
		VMOVDQU8_Z(Z0, K1, Z13)
	}
	VPSHUFB(byteOrder, Z13, Z13)
	VPXORQ(Z13, Z12, Z12)
	Label(none)
}

// slow does a vector of additional data, or of data whose last block is not whole.
func (w *wide) slow(acc, h4 VecPhysical) {
	Label("slow")
	CMPQ(pos, aadEnd)
	JGE(to("noaad"))
	between(aadStart, aadEnd, pos, tmp0, tmp1)
	KMOVQ(tmp0, K1)
	VMOVDQU8_Z(Mem{Base: aad, Index: pos, Scale: 1}, K1, Z13)
	VPSHUFB(byteOrder, Z13, Z13)
	VPXORQ(Z13, Z12, Z12)
	Label("noaad")
	w.encryptTail()
	VPADDD(fours, Z15, Z15)
	ADDQ(U8(64), pos)
	multiply(acc, h4, Z9, Z10, Z11, Z13)
	VPXORQ(Z11, Z12, acc)
	VPXORQ(Z12, Z12, Z12)
}

// item adds v·(H⁴)^k to the product. q points at the power; the first item sets the
// product. v is kept.
func item(v VecPhysical, q Mem, first bool) {
	VBROADCASTI32X4(q, Z14)
	VBROADCASTI32X4(q.Offset(atFolded-atPower), Z31)
	VPSHUFD(U8(0x4e), v, Z13)
	VPXORQ(v, Z13, Z13)
	if first {
		VPCLMULQDQ(U8(0x00), Z31, Z13, Z10)
		VPCLMULQDQ(U8(0x00), Z14, v, Z9)
		VPCLMULQDQ(U8(0x11), Z14, v, Z11)
		return
	}
	VPCLMULQDQ(U8(0x00), Z31, Z13, Z31)
	VPCLMULQDQ(U8(0x00), Z14, v, Z13)
	VPCLMULQDQ(U8(0x11), Z14, v, Z14)
	VPXORQ(Z31, Z10, Z10)
	VPXORQ(Z13, Z9, Z9)
	VPXORQ(Z14, Z11, Z11)
}

// collect reduces the product into Z11.
func collect() {
	VPTERNLOGQ(U8(0x96), Z9, Z11, Z10)
	reduce(Z9, Z10, Z11, Z13)
}

// eights does eight vectors of data at a time; tmp2 counts the vectors. The hash of
// eight vectors is interleaved with the rounds of the next eight when sealing, and
// with their own when opening; the product collects two vectors at a time.
func (w *wide) eights(acc VecPhysical, at func(GPPhysical, int) Mem) {
	Comment("(H⁴)⁴ … (H⁴)¹, and the four powers before if there are so many vectors")
	square(Z31, Z0, Z1, Z2, Z3)
	VMOVDQA64(Z2, Z4)
	VMOVDQA64(Z31, oddLanes, Z4)
	multiply(Z4, Z2, Z0, Z1, Z5, Z3)
	VSHUFI64X2(U8(0), Z5, Z5, Z6)
	VMOVDQA64(Z4, highLanes, Z5)
	store := func(z VecPhysical, disp int) {
		VMOVDQU64(z, Mem{Base: table, Disp: atPower + disp})
		VPSHUFD(U8(0x4e), z, Z3)
		VPXORQ(z, Z3, Z3)
		VMOVDQU64(Z3, Mem{Base: table, Disp: atFolded + disp})
	}
	store(Z5, 64)
	CMPQ(tmp2, U8(4))
	JLE(to("rest"))
	multiply(Z5, Z6, Z0, Z1, Z7, Z3)
	store(Z7, 0)
	SUBQ(U8(8), tmp2)
	JL(to("fewer"))

	// hash are the instructions that hash eight vectors at base, from vector first on.
	hash := func(base GPPhysical, first int) (list []func()) {
		emit := func(f func()) { list = append(list, f) }
		vector := func(i int, v VecPhysical) {
			emit(func() { VMOVDQU64(at(base, first+i), v) })
			emit(func() { VPSHUFB(byteOrder, v, v) })
		}
		for i := 0; i < 8; i += 2 {
			a, b := Z12, Z27
			vector(i, a)
			ka, kb := 16*(i+1), 16*(i+2)
			if i < 6 {
				vector(i+1, b)
			} else {
				b, kb = acc, 0
			}
			emit(func() { VBROADCASTI32X4(Mem{Base: table, Disp: atFolded + ka}, Z31) })
			emit(func() { VBROADCASTI32X4(Mem{Base: table, Disp: atFolded + kb}, Z29) })
			emit(func() { VPSHUFD(U8(0x4e), a, Z13) })
			emit(func() { VPSHUFD(U8(0x4e), b, Z30) })
			emit(func() { VPXORQ(a, Z13, Z13) })
			emit(func() { VPXORQ(b, Z30, Z30) })
			emit(func() { VBROADCASTI32X4(Mem{Base: table, Disp: atPower + ka}, Z14) })
			emit(func() { VBROADCASTI32X4(Mem{Base: table, Disp: atPower + kb}, Z28) })
			add := func(a, b, sum VecPhysical) {
				if i == 0 {
					emit(func() { VPXORQ(a, b, sum) })
				} else {
					emit(func() { VPTERNLOGQ(U8(0x96), a, b, sum) })
				}
			}
			emit(func() { VPCLMULQDQ(U8(0x00), Z31, Z13, Z31) })
			emit(func() { VPCLMULQDQ(U8(0x00), Z29, Z30, Z29) })
			emit(func() { VPCLMULQDQ(U8(0x00), Z14, a, Z13) })
			emit(func() { VPCLMULQDQ(U8(0x00), Z28, b, Z30) })
			add(Z31, Z29, Z10)
			emit(func() { VPCLMULQDQ(U8(0x11), Z14, a, Z14) })
			emit(func() { VPCLMULQDQ(U8(0x11), Z28, b, Z28) })
			add(Z13, Z30, Z9)
			add(Z14, Z28, Z11)
		}
		vector(7, Z12)
		emit(collect)
		emit(func() { VPXORQ(Z11, Z12, acc) })
		return list
	}
	// encrypt does eight vectors, with the instructions of list in between.
	encrypt := func(list []func()) {
		c := zmm(0, 8)
		counters, whole := w.unique("carry"), w.unique("whole")
		Comment("the last byte of 32 counters, which stands first, unless it overflows")
		ADDL(U32(32<<24), tmp1.As32())
		JCS(to(counters))
		VPSHUFB(ctrOrder, Z15, c[0])
		for i := 1; i < 8; i++ {
			VPADDD(steps.Offset(64*(i-1)), c[0], c[i])
		}
		JMP(to(whole))
		Label(counters)
		VMOVDQA64(Z15, Z12)
		for i := range c {
			VPSHUFB(ctrOrder, Z12, c[i])
			VPADDD(fours, Z12, Z12)
		}
		Label(whole)
		VPADDD(thirtyTwos, Z15, Z15)
		for i := range c {
			VPXORQ(w.round(0), c[i], c[i])
		}
		slots := 8 * (w.rounds - 1)
		done := 0
		for i := range slots {
			VAESENC(w.round(1+i/8), c[i%8], c[i%8])
			for ; done < len(list)*(i+1)/slots; done++ {
				list[done]()
			}
		}
		for i := range c {
			VAESENCLAST(w.round(w.rounds), c[i], c[i])
			VPXORQ(at(src, i), c[i], c[i])
		}
		for i := range c {
			VMOVDQU64(c[i], at(dst, i))
		}
		ADDQ(U32(512), pos)
	}
	Comment("the last byte of the counter, on top")
	MOVQ(pos, tmp1)
	SUBQ(dataStart, tmp1)
	SHRQ(U8(4), tmp1)
	Load(Param("ctr"), tmp0)
	ADDQ(tmp0, tmp1)
	SHLQ(U8(24), tmp1)
	if w.open {
		Label("eights")
		encrypt(hash(src, 0))
		SUBQ(U8(8), tmp2)
		JGE(to("eights"))
	} else {
		encrypt(nil)
		SUBQ(U8(8), tmp2)
		JL(to("hashed"))
		Label("eights")
		encrypt(hash(dst, -8))
		SUBQ(U8(8), tmp2)
		JGE(to("eights"))
		Label("hashed")
		for _, instruction := range hash(dst, -8) {
			instruction()
		}
	}
	Label("fewer")
	ADDQ(U8(8), tmp2)
	JE(to("rested"))
}

// rest does the one to seven vectors of data that are left, as one group.
func (w *wide) rest(acc VecPhysical, at func(GPPhysical, int) Mem) {
	c := zmm(0, 7)
	Label("rest")
	VMOVDQA64(Z15, Z12)
	for i := range c {
		VPSHUFB(ctrOrder, Z12, c[i])
		VPADDD(fours, Z12, Z12)
		VPXORQ(w.key[0], c[i], c[i])
	}
	for r := 1; r < w.rounds; r++ {
		for i := range c {
			VAESENC(w.round(r), c[i], c[i])
		}
	}
	for i := range c {
		VAESENCLAST(w.round(w.rounds), c[i], c[i])
	}
	Comment("table + 16·(8-vectors) is the power for the hash")
	MOVQ(tmp2, tmp1)
	NEGQ(tmp1)
	ADDQ(U8(8), tmp1)
	SHLQ(U8(4), tmp1)
	ADDQ(table, tmp1)
	item(acc, Mem{Base: tmp1, Disp: atPower}, true)
	for i := range c {
		VMOVDQU64(at(src, i), Z12)
		VPXORQ(Z12, c[i], c[i])
		VMOVDQU64(c[i], at(dst, i))
		if w.open {
			VPSHUFB(byteOrder, Z12, c[i])
		} else {
			VPSHUFB(byteOrder, c[i], c[i])
		}
		if i < 6 {
			CMPQ(tmp2, U8(uint8(i+1)))
			JE(to(label("rested%d", i)))
			item(c[i], Mem{Base: tmp1, Disp: atPower + 16*(i+1)}, false)
		}
	}
	for i := 6; i >= 0; i-- {
		Label(label("rested%d", i))
		collect()
		VPXORQ(Z11, c[i], acc)
		if i > 0 {
			JMP(to("added"))
		}
	}
	Label("added")
	SHLQ(U8(2), tmp2)
	VPBROADCASTD_Z(tmp2.As32(), counterLanes, Z13)
	VPADDD(Z13, Z15, Z15)
	SHLQ(U8(4), tmp2)
	ADDQ(tmp2, pos)
	VPXORQ(Z12, Z12, Z12)
	Label("rested")
	VPXORQ(Z12, Z12, Z12)
}
