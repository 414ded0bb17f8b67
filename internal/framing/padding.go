package framing

import "github.com/hardmls/hardmls/internal/wire"

// A Padding says how long ciphertexts of PrivateMessages become, RFC 9420
// §6.3.1. Lengths are those of the ciphertext field, tag included, which is
// what an observer sees. The zero value pads nothing.
type Padding struct {
	// Buckets are the lengths to choose from, in any order: a ciphertext gets
	// the smallest that holds it. The slice is not changed and must not be.
	Buckets []int
	// Multiple rounds up what no bucket holds. Below 2 it rounds nothing.
	Multiple int
}

// PadToMultiple pads ciphertexts to a multiple of n bytes.
func PadToMultiple(n int) Padding { return Padding{Multiple: n} }

// PadToBuckets pads ciphertexts to the smallest of sizes that holds them. Those
// longer than every size are not padded.
func PadToBuckets(sizes ...int) Padding { return Padding{Buckets: sizes} }

// padded returns the length to which a ciphertext of n bytes is padded: at
// least n, and never less for a longer one.
func (p Padding) padded(n uint64) uint64 {
	const none = uint64(wire.MaxVector) + 1
	best := none
	for _, b := range p.Buckets {
		if b > 0 && uint64(b) >= n && uint64(b) < best {
			best = uint64(b)
		}
	}
	if best != none {
		return best
	}
	if m := uint64(max(p.Multiple, 1)); n%m != 0 {
		n += m - n%m
	}
	return n
}
