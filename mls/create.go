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
	c, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	s, err := bindSuite(p.Crypto(), c.CipherSuite)
	if err != nil {
		return nil, err
	}
	id := clone(c.GroupID)
	if len(id) == 0 {
		id = make([]byte, 32)
		if _, err := io.ReadFull(p.Crypto().Rand(), id); err != nil {
			return nil, &RandomError{err}
		}
	}
	g, err := newGroup(p, s, id, c, Signers(signer))
	if err != nil {
		return nil, err
	}
	leaf, ref, err := c.newLeaf(ctx, p, s, signer, cred)
	if err != nil {
		return nil, err
	}
	if err = g.found(ctx, leaf, ref, signer); err != nil {
		if !errors.Is(err, provider.ErrOutcomeUnknown) {
			g.keys.Delete(context.WithoutCancel(ctx), ref)
		}
		return nil, public(err)
	}
	return g, nil
}

// found makes and stores the first epoch, RFC 9420 §11.
func (g *Group) found(ctx context.Context, leaf *proto.LeafNode, ref provider.KeyRef, signer provider.Signer) error {
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
		return err
	}
	key, err := g.keys.Load(ctx, g.suite, ref)
	if err != nil {
		return &KeyError{"load", err}
	}
	epochSecret := secret.Zero(g.suite.Params().Nh)
	defer epochSecret.Erase()
	if _, err := io.ReadFull(g.crypto.Rand(), epochSecret.Bytes()); err != nil {
		key.Wipe()
		return &RandomError{err}
	}
	e := &epoch{publicState: pub, signer: signer, leafRef: ref.Clone(), private: ratchettree.NewPrivate(0, key),
		keys: schedule.EpochFrom(g.suite, epochSecret.Bytes())}
	pub.confirm(e.keys.ConfirmationTag(nil))
	e.messages = newMessages(pub, e.keys, e.own, newSecretTree(pub, e.keys, g.cfg.limits))
	if err := g.begin(ctx, e, new(provider.Batch)); err != nil {
		e.eraseAll()
		return err
	}
	return nil
}

// begin stores e as the first epoch that this client has of the group; b holds
// what goes with it. The group belongs to no one else yet. On error e is as it
// was, so that the caller can try again.
func (g *Group) begin(ctx context.Context, e *epoch, b *provider.Batch) error {
	g.head = head{phase: operational, suite: g.suite.Params().ID, epoch: e.number(), own: uint32(e.own)}
	b.Group = g.id
	g.planEpoch(b, e)
	b.Put = append(b.Put, provider.Record{Key: g.key(kindHead, nil), Value: g.head.encode()})
	for i, n := range e.tree.Nodes() {
		if n.Leaf != nil || n.Parent != nil {
			b.Put = append(b.Put, provider.Record{Key: g.key(kindNode, id32(uint32(i))), Value: encodeNode(n)})
		}
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
	return storageError("apply", err)
}
