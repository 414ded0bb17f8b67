package providertest

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
)

// A recorder is a testing.TB that keeps failures instead of reporting them, so
// that tests can show what a conformance suite notices.
type recorder struct {
	testing.TB // for the methods that nobody calls here
	mu         sync.Mutex
	failures   []string
	skipped    bool
	cleanups   []func()
}

// failuresOf runs f and returns what it reported; a panic is a failure.
func failuresOf(f func(t testing.TB)) []string {
	r := new(recorder)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				r.Errorf("panic: %v", p)
			}
		}()
		f(r)
	}()
	<-done
	for _, c := range r.cleanups {
		c()
	}
	return r.failures
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) FailNow() {
	r.Errorf("stopped")
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures) > 0
}

func (r *recorder) Skip(args ...any) {
	r.skipped = true
	runtime.Goexit()
}

func (r *recorder) Error(args ...any)             { r.Errorf("%s", fmt.Sprint(args...)) }
func (r *recorder) Fatal(args ...any)             { r.Fatalf("%s", fmt.Sprint(args...)) }
func (r *recorder) Skipf(format string, a ...any) { r.Skip() }
func (r *recorder) Cleanup(f func())              { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Context() context.Context      { return context.Background() }
func (r *recorder) Helper()                       {}
func (r *recorder) Log(...any)                    {}
func (r *recorder) Logf(string, ...any)           {}
func (r *recorder) Name() string                  { return "recorder" }
