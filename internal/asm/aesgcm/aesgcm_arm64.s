//go:build !purego

#include "textflag.h"

// AES-GCM with the AES and PMULL instructions of Armv8. They are as the Arm
// Architecture Reference Manual for A-profile has them; the names of the parts are
// those of FIPS 197 and NIST SP 800-38D; the arrangement is our own.
//
// Key schedule. AESE of a zero key on a register with the same word in all four columns
// is SubWord of that word, since ShiftRows then moves nothing. Eight blocks go through
// the rounds while the round keys come out: six of data, E(0), which is the hash key,
// and the mask of the tag. A message of up to 96 bytes needs no more of AES.
//
// GHASH. With the bits of each byte reversed, bit i of a block is the coefficient of
// x^i, so that VPMULL multiplies plainly modulo x^128 + x^7 + x^2 + x + 1. Up to eight
// products are added before they are reduced, block i of n by the power n-i of H. The
// powers stand in the frame, H^8 first, each with the sum of its halves behind it for
// Karatsuba's middle product. A group of blocks that begins in the middle of the table
// ends with it, so every group is one of a full table with zero blocks in front.
//
//	V0  – V7   blocks of counters and keystream
//	V8  – V10  sums of low, high and middle products
//	V11 – V14  temporary
//	V15        GHASH until now, bits reversed; in the key schedule, RotWord
//	V16        the mask of the tag
//	V17, V18   the counter block, as words, and the one that is added to it
//	V19        x^7 + x^2 + x + 1, twice; in the key schedule, Rcon
//	V20        zero
//	V21 – V31  the last eleven round keys; the four before them, of AES-256, are in
//	           the frame
//
//	R0 dst   R1 src   R2 bytes of data left   R3 aad   R4 bytes of it
//	R5 the table of powers   R6 its end   R7 the power of the next block
//	R8 not 0 for a key of 32 bytes   R9 not 0 to open   R10 not 0 for the last piece
//	R11 blocks of keystream left   R12 what is hashed next in the long loop
//	R13 – R17, R19 – R20 temporary
//
// Before it returns the function clears all vector registers, its frame and R14, R15
// and R17, through which the last bytes of the data went.

#define B0 V0
#define B1 V1
#define B2 V2
#define B3 V3
#define B4 V4
#define B5 V5
#define B6 V6
#define B7 V7
#define LO V8
#define HI V9
#define MID V10
#define T0 V11
#define T1 V12
#define T2 V13
#define T3 V14
#define Y V15
#define ROT V15
#define MASK V16
#define CTR V17
#define ONE V18
#define POLY V19
#define RCON V19
#define ZERO V20

#define ENC(k, b) \
	AESE  k.B16, b.B16 \
	AESMC b.B16, b.B16

// ROUND is a round of all eight blocks.
#define ROUND(k) \
	ENC(k, B0) \
	ENC(k, B1) \
	ENC(k, B2) \
	ENC(k, B3) \
	ENC(k, B4) \
	ENC(k, B5) \
	ENC(k, B6) \
	ENC(k, B7)

// LAST is the last round but for its key, which WHITEN adds.
#define LAST(k) \
	AESE k.B16, B0.B16 \
	AESE k.B16, B1.B16 \
	AESE k.B16, B2.B16 \
	AESE k.B16, B3.B16 \
	AESE k.B16, B4.B16 \
	AESE k.B16, B5.B16 \
	AESE k.B16, B6.B16 \
	AESE k.B16, B7.B16

#define XOR(a, b) VEOR a.B16, b.B16, b.B16

#define CLEAR(v) VEOR v.B16, v.B16, v.B16

#define WHITEN(k) \
	XOR(k, B0) \
	XOR(k, B1) \
	XOR(k, B2) \
	XOR(k, B3) \
	XOR(k, B4) \
	XOR(k, B5) \
	XOR(k, B6) \
	XOR(k, B7)

