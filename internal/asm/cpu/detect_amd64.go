package cpu

import (
	"github.com/klauspost/cpuid/v2"
	"golang.org/x/sys/cpu"
)

// detect reads SHA, VAES and VPCLMULQDQ from cpuid, for x/sys/cpu knows the latter
// two only together with AVX-512 and the first not at all. cpuid gives them without
// asking the operating system, whose support for AVX2 closed asks for.
func detect() (f Features) {
	x := &cpu.X86
	for _, b := range [...]struct {
		feature Features
		ok      bool
	}{
		{AES, x.HasAES},
		{PCLMULQDQ, x.HasPCLMULQDQ},
		{SHA, cpuid.CPU.Supports(cpuid.SHA)},
		{SSE41, x.HasSSSE3 && x.HasSSE41},
		{AVX, x.HasAVX},
		{AVX2, x.HasAVX2},
		{BMI2, x.HasBMI2},
		{ADX, x.HasADX},
		{VAES, cpuid.CPU.Supports(cpuid.VAES)},
		{VPCLMULQDQ, cpuid.CPU.Supports(cpuid.VPCLMULQDQ)},
		{AVX512, x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL},
		{AVX512VBMI, x.HasAVX512VBMI},
		{AVX512IFMA, x.HasAVX512IFMA},
	} {
		if b.ok {
			f |= b.feature
		}
	}
	return f
}
