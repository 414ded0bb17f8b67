package mls

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/hardmls/hardmls/internal/proposal"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/schedule"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// The kinds of stored records. Their numbers are part of the storage format.
// Those marked with an epoch carry its number plus one in their key.
const (
	kindHead       provider.Kind = 1  // the group: which epoch, which state
	kindNode       provider.Kind = 2  // ID: node index; a node of the ratchet tree
	kindPath       provider.Kind = 3  // ID: node index; a node secret of the own path
	kindEpoch      provider.Kind = 4  // epoch; context and secrets
	kindRatchet    provider.Kind = 5  // epoch; ID: type, leaf index; a sender ratchet
	kindSecretNode provider.Kind = 6  // epoch; ID: node index; an unopened secret tree node
	kindProposal   provider.Kind = 7  // epoch; ID: arrival number; a stored proposal
	kindOwnUpdate  provider.Kind = 8  // epoch; ID: reference; keys of an own Update proposal
	kindPending    provider.Kind = 9  // the pending commit and the batch that merges it
	kindOutbox     provider.Kind = 10 // ID: entry number; a Welcome of a merged commit, not yet sent
	kindResumption provider.Kind = 11 // ID: epoch; a resumption PSK
	kindPastLeaf   provider.Kind = 12 // epoch; ID: leaf index; a leaf that the next epoch replaced

	// Of no group.
	kindKeyPackage provider.Kind = 32 // ID: KeyPackageRef
	kindPSK        provider.Kind = 33 // ID: psk_id
	kindTombstone  provider.Kind = 34 // ID: of the reference; a key to delete
)

// recordVersion is the first byte of every record's value.
const recordVersion = 1

var errRecordVersion = errors.New("unknown version: written by a newer release")

func newRecord() []byte { return []byte{recordVersion} }

// roomyRecord begins a record that fixed bytes and the given fields fill exactly:
// one that holds secrets must not grow, as each array that it leaves would keep
// them.
func roomyRecord(fixed int, fields ...[]byte) []byte {
	n := 1 + fixed
	for _, f := range fields {
		n += wire.VarintLen(len(f)) + len(f)
	}
	return append(make([]byte, 0, n), recordVersion)
}

// openRecord checks the version byte and returns a reader of the rest.
func openRecord(b []byte) (wire.Reader, error) {
	if len(b) == 0 {
		return wire.Reader{}, errors.New("empty")
	}
	if b[0] != recordVersion {
		return wire.Reader{}, errRecordVersion
	}
	return wire.NewReader(b[1:]), nil
}

func id32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
func id64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// A phase is what a group can do, checked in one place (Group.check).
type phase uint8

const (
	operational phase = iota + 1
	evicted
	reinitialized
)

// head is the record of which epoch a group is in.
type head struct {
	phase     phase
	suite     provider.CipherSuite
	epoch     uint64
	own       uint32
	arrivals  uint32        // number of the next stored proposal
	outbox    uint64        // number of the next outbox entry
	cursor    []byte        // delivery cursor of the application
	committed [][]byte      // hashes of the last merged commits, newest last
	reinit    *proto.ReInit // of a re-initialised group
}

// keptCommits is how many hashes of merged commits the head remembers, to tell a
// redelivery from a foreign commit.
const keptCommits = 8

func (h *head) encode() []byte {
	b := append(newRecord(), byte(h.phase))
	b = binary.BigEndian.AppendUint16(b, uint16(h.suite))
	b = binary.BigEndian.AppendUint64(b, h.epoch)
	b = binary.BigEndian.AppendUint32(b, h.own)
	b = binary.BigEndian.AppendUint32(b, h.arrivals)
	b = binary.BigEndian.AppendUint64(b, h.outbox)
	b = wire.AppendOpaque(b, h.cursor)
	b, mark := wire.BeginVector(b)
	for _, c := range h.committed {
		b = wire.AppendOpaque(b, c)
	}
	return appendReInit(wire.EndVector(b, mark), h.reinit)
}

func (h *head) decode(b []byte) error {
	r, err := openRecord(b)
	if err != nil {
		return err
	}
	h.phase = phase(r.Uint8())
	h.suite = provider.CipherSuite(r.Uint16())
	h.epoch = r.Uint64()
	h.own = r.Uint32()
	h.arrivals = r.Uint32()
	h.outbox = r.Uint64()
	h.cursor = clone(r.Opaque())
	v := r.Vector()
	for !v.Empty() && v.Err() == nil {
		h.committed = append(h.committed, clone(v.Opaque()))
	}
	r.Join(&v)
	h.reinit = decodeReInit(&r)
	if err := r.Done(); err != nil {
		return err
	}
	if h.phase < operational || h.phase > reinitialized {
		return fmt.Errorf("unknown phase %d", h.phase)
	}
	if (h.reinit != nil) != (h.phase == reinitialized) {
		return errors.New("re-init parameters do not fit the phase")
	}
	return nil
}

