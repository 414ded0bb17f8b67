//go:build !purego

package aesgcm

import (
	"testing"

	"github.com/hardmls/hardmls/internal/asm/cpu"
)

// compiled are the kernels that this build has, the best first.
var compiled = []Kernel{ARM64, Generic}

func runs(k Kernel) bool { return k == Generic || cpu.Detect().Has(needARM64) }

func TestSelect(t *testing.T) {
	for f, want := range map[cpu.Features]Kernel{
		cpu.AES | cpu.PMULL | cpu.SHA2 | cpu.SHA3: ARM64,
		cpu.AES | cpu.PMULL:                       ARM64,
		cpu.AES:                                   Generic,
		cpu.PMULL:                                 Generic,
		0:                                         Generic,
	} {
		if k, reason := Select(f); k != want || reason == "" {
			t.Errorf("%v: %v (%s), want %v", f, k, reason, want)
		}
	}
}
