//go:build !purego

package aesgcm

import "github.com/hardmls/hardmls/internal/asm/cpu"

// compiled are the kernels that this build has, the best first.
var compiled = []Kernel{VAES512, VAES256, AESNI, Generic}

// needs returns the features whose instructions the kernel uses.
func needs(k Kernel) cpu.Features {
	switch k {
	case VAES512:
		return needVAES512
	case VAES256:
		return needVAES256
	case AESNI:
		return needAESNI
	}
	return 0
}

func runs(k Kernel) bool { return cpu.Detect().Has(needs(k)) }
