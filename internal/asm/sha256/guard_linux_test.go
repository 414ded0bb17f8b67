package sha256

import (
	"bytes"
	"syscall"
	"testing"
)

// fenced returns memory between two pages that must not be touched.
func fenced(t *testing.T) []byte {
	t.Helper()
	page := syscall.Getpagesize()
	m, err := syscall.Mmap(-1, 0, 3*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { syscall.Munmap(m) })
	for _, guard := range [][]byte{m[:page], m[2*page:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return m[page : 2*page]
}

// TestNothingBesideArguments: no kernel reads or writes next to what it is given.
func TestNothingBesideArguments(t *testing.T) {
	low, high, third := fenced(t), fenced(t), fenced(t)
	each(t, func(t *testing.T, k Kernel) {
		// ends returns n bytes at the beginning or the end of a page.
		for _, end := range []func(page []byte, n int) []byte{
			func(page []byte, n int) []byte { return page[:n:n] },
			func(page []byte, n int) []byte { return page[len(page)-n:] },
		} {
			for _, nk := range []int{16, 32} {
				r, s := NewRatchet(k, nk), NewSenderData(nk)
				secret := end(low, Size)
				r.Step(end(high, nk), end(third, nonceSize), secret, 5)
				r.Step(nil, nil, secret, 6)
				var bound Key
				bound.Set(k, secret)
				s.Keys(&bound, end(high, nk), end(third, nonceSize), end(low, Size))
				for n := range 300 {
					msg := end(high, n)
					want := hmacOf(secret, msg)
					out := end(third, Size)
					bound.Set(k, secret)
					bound.MAC(out, msg)
					if !bytes.Equal(out, want) {
						t.Fatalf("tag of %d bytes", n)
					}
					bound.Expand(end(third, n), msg)
				}
			}
		}
	})
}
