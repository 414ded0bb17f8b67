package mls

import (
	"context"
	"errors"
	"fmt"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/schedule"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/provider"
)

// A PSKID names a pre-shared key, RFC 9420 §8.4.
type PSKID struct {
	External []byte // the id of an external PSK; nil for a resumption PSK
	GroupID  []byte // of a resumption PSK
	Epoch    uint64 // of a resumption PSK
}

// ExternalPSK names a key that the application put into the store with PutPSK.
func ExternalPSK(id []byte) PSKID { return PSKID{External: append([]byte{}, id...)} }

// ResumptionPSK names the resumption secret of an epoch of a group, which is in
// the store as long as Config.ResumptionPSKs keeps it.
func ResumptionPSK(groupID []byte, epoch uint64) PSKID {
	return PSKID{GroupID: clone(groupID), Epoch: epoch}
}

// String describes the id; it is not secret.
func (id PSKID) String() string {
	if id.External != nil {
		return fmt.Sprintf("external PSK %x", id.External)
	}
	return fmt.Sprintf("resumption PSK of group %x, epoch %d", id.GroupID, id.Epoch)
}

func (id PSKID) wire() *proto.PreSharedKeyID {
	if id.External != nil {
		return &proto.PreSharedKeyID{Type: proto.PSKTypeExternal, ID: clone(id.External)}
	}
	return &proto.PreSharedKeyID{Type: proto.PSKTypeResumption, Usage: proto.ResumptionPSKUsageApplication,
		GroupID: clone(id.GroupID), Epoch: id.Epoch}
}

func pskIDOf(w *proto.PreSharedKeyID) PSKID {
	if w.Type == proto.PSKTypeExternal {
		return ExternalPSK(w.ID)
	}
	return ResumptionPSK(w.GroupID, w.Epoch)
}

// maxPSKID bounds the id of an external PSK.
const maxPSKID = 1 << 10

// PutPSK stores an external pre-shared key of any length under id. It replaces a
// key of the same id. psk may be wiped afterwards.
func PutPSK(ctx context.Context, p provider.Provider, id, psk []byte) error {
	if len(id) > maxPSKID {
		return errors.New("mls: PSK id is too long")
	}
	v := append(newRecord(), psk...)
	defer secret.Wipe(v)
	err := p.Storage().Apply(ctx, &provider.Batch{Put: []provider.Record{{Key: provider.Key{Kind: kindPSK, ID: id}, Value: v}}})
	if err != nil {
		return storageError("apply", err)
	}
	return nil
}

// DeletePSK removes an external pre-shared key; one that is not there is no error.
func DeletePSK(ctx context.Context, p provider.Provider, id []byte) error {
	err := p.Storage().Apply(ctx, &provider.Batch{Delete: []provider.Key{{Kind: kindPSK, ID: id}}})
	if err != nil {
		return storageError("apply", err)
	}
	return nil
}

// pskSecret looks up the keys that a commit names and combines them, RFC 9420
// §8.4. *PSKError names those that are missing.
func (g *Group) pskSecret(ctx context.Context, ids []*proto.PreSharedKeyID) (*secret.Secret, error) {
	return pskSecret(ctx, g.suite, g.store, ids)
}

func pskSecret(ctx context.Context, s provider.Suite, store recordReader, ids []*proto.PreSharedKeyID) (*secret.Secret, error) {
	psks := make([]schedule.PSK, 0, len(ids))
	defer func() {
		for _, p := range psks {
			secret.Wipe(p.Secret)
		}
	}()
	var missing []PSKID
	for _, id := range ids {
		k := provider.Key{Kind: kindPSK, ID: id.ID}
		if id.Type == proto.PSKTypeResumption {
			k = provider.Key{Group: id.GroupID, Kind: kindResumption, ID: id64(id.Epoch)}
		}
		v, err := getRecord(ctx, store, k)
		if err != nil {
			return nil, err
		}
		if v == nil && id.Type == proto.PSKTypeResumption && id.Usage != proto.ResumptionPSKUsageApplication {
			if v, err = resumptionOfEpoch(ctx, store, id.GroupID, id.Epoch); err != nil {
				return nil, err
			}
		}
		if v == nil {
			missing = append(missing, pskIDOf(id))
			continue
		}
		r, err := openRecord(v)
		if err != nil {
			return nil, &RecordError{"PSK", err}
		}
		psks = append(psks, schedule.PSK{ID: id, Secret: r.Bytes(r.Len())})
	}
	if len(missing) > 0 {
		return nil, &PSKError{missing}
	}
	return schedule.PSKSecret(s, psks), nil
}
