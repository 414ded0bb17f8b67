// Package bbolt is a durable Storage in one file, over go.etcd.io/bbolt: the embedded
// default. A batch is one transaction, synced to disk before Apply returns.
//
// One process owns the file; another one that opens it waits Options.LockTimeout and
// gets ErrLocked. Many goroutines that write many groups get more out of a disk behind
// storage/groupcommit. Values are as the engine above hands them in: to seal them at
// rest is another layer's work, and the file keeps old pages until they are reused.
package bbolt

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/hardmls/hardmls/provider"
)

// Options are the choices of Open. The zero value is the default.
type Options struct {
	// MustExist refuses to make a new store.
	MustExist bool
	// LockTimeout is how long Open waits for another process; default a second.
	LockTimeout time.Duration
	// TestingOnlyNoSync leaves out every sync: a power cut then loses or tears
	// what was applied. For tests that must see that happen, and for nothing else.
	TestingOnlyNoSync bool
}

// A Store keeps records in a file. It is safe for concurrent use; batches are written
// one after the other.
type Store struct {
	path   string
	db     *bolt.DB
	id     []byte
	failed atomic.Pointer[Error] // a sync failed: nothing is certain any more
}

var (
	_ provider.Storage      = (*Store)(nil)
	_ provider.BatchStorage = (*Store)(nil)
)

// The buckets of a file. The first one holds what kind of file it is.
var (
	aboutBucket   = []byte("hardmls")
	recordBucket  = []byte("records")  // by encoded key
	versionBucket = []byte("versions") // of groups: 8 bytes, big endian

	formatKey = []byte("format")
	idKey     = []byte("id")
)

// format is the version of the file's layout; that of records is in each record.
const format = 1

// Open opens the store at path, or makes one. The error is an *Error that says what to
// do; the file is as it was.
func Open(path string, opt Options) (*Store, error) {
	if opt.LockTimeout == 0 {
		opt.LockTimeout = time.Second
	}
	fresh, err := inspect(path, opt.MustExist)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path}
	err = s.guard("open", func() error {
		s.db, err = bolt.Open(path, 0o600, &bolt.Options{
			Timeout: opt.LockTimeout, FreelistType: bolt.FreelistMapType, NoSync: opt.TestingOnlyNoSync,
		})
		if err != nil {
			return s.wrap("open", err)
		}
		if err := s.complete(); err != nil {
			return err
		}
		return s.about(fresh)
	})
	if err != nil {
		if s.db != nil {
			s.db.Close()
		}
		return nil, err
	}
	return s, nil
}

// inspect looks at the file before bbolt does, which would make a new database of an
// empty file.
func inspect(path string, mustExist bool) (fresh bool, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if mustExist {
			return false, &Error{Path: path, Op: "open", Err: err, Remedy: "check the path"}
		}
		return true, nil
	case err != nil:
		return false, &Error{Path: path, Op: "open", Err: err, Remedy: "check the path and its permissions"}
	case !info.Mode().IsRegular():
		return false, &Error{Path: path, Op: "open", Err: ErrForeign, Remedy: "it is not a file"}
	case info.Size() == 0:
		return false, damaged(path, "open", errors.New("file is empty"))
	}
	return false, nil
}

// complete checks that the file is as long as its header says: reading beyond its end
// would be a fault.
func (s *Store) complete() error {
	info, err := os.Stat(s.path)
	if err != nil {
		return s.wrap("open", err)
	}
	return s.db.View(func(tx *bolt.Tx) error {
		if tx.Size() > info.Size() {
			return damaged(s.path, "open", fmt.Errorf("file of %d bytes should have %d", info.Size(), tx.Size()))
		}
		return nil
	})
}

// about reads what the file says of itself, or writes it into a new one.
func (s *Store) about(fresh bool) error {
	if fresh {
		return s.db.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucket(aboutBucket)
			if err != nil {
				return s.wrap("create", err)
			}
			s.id = make([]byte, 16)
			rand.Read(s.id)
			if err := errors.Join(b.Put(formatKey, []byte{format}), b.Put(idKey, s.id)); err != nil {
				return s.wrap("create", err)
			}
			for _, name := range [][]byte{recordBucket, versionBucket} {
				if _, err := tx.CreateBucket(name); err != nil {
					return s.wrap("create", err)
				}
			}
			return nil
		})
	}
	return s.db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(aboutBucket)
		if b == nil || len(b.Get(formatKey)) != 1 {
			return &Error{Path: s.path, Op: "open", Err: ErrForeign, Remedy: "check the path: another program's file"}
		}
		if v := b.Get(formatKey)[0]; v != format {
			return &Error{Path: s.path, Op: "open", Err: fmt.Errorf("%w: format %d", ErrNewer, v), Remedy: "use the release that wrote it, or a later one"}
		}
		s.id = bytes.Clone(b.Get(idKey))
		if len(s.id) != 16 || tx.Bucket(recordBucket) == nil || tx.Bucket(versionBucket) == nil {
			return damaged(s.path, "open", errors.New("parts are missing"))
		}
		return nil
	})
}

// ID returns what tells this store from others: 16 bytes, drawn when it was made.
func (s *Store) ID() []byte { return bytes.Clone(s.id) }

// Close releases the file.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return s.wrap("close", err)
	}
	return nil
}

// guard runs f and turns the fault of a damaged file into an error: bbolt maps the
// file into memory and trusts it.
func (s *Store) guard(op string, f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = damaged(s.path, op, fmt.Errorf("%v", r))
		}
	}()
	return f()
}

// ready reports why nothing can be done now.
func (s *Store) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if e := s.failed.Load(); e != nil {
		return e
	}
	return nil
}

// wrap names file and remedy.
func (s *Store) wrap(op string, err error) error {
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return err
	case errors.Is(err, berrors.ErrDatabaseNotOpen), errors.Is(err, berrors.ErrTxClosed):
		return provider.ErrClosed
	}
	e = &Error{Path: s.path, Op: op, Err: err, Remedy: "see the error"}
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		e.Err, e.Remedy = ErrLocked, "another process has it open: stop that, or let it do the work"
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrInvalidMapping):
		return damaged(s.path, op, err)
	case errors.Is(err, berrors.ErrVersionMismatch):
		e.Err, e.Remedy = fmt.Errorf("%w: %w", ErrNewer, err), "use the release that wrote it, or a later one"
	case errors.Is(err, fs.ErrPermission):
		e.Remedy = "the file, or its folder, is read-only: check owner and permissions"
	case noSpace(err):
		e.Remedy = "the disk is full: make room and try again; nothing was written"
	}
	return e
}

func version(b *bolt.Bucket, group []byte) uint64 {
	if v := b.Get(group); len(v) == 8 {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}
