//go:build !purego

#include "textflag.h"

// Round keys and polynomials pass through vector registers. Each function clears
// those that it used before it returns.

// SUBWORD puts every byte of the word R8 through the S-box: with the same word in all
// four columns, ShiftRows moves nothing.
#define SUBWORD \
	VDUP R8, V0.S4         \
	AESE V31.B16, V0.B16   \
	VMOV V0.S[0], R8

// func expandAES(rk *[15][16]byte, key *byte, long uint64)
// FIPS 197 §5.2; long = 0 for a key of 16 bytes, else 32.
TEXT ·expandAES(SB), NOSPLIT, $0-24
	MOVD rk+0(FP), R0
	MOVD key+8(FP), R1
	MOVD long+16(FP), R2
	VEOR V31.B16, V31.B16, V31.B16
	MOVW $1, R3                    // round constant
	LDPW (R1), (R4, R5)
	LDPW 8(R1), (R6, R7)
	STPW (R4, R5), (R0)
	STPW (R6, R7), 8(R0)
	ADD  $16, R0
	CBNZ R2, long256

	MOVD $10, R2
next128:
	RORW $8, R7, R8
	SUBWORD
	EORW R3, R8, R8
	EORW R8, R4, R4
	EORW R4, R5, R5
	EORW R5, R6, R6
	EORW R6, R7, R7
	STPW (R4, R5), (R0)
	STPW (R6, R7), 8(R0)
	ADD  $16, R0
	LSLW $1, R3, R3
	TSTW $0x100, R3
	BEQ  small
	MOVW $0x1b, R3                 // x^8 in GF(2^8)
small:
	SUBS $1, R2
	BNE  next128
	B    expanded

long256:
	LDPW 16(R1), (R9, R10)
	LDPW 24(R1), (R11, R12)
	STPW (R9, R10), (R0)
	STPW (R11, R12), 8(R0)
	ADD  $16, R0
	MOVD $7, R2
next256:
	RORW $8, R12, R8
	SUBWORD
	EORW R3, R8, R8
	LSLW $1, R3, R3
	EORW R8, R4, R4
	EORW R4, R5, R5
	EORW R5, R6, R6
	EORW R6, R7, R7
	STPW (R4, R5), (R0)
	STPW (R6, R7), 8(R0)
	ADD  $16, R0
	SUBS $1, R2
	BEQ  expanded
	MOVW R7, R8
	SUBWORD
	EORW R8, R9, R9
	EORW R9, R10, R10
	EORW R10, R11, R11
	EORW R11, R12, R12
	STPW (R9, R10), (R0)
	STPW (R11, R12), 8(R0)
	ADD  $16, R0
	B    next256

expanded:
	VEOR V0.B16, V0.B16, V0.B16
	MOVD ZR, R4
	MOVD ZR, R5
	MOVD ZR, R6
	MOVD ZR, R7
	MOVD ZR, R8
	MOVD ZR, R9
	MOVD ZR, R10
	MOVD ZR, R11
	MOVD ZR, R12
	RET

// COUNTER makes the next counter block.
#define COUNTER(V) \
	VMOV V24.B16, V.B16 \
	REVW R6, R7         \
	VMOV R7, V.S[3]     \
	ADDW $1, R6, R6

#define ROUND(K, V) \
	AESE  K.B16, V.B16 \
	AESMC V.B16, V.B16

#define EIGHT(OP, K) \
	OP(K, V0) \
	OP(K, V1) \
	OP(K, V2) \
	OP(K, V3) \
	OP(K, V4) \
	OP(K, V5) \
	OP(K, V6) \
	OP(K, V7)

#define LAST(K, V) AESE K.B16, V.B16

#define WHITEN(K, V) VEOR K.B16, V.B16, V.B16

// func ctrAES(rk *[15][16]byte, rounds uint64, dst, src *byte, n uint64, ctr *[16]byte)
// dst = src ⊕ keystream, n blocks, in counter mode of SP 800-38D §6.5: the last 32
// bits of ctr count. dst may be src.
TEXT ·ctrAES(SB), NOSPLIT, $0-48
	MOVD  rk+0(FP), R0
	MOVD  rounds+8(FP), R1
	MOVD  dst+16(FP), R2
	MOVD  src+24(FP), R3
	MOVD  n+32(FP), R4
	MOVD  ctr+40(FP), R5
	VLD1  (R5), [V24.B16]
	MOVWU 12(R5), R6
	REVW  R6, R6
	SUB   $1, R1, R1               // rounds with MixColumns

	CMP   $8, R4
	BLT   singles
eight:
	COUNTER(V0)
	COUNTER(V1)
	COUNTER(V2)
	COUNTER(V3)
	COUNTER(V4)
	COUNTER(V5)
	COUNTER(V6)
	COUNTER(V7)
	MOVD  R0, R8
	MOVD  R1, R9
