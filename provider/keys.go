package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// A KeyUse says what a generated HPKE key is for.
type KeyUse uint8

// The uses of generated keys, RFC 9420 §10 and §7.2.
const (
	InitKey KeyUse = 1 // init_key of a KeyPackage: opens one Welcome
	LeafKey KeyUse = 2 // encryption_key of a LeafNode
)

// String returns the name of the use.
func (u KeyUse) String() string {
	switch u {
	case InitKey:
		return "init key"
	case LeafKey:
		return "leaf key"
	}
	return fmt.Sprintf("KeyUse(%d)", uint8(u))
}

// A KeyRef names a private key so that it can be stored and loaded again. It
// begins with the name of the backend that made it and a zero byte. A software
// key's reference is the key itself, so a KeyRef is a secret: it prints
// redacted, and storage seals it.
type KeyRef []byte

// Format prints "KeyRef(redacted)" for every verb.
func (r KeyRef) Format(f fmt.State, _ rune) { fmt.Fprint(f, "KeyRef(redacted)") }

// LogValue implements slog.LogValuer without the content.
func (r KeyRef) LogValue() slog.Value { return slog.StringValue("KeyRef(redacted)") }

// MarshalText implements encoding.TextMarshaler without the content.
func (r KeyRef) MarshalText() ([]byte, error) { return []byte("KeyRef(redacted)"), nil }

// Clone returns a copy, which the caller wipes like any secret.
func (r KeyRef) Clone() KeyRef { return append(KeyRef(nil), r...) }

// Backend returns the name at the start of the reference, or "" if it has none.
func (r KeyRef) Backend() string {
	for i, c := range r {
		if c == 0 {
			return string(r[:i])
		}
	}
	return ""
}

// Keys is the custody of init and leaf keys. It is safe for concurrent use.
type Keys interface {
	// Generate makes a key of suite s. It never falls back to software
	// silently. The reference belongs to the caller, who stores it.
	Generate(ctx context.Context, s Suite, use KeyUse) (DecryptionKey, KeyRef, error)

	// Load restores a key from its reference: ErrForeignKey for another
	// backend's reference, ErrKeyNotFound where the key is gone.
	Load(ctx context.Context, s Suite, ref KeyRef) (DecryptionKey, error)

	// Delete destroys the key behind ref. It is idempotent: a key that is
	// gone already is success. ErrForeignKey for another backend's.
	Delete(ctx context.Context, ref KeyRef) error
}

// SelfContainedKeys is an optional interface of Keys.
type SelfContainedKeys interface {
	// SelfContained reports whether ref is the key itself, so that there is
	// nothing to delete but the reference: no record is left behind until
	// Delete has succeeded. False for another backend's reference.
	SelfContained(ref KeyRef) bool
}

// IsSelfContained reports whether k says that ref is the key itself.
func IsSelfContained(k Keys, ref KeyRef) bool {
	s, ok := k.(SelfContainedKeys)
	return ok && s.SelfContained(ref)
}

// keyChain is several custodies: the first generates, each loads and deletes
// its own references.
type keyChain []Keys

func (c keyChain) Generate(ctx context.Context, s Suite, use KeyUse) (DecryptionKey, KeyRef, error) {
	return c[0].Generate(ctx, s, use)
}

func (c keyChain) Load(ctx context.Context, s Suite, ref KeyRef) (DecryptionKey, error) {
	for _, k := range c {
		key, err := k.Load(ctx, s, ref)
		if !errors.Is(err, ErrForeignKey) {
			return key, err
		}
	}
	return nil, foreign(ref)
}

func (c keyChain) Delete(ctx context.Context, ref KeyRef) error {
	for _, k := range c {
		if err := k.Delete(ctx, ref); !errors.Is(err, ErrForeignKey) {
			return err
		}
	}
	return foreign(ref)
}

func (c keyChain) SelfContained(ref KeyRef) bool {
	for _, k := range c {
		if IsSelfContained(k, ref) {
			return true
		}
	}
	return false
}

func foreign(ref KeyRef) error {
	return fmt.Errorf("%w: no custody loads references of backend %q", ErrForeignKey, ref.Backend())
}
