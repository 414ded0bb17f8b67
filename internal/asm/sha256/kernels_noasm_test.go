//go:build !amd64 || purego

package sha256

func kernels() []Kernel { return []Kernel{Generic} }