// CHAIN ends a step of the key schedule: next is what T0 has in all words, and before
// word i of k the sum of the words 0 … i.
#define CHAIN(k, next) \
	VEXT $12, k.B16, ZERO.B16, T1.B16  \
	VEOR k.B16, T1.B16, T1.B16         \
	VEXT $8, T1.B16, ZERO.B16, T2.B16  \
	VEOR T1.B16, T2.B16, T2.B16        \
	VEOR T0.B16, T2.B16, next.B16

// KEY makes next from prev and the key k that stands so far before it as the key is
// long, with RotWord and Rcon, which it doubles.
#define KEY(k, prev, next) \
	VTBL ROT.B16, [prev.B16], T0.B16   \
	AESE ZERO.B16, T0.B16              \
	VEOR RCON.B16, T0.B16, T0.B16      \
	VADD RCON.S4, RCON.S4, RCON.S4     \
	CHAIN(k, next)

// KEYB is the step that only AES-256 has, without both.
#define KEYB(k, prev, next) \
	VDUP prev.S[3], T0.S4              \
	AESE ZERO.B16, T0.B16              \
	CHAIN(k, next)

// COUNT sets b to the counter block and adds one to it.
#define COUNT(b) \
	VREV32 CTR.B16, b.B16       \
	VADD   ONE.S4, CTR.S4, CTR.S4

#define COUNT6 \
	COUNT(B0) \
	COUNT(B1) \
	COUNT(B2) \
	COUNT(B3) \
	COUNT(B4) \
	COUNT(B5)

#define COUNT8 \
	COUNT6 \
	COUNT(B6) \
	COUNT(B7)

// FOLD puts the sum of the halves of v into both halves of f.
#define FOLD(v, f) \
	VEXT $8, v.B16, v.B16, f.B16 \
	XOR(v, f)

// TIMES sets the sums to the product of x and h, f being FOLD of h. It needs T3.
#define TIMES(x, h, f) \
	FOLD(x, T3)                     \
	VPMULL  h.D1, x.D1, LO.Q1       \
	VPMULL2 h.D2, x.D2, HI.Q1       \
	VPMULL  f.D1, T3.D1, MID.Q1

// PLUS adds the product of T0 and T1 to the sums, T2 being FOLD of T1.
#define PLUS \
	VPMULL  T1.D1, T0.D1, T3.Q1     \
	XOR(T3, LO)                     \
	VPMULL2 T1.D2, T0.D2, T3.Q1     \
	XOR(T3, HI)                     \
	FOLD(T0, T3)                    \
	VPMULL  T2.D1, T3.D1, T3.Q1     \
	XOR(T3, MID)

// REDUCE sets r to the remainder of the sums: what stands above x^192 comes back at
// x^64, and then what stands above x^128 at 1.
#define REDUCE(r) \
	XOR(LO, MID)                             \
	XOR(HI, MID)                             \
	VPMULL2 POLY.D2, HI.D2, r.Q1             \
	XOR(r, MID)                              \
	VEXT    $8, MID.B16, MID.B16, r.B16      \
	XOR(HI, r)                               \
	VPMULL  POLY.D1, r.D1, r.Q1              \
	XOR(r, LO)                               \
	VEXT    $8, MID.B16, ZERO.B16, r.B16     \
	XOR(LO, r)

// ABSORB hashes the block T0. behind is a label of its own.
#define ABSORB(behind) \
	VRBIT T0.B16, T0.B16    \
	XOR(Y, T0)              \
	CLEAR(Y)                \
	FLDPQ.P 32(R7), (F12, F13) \
	PLUS                    \
	CMP R6, R7              \
	BNE behind              \
	REDUCE(Y)               \
	CLEAR(LO)               \
	CLEAR(HI)               \
	CLEAR(MID)              \
	MOVD R5, R7             \
behind:

// GROUP points to the power of the first of R16 blocks, those above a multiple of eight
// being a group of their own.
#define GROUP \
	SUB $1, R16, R16    \
	AND $7, R16, R16    \
	ADD $1, R16, R16    \
	SUB R16<<5, R6, R7

