package asmtest

import (
	"crypto/rand"
	"testing"
)

var sink byte

//go:noinline
func leaves(secret []byte) {
	var b [40]byte
	copy(b[:], secret)
	for _, c := range b {
		sink ^= c
	}
}

//go:noinline
func cleans(secret []byte) {
	for _, c := range secret {
		sink ^= c
	}
}

// TestResidue shows that a copy is found, and that none is where there is none.
func TestResidue(t *testing.T) {
	secret := make([]byte, 40)
	rand.Read(secret)
	if found := Residue(false, func() { leaves(secret) }, secret); len(found) == 0 {
		t.Error("a copy on the stack is not found")
	}
	if found := Residue(false, func() { cleans(secret) }, secret); len(found) != 0 {
		t.Error(found)
	}
}
