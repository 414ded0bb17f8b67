//go:build !purego

package aesgcm

import (
	"testing"

	"github.com/hardmls/hardmls/internal/asm/cpu"
)

func TestSelect(t *testing.T) {
	const (
		westmere = cpu.AES | cpu.PCLMULQDQ | cpu.SSE41
		haswell  = westmere | cpu.AVX | cpu.AVX2 | cpu.BMI2
		skylakeX = haswell | cpu.AVX512
		zen3     = haswell | cpu.SHA | cpu.VAES | cpu.VPCLMULQDQ
		icelake  = skylakeX | zen3 | cpu.AVX512VBMI | cpu.AVX512IFMA
	)
	for _, tc := range []struct {
		name   string
		f      cpu.Features
		want   Kernel
		reason string
	}{
		{"nothing", 0, Generic, "lacks aes pclmulqdq avx"},
		{"westmere", westmere, Generic, "lacks avx"},
		{"sandy bridge", westmere | cpu.AVX, AESNI, "aes pclmulqdq avx; lacks avx2 vaes vpclmulqdq"},
		{"haswell", haswell, AESNI, "aes pclmulqdq avx; lacks vaes vpclmulqdq"},
		{"skylake-x", skylakeX, AESNI, "aes pclmulqdq avx; lacks vaes vpclmulqdq"},
		{"zen3", zen3, VAES256, "aes pclmulqdq avx avx2 vaes vpclmulqdq; lacks avx512"},
		{"icelake", icelake, VAES512, "aes pclmulqdq avx avx2 bmi2 vaes vpclmulqdq avx512"},
		{"icelake without bmi2", icelake &^ cpu.BMI2, VAES256, "aes pclmulqdq avx avx2 vaes vpclmulqdq; lacks bmi2"},
		{"icelake without vaes", icelake &^ cpu.VAES, AESNI, "aes pclmulqdq avx; lacks vaes"},
		{"icelake without vpclmulqdq", icelake &^ cpu.VPCLMULQDQ, AESNI, "aes pclmulqdq avx; lacks vpclmulqdq"},
		{"icelake without avx512", icelake &^ cpu.AVX512, VAES256, "aes pclmulqdq avx avx2 vaes vpclmulqdq; lacks avx512"},
		{"icelake without pclmulqdq", icelake &^ (cpu.PCLMULQDQ | cpu.VPCLMULQDQ), Generic, "lacks pclmulqdq"},
	} {
		got, reason := Select(tc.f)
		if got != tc.want || reason != tc.reason {
			t.Errorf("%s: %v (%s), want %v (%s)", tc.name, got, reason, tc.want, tc.reason)
		}
	}
}

// TestSelectNeedsWhatItUses: for every set of features, the kernel's own are in it.
func TestSelectNeedsWhatItUses(t *testing.T) {
	const all = needVAES512
	for f := all; ; f = (f - 1) & all {
		if k, reason := Select(f); !f.Has(needs(k)) || reason == "" {
			t.Fatalf("%v chosen (%q) for a CPU that has %v", k, reason, f)
		}
		if f == 0 {
			break
		}
	}
	if k, _ := Select(cpu.Detect()); !runs(k) {
		t.Errorf("%v chosen for this CPU, which cannot run it", k)
	}
}