// HASH1 and HASH hash the block at R12, in the long loop and in a group of eight.
#define HASH1 \
	VLD1.P 16(R12), [T0.B16] \
	VRBIT  T0.B16, T0.B16    \
	XOR(Y, T0)               \
	FLDPQ  (R5), (F12, F13)  \
	TIMES(T0, T1, T2)

#define HASH(power) \
	VLD1.P 16(R12), [T0.B16]         \
	VRBIT  T0.B16, T0.B16            \
	FLDPQ  power(R5), (F12, F13)     \
	PLUS

// FIRST4 does the rounds that only AES-256 has; skip is a label of its own.
#define FIRST4(skip) \
	CBZ   R8, skip               \
	FLDPQ 256(R5), (F11, F12)    \
	FLDPQ 288(R5), (F13, F14)    \
	ROUND(T0)                    \
	ROUND(T1)                    \
	ROUND(T2)                    \
	ROUND(T3)                    \
skip:

// CRYPT4 encrypts or decrypts 64 bytes.
#define CRYPT4(b0, b1, b2, b3) \
	VLD1.P 64(R1), [T0.B16, T1.B16, T2.B16, T3.B16] \
	XOR(T0, b0)                                     \
	XOR(T1, b1)                                     \
	XOR(T2, b2)                                     \
	XOR(T3, b3)                                     \
	VST1.P [b0.B16, b1.B16, b2.B16, b3.B16], 64(R0)

// LOAD gets n bytes at p, 1 to 15, as a block R15:R14 with zeros behind them. It reads
// nothing else and needs R16, R17 and three labels of its own.
#define LOAD(p, n, below8, below4, loaded) \
	CMP   $8, n          \
	BLT   below8         \
	MOVD  (p), R14       \
	ADD   p, n, R16      \
	MOVD  -8(R16), R15   \
	MOVD  $15, R16       \
	SUB   n, R16, R16    \
	LSL   $3, R16, R16   \
	LSR   R16, R15, R15  \
	LSR   $8, R15, R15   \
	B     loaded         \
below8:                  \
	TBZ   $2, n, below4  \
	MOVWU (p), R14       \
	ADD   p, n, R16      \
	MOVWU -4(R16), R15   \
	SUB   $4, n, R16     \
	LSL   $3, R16, R16   \
	LSL   R16, R15, R15  \
	ORR   R15, R14, R14  \
	MOVD  ZR, R15        \
	B     loaded         \
below4:                  \
	MOVBU (p), R14       \
	LSR   $1, n, R16     \
	MOVBU (p)(R16), R15  \
	LSL   $3, R16, R16   \
	LSL   R16, R15, R15  \
	ORR   R15, R14, R14  \
	SUB   $1, n, R16     \
	MOVBU (p)(R16), R15  \
	LSL   $3, R16, R16   \
	LSL   R16, R15, R15  \
	ORR   R15, R14, R14  \
	MOVD  ZR, R15        \
loaded:

