package providertest

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/hardmls/hardmls/provider"
)

// A StorageFault is how an Apply of FaultStorage fails. Reads fail alike with
// each of them.
type StorageFault uint8

// The ways to fail.
const (
	// FailBefore returns the error and writes nothing: a full disk, a lost
	// connection.
	FailBefore StorageFault = iota
	// FailUnknownApplied applies the batch and returns ErrOutcomeUnknown: a
	// lost acknowledgement.
	FailUnknownApplied
	// FailUnknownLost writes nothing and returns ErrOutcomeUnknown: a failed
	// fsync.
	FailUnknownLost
)

// A FaultStorage passes calls on to another store and fails chosen ones. It
// counts the calls of Apply, Version, Get and Scan together, from 0, and keeps
// copies of the batches that were applied. It is safe for concurrent use; Fault
// and Err are set before.
//
// A Scan that is to fail gives its first record and then the error.
type FaultStorage struct {
	Fault StorageFault
	Err   error // what FailBefore and reads return; nil: ErrInjected
	inner provider.Storage
	plan

	log struct {
		sync.Mutex
		batches []provider.Batch
		written int
	}
}

var (
	_ provider.Storage      = (*FaultStorage)(nil)
	_ provider.BatchStorage = (*FaultStorage)(nil)
)

// NewFaultStorage returns a FaultStorage over inner that fails no call yet.
func NewFaultStorage(inner provider.Storage) *FaultStorage {
	return &FaultStorage{inner: inner}
}

// Batches returns copies of the batches that were applied since the last
// Forget, in order.
func (s *FaultStorage) Batches() []provider.Batch {
	s.log.Lock()
	defer s.log.Unlock()
	return slices.Clone(s.log.batches)
}

// Written returns the bytes of keys (provider.AppendKey) and values that these
// batches put, deleted or dropped.
func (s *FaultStorage) Written() int {
	s.log.Lock()
	defer s.log.Unlock()
	return s.log.written
}

// Forget drops the copies and the count of bytes.
func (s *FaultStorage) Forget() {
	s.log.Lock()
	defer s.log.Unlock()
	s.log.batches, s.log.written = nil, 0
}

func (s *FaultStorage) err() error {
	if s.Err != nil {
		return s.Err
	}
	return ErrInjected
}

// Apply implements provider.Storage.
func (s *FaultStorage) Apply(ctx context.Context, b *provider.Batch) error {
	fail := s.next()
	if fail && s.Fault == FailBefore {
		return s.err()
	}
	if fail && s.Fault == FailUnknownLost {
		return provider.ErrOutcomeUnknown
	}
	if err := s.inner.Apply(ctx, b); err != nil {
		return err
	}
	s.record(b)
	if fail {
		return provider.ErrOutcomeUnknown
	}
	return nil
}

// ApplyMany implements provider.BatchStorage; each batch counts as one call.
func (s *FaultStorage) ApplyMany(ctx context.Context, bs []*provider.Batch) []error {
	errs := make([]error, len(bs))
	for i, b := range bs {
		errs[i] = s.Apply(ctx, b)
	}
	return errs
}

// Version implements provider.Storage.
func (s *FaultStorage) Version(ctx context.Context, group []byte) (uint64, error) {
	if s.next() {
		return 0, s.err()
	}
	return s.inner.Version(ctx, group)
}

// Get implements provider.Storage.
func (s *FaultStorage) Get(ctx context.Context, dst []byte, k provider.Key) ([]byte, error) {
	if s.next() {
		return dst, s.err()
	}
	return s.inner.Get(ctx, dst, k)
}

// Scan implements provider.Storage.
func (s *FaultStorage) Scan(ctx context.Context, prefix provider.Key) iter.Seq2[provider.Record, error] {
	return func(yield func(provider.Record, error) bool) {
		fail := s.next()
		for r, err := range s.inner.Scan(ctx, prefix) {
			if !yield(r, err) || err != nil {
				return
			}
			if fail {
				break
			}
		}
		if fail {
			yield(provider.Record{}, s.err())
		}
	}
}

// Close implements provider.Storage.
func (s *FaultStorage) Close() error { return s.inner.Close() }

func (s *FaultStorage) record(b *provider.Batch) {
	c := cloneBatch(b)
	n := 0
	for _, k := range c.Drop {
		n += len(provider.AppendPrefix(nil, k))
	}
	for _, k := range c.Delete {
		n += len(provider.AppendKey(nil, k))
	}
	for _, r := range c.Put {
		n += len(provider.AppendKey(nil, r.Key)) + len(r.Value)
	}
	s.log.Lock()
	defer s.log.Unlock()
	s.log.batches = append(s.log.batches, c)
	s.log.written += n
}

func cloneBatch(b *provider.Batch) provider.Batch {
	c := provider.Batch{
		Group: bytes.Clone(b.Group), Expect: b.Expect,
		Require: slices.Clone(b.Require), Drop: slices.Clone(b.Drop),
		Delete: slices.Clone(b.Delete), Put: slices.Clone(b.Put),
	}
	for _, keys := range [][]provider.Key{c.Require, c.Drop, c.Delete} {
		for i := range keys {
			keys[i] = cloneKey(keys[i])
		}
	}
	for i := range c.Put {
		c.Put[i] = provider.Record{Key: cloneKey(c.Put[i].Key), Value: bytes.Clone(c.Put[i].Value)}
	}
	return c
}

func cloneKey(k provider.Key) provider.Key {
	k.Group, k.ID = bytes.Clone(k.Group), bytes.Clone(k.ID)
	return k
}
