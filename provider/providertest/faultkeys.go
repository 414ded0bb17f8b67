package providertest

import (
	"context"
	"sync"

	"github.com/hardmls/hardmls/provider"
)

// FaultKeys passes calls on to another custody and fails chosen ones with
// ErrInjected; Generate, Load and Delete are counted together, from 0. It does
// not say that keys are self-contained, so whoever uses it has to delete them,
// as with a token.
type FaultKeys struct {
	inner provider.Keys
	plan

	lives sync.Mutex // guards live
	live  map[string]bool
}

var _ provider.Keys = (*FaultKeys)(nil)

// NewFaultKeys returns FaultKeys over inner that fail no call yet.
func NewFaultKeys(inner provider.Keys) *FaultKeys {
	return &FaultKeys{inner: inner, live: map[string]bool{}}
}

// Generate implements provider.Keys.
func (k *FaultKeys) Generate(ctx context.Context, s provider.Suite, use provider.KeyUse) (provider.DecryptionKey, provider.KeyRef, error) {
	if k.next() {
		return nil, nil, ErrInjected
	}
	key, ref, err := k.inner.Generate(ctx, s, use)
	if err == nil {
		k.lives.Lock()
		defer k.lives.Unlock()
		k.live[string(ref)] = true
	}
	return key, ref, err
}

// Load implements provider.Keys.
func (k *FaultKeys) Load(ctx context.Context, s provider.Suite, ref provider.KeyRef) (provider.DecryptionKey, error) {
	if k.next() {
		return nil, ErrInjected
	}
	return k.inner.Load(ctx, s, ref)
}

// Delete implements provider.Keys.
func (k *FaultKeys) Delete(ctx context.Context, ref provider.KeyRef) error {
	if k.next() {
		return ErrInjected
	}
	err := k.inner.Delete(ctx, ref)
	if err == nil {
		k.lives.Lock()
		defer k.lives.Unlock()
		delete(k.live, string(ref))
	}
	return err
}

// Live returns how many keys were generated and not deleted.
func (k *FaultKeys) Live() int {
	k.lives.Lock()
	defer k.lives.Unlock()
	return len(k.live)
}
