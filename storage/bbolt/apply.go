package bbolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/hardmls/hardmls/provider"
)

// Apply implements provider.Storage.
func (s *Store) Apply(ctx context.Context, b *provider.Batch) error {
	return s.ApplyMany(ctx, []*provider.Batch{b})[0]
}

// ApplyMany implements provider.BatchStorage: one transaction, one sync.
func (s *Store) ApplyMany(ctx context.Context, bs []*provider.Batch) []error {
	errs := make([]error, len(bs))
	if err := s.ready(ctx); err != nil {
		return fill(errs, err)
	}
	var (
		id         int
		committing bool
	)
	err := s.guard("apply", func() error {
		return s.db.Update(func(tx *bolt.Tx) error {
			w := writer{tx.Bucket(recordBucket), tx.Bucket(versionBucket), nil}
			for i, b := range bs {
				if errs[i] = w.admit(b); errs[i] != nil {
					continue
				}
				if err := w.apply(b); err != nil {
					return err
				}
			}
			id, committing = tx.ID(), true
			return nil
		})
	})
	if err == nil {
		return errs
	}
	err = s.wrap("apply", err)
	if committing && s.visible(id) {
		// What was written can be read, but it is not known to be on disk, nor
		// will another sync tell: the system has forgotten about it.
		e := &Error{Path: s.path, Op: "apply", Err: errors.Join(ErrUnsynced, provider.ErrOutcomeUnknown, err),
			Remedy: "close the store and open it again: what it holds then is what counts"}
		s.failed.Store(e)
		err = e
	}
	return fill(errs, err)
}

// fill sets the error of all batches that were not refused by themselves.
func fill(errs []error, err error) []error {
	for i := range errs {
		if errs[i] == nil {
			errs[i] = err
		}
	}
	return errs
}

// visible reports whether readers see the transaction of that number.
func (s *Store) visible(id int) (seen bool) {
	err := s.guard("read", func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			seen = tx.ID() >= id
			return nil
		})
	})
	return seen || err != nil
}

// writer applies batches within a transaction.
type writer struct {
	records, versions *bolt.Bucket
	key               []byte
}

// admit returns why b cannot be applied, or nil.
func (w *writer) admit(b *provider.Batch) error {
	if len(b.Group) > 0 && version(w.versions, b.Group) != b.Expect {
		if b.Expect == 0 {
			return provider.ErrGroupExists
		}
		return provider.ErrConflict
	}
	for _, k := range b.Drop {
		if len(k.Group) == 0 && k.Kind == 0 {
			return provider.ErrDropAll
		}
	}
	for _, k := range b.Require {
		w.key = provider.AppendKey(w.key[:0], k)
		if w.records.Get(w.key) == nil {
			return provider.ErrConflict
		}
	}
	return nil
}

func (w *writer) apply(b *provider.Batch) error {
	for _, k := range b.Drop {
		w.key = provider.AppendPrefix(w.key[:0], k)
		if err := w.drop(w.key); err != nil {
			return err
		}
	}
	for _, k := range b.Delete {
		w.key = provider.AppendKey(w.key[:0], k)
		if err := w.records.Delete(w.key); err != nil {
			return err
		}
	}
	for _, r := range b.Put {
		// bbolt keeps key and value until the commit, so each has its own.
		if err := w.records.Put(provider.AppendKey(nil, r.Key), r.Value); err != nil {
			return fmt.Errorf("record of kind %d: %w", r.Key.Kind, err)
		}
	}
	return w.advance(b)
}

// drop deletes the records under a prefix.
func (w *writer) drop(prefix []byte) error {
	var keys [][]byte
	c := w.records.Cursor()
	for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k)) // deleting moves what a cursor points to
	}
	for _, k := range keys {
		if err := w.records.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// advance sets the group's version, or ends groups that were dropped whole.
func (w *writer) advance(b *provider.Batch) error {
	if len(b.Group) > 0 {
		if err := w.versions.Put(bytes.Clone(b.Group), binary.BigEndian.AppendUint64(nil, b.Expect+1)); err != nil {
			return err
		}
	}
	for _, k := range b.Drop {
		if k.Epoch == 0 && k.Kind == 0 && len(k.ID) == 0 && !puts(b, k.Group) {
			if err := w.versions.Delete(k.Group); err != nil {
				return err
			}
		}
	}
	return nil
}

// puts reports whether b puts a record of group.
func puts(b *provider.Batch, group []byte) bool {
	for i := range b.Put {
		if bytes.Equal(b.Put[i].Key.Group, group) {
			return true
		}
	}
	return false
}
