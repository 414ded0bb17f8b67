//go:build !purego

package asmtest

//go:noescape
func registers(out *[2048]byte, wide bool)
