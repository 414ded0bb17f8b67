package bbolt

import (
	"bytes"
	"context"
	"iter"

	bolt "go.etcd.io/bbolt"

	"github.com/hardmls/hardmls/provider"
)

// Version implements provider.Storage.
func (s *Store) Version(ctx context.Context, group []byte) (v uint64, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		v = version(tx.Bucket(versionBucket), group)
		return nil
	})
	return v, err
}

// Get implements provider.Storage.
func (s *Store) Get(ctx context.Context, dst []byte, k provider.Key) ([]byte, error) {
	out := dst
	err := s.view(ctx, func(tx *bolt.Tx) error {
		v := tx.Bucket(recordBucket).Get(provider.AppendKey(nil, k))
		if v == nil {
			return provider.ErrNotFound
		}
		out = append(dst, v...)
		return nil
	})
	if err != nil {
		return dst, err
	}
	return out, nil
}

// view runs f in a transaction that sees one state of the store.
func (s *Store) view(ctx context.Context, f func(tx *bolt.Tx) error) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	return s.guard("read", func() error {
		err := s.db.View(f)
		if err == provider.ErrNotFound {
			return err
		}
		return s.wrap("read", err)
	})
}

// Scan implements provider.Storage: all records are of one state of the store.
func (s *Store) Scan(ctx context.Context, prefix provider.Key) iter.Seq2[provider.Record, error] {
	return func(yield func(provider.Record, error) bool) {
		c, err := s.cursor(ctx)
		if err != nil {
			yield(provider.Record{}, err)
			return
		}
		defer c.tx.Rollback()
		p := provider.AppendPrefix(nil, prefix)
		for more := c.seek(p); ; more = c.next(p) {
			if err := c.err; err == nil {
				err = ctx.Err()
				if err != nil {
					c.err = err
				}
			}
			if c.err != nil {
				yield(provider.Record{}, c.err)
				return
			}
			if !more || !yield(c.rec, nil) {
				return
			}
		}
	}
}

// cursor steps through records. The steps are guarded, what the caller does with a
// record is not.
type cursor struct {
	s   *Store
	tx  *bolt.Tx
	c   *bolt.Cursor
	rec provider.Record
	err error
}

func (s *Store) cursor(ctx context.Context) (*cursor, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	c := &cursor{s: s}
	err := s.guard("read", func() (err error) {
		if c.tx, err = s.db.Begin(false); err != nil {
			return s.wrap("read", err)
		}
		c.c = c.tx.Bucket(recordBucket).Cursor()
		return nil
	})
	return c, err
}

func (c *cursor) seek(prefix []byte) bool {
	return c.step(prefix, func() ([]byte, []byte) { return c.c.Seek(prefix) })
}

func (c *cursor) next(prefix []byte) bool { return c.step(prefix, c.c.Next) }

func (c *cursor) step(prefix []byte, move func() (k, v []byte)) (more bool) {
	err := c.s.guard("read", func() error {
		k, v := move()
		if k == nil || !bytes.HasPrefix(k, prefix) {
			return nil
		}
		key, err := provider.DecodeKey(k)
		if err != nil {
			return damaged(c.s.path, "read", err)
		}
		c.rec, more = provider.Record{Key: key, Value: bytes.Clone(v)}, true
		return nil
	})
	if err != nil {
		c.err = err
	}
	return more
}
