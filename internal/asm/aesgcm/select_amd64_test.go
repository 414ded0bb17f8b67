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
		{"nothing", 0, Generic, "lacks "},
		{"westmere", westmere, Generic, "lacks "},
		{"skylake-x", skylakeX, Generic, "lacks "},
		{"icelake", icelake, VAES512, ""},
		{"icelake without bmi2", icelake &^ cpu.BMI2, Generic, "lacks bmi2"},
	} {
		got, reason := Select(tc.f)
		if got != tc.want || len(reason) < len(tc.reason) || reason[:len(tc.reason)] != tc.reason {
			t.Errorf("%s: %v (%s), want %v (%s…)", tc.name, got, reason, tc.want, tc.reason)
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
