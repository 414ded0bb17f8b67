// Package mem is a Storage in memory: for tests, for demonstrations, and for
// groups that need not outlive their process.
//
// It is a full implementation of the contract: atomic batches, versions, one
// order of keys. What it lacks is durability. Values are overwritten with zeros
// when they are replaced, deleted or dropped, and when the store is closed.
package mem

import (
	"context"
	"iter"
	"strings"
	"sync"

	"github.com/hardmls/hardmls/provider"
)

// A Store keeps records in memory. It is safe for concurrent use. Replacing a
// record's value costs O(1) and allocates nothing if the new one is no longer;
// adding or removing one costs O(log n) of all records.
type Store struct {
	mu       sync.RWMutex // guards all below
	closed   bool
	versions map[string]*uint64
	records  map[string]*node // by encoded key
	order    list             // the same nodes, sorted
	key      []byte           // scratch of the writer
	stats    Stats
}

var (
	_ provider.Storage      = (*Store)(nil)
	_ provider.BatchStorage = (*Store)(nil)
)

// Stats counts what batches that were applied handed to the store since New.
type Stats struct {
	Batches    int64
	Puts       int64 // records of Put
	KeyBytes   int64 // encoded keys (provider.AppendKey) of Put, Delete and Drop
	ValueBytes int64 // values of Put
}

// Bytes returns key and value bytes together: what a durable engine would have
// been asked to write.
func (s Stats) Bytes() int64 { return s.KeyBytes + s.ValueBytes }

// New returns an empty store.
func New() *Store {
	return &Store{versions: map[string]*uint64{}, records: map[string]*node{}}
}

// Stats returns the counts so far.
func (s *Store) Stats() Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.stats
}

// Len returns the number of records in the store.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.records)
}

// Clone returns an independent store with the same records and versions and
// no counts: what a crash at this moment would leave on disk.
func (s *Store) Clone() *Store {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c := New()
	c.closed = s.closed
	for group, v := range s.versions {
		c.versions[group] = new(*v)
	}
	for n := s.order.first(); n != nil; n = n.next[0] {
		c.put([]byte(n.key), n.value)
	}
	return c
}

// Apply implements provider.Storage.
func (s *Store) Apply(ctx context.Context, b *provider.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.apply(b)
}

// ApplyMany implements provider.BatchStorage.
func (s *Store) ApplyMany(ctx context.Context, bs []*provider.Batch) []error {
	errs := make([]error, len(bs))
	if err := ctx.Err(); err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, b := range bs {
		errs[i] = s.apply(b)
	}
	return errs
}

// Version implements provider.Storage.
func (s *Store) Version(ctx context.Context, group []byte) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return 0, provider.ErrClosed
	}
	return s.version(group), nil
}

// Get implements provider.Storage.
func (s *Store) Get(ctx context.Context, dst []byte, k provider.Key) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return dst, err
	}
	var buf [128]byte
	key := provider.AppendKey(buf[:0], k)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return dst, provider.ErrClosed
	}
	n := s.records[string(key)]
	if n == nil {
		return dst, provider.ErrNotFound
	}
	return append(dst, n.value...), nil
}

// Scan implements provider.Storage. It yields the records of one moment, the
// first step, and holds no lock meanwhile; each value is wiped at the step
// after its own.
func (s *Store) Scan(ctx context.Context, prefix provider.Key) iter.Seq2[provider.Record, error] {
	return func(yield func(provider.Record, error) bool) {
		snap, err := s.snapshot(provider.AppendPrefix(nil, prefix))
		if err != nil {
			yield(provider.Record{}, err)
			return
		}
		defer clear(snap.values)
		rest := snap.values
		for _, r := range snap.records {
			if err := ctx.Err(); err != nil {
				yield(provider.Record{}, err)
				return
			}
			k, err := provider.DecodeKey([]byte(r.key))
			if err != nil {
				yield(provider.Record{}, err)
				return
			}
			value := rest[:r.size:r.size]
			rest = rest[r.size:]
			if !yield(provider.Record{Key: k, Value: value}, nil) {
				return
			}
			clear(value)
		}
	}
}

// Close implements provider.Storage and wipes every value.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return provider.ErrClosed
	}
	s.closed = true
	s.drop(nil)
	clear(s.versions)
	return nil
}

// A snapshot is the records under a prefix, values one behind the other.
type snapshot struct {
	records []struct {
		key  string
		size int
	}
	values []byte
}

func (s *Store) snapshot(prefix []byte) (snap snapshot, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return snap, provider.ErrClosed
	}
	from := s.order.seek(string(prefix))
	size, p := 0, string(prefix)
	for n := from; n != nil && strings.HasPrefix(n.key, p); n = n.next[0] {
		snap.records = append(snap.records, struct {
			key  string
			size int
		}{n.key, len(n.value)})
		size += len(n.value)
	}
	// One buffer of the exact size: a growing one would leave copies behind.
	snap.values = make([]byte, 0, size)
	n := from
	for range snap.records {
		snap.values = append(snap.values, n.value...)
		n = n.next[0]
	}
	return snap, nil
}
