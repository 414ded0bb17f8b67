package asm

import (
	"sync"

	"github.com/hardmls/hardmls/internal/asm/sha256"
	"github.com/hardmls/hardmls/provider"
)

// A ratchet is provider.RatchetStepper.
type ratchet struct{ *sha256.Ratchet }

// RatchetStep implements provider.RatchetStepper.
func (r ratchet) RatchetStep(key, nonce, secret []byte, generation uint32) {
	r.Step(key, nonce, secret, generation)
}

// A binder is provider.Binder.
type binder struct {
	kernel     sha256.Kernel
	senderData *sha256.SenderData
}

// Bind implements provider.Binder.
func (b *binder) Bind(secret []byte) provider.Bound {
	if len(secret) != sha256.Size {
		panic("asm: Bind of a wrong length")
	}
	x := &bound{senderData: b.senderData}
	x.key.Set(b.kernel, secret)
	return x
}

// A bound is provider.Bound. Its lock keeps Wipe from taking the key away in the
// middle of a call, which would derive what anybody can.
type bound struct {
	senderData *sha256.SenderData
	mu         sync.RWMutex
	key        sha256.Key
	wiped      bool
}

// SenderDataKey implements provider.Bound.
func (x *bound) SenderDataKey(key, nonce, sample []byte) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	x.alive()
	x.senderData.Keys(&x.key, key, nonce, sample)
}

// MAC implements provider.Bound.
func (x *bound) MAC(out, msg []byte) {
	wantOut(out)
	x.mu.RLock()
	defer x.mu.RUnlock()
	x.alive()
	x.key.MAC(out, msg)
}

func (x *bound) alive() {
	if x.wiped {
		panic("asm: use of a bound secret after Wipe")
	}
}

// Wipe implements provider.Bound.
func (x *bound) Wipe() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.key.Wipe()
	x.wiped = true
}
