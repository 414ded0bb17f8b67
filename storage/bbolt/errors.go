package bbolt

import (
	"errors"
	"syscall"
)

// What can be wrong with a file, found by errors.Is.
var (
	// ErrLocked: another process has the store open.
	ErrLocked = errors.New("bbolt: store is open elsewhere")
	// ErrDamaged: the file is cut short or its pages do not fit together.
	ErrDamaged = errors.New("bbolt: store is damaged")
	// ErrForeign: the file is not a store of this package.
	ErrForeign = errors.New("bbolt: not a store")
	// ErrNewer: a newer release wrote the file.
	ErrNewer = errors.New("bbolt: store of a newer release")
	// ErrUnsynced: the system could not say that what was written is on disk.
	ErrUnsynced = errors.New("bbolt: sync failed")
)

// An Error is a failure of the store, with what to do about it.
type Error struct {
	Path   string
	Op     string // "open", "create", "apply", "read", "close"
	Err    error
	Remedy string
}

// Error implements error.
func (e *Error) Error() string {
	return "bbolt: " + e.Op + " " + e.Path + ": " + e.Err.Error() + " (" + e.Remedy + ")"
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

func damaged(path, op string, err error) error {
	return &Error{Path: path, Op: op, Err: errors.Join(ErrDamaged, err),
		Remedy: "keep a copy of the file, and restore a backup: members rejoin what is newer than that"}
}

func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
