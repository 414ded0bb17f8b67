package mls

import (
	"context"
	"iter"

	"github.com/hardmls/hardmls/provider"
)

// KeyRefs yields the reference of every private key that a record of a store names: of
// groups, pending commits, key packages and tombstones. A key in a token that none of
// them names was left behind by a crash, unless it is being made just now. The
// references are copies and as secret as the keys are; an error comes last, with none.
func KeyRefs(ctx context.Context, store provider.Storage) iter.Seq2[provider.KeyRef, error] {
	return func(yield func(provider.KeyRef, error) bool) {
		for rec, err := range store.Scan(ctx, provider.Key{}) {
			if err != nil {
				yield(nil, storageError("scan", err))
				return
			}
			refs, err := keyRefsOf(rec)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, r := range refs {
				if len(r) > 0 && !yield(r, nil) {
					return
				}
			}
		}
	}
}

// keyRefsOf returns the references that one record names.
func keyRefsOf(rec provider.Record) (refs []provider.KeyRef, err error) {
	switch rec.Key.Kind {
	case kindEpoch:
		var e epochRecord
		if err := e.decode(rec.Value); err != nil {
			return nil, &RecordError{"epoch", err}
		}
		return []provider.KeyRef{provider.KeyRef(e.leafRef).Clone()}, nil
	case kindOwnUpdate, kindTombstone:
		r, err := openRecord(rec.Value)
		if err != nil {
			return nil, &RecordError{"key reference", err}
		}
		if rec.Key.Kind == kindTombstone {
			return []provider.KeyRef{provider.KeyRef(r.Bytes(r.Len())).Clone()}, nil
		}
		return []provider.KeyRef{provider.KeyRef(r.Opaque()).Clone()}, nil
	case kindKeyPackage:
		var k keyPackageRecord
		if err := k.decode(rec.Value); err != nil {
			return nil, &RecordError{"key package", err}
		}
		return []provider.KeyRef{provider.KeyRef(k.initRef).Clone(), provider.KeyRef(k.leafRef).Clone()}, nil
	case kindPending:
		var p pendingRecord
		if err := p.decode(rec.Value); err != nil {
			return nil, &RecordError{"pending commit", err}
		}
		b, err := decodeBatch(p.batch)
		if err != nil {
			return nil, &RecordError{"pending commit", err}
		}
		defer wipeBatch(b)
		for _, put := range b.Put {
			inner, err := keyRefsOf(put)
			if err != nil {
				return nil, err
			}
			refs = append(refs, inner...)
		}
	}
	return refs, nil
}
