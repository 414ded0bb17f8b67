//go:build !purego

#include "textflag.h"

// SHA-256 with the SHA2 instructions of Armv8, for HMAC and HKDF. The instructions
// and the order of the message schedule are those of the Arm Architecture Reference
// Manual for A-profile (SHA256H, SHA256H2, SHA256SU0, SHA256SU1); the arrangement in
// pairs is our own.
//
// SHA256H waits for the SHA256H2 of the four rounds before and the other way round.
// Two compressions that do not depend on each other, done in turns, fill the time.
//
//	V0, V1    stream A: H0 … H3, H4 … H7
//	V2, V3    stream A: H0 … H3 of four rounds before, W + K
//	V4 – V7   stream A: sixteen words of the message schedule
//	V8, V9    stream B: state
//	V10, V11  stream B: as V2, V3
//	V12 – V15 stream B: words
//	V16, V17  the inner state of a key
//	V18, V19  the outer state of a key
//	V20, V21  a digest that waits
//	V22, V23  the initial state
//	V24       round constants
//	V25, V26  the end of a message of 96 bytes
//	R0        the round constants
//
// A state in memory is H0 … H7. No secret touches the frame, and every function clears
// the registers V0 to V21, which are all that held one.

// The initial state, FIPS 180-4 §5.3.3; and the words 8 to 15 of a block that ends a
// message of 96 bytes, which is one block of padded key and one digest.
DATA fixed<>+0x00(SB)/8, $0xbb67ae856a09e667
DATA fixed<>+0x08(SB)/8, $0xa54ff53a3c6ef372
DATA fixed<>+0x10(SB)/8, $0x9b05688c510e527f
DATA fixed<>+0x18(SB)/8, $0x5be0cd191f83d9ab
DATA fixed<>+0x20(SB)/8, $0x0000000080000000
DATA fixed<>+0x28(SB)/8, $0x0000000000000000
DATA fixed<>+0x30(SB)/8, $0x0000000000000000
DATA fixed<>+0x38(SB)/8, $0x0000030000000000
GLOBL fixed<>(SB), RODATA|NOPTR, $64

// ROUNDS does four rounds of a stream with the round constants in V24.
#define ROUNDS(w, abcd, efgh, old, wk) \
	VADD     w.S4, V24.S4, wk.S4  \
	VMOV     abcd.B16, old.B16    \
	SHA256H  wk.S4, efgh, abcd    \
	SHA256H2 wk.S4, old, efgh

// QUAD does four rounds of stream A, QUADS of both streams.
#define QUAD(k, a) \
	FMOVQ k(R0), F24 \
	ROUNDS(a, V0, V1, V2, V3)

#define QUADS(k, a, b) \
	FMOVQ k(R0), F24          \
	ROUNDS(a, V0, V1, V2, V3) \
	ROUNDS(b, V8, V9, V10, V11)

// WORDS replaces the oldest four words w0 of the schedule by the next four.
#define WORDS(w0, w1, w2, w3) \
	SHA256SU0 w1.S4, w0.S4 \
	SHA256SU1 w3.S4, w2.S4, w0.S4

#define MIDDLE(k, a0, a1, a2, a3) \
	QUAD(k, a0) \
	WORDS(a0, a1, a2, a3)

#define MIDDLES(k, a0, a1, a2, a3, b0, b1, b2, b3) \
	QUADS(k, a0, b0)      \
	WORDS(a0, a1, a2, a3) \
	WORDS(b0, b1, b2, b3)

