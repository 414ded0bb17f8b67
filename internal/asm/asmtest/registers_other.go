//go:build !amd64 || purego

package asmtest

// registers looks at none.
func registers(*[2048]byte, bool) {}
