//go:build !purego

package sha256

import (
	"bytes"
	"os"
)

// kernels are those that this CPU can run.
func kernels() []Kernel {
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil && bytes.Contains(info, []byte(" sha_ni ")) {
		return []Kernel{Generic, SHANI}
	}
	return []Kernel{Generic}
}
