package mls

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/hardmls/hardmls/internal/framing"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/ratchettree"
	"github.com/hardmls/hardmls/internal/schedule"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/internal/secrettree"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// LoadGroup loads a group from p's storage, with its pending commit if it has
// one, and deletes keys that a crash left behind. signers finds the signer of
// the own leaf now, and after each merge that changes it.
//
// Errors: ErrGroupNotFound, *StorageError, *RecordError for damaged records,
// *KeyError, ErrSignerNotFound.
func LoadGroup(ctx context.Context, p provider.Provider, id []byte, signers SignerSource, cfg Config) (*Group, error) {
	c, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	if p.Storage() == nil {
		return nil, errNoStorage
	}
	suite, err := loadSuite(ctx, p, id)
	if err != nil {
		return nil, err
	}
	g, err := newGroup(p, suite, clone(id), c, signers)
	if err != nil {
		return nil, err
	}
	if err := sweepTombstones(ctx, g.keys, g.store); err != nil {
		return nil, err
	}
	if err := g.load(ctx); err != nil {
		return nil, err
	}
	return g, nil
}

var errNoStorage = errors.New("mls: provider has no storage")

// loadSuite binds the ciphersuite of a stored group.
func loadSuite(ctx context.Context, p provider.Provider, id []byte) (provider.Suite, error) {
	h, err := loadHead(ctx, p.Storage(), id)
	if err != nil {
		return nil, err
	}
	return bindSuite(p.Crypto(), h.suite)
}

func bindSuite(c provider.Crypto, id provider.CipherSuite) (provider.Suite, error) {
	s, err := c.Suite(id)
	if err != nil {
		return nil, fmt.Errorf("mls: %w", err)
	}
	return s, nil
}

func loadHead(ctx context.Context, r recordReader, id []byte) (head, error) {
	var h head
	v, err := getRecord(ctx, r, provider.Key{Group: id, Kind: kindHead})
	if err != nil {
		return h, err
	}
	if v == nil {
		return h, ErrGroupNotFound
	}
	if err := h.decode(v); err != nil {
		return h, &RecordError{"head", err}
	}
	return h, nil
}

// load reads the group from the store. It is not shared yet.
func (g *Group) load(ctx context.Context) error {
	version, err := g.store.Version(ctx, g.id)
	if err != nil {
		return storageError("version", err)
	}
	l := loader{g: g, from: g.store}
	if err := l.load(ctx); err != nil {
		return err
	}
	if after, err := g.store.Version(ctx, g.id); err != nil || after != version {
		l.erase()
		if err != nil {
			return storageError("version", err)
		}
		return ErrFenced
	}
	g.version = version
	g.head, g.cur, g.past, g.stale, g.swept = l.head, l.cur, l.past, l.stale, l.surplus
	g.proposals, g.ownUpdates, g.pending = l.proposals, l.ownUpdates, l.pending
	return nil
}

// loader builds a group's state from records.
type loader struct {
	g    *Group
	from recordReader

	head       head
	cur        *epoch
	past       []past
	stale      []uint64
	surplus    []provider.Key // resumption PSKs beyond Config.ResumptionPSKs
	proposals  []storedProposal
	ownUpdates map[string]ownUpdate
	pending    *StagedCommit
}

func (l *loader) load(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			l.erase()
		}
	}()
	if l.head, err = loadHead(ctx, l.from, l.g.id); err != nil {
		return err
	}
	if l.head.phase == evicted {
		return nil
	}
	if l.cur, err = l.epoch(ctx); err != nil {
		return err
	}
	if err := l.loadPast(ctx); err != nil {
		return err
	}
	if err := l.loadProposals(ctx); err != nil {
		return err
	}
	if err := l.findSurplus(ctx); err != nil {
		return err
	}
	return l.loadPending(ctx)
}

// findSurplus finds the resumption PSKs that a lower limit does not keep: they go
// with the next batch.
func (l *loader) findSurplus(ctx context.Context) error {
	keep := uint64(l.g.cfg.ResumptionPSKs)
	for rec, err := range l.from.Scan(ctx, l.g.key(kindResumption, nil)) {
		if err != nil {
			return storageError("scan", err)
		}
		if len(rec.Key.ID) != 8 {
			return &RecordError{"resumption PSK", errors.New("bad key")}
		}
		if number := binary.BigEndian.Uint64(rec.Key.ID); l.head.epoch >= keep && number <= l.head.epoch-keep {
			l.surplus = append(l.surplus, l.g.key(kindResumption, id64(number)))
		}
	}
	return nil
}

