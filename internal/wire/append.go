// Package wire encodes and decodes the presentation language of RFC 9420 §2.1:
// integers, optional values and vectors whose length is a variable-size integer.
//
// Encoding appends to a slice and does not fail. Decoding borrows from its input,
// remembers its first error, and allocates nothing by announced lengths.
package wire

import "encoding/binary"

// MaxVector is the longest vector, RFC 9420 §2.1.2.
const MaxVector = 1<<30 - 1

// VarintLen returns how many bytes the minimal encoding of n takes: 1, 2 or 4.
func VarintLen(n int) int {
	switch {
	case n < 1<<6:
		return 1
	case n < 1<<14:
		return 2
	}
	return 4
}

// AppendVarint appends the minimal encoding of n, RFC 9420 §2.1.2. It panics if n
// is negative or exceeds MaxVector: lengths are checked before they get here.
func AppendVarint(b []byte, n int) []byte {
	switch {
	case n < 0 || n > MaxVector:
		panic("wire: vector too long")
	case n < 1<<6:
		return append(b, byte(n))
	case n < 1<<14:
		return binary.BigEndian.AppendUint16(b, 1<<14|uint16(n))
	}
	return binary.BigEndian.AppendUint32(b, 2<<30|uint32(n))
}

// AppendOpaque appends v as opaque<V>: its length and its bytes.
func AppendOpaque(b, v []byte) []byte {
	return append(AppendVarint(b, len(v)), v...)
}

// BeginVector reserves room for the length of a vector whose content is appended
// next. EndVector takes the mark.
func BeginVector(b []byte) (nb []byte, mark int) {
	return append(b, 0), len(b)
}

// EndVector writes the length of what was appended since BeginVector returned
// mark, moving it if the length takes more than one byte.
func EndVector(b []byte, mark int) []byte {
	n := len(b) - mark - 1
	if extra := VarintLen(n) - 1; extra > 0 {
		b = append(b, 0, 0, 0)[:len(b)+extra]
		copy(b[mark+1+extra:], b[mark+1:mark+1+n])
	}
	AppendVarint(b[:mark], n)
	return b
}
