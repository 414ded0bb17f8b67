package provider

import (
	"errors"
	"fmt"
)

// Errors that backends return, for errors.Is.
var (
	// ErrDecrypt is the one answer to a ciphertext that does not open. It
	// carries no detail, so that it is no oracle.
	ErrDecrypt = errors.New("provider: decryption failed")
	// ErrVerify is the one answer to a signature that does not verify.
	ErrVerify = errors.New("provider: signature verification failed")
	// ErrDropAll is a batch with a Drop of neither group nor kind, which would
	// take the records of other groups along. Nothing was written.
	ErrDropAll = errors.New("provider: batch drops what belongs to no group")
	// ErrInvalidKey is a public key or stored key with a wrong length or
	// encoding, off its curve, or of small order.
	ErrInvalidKey = errors.New("provider: invalid key")
	// ErrForeignKey is a key reference that another backend made.
	ErrForeignKey = errors.New("provider: key reference of another backend")
	// ErrKeyNotFound is a reference to a key that no longer exists.
	ErrKeyNotFound = errors.New("provider: key not found")
	// ErrUnsupported is a ciphersuite that a backend does not serve; the
	// error is an *UnsupportedError.
	ErrUnsupported = errors.New("provider: unsupported")

	// ErrNotFound is a record that does not exist.
	ErrNotFound = errors.New("provider: record not found")
	// ErrConflict is a batch whose expectation did not hold: another owner
	// wrote the group, or a required record is gone. Nothing was written.
	ErrConflict = errors.New("provider: storage conflict")
	// ErrGroupExists is a batch that creates a group which exists.
	ErrGroupExists = errors.New("provider: group exists")
	// ErrOutcomeUnknown is a batch of which it is not known whether it was
	// applied (a lost acknowledgement, a failed fsync). The caller reads the
	// group's version again before it goes on.
	ErrOutcomeUnknown = errors.New("provider: outcome of storage batch unknown")
	// ErrClosed is a call on a closed store.
	ErrClosed = errors.New("provider: storage closed")
)

// An UnsupportedError says which primitive of which suite a backend lacks.
// errors.Is(err, ErrUnsupported) holds.
type UnsupportedError struct {
	Suite     CipherSuite
	Primitive string // "aead/aes128gcm"; "" if the suite as a whole is unknown
	Reason    string
}

// Error implements error.
func (e *UnsupportedError) Error() string {
	if e.Primitive == "" {
		return fmt.Sprintf("provider: unsupported %v: %s", e.Suite, e.Reason)
	}
	return fmt.Sprintf("provider: unsupported %v: %s: %s", e.Suite, e.Primitive, e.Reason)
}

// Is reports whether target is ErrUnsupported.
func (e *UnsupportedError) Is(target error) bool { return target == ErrUnsupported }