// erase forgets what was loaded so far.
func (l *loader) erase() {
	if l.cur != nil {
		l.cur.eraseAll()
	}
	for _, p := range l.past {
		p.messages.erase()
	}
	if l.pending != nil && l.pending.next != nil {
		l.pending.next.eraseAll()
	}
}

// epoch loads the epoch that the head names.
func (l *loader) epoch(ctx context.Context) (*epoch, error) {
	g := l.g
	var rec epochRecord
	v, err := getRecord(ctx, l.from, g.epochKey(kindEpoch, l.head.epoch, nil))
	if err != nil {
		return nil, err
	}
	defer secret.Wipe(v)
	if err := rec.decode(v); err != nil {
		return nil, &RecordError{"epoch", err}
	}
	pub, err := l.publicState(ctx, &rec)
	if err != nil {
		return nil, err
	}
	nh := g.suite.Params().Nh
	for _, s := range rec.secrets {
		if len(s) != nh {
			return nil, &RecordError{"epoch", fmt.Errorf("secret of %d bytes", len(s))}
		}
	}
	e := &epoch{publicState: pub, own: treemath.LeafIndex(l.head.own), leafRef: provider.KeyRef(rec.leafRef).Clone(), borrowed: rec.borrowed}
	leaf := pub.tree.Leaf(e.own)
	if leaf == nil {
		return nil, &RecordError{"tree", errors.New("own leaf is blank")}
	}
	if e.signer, err = g.signerOf(ctx, leaf.SignatureKey); err != nil {
		return nil, err
	}
	if e.private, err = l.private(ctx, e, leaf); err != nil {
		return nil, err
	}
	e.keys = schedule.Restore(g.suite, rec.secrets[0], rec.secrets[1], rec.secrets[2], rec.secrets[3],
		rec.secrets[4], rec.secrets[5], rec.secrets[6])
	secrets, err := l.secretTree(ctx, l.head.epoch, pub.tree.LeafCount())
	if err != nil {
		e.erase()
		return nil, err
	}
	for _, typ := range []secrettree.Type{secrettree.Handshake, secrettree.Application} {
		if n, err := secrets.NextGeneration(e.own, typ); n > 0 || err != nil {
			secrets.Used(e.own) // its record can be ahead of those of the nodes above
		}
	}
	e.messages = newMessages(pub, e.keys, e.own, secrets)
	return e, nil
}

// signerOf finds the signer of a public key.
func (g *Group) signerOf(ctx context.Context, pub []byte) (provider.Signer, error) {
	s, err := g.signers.Signer(ctx, clone(pub))
	if err != nil {
		return nil, err
	}
	if string(s.Public()) != string(pub) {
		return nil, fmt.Errorf("%w: the source gave another key's", ErrSignerNotFound)
	}
	return s, nil
}

// publicState loads context and ratchet tree and checks that they fit.
func (l *loader) publicState(ctx context.Context, rec *epochRecord) (*publicState, error) {
	pub := &publicState{suite: l.g.suite, contextBytes: clone(rec.context), interim: clone(rec.interim), tag: clone(rec.tag)}
	r := wire.NewReader(pub.contextBytes)
	pub.context.Decode(&r)
	if err := r.Done(); err != nil {
		return nil, &RecordError{"epoch", err}
	}
	if rec.leaves == 0 || rec.leaves > treemath.MaxLeaves {
		return nil, &RecordError{"epoch", errors.New("leaf count out of range")}
	}
	width, builder := treemath.Width(rec.leaves), ratchettree.NewBuilder(l.g.suite)
	var checker proto.NodeChecker
	for rec, err := range l.from.Scan(ctx, l.g.key(kindNode, nil)) {
		if err != nil {
			return nil, storageError("scan", err)
		}
		if len(rec.Key.ID) != 4 || binary.BigEndian.Uint32(rec.Key.ID) >= width {
			return nil, &RecordError{"tree node", errors.New("node outside the tree")}
		}
		x := treemath.NodeIndex(binary.BigEndian.Uint32(rec.Key.ID))
		enc, err := nodeEncoding(&checker, rec.Value, x)
		if err != nil {
			return nil, &RecordError{"tree node", err}
		}
		builder.Set(x, enc)
	}
	tree, err := builder.Tree()
	if err != nil {
		return nil, &RecordError{"tree", err}
	}
	if string(tree.TreeHash()) != string(pub.context.TreeHash) || pub.context.Epoch != l.head.epoch {
		return nil, &RecordError{"tree", errors.New("does not fit the group context")}
	}
	pub.tree = tree
	return pub, nil
}

