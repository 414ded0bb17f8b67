package providertest

import (
	"context"
	"time"

	"github.com/hardmls/hardmls/provider"
)

// SlowSigner is a signer that takes its time, as a token does.
type SlowSigner struct {
	provider.Signer
	Delay time.Duration
}

// Sign waits for Delay, or until ctx ends, and signs.
func (s SlowSigner) Sign(ctx context.Context, dst, msg []byte) ([]byte, error) {
	timer := time.NewTimer(s.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return s.Signer.Sign(ctx, dst, msg)
	case <-ctx.Done():
		return dst, ctx.Err()
	}
}

// A FaultSigner signs with the signer it embeds and fails chosen calls with
// Err, or ErrInjected if that is nil. It is safe for concurrent use.
type FaultSigner struct {
	provider.Signer
	Err error
	plan
}

// FailingSigner returns a FaultSigner over s that fails the calls with these
// numbers, counted from 0.
func FailingSigner(s provider.Signer, calls ...int) *FaultSigner {
	f := &FaultSigner{Signer: s}
	f.FailAt(calls...)
	return f
}

// Sign implements provider.Signer.
func (s *FaultSigner) Sign(ctx context.Context, dst, msg []byte) ([]byte, error) {
	if !s.next() {
		return s.Signer.Sign(ctx, dst, msg)
	}
	if s.Err != nil {
		return dst, s.Err
	}
	return dst, ErrInjected
}

// A BlockingSigner holds every signature until it is released.
type BlockingSigner struct {
	provider.Signer
	entered chan struct{}
	release chan struct{}
}

// NewBlockingSigner returns a BlockingSigner over s.
func NewBlockingSigner(s provider.Signer) *BlockingSigner {
	return &BlockingSigner{s, make(chan struct{}), make(chan struct{})}
}

// Entered gives one value for each call of Sign that waits; Sign goes on only
// after it was received.
func (s *BlockingSigner) Entered() <-chan struct{} { return s.entered }

// Release lets one waiting call go on and returns when it does.
func (s *BlockingSigner) Release() { s.release <- struct{}{} }

// Sign waits for Release, or until ctx ends, and signs.
func (s *BlockingSigner) Sign(ctx context.Context, dst, msg []byte) ([]byte, error) {
	select {
	case s.entered <- struct{}{}:
	case <-ctx.Done():
		return dst, ctx.Err()
	}
	select {
	case <-s.release:
	case <-ctx.Done():
		return dst, ctx.Err()
	}
	return s.Signer.Sign(ctx, dst, msg)
}
