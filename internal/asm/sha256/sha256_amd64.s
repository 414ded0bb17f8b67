//go:build !purego

#include "textflag.h"

// SHA-256 with the SHA extensions, for HMAC and HKDF. The instructions and the
// order of the message schedule are those of the Intel 64 Software Developer's
// Manual, volume 2 (SHA256RNDS2, SHA256MSG1, SHA256MSG2) and of S. Gulley et al.,
// "Intel SHA Extensions", 2013; the arrangement in pairs is our own.
//
// One compression alone waits for SHA256RNDS2, four cycles each time. Two that do
// not depend on each other, done in turns, keep its unit busy: a pair costs little
// more than one.
//
//	X0        W + K, the implied operand of SHA256RNDS2
//	X1, X2    stream A: ABEF, CDGH
//	X3 – X6   stream A: sixteen words of the message schedule
//	X7, X8    stream B: ABEF, CDGH
//	X9 – X12  stream B: words
//	X13, X15  temporary
//	X14       the byte order of the message
//	AX        the round constants
//
// A state in memory is H0 … H7. Every function clears all these registers but X14,
// which is no secret, and its frame.

// The round constants, FIPS 180-4 §4.2.2.
DATA K<>+0x00(SB)/8, $0x71374491428a2f98
DATA K<>+0x08(SB)/8, $0xe9b5dba5b5c0fbcf
DATA K<>+0x10(SB)/8, $0x59f111f13956c25b
DATA K<>+0x18(SB)/8, $0xab1c5ed5923f82a4
DATA K<>+0x20(SB)/8, $0x12835b01d807aa98
DATA K<>+0x28(SB)/8, $0x550c7dc3243185be
DATA K<>+0x30(SB)/8, $0x80deb1fe72be5d74
DATA K<>+0x38(SB)/8, $0xc19bf1749bdc06a7
DATA K<>+0x40(SB)/8, $0xefbe4786e49b69c1
DATA K<>+0x48(SB)/8, $0x240ca1cc0fc19dc6
DATA K<>+0x50(SB)/8, $0x4a7484aa2de92c6f
DATA K<>+0x58(SB)/8, $0x76f988da5cb0a9dc
DATA K<>+0x60(SB)/8, $0xa831c66d983e5152
DATA K<>+0x68(SB)/8, $0xbf597fc7b00327c8
DATA K<>+0x70(SB)/8, $0xd5a79147c6e00bf3
DATA K<>+0x78(SB)/8, $0x1429296706ca6351
DATA K<>+0x80(SB)/8, $0x2e1b213827b70a85
DATA K<>+0x88(SB)/8, $0x53380d134d2c6dfc
DATA K<>+0x90(SB)/8, $0x766a0abb650a7354
DATA K<>+0x98(SB)/8, $0x92722c8581c2c92e
DATA K<>+0xa0(SB)/8, $0xa81a664ba2bfe8a1
DATA K<>+0xa8(SB)/8, $0xc76c51a3c24b8b70
DATA K<>+0xb0(SB)/8, $0xd6990624d192e819
DATA K<>+0xb8(SB)/8, $0x106aa070f40e3585
DATA K<>+0xc0(SB)/8, $0x1e376c0819a4c116
DATA K<>+0xc8(SB)/8, $0x34b0bcb52748774c
DATA K<>+0xd0(SB)/8, $0x4ed8aa4a391c0cb3
DATA K<>+0xd8(SB)/8, $0x682e6ff35b9cca4f
DATA K<>+0xe0(SB)/8, $0x78a5636f748f82ee
DATA K<>+0xe8(SB)/8, $0x8cc7020884c87814
DATA K<>+0xf0(SB)/8, $0xa4506ceb90befffa
DATA K<>+0xf8(SB)/8, $0xc67178f2bef9a3f7
GLOBL K<>(SB), RODATA|NOPTR, $256

