//go:build purego || !(amd64 || arm64)

package aesgcm

// compiled are the kernels that this build has, the best first.
var compiled = []Kernel{Generic}

func runs(k Kernel) bool { return k == Generic }