// PAIR compresses the message words of both streams into their states, without the
// final addition of the states from before.
#define PAIR \
	MIDDLES(0x00, V4, V5, V6, V7, V12, V13, V14, V15) \
	MIDDLES(0x10, V5, V6, V7, V4, V13, V14, V15, V12) \
	MIDDLES(0x20, V6, V7, V4, V5, V14, V15, V12, V13) \
	MIDDLES(0x30, V7, V4, V5, V6, V15, V12, V13, V14) \
	MIDDLES(0x40, V4, V5, V6, V7, V12, V13, V14, V15) \
	MIDDLES(0x50, V5, V6, V7, V4, V13, V14, V15, V12) \
	MIDDLES(0x60, V6, V7, V4, V5, V14, V15, V12, V13) \
	MIDDLES(0x70, V7, V4, V5, V6, V15, V12, V13, V14) \
	MIDDLES(0x80, V4, V5, V6, V7, V12, V13, V14, V15) \
	MIDDLES(0x90, V5, V6, V7, V4, V13, V14, V15, V12) \
	MIDDLES(0xA0, V6, V7, V4, V5, V14, V15, V12, V13) \
	MIDDLES(0xB0, V7, V4, V5, V6, V15, V12, V13, V14) \
	QUADS(0xC0, V4, V12)                              \
	QUADS(0xD0, V5, V13)                              \
	QUADS(0xE0, V6, V14)                              \
	QUADS(0xF0, V7, V15)

// SINGLE is PAIR for stream A alone.
#define SINGLE \
	MIDDLE(0x00, V4, V5, V6, V7) \
	MIDDLE(0x10, V5, V6, V7, V4) \
	MIDDLE(0x20, V6, V7, V4, V5) \
	MIDDLE(0x30, V7, V4, V5, V6) \
	MIDDLE(0x40, V4, V5, V6, V7) \
	MIDDLE(0x50, V5, V6, V7, V4) \
	MIDDLE(0x60, V6, V7, V4, V5) \
	MIDDLE(0x70, V7, V4, V5, V6) \
	MIDDLE(0x80, V4, V5, V6, V7) \
	MIDDLE(0x90, V5, V6, V7, V4) \
	MIDDLE(0xA0, V6, V7, V4, V5) \
	MIDDLE(0xB0, V7, V4, V5, V6) \
	QUAD(0xC0, V4)               \
	QUAD(0xD0, V5)               \
	QUAD(0xE0, V6)               \
	QUAD(0xF0, V7)

// CONSTANTS must come first.
#define CONSTANTS \
	MOVD  $fixed<>(SB), R0    \
	FLDPQ (R0), (F22, F23)    \
	FLDPQ 32(R0), (F25, F26)  \
	MOVD  $·roundConstants(SB), R0

// COPY sets a state, or any two registers, to another.
#define COPY(from0, from1, to0, to1) \
	VMOV from0.B16, to0.B16 \
	VMOV from1.B16, to1.B16

// SUM ends a compression that began with the state in s0 and s1.
#define SUM(s0, s1, abcd, efgh) \
	VADD s0.S4, abcd.S4, abcd.S4 \
	VADD s1.S4, efgh.S4, efgh.S4

// REVERSE changes between words and bytes.
#define REVERSE(w0, w1) \
	VREV32 w0.B16, w0.B16 \
	VREV32 w1.B16, w1.B16

// BLOCK loads the block at m and moves m behind it.
#define BLOCK(m, w0, w1, w2, w3) \
	VLD1.P 64(m), [w0.B16, w1.B16, w2.B16, w3.B16] \
	REVERSE(w0, w1)                                \
	REVERSE(w2, w3)

// FORGET clears the registers that held secrets.
#define FORGET \
	VEOR V0.B16, V0.B16, V0.B16    \
	VEOR V1.B16, V1.B16, V1.B16    \
	VEOR V2.B16, V2.B16, V2.B16    \
	VEOR V3.B16, V3.B16, V3.B16    \
	VEOR V4.B16, V4.B16, V4.B16    \
	VEOR V5.B16, V5.B16, V5.B16    \
	VEOR V6.B16, V6.B16, V6.B16    \
	VEOR V7.B16, V7.B16, V7.B16    \
	VEOR V8.B16, V8.B16, V8.B16    \
	VEOR V9.B16, V9.B16, V9.B16    \
	VEOR V10.B16, V10.B16, V10.B16 \
	VEOR V11.B16, V11.B16, V11.B16 \
	VEOR V12.B16, V12.B16, V12.B16 \
	VEOR V13.B16, V13.B16, V13.B16 \
	VEOR V14.B16, V14.B16, V14.B16 \
	VEOR V15.B16, V15.B16, V15.B16 \
	VEOR V16.B16, V16.B16, V16.B16 \
	VEOR V17.B16, V17.B16, V17.B16 \
	VEOR V18.B16, V18.B16, V18.B16 \
	VEOR V19.B16, V19.B16, V19.B16 \
	VEOR V20.B16, V20.B16, V20.B16 \
	VEOR V21.B16, V21.B16, V21.B16

