package aesgcm

import (
	"bytes"
	"os"
	"syscall"
	"testing"
)

// guarded returns pages whose neighbours on both sides cannot be touched.
func guarded(t *testing.T, pages int) []byte {
	t.Helper()
	size := os.Getpagesize()
	m, err := syscall.Mmap(-1, 0, (pages+2)*size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Skipf("mmap: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(m) })
	for _, edge := range [][]byte{m[:size], m[(pages+1)*size:]} {
		if err := syscall.Mprotect(edge, syscall.PROT_NONE); err != nil {
			t.Skipf("mprotect: %v", err)
		}
	}
	return m[size : (pages+1)*size : (pages+1)*size]
}

// TestGuardPages puts every argument against the end and against the beginning of
// memory: a kernel that reads or writes a byte too many crashes.
func TestGuardPages(t *testing.T) {
	forKernels(t, func(t *testing.T, k Kernel) {
		src, _ := seeded(8)
		in, out, aads, keys, nonces := guarded(t, 3), guarded(t, 3), guarded(t, 3), guarded(t, 1), guarded(t, 1)
		for _, b := range [][]byte{in, aads, keys, nonces} {
			src.Read(b)
		}
		put := func(b []byte, n int, atEnd bool) []byte {
			if atEnd {
				return b[len(b)-n:]
			}
			return b[:n:n]
		}
		ends := func(what string, n, a int) {
			for _, atEnd := range []bool{false, true} {
				for _, size := range []int{16, 32} {
					key, nonce := put(keys, size, atEnd), put(nonces, NonceSize, atEnd)
					plaintext, aad := put(in, n, atEnd), put(aads, a, atEnd)
					want := std(key).Seal(nil, nonce, plaintext, aad)
					got := Seal(k, put(out, n+TagSize, atEnd)[:0], key, nonce, plaintext, aad)
					if !bytes.Equal(got, want) {
						t.Fatalf("%s: key %d, plaintext %d, aad %d: sealed %s", what, size, n, a, differ(got, want))
					}
					back, err := Open(k, got[:0], key, nonce, got, aad)
					if err != nil || !bytes.Equal(back, plaintext) {
						t.Fatalf("%s: key %d, plaintext %d, aad %d: opened %s, %v", what, size, n, a, differ(back, plaintext), err)
					}
				}
			}
		}
		step := 1
		if testing.Short() {
			step = 11
		}
		for n := 0; n < 1400; n += step {
			ends("lengths", n, n%97)
		}
		for a := 0; a < 400; a += step {
			ends("additional data", a%37, a)
		}
	})
}
