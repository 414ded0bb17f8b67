package wire

import (
	"encoding/binary"

	"github.com/hardmls/hardmls/internal/check"
)

// A Reader decodes a byte string from front to back. Its first error sticks:
// everything read after it is zero, so that a decoder checks once, at the end.
// What it returns aliases the input.
type Reader struct {
	b    []byte // what is left
	base int    // offset of b's end in the outermost input
	room int    // bytes that decoding may still allocate
	err  error
}

// What the lists of an input may take in memory: roomPerByte for each byte of it
// and roomBase besides. With the structures around them, which are few, that keeps
// decoding below 4 bytes for each and 64 KiB.
const (
	roomPerByte = 3
	roomBase    = 48 << 10
)

// NewReader returns a Reader of b.
func NewReader(b []byte) Reader {
	return Reader{b: b, base: len(b), room: roomPerByte*len(b) + roomBase}
}

// errShort is input that ends too early.
var errShort = check.Errorf(check.V004, "input ends too early")

// Err returns the first error.
func (r *Reader) Err() error { return r.err }

// Fail makes err the Reader's error, unless it has one.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
		r.base -= len(r.b)
		r.b = nil
	}
}

// Len returns how many bytes are left.
func (r *Reader) Len() int { return len(r.b) }

// Rest returns what is left, without reading it.
func (r *Reader) Rest() []byte { return r.b }

// Empty reports whether nothing is left.
func (r *Reader) Empty() bool { return len(r.b) == 0 }

// Offset returns how many bytes of the outermost input were read.
func (r *Reader) Offset() int { return r.base - len(r.b) }

// Done returns the first error, or V005 if bytes are left.
func (r *Reader) Done() error {
	if r.err == nil && len(r.b) > 0 {
		return check.Errorf(check.V005, "%d trailing bytes", len(r.b))
	}
	return r.err
}

// Bytes returns the next n bytes, with no capacity beyond them.
func (r *Reader) Bytes(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.Fail(errShort)
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// Claim asks for n bytes of memory for a list. It fails, V013, for an input whose
// elements are so small and so many that they take several times its length: no
// honest one is like that.
func (r *Reader) Claim(n int) bool {
	if r.room -= n; r.room < 0 {
		r.Fail(check.Errorf(check.V013, "lists of many small elements"))
	}
	return r.err == nil
}

// Uint8 reads a uint8.
func (r *Reader) Uint8() uint8 {
	if b := r.Bytes(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

// Uint16 reads a uint16.
func (r *Reader) Uint16() uint16 {
	if b := r.Bytes(2); len(b) == 2 {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// Uint32 reads a uint32.
func (r *Reader) Uint32() uint32 {
	if b := r.Bytes(4); len(b) == 4 {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// Uint64 reads a uint64.
func (r *Reader) Uint64() uint64 {
	if b := r.Bytes(8); len(b) == 8 {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// Optional reads the presence octet of an optional value, RFC 9420 §2.1.1, and
// reports whether the value follows.
func (r *Reader) Optional() bool {
	switch r.Uint8() {
	case 0:
		return false
	case 1:
		return true
	}
	r.Fail(check.Errorf(check.V001, "presence octet is neither 0 nor 1"))
	return false
}

// length reads the length of a vector, RFC 9420 §2.1.2.
func (r *Reader) length() int {
	if len(r.b) == 0 {
		r.Fail(errShort)
		return 0
	}
	size := 1 << (r.b[0] >> 6)
	if size == 8 {
		r.Fail(check.Errorf(check.V003, "length begins with the bits 11"))
		return 0
	}
	b := r.Bytes(size)
	if len(b) == 0 {
		return 0
	}
	n := int(b[0] & 0x3f)
	for _, c := range b[1:] {
		n = n<<8 | int(c)
	}
	if VarintLen(n) != size {
		r.Fail(check.Errorf(check.V002, "length %d in %d bytes", n, size))
		return 0
	}
	return n
}

// Opaque reads opaque<V>. The result is not nil unless the Reader failed.
func (r *Reader) Opaque() []byte {
	return r.Bytes(r.length())
}

// Vector reads the length of a vector and returns a Reader of its content. Join
// must be called when the content is read.
func (r *Reader) Vector() Reader {
	v := r.Opaque()
	return Reader{b: v, base: r.Offset(), room: r.room, err: r.err}
}

// An Outer is what stands around a vector that is being read.
type Outer struct {
	b    []byte
	base int
}

// Enter reads the length of a vector and confines r to its content, until Leave.
// Unlike Vector it costs no second Reader.
func (r *Reader) Enter() Outer {
	v := r.Opaque()
	o := Outer{b: r.b, base: r.base}
	if r.err == nil {
		r.b, r.base = v, r.Offset()
	}
	return o
}

// Leave ends the reading of a vector, V006 if bytes are left in it.
func (r *Reader) Leave(o Outer) {
	if n := len(r.b); n > 0 {
		r.Fail(check.As(check.V006, check.ClassMalformed, "%d trailing bytes in a vector", n))
	}
	if r.err == nil {
		r.b, r.base = o.b, o.base
	}
}

// Join ends the reading of a vector: an error of sub, or bytes left in it, become
// r's error.
func (r *Reader) Join(sub *Reader) {
	r.room = sub.room
	err := sub.err
	if err == nil && len(sub.b) > 0 {
		err = check.As(check.V006, check.ClassMalformed, "%d trailing bytes in a vector", len(sub.b))
	}
	if err != nil {
		r.Fail(err)
	}
}
