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
	for i := inRegisters; i <= w.rounds; i++ {
		VMOVDQU64(w.key[i], w.round(i))
	}
	Load(Param("ctr"), tmp1)
	VPBROADCASTD_Z(tmp1.As32(), counterLanes, Z14)
	VPADDD(Z14, Z15, Z15)
	VPADDD(lanes, Z15, Z15)
	VPSHUFB(byteOrder, Z0, Z8)
	VEXTRACTI64X2(U8(1), Y8, X9)
	VMOVDQU(X9, Mem{Base: table, Disp: atMask})

	Comment("the powers, and the key stream of the first four or eight vectors meanwhile")
	MOVQ(dataEnd, tmp0)
	SUBQ(dataStart, tmp0)
	CMPQ(tmp0, U32(256))
	JA(to("many"))
	w.prepare(4)
	JMP(to("prepared"))
	Label("many")
	w.prepare(8)
	Label("prepared")
	VPXORQ(acc, acc, acc)
	VPXORQ(Z12, Z12, Z12)
	XORL(pos.As32(), pos.As32())
	Load(Param("acc"), tmp0)
	TESTQ(tmp0, tmp0)
	JE(to("additional"))
	Comment("the hash of the pieces before is added to the first block")
	MOVL(U32(0xffff), tmp1.As32())
	SHLXQ(aadStart, tmp1, tmp1)
	KMOVQ(tmp1, K1)
	SUBQ(aadStart, tmp0)
	VMOVDQU8_Z(Mem{Base: tmp0}, K1, Z12)
	VPSHUFB(byteOrder, Z12, Z12)
	TESTQ(dataStart, dataStart)
	JNE(to("additional"))
	w.encryptTail()
	w.add(acc, h4)
	JMP(to("stream"))

	Label("additional")
	CMPQ(pos, dataStart)
	JGE(to("data"))
	between(aadStart, aadEnd, pos, tmp0, tmp1)
	KMOVQ(tmp0, K1)
	VMOVDQU8_Z(Mem{Base: aad, Index: pos, Scale: 1}, K1, Z13)
	VPSHUFB(byteOrder, Z13, Z13)
	VPXORQ(Z13, Z12, Z12)
	w.add(acc, h4)
	JMP(to("additional"))

	Label("stream")
	VMOVDQA64(Z15, Z12)
	for i, c := range zmm(0, 8) {
		VPSHUFB(ctrOrder, Z12, c)
		if i < 7 {
			VPADDD(fours, Z12, Z12)
		}
	}
	for i := range w.key {
		w.roundOf(i, zmm(0, 8))
	}
	Label("data")
	MOVQ(dataEnd, tmp2)
	SUBQ(pos, tmp2)
	SHRQ(U8(6), tmp2)
	CMPQ(tmp2, U8(8))
	JL(to("rest"))
	w.eights(acc)
	Label("rest")
	w.rest(acc)

	Label("ends")
	VPXORQ(Z12, Z12, Z12)
	MOVQ(end, tmp2)
	SUBQ(pos, tmp2)
	CMPQ(tmp2, U8(64))
	JLE(to("finish"))
	Comment("a vector whose last block is not whole, and the lengths alone after it")
	VBROADCASTI32X4(Mem{Base: table, Disp: atPower + 7*16}, h4)
	w.encryptTail()
	w.add(acc, h4)
	MOVL(U32(16), tmp2.As32())
	Label("finish")
	w.finish(acc)
}

// roundOf does round i, or what comes before the first, of streams.
func (w *wide) roundOf(i int, streams []VecPhysical) {
	for _, s := range streams {
		switch i {
		case 0:
			VPXORQ(w.round(0), s, s)
		case w.rounds:
			VAESENCLAST(w.round(i), s, s)
		default:
			VAESENC(w.round(i), s, s)
		}
	}
}

// prepare makes the powers of H, which is reversed in lane 0 of Z8, and the key stream
// of the first vectors in Z0 …, a few rounds of it after each product.
func (w *wide) prepare(streams int) {
	c, h4 := zmm(0, streams), Z31
	VMOVDQA64(Z15, Z14)
	for i := range c {
		VPSHUFB(ctrOrder, Z14, c[i])
		if i < streams-1 {
			VPADDD(fours, Z14, Z14)
		}
	}
	done := 0
	rounds := func(n int) {
		for ; n > 0 && done <= w.rounds; n-- {
			w.roundOf(done, c)
			done++
		}
	}
	each := w.rounds / 4
	rounds(2)
	powers(Z8, Z9, Z10, h4, zmm(11, 15), func() { rounds(each) })
	VMOVDQU64(Z10, Mem{Base: table, Disp: atLast + 64})

	Comment("(H⁴)⁴ … (H⁴)¹, and the four powers before if there may be so many vectors")
	multiply(Z10, h4, Z11, Z12, Z13, Z14)
	VMOVDQU64(Z13, Mem{Base: table, Disp: atLast})
	square(h4, Z11, Z12, Z8, Z14)
	rounds(each)
	VMOVDQA64(Z8, Z9)
	VMOVDQA64(h4, oddLanes, Z9)
	multiply(Z9, Z8, Z11, Z12, Z10, Z14)
	VSHUFI64X2(U8(0), Z10, Z10, Z13)
	VMOVDQA64(Z9, highLanes, Z10)
	store := func(z VecPhysical, disp int) {
		VMOVDQU64(z, Mem{Base: table, Disp: atPower + disp})
		VPSHUFD(U8(0x4e), z, Z14)
		VPXORQ(z, Z14, Z14)
		VMOVDQU64(Z14, Mem{Base: table, Disp: atFolded + disp})
	}
	store(Z10, 64)
	rounds(each)
	if streams == 8 {
		multiply(Z10, Z13, Z11, Z12, Z8, Z14)
		store(Z8, 0)
	}
	rounds(w.rounds)
}