// private loads the own leaf key and the node secrets of the own path.
func (l *loader) private(ctx context.Context, e *epoch, leaf *proto.LeafNode) (*ratchettree.Private, error) {
	key, err := l.g.keys.Load(ctx, l.g.suite, e.leafRef)
	if err != nil {
		return nil, &KeyError{"load", err}
	}
	if string(key.Public()) != string(leaf.EncryptionKey) {
		key.Wipe()
		return nil, &RecordError{"epoch", errors.New("own leaf key does not fit the tree")}
	}
	p := ratchettree.NewPrivate(e.own, key)
	for rec, err := range l.from.Scan(ctx, l.g.key(kindPath, nil)) {
		if err != nil {
			p.Erase()
			return nil, storageError("scan", err)
		}
		r, err := openRecord(rec.Value)
		if err == nil && len(rec.Key.ID) != 4 {
			err = errors.New("bad key")
		}
		if err == nil {
			err = p.Restore(e.tree, treemath.NodeIndex(binary.BigEndian.Uint32(rec.Key.ID)), r.Bytes(r.Len()))
		}
		if err != nil {
			p.Erase()
			return nil, &RecordError{"path secret", err}
		}
	}
	return p, nil
}

// secretTree loads the sender ratchets of an epoch.
func (l *loader) secretTree(ctx context.Context, number uint64, leaves uint32) (*secrettree.Tree, error) {
	var recs []secrettree.Record
	defer func() {
		for _, r := range recs {
			secret.Wipe(r.Value)
		}
	}()
	for rec, err := range l.from.Scan(ctx, l.g.epochKey(kindRatchet, number, nil)) {
		if err != nil {
			return nil, storageError("scan", err)
		}
		if len(rec.Key.ID) != ratchetIDLen {
			return nil, &RecordError{"ratchet", errors.New("bad key")}
		}
		recs = append(recs, secrettree.Record{Kind: secrettree.RatchetRecord, Type: secrettree.Type(rec.Key.ID[0]),
			Leaf: treemath.LeafIndex(binary.BigEndian.Uint32(rec.Key.ID[1:])), Value: clone(rec.Value)})
	}
	for rec, err := range l.from.Scan(ctx, l.g.epochKey(kindSecretNode, number, nil)) {
		if err != nil {
			return nil, storageError("scan", err)
		}
		if len(rec.Key.ID) != 4 {
			return nil, &RecordError{"secret tree node", errors.New("bad key")}
		}
		recs = append(recs, secrettree.Record{Kind: secrettree.NodeRecord,
			Node: treemath.NodeIndex(binary.BigEndian.Uint32(rec.Key.ID)), Value: clone(rec.Value)})
	}
	t, err := secrettree.Restore(l.g.suite, leaves, l.g.cfg.limits, slices.Values(recs))
	if err != nil {
		return nil, &RecordError{"secret tree", err}
	}
	return t, nil
}

// loadPast loads the past epochs that the configuration keeps, oldest first.
func (l *loader) loadPast(ctx context.Context) error {
	for n := uint64(0); n < l.head.epoch; n++ {
		if l.head.epoch-n <= uint64(l.g.cfg.PastEpochs) {
			break
		}
		// Fewer epochs are kept than before: what is older goes with the
		// next batch. Epochs are dropped in order, so the first gap ends it.
		older := l.head.epoch - uint64(l.g.cfg.PastEpochs) - 1 - n
		v, err := getRecord(ctx, l.from, l.g.epochKey(kindEpoch, older, nil))
		if err != nil {
			return err
		}
		if v == nil {
			break
		}
		secret.Wipe(v)
		l.stale = append(l.stale, older)
	}
	first := uint64(0)
	if keep := uint64(l.g.cfg.PastEpochs); l.head.epoch > keep {
		first = l.head.epoch - keep
	}
	for n := l.head.epoch; n > first; n-- {
		p, err := l.pastEpoch(ctx, n-1)
		if err != nil {
			return err
		}
		if p == nil {
			break
		}
		l.past = append(l.past, *p)
	}
	slices.Reverse(l.past)
	return nil
}

