package sha256

import (
	"testing"

	"github.com/hardmls/hardmls/internal/asm/cpu"
)

// kernels are those that this CPU can run, whatever HARDMLS_CPU takes away.
func kernels() []Kernel {
	if k, _ := Select(cpu.Detect()); k != Generic {
		return []Kernel{Generic, k}
	}
	return []Kernel{Generic}
}

func TestSelect(t *testing.T) {
	for _, c := range []struct {
		best   Kernel // of the builds that the row is about
		has    cpu.Features
		want   Kernel
		reason string
	}{
		{SHANI, cpu.SHA | cpu.SSE41, SHANI, "sha sse41"},
		{SHANI, cpu.SHA | cpu.SSE41 | cpu.AVX512, SHANI, "sha sse41"},
		{SHANI, cpu.SHA | cpu.AES, Generic, "lacking sse41"},
		{SHANI, cpu.SSE41 | cpu.AVX2, Generic, "lacking sha"},
		{SHANI, 0, Generic, "lacking sha sse41"},
		{SHA2, cpu.AES | cpu.PMULL | cpu.SHA2, SHA2, "sha2"},
		{SHA2, cpu.AES | cpu.PMULL | cpu.SHA3, Generic, "lacking sha2"},
		{Generic, cpu.SHA | cpu.SSE41 | cpu.SHA2, Generic, "none for this architecture and build"},
	} {
		if c.best != best {
			continue
		}
		if k, why := Select(c.has); k != c.want || why != c.reason {
			t.Errorf("%v: %v, %q; want %v, %q", c.has, k, why, c.want, c.reason)
		}
	}
}
