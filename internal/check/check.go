// Package check numbers the checks that RFC 9420 demands of a receiver and
// holds the error type that a failed check returns.
//
// Every package of the state machine fails with an *Error that names the check;
// mls turns it into its public *mls.ValidationError. The exception is class
// Auth: who cannot authenticate learns nothing, so those checks fail with the
// bare ErrAuth, which carries no number and no detail.
package check

import (
	"errors"
	"fmt"
)

// An ID is the number of a check: V042 is 42. Zero is no check.
type ID uint16

type row struct {
	section string
	openMLS string
	class   Class
}

// String returns the number in its usual form, "V042".
func (id ID) String() string { return fmt.Sprintf("V%03d", uint16(id)) }

// Section returns the section of RFC 9420 that demands the check.
func (id ID) Section() string { return table[id].section }

// OpenMLS returns OpenMLS's identifiers of the check, "" if it has none.
func (id ID) OpenMLS() string { return table[id].openMLS }

// Class returns the class of error that the check fails with.
func (id ID) Class() Class { return table[id].class }

// A Class groups checks that a caller handles alike.
type Class uint8

// The classes of checks. NoClass marks rows that are no error, such as what
// must be accepted.
const (
	NoClass Class = iota
	ClassMalformed
	ClassUnsupported
	ClassGroup
	ClassEpoch
	ClassWire
	ClassAuth
	ClassSender
	ClassLeaf
	ClassKeyPackage
	ClassCredential
	ClassTree
	ClassProposal
	ClassList
	ClassPath
	ClassPSK
	ClassWelcome
	ClassGroupInfo
	ClassRatchet
	ClassState
	ClassLimit
	ClassProvider
)

// One sentinel per class, for errors.Is.
var (
	ErrMalformed   = errors.New("malformed")
	ErrUnsupported = errors.New("unsupported")
	ErrGroup       = errors.New("wrong group")
	ErrEpoch       = errors.New("wrong epoch")
	ErrWire        = errors.New("wire format not allowed")
	ErrAuth        = errors.New("authentication failed")
	ErrSender      = errors.New("invalid sender")
	ErrLeaf        = errors.New("invalid leaf node")
	ErrKeyPackage  = errors.New("invalid key package")
	ErrCredential  = errors.New("credential refused")
	ErrTree        = errors.New("invalid ratchet tree")
	ErrProposal    = errors.New("invalid proposal")
	ErrList        = errors.New("invalid proposal list")
	ErrPath        = errors.New("invalid update path")
	ErrPSK         = errors.New("invalid pre-shared key")
	ErrWelcome     = errors.New("invalid welcome")
	ErrGroupInfo   = errors.New("invalid group info")
	ErrRatchet     = errors.New("generation refused")
	ErrState       = errors.New("not in this state")
	ErrLimit       = errors.New("limit exceeded")
	ErrProvider    = errors.New("provider failed")
)

var sentinels = [...]error{
	ClassMalformed:   ErrMalformed,
	ClassUnsupported: ErrUnsupported,
	ClassGroup:       ErrGroup,
	ClassEpoch:       ErrEpoch,
	ClassWire:        ErrWire,
	ClassAuth:        ErrAuth,
	ClassSender:      ErrSender,
	ClassLeaf:        ErrLeaf,
	ClassKeyPackage:  ErrKeyPackage,
	ClassCredential:  ErrCredential,
	ClassTree:        ErrTree,
	ClassProposal:    ErrProposal,
	ClassList:        ErrList,
	ClassPath:        ErrPath,
	ClassPSK:         ErrPSK,
	ClassWelcome:     ErrWelcome,
	ClassGroupInfo:   ErrGroupInfo,
	ClassRatchet:     ErrRatchet,
	ClassState:       ErrState,
	ClassLimit:       ErrLimit,
	ClassProvider:    ErrProvider,
}

// Err returns the class's sentinel, nil for NoClass.
func (c Class) Err() error {
	if int(c) < len(sentinels) {
		return sentinels[c]
	}
	return nil
}

// NoIndex marks an Error that names no leaf or no proposal.
const NoIndex = -1

// An Error is a failed check. errors.Is finds the sentinel of its class and
// whatever Err wraps.
type Error struct {
	Check    ID
	Class    Class // the check's class, or a more telling one where a row allows two
	Leaf     int64 // leaf index, or NoIndex
	Proposal int   // position in the proposal list, or NoIndex
	Err      error // what was wrong; no secret and no received bytes
}

// Errorf returns an *Error for check id that names no leaf and no proposal.
// For a check of class Auth it returns ErrAuth.
func Errorf(id ID, format string, args ...any) error {
	return As(id, id.Class(), format, args...)
}

// As is Errorf with another class than the check's own, for the rows that may
// fail in two ways.
func As(id ID, class Class, format string, args ...any) error {
	if class == ClassAuth {
		return ErrAuth
	}
	return &Error{Check: id, Class: class, Leaf: NoIndex, Proposal: NoIndex, Err: fmt.Errorf(format, args...)}
}

// AtLeaf returns err with the leaf it concerns, if it is an *Error that names
// none yet.
func AtLeaf(err error, leaf uint32) error {
	var e *Error
	if !errors.As(err, &e) || e.Leaf != NoIndex {
		return err
	}
	c := *e
	c.Leaf = int64(leaf)
	return &c
}

// AtProposal returns err with the position of the proposal it concerns, if it
// is an *Error that names none yet.
func AtProposal(err error, index int) error {
	var e *Error
	if !errors.As(err, &e) || e.Proposal != NoIndex {
		return err
	}
	c := *e
	c.Proposal = index
	return &c
}

// Error implements error.
func (e *Error) Error() string {
	s := e.Check.String()
	if err := e.Class.Err(); err != nil {
		s = err.Error() + " (" + s + ", RFC 9420 §" + e.Check.Section() + ")"
	}
	if e.Leaf != NoIndex {
		s += fmt.Sprintf(": leaf %d", e.Leaf)
	}
	if e.Proposal != NoIndex {
		s += fmt.Sprintf(": proposal %d", e.Proposal)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the sentinel of e's class.
func (e *Error) Is(target error) bool {
	return target == e.Class.Err() && target != nil
}
