package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A narrow kernel has sixteen registers of one block (AES-NI) or two (VAES on YMM),
// and no masks. Round keys and powers of H stand in the frame. It works on groups of
// eight registers: while their rounds run, the group before is hashed when sealing,
// the group itself when opening. What is left over, and additional data, is hashed
// block by block, with one reduction for as many blocks as there are powers.
//
//	X0 – X7    counters, key stream, output
//	X8         the hash
//	X9 – X11   a product: low, middle, high
//	X12 – X14  temporary
//	X15        a round key; temporary
type narrow struct {
	bits, rounds int
	open         bool
	width        int // blocks in a register
	group        int // blocks in eight registers
	labels       int // made by unique

	// Places in the frame.
	power, folded, stream, ctr, mask, bounce, frame int
}

func newNarrow(bits, width int, open bool) *narrow {
	k := &narrow{bits: bits, rounds: bits/32 + 6, open: open, width: width, group: 8 * width}
	k.power = 256 // after the round keys: H^group … H
	k.folded = k.power + 16*k.group
	k.stream = k.folded + 16*k.group
	k.ctr = k.stream + 16*k.group
	k.mask = k.ctr + 32
	k.bounce = k.mask + 16
	k.frame = k.bounce + 16
	return k
}

// v returns register i.
func (k *narrow) v(i int) VecPhysical {
	x := []VecPhysical{X0, X1, X2, X3, X4, X5, X6, X7, X8, X9, X10, X11, X12, X13, X14, X15}[i]
	if k.width == 2 {
		return x.AsY().(VecPhysical)
	}
	return x
}

// unique makes a label of code that is written more than once.
func (k *narrow) unique(name string) string {
	k.labels++
	return label("%s%d", name, k.labels)
}

// General registers besides those of the wide kernels.
var (
	size, aadSize = RDX, R9
	base          = R10 // the frame, aligned
	quotient      = R11 // the power of the next block
	cursor        = R12
	left          = R13
)

// at is a place in the frame.
func (k *narrow) at(place int) Mem { return Mem{Base: base, Disp: place} }

// h returns where H^i stands.
func (k *narrow) h(i int) Mem { return k.at(k.power + 16*(k.group-i)) }

// generate writes the function.
func (k *narrow) generate() {
	name := label("%s%d%s", map[bool]string{false: "seal", true: "open"}[k.open], k.bits, map[int]string{1: "AESNI", 2: "VAES256"}[k.width])
	attributes := NOSPLIT
	if k.width == 2 {
		attributes = 0 // too large a frame
	}
	TEXT(name, attributes, signature)
	AllocLocal(k.frame + 32)
	LEAQ(Mem{Base: SP, Disp: 31}, base)
	ANDQ(I8(-32), base)
	k.expand()
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("n"), size)
	Load(Param("aad"), aad)
	Load(Param("na"), aadSize)
	k.powers()

	VPXOR(X8, X8, X8)
	Load(Param("acc"), tmp0)
	TESTQ(tmp0, tmp0)
	JE(to("fresh"))
	VMOVDQU(Mem{Base: tmp0}, X8)
	VPSHUFB(byteOrder, X8, X8)
	Label("fresh")
	MOVQ(aad, cursor)
	MOVQ(aadSize, left)
	k.hash()

	k.groups()
	k.tail()
	k.finish()
}