// The initial state, FIPS 180-4 §5.3.3, as ABEF and CDGH.
DATA iv<>+0x00(SB)/8, $0x510e527f9b05688c
DATA iv<>+0x08(SB)/8, $0x6a09e667bb67ae85
DATA iv<>+0x10(SB)/8, $0x1f83d9ab5be0cd19
DATA iv<>+0x18(SB)/8, $0x3c6ef372a54ff53a
GLOBL iv<>(SB), RODATA|NOPTR, $32

// The words 8 to 15 of a block that ends a message of 96 bytes, which is one block of
// padded key and one digest.
DATA tail96<>+0x00(SB)/8, $0x0000000080000000
DATA tail96<>+0x08(SB)/8, $0x0000000000000000
DATA tail96<>+0x10(SB)/8, $0x0000000000000000
DATA tail96<>+0x18(SB)/8, $0x0000030000000000
GLOBL tail96<>(SB), RODATA|NOPTR, $32

// The bytes of HMAC's padding, RFC 2104, four words each.
DATA ipad<>+0x00(SB)/8, $0x3636363636363636
DATA ipad<>+0x08(SB)/8, $0x3636363636363636
DATA ipad<>+0x10(SB)/8, $0x3636363636363636
DATA ipad<>+0x18(SB)/8, $0x3636363636363636
GLOBL ipad<>(SB), RODATA|NOPTR, $32

DATA opad<>+0x00(SB)/8, $0x5c5c5c5c5c5c5c5c
DATA opad<>+0x08(SB)/8, $0x5c5c5c5c5c5c5c5c
DATA opad<>+0x10(SB)/8, $0x5c5c5c5c5c5c5c5c
DATA opad<>+0x18(SB)/8, $0x5c5c5c5c5c5c5c5c
GLOBL opad<>(SB), RODATA|NOPTR, $32

// Reverses the bytes of each word.
DATA swap<>+0x00(SB)/8, $0x0405060700010203
DATA swap<>+0x08(SB)/8, $0x0c0d0e0f08090a0b
DATA swap<>+0x10(SB)/8, $0x0405060700010203
DATA swap<>+0x18(SB)/8, $0x0c0d0e0f08090a0b
GLOBL swap<>(SB), RODATA|NOPTR, $32

// QUAD does four rounds of a stream.
#define QUAD(k, w, abef, cdgh) \
	MOVO        w, X0            \
	PADDL       k(AX), X0        \
	SHA256RNDS2 X0, abef, cdgh   \
	PSHUFD      $0x0E, X0, X0    \
	SHA256RNDS2 X0, cdgh, abef

// WORDS finishes the four words of the schedule that come after cur.
#define WORDS(prev, cur, next, t) \
	MOVO       cur, t           \
	PALIGNR    $4, prev, t      \
	PADDL      t, next          \
	SHA256MSG2 cur, next

// QUADS does four rounds of both streams.
#define QUADS(k, a, b) \
	QUAD(k, a, X1, X2) \
	QUAD(k, b, X7, X8)

#define WORDS2(ap, ac, an, bp, bc, bn) \
	WORDS(ap, ac, an, X13) \
	WORDS(bp, bc, bn, X15)

#define BEGIN2(ac, ap, bc, bp) \
	SHA256MSG1 ac, ap \
	SHA256MSG1 bc, bp

// STEP2 is a group of four rounds in the middle, with its part of the schedule.
#define STEP2(k, ap, ac, an, bp, bc, bn) \
	QUADS(k, ac, bc)               \
	WORDS2(ap, ac, an, bp, bc, bn) \
	BEGIN2(ac, ap, bc, bp)