// pastEpoch loads one past epoch, nil if the store has none.
func (l *loader) pastEpoch(ctx context.Context, number uint64) (*past, error) {
	g := l.g
	v, err := getRecord(ctx, l.from, g.epochKey(kindEpoch, number, nil))
	if v == nil || err != nil {
		return nil, err
	}
	defer secret.Wipe(v)
	var rec epochRecord
	if err := rec.decode(v); err != nil {
		return nil, &RecordError{"past epoch", err}
	}
	if len(rec.secrets[0]) != g.suite.Params().Nh {
		return nil, &RecordError{"past epoch", errors.New("no sender data secret")}
	}
	context := clone(rec.context)
	p := &past{retired: rec.retired, replaced: make(map[treemath.LeafIndex][]byte)}
	for rec, err := range l.from.Scan(ctx, g.epochKey(kindPastLeaf, number, nil)) {
		if err != nil {
			return nil, storageError("scan", err)
		}
		n, err := decodeNode(rec.Value)
		if err != nil || len(rec.Key.ID) != 4 || n.Parent != nil {
			return nil, &RecordError{"past leaf", fmt.Errorf("bad record: %w", err)}
		}
		var pub []byte
		if n.Leaf != nil {
			pub = clone(n.Leaf.SignatureKey)
		}
		p.replaced[treemath.LeafIndex(binary.BigEndian.Uint32(rec.Key.ID))] = pub
	}
	secrets, err := l.secretTree(ctx, number, rec.leaves)
	if err != nil {
		return nil, err
	}
	secrets.Retire()
	p.messages = &messages{
		number:  number,
		own:     treemath.LeafIndex(l.head.own),
		context: context,
		frames:  framing.NewEpoch(g.suite, g.id, number, context, rec.secrets[0], nil),
		secrets: secrets,
	}
	return p, nil
}

// loadProposals loads the pending proposals of the current epoch in the order
// of their arrival, and the keys of own Updates.
func (l *loader) loadProposals(ctx context.Context) error {
	for rec, err := range l.from.Scan(ctx, l.g.epochKey(kindProposal, l.head.epoch, nil)) {
		if err != nil {
			return storageError("scan", err)
		}
		p, err := decodeProposal(rec.Value)
		if err != nil || len(rec.Key.ID) != 4 {
			return &RecordError{"proposal", fmt.Errorf("bad record: %w", err)}
		}
		l.proposals = append(l.proposals, storedProposal{Entry: p, arrival: binary.BigEndian.Uint32(rec.Key.ID)})
	}
	for rec, err := range l.from.Scan(ctx, l.g.epochKey(kindOwnUpdate, l.head.epoch, nil)) {
		if err != nil {
			return storageError("scan", err)
		}
		r, err := openRecord(rec.Value)
		if err != nil {
			return &RecordError{"own update", err}
		}
		u := ownUpdate{ref: provider.KeyRef(clone(r.Opaque()))}
		pub := clone(r.Opaque())
		if err := r.Done(); err != nil {
			return &RecordError{"own update", err}
		}
		if len(pub) > 0 {
			if u.signer, err = l.g.signerOf(ctx, pub); err != nil {
				return err
			}
		}
		if l.ownUpdates == nil {
			l.ownUpdates = make(map[string]ownUpdate)
		}
		l.ownUpdates[string(rec.Key.ID)] = u
	}
	return nil
}

// loadPending loads the pending commit: its epoch is what the store will hold
// after its batch.
func (l *loader) loadPending(ctx context.Context) error {
	v, err := getRecord(ctx, l.from, l.g.key(kindPending, nil))
	if v == nil || err != nil {
		return err
	}
	defer secret.Wipe(v)
	var rec pendingRecord
	if err := rec.decode(v); err != nil {
		return &RecordError{"pending commit", err}
	}
	st := &StagedCommit{group: l.g, base: l.cur, commitHash: clone(rec.hash)}
	st.message, st.welcome, st.groupInfo = orNil(rec.commit), orNil(rec.welcome), orNil(rec.groupInfo)
	if err := st.info.decode(rec.summary); err != nil {
		return &RecordError{"pending commit", err}
	}
	if st.batch, err = decodeBatch(rec.batch); err != nil {
		return &RecordError{"pending commit", err}
	}
	next := loader{g: l.g, from: &overlay{l.from, st.batch}, head: l.head}
	next.head.epoch++
	if st.next, err = next.epoch(ctx); err != nil {
		wipeBatch(st.batch)
		return err
	}
	st.suite, st.before, st.after, st.context = l.g.suite, l.cur.tree, st.next.tree, &st.next.context
	if !sameRef(st.next.leafRef, l.cur.leafRef) {
		st.fresh = append(st.fresh, st.next.leafRef.Clone())
	}
	l.pending = st
	return nil
}

func orNil(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return clone(b)
}