// expand makes the round keys, and E(0) = H in X0 and E(J₀) in X1 with them. It sets
// the counter.
func (k *narrow) expand() {
	Load(Param("key"), tmp0)
	Load(Param("nonce"), tmp1)
	VMOVQ(Mem{Base: tmp1}, X1)
	VPINSRD(U8(2), Mem{Base: tmp1, Disp: 8}, X1, X1)
	Load(Param("ctr"), tmp1)
	VPINSRD(U8(3), tmp1.As32(), X1, X2)
	VMOVDQU(X2, k.at(k.ctr))
	VMOVDQU(X2, k.at(k.ctr+16))
	MOVL(U32(0x01000000), tmp1.As32())
	VPINSRD(U8(3), tmp1.As32(), X1, X1)
	VMOVDQU(Mem{Base: tmp0}, X2)
	VMOVDQU(X2, k.at(0))
	VMOVDQA(X2, X0)
	VPXOR(X2, X1, X1)
	if k.bits == 256 {
		VMOVDQU(Mem{Base: tmp0, Disp: 16}, X3)
		VMOVDQU(X3, k.at(16))
		VAESENC(X3, X0, X0)
		VAESENC(X3, X1, X1)
	} else {
		VMOVDQA(X2, X3)
	}
	from, last := VecPhysical(X2), VecPhysical(X3)
	for i := k.bits / 128; i <= k.rounds; i++ {
		if k.bits == 128 || i%2 == 0 {
			VPSHUFB(lastWord, last, X4)
			VBROADCASTSS(rcon.Offset(4*(i*128/k.bits-1)), X5)
		} else {
			VPSHUFD(U8(0xff), last, X4)
			VPXOR(X5, X5, X5)
		}
		VAESENCLAST(X5, X4, X4)
		VPSLLDQ(U8(4), from, X6)
		VPXOR(from, X6, X6)
		VPSLLDQ(U8(8), X6, X7)
		VPXOR(X7, X6, X6)
		VPXOR(X4, X6, from)
		if k.bits == 128 {
			VMOVDQA(from, last)
		} else {
			from, last = last, from
		}
		made := last
		VMOVDQU(made, k.at(16*i))
		if i < k.rounds {
			VAESENC(made, X0, X0)
			VAESENC(made, X1, X1)
		} else {
			VAESENCLAST(made, X0, X0)
			VAESENCLAST(made, X1, X1)
		}
	}
	VMOVDQU(X1, k.at(k.mask))
}

// reduceVEX folds lo, mi, hi into hi.
func reduceVEX(lo, mi, hi, t VecPhysical) {
	VPCLMULQDQ(U8(0x10), polynomial, lo, t)
	VPSHUFD(U8(0x4e), lo, lo)
	VPXOR(lo, mi, mi)
	VPXOR(t, mi, mi)
	VPCLMULQDQ(U8(0x10), polynomial, mi, t)
	VPSHUFD(U8(0x4e), mi, mi)
	VPXOR(mi, hi, hi)
	VPXOR(t, hi, hi)
}

// multiplyVEX makes hi = a·b; lo, mi and t are taken.
func multiplyVEX(a, b, lo, mi, hi, t VecPhysical) {
	VPCLMULQDQ(U8(0x00), a, b, lo)
	VPCLMULQDQ(U8(0x01), a, b, mi)
	VPCLMULQDQ(U8(0x10), a, b, t)
	VPXOR(t, mi, mi)
	VPCLMULQDQ(U8(0x11), a, b, hi)
	reduceVEX(lo, mi, hi, t)
}