// epochRecord is the record of an epoch. A past epoch keeps what opens late
// messages (context, sender data secret); its other fields are empty.
type epochRecord struct {
	context  []byte
	interim  []byte
	tag      []byte
	leaves   uint32 // leaf count of the tree
	leafRef  []byte
	borrowed bool                // epoch.borrowed
	retired  int64               // of a past epoch: when the commit that ended it was processed, in Unix seconds
	secrets  [keptSecrets][]byte // in the order of epochSecrets
}

// keptSecrets counts the secrets of an epoch's record; resumptionSecret is the
// index of the resumption PSK among them.
const (
	keptSecrets      = 7
	resumptionSecret = 4
)

// epochSecrets lists the secrets that an epoch's record keeps, in its order. The
// encryption secret is not among them (the secret tree has records of its own),
// nor the confirmation key, which is of no use after the tag is made.
func epochSecrets(k *schedule.Epoch) [keptSecrets]*secret.Secret {
	return [...]*secret.Secret{k.SenderData, k.Membership, k.Exporter, k.External,
		k.Resumption, k.Authenticator, k.Init}
}

func (e *epochRecord) encode() []byte {
	room := 4 + 1 + 8
	for _, s := range e.secrets {
		room += wire.VarintLen(len(s)) + len(s)
	}
	b := roomyRecord(room, e.context, e.interim, e.tag, e.leafRef)
	b = wire.AppendOpaque(b, e.context)
	b = wire.AppendOpaque(b, e.interim)
	b = wire.AppendOpaque(b, e.tag)
	b = binary.BigEndian.AppendUint32(b, e.leaves)
	b = wire.AppendOpaque(b, e.leafRef)
	b = append(b, flag(e.borrowed))
	b = binary.BigEndian.AppendUint64(b, uint64(e.retired))
	for _, s := range e.secrets {
		b = wire.AppendOpaque(b, s)
	}
	return b
}

// decode borrows from b.
func (e *epochRecord) decode(b []byte) error {
	r, err := openRecord(b)
	if err != nil {
		return err
	}
	e.context = r.Opaque()
	e.interim = r.Opaque()
	e.tag = r.Opaque()
	e.leaves = r.Uint32()
	e.leafRef = r.Opaque()
	e.borrowed = r.Uint8() == 1
	e.retired = int64(r.Uint64())
	for i := range e.secrets {
		e.secrets[i] = r.Opaque()
	}
	return r.Done()
}

// encodeNode makes the record of an encoded node of the ratchet tree: as in a
// ratchet_tree extension of one node. A blank one has none, but where it stands for
// a leaf that the next epoch replaced.
func encodeNode(x treemath.NodeIndex, enc []byte) []byte {
	return proto.AppendEncodedNode(append(make([]byte, 0, 3+len(enc)), newRecord()...), x, enc)
}

func decodeNode(b []byte) (proto.Node, error) {
	var n proto.Node
	r, err := openRecord(clone(b))
	if err != nil {
		return n, err
	}
	n.Decode(&r)
	return n, r.Done()
}

// nodeEncoding returns the encoding of the node at x from its record, checked. It
// borrows from b.
func nodeEncoding(c *proto.NodeChecker, b []byte, x treemath.NodeIndex) ([]byte, error) {
	r, err := openRecord(b)
	if err != nil {
		return nil, err
	}
	enc := c.Read(&r, x)
	if err := r.Done(); err != nil {
		return nil, err
	}
	if enc == nil {
		return nil, errors.New("blank node")
	}
	return enc, nil
}

// encodeProposal encodes a stored proposal.
func encodeProposal(e *proposal.Entry) []byte {
	b := wire.AppendOpaque(newRecord(), e.Ref)
	b = e.Sender.Append(b)
	b, mark := wire.BeginVector(b)
	b = e.Proposal.Append(b)
	return wire.EndVector(b, mark)
}

// decodeProposal returns the entry of a stored proposal.
func decodeProposal(b []byte) (proposal.Entry, error) {
	r, err := openRecord(clone(b))
	if err != nil {
		return proposal.Entry{}, err
	}
	e := proposal.Entry{Proposal: new(proto.Proposal)}
	e.Ref = r.Opaque()
	e.Sender.Decode(&r)
	v := r.Vector()
	e.Proposal.Decode(&v)
	r.Join(&v)
	return e, r.Done()
}

// keyPackageRecord is a key package of this client and its private keys.
type keyPackageRecord struct {
	keyPackage []byte
	initRef    []byte
	leafRef    []byte
}

func (k *keyPackageRecord) encode() []byte {
	b := wire.AppendOpaque(roomyRecord(0, k.keyPackage, k.initRef, k.leafRef), k.keyPackage)
	b = wire.AppendOpaque(b, k.initRef)
	return wire.AppendOpaque(b, k.leafRef)
}

