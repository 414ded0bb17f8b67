//go:build !purego && (amd64 || arm64)

package asmtest

//go:noescape
func registers(out *[2048]byte, wide bool)
