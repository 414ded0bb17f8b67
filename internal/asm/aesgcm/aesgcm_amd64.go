//go:build !purego

package aesgcm

import (
	"crypto/subtle"

	"github.com/hardmls/hardmls/internal/asm/cpu"
)

const (
	needAESNI   = cpu.AES | cpu.PCLMULQDQ | cpu.AVX
	needVAES256 = needAESNI | cpu.AVX2 | cpu.VAES | cpu.VPCLMULQDQ
	needVAES512 = needVAES256 | cpu.BMI2 | cpu.AVX512
)

// Select returns the kernel for a CPU, and why it is this one.
func Select(f cpu.Features) (k Kernel, reason string) {
	switch {
	case f.Has(needVAES512):
		return VAES512, needVAES512.String()
	case f.Has(needVAES256):
		return VAES256, needVAES256.String() + "; lacks " + (needVAES512 &^ f).String()
	case f.Has(needAESNI):
		return AESNI, needAESNI.String() + "; lacks " + (needVAES256 &^ f).String()
	}
	return Generic, "lacks " + (needAESNI &^ f).String()
}

func seal(k Kernel, out, key, nonce, plaintext, aad []byte) {
	switch k {
	case VAES512, VAES256, AESNI:
		raceRead(key, nonce, plaintext, aad)
		raceWrite(out)
		sealKernel(k, out, plaintext, key, nonce, aad)
	default:
		sealGeneric(out, key, nonce, plaintext, aad)
	}
}

func open(k Kernel, out, key, nonce, ciphertext, aad []byte) bool {
	switch k {
	case VAES512, VAES256, AESNI:
		raceRead(key, nonce, ciphertext, aad)
		raceWrite(out)
		n := len(ciphertext) - TagSize
		// In place, the tag stands behind what is written.
		var tag [TagSize]byte
		openKernel(k, out, ciphertext[:n], key, nonce, aad, &tag)
		ok := subtle.ConstantTimeCompare(tag[:], ciphertext[n:]) == 1
		tag = [TagSize]byte{}
		return ok
	default:
		return openGeneric(out, key, nonce, ciphertext, aad)
	}
}