// PADS sets the streams to the states behind HMAC's two padded keys, RFC 2104, the
// inner one in A and the outer one in B, from the key in V4 … V7.
#define PADS \
	VMOVI $0x5c, V3.B16              \
	VEOR  V4.B16, V3.B16, V12.B16    \
	VEOR  V5.B16, V3.B16, V13.B16    \
	VEOR  V6.B16, V3.B16, V14.B16    \
	VEOR  V7.B16, V3.B16, V15.B16    \
	VMOVI $0x36, V3.B16              \
	VEOR  V4.B16, V3.B16, V4.B16     \
	VEOR  V5.B16, V3.B16, V5.B16     \
	VEOR  V6.B16, V3.B16, V6.B16     \
	VEOR  V7.B16, V3.B16, V7.B16     \
	COPY(V22, V23, V0, V1)           \
	COPY(V22, V23, V8, V9)           \
	PAIR                             \
	SUM(V22, V23, V0, V1)            \
	SUM(V22, V23, V8, V9)

// SECRET takes the secret at m for the key, and keeps the two states.
#define SECRET(m) \
	VLD1 (m), [V4.B16, V5.B16]   \
	REVERSE(V4, V5)              \
	VEOR V6.B16, V6.B16, V6.B16  \
	VEOR V7.B16, V7.B16, V7.B16  \
	PADS                         \
	COPY(V0, V1, V16, V17)       \
	COPY(V8, V9, V18, V19)

// func stepSHA2(key *byte, long uint64, nonce *byte, secret *[32]byte, b *[3][64]byte)
//
// One step of a ratchet in four pairs, with a key as in pairSHA2.
//
//	      A               B
//	1     inner pad       outer pad
//	2     inner, key      inner, nonce
//	3     inner, secret   outer, key
//	4     outer, secret   outer, nonce
TEXT ·stepSHA2(SB), NOSPLIT, $0-40
	MOVD key+0(FP), R1
	MOVD long+8(FP), R2
	MOVD nonce+16(FP), R3
	MOVD secret+24(FP), R4
	MOVD b+32(FP), R5
	CONSTANTS

	// 1. The key of HMAC is the secret.
	SECRET(R4)

	// 2. Both begin with the inner state.
	COPY(V16, V17, V8, V9)
	BLOCK(R5, V4, V5, V6, V7)
	BLOCK(R5, V12, V13, V14, V15)
	PAIR
	SUM(V16, V17, V0, V1)
	SUM(V16, V17, V8, V9)
	COPY(V8, V9, V20, V21)
	COPY(V0, V1, V12, V13)

	// 3.
	COPY(V16, V17, V0, V1)
	BLOCK(R5, V4, V5, V6, V7)
	COPY(V18, V19, V8, V9)
	COPY(V25, V26, V14, V15)
	PAIR
	SUM(V16, V17, V0, V1)
	SUM(V18, V19, V8, V9)
	REVERSE(V8, V9)
	FMOVQ F8, (R1)
	CBZ   R2, short
	FMOVQ F9, 16(R1)

short:
	COPY(V0, V1, V4, V5)

	// 4.
	COPY(V18, V19, V0, V1)
	COPY(V25, V26, V6, V7)
	COPY(V18, V19, V8, V9)
	COPY(V20, V21, V12, V13)
	COPY(V25, V26, V14, V15)
	PAIR
	SUM(V18, V19, V0, V1)
	SUM(V18, V19, V8, V9)
	REVERSE(V0, V1)
	VST1  [V0.B16, V1.B16], (R4)
	REVERSE(V8, V9)
	FMOVD F8, (R3)
	ADD   $8, R3
	VST1  V8.S[2], (R3)
	FORGET
	RET