// powers fills the tables from H in X0: four powers, more if there are more blocks.
func (k *narrow) powers() {
	lo, mi, hi, t := k.v(4), k.v(5), k.v(6), k.v(7)
	x := func(v VecPhysical) VecPhysical { return v.AsX().(VecPhysical) }
	store := func(z VecPhysical, i int) { // i is the highest power in z
		VMOVDQU(z, k.h(i))
		VPSHUFD(U8(0x4e), z, t)
		VPXOR(z, t, t)
		VMOVDQU(t, k.h(i).Offset(k.folded-k.power))
	}
	storeX := func(z VecPhysical, i int) {
		VMOVDQU(z, k.h(i))
		VPSHUFD(U8(0x4e), z, x(t))
		VPXOR(z, x(t), x(t))
		VMOVDQU(x(t), k.h(i).Offset(k.folded-k.power))
	}
	Comment("H/x: shift left, and take the bit that falls out as x⁻¹ = x¹²⁷ + x⁶ + x + 1")
	VPSHUFB(byteOrder, X0, X0)
	VPSHUFD(U8(0xff), X0, X4)
	VPSRAD(U8(31), X4, X4)
	VPAND(polynomial, X4, X4)
	VPSRLQ(U8(63), X0, X5)
	VPSLLDQ(U8(8), X5, X5)
	VPADDQ(X0, X0, X0)
	VPXOR(X4, X0, X0)
	VPXOR(X5, X0, X0)
	storeX(X0, 1)
	multiplyVEX(X0, X0, x(lo), x(mi), x(hi), x(t))
	VMOVDQA(x(hi), X1)
	storeX(X1, 2)
	multiplyVEX(X1, X0, x(lo), x(mi), x(hi), x(t))
	storeX(x(hi), 3)
	multiplyVEX(X1, X1, x(lo), x(mi), x(hi), x(t))
	VMOVDQA(x(hi), X2)
	storeX(X2, 4)

	LEAQ(Mem{Base: size, Index: aadSize, Scale: 1}, tmp0)
	for have := 4; have < k.group; have *= 2 {
		CMPQ(tmp0, U32(16*have))
		JBE(to("enough"))
		by := VecPhysical(X2)
		if k.width == 2 {
			by = Y2
			VBROADCASTI128(k.h(have), Y2)
		} else {
			VMOVDQU(k.h(have), X2)
		}
		for i := k.width; i <= have; i += k.width {
			VMOVDQU(k.h(i), k.v(3))
			multiplyVEX(k.v(3), by, lo, mi, hi, t)
			store(hi, i+have)
		}
	}
	Label("enough")
}

// itemX adds the block v times the power at quotient to the product in X9 – X11. v is
// taken.
func (k *narrow) itemX(v VecPhysical) {
	q := Mem{Base: quotient}
	VPSHUFD(U8(0x4e), v, X13)
	VPXOR(v, X13, X13)
	VPCLMULQDQ(U8(0x00), q.Offset(k.folded-k.power), X13, X13)
	VPXOR(X13, X10, X10)
	VPCLMULQDQ(U8(0x00), q, v, X14)
	VPXOR(X14, X9, X9)
	VPCLMULQDQ(U8(0x11), q, v, v)
	VPXOR(v, X11, X11)
}

// collect reduces the product in 9 – 11 to the hash.
func (k *narrow) collect() {
	VPXOR(k.v(9), k.v(10), k.v(10))
	VPXOR(k.v(11), k.v(10), k.v(10))
	reduceVEX(k.v(9), k.v(10), k.v(11), k.v(13))
	if k.width == 2 {
		VEXTRACTI128(U8(1), Y11, X8)
		VPXOR(X11, X8, X8)
	} else {
		VMOVDQA(X11, X8)
	}
}

// collectX is collect for a product of blocks.
func (k *narrow) collectX() {
	VPXOR(X9, X10, X10)
	VPXOR(X11, X10, X10)
	reduceVEX(X9, X10, X11, X13)
	VMOVDQA(X11, X8)
}

// hash hashes left bytes at cursor, filled up with zeros to whole blocks.
func (k *narrow) hash() {
	chunk, block, partial, copied, done := k.unique("chunk"), k.unique("block"), k.unique("partial"), k.unique("copied"), k.unique("hashed")
	Label(chunk)
	MOVQ(left, tmp0)
	ANDQ(I8(-16), tmp0)
	JE(to(partial))
	MOVL(U32(16*k.group), tmp1.As32())
	CMPQ(tmp0, tmp1)
	CMOVQHI(tmp1, tmp0)
	SUBQ(tmp0, left)
	LEAQ(k.at(k.folded), quotient)
	SUBQ(tmp0, quotient)
	for _, z := range []VecPhysical{X9, X10, X11} {
		VPXOR(z, z, z)
	}
	Label(block)
	VMOVDQU(Mem{Base: cursor}, X12)
	VPSHUFB(byteOrder, X12, X12)
	VPXOR(X8, X12, X12)
	VPXOR(X8, X8, X8)
	k.itemX(X12)
	ADDQ(U8(16), cursor)
	ADDQ(U8(16), quotient)
	SUBQ(U8(16), tmp0)
	JNE(to(block))
	k.collectX()
	JMP(to(chunk))

	Label(partial)
	TESTQ(left, left)
	JE(to(done))
	VPXOR(X12, X12, X12)
	VMOVDQU(X12, k.at(k.bounce))
	XORL(tmp0.As32(), tmp0.As32())
	Label(copied)
	MOVB(Mem{Base: cursor, Index: tmp0, Scale: 1}, tmp1.As8())
	MOVB(tmp1.As8(), Mem{Base: base, Index: tmp0, Scale: 1, Disp: k.bounce})
	INCQ(tmp0)
	CMPQ(tmp0, left)
	JNE(to(copied))
	VMOVDQU(k.at(k.bounce), X12)
	VPSHUFB(byteOrder, X12, X12)
	VPXOR(X8, X12, X12)
	VMOVDQU(k.h(1), X14)
	multiplyVEX(X12, X14, X9, X10, X8, X13)
	Label(done)
}