// PAIR compresses the message words of both streams into their states, without the
// final addition of the states from before.
#define PAIR \
	QUADS(0x00, X3, X9)                    \
	QUADS(0x10, X4, X10)                   \
	BEGIN2(X4, X3, X10, X9)                \
	QUADS(0x20, X5, X11)                   \
	BEGIN2(X5, X4, X11, X10)               \
	STEP2(0x30, X5, X6, X3, X11, X12, X9)  \
	STEP2(0x40, X6, X3, X4, X12, X9, X10)  \
	STEP2(0x50, X3, X4, X5, X9, X10, X11)  \
	STEP2(0x60, X4, X5, X6, X10, X11, X12) \
	STEP2(0x70, X5, X6, X3, X11, X12, X9)  \
	STEP2(0x80, X6, X3, X4, X12, X9, X10)  \
	STEP2(0x90, X3, X4, X5, X9, X10, X11)  \
	STEP2(0xA0, X4, X5, X6, X10, X11, X12) \
	STEP2(0xB0, X5, X6, X3, X11, X12, X9)  \
	STEP2(0xC0, X6, X3, X4, X12, X9, X10)  \
	QUADS(0xD0, X4, X10)                   \
	WORDS2(X3, X4, X5, X9, X10, X11)       \
	QUADS(0xE0, X5, X11)                   \
	WORDS2(X4, X5, X6, X10, X11, X12)      \
	QUADS(0xF0, X6, X12)

#define STEP1(k, p, c, n) \
	QUAD(k, c, X1, X2)  \
	WORDS(p, c, n, X13) \
	SHA256MSG1 c, p

// SINGLE is PAIR for stream A alone.
#define SINGLE \
	QUAD(0x00, X3, X1, X2)  \
	QUAD(0x10, X4, X1, X2)  \
	SHA256MSG1 X4, X3       \
	QUAD(0x20, X5, X1, X2)  \
	SHA256MSG1 X5, X4       \
	STEP1(0x30, X5, X6, X3) \
	STEP1(0x40, X6, X3, X4) \
	STEP1(0x50, X3, X4, X5) \
	STEP1(0x60, X4, X5, X6) \
	STEP1(0x70, X5, X6, X3) \
	STEP1(0x80, X6, X3, X4) \
	STEP1(0x90, X3, X4, X5) \
	STEP1(0xA0, X4, X5, X6) \
	STEP1(0xB0, X5, X6, X3) \
	STEP1(0xC0, X6, X3, X4) \
	QUAD(0xD0, X4, X1, X2)  \
	WORDS(X3, X4, X5, X13)  \
	QUAD(0xE0, X5, X1, X2)  \
	WORDS(X4, X5, X6, X13)  \
	QUAD(0xF0, X6, X1, X2)

// CONSTANTS must come first.
#define CONSTANTS \
	LEAQ  K<>(SB), AX     \
	MOVOU swap<>(SB), X14

// FROMIV sets a state to the initial one; ADDIV ends a compression that began so.
#define FROMIV(abef, cdgh) \
	MOVOU iv<>+0x00(SB), abef \
	MOVOU iv<>+0x10(SB), cdgh

#define ADDIV(abef, cdgh, t) \
	MOVOU iv<>+0x00(SB), t \
	PADDL t, abef          \
	MOVOU iv<>+0x10(SB), t \
	PADDL t, cdgh

// FROM and ADD are the same for a state kept at m as ABEF and CDGH, and KEEP puts
// one there.
#define FROM(off, m, abef, cdgh) \
	MOVOU (off+0x00)(m), abef \
	MOVOU (off+0x10)(m), cdgh

#define ADD(off, m, abef, cdgh, t) \
	MOVOU (off+0x00)(m), t \
	PADDL t, abef          \
	MOVOU (off+0x10)(m), t \
	PADDL t, cdgh

#define KEEP(abef, cdgh, off, m) \
	MOVOU abef, (off+0x00)(m) \
	MOVOU cdgh, (off+0x10)(m)

// DIGEST makes of a state the first eight words of a block: H0 … H3 and H4 … H7.
#define DIGEST(abef, cdgh, lo, hi) \
	PSHUFD     $0x1B, abef, hi   \
	PSHUFD     $0x1B, cdgh, cdgh \
	MOVO       hi, lo            \
	PUNPCKLQDQ cdgh, lo          \
	PUNPCKHQDQ cdgh, hi

// TAIL makes the last eight words of a block that holds a digest behind a block of
// padded key.
#define TAIL(lo, hi) \
	MOVOU tail96<>+0x00(SB), lo \
	MOVOU tail96<>+0x10(SB), hi

