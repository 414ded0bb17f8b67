//go:build !purego

#include "textflag.h"

// The state is V0 (abcd) and V1 (efgh), the running one V2 and V3. V4 to V7 hold the
// last sixteen words of the message schedule, V16 to V31 the round constants.

// FOUR does four rounds with the words of W and the constants K.
#define FOUR(W, K) \
	VADD     K.S4, W.S4, V8.S4     \
	VMOV     V2.B16, V9.B16        \
	SHA256H  V8.S4, V3, V2         \
	SHA256H2 V8.S4, V9, V3

// SCHEDULE replaces the words of W by those sixteen rounds later; X, Y and Z are the
// twelve words behind them.
#define SCHEDULE(W, X, Y, Z) \
	SHA256SU0 X.S4, W.S4           \
	SHA256SU1 Z.S4, Y.S4, W.S4

// func blocksSHA2(s *state, p *byte, n uint64)
// FIPS 180-4 §6.2.2.
TEXT ·blocksSHA2(SB), NOSPLIT, $0-24
	MOVD   s+0(FP), R0
	MOVD   p+8(FP), R1
	MOVD   n+16(FP), R2
	MOVD   $·roundConstants(SB), R3
	VLD1.P 64(R3), [V16.S4, V17.S4, V18.S4, V19.S4]
	VLD1.P 64(R3), [V20.S4, V21.S4, V22.S4, V23.S4]
	VLD1.P 64(R3), [V24.S4, V25.S4, V26.S4, V27.S4]
	VLD1   (R3), [V28.S4, V29.S4, V30.S4, V31.S4]
	VLD1   (R0), [V0.S4, V1.S4]

next:
	VLD1.P 64(R1), [V4.B16, V5.B16, V6.B16, V7.B16]
	VREV32 V4.B16, V4.B16
	VREV32 V5.B16, V5.B16
	VREV32 V6.B16, V6.B16
	VREV32 V7.B16, V7.B16
	VMOV   V0.B16, V2.B16
	VMOV   V1.B16, V3.B16
	FOUR(V4, V16)
	SCHEDULE(V4, V5, V6, V7)
	FOUR(V5, V17)
	SCHEDULE(V5, V6, V7, V4)
	FOUR(V6, V18)
	SCHEDULE(V6, V7, V4, V5)
	FOUR(V7, V19)
	SCHEDULE(V7, V4, V5, V6)
	FOUR(V4, V20)
	SCHEDULE(V4, V5, V6, V7)
	FOUR(V5, V21)
	SCHEDULE(V5, V6, V7, V4)
	FOUR(V6, V22)
	SCHEDULE(V6, V7, V4, V5)
	FOUR(V7, V23)
	SCHEDULE(V7, V4, V5, V6)
	FOUR(V4, V24)
	SCHEDULE(V4, V5, V6, V7)
	FOUR(V5, V25)
	SCHEDULE(V5, V6, V7, V4)
	FOUR(V6, V26)
	SCHEDULE(V6, V7, V4, V5)
	FOUR(V7, V27)
	SCHEDULE(V7, V4, V5, V6)
	FOUR(V4, V28)
	FOUR(V5, V29)
	FOUR(V6, V30)
	FOUR(V7, V31)
	VADD   V2.S4, V0.S4, V0.S4
	VADD   V3.S4, V1.S4, V1.S4
	SUBS   $1, R2
	BNE    next

	VST1   [V0.S4, V1.S4], (R0)
	VEOR   V0.B16, V0.B16, V0.B16
	VEOR   V1.B16, V1.B16, V1.B16
	VEOR   V2.B16, V2.B16, V2.B16
	VEOR   V3.B16, V3.B16, V3.B16
	VEOR   V4.B16, V4.B16, V4.B16
	VEOR   V5.B16, V5.B16, V5.B16
	VEOR   V6.B16, V6.B16, V6.B16
	VEOR   V7.B16, V7.B16, V7.B16
	VEOR   V8.B16, V8.B16, V8.B16
	VEOR   V9.B16, V9.B16, V9.B16
	RET