func (k *keyPackageRecord) decode(b []byte) error {
	r, err := openRecord(b)
	if err != nil {
		return err
	}
	k.keyPackage = r.Opaque()
	k.initRef = r.Opaque()
	k.leafRef = r.Opaque()
	return r.Done()
}

// pendingRecord is a commit of this client that waits for the delivery
// service's word: what to send, and the batch that makes it the next epoch. The
// batch comes last so that its values need no copying.
type pendingRecord struct {
	commit    []byte
	welcome   []byte
	groupInfo []byte
	hash      []byte // StagedCommit.commitHash
	summary   []byte
	batch     []byte
}

func (p *pendingRecord) encode() []byte {
	b := roomyRecord(0, p.commit, p.welcome, p.groupInfo, p.hash, p.summary, p.batch)
	b = wire.AppendOpaque(b, p.commit)
	b = wire.AppendOpaque(b, p.welcome)
	b = wire.AppendOpaque(b, p.groupInfo)
	b = wire.AppendOpaque(b, p.hash)
	b = wire.AppendOpaque(b, p.summary)
	return wire.AppendOpaque(b, p.batch)
}

func (p *pendingRecord) decode(b []byte) error {
	r, err := openRecord(b)
	if err != nil {
		return err
	}
	p.commit = r.Opaque()
	p.welcome = r.Opaque()
	p.groupInfo = r.Opaque()
	p.hash = r.Opaque()
	p.summary = r.Opaque()
	p.batch = r.Opaque()
	return r.Done()
}

// decodeOutbox decodes an unsent Welcome.
func decodeOutbox(rec provider.Record) (OutgoingWelcome, error) {
	r, err := openRecord(rec.Value)
	if err == nil && len(rec.Key.ID) != 8 {
		err = errors.New("bad key")
	}
	if err != nil {
		return OutgoingWelcome{}, err
	}
	return OutgoingWelcome{ID: binary.BigEndian.Uint64(rec.Key.ID), Welcome: clone(r.Bytes(r.Len()))}, nil
}

// encodeBatch encodes the records of a merge batch; Group and Expect are not
// part of it, nor is Require.
func encodeBatch(batch *provider.Batch) []byte {
	const length = 4 // at most, of a vector
	room := 3 * length
	keyRoom := func(k *provider.Key) int { return 1 + 8 + 3*length + len(k.Group) + len(k.ID) }
	for i := range batch.Drop {
		room += keyRoom(&batch.Drop[i])
	}
	for i := range batch.Delete {
		room += keyRoom(&batch.Delete[i])
	}
	for i := range batch.Put {
		room += keyRoom(&batch.Put[i].Key) + length + len(batch.Put[i].Value)
	}
	b := make([]byte, 0, room) // grows no more, for the sake of the secrets in it
	key := func(k provider.Key) {
		var mark int
		b, mark = wire.BeginVector(b)
		b = wire.EndVector(appendBatchKey(b, k), mark)
	}
	keys := func(ks []provider.Key) {
		var mark int
		b, mark = wire.BeginVector(b)
		for _, k := range ks {
			key(k)
		}
		b = wire.EndVector(b, mark)
	}
	keys(batch.Drop)
	keys(batch.Delete)
	b, mark := wire.BeginVector(b)
	for _, rec := range batch.Put {
		key(rec.Key)
		b = wire.AppendOpaque(b, rec.Value)
	}
	return wire.EndVector(b, mark)
}

// appendBatchKey encodes a key or prefix with all its fields apart, which the
// order-preserving encoding does not do for prefixes.
func appendBatchKey(b []byte, k provider.Key) []byte {
	b = append(b, byte(k.Kind))
	b = binary.BigEndian.AppendUint64(b, k.Epoch)
	b = wire.AppendOpaque(b, k.Group)
	return wire.AppendOpaque(b, k.ID)
}

// decodeBatch is the inverse of encodeBatch. The result owns its bytes.
func decodeBatch(b []byte) (*provider.Batch, error) {
	r := wire.NewReader(clone(b))
	batch := new(provider.Batch)
	key := func(b []byte) provider.Key {
		kr := wire.NewReader(b)
		k := provider.Key{Kind: provider.Kind(kr.Uint8()), Epoch: kr.Uint64(), Group: kr.Opaque(), ID: kr.Opaque()}
		if err := kr.Done(); err != nil {
			r.Fail(err)
		}
		return k
	}
	for _, ks := range []*[]provider.Key{&batch.Drop, &batch.Delete} {
		v := r.Vector()
		for !v.Empty() && v.Err() == nil {
			*ks = append(*ks, key(v.Opaque()))
		}
		r.Join(&v)
	}
	v := r.Vector()
	for !v.Empty() && v.Err() == nil {
		batch.Put = append(batch.Put, provider.Record{Key: key(v.Opaque()), Value: v.Opaque()})
	}
	r.Join(&v)
	return batch, r.Done()
}

func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}
