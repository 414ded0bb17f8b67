//go:build amd64 && !purego

package soft_test

// chachaObjects is what x/crypto allocates per message with its assembly.
const chachaObjects = 1