// func pieceARM64(dst, src *byte, n uint64, aad *byte, na uint64, key *byte, long uint64, nonce *byte, ctr, opening, last, aadTotal, total uint64, acc, out *byte)
TEXT ·pieceARM64(SB), NOSPLIT, $336-120
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD n+16(FP), R2
	MOVD aad+24(FP), R3
	MOVD na+32(FP), R4
	MOVD key+40(FP), R13
	MOVD long+48(FP), R8
	MOVD nonce+56(FP), R14
	MOVD ctr+64(FP), R15
	MOVD opening+72(FP), R9
	MOVD last+80(FP), R10
	MOVD acc+104(FP), R19
	ADD  $16, RSP, R5                // aligned, above the link register
	ADD  $256, R5, R6

	// The counters: those of data from ctr on, and 1 for the mask.
	CLEAR(ZERO)
	CLEAR(ONE)
	MOVD   $1, R16
	VMOV   R16, ONE.S[3]
	MOVD   (R14), R16
	VMOV   R16, CTR.D[0]
	MOVWU  8(R14), R16
	VMOV   R16, CTR.D[1]
	VREV32 CTR.B16, CTR.B16
	VADD   ONE.S4, CTR.S4, B7.S4
	VREV32 B7.B16, B7.B16
	VMOV   R15, CTR.S[3]
	COUNT6
	CLEAR(B6)

	MOVD $1, R16
	VDUP R16, RCON.S4
	MOVD $0x0c0f0e0d0c0f0e0d, R16    // the bytes 13, 14, 15, 12
	VDUP R16, ROT.D2
	CBNZ   R8, aes256

	VLD1 (R13), [V21.B16]
	KEY(V21, V21, V22)
	ROUND(V21)
	KEY(V22, V22, V23)
	ROUND(V22)
	KEY(V23, V23, V24)
	ROUND(V23)
	KEY(V24, V24, V25)
	ROUND(V24)
	KEY(V25, V25, V26)
	ROUND(V25)
	KEY(V26, V26, V27)
	ROUND(V26)
	KEY(V27, V27, V28)
	ROUND(V27)
	KEY(V28, V28, V29)
	ROUND(V28)
	MOVD $0x1b, R16                  // x^8 in GF(2^8)
	VDUP R16, RCON.S4
	KEY(V29, V29, V30)
	ROUND(V29)
	KEY(V30, V30, V31)
	B    expanded

aes256:
	VLD1  (R13), [LO.B16, HI.B16]
	KEY(LO, HI, MID)
	ROUND(LO)
	KEYB(HI, MID, MASK)
	ROUND(HI)
	FSTPQ (F8, F9), 256(R5)
	FSTPQ (F10, F16), 288(R5)
	KEY(MID, MASK, V21)
	ROUND(MID)
	KEYB(MASK, V21, V22)
	ROUND(MASK)
	KEY(V21, V22, V23)
	ROUND(V21)
	KEYB(V22, V23, V24)
	ROUND(V22)
	KEY(V23, V24, V25)
	ROUND(V23)
	KEYB(V24, V25, V26)
	ROUND(V24)
	KEY(V25, V26, V27)
	ROUND(V25)
	KEYB(V26, V27, V28)
	ROUND(V26)
	KEY(V27, V28, V29)
	ROUND(V27)
	KEYB(V28, V29, V30)
	ROUND(V28)
	KEY(V29, V30, V31)
	ROUND(V29)

expanded:
	LAST(V30)
	WHITEN(V31)
	VMOV B7.B16, MASK.B16

	// R16 is the number of blocks of AAD, and of what follows them at once: at most
	// six blocks of data and, if there are no more, the lengths.
	MOVD  $0x87, R17
	VDUP  R17, POLY.D2
	ADD   $15, R2, R17
	LSR   $4, R17, R17
	ADD   $15, R4, R16
	LSR   $4, R16, R16
	MOVD  $6, R11
	CMP   R11, R17
	BGT   more
	ADD   R10, R16, R16
	MOVD  R17, R11
more:
	ADD   R11, R16, R16

	// The powers that the longest group takes: all with a second group.
	VRBIT B6.B16, B6.B16
	FOLD(B6, B7)
	FSTPQ (F6, F7), 224(R5)
	CMP   $1, R16
	BLE   powers
	TIMES(B6, B6, B7)
	REDUCE(T0)
	FOLD(T0, T1)
	FSTPQ (F11, F12), 192(R5)
	CMP   $2, R16
	BLE   powers
	TIMES(T0, B6, B7)
	REDUCE(T2)
	FOLD(T2, Y)
	FSTPQ (F13, F15), 160(R5)
	TIMES(T0, T0, T1)
	REDUCE(T0)
	FOLD(T0, T1)
	FSTPQ (F11, F12), 128(R5)
	CMP   $4, R16
	BLE   powers
	TIMES(T0, B6, B7)
	REDUCE(T2)
	FOLD(T2, Y)
	FSTPQ (F13, F15), 96(R5)
	FLDPQ 192(R5), (F6, F7)
	TIMES(T0, B6, B7)
	REDUCE(T2)
	FOLD(T2, Y)
	FSTPQ (F13, F15), 64(R5)
	FLDPQ 160(R5), (F6, F7)
	TIMES(T0, B6, B7)
	REDUCE(T2)
	FOLD(T2, Y)
	FSTPQ (F13, F15), 32(R5)
	TIMES(T0, T0, T1)
	REDUCE(T2)
	FOLD(T2, Y)
	FSTPQ (F13, F15), (R5)

