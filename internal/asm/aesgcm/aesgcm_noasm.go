//go:build purego || !(amd64 || arm64)

package aesgcm

import "github.com/hardmls/hardmls/internal/asm/cpu"

// Select returns the kernel for a CPU, and why it is this one.
func Select(cpu.Features) (k Kernel, reason string) {
	return Generic, "no kernel in this build"
}

func seal(_ Kernel, out, key, nonce, plaintext, aad []byte) {
	sealGeneric(out, key, nonce, plaintext, aad)
}

func open(_ Kernel, out, key, nonce, ciphertext, aad []byte) bool {
	return openGeneric(out, key, nonce, ciphertext, aad)
}
