package provider

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
)

// A Kind is a kind of stored record. The engine owns the meaning of each; a
// Storage treats them alike.
type Kind uint8

// A Key names a record. Records sort by Group, then Epoch, then Kind, then ID,
// bytewise (AppendKey). Records that belong to an epoch carry that epoch's
// number plus one, so that Epoch zero means "of no epoch".
//
// As a prefix, a Key is cut behind its last field that is set:
//
//	Key{}                      everything
//	Key{Group}                 a group
//	Key{Group, Epoch}          an epoch of a group
//	Key{Group, Epoch, Kind}    one kind (Epoch may be zero)
//	Key{Group, Epoch, Kind, ID} records whose ID begins with ID
//
// Group may be empty for records of no group (key packages, PSKs): the prefix
// Key{Kind: k} names one kind of those.
type Key struct {
	Kind  Kind
	Epoch uint64
	Group []byte
	ID    []byte
}

// A Record is a stored key and its value.
type Record struct {
	Key   Key
	Value []byte
}

// A Batch is one transition of a group. Storage applies it whole or not at all,
// in the order Require, Drop, Delete, Put.
type Batch struct {
	Group   []byte   // whose version is compared and advanced; empty: none is
	Expect  uint64   // the group's version; 0 = must not exist (ErrGroupExists)
	Require []Key    // must exist now, else ErrConflict: a key package joins once
	Drop    []Key    // prefixes; one of neither group nor kind is ErrDropAll
	Delete  []Key    // exact keys; one that does not exist is no error
	Put     []Record // Group may be empty: key packages, PSKs, key references
}

// Storage keeps records. It is safe for concurrent use.
//
// A group's version is kept beside its records, not among them: it starts with
// 1 when the group is created and grows by one with each batch. A batch whose
// Drop names a whole group and which puts no record of it ends the group: its
// version becomes 0 again.
type Storage interface {
	// Apply applies b, all or nothing, and is durable when it returns nil;
	// then the group's version is Expect+1. It keeps nothing of b. Errors:
	// ErrConflict, ErrGroupExists, ErrOutcomeUnknown, ErrClosed, or the
	// engine's own; but for ErrOutcomeUnknown nothing was written.
	Apply(ctx context.Context, b *Batch) error

	// Version returns the group's version, 0 if there is no such group.
	Version(ctx context.Context, group []byte) (uint64, error)

	// Get appends the value of k to dst; ErrNotFound if there is none.
	Get(ctx context.Context, dst []byte, k Key) ([]byte, error)

	// Scan yields the records whose keys begin with prefix, in key order. A
	// record lives until the next step. Apply must not be called inside. An
	// error is yielded once, last, with an empty record.
	Scan(ctx context.Context, prefix Key) iter.Seq2[Record, error]

	// Close releases the store. Later calls return ErrClosed.
	Close() error
}

// BatchStorage is an optional interface of a Storage.
type BatchStorage interface {
	// ApplyMany applies several batches in one transaction of the engine. A
	// conflict fails its own batch only. The result has one error per batch.
	ApplyMany(ctx context.Context, bs []*Batch) []error
}

// AppendKey appends the order-preserving encoding of k to dst: Group with each
// zero byte followed by 0xFF, and 0x00 0x01 behind it; Epoch as 8 bytes, big
// endian; Kind; ID as it is.
func AppendKey(dst []byte, k Key) []byte {
	dst = appendGroup(dst, k.Group)
	dst = binary.BigEndian.AppendUint64(dst, k.Epoch)
	dst = append(dst, byte(k.Kind))
	return append(dst, k.ID...)
}

// AppendPrefix appends the encoding that every key under the prefix k begins
// with, as the comment of Key defines it.
func AppendPrefix(dst []byte, k Key) []byte {
	if k.Kind != 0 {
		return AppendKey(dst, k)
	}
	if len(k.Group) == 0 && k.Epoch == 0 {
		return dst
	}
	dst = appendGroup(dst, k.Group)
	if k.Epoch != 0 {
		dst = binary.BigEndian.AppendUint64(dst, k.Epoch)
	}
	return dst
}

func appendGroup(dst, group []byte) []byte {
	for _, c := range group {
		dst = append(dst, c)
		if c == 0 {
			dst = append(dst, 0xFF)
		}
	}
	return append(dst, 0x00, 0x01)
}

// DecodeKey is the inverse of AppendKey. Group and ID are copies.
func DecodeKey(b []byte) (Key, error) {
	var group []byte
	for i := 0; i < len(b); i++ {
		if b[i] != 0 {
			group = append(group, b[i])
			continue
		}
		if i+1 == len(b) {
			break
		}
		switch i++; b[i] {
		case 0xFF:
			group = append(group, 0)
		case 0x01:
			rest := b[i+1:]
			if len(rest) < 9 {
				return Key{}, fmt.Errorf("provider: storage key cut short after the group")
			}
			k := Key{Group: group, Epoch: binary.BigEndian.Uint64(rest), Kind: Kind(rest[8])}
			if len(rest) > 9 {
				k.ID = append([]byte(nil), rest[9:]...)
			}
			return k, nil
		default:
			return Key{}, fmt.Errorf("provider: storage key has a bad escape 0x%02x", b[i])
		}
	}
	return Key{}, fmt.Errorf("provider: storage key has no end of group")
}
