package providertest

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/storage/mem"
)

// hooked is a store whose methods can be replaced.
type hooked struct {
	*mem.Store
	apply func(s *mem.Store, ctx context.Context, b *provider.Batch) error
	get   func(s *mem.Store, ctx context.Context, dst []byte, k provider.Key) ([]byte, error)
	scan  func(s *mem.Store, ctx context.Context, prefix provider.Key) iter.Seq2[provider.Record, error]
}

func (h *hooked) Apply(ctx context.Context, b *provider.Batch) error {
	if h.apply != nil {
		return h.apply(h.Store, ctx, b)
	}
	return h.Store.Apply(ctx, b)
}

func (h *hooked) ApplyMany(ctx context.Context, bs []*provider.Batch) []error {
	errs := make([]error, len(bs))
	for i, b := range bs {
		errs[i] = h.Apply(ctx, b)
	}
	return errs
}

func (h *hooked) Get(ctx context.Context, dst []byte, k provider.Key) ([]byte, error) {
	if h.get != nil {
		return h.get(h.Store, ctx, dst, k)
	}
	return h.Store.Get(ctx, dst, k)
}

func (h *hooked) Scan(ctx context.Context, prefix provider.Key) iter.Seq2[provider.Record, error] {
	if h.scan != nil {
		return h.scan(h.Store, ctx, prefix)
	}
	return h.Store.Scan(ctx, prefix)
}

// without returns an Apply that changes a copy of the batch first.
func without(change func(b *provider.Batch)) func(*mem.Store, context.Context, *provider.Batch) error {
	return func(s *mem.Store, ctx context.Context, b *provider.Batch) error {
		c := cloneBatch(b)
		change(&c)
		return s.Apply(ctx, &c)
	}
}

// noMany hides ApplyMany.
type noMany struct{ provider.Storage }

// keeper keeps the values it was given.
type keeper struct {
	*mem.Store
	kept map[string][]byte
}

func (k *keeper) Apply(ctx context.Context, b *provider.Batch) error {
	for _, r := range b.Put {
		k.kept[string(provider.AppendKey(nil, r.Key))] = r.Value
	}
	return k.Store.Apply(ctx, b)
}

