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
		has    cpu.Features
		want   Kernel
		reason string
	}{
		{cpu.SHA | cpu.SSE41, SHANI, "sha sse41"},
		{cpu.SHA | cpu.SSE41 | cpu.AVX512, SHANI, "sha sse41"},
		{cpu.SHA | cpu.AES, Generic, "lacking sse41"},
		{cpu.SSE41 | cpu.AVX2, Generic, "lacking sha"},
		{0, Generic, "lacking sha sse41"},
	} {
		want, reason := c.want, c.reason
		if !hasSHANI {
			want, reason = Generic, "none for this architecture and build"
		}
		if k, why := Select(c.has); k != want || why != reason {
			t.Errorf("%v: %v, %q; want %v, %q", c.has, k, why, want, reason)
		}
	}
}
