package mls

import (
	"context"
	"errors"
	"io"

	"github.com/hardmls/hardmls/internal/proposal"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/ratchettree"
	"github.com/hardmls/hardmls/internal/schedule"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/provider"
)

// NewGroup creates a group with one member, RFC 9420 §11, and stores it.
//
// Errors: ErrGroupExists, *ValidationError for a credential or extension that
// does not fit, *SignerError, *KeyError, *RandomError, *StorageError. Nothing is
// stored on error.
func NewGroup(ctx context.Context, p provider.Provider, signer provider.Signer, cred Credential, cfg Config) (*Group, error) {
	g, e, err := newFirstEpoch(ctx, p, signer, cred, cfg)
	if err != nil {
		return nil, public(err)
	}
	if err := g.begin(ctx, e, new(provider.Batch)); err != nil {
		g.abandonFirst(ctx, e, err)
		return nil, err
	}
	return g, nil
}

// NewGroupWithMembers creates a group of this client and the owners of the key
// packages, in one batch: nobody ever sees the group in its first epoch. The
// Welcome, which takes the others in, is also in the outbox until Sent.
//
// Errors as NewGroup's and Commit's.
func NewGroupWithMembers(ctx context.Context, p provider.Provider, signer provider.Signer, cred Credential, cfg Config, kps ...*KeyPackage) (g *Group, welcome []byte, err error) {
	return newGroupWith(ctx, p, signer, cred, cfg, CommitOptions{Proposals: adds(kps)}, nil)
}

func adds(kps []*KeyPackage) []Proposal {
	var ps []Proposal
	for _, kp := range kps {
		ps = append(ps, AddProposal(kp))
	}
	return ps
}

// newGroupWith creates a group of several members: the creator alone is epoch
// 0, the commit of opt begins epoch 1, and one batch stores that. before is the
// group that the new one goes on from, nil if there is none.
func newGroupWith(ctx context.Context, p provider.Provider, signer provider.Signer, cred Credential, cfg Config, opt CommitOptions, before *predecessor) (*Group, []byte, error) {
	g, first, err := newFirstEpoch(ctx, p, signer, cred, cfg)
	if err != nil {
		return nil, nil, public(err)
	}
	st, err := g.firstCommit(ctx, first, &opt, before)
	if err != nil {
		g.abandonFirst(ctx, first, err)
		return nil, nil, public(err)
	}
	b := new(provider.Batch)
	if st.welcome != nil {
		b.Put = append(b.Put, provider.Record{Key: g.key(kindOutbox, id64(0)), Value: append(newRecord(), st.welcome...)})
	}
	spent := []provider.KeyRef{first.leafRef.Clone()}
	g.bury(b, spent)
	if err := g.begin(ctx, st.next, b); err != nil {
		if !errors.Is(err, provider.ErrOutcomeUnknown) {
			st.abandon(ctx)
		}
		g.abandonFirst(ctx, first, err)
		return nil, nil, err
	}
	first.eraseAll()
	wipeRefs(st.fresh)
	g.spentKeys = spent
	g.sweepSpent(ctx)
	return g, clone(st.welcome), nil
}

// firstCommit makes the commit from epoch 0 to epoch 1, which is not sent.
func (g *Group) firstCommit(ctx context.Context, first *epoch, opt *CommitOptions, before *predecessor) (*StagedCommit, error) {
	env := first.env(&g.cfg)
	if before != nil {
		env.Resumption = before.usage
	}
	st, _, err := g.prepareCommit(ctx, env, first, nil, opt)
	if err != nil {
		return nil, err
	}
	if before != nil {
		if err := before.check(&g.cfg, st.next.publicState); err != nil {
			st.abandon(ctx)
			return nil, err
		}
	}
	return st, nil
}

// newFirstEpoch makes a group of one member and its epoch 0, which is stored by
// nobody yet.
func newFirstEpoch(ctx context.Context, p provider.Provider, signer provider.Signer, cred Credential, cfg Config) (*Group, *epoch, error) {
	c, err := cfg.resolve()
	if err != nil {
		return nil, nil, err
	}
	s, err := bindSuite(p.Crypto(), c.CipherSuite)
	if err != nil {
		return nil, nil, err
	}
	id := clone(c.GroupID)
	if len(id) == 0 {
		id = make([]byte, 32)
		if _, err := io.ReadFull(p.Crypto().Rand(), id); err != nil {
			return nil, nil, &RandomError{err}
		}
	}
	g, err := newGroup(p, s, id, c, Signers(signer))
	if err != nil {
		return nil, nil, err
	}
	leaf, ref, err := c.newLeaf(ctx, p, s, signer, cred)
	if err != nil {
		return nil, nil, err
	}
	defer secret.Wipe(ref)
	e, err := g.firstEpoch(ctx, leaf, ref, signer)
	if err != nil {
		discardKeys(ctx, g.keys, ref)
		return nil, nil, err
	}
	return g, e, nil
}

