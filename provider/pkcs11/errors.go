package pkcs11

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hardmls/hardmls/provider"
)

// Errors for errors.Is.
var (
	// ErrNotBuilt is any use of a build without PKCS#11.
	ErrNotBuilt = errors.New("pkcs11: not built in")
	// ErrModule is a module that is missing, is none, or does not initialise.
	ErrModule = errors.New("pkcs11: no usable module")
	// ErrTokenNotFound is a module without the token that was asked for; the
	// error lists the tokens that it has.
	ErrTokenNotFound = errors.New("pkcs11: token not found")
	// ErrAmbiguousToken is a description that fits several tokens.
	ErrAmbiguousToken = errors.New("pkcs11: several tokens fit")
	// ErrPIN is a login that failed or was not tried; the error is a
	// *PINError.
	ErrPIN = errors.New("pkcs11: PIN")
	// ErrKeyNotFound is a key that the token does not have. It is
	// provider.ErrKeyNotFound too.
	ErrKeyNotFound = fmt.Errorf("pkcs11: %w", provider.ErrKeyNotFound)
	// ErrAmbiguousKey is a query that fits several keys; the error is an
	// *AmbiguousKeyError.
	ErrAmbiguousKey = errors.New("pkcs11: several keys fit")
	// ErrNoPublicKey is a private key whose public half the token does not
	// show: give it in Query.Public.
	ErrNoPublicKey = errors.New("pkcs11: the token does not show the public key")
	// ErrWrongKey is a key whose public half is not what it was before the
	// token was lost, or not what Query.Public says.
	ErrWrongKey = errors.New("pkcs11: the token has another key under this name")
	// ErrBadSignature is a signature of the token that does not verify, even
	// after the key was found again.
	ErrBadSignature = errors.New("pkcs11: the token made a signature that does not verify")
	// ErrMessageSize is a message beyond Config.MaxMessage; the error is a
	// *MessageSizeError.
	ErrMessageSize = errors.New("pkcs11: message too long for the token")
	// ErrUnsupported is a scheme or curve that the token does not have. It is
	// provider.ErrUnsupported too.
	ErrUnsupported = fmt.Errorf("pkcs11: %w by the token", provider.ErrUnsupported)
	// ErrKeyExists is a key to be made under an identifier that is taken.
	ErrKeyExists = errors.New("pkcs11: a key with this identifier exists")
	// ErrUnavailable is a token that cannot be called now: too many calls
	// hang in its module.
	ErrUnavailable = errors.New("pkcs11: token unavailable")
	// ErrClosed is a call on a closed Token.
	ErrClosed = errors.New("pkcs11: token closed")
)

// An Error is a failure of the token: what was done, and what the module
// answered last.
type Error struct {
	Op    string // "sign"
	Token string // its label
	Tries int    // how often it was tried
	Err   error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Tries > 1 {
		return fmt.Sprintf("pkcs11: token %q: %s: %v (after %d tries)", e.Token, e.Op, text(e.Err), e.Tries)
	}
	return fmt.Sprintf("pkcs11: token %q: %s: %v", e.Token, e.Op, text(e.Err))
}

// Unwrap returns the module's answer.
func (e *Error) Unwrap() error { return e.Err }

// Code returns the CK_RV that the module answered last, and false if the
// failure is none of the module's.
func Code(err error) (uint, bool) {
	var code rv
	ok := errors.As(err, &code)
	return uint(code), ok
}

// text is err without the package's name in front.
func text(err error) string { return strings.TrimPrefix(err.Error(), "pkcs11: ") }

// A PINError says why nobody is logged in. errors.Is(err, ErrPIN) holds.
type PINError struct {
	Token  string
	Reason string
	Tried  bool  // whether an attempt was spent
	Err    error // the module's answer, or that of the PINSource; may be nil
}

// Error implements error.
func (e *PINError) Error() string {
	s := fmt.Sprintf("pkcs11: token %q: PIN: %s", e.Token, e.Reason)
	if e.Err != nil {
		s += ": " + text(e.Err)
	}
	return s
}

// Is reports whether target is ErrPIN.
func (e *PINError) Is(target error) bool { return target == ErrPIN }

// Unwrap returns the module's answer.
func (e *PINError) Unwrap() error { return e.Err }

// An AmbiguousKeyError lists the keys that a query fits. errors.Is(err,
// ErrAmbiguousKey) holds.
type AmbiguousKeyError struct {
	Query Query
	Keys  []KeyInfo
}

// Error implements error.
func (e *AmbiguousKeyError) Error() string {
	names := make([]string, len(e.Keys))
	for i, k := range e.Keys {
		names[i] = k.String()
	}
	return fmt.Sprintf("pkcs11: %s fits %d keys: %s", e.Query, len(e.Keys), strings.Join(names, ", "))
}

// Is reports whether target is ErrAmbiguousKey.
func (e *AmbiguousKeyError) Is(target error) bool { return target == ErrAmbiguousKey }

// A MessageSizeError is a message that EdDSA, which signs the whole of it and no
// digest, does not give to the token. errors.Is(err, ErrMessageSize) holds.
type MessageSizeError struct{ Size, Limit int }

// Error implements error.
func (e *MessageSizeError) Error() string {
	return fmt.Sprintf("pkcs11: a message of %d bytes is beyond the limit of %d: EdDSA sends it whole to the token (an ECDSA suite sends a digest)", e.Size, e.Limit)
}

// Is reports whether target is ErrMessageSize.
func (e *MessageSizeError) Is(target error) bool { return target == ErrMessageSize }

// A HangError is a call that was left behind. It is a context error where the
// caller's context ended it.
type HangError struct {
	Call  string
	After time.Duration
	Cause error
}

// Error implements error.
func (e *HangError) Error() string {
	return fmt.Sprintf("pkcs11: %s did not return within %v", e.Call, e.After.Round(time.Millisecond))
}

// Unwrap returns the cause.
func (e *HangError) Unwrap() error { return e.Cause }