func (k *keeper) Scan(ctx context.Context, prefix provider.Key) iter.Seq2[provider.Record, error] {
	return func(yield func(provider.Record, error) bool) {
		for r, err := range k.Store.Scan(ctx, prefix) {
			if v, ok := k.kept[string(provider.AppendKey(nil, r.Key))]; ok {
				r.Value = v
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// brokenStores have one fault each; check is a check that must notice it.
var brokenStores = []struct {
	name, check string
	open        func() provider.Storage
}{
	{"a batch applied in spite of a conflict", "versions", func() provider.Storage {
		return &hooked{Store: mem.New(), apply: func(s *mem.Store, ctx context.Context, b *provider.Batch) error {
			err := s.Apply(ctx, b)
			if errors.Is(err, provider.ErrConflict) {
				s.Apply(ctx, &provider.Batch{Put: b.Put})
			}
			return err
		}}
	}},
	{"ErrConflict for a group that exists", "versions", func() provider.Storage {
		return &hooked{Store: mem.New(), apply: func(s *mem.Store, ctx context.Context, b *provider.Batch) error {
			if err := s.Apply(ctx, b); errors.Is(err, provider.ErrGroupExists) {
				return provider.ErrConflict
			} else {
				return err
			}
		}}
	}},
	{"Require ignored", "require", func() provider.Storage {
		return &hooked{Store: mem.New(), apply: without(func(b *provider.Batch) { b.Require = nil })}
	}},
	{"only the first of Require looked at", "require", func() provider.Storage {
		return &hooked{Store: mem.New(), apply: without(func(b *provider.Batch) { b.Require = b.Require[:min(1, len(b.Require))] })}
	}},
	{"Put before Drop and Delete", "order within a batch", func() provider.Storage {
		return &hooked{Store: mem.New(), apply: func(s *mem.Store, ctx context.Context, b *provider.Batch) error {
			first := *b
			first.Drop, first.Delete = nil, nil
			if err := s.Apply(ctx, &first); err != nil {
				return err
			}
			return s.Apply(ctx, &provider.Batch{Drop: b.Drop, Delete: b.Delete})
		}}
	}},
	{"Drop reaches groups that begin alike", "drop", func() provider.Storage {
		return &hooked{Store: mem.New(), apply: func(s *mem.Store, ctx context.Context, b *provider.Batch) error {
			c := cloneBatch(b)
			for _, p := range b.Drop {
				for r := range s.Scan(ctx, provider.Key{}) {
					if p.Epoch == 0 && p.Kind == 0 && bytes.HasPrefix(r.Key.Group, p.Group) {
						c.Delete = append(c.Delete, cloneKey(r.Key))
					}
				}
			}
			return s.Apply(ctx, &c)
		}}
	}},
	{"Drop ignored", "drop", func() provider.Storage {
		return &hooked{Store: mem.New(), apply: without(func(b *provider.Batch) { b.Drop = nil })}
	}},
	{"group ids cut at a zero byte", "drop", func() provider.Storage {
		cut := func(k *provider.Key) { k.Group, _, _ = bytes.Cut(k.Group, []byte{0}) }
		return &hooked{Store: mem.New(), apply: without(func(b *provider.Batch) {
			for i := range b.Put {
				cut(&b.Put[i].Key)
			}
			for i := range b.Drop {
				cut(&b.Drop[i])
			}
		})}
	}},
	{"Delete as a prefix", "delete", func() provider.Storage {
		return &hooked{Store: mem.New(), apply: without(func(b *provider.Batch) { b.Drop = append(b.Drop, b.Delete...) })}
	}},
	{"a group without records has no end", "end of a group", func() provider.Storage {
		return &hooked{Store: mem.New(), apply: without(func(b *provider.Batch) {
			if len(b.Drop) > 0 && len(b.Group) > 0 {
				b.Put = append(b.Put, storageRecord(storageKey(string(b.Group), 9, 9, "keep"), ""))
			}
		})}
	}},
	{"versions kept for records of no group", "records of no group", func() provider.Storage {
		return &hooked{Store: mem.New(), apply: func(s *mem.Store, ctx context.Context, b *provider.Batch) error {
			if len(b.Group) == 0 && b.Expect != 0 {
				return provider.ErrConflict
			}
			return s.Apply(ctx, b)
		}}
	}},
	{"Get overwrites dst", "get", func() provider.Storage {
		return &hooked{Store: mem.New(), get: func(s *mem.Store, ctx context.Context, dst []byte, k provider.Key) ([]byte, error) {
			return s.Get(ctx, dst[:0], k)
		}}
	}},
	{"an empty value is not found", "get", func() provider.Storage {
		return &hooked{Store: mem.New(), get: func(s *mem.Store, ctx context.Context, dst []byte, k provider.Key) ([]byte, error) {
			v, err := s.Get(ctx, dst, k)
			if err == nil && len(v) == len(dst) {
				return dst, provider.ErrNotFound
			}
			return v, err
		}}
	}},
	{"Scan in the order of insertion", "scan", func() provider.Storage {
		return &hooked{Store: mem.New(), scan: func(s *mem.Store, ctx context.Context, prefix provider.Key) iter.Seq2[provider.Record, error] {
			return func(yield func(provider.Record, error) bool) {
				var all []provider.Record
				for r := range s.Scan(ctx, prefix) {
					all = append(all, provider.Record{Key: r.Key, Value: bytes.Clone(r.Value)})
				}
				slices.Reverse(all)
				for _, r := range all {
					if !yield(r, nil) {
						return
					}
				}
			}
		}}
	}},
	{"Scan of an id stops at the exact one", "scan", func() provider.Storage {
		return &hooked{Store: mem.New(), scan: func(s *mem.Store, ctx context.Context, prefix provider.Key) iter.Seq2[provider.Record, error] {
			return func(yield func(provider.Record, error) bool) {
				for r, err := range s.Scan(ctx, prefix) {
					if len(prefix.ID) > 0 && !bytes.Equal(r.Key.ID, prefix.ID) {
						continue
					}
					if !yield(r, err) {
						return
					}
				}
			}
		}}
	}},
	{"Scan in pieces", "readers see whole batches", func() provider.Storage {
		return &hooked{Store: mem.New(), scan: func(s *mem.Store, ctx context.Context, prefix provider.Key) iter.Seq2[provider.Record, error] {
			return func(yield func(provider.Record, error) bool) {
				for r := range s.Scan(ctx, prefix) {
					time.Sleep(50 * time.Microsecond)
					v, _ := s.Get(ctx, nil, r.Key)
					if !yield(provider.Record{Key: r.Key, Value: v}, nil) {
						return
					}
				}
			}
		}}
	}},
	{"Scan goes on after an early stop", "scan in parts", func() provider.Storage {
		return &hooked{Store: mem.New(), scan: func(s *mem.Store, ctx context.Context, prefix provider.Key) iter.Seq2[provider.Record, error] {
			return func(yield func(provider.Record, error) bool) {
				s.Scan(ctx, prefix)(func(r provider.Record, err error) bool { yield(r, err); return true })
			}
		}}
	}},
	{"values cut at 64 KiB", "sizes", func() provider.Storage {
		return &hooked{Store: mem.New(), apply: without(func(b *provider.Batch) {
			for i := range b.Put {
				b.Put[i].Value = b.Put[i].Value[:len(b.Put[i].Value)&0xffff]
			}
		})}
	}},
	{"values kept", "nothing kept of a batch", func() provider.Storage {
		return &keeper{mem.New(), map[string][]byte{}}
	}},
	{"an ended context ignored", "ended context", func() provider.Storage {
		return &hooked{Store: mem.New(), apply: func(s *mem.Store, _ context.Context, b *provider.Batch) error {
			return s.Apply(background, b)
		}}
	}},
	{"a conflict fails its neighbours", "ApplyMany", func() provider.Storage { return &unfairStore{mem.New()} }},
	{"compare and swap in two steps", "one writer wins", func() provider.Storage {
		return &hooked{Store: mem.New(), apply: func(s *mem.Store, ctx context.Context, b *provider.Batch) error {
			if err := s.Apply(ctx, b); !errors.Is(err, provider.ErrConflict) {
				return err
			}
			return nil
		}}
	}},
	{"reads after Close", "close", func() provider.Storage { return &noClose{mem.New()} }},
}

type unfairStore struct{ *mem.Store }

func (u *unfairStore) ApplyMany(ctx context.Context, bs []*provider.Batch) []error {
	errs := u.Store.ApplyMany(ctx, bs)
	for _, err := range errs {
		if err != nil {
			for i := range errs {
				errs[i] = err
			}
		}
	}
	return errs
}

type noClose struct{ *mem.Store }

func (*noClose) Close() error { return nil }

func storageCheck(t *testing.T, name string) func(store) {
	t.Helper()
	for _, c := range storageChecks {
		if c.name == name {
			return c.run
		}
	}
	t.Fatalf("no check %q", name)
	return nil
}

func TestStorageNoticesFaults(t *testing.T) {
	covered := map[string]bool{"groups in parallel": true} // for the race detector
	for _, b := range brokenStores {
		run := storageCheck(t, b.check)
		if found := failuresOf(func(tb testing.TB) { run(store{tb, b.open()}) }); len(found) == 0 {
			t.Errorf("%s: check %q finds nothing", b.name, b.check)
		}
		covered[b.check] = true
	}
	for _, c := range storageChecks {
		if !covered[c.name] {
			t.Errorf("no fault shows that check %q notices one", c.name)
		}
	}
}

func TestStoragePasses(t *testing.T) {
	t.Run("mem", func(t *testing.T) {
		TestStorage(t, func(testing.TB) provider.Storage { return mem.New() })
	})
	t.Run("without ApplyMany", func(t *testing.T) {
		TestStorage(t, func(testing.TB) provider.Storage { return noMany{mem.New()} })
	})
	t.Run("FaultStorage without faults", func(t *testing.T) {
		TestStorage(t, func(testing.TB) provider.Storage { return NewFaultStorage(mem.New()) })
	})
}

func TestFaultStorage(t *testing.T) {
	k := storageKey("g", 1, 1, "k")
	put := func(expect uint64) *provider.Batch {
		return &provider.Batch{Group: []byte("g"), Expect: expect, Put: []provider.Record{storageRecord(k, "v")}}
	}
	for _, c := range []struct {
		fault   StorageFault
		want    error
		applied bool
	}{
		{FailBefore, ErrInjected, false},
		{FailUnknownApplied, provider.ErrOutcomeUnknown, true},
		{FailUnknownLost, provider.ErrOutcomeUnknown, false},
	} {
		s := NewFaultStorage(mem.New())
		s.Fault = c.fault
		s.FailAt(0)
		if err := s.Apply(background, put(0)); !errors.Is(err, c.want) {
			t.Errorf("fault %d: %v, want %v", c.fault, err, c.want)
		}
		v, err := s.Version(background, []byte("g"))
		if err != nil || (v == 1) != c.applied || len(s.Batches()) != int(v) {
			t.Errorf("fault %d: version %d, %d batches, %v", c.fault, v, len(s.Batches()), err)
		}
		if s.Calls() != 2 {
			t.Errorf("%d calls, want 2", s.Calls())
		}
		if err := s.Apply(background, put(v)); err != nil {
			t.Errorf("the retry: %v", err)
		}
		if per := len(provider.AppendKey(nil, k)) + 1; s.Written() != per*(int(v)+1) {
			t.Errorf("%d bytes written, want %d", s.Written(), per*(int(v)+1))
		}
		s.FailFrom(0)
		if _, err := s.Get(background, nil, k); !errors.Is(err, ErrInjected) {
			t.Errorf("Get: %v", err)
		}
		if _, err := s.Version(background, nil); !errors.Is(err, ErrInjected) {
			t.Errorf("Version: %v", err)
		}
		var errs []error
		for _, err := range s.Scan(background, provider.Key{}) {
			errs = append(errs, err)
		}
		if len(errs) != 2 || errs[0] != nil || !errors.Is(errs[1], ErrInjected) {
			t.Errorf("Scan: %v", errs)
		}
	}
}