// add hashes the vector in Z12, and clears it.
func (w *wide) add(acc, h4 VecPhysical) {
	ADDQ(U8(64), pos)
	multiply(acc, h4, Z9, Z10, Z11, Z13)
	VPXORQ(Z11, Z12, acc)
	VPXORQ(Z12, Z12, Z12)
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

// encryptTail does the data that stands in the vector at pos, if any, with the key
// stream in Z0, and adds what is hashed of it to Z12. It takes Z0 and Z13.
func (w *wide) encryptTail() {
	at := func(base GPPhysical) Mem { return Mem{Base: base, Index: pos, Scale: 1} }
	none := w.unique("nodata")
	between(dataStart, dataEnd, pos, tmp0, tmp1)
	TESTQ(tmp0, tmp0)
	JE(to(none))
	KMOVQ(tmp0, K1)
	VMOVDQU8_Z(at(src), K1, Z13)
	VPXORQ(Z13, Z0, Z0)
	VMOVDQU8(Z0, K1, at(dst))
	if !w.open {
		VMOVDQU8_Z(Z0, K1, Z13)
	}
	VPSHUFB(byteOrder, Z13, Z13)
	VPXORQ(Z13, Z12, Z12)
	VPADDD(fours, Z15, Z15)
	Label(none)
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

// at is the vector i after pos.
func at(base GPPhysical, i int) Mem { return Mem{Base: base, Index: pos, Scale: 1, Disp: 64 * i} }

// eights does eight vectors of data at a time; tmp2 counts the vectors, and the key
// stream of the first eight is there; it goes on to the rest or the ends. The hash of eight vectors is interleaved with
// the rounds of the next eight when sealing, and with their own when opening; the
// product collects two vectors at a time.
func (w *wide) eights(acc VecPhysical) {
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
		w.roundOf(0, c)
		slots := 8 * (w.rounds - 1)
		done := 0
		for i := range slots {
			VAESENC(w.round(1+i/8), c[i%8], c[i%8])
			for ; done < len(list)*(i+1)/slots; done++ {
				list[done]()
			}
		}
		w.roundOf(w.rounds, c)
	}
	// apply encrypts eight vectors.
	apply := func() {
		c := zmm(0, 8)
		for i := range c {
			VPXORQ(at(src, i), c[i], c[i])
		}
		for i := range c {
			VMOVDQU64(c[i], at(dst, i))
		}
		ADDQ(U32(512), pos)
		SUBQ(U8(8), tmp2)
		CMPQ(tmp2, U8(8))
	}
	run := func(list []func()) {
		for _, instruction := range list {
			instruction()
		}
	}
	Comment("the last byte of the counter, on top")
	MOVQ(pos, tmp1)
	SUBQ(dataStart, tmp1)
	SHRQ(U8(4), tmp1)
	Load(Param("ctr"), tmp0)
	LEAQ(Mem{Base: tmp0, Index: tmp1, Scale: 1, Disp: 0}, tmp1)
	SHLQ(U8(24), tmp1)
	ADDL(U32(32<<24), tmp1.As32())
	VPADDD(thirtyTwos, Z15, Z15)
	if w.open {
		run(hash(src, 0))
		apply()
		JL(to("fewer"))
		Label("eights")
		encrypt(hash(src, 0))
		apply()
		JGE(to("eights"))
		Label("fewer")
		CMPQ(pos, dataEnd)
		JNE(to("stream"))
		JMP(to("ends"))
	} else {
		apply()
		JL(to("hashed"))
		Label("eights")
		encrypt(hash(dst, -8))
		apply()
		JGE(to("eights"))
		Label("hashed")
		CMPQ(pos, dataEnd)
		JE(to("alone"))
		encrypt(hash(dst, -8))
		JMP(to("rest"))
		Label("alone")
		run(hash(dst, -8))
		JMP(to("ends"))
	}
}

// rest does the vectors of data that are left, at most seven, as one group. Their key
// stream is there, and that of the vector after them goes to Z0.
func (w *wide) rest(acc VecPhysical) {
	c := zmm(0, 8)
	TESTQ(tmp2, tmp2)
	JE(to("ends"))
	Comment("table + 16·(8-vectors) is the power for the hash")
	MOVQ(tmp2, tmp1)
	NEGQ(tmp1)
	ADDQ(U8(8), tmp1)
	SHLQ(U8(4), tmp1)
	ADDQ(table, tmp1)
	item(acc, Mem{Base: tmp1, Disp: atPower}, true)
	for i := range 7 {
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
		VMOVDQA64(c[i+1], Z0)
		if i > 0 {
			JMP(to("added"))
		}
	}
	Label("added")
	SHLQ(U8(6), tmp2)
	ADDQ(tmp2, pos)
}