powers:
	GROUP
	CLEAR(LO)
	CLEAR(HI)
	CLEAR(MID)
	CLEAR(Y)
	CBZ  R19, aad
	VLD1 (R19), [Y.B16]
	VRBIT Y.B16, Y.B16

aad:
	CMP  $16, R4
	BLT  aadRest
	VLD1.P 16(R3), [T0.B16]
	SUB  $16, R4
	ABSORB(aadBlock)
	B    aad

aadRest:
	CBZ  R4, data
	LOAD(R3, R4, aadBelow8, aadBelow4, aadLoaded)
	VMOV R14, T0.D[0]
	VMOV R15, T0.D[1]
	ABSORB(aadPart)

data:
	// One block after the other while there is keystream, the next of it in B0.
	CBZ  R2, end
	CBZ  R11, long
	CMP  $16, R2
	BLT  part
	VLD1.P 16(R1), [T0.B16]
	XOR(T0, B0)
	VST1.P [B0.B16], 16(R0)
	CBNZ R9, dataHash
	VMOV B0.B16, T0.B16

dataHash:
	ABSORB(dataBlock)
	VMOV B1.B16, B0.B16
	VMOV B2.B16, B1.B16
	VMOV B3.B16, B2.B16
	VMOV B4.B16, B3.B16
	VMOV B5.B16, B4.B16
	VMOV B6.B16, B5.B16
	VMOV B7.B16, B6.B16
	SUB  $16, R2
	SUB  $1, R11
	B    data

part:
	LOAD(R1, R2, below8, below4, loaded)
	VMOV R14, T0.D[0]
	VMOV R15, T0.D[1]
	XOR(T0, B0)
	VMOV B0.D[0], R14
	VMOV B0.D[1], R15
	LSL  $3, R2, R16
	MOVD $1, R13
	LSL  R16, R13, R13
	SUB  $1, R13, R13                // 8·R2 ones, modulo 64 bits
	MOVD R0, R16

	// R14 and R15 are what is stored; T0 becomes what is hashed.
	TBZ  $3, R2, low
	AND  R13, R15, R15
	CBNZ R9, store
	VMOV R14, T0.D[0]
	VMOV R15, T0.D[1]
	B    store

low:
	AND  R13, R14, R14
	CBNZ R9, store
	VMOV R14, T0.D[0]
	VMOV ZR, T0.D[1]

store:
	TBZ  $3, R2, store4
	MOVD R14, (R16)
	ADD  $8, R16
	MOVD R15, R14

store4:
	TBZ  $2, R2, store2
	MOVW R14, (R16)
	ADD  $4, R16
	LSR  $32, R14, R14

store2:
	TBZ  $1, R2, store1
	MOVH R14, (R16)
	ADD  $2, R16
	LSR  $16, R14, R14

store1:
	TBZ  $0, R2, stored
	MOVB R14, (R16)

stored:
	ABSORB(dataPart)
	B    end

long:
	// Eight blocks at a time, and among their rounds GHASH of the eight ciphertext
	// blocks at R12: those read when opening, those of the round before when sealing.
	CMP  $128, R2
	BLT  rest
	MOVD R1, R12
	CBNZ R9, longNext
	MOVD R0, R12
	COUNT8
	FIRST4(sealFirst)
	ROUND(V21)
	ROUND(V22)
	ROUND(V23)
	ROUND(V24)
	ROUND(V25)
	ROUND(V26)
	ROUND(V27)
	ROUND(V28)
	ROUND(V29)
	LAST(V30)
	WHITEN(V31)
	CRYPT4(B0, B1, B2, B3)
	CRYPT4(B4, B5, B6, B7)
	SUB  $128, R2

