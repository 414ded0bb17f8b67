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

// bounds are those of a list: how many elements it has at most, and what one takes
// at least in the encoding, and in memory.
type bounds struct{ limit, least, size int }

var (
	certificateList = bounds{maxCertificates, 1, 24}
	extensionList   = bounds{maxExtensions, 3, 32}
	senderList      = bounds{maxSenders, 4, 80}
	pathNodeList    = bounds{maxPathNodes, 2, 48}
	ciphertextList  = bounds{maxMembers, 2, 48}
	secretsList     = bounds{maxMembers, 3, 72}
	pskList         = bounds{maxPSKs, 3, 96}
)

// How a list is read, into the memory of one that was read before if there is one:
//
//	outer, whole, list := r.Enter(), r.Len(), x.List[:0]
//	for !r.Empty() && grow(r, &list, whole, elementList) {
//		list[len(list)-1].Decode(r)
//	}
//	x.List = leave(r, outer, list)
//
// What that allocates is bounded by the bytes that are there, not by what they
// announce, and by what r has room for. A function for it would take another one
// for the elements, and then every Reader would be allocated.

// grow appends an element to the list of which r has the rest, whole bytes in all.
// It fails, V013, if there are too many.
func grow[T any](r *wire.Reader, list *[]T, whole int, b bounds) bool {
	n := len(*list)
	if n == b.limit {
		r.Fail(check.Errorf(check.V013, "list of more than %d elements", b.limit))
		return false
	}
	if n == cap(*list) {
		c := min(grownCap(n, whole-r.Len(), r.Len(), b.least), b.limit)
		if !r.Claim(c * b.size) {
			return false
		}
		*list = append(make([]T, 0, c), *list...)
	}
	var zero T
	*list = append(*list, zero)
	return true
}

// leave ends a list; an empty one is nil.
func leave[T any](r *wire.Reader, outer wire.Outer, list []T) []T {
	r.Leave(outer)
	if r.Err() != nil || len(list) == 0 {
		return nil
	}
	return list
}

// grownCap returns the capacity for more than n elements that took so many bytes,
// with so many left: as many as those are if they go on like that.
func grownCap(n, took, left, least int) int {
	guess := 4
	if n > 0 {
		guess = n + max(n/4, left*n/took+1)
	}
	return min(guess, n+left/least+1)
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

func decodeUint16s[T ~uint16](r *wire.Reader, list []T) []T {
	outer := r.Enter()
	n := r.Len() / 2
	switch {
	case n > maxCapabilities:
		r.Fail(check.Errorf(check.V013, "list of more than %d elements", maxCapabilities))
	case n > cap(list) && r.Claim(2*n):
		list = make([]T, 0, n)
	}
	list = list[:0]
	for !r.Empty() && r.Err() == nil {
		list = append(list, T(r.Uint16()))
	}
	return leave(r, outer, list)
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