// abandonFirst forgets epoch 0 and its key, which may have been stored if the
// outcome is unknown.
func (g *Group) abandonFirst(ctx context.Context, e *epoch, err error) {
	if !errors.Is(err, provider.ErrOutcomeUnknown) {
		discardKeys(ctx, g.keys, e.leafRef)
	}
	e.eraseAll()
}

// firstEpoch makes the epoch of a group of one member, RFC 9420 §11.
func (g *Group) firstEpoch(ctx context.Context, leaf *proto.LeafNode, ref provider.KeyRef, signer provider.Signer) (*epoch, error) {
	pub := &publicState{suite: g.suite, tree: ratchettree.New(g.suite, leaf)}
	pub.context = proto.GroupContext{
		Version:     proto.MLS10,
		CipherSuite: g.suite.Params().ID,
		GroupID:     g.id,
		TreeHash:    pub.tree.TreeHash(),
		Extensions:  wireExtensions(g.cfg.Extensions),
	}
	pub.contextBytes = pub.context.Append(nil)
	if err := proposal.ValidateTreeLeaves(g.suite, pub.tree, &pub.context, g.cfg.policy(g.suite)); err != nil {
		return nil, err
	}
	key, err := g.keys.Load(ctx, g.suite, ref)
	if err != nil {
		return nil, &KeyError{"load", err}
	}
	epochSecret := secret.Zero(g.suite.Params().Nh)
	defer epochSecret.Erase()
	if _, err := io.ReadFull(g.crypto.Rand(), epochSecret.Bytes()); err != nil {
		key.Wipe()
		return nil, &RandomError{err}
	}
	e := &epoch{publicState: pub, signer: signer, leafRef: ref.Clone(), private: ratchettree.NewPrivate(0, key),
		keys: schedule.EpochFrom(g.suite, epochSecret.Bytes())}
	pub.confirm(e.keys.ConfirmationTag(nil))
	e.messages = newMessages(pub, e.keys, e.own, newSecretTree(pub, e.keys, g.cfg.limits))
	return e, nil
}

// begin stores e as the first epoch that this client has of the group; b holds
// what goes with it. The group belongs to no one else yet. On error e is as it
// was, so that the caller can try again, after begun.
func (g *Group) begin(ctx context.Context, e *epoch, b *provider.Batch) error {
	g.head.phase, g.head.suite = operational, g.suite.Params().ID
	g.head.epoch, g.head.own = e.number(), uint32(e.own)
	g.head.outbox = 0
	for _, rec := range b.Put {
		if rec.Key.Kind == kindOutbox {
			g.head.outbox++
		}
	}
	b.Group = g.id
	g.planEpoch(b, e)
	b.Put = append(b.Put, provider.Record{Key: g.key(kindHead, nil), Value: g.head.encode()})
	for x, enc := range e.tree.Nodes {
		b.Put = append(b.Put, provider.Record{Key: g.key(kindNode, id32(uint32(x))), Value: encodeNode(x, enc)})
	}
	err := g.store.Apply(ctx, b)
	e.messages.secrets.EndWrite(err == nil)
	defer wipeBatch(b)
	if err == nil {
		g.version = b.Expect + 1
		g.cur = e
		return nil
	}
	if errors.Is(err, provider.ErrGroupExists) {
		return ErrGroupExists
	}
	if errors.Is(err, provider.ErrOutcomeUnknown) {
		g.unsettled, g.version = g.newUnsettled(b, transition{}), b.Expect
	}
	return storageError("apply", err)
}

// begun reports whether an earlier begin of e, whose outcome was unknown, was
// applied after all: then the group is e's.
func (g *Group) begun(ctx context.Context, e *epoch) (bool, error) {
	u := g.unsettled
	if u == nil {
		return false, nil
	}
	version, err := g.store.Version(ctx, g.id)
	if err != nil {
		return false, storageError("version", err)
	}
	applied := false
	if version == g.version+1 {
		if applied, err = u.applied(ctx, g); err != nil {
			return false, err
		}
	}
	g.unsettled = nil
	if applied {
		g.version, g.cur = version, e
	}
	return applied, nil
}
