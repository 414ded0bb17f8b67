//go:build !purego

package aesgcm

import (
	"crypto/subtle"

	"github.com/hardmls/hardmls/internal/asm/cpu"
)

const (
	needAESNI   = cpu.AES | cpu.PCLMULQDQ | cpu.AVX
	needVAES512 = needAESNI | cpu.AVX2 | cpu.BMI2 | cpu.VAES | cpu.VPCLMULQDQ | cpu.AVX512
)

// Select returns the kernel for a CPU, and why it is this one.
func Select(f cpu.Features) (k Kernel, reason string) {
	if f.Has(needVAES512) {
		return VAES512, needVAES512.String()
	}
	return Generic, "lacks " + (needVAES512 &^ f).String()
}

func seal(k Kernel, out, key, nonce, plaintext, aad []byte) {
	switch k {
	case VAES512:
		raceRead(key, nonce, plaintext, aad)
		raceWrite(out)
		sealWide(out, plaintext, key, nonce, aad)
	default:
		sealGeneric(out, key, nonce, plaintext, aad)
	}
}

func open(k Kernel, out, key, nonce, ciphertext, aad []byte) bool {
	switch k {
	case VAES512:
		raceRead(key, nonce, ciphertext, aad)
		raceWrite(out)
		n := len(ciphertext) - TagSize
		// In place, the tag stands behind what is written.
		var tag [TagSize]byte
		openWide(out, ciphertext[:n], key, nonce, aad, &tag)
		ok := subtle.ConstantTimeCompare(tag[:], ciphertext[n:]) == 1
		tag = [TagSize]byte{}
		return ok
	default:
		return openGeneric(out, key, nonce, ciphertext, aad)
	}
}