rounds8:
	VLD1.P 16(R8), [V25.B16]
	EIGHT(ROUND, V25)
	SUBS  $1, R9
	BNE   rounds8
	VLD1.P 16(R8), [V25.B16]
	EIGHT(LAST, V25)
	VLD1  (R8), [V25.B16]
	EIGHT(WHITEN, V25)
	VLD1.P 64(R3), [V16.B16, V17.B16, V18.B16, V19.B16]
	VLD1.P 64(R3), [V20.B16, V21.B16, V22.B16, V23.B16]
	VEOR  V16.B16, V0.B16, V0.B16
	VEOR  V17.B16, V1.B16, V1.B16
	VEOR  V18.B16, V2.B16, V2.B16
	VEOR  V19.B16, V3.B16, V3.B16
	VEOR  V20.B16, V4.B16, V4.B16
	VEOR  V21.B16, V5.B16, V5.B16
	VEOR  V22.B16, V6.B16, V6.B16
	VEOR  V23.B16, V7.B16, V7.B16
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R2)
	VST1.P [V4.B16, V5.B16, V6.B16, V7.B16], 64(R2)
	SUB   $8, R4
	CMP   $8, R4
	BGE   eight

singles:
	CBZ   R4, counted
single:
	COUNTER(V0)
	MOVD  R0, R8
	MOVD  R1, R9
rounds1:
	VLD1.P 16(R8), [V25.B16]
	ROUND(V25, V0)
	SUBS  $1, R9
	BNE   rounds1
	VLD1.P 16(R8), [V25.B16]
	LAST(V25, V0)
	VLD1  (R8), [V25.B16]
	VEOR  V25.B16, V0.B16, V0.B16
	VLD1.P 16(R3), [V16.B16]
	VEOR  V16.B16, V0.B16, V0.B16
	VST1.P [V0.B16], 16(R2)
	SUBS  $1, R4
	BNE   single

counted:
	REVW  R6, R6
	MOVW  R6, 12(R5)
	VEOR  V0.B16, V0.B16, V0.B16
	VEOR  V1.B16, V1.B16, V1.B16
	VEOR  V2.B16, V2.B16, V2.B16
	VEOR  V3.B16, V3.B16, V3.B16
	VEOR  V4.B16, V4.B16, V4.B16
	VEOR  V5.B16, V5.B16, V5.B16
	VEOR  V6.B16, V6.B16, V6.B16
	VEOR  V7.B16, V7.B16, V7.B16
	VEOR  V16.B16, V16.B16, V16.B16
	VEOR  V17.B16, V17.B16, V17.B16
	VEOR  V18.B16, V18.B16, V18.B16
	VEOR  V19.B16, V19.B16, V19.B16
	VEOR  V20.B16, V20.B16, V20.B16
	VEOR  V21.B16, V21.B16, V21.B16
	VEOR  V22.B16, V22.B16, V22.B16
	VEOR  V23.B16, V23.B16, V23.B16
	VEOR  V24.B16, V24.B16, V24.B16
	VEOR  V25.B16, V25.B16, V25.B16
	RET

// GHASH multiplies in GF(2^128) modulo x^128+x^7+x^2+x+1. With the bits of each byte
// reversed, bit i of a block is the coefficient of x^i (SP 800-38D §6.3), so that the
// arithmetic is that of plain polynomials. The 256-bit sum of products is
// V17:V16, with the sum of Karatsuba's middle products in V18. V30 holds x^7+x^2+x+1 in
// both halves, V31 is zero.

#define CLEARSUM \
	VEOR V16.B16, V16.B16, V16.B16 \
	VEOR V17.B16, V17.B16, V17.B16 \
	VEOR V18.B16, V18.B16, V18.B16

// MULADD adds A·B to the sum; F is the sum of B's halves.
#define MULADD(A, B, F) \
	VPMULL  B.D1, A.D1, V20.Q1            \
	VPMULL2 B.D2, A.D2, V21.Q1            \
	VEXT    $8, A.B16, A.B16, V22.B16     \
	VEOR    A.B16, V22.B16, V22.B16       \
	VPMULL  F.D1, V22.D1, V22.Q1          \
	VEOR    V20.B16, V16.B16, V16.B16     \
	VEOR    V21.B16, V17.B16, V17.B16     \
	VEOR    V22.B16, V18.B16, V18.B16

// REDUCE leaves the remainder of the sum in V16.
#define REDUCE \
	VEOR    V16.B16, V18.B16, V18.B16     \
	VEOR    V17.B16, V18.B16, V18.B16     \
	VEXT    $8, V18.B16, V31.B16, V19.B16 \
	VEOR    V19.B16, V16.B16, V16.B16     \
	VEXT    $8, V31.B16, V18.B16, V19.B16 \
	VEOR    V19.B16, V17.B16, V17.B16     \
	VPMULL2 V30.D2, V17.D2, V18.Q1        \
	VEXT    $8, V18.B16, V31.B16, V19.B16 \
	VEOR    V19.B16, V16.B16, V16.B16     \
	VEXT    $8, V31.B16, V18.B16, V19.B16 \
	VEOR    V19.B16, V17.B16, V17.B16     \
	VPMULL  V30.D1, V17.D1, V18.Q1        \
	VEOR    V18.B16, V16.B16, V16.B16

