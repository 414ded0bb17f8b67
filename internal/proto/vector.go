package proto

import (
	"encoding/binary"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
)

// Bounds of lists (V013): more than any honest structure holds. A structure in
// memory is larger than its shortest encoding, so they bound what a message makes
// its receiver allocate.
const (
	maxMembers      = treemath.MaxLeaves // per list with one element a member
	maxNodes        = 2*treemath.MaxLeaves - 1
	maxProposals    = 1 << 16
	maxPathNodes    = 32
	maxExtensions   = 1 << 10
	maxCapabilities = 1 << 12 // per list of one kind
	maxCertificates = 1 << 6
	maxSenders      = 1 << 12
	maxPSKs         = 1 << 12
)

// decodeList reads a vector of at most limit elements that take at least min bytes
// each. What it allocates is bounded by the bytes that are there, not by what they
// announce.
func decodeList[T any](r *wire.Reader, limit, min int, decode func(r *wire.Reader, e *T)) []T {
	v := r.Vector()
	var list []T
	for !v.Empty() {
		if len(list) == limit {
			v.Fail(check.Errorf(check.V013, "list of more than %d elements", limit))
			break
		}
		if len(list) == cap(list) {
			list = growList(list, v.Len()/min+1)
		}
		list = list[:len(list)+1]
		decode(&v, &list[len(list)-1])
	}
	r.Join(&v)
	if r.Err() != nil {
		return nil
	}
	return list
}

// growList makes room for more elements: twice as many, but never more than left
// can still come.
func growList[T any](list []T, left int) []T {
	n := min(len(list)+max(4, len(list)), len(list)+left)
	grown := make([]T, len(list), n)
	copy(grown, list)
	return grown
}

// appendList writes a vector of elements.
func appendList[T any](b []byte, list []T, encode func(b []byte, e *T) []byte) []byte {
	b, mark := wire.BeginVector(b)
	for i := range list {
		b = encode(b, &list[i])
	}
	return wire.EndVector(b, mark)
}

func appendUint16s[T ~uint16](b []byte, list []T) []byte {
	return appendList(b, list, func(b []byte, e *T) []byte { return binary.BigEndian.AppendUint16(b, uint16(*e)) })
}

func decodeUint16s[T ~uint16](r *wire.Reader) []T {
	return decodeList(r, maxCapabilities, 2, func(r *wire.Reader, e *T) { *e = T(r.Uint16()) })
}

// appendOptional writes the presence octet of an optional value.
func appendOptional(b []byte, present bool) []byte {
	if present {
		return append(b, 1)
	}
	return append(b, 0)
}

// decodeAll decodes the whole of b with decode.
func decodeAll[T any](b []byte, decode func(x *T, r *wire.Reader)) (*T, error) {
	r := wire.NewReader(b)
	x := new(T)
	decode(x, &r)
	if err := r.Done(); err != nil {
		return nil, err
	}
	return x, nil
}

// unknown fails r with an enum value that RFC 9420 does not define, V009.
func unknown(r *wire.Reader, what string, v uint64) {
	r.Fail(check.Errorf(check.V009, "unknown %s %d", what, v))
}

// IsGREASE reports whether v is one of the values that RFC 9420 §13.5 reserves to
// exercise extensibility.
func IsGREASE(v uint16) bool { return v&0x0F0F == 0x0A0A && v>>8 == v&0xFF && v < 0xFAFA }