// encrypt encrypts the next counters in all eight registers, with instructions in
// between.
func (k *narrow) encrypt(list []func()) {
	if k.width == 2 {
		VMOVDQU(k.at(k.ctr), Y15)
	} else {
		VMOVDQU(k.at(k.ctr), X15)
	}
	for i := range 8 {
		VPADDD(counts.Offset(16*k.width*i), k.v(15), k.v(i))
		VPSHUFB(ctrOrder, k.v(i), k.v(i))
	}
	VPADDD(counts.Offset(16*(15+k.width)), k.v(15), k.v(15))
	VMOVDQU(k.v(15), k.at(k.ctr))
	slots, slot, done := 8*(k.rounds-1), 0, 0
	for r := 0; r <= k.rounds; r++ {
		if k.width == 2 {
			VBROADCASTI128(k.at(16*r), Y15)
		} else {
			VMOVDQU(k.at(16*r), X15)
		}
		for i := range 8 {
			switch r {
			case 0:
				VPXOR(k.v(15), k.v(i), k.v(i))
			case k.rounds:
				VAESENCLAST(k.v(15), k.v(i), k.v(i))
			default:
				VAESENC(k.v(15), k.v(i), k.v(i))
				slot++
				for ; done < len(list)*slot/slots; done++ {
					list[done]()
				}
			}
		}
	}
}

// hashGroup are the instructions that hash a group that begins disp bytes after p.
func (k *narrow) hashGroup(p GPPhysical, disp int) (list []func()) {
	emit := func(f func()) { list = append(list, f) }
	v, w, q := k.v(12), k.v(13), k.v(14)
	bytes := 16 * k.width
	for i := range 8 {
		power := k.at(k.power + bytes*i)
		fold := k.at(k.folded + bytes*i)
		emit(func() { VMOVDQU(Mem{Base: p, Disp: disp + bytes*i}, v) })
		emit(func() { VPSHUFB(byteOrder, v, v) })
		if i == 0 {
			emit(func() { VPXOR(k.v(8), v, v) })
		}
		emit(func() { VPSHUFD(U8(0x4e), v, w) })
		emit(func() { VPXOR(v, w, w) })
		if i == 0 {
			emit(func() { VPCLMULQDQ(U8(0x00), fold, w, k.v(10)) })
			emit(func() { VPCLMULQDQ(U8(0x00), power, v, k.v(9)) })
			emit(func() { VPCLMULQDQ(U8(0x11), power, v, k.v(11)) })
			continue
		}
		emit(func() { VPCLMULQDQ(U8(0x00), fold, w, w) })
		emit(func() { VPCLMULQDQ(U8(0x00), power, v, q) })
		emit(func() { VPCLMULQDQ(U8(0x11), power, v, v) })
		emit(func() { VPXOR(w, k.v(10), k.v(10)) })
		emit(func() { VPXOR(q, k.v(9), k.v(9)) })
		emit(func() { VPXOR(v, k.v(11), k.v(11)) })
	}
	emit(k.collect)
	return list
}