// BLOCK loads the block at off(m).
#define BLOCK(off, m, w0, w1, w2, w3) \
	MOVOU  (off+0x00)(m), w0 \
	PSHUFB X14, w0           \
	MOVOU  (off+0x10)(m), w1 \
	PSHUFB X14, w1           \
	MOVOU  (off+0x20)(m), w2 \
	PSHUFB X14, w2           \
	MOVOU  (off+0x30)(m), w3 \
	PSHUFB X14, w3

// WITH loads 16 bytes of a block from off(m) and puts those of x between them, where
// the block has zeros: the generation, a part of a sample.
#define WITH(off, m, x, w) \
	MOVOU  (off)(m), w \
	POR    x, w        \
	PSHUFB X14, w

#define LOAD(off, m, w) \
	MOVOU  (off)(m), w \
	PSHUFB X14, w

// FORGET clears the registers that held secrets.
#define FORGET \
	PXOR X0, X0   \
	PXOR X1, X1   \
	PXOR X2, X2   \
	PXOR X3, X3   \
	PXOR X4, X4   \
	PXOR X5, X5   \
	PXOR X6, X6   \
	PXOR X7, X7   \
	PXOR X8, X8   \
	PXOR X9, X9   \
	PXOR X10, X10 \
	PXOR X11, X11 \
	PXOR X12, X12 \
	PXOR X13, X13 \
	PXOR X15, X15

// PADS sets the streams to the states behind HMAC's two padded keys, the inner one
// in A and the outer one in B, from the key in X3 … X6.
#define PADS \
	MOVOU ipad<>(SB), X13 \
	MOVOU opad<>(SB), X15 \
	MOVO  X3, X9          \
	MOVO  X4, X10         \
	MOVO  X5, X11         \
	MOVO  X6, X12         \
	PXOR  X13, X3         \
	PXOR  X13, X4         \
	PXOR  X13, X5         \
	PXOR  X13, X6         \
	PXOR  X15, X9         \
	PXOR  X15, X10        \
	PXOR  X15, X11        \
	PXOR  X15, X12        \
	FROMIV(X1, X2)        \
	FROMIV(X7, X8)        \
	PAIR                  \
	ADDIV(X1, X2, X13)    \
	ADDIV(X7, X8, X15)

// func stepSHANI(key *byte, long uint64, nonce *byte, secret *[32]byte, b *[3][64]byte, generation uint32)
//
// One step of a ratchet in four pairs, with a key as in pairSHANI. The blocks have the
// generation 0, at 15, 17 and 18. The frame keeps the inner state at 0, the outer one
// at 32 and the inner digest of the nonce at 64.
//
//	      A               B
//	1     inner pad       outer pad
//	2     inner, key      inner, nonce
//	3     inner, secret   outer, key
//	4     outer, secret   outer, nonce
TEXT ·stepSHANI(SB), NOSPLIT, $96-44
	MOVQ key+0(FP), DI
	MOVQ long+8(FP), CX
	MOVQ nonce+16(FP), SI
	MOVQ secret+24(FP), BX
	MOVQ b+32(FP), DX
	MOVL generation+40(FP), R8
	BSWAPL R8
	CONSTANTS

	// 1. The key of HMAC is the secret.
	MOVOU  0(BX), X3
	PSHUFB X14, X3
	MOVOU  16(BX), X4
	PSHUFB X14, X4
	PXOR   X5, X5
	PXOR   X6, X6
	PADS
	KEEP(X1, X2, 0, SP)
	KEEP(X7, X8, 32, SP)

	// 2. Both begin with the inner state.
	MOVO  X1, X7
	MOVO  X2, X8
	MOVQ   R8, X13
	MOVO   X13, X15
	PSLLDQ $15, X15
	WITH(0, DX, X15, X3)
	MOVO   X13, X15
	PSRLDQ $1, X15
	WITH(16, DX, X15, X4)
	LOAD(32, DX, X5)
	LOAD(48, DX, X6)
	LOAD(64, DX, X9)
	PSLLDQ $1, X13
	WITH(80, DX, X13, X10)
	LOAD(96, DX, X11)
	LOAD(112, DX, X12)
	PAIR
	ADD(0, SP, X1, X2, X13)
	ADD(0, SP, X7, X8, X15)
	DIGEST(X7, X8, X13, X15)
	KEEP(X13, X15, 64, SP)
	DIGEST(X1, X2, X9, X10)

	// 3.
	FROM(0, SP, X1, X2)
	MOVQ   R8, X13
	PSLLDQ $2, X13
	LOAD(128, DX, X3)
	WITH(144, DX, X13, X4)
	LOAD(160, DX, X5)
	LOAD(176, DX, X6)
	FROM(32, SP, X7, X8)
	TAIL(X11, X12)
	PAIR
	ADD(0, SP, X1, X2, X13)
	ADD(32, SP, X7, X8, X15)
	DIGEST(X7, X8, X13, X15)
	PSHUFB X14, X13
	MOVOU  X13, 0(DI)
	TESTQ  CX, CX
	JZ     short
	PSHUFB X14, X15
	MOVOU  X15, 16(DI)