// FOLD puts the sum of V's halves into both halves of F.
#define FOLD(V, F) \
	VEXT $8, V.B16, V.B16, F.B16 \
	VEOR V.B16, F.B16, F.B16

#define CONSTANTS \
	MOVD $0x87, R9                 \
	VDUP R9, V30.D2                \
	VEOR V31.B16, V31.B16, V31.B16

// func powersPMULL(powers *[8][16]byte, h *[16]byte)
// powers = H, H², H³, H⁴ with their bits reversed, then the sums of their halves.
TEXT ·powersPMULL(SB), NOSPLIT, $0-16
	MOVD powers+0(FP), R0
	MOVD h+8(FP), R1
	CONSTANTS
	VLD1 (R1), [V0.B16]
	VRBIT V0.B16, V0.B16
	FOLD(V0, V4)
	CLEARSUM
	MULADD(V0, V0, V4)
	REDUCE
	VMOV V16.B16, V1.B16
	CLEARSUM
	MULADD(V1, V0, V4)
	REDUCE
	VMOV V16.B16, V2.B16
	CLEARSUM
	MULADD(V2, V0, V4)
	REDUCE
	VMOV V16.B16, V3.B16
	FOLD(V1, V5)
	FOLD(V2, V6)
	FOLD(V3, V7)
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R0)
	VST1 [V4.B16, V5.B16, V6.B16, V7.B16], (R0)
	B    ·wipePMULL(SB)

// func ghashPMULL(acc *[16]byte, powers *[8][16]byte, p *byte, n uint64)
// acc = GHASH of n blocks at p, going on from acc.
TEXT ·ghashPMULL(SB), NOSPLIT, $0-32
	MOVD acc+0(FP), R0
	MOVD powers+8(FP), R1
	MOVD p+16(FP), R2
	MOVD n+24(FP), R3
	CONSTANTS
	VLD1.P 64(R1), [V0.B16, V1.B16, V2.B16, V3.B16]
	VLD1 (R1), [V4.B16, V5.B16, V6.B16, V7.B16]
	VLD1 (R0), [V16.B16]
	VRBIT V16.B16, V16.B16
	CMP  $4, R3
	BLT  ones
four:
	VLD1.P 64(R2), [V24.B16, V25.B16, V26.B16, V27.B16]
	VRBIT V24.B16, V24.B16
	VRBIT V25.B16, V25.B16
	VRBIT V26.B16, V26.B16
	VRBIT V27.B16, V27.B16
	VEOR V16.B16, V24.B16, V24.B16
	CLEARSUM
	MULADD(V24, V3, V7)
	MULADD(V25, V2, V6)
	MULADD(V26, V1, V5)
	MULADD(V27, V0, V4)
	REDUCE
	SUB  $4, R3
	CMP  $4, R3
	BGE  four
ones:
	CBZ  R3, hashed
one:
	VLD1.P 16(R2), [V24.B16]
	VRBIT V24.B16, V24.B16
	VEOR V16.B16, V24.B16, V24.B16
	CLEARSUM
	MULADD(V24, V0, V4)
	REDUCE
	SUBS $1, R3
	BNE  one
hashed:
	VRBIT V16.B16, V16.B16
	VST1 [V16.B16], (R0)
	B    ·wipePMULL(SB)

// wipePMULL clears the registers of the two functions above, and returns for them.
TEXT ·wipePMULL(SB), NOSPLIT|NOFRAME, $0-0
	VEOR V0.B16, V0.B16, V0.B16
	VEOR V1.B16, V1.B16, V1.B16
	VEOR V2.B16, V2.B16, V2.B16
	VEOR V3.B16, V3.B16, V3.B16
	VEOR V4.B16, V4.B16, V4.B16
	VEOR V5.B16, V5.B16, V5.B16
	VEOR V6.B16, V6.B16, V6.B16
	VEOR V7.B16, V7.B16, V7.B16
	VEOR V16.B16, V16.B16, V16.B16
	VEOR V17.B16, V17.B16, V17.B16
	VEOR V18.B16, V18.B16, V18.B16
	VEOR V19.B16, V19.B16, V19.B16
	VEOR V20.B16, V20.B16, V20.B16
	VEOR V21.B16, V21.B16, V21.B16
	VEOR V22.B16, V22.B16, V22.B16
	VEOR V24.B16, V24.B16, V24.B16
	VEOR V25.B16, V25.B16, V25.B16
	VEOR V26.B16, V26.B16, V26.B16
	VEOR V27.B16, V27.B16, V27.B16
	RET
