// Package groupcommit writes the batches of many goroutines together: a layer above any
// provider.BatchStorage. While one transaction is being synced to disk, the batches that
// come wait; the next transaction takes all of them. One writer alone pays nothing for
// it, many writers share the price of a sync. A conflict fails its own batch only.
package groupcommit

import (
	"context"
	"errors"
	"sync"

	"github.com/hardmls/hardmls/provider"
)

// MaxBatches is how many batches go into one transaction at most: it bounds how long
// one that has just come waits for the others.
const MaxBatches = 1024

// A Store is a provider.Storage above another one. It is safe for concurrent use.
type Store struct {
	provider.Storage
	batches provider.BatchStorage

	mu      sync.Mutex
	waiting []*request
	writing bool
	idle    sync.Cond // closed waits for the writer
	closed  bool
}

// request is a batch on its way.
type request struct {
	ctx   context.Context
	batch *provider.Batch
	done  chan error // of one place
}

// New returns a layer above inner, which must be a provider.BatchStorage.
func New(inner provider.Storage) (*Store, error) {
	b, ok := inner.(provider.BatchStorage)
	if !ok {
		return nil, errors.New("groupcommit: the store below can't apply several batches at once")
	}
	s := &Store{Storage: inner, batches: b}
	s.idle.L = &s.mu
	return s, nil
}

// Apply implements provider.Storage. A batch whose ctx ends while it waits is not
// applied; one that is being written is waited for, so that its outcome is known.
func (s *Store) Apply(ctx context.Context, b *provider.Batch) error {
	r := &request{ctx, b, make(chan error, 1)}
	if err := s.enqueue(ctx, r); err != nil {
		return err
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		if s.withdraw(r) {
			return ctx.Err()
		}
		return <-r.done
	}
}

// enqueue makes r wait, and starts a writer if there is none.
func (s *Store) enqueue(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return provider.ErrClosed
	}
	s.waiting = append(s.waiting, r)
	if !s.writing {
		s.writing = true
		go s.write()
	}
	return nil
}

// withdraw takes r back if it still waits.
func (s *Store) withdraw(r *request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, w := range s.waiting {
		if w == r {
			s.waiting = append(s.waiting[:i:i], s.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// write writes what waits until nothing does.
func (s *Store) write() {
	for {
		s.mu.Lock()
		if len(s.waiting) == 0 {
			s.writing = false
			s.idle.Broadcast()
			s.mu.Unlock()
			return
		}
		n := min(len(s.waiting), MaxBatches)
		now := s.waiting[:n:n]
		s.waiting = s.waiting[n:]
		s.mu.Unlock()

		bs := make([]*provider.Batch, n)
		for i, r := range now {
			bs[i] = r.batch
		}
		// Each batch was admitted by its own context; the transaction is nobody's.
		errs := s.batches.ApplyMany(context.WithoutCancel(now[0].ctx), bs)
		for i, r := range now {
			r.done <- errs[i]
		}
	}
}

// ApplyMany implements provider.BatchStorage, for layers above.
func (s *Store) ApplyMany(ctx context.Context, bs []*provider.Batch) []error {
	errs := make([]error, len(bs))
	rs := make([]*request, len(bs))
	for i, b := range bs {
		rs[i] = &request{ctx, b, make(chan error, 1)}
		errs[i] = s.enqueue(ctx, rs[i])
	}
	for i, r := range rs {
		if errs[i] == nil {
			errs[i] = <-r.done
		}
	}
	return errs
}

// Close waits for what was accepted and closes the store below.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	for s.writing {
		s.idle.Wait()
	}
	s.mu.Unlock()
	return s.Storage.Close()
}