// func nextSHA2(secret *[32]byte, b *[64]byte)
//
// The step of a ratchet for the secret alone.
TEXT ·nextSHA2(SB), NOSPLIT, $0-16
	MOVD secret+0(FP), R4
	MOVD b+8(FP), R5
	CONSTANTS
	SECRET(R4)
	BLOCK(R5, V4, V5, V6, V7)
	SINGLE
	SUM(V16, V17, V0, V1)
	COPY(V0, V1, V4, V5)
	COPY(V25, V26, V6, V7)
	COPY(V18, V19, V0, V1)
	SINGLE
	SUM(V18, V19, V0, V1)
	REVERSE(V0, V1)
	VST1 [V0.B16, V1.B16], (R4)
	FORGET
	RET

// func keySHA2(k *Key, b *[64]byte)
TEXT ·keySHA2(SB), NOSPLIT, $0-16
	MOVD k+0(FP), R1
	MOVD b+8(FP), R5
	CONSTANTS
	BLOCK(R5, V4, V5, V6, V7)
	PADS
	VST1.P [V0.B16, V1.B16], 32(R1)
	VST1   [V8.B16, V9.B16], (R1)
	FORGET
	RET

// func pairSHA2(k *Key, b *[2][64]byte, key *byte, long uint64, nonce *byte)
//
// Two tags of HMAC under one key, of messages that fit into a block each: a key of 16
// bytes, or of 32 if long is not 0, and a nonce.
TEXT ·pairSHA2(SB), NOSPLIT, $0-40
	MOVD k+0(FP), R4
	MOVD b+8(FP), R5
	MOVD key+16(FP), R1
	MOVD long+24(FP), R2
	MOVD nonce+32(FP), R3
	CONSTANTS
	VLD1 (R4), [V16.B16, V17.B16, V18.B16, V19.B16]
	COPY(V16, V17, V0, V1)
	COPY(V16, V17, V8, V9)
	BLOCK(R5, V4, V5, V6, V7)
	BLOCK(R5, V12, V13, V14, V15)
	PAIR
	SUM(V16, V17, V0, V1)
	SUM(V16, V17, V8, V9)
	COPY(V0, V1, V4, V5)
	COPY(V25, V26, V6, V7)
	COPY(V8, V9, V12, V13)
	COPY(V25, V26, V14, V15)
	COPY(V18, V19, V0, V1)
	COPY(V18, V19, V8, V9)
	PAIR
	SUM(V18, V19, V0, V1)
	SUM(V18, V19, V8, V9)
	REVERSE(V0, V1)
	FMOVQ F0, (R1)
	CBZ   R2, short
	FMOVQ F1, 16(R1)

short:
	REVERSE(V8, V9)
	FMOVD F8, (R3)
	ADD   $8, R3
	VST1  V8.S[2], (R3)
	FORGET
	RET

// func blocksSHA2(s *state, p *byte, n uint64)
TEXT ·blocksSHA2(SB), NOSPLIT, $0-24
	MOVD s+0(FP), R1
	MOVD p+8(FP), R5
	MOVD n+16(FP), R2
	CONSTANTS
	VLD1 (R1), [V0.B16, V1.B16]
	CBZ  R2, done

loop:
	COPY(V0, V1, V16, V17)
	BLOCK(R5, V4, V5, V6, V7)
	SINGLE
	SUM(V16, V17, V0, V1)
	SUB  $1, R2
	CBNZ R2, loop

done:
	VST1 [V0.B16, V1.B16], (R1)
	FORGET
	RET

// func outerSHA2(k *Key, s *state, out *[32]byte)
//
// The tag of HMAC from the state behind its inner message.
TEXT ·outerSHA2(SB), NOSPLIT, $0-24
	MOVD k+0(FP), R4
	MOVD s+8(FP), R5
	MOVD out+16(FP), R1
	CONSTANTS
	FLDPQ 32(R4), (F18, F19)
	VLD1  (R5), [V4.B16, V5.B16]
	COPY(V25, V26, V6, V7)
	COPY(V18, V19, V0, V1)
	SINGLE
	SUM(V18, V19, V0, V1)
	REVERSE(V0, V1)
	VST1 [V0.B16, V1.B16], (R1)
	FORGET
	RET
