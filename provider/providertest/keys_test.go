package providertest

import (
	"context"
	"errors"
	"testing"

	"github.com/hardmls/hardmls/provider"
)

// bentKeys is a custody with replaced methods.
type bentKeys struct {
	toyKeys
	selfContained bool
	generate      func(k toyKeys) (provider.DecryptionKey, provider.KeyRef, error)
	load          func(k toyKeys, s provider.Suite, ref provider.KeyRef) (provider.DecryptionKey, error)
	delete        func(k toyKeys, ref provider.KeyRef) error
}

func (b *bentKeys) Generate(ctx context.Context, s provider.Suite, use provider.KeyUse) (provider.DecryptionKey, provider.KeyRef, error) {
	if b.generate != nil {
		return b.generate(b.toyKeys)
	}
	return b.toyKeys.Generate(ctx, s, use)
}

func (b *bentKeys) Load(ctx context.Context, s provider.Suite, ref provider.KeyRef) (provider.DecryptionKey, error) {
	if b.load != nil {
		return b.load(b.toyKeys, s, ref)
	}
	return b.toyKeys.Load(ctx, s, ref)
}

func (b *bentKeys) Delete(ctx context.Context, ref provider.KeyRef) error {
	if b.delete != nil {
		return b.delete(b.toyKeys, ref)
	}
	return b.toyKeys.Delete(ctx, ref)
}

func (b *bentKeys) SelfContained(ref provider.KeyRef) bool {
	return b.selfContained || b.toyKeys.SelfContained(ref)
}

// openKey shows itself.
type openKey struct {
	provider.DecryptionKey
	Private []byte
}

func TestKeysNoticeFaults(t *testing.T) {
	_, s := toy(t, Toy1)
	toys := toyKeys{ToyCrypto(NewRand(4))}
	key, ref, err := toys.Generate(background, s, provider.InitKey)
	if err != nil {
		t.Fatal(err)
	}
	first := true
	for _, b := range []struct {
		name, check string
		keys        bentKeys
	}{
		{"one key for all", "generate", bentKeys{generate: func(toyKeys) (provider.DecryptionKey, provider.KeyRef, error) { return key, ref, nil }}},
		{"another key loaded", "load", bentKeys{load: func(k toyKeys, s provider.Suite, _ provider.KeyRef) (provider.DecryptionKey, error) {
			return k.Load(background, s, ref)
		}}},
		{"foreign references loaded", "bad references", bentKeys{load: func(k toyKeys, s provider.Suite, r provider.KeyRef) (provider.DecryptionKey, error) {
			return k.Load(background, s, append([]byte("toy\x00"), r[len(r.Backend())+1:]...))
		}}},
		{"foreign references deleted", "bad references", bentKeys{delete: func(toyKeys, provider.KeyRef) error { return nil }}},
		{"a second Delete fails", "delete", bentKeys{delete: func(toyKeys, provider.KeyRef) error {
			if first {
				first = false
				return nil
			}
			return provider.ErrKeyNotFound
		}}},
		{"every reference called self-contained", "delete", bentKeys{selfContained: true}},
		{"another error for an ended context", "ended context", bentKeys{generate: func(k toyKeys) (provider.DecryptionKey, provider.KeyRef, error) {
			if first = !first; first {
				return nil, nil, errors.New("no connection")
			}
			return k.Generate(background, s, provider.InitKey)
		}}},
		{"a key that shows itself", "prints nothing", bentKeys{generate: func(k toyKeys) (provider.DecryptionKey, provider.KeyRef, error) {
			key, ref, err := k.Generate(background, s, provider.InitKey)
			return openKey{key, ref}, ref, err
		}}},
	} {
		for _, c := range keyChecks {
			if c.name != b.check {
				continue
			}
			b.keys.toyKeys = toys
			if found := failuresOf(func(tb testing.TB) { c.run(custody{tb, s, &b.keys}) }); len(found) == 0 {
				t.Errorf("%s: check %q finds nothing", b.name, b.check)
			}
		}
	}
}
