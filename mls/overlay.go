package mls

import (
	"bytes"
	"context"
	"iter"
	"slices"

	"github.com/hardmls/hardmls/provider"
)

// recordReader is the reading half of provider.Storage: a store as it is, or as
// it will be after a batch.
type recordReader interface {
	Get(ctx context.Context, dst []byte, k provider.Key) ([]byte, error)
	Scan(ctx context.Context, prefix provider.Key) iter.Seq2[provider.Record, error]
}

// overlay reads a store as it will be after a batch, which is how a pending
// commit's epoch is loaded before it is merged.
type overlay struct {
	base  recordReader
	batch *provider.Batch
}

// hidden reports whether the batch removes or overwrites the record of key k.
func (o *overlay) hidden(k []byte) bool {
	var buf []byte
	for _, d := range o.batch.Drop {
		if buf = provider.AppendPrefix(buf[:0], d); bytes.HasPrefix(k, buf) {
			return true
		}
	}
	for _, d := range o.batch.Delete {
		if buf = provider.AppendKey(buf[:0], d); bytes.Equal(k, buf) {
			return true
		}
	}
	return false
}

func (o *overlay) put(k []byte) ([]byte, bool) {
	var buf []byte
	for i := range o.batch.Put {
		if buf = provider.AppendKey(buf[:0], o.batch.Put[i].Key); bytes.Equal(k, buf) {
			return o.batch.Put[i].Value, true
		}
	}
	return nil, false
}

// Get implements recordReader.
func (o *overlay) Get(ctx context.Context, dst []byte, k provider.Key) ([]byte, error) {
	enc := provider.AppendKey(nil, k)
	if v, ok := o.put(enc); ok {
		return append(dst, v...), nil
	}
	if o.hidden(enc) {
		return dst, provider.ErrNotFound
	}
	return o.base.Get(ctx, dst, k)
}

// Scan implements recordReader: the base's records that the batch leaves, merged
// in key order with those that it puts.
func (o *overlay) Scan(ctx context.Context, prefix provider.Key) iter.Seq2[provider.Record, error] {
	type entry struct {
		enc []byte
		rec provider.Record
	}
	want := provider.AppendPrefix(nil, prefix)
	var puts []entry
	for _, rec := range o.batch.Put {
		if enc := provider.AppendKey(nil, rec.Key); bytes.HasPrefix(enc, want) {
			puts = append(puts, entry{enc, rec})
		}
	}
	slices.SortFunc(puts, func(a, b entry) int { return bytes.Compare(a.enc, b.enc) })
	return func(yield func(provider.Record, error) bool) {
		rest := puts
		var buf []byte
		for rec, err := range o.base.Scan(ctx, prefix) {
			if err != nil {
				yield(provider.Record{}, err)
				return
			}
			buf = provider.AppendKey(buf[:0], rec.Key)
			for len(rest) > 0 && bytes.Compare(rest[0].enc, buf) < 0 {
				if !yield(rest[0].rec, nil) {
					return
				}
				rest = rest[1:]
			}
			if len(rest) > 0 && bytes.Equal(rest[0].enc, buf) {
				continue // overwritten: comes from rest
			}
			if !o.hidden(buf) && !yield(rec, nil) {
				return
			}
		}
		for _, e := range rest {
			if !yield(e.rec, nil) {
				return
			}
		}
	}
}