short:
	DIGEST(X1, X2, X3, X4)

	// 4.
	FROM(32, SP, X1, X2)
	TAIL(X5, X6)
	FROM(32, SP, X7, X8)
	FROM(64, SP, X9, X10)
	TAIL(X11, X12)
	PAIR
	ADD(32, SP, X1, X2, X13)
	ADD(32, SP, X7, X8, X15)
	DIGEST(X1, X2, X3, X4)
	PSHUFB X14, X3
	MOVOU  X3, 0(BX)
	PSHUFB X14, X4
	MOVOU  X4, 16(BX)
	DIGEST(X7, X8, X9, X10)
	PSHUFB X14, X9
	MOVQ   X9, 0(SI)
	PSRLDQ $8, X9
	MOVL   X9, 8(SI)

	FORGET
	MOVOU X0, 0(SP)
	MOVOU X0, 16(SP)
	MOVOU X0, 32(SP)
	MOVOU X0, 48(SP)
	MOVOU X0, 64(SP)
	MOVOU X0, 80(SP)
	RET

// func nextSHANI(secret *[32]byte, b *[64]byte, generation uint32)
//
// The step of a ratchet for the secret alone, with a block and a frame as in stepSHANI.
TEXT ·nextSHANI(SB), NOSPLIT, $64-20
	MOVQ   secret+0(FP), BX
	MOVQ   b+8(FP), DX
	MOVL   generation+16(FP), R8
	BSWAPL R8
	CONSTANTS
	MOVOU  0(BX), X3
	PSHUFB X14, X3
	MOVOU  16(BX), X4
	PSHUFB X14, X4
	PXOR   X5, X5
	PXOR   X6, X6
	PADS
	KEEP(X1, X2, 0, SP)
	KEEP(X7, X8, 32, SP)
	MOVQ   R8, X13
	PSLLDQ $2, X13
	LOAD(0, DX, X3)
	WITH(16, DX, X13, X4)
	LOAD(32, DX, X5)
	LOAD(48, DX, X6)
	SINGLE
	ADD(0, SP, X1, X2, X13)
	DIGEST(X1, X2, X3, X4)
	TAIL(X5, X6)
	FROM(32, SP, X1, X2)
	SINGLE
	ADD(32, SP, X1, X2, X13)
	DIGEST(X1, X2, X3, X4)
	PSHUFB X14, X3
	MOVOU  X3, 0(BX)
	PSHUFB X14, X4
	MOVOU  X4, 16(BX)
	FORGET
	MOVOU  X0, 0(SP)
	MOVOU  X0, 16(SP)
	MOVOU  X0, 32(SP)
	MOVOU  X0, 48(SP)
	RET

// func keySHANI(k *Key, b *[64]byte)
TEXT ·keySHANI(SB), NOSPLIT, $0-16
	MOVQ k+0(FP), DI
	MOVQ b+8(FP), DX
	CONSTANTS
	BLOCK(0, DX, X3, X4, X5, X6)
	PADS
	KEEP(X1, X2, 0, DI)
	KEEP(X7, X8, 32, DI)
	FORGET
	RET