longNext:
	CMP  $128, R2
	BLT  longEnd
	COUNT8
	FIRST4(longFirst)
	ROUND(V21)
	HASH1
	ROUND(V22)
	HASH(32)
	ROUND(V23)
	HASH(64)
	ROUND(V24)
	HASH(96)
	ROUND(V25)
	HASH(128)
	ROUND(V26)
	HASH(160)
	ROUND(V27)
	HASH(192)
	ROUND(V28)
	HASH(224)
	ROUND(V29)
	REDUCE(Y)
	LAST(V30)
	WHITEN(V31)
	CRYPT4(B0, B1, B2, B3)
	CRYPT4(B4, B5, B6, B7)
	SUB  $128, R2
	B    longNext

longEnd:
	CBNZ R9, longDone
	HASH1
	HASH(32)
	HASH(64)
	HASH(96)
	HASH(128)
	HASH(160)
	HASH(192)
	HASH(224)
	REDUCE(Y)

longDone:
	CLEAR(LO)
	CLEAR(HI)
	CLEAR(MID)

rest:
	// What is left are up to eight blocks of data, and the lengths.
	ADD  $15, R2, R16
	LSR  $4, R16, R16
	ADD  R10, R16, R16
	GROUP
	CBZ  R2, end
	COUNT8
	FIRST4(restFirst)
	ROUND(V21)
	ROUND(V22)
	ROUND(V23)
	ROUND(V24)
	ROUND(V25)
	ROUND(V26)
	ROUND(V27)
	ROUND(V28)
	ROUND(V29)
	LAST(V30)
	WHITEN(V31)
	MOVD $8, R11
	B    data

end:
	MOVD out+112(FP), R16
	CBZ  R10, hash
	MOVD aadTotal+88(FP), R14
	LSL  $3, R14, R14
	REV  R14, R14
	VMOV R14, T0.D[0]
	MOVD total+96(FP), R14
	LSL  $3, R14, R14
	REV  R14, R14
	VMOV R14, T0.D[1]
	ABSORB(lengths)
	VRBIT Y.B16, Y.B16
	XOR(MASK, Y)
	B    forget

hash:
	VRBIT Y.B16, Y.B16

forget:
	VST1 [Y.B16], (R16)
	MOVD ZR, R14
	MOVD ZR, R15
	MOVD ZR, R17
	CLEAR(V0)
	CLEAR(V1)
	CLEAR(V2)
	CLEAR(V3)
	CLEAR(V4)
	CLEAR(V5)
	CLEAR(V6)
	CLEAR(V7)
	CLEAR(V8)
	CLEAR(V9)
	CLEAR(V10)
	CLEAR(V11)
	CLEAR(V12)
	CLEAR(V13)
	CLEAR(V14)
	CLEAR(V15)
	CLEAR(V16)
	CLEAR(V17)
	CLEAR(V18)
	CLEAR(V19)
	CLEAR(V21)
	CLEAR(V22)
	CLEAR(V23)
	CLEAR(V24)
	CLEAR(V25)
	CLEAR(V26)
	CLEAR(V27)
	CLEAR(V28)
	CLEAR(V29)
	CLEAR(V30)
	CLEAR(V31)
	FSTPQ (F20, F20), (R5)
	FSTPQ (F20, F20), 32(R5)
	FSTPQ (F20, F20), 64(R5)
	FSTPQ (F20, F20), 96(R5)
	FSTPQ (F20, F20), 128(R5)
	FSTPQ (F20, F20), 160(R5)
	FSTPQ (F20, F20), 192(R5)
	FSTPQ (F20, F20), 224(R5)
	FSTPQ (F20, F20), 256(R5)
	FSTPQ (F20, F20), 288(R5)
	RET
