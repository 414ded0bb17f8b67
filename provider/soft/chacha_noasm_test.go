//go:build !amd64 || purego

package soft_test

// chachaObjects is what x/crypto allocates per message without assembly: the
// cipher and its state.
const chachaObjects = 2
