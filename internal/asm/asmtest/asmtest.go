// Package asmtest helps the tests of kernels to look for what those leave behind. It
// is for tests only.
package asmtest

import (
	"bytes"
	"fmt"
	"runtime/debug"
	"unsafe"
)

const (
	depth = 16 << 10 // bytes of stack that are looked at
	frame = 256      // more than what take has of it below its first variable
)

// A dump is what a call left.
type dump struct {
	registers [32 * 64]byte
	stack     [depth]byte
}

// Residue runs f and returns where eight bytes in a row of a secret are left after it,
// in vector registers or in the stack that it used, as they are or with the bytes of
// each word reversed. On amd64, wide looks at 32 registers of AVX-512 instead of 16
// of SSE.
// The secrets themselves must not lie on the stack.
func Residue(wide bool, f func(), secrets ...[]byte) (found []string) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection shrinks stacks
	d := new(dump)
	done := make(chan bool)
	go func() {
		grow(4 * depth)
		take(d, wide, f)
		done <- true
	}()
	<-done
	size := 16
	if wide {
		size = 64
	}
	for i, s := range secrets {
		for form, b := range map[string][]byte{"": s, ", reversed": reversed(s)} {
			if n, ok := search(d.registers[:], b); ok {
				found = append(found, fmt.Sprintf("secret %d%s in register %d", i, form, n/size))
			}
			if n, ok := search(d.stack[:], b); ok {
				found = append(found, fmt.Sprintf("secret %d%s in the stack, %d bytes below", i, form, depth-n))
			}
		}
	}
	return found
}

// search returns where eight bytes of secret stand in b, of which most are not zero.
func search(b, secret []byte) (at int, ok bool) {
	for ; len(secret) >= 8; secret = secret[1:] {
		if bytes.Count(secret[:8], []byte{0}) > 2 {
			continue
		}
		if at = bytes.Index(b, secret[:8]); at >= 0 {
			return at, true
		}
	}
	return 0, false
}

func reversed(b []byte) []byte {
	r := make([]byte, len(b)&^3)
	for i := range r {
		r[i] = b[i&^3+3-i&3]
	}
	return r
}

// take runs f and copies what lies below its own frame. Between the two it calls only
// assembly. It clears the place first: a new stack is memory that was in use before.
//
//go:noinline
func take(d *dump, wide bool, f func()) {
	var here byte
	p := unsafe.Pointer(&here)
	for i := range depth - frame {
		*(*byte)(unsafe.Add(p, i-depth)) = 0
	}
	f()
	registers(&d.registers, wide)
	for i := range d.stack {
		d.stack[i] = *(*byte)(unsafe.Add(p, i-depth))
	}
}

// grow makes the stack at least n bytes long.
//
//go:noinline
func grow(n int) byte {
	var room [1 << 10]byte
	room[n%len(room)] = 1
	if n > len(room) {
		room[0] += grow(n - len(room))
	}
	return room[n%len(room)]
}
