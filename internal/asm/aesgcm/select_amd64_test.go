//go:build !purego

package aesgcm

import (
	"os"
	"regexp"
	"strings"
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

// TestInstructionSets compares what the generator found in the code of each kernel
// with what the kernel asks for.
func TestInstructionSets(t *testing.T) {
	source, err := os.ReadFile("aesgcm_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	sets := map[string]cpu.Features{
		"AES": cpu.AES, "PCLMULQDQ": cpu.PCLMULQDQ, "AVX": cpu.AVX, "AVX2": cpu.AVX2, "BMI2": cpu.BMI2, "VAES": cpu.VAES,
		"VPCLMULQDQ": cpu.VPCLMULQDQ, "AVX512F": cpu.AVX512, "AVX512BW": cpu.AVX512, "AVX512DQ": cpu.AVX512, "AVX512VL": cpu.AVX512,
		"CMOV": 0, // every amd64 CPU has it
	}
	found := regexp.MustCompile(`(?m)^// func (\w+)\(.*\n// Requires: (.*)$`).FindAllSubmatch(source, -1)
	if len(found) != 12 {
		t.Fatalf("%d functions, want 12", len(found))
	}
	for _, f := range found {
		name := string(f[1])
		for _, k := range compiled {
			if !strings.HasSuffix(strings.ToLower(name), k.String()) {
				continue
			}
			for _, set := range strings.Split(string(f[2]), ", ") {
				if want, ok := sets[set]; !ok || !needs(k).Has(want) {
					t.Errorf("%s uses %s, which %v does not ask for", name, set, k)
				}
			}
		}
	}
}
