package sha256

import "github.com/hardmls/hardmls/internal/asm/cpu"

// Select returns the kernel for a CPU, and why.
func Select(f cpu.Features) (Kernel, string) {
	switch {
	case best == Generic:
		return Generic, "none for this architecture and build"
	case f.Has(needs):
		return best, needs.String()
	}
	return Generic, "lacking " + (needs &^ f).String()
}
