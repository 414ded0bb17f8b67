package sha256

import "github.com/hardmls/hardmls/internal/asm/cpu"

// Select returns the kernel for a CPU, and why.
func Select(f cpu.Features) (Kernel, string) {
	const needs = cpu.SHA | cpu.SSE41
	switch {
	case hasSHANI && f.Has(needs):
		return SHANI, needs.String()
	case hasSHANI:
		return Generic, "lacking " + (needs &^ f).String()
	}
	return Generic, "none for this architecture and build"
}
