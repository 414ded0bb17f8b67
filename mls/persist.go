package mls

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/internal/secrettree"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// Keys of the records of a group.

func (g *Group) key(k provider.Kind, id []byte) provider.Key {
	return provider.Key{Group: g.id, Kind: k, ID: id}
}

func (g *Group) epochKey(k provider.Kind, epoch uint64, id []byte) provider.Key {
	return provider.Key{Group: g.id, Epoch: epoch + 1, Kind: k, ID: id}
}

func ratchetKey(group []byte, epoch uint64, leaf treemath.LeafIndex, typ secrettree.Type) provider.Key {
	return provider.Key{Group: group, Epoch: epoch + 1, Kind: kindRatchet, ID: appendRatchetID(nil, leaf, typ)}
}

// ratchetIDLen is the length of a ratchet record's ID: type and leaf index.
const ratchetIDLen = 5

func appendRatchetID(b []byte, leaf treemath.LeafIndex, typ secrettree.Type) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(typ)), uint32(leaf))
}

// planMerge returns the batch that makes st the current epoch, but for the head,
// past epochs and what is dirty when it is merged. It depends on st alone.
func (g *Group) planMerge(st *StagedCommit) *provider.Batch {
	b := new(provider.Batch)
	if st.selfRemoved { // V215: nothing but the head stays, and Welcomes to be sent
		for _, k := range []provider.Kind{kindNode, kindPath, kindPending, kindResumption} {
			b.Drop = append(b.Drop, g.key(k, nil))
		}
		return b
	}
	b.Delete = append(b.Delete, g.key(kindPending, nil))
	g.planEpoch(b, st.next)
	for x, n := range st.next.tree.Changed(st.base.tree) {
		k := g.key(kindNode, id32(uint32(x)))
		if n.Now == nil {
			b.Delete = append(b.Delete, k)
		} else {
			b.Put = append(b.Put, provider.Record{Key: k, Value: encodeNode(x, n.Now)})
		}
	}
	return b
}

// planRetire makes the base of st a past epoch, at the time now, and drops the
// oldest one, and the oldest resumption PSK. How many are kept is what the
// configuration says now, not when the commit was planned.
func (g *Group) planRetire(b *provider.Batch, st *StagedCommit, now int64) {
	n := st.base.number()
	if keep := uint64(g.cfg.ResumptionPSKs); keep > 0 && n+1 >= keep {
		b.Delete = append(b.Delete, g.key(kindResumption, id64(n+1-keep)))
	}
	if g.cfg.PastEpochs == 0 {
		b.Drop = append(b.Drop, provider.Key{Group: g.id, Epoch: n + 1})
		return
	}
	if keep := uint64(g.cfg.PastEpochs); n >= keep {
		b.Drop = append(b.Drop, provider.Key{Group: g.id, Epoch: n - keep + 1})
	}
	b.Drop = append(b.Drop,
		g.epochKey(kindProposal, n, nil),
		g.epochKey(kindOwnUpdate, n, nil),
		g.epochKey(kindRatchet, n, []byte{byte(secrettree.Handshake)}))
	rec := epochRecord{context: st.base.contextBytes, leaves: st.base.tree.LeafCount(), retired: now}
	rec.secrets[0] = st.base.keys.SenderData.Bytes()
	b.Put = append(b.Put, provider.Record{Key: g.epochKey(kindEpoch, n, nil), Value: rec.encode()})
	for x, leaf := range st.next.tree.Changed(st.base.tree) {
		if x.IsLeaf() {
			k := g.epochKey(kindPastLeaf, n, id32(uint32(x.Leaf())))
			b.Put = append(b.Put, provider.Record{Key: k, Value: encodeNode(x, leaf.Before)})
		}
	}
}

// planEpoch writes the secrets of a new epoch.
func (g *Group) planEpoch(b *provider.Batch, e *epoch) {
	rec := epochRecord{context: e.contextBytes, interim: e.interim, tag: e.tag,
		leaves: e.tree.LeafCount(), leafRef: e.leafRef, borrowed: e.borrowed}
	for i, s := range epochSecrets(e.keys) {
		rec.secrets[i] = s.Bytes()
	}
	b.Put = append(b.Put, provider.Record{Key: g.epochKey(kindEpoch, e.number(), nil), Value: rec.encode()})

	b.Drop = append(b.Drop, g.key(kindPath, nil))
	e.private.Secrets(func(x treemath.NodeIndex, s *secret.Secret) bool {
		b.Put = append(b.Put, provider.Record{Key: g.key(kindPath, id32(uint32(x))), Value: append(newRecord(), s.Bytes()...)})
		return true
	})
	g.appendRatchets(b, e.messages)

	if g.cfg.ResumptionPSKs == 0 {
		return
	}
	b.Put = append(b.Put, provider.Record{Key: g.key(kindResumption, id64(e.number())),
		Value: append(newRecord(), e.keys.Resumption.Bytes()...)})
}