// func pairSHANI(k *Key, b *[2][64]byte, sample *[32]byte, key *byte, long uint64, nonce *byte)
//
// Two tags of HMAC under one key: a key of 16 bytes, or of 32 if long is not 0, and a
// nonce. The blocks have zeros for the sample, at 15 and 17.
TEXT ·pairSHANI(SB), NOSPLIT, $0-48
	MOVQ k+0(FP), DI
	MOVQ b+8(FP), DX
	MOVQ sample+16(FP), R8
	MOVQ key+24(FP), BX
	MOVQ long+32(FP), CX
	MOVQ nonce+40(FP), SI
	CONSTANTS
	FROM(0, DI, X1, X2)
	MOVO  X1, X7
	MOVO  X2, X8

	// The key's block, in which the last byte of the first register begins the sample.
	MOVOU   0(R8), X13
	PSLLDQ  $15, X13
	WITH(0, DX, X13, X3)
	MOVOU   1(R8), X13
	WITH(16, DX, X13, X4)
	MOVOU   16(R8), X13
	PSRLDQ  $1, X13
	WITH(32, DX, X13, X5)
	LOAD(48, DX, X6)

	// The nonce's, where it is the second byte of the second register.
	LOAD(64, DX, X9)
	MOVOU   0(R8), X13
	PSLLDQ  $1, X13
	WITH(80, DX, X13, X10)
	MOVOU   15(R8), X13
	WITH(96, DX, X13, X11)
	MOVOU   16(R8), X13
	PSRLDQ  $15, X13
	WITH(112, DX, X13, X12)
	PAIR
	ADD(0, DI, X1, X2, X13)
	ADD(0, DI, X7, X8, X15)
	DIGEST(X1, X2, X3, X4)
	TAIL(X5, X6)
	DIGEST(X7, X8, X9, X10)
	TAIL(X11, X12)
	FROM(32, DI, X1, X2)
	MOVO  X1, X7
	MOVO  X2, X8
	PAIR
	ADD(32, DI, X1, X2, X13)
	ADD(32, DI, X7, X8, X15)
	DIGEST(X1, X2, X3, X4)
	PSHUFB X14, X3
	MOVOU  X3, 0(BX)
	TESTQ  CX, CX
	JZ     short
	PSHUFB X14, X4
	MOVOU  X4, 16(BX)

short:
	DIGEST(X7, X8, X9, X10)
	PSHUFB X14, X9
	MOVQ   X9, 0(SI)
	PSRLDQ $8, X9
	MOVL   X9, 8(SI)
	FORGET
	RET

// func blocksSHANI(s *state, p *byte, n uint64)
TEXT ·blocksSHANI(SB), NOSPLIT, $0-24
	MOVQ  s+0(FP), DI
	MOVQ  p+8(FP), DX
	MOVQ  n+16(FP), CX
	CONSTANTS
	FROM(0, DI, X1, X2)
	TESTQ CX, CX
	JZ    done

loop:
	MOVO X1, X7
	MOVO X2, X8
	BLOCK(0, DX, X3, X4, X5, X6)
	SINGLE
	PADDL X7, X1
	PADDL X8, X2
	ADDQ  $64, DX
	DECQ  CX
	JNZ   loop

done:
	KEEP(X1, X2, 0, DI)
	FORGET
	RET

// func outerSHANI(k *Key, s *state, out *[32]byte)
//
// The tag of HMAC from the state behind its inner message.
TEXT ·outerSHANI(SB), NOSPLIT, $0-24
	MOVQ k+0(FP), DI
	MOVQ s+8(FP), DX
	MOVQ out+16(FP), BX
	CONSTANTS
	FROM(0, DX, X1, X2)
	DIGEST(X1, X2, X3, X4)
	TAIL(X5, X6)
	FROM(32, DI, X1, X2)
	SINGLE
	ADD(32, DI, X1, X2, X13)
	DIGEST(X1, X2, X3, X4)
	PSHUFB X14, X3
	MOVOU  X3, 0(BX)
	PSHUFB X14, X4
	MOVOU  X4, 16(BX)
	FORGET
	RET