// groups does whole groups.
func (k *narrow) groups() {
	bytes := 16 * k.group
	xor := func() {
		for i := range 8 {
			VPXOR(Mem{Base: src, Disp: 16 * k.width * i}, k.v(i), k.v(i))
		}
		for i := range 8 {
			VMOVDQU(k.v(i), Mem{Base: dst, Disp: 16 * k.width * i})
		}
		ADDQ(U32(bytes), src)
		ADDQ(U32(bytes), dst)
		SUBQ(U32(bytes), size)
	}
	CMPQ(size, U32(bytes))
	JB(to("tail"))
	if k.open {
		Label("groups")
		k.encrypt(k.hashGroup(src, 0))
		xor()
		CMPQ(size, U32(bytes))
		JAE(to("groups"))
	} else {
		k.encrypt(nil)
		xor()
		CMPQ(size, U32(bytes))
		JB(to("grouped"))
		Label("groups")
		k.encrypt(k.hashGroup(dst, -bytes))
		xor()
		CMPQ(size, U32(bytes))
		JAE(to("groups"))
		Label("grouped")
		for _, instruction := range k.hashGroup(dst, -bytes) {
			instruction()
		}
	}
	Label("tail")
}

// tail does what is less than a group.
func (k *narrow) tail() {
	TESTQ(size, size)
	JE(to("end"))
	if k.open {
		MOVQ(src, cursor)
		MOVQ(size, left)
		k.hash()
	}
	k.encrypt(nil)
	for i := range 8 {
		VMOVDQU(k.v(i), k.at(k.stream+16*k.width*i))
	}
	if !k.open {
		MOVQ(dst, cursor)
		MOVQ(size, left)
	}
	LEAQ(k.at(k.stream), quotient)
	Label("blocks")
	CMPQ(size, U8(16))
	JB(to("rest"))
	VMOVDQU(Mem{Base: src}, X12)
	VPXOR(Mem{Base: quotient}, X12, X12)
	VMOVDQU(X12, Mem{Base: dst})
	ADDQ(U8(16), src)
	ADDQ(U8(16), dst)
	ADDQ(U8(16), quotient)
	SUBQ(U8(16), size)
	JMP(to("blocks"))
	Label("rest")
	TESTQ(size, size)
	JE(to("crypted"))
	XORL(tmp0.As32(), tmp0.As32())
	Label("byte")
	MOVB(Mem{Base: src, Index: tmp0, Scale: 1}, tmp1.As8())
	XORB(Mem{Base: quotient, Index: tmp0, Scale: 1}, tmp1.As8())
	MOVB(tmp1.As8(), Mem{Base: dst, Index: tmp0, Scale: 1})
	INCQ(tmp0)
	CMPQ(tmp0, size)
	JNE(to("byte"))
	Label("crypted")
	if !k.open {
		k.hash()
	}
	Label("end")
}

// finish hashes the lengths, masks the tag and wipes.
func (k *narrow) finish() {
	Load(Param("last"), tmp0)
	TESTQ(tmp0, tmp0)
	JE(to("unmasked"))
	Load(Param("aadTotal"), tmp0)
	Load(Param("total"), tmp1)
	SHLQ(U8(3), tmp0)
	SHLQ(U8(3), tmp1)
	VMOVQ(tmp1, X12)
	VPINSRQ(U8(1), tmp0, X12, X12)
	VPXOR(X8, X12, X12)
	VMOVDQU(k.h(1), X14)
	multiplyVEX(X12, X14, X9, X10, X8, X13)
	VPSHUFB(byteOrder, X8, X8)
	VPXOR(k.at(k.mask), X8, X8)
	JMP(to("out"))
	Label("unmasked")
	VPSHUFB(byteOrder, X8, X8)
	Label("out")
	Load(Param("out"), tmp0)
	VMOVDQU(X8, Mem{Base: tmp0})
	VZEROALL()
	for i := 0; i < k.frame; i += 32 {
		VMOVDQU(Y0, k.at(i))
	}
	XORL(tmp1.As32(), tmp1.As32())
	VZEROUPPER()
	RET()
}