// appendRatchets adds to b what changed in the secret tree of m since it was
// last written. The own application ratchet is written as far ahead as its lease
// reaches, never behind; a ratchet that b puts already stays as it is, and one that b
// drops is left out. Group.mu is held, or m is not shared yet.
func (g *Group) appendRatchets(b *provider.Batch, m *messages) {
	explicit := len(b.Put)
	retires := slices.ContainsFunc(b.Drop, func(d provider.Key) bool {
		return d.Kind == kindRatchet && d.Epoch == m.number+1 // planRetire drops the handshakes'
	})
	m.secrets.BeginWrite(func(r secrettree.Record) bool {
		k := g.epochKey(kindSecretNode, m.number, id32(uint32(r.Node)))
		if r.Kind == secrettree.RatchetRecord {
			if r.Type == secrettree.Handshake && retires {
				return true
			}
			k = ratchetKey(g.id, m.number, r.Leaf, r.Type)
			if r.Leaf == m.own && (puts(b.Put[:explicit], k) || g.putLeased(b, m, r.Type)) {
				return true
			}
		}
		if r.Value == nil {
			b.Delete = append(b.Delete, k)
		} else {
			b.Put = append(b.Put, provider.Record{Key: k, Value: clone(r.Value)})
		}
		return true
	})
}

// putLeased writes the own application ratchet as far ahead as the lease
// reaches; it reports false for what no lease covers.
func (g *Group) putLeased(b *provider.Batch, m *messages, typ secrettree.Type) bool {
	if typ != secrettree.Application {
		return false
	}
	next, err := m.secrets.NextGeneration(m.own, typ)
	reach := max(m.leased, m.void)
	return err == nil && reach > next && g.putAhead(b, m, typ, reach-next) == nil
}

// puts reports whether recs has one of key k.
func puts(recs []provider.Record, k provider.Key) bool {
	for i := range recs {
		r := &recs[i].Key
		if r.Kind == k.Kind && r.Epoch == k.Epoch && string(r.ID) == string(k.ID) && string(r.Group) == string(k.Group) {
			return true
		}
	}
	return false
}

// appendDirty adds to b everything that changed in memory and is not on disk
// yet, and returns what to call once b is durable. Epochs that b drops are left
// out. mu is held.
func (g *Group) appendDirty(b *provider.Batch) []*secrettree.Tree {
	var written []*secrettree.Tree
	dropped := func(number uint64) bool {
		for _, d := range b.Drop {
			if d.Kind == 0 && (d.Epoch == 0 || d.Epoch == number+1) {
				return true
			}
		}
		return false
	}
	add := func(m *messages) {
		if m.secrets.IsDirty() && !dropped(m.number) {
			g.appendRatchets(b, m)
			written = append(written, m.secrets)
		}
	}
	for _, p := range g.past {
		add(p.messages)
	}
	if g.cur != nil {
		add(g.cur.messages)
	}
	if k := g.key(kindHead, nil); g.cursorDirty && !puts(b.Put, k) && !dropped(g.head.epoch) {
		b.Put = append(b.Put, provider.Record{Key: k, Value: g.head.encode()})
		g.cursorDirty = false
	}
	b.Delete = append(b.Delete, g.swept...)
	for _, number := range g.stale {
		b.Drop = append(b.Drop, provider.Key{Group: g.id, Epoch: number + 1})
	}
	return written
}

// dirty reports whether received messages or forgotten epochs wait to be written.
// mu is held.
func (g *Group) dirty() bool {
	for _, p := range g.past {
		if p.secrets.IsDirty() {
			return true
		}
	}
	return g.cursorDirty || len(g.stale) > 0 || g.cur != nil && g.cur.messages.secrets.IsDirty()
}

// bury adds tombstones for keys that no record names after b, so that a crash
// before their deletion leaves none behind. A reference that is the key itself
// needs none.
func (g *Group) bury(b *provider.Batch, refs []provider.KeyRef) {
	for _, ref := range refs {
		if !provider.IsSelfContained(g.keys, ref) {
			b.Put = append(b.Put, provider.Record{Key: tombstoneKey(g.suite, ref), Value: append(newRecord(), ref...)})
		}
	}
}

