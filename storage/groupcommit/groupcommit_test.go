package groupcommit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
	"github.com/hardmls/hardmls/storage/groupcommit"
	"github.com/hardmls/hardmls/storage/mem"
)

func TestStorage(t *testing.T) {
	providertest.TestStorage(t, func(t testing.TB) provider.Storage {
		s, err := groupcommit.New(mem.New())
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// slow is a store whose transactions take until they are let go.
type slow struct {
	*mem.Store
	begun chan int
	end   chan struct{}
}

func (s *slow) ApplyMany(ctx context.Context, bs []*provider.Batch) []error {
	s.begun <- len(bs)
	<-s.end
	return s.Store.ApplyMany(ctx, bs)
}

func put(group string, expect uint64) *provider.Batch {
	g := []byte(group)
	return &provider.Batch{Group: g, Expect: expect, Put: []provider.Record{{Key: provider.Key{Group: g, Kind: 1}, Value: []byte(group)}}}
}

// waiting returns once n batches wait.
func waiting(s *groupcommit.Store, n int) {
	for s.Waiting() != n {
		time.Sleep(time.Millisecond)
	}
}

// TestTogether: what comes during a transaction goes into the next one, a conflict
// fails alone, and who gives up waiting leaves no trace.
func TestTogether(t *testing.T) {
	inner := &slow{mem.New(), make(chan int), make(chan struct{})}
	s, err := groupcommit.New(inner)
	if err != nil {
		t.Fatal(err)
	}
	apply := func(ctx context.Context, b *provider.Batch) chan error {
		c := make(chan error, 1)
		go func() { c <- s.Apply(ctx, b) }()
		return c
	}
	first := apply(t.Context(), put("first", 0))
	if n := <-inner.begun; n != 1 {
		t.Fatalf("%d batches in the first transaction", n)
	}
	var many []chan error
	for i := range 10 {
		many = append(many, apply(t.Context(), put(fmt.Sprint(i), 0)))
	}
	conflict := apply(t.Context(), put("conflict", 7))
	ctx, cancel := context.WithCancel(t.Context())
	gone := apply(ctx, put("gone", 0))
	waiting(s, 12)
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	inner.end <- struct{}{}
	if err := <-first; err != nil {
		t.Error(err)
	}
	if n := <-inner.begun; n != 11 {
		t.Errorf("%d batches in the second transaction, want 11", n)
	}
	ctx, cancel = context.WithCancel(t.Context())
	inner.end <- struct{}{}
	for i, c := range many {
		if err := <-c; err != nil {
			t.Errorf("batch %d: %v", i, err)
		}
	}
	if err := <-conflict; !errors.Is(err, provider.ErrConflict) {
		t.Errorf("conflict: %v", err)
	}
	if v, err := s.Version(t.Context(), []byte("gone")); v != 0 || err != nil {
		t.Errorf("withdrawn batch: version %d, %v", v, err)
	}

	// One that is being written is waited for although its context ends.
	last := apply(ctx, put("last", 0))
	<-inner.begun
	cancel()
	time.Sleep(20 * time.Millisecond) // time to do it wrong
	select {
	case err := <-last:
		t.Errorf("returned before its outcome is known: %v", err)
	default:
	}
	inner.end <- struct{}{}
	if err := <-last; err != nil {
		t.Error(err)
	}
}

// TestClose: what was accepted is written before the store is closed, and nothing is
// afterwards.
func TestClose(t *testing.T) {
	inner := &slow{mem.New(), make(chan int), make(chan struct{})}
	s, err := groupcommit.New(inner)
	if err != nil {
		t.Fatal(err)
	}
	accepted, closed := make(chan error, 1), make(chan error, 1)
	go func() { accepted <- s.Apply(t.Context(), put("g", 0)) }()
	<-inner.begun
	go func() { closed <- s.Close() }()
	time.Sleep(20 * time.Millisecond) // time to do it wrong
	inner.end <- struct{}{}
	if err := <-accepted; err != nil {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := s.Apply(t.Context(), put("g", 1)); !errors.Is(err, provider.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := groupcommit.New(struct{ provider.Storage }{mem.New()}); err == nil {
		t.Error("a store without ApplyMany was accepted")
	}
}

// TestManyWriters: each group's batches arrive in order and whole.
func TestManyWriters(t *testing.T) {
	s, err := groupcommit.New(mem.New())
	if err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for i := range 32 {
		writers.Go(func() {
			for n := range uint64(100) {
				if err := s.Apply(t.Context(), put(fmt.Sprint(i), n)); err != nil {
					t.Errorf("group %d, batch %d: %v", i, n, err)
					return
				}
			}
		})
	}
	writers.Wait()
	for i := range 32 {
		if v, err := s.Version(t.Context(), []byte(fmt.Sprint(i))); v != 100 || err != nil {
			t.Errorf("group %d: version %d, %v", i, v, err)
		}
	}
}
