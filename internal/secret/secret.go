// Package secret holds short secrets of the protocol: chain, path and epoch
// secrets, private keys, message keys.
//
// A Secret is used by pointer only. It prints redacted however it is printed,
// compares in constant time and is erased when its life ends. Erasing clears
// the memory that this package owns; copies that the runtime or a library made
// on the way (grown stacks, spilled registers) are beyond its reach.
package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// MaxLen is the longest Secret: a P-521 private key. Longer inputs, such as
// pre-shared keys, go through a suite's Extract at once.
const MaxLen = 66

const redacted = "secret(redacted)"

// A Secret is up to MaxLen bytes. The zero value is an erased one. It must not
// be copied; vet's copylocks check reports who does. Erase must not run
// concurrently with other methods.
type Secret struct {
	_ noCopy
	n int
	// buf is reached through two pointers, because fmt follows one of them
	// where it may not call Format, which is inside unexported fields.
	buf **[MaxLen]byte
}

// block is a Secret and the memory it points to, in one allocation.
type block struct {
	Secret
	data [MaxLen]byte
	ptr  *[MaxLen]byte
}

// Zero returns a Secret of n zero bytes, for filling through Bytes. It panics
// if n is negative or more than MaxLen.
func Zero(n int) *Secret {
	if n < 0 || n > MaxLen {
		panic("secret: length out of range")
	}
	b := new(block)
	b.ptr = &b.data
	b.buf = &b.ptr
	b.n = n
	return &b.Secret
}

// New returns a Secret with a copy of b, which has at most MaxLen bytes and
// stays the caller's to wipe.
func New(b []byte) *Secret {
	s := Zero(len(b))
	copy(s.Bytes(), b)
	return s
}

// Bytes returns the live bytes, which may be read and written until Erase.
// Their capacity is their length, so that append leaves the Secret (and
// whoever appends owns an unwiped copy: don't). Nil after Erase.
func (s *Secret) Bytes() []byte {
	if s == nil || s.n == 0 {
		return nil
	}
	return (*s.buf)[:s.n:s.n]
}

// Len returns the length in bytes, 0 after Erase.
func (s *Secret) Len() int {
	if s == nil {
		return 0
	}
	return s.n
}

// Clone returns a copy with a life of its own.
func (s *Secret) Clone() *Secret { return New(s.Bytes()) }

// Equal reports whether s and t hold the same bytes, in a time that depends on
// their lengths only.
func (s *Secret) Equal(t *Secret) bool {
	return subtle.ConstantTimeCompare(s.Bytes(), t.Bytes()) == 1
}

// Erase overwrites the bytes with zeros and makes s empty. It is idempotent,
// and fine on nil.
func (s *Secret) Erase() {
	if s == nil || s.buf == nil {
		return
	}
	clear((*s.buf)[:])
	s.n = 0
}

// Format prints "secret(redacted)" for every verb.
func (s *Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue implements slog.LogValuer without the content.
func (s *Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler without the content.
func (s *Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Wipe overwrites b with zeros.
func Wipe(b []byte) { clear(b) }

// noCopy is what vet's copylocks check recognises as a lock.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}