// storedKeys returns the references of private keys that the store's records of
// the group name: the own leaf's, those of own Updates, the pending commit's.
func (g *Group) storedKeys(ctx context.Context) ([]provider.KeyRef, error) {
	h, err := loadHead(ctx, g.store, g.id)
	if err != nil || h.phase == evicted {
		return nil, err
	}
	var refs []provider.KeyRef
	add := func(value []byte) error {
		defer secret.Wipe(value)
		var rec epochRecord
		if err := rec.decode(value); err != nil {
			return &RecordError{"epoch", err}
		}
		if !rec.borrowed {
			refs = append(refs, provider.KeyRef(rec.leafRef).Clone())
		}
		return nil
	}
	v, err := getRecord(ctx, g.store, g.epochKey(kindEpoch, h.epoch, nil))
	if err == nil {
		err = add(v)
	}
	if err != nil {
		return nil, err
	}
	for rec, err := range g.store.Scan(ctx, g.epochKey(kindOwnUpdate, h.epoch, nil)) {
		if err != nil {
			return nil, storageError("scan", err)
		}
		r, err := openRecord(rec.Value)
		if err != nil {
			return nil, &RecordError{"own update", err}
		}
		refs = append(refs, provider.KeyRef(clone(r.Opaque())))
	}
	if v, err = getRecord(ctx, g.store, g.key(kindPending, nil)); v == nil || err != nil {
		return refs, err
	}
	defer secret.Wipe(v)
	var pending pendingRecord
	if err := pending.decode(v); err != nil {
		return nil, &RecordError{"pending commit", err}
	}
	batch, err := decodeBatch(pending.batch)
	if err != nil {
		return nil, &RecordError{"pending commit", err}
	}
	defer wipeBatch(batch)
	next := overlay{g.store, batch}
	if v, err = getRecord(ctx, &next, g.epochKey(kindEpoch, h.epoch+1, nil)); err != nil {
		return nil, err
	}
	return refs, add(v)
}

// sameRef compares references, which are secrets where they are the key itself.
func sameRef(a, b provider.KeyRef) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// wipeRefs erases references that nobody needs any more, for the same reason.
func wipeRefs(refs []provider.KeyRef) {
	for _, r := range refs {
		secret.Wipe(r)
	}
}

// discardKeys deletes keys that no record was made to name.
func discardKeys(ctx context.Context, keys provider.Keys, refs ...provider.KeyRef) {
	for _, r := range refs {
		keys.Delete(context.WithoutCancel(ctx), r)
	}
	wipeRefs(refs)
}

func tombstoneKey(s provider.Suite, ref provider.KeyRef) provider.Key {
	id := make([]byte, s.Params().Nh)
	s.Hash(id, ref)
	return provider.Key{Kind: kindTombstone, ID: id}
}

// sweepSpent deletes the keys whose tombstones are on disk; the tombstones go
// with the next batch. A key that can't be deleted now stays for the next time.
func (g *Group) sweepSpent(ctx context.Context) {
	g.mu.Lock()
	refs := g.spentKeys
	g.spentKeys = nil
	g.mu.Unlock()
	var swept []provider.Key
	var rest []provider.KeyRef
	for _, ref := range refs {
		if err := g.keys.Delete(ctx, ref); err != nil {
			rest = append(rest, ref)
			continue
		}
		if !provider.IsSelfContained(g.keys, ref) {
			swept = append(swept, tombstoneKey(g.suite, ref))
		}
		secret.Wipe(ref)
	}
	g.mu.Lock()
	g.spentKeys = append(g.spentKeys, rest...)
	g.swept = append(g.swept, swept...)
	g.mu.Unlock()
}

// sweepTombstones deletes the keys of every tombstone in the store, whoever left
// it. A key that can't be deleted keeps its tombstone; that is no error.
func sweepTombstones(ctx context.Context, keys provider.Keys, store provider.Storage) error {
	b := new(provider.Batch)
	for rec, err := range store.Scan(ctx, provider.Key{Kind: kindTombstone}) {
		if err != nil {
			return storageError("scan", err)
		}
		r, err := openRecord(rec.Value)
		if err != nil {
			return &RecordError{"tombstone", err}
		}
		if keys.Delete(ctx, provider.KeyRef(r.Bytes(r.Len()))) == nil {
			b.Delete = append(b.Delete, provider.Key{Kind: kindTombstone, ID: clone(rec.Key.ID)})
		}
	}
	if len(b.Delete) == 0 {
		return nil
	}
	if err := store.Apply(ctx, b); err != nil {
		return storageError("apply", err)
	}
	return nil
}

func cloneBatch(b *provider.Batch) *provider.Batch {
	c := *b
	c.Drop = append([]provider.Key(nil), b.Drop...)
	c.Delete = append([]provider.Key(nil), b.Delete...)
	c.Put = append([]provider.Record(nil), b.Put...)
	return &c
}

// wipeBatch erases the values of b, which hold secrets.
func wipeBatch(b *provider.Batch) { wipeRecords(b.Put) }

func wipeRecords(recs []provider.Record) {
	for _, rec := range recs {
		secret.Wipe(rec.Value)
	}
}

// getRecord reads a record that may be absent: nil then.
func getRecord(ctx context.Context, r recordReader, k provider.Key) ([]byte, error) {
	v, err := r.Get(ctx, nil, k)
	if errors.Is(err, provider.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, storageError("get", err)
	}
	return v, nil
}
