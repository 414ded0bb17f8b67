package mls

import (
	"context"
	"errors"
	"io"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/framing"
	"github.com/hardmls/hardmls/internal/proposal"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/ratchettree"
	"github.com/hardmls/hardmls/internal/schedule"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/provider"
)

// ExternalOptions are the choices of one external commit.
type ExternalOptions struct {
	// Resync removes the leaf of an old membership of this client, by its
	// leaf index, in the same commit (RFC 9420 §12.4.3.2).
	Resync *uint32
	// PSKs to mix in; they must be in the store.
	PSKs []PSKID
	// RatchetTree of a group whose GroupInfo does not carry it.
	RatchetTree []byte
	// AAD is authenticated with the commit.
	AAD []byte
}

// An ExternalJoin is an external commit by which this client joins a group on
// its own, RFC 9420 §12.4.3.2. An old membership in the same group stays usable
// until Merge. It is not safe for concurrent use.
type ExternalJoin struct {
	g      *Group
	e      *epoch
	commit []byte
	used   bool
}

// JoinExternal makes an external commit to the group of groupInfo, an MLSMessage
// that carries the external public key. Send Commit, and Merge once the delivery
// service has accepted it.
func JoinExternal(ctx context.Context, p provider.Provider, groupInfo []byte, signer provider.Signer, cred Credential, cfg Config, opt ExternalOptions) (*ExternalJoin, error) {
	c, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	m, err := c.decode(groupInfo)
	if err != nil {
		return nil, public(err)
	}
	if m.GroupInfo == nil {
		return nil, public(check.As(check.V008, check.ClassUnsupported, "not a group info"))
	}
	gi := m.GroupInfo
	s, err := bindSuite(p.Crypto(), gi.GroupContext.CipherSuite)
	if err != nil {
		return nil, err
	}
	g, err := newGroup(p, s, clone(gi.GroupContext.GroupID), c, Signers(signer))
	if err != nil {
		return nil, err
	}
	x := &ExternalJoin{g: g}
	if err := x.build(ctx, p, gi, signer, cred, &opt); err != nil {
		return nil, public(err)
	}
	return x, nil
}

// build makes the commit: like composeCommit, with the init secret from the
// external public key and the sender as the newest member.
func (x *ExternalJoin) build(ctx context.Context, p provider.Provider, gi *proto.GroupInfo, signer provider.Signer, cred Credential, opt *ExternalOptions) (err error) {
	g := x.g
	var tree []JoinOption
	if opt.RatchetTree != nil {
		tree = append(tree, WithRatchetTree(opt.RatchetTree))
	}
	base, err := verifyGroupInfo(ctx, g.suite, &g.cfg, gi, tree)
	if err != nil {
		return err
	}
	base.confirm(gi.ConfirmationTag)
	kemOutput, init, err := externalInit(g.suite, gi)
	if err != nil {
		return err
	}
	defer init.Erase()
	c, err := x.change(base, kemOutput, opt)
	if err != nil {
		return err
	}
	psk, err := g.pskSecret(ctx, c.result.PSKs)
	if err != nil {
		return err
	}
	defer psk.Erase()
	leaf, ref, err := g.cfg.newLeaf(ctx, p, g.suite, signer, cred)
	if err != nil {
		return err
	}
	e := &epoch{own: c.committer, signer: signer, leafRef: ref}
	defer func() {
		if err != nil {
			g.keys.Delete(context.WithoutCancel(ctx), ref)
			e.eraseAll()
		}
	}()
	path, err := x.path(ctx, c, e, leaf)
	if err != nil {
		return err
	}
	defer path.Erase()
	if err := authenticate(ctx, &g.cfg, g.id, c.result.NewCredentials); err != nil {
		return err
	}
	if c.path, err = path.Seal(c.provisional(), nil); err != nil {
		return err
	}
	ac, err := x.sign(ctx, base, c, signer, opt)
	if err != nil {
		return err
	}
	e.publicState = c.conclude(ac)
	commitSecret := path.CommitSecret()
	defer commitSecret.Erase()
	d := deriveEpoch(e.publicState, init, commitSecret, psk, g.cfg.limits)
	d.joiner.Erase()
	e.keys = d.keys
	e.confirm(d.keys.ConfirmationTag(e.context.ConfirmedTranscriptHash))
	ac.Auth.ConfirmationTag = e.tag
	e.messages = newMessages(e.publicState, d.keys, e.own, d.secrets)
	x.e = e
	frames := framing.NewEpoch(g.suite, g.id, base.context.Epoch, base.contextBytes, nil, nil) // no member yet
	defer frames.Erase()
	x.commit, err = framing.SealPublic(nil, frames, ac)
	return err
}

// externalInit encapsulates to the external public key, RFC 9420 §8.3.
func externalInit(s provider.Suite, gi *proto.GroupInfo) ([]byte, *secret.Secret, error) {
	data, ok := gi.Extensions.Find(proto.ExtensionTypeExternalPub)
	if !ok {
		return nil, nil, check.Errorf(check.V184, "group info has no external public key")
	}
	pub, err := proto.DecodeExternalPub(data)
	if err != nil {
		return nil, nil, err
	}
	kemOutput, init, err := schedule.ExportInitSecret(s, pub)
	if err != nil {
		return nil, nil, check.Errorf(check.V184, "external public key: %w", err)
	}
	return kemOutput, init, nil
}

// change validates and applies the proposals of the external commit.
func (x *ExternalJoin) change(base *publicState, kemOutput []byte, opt *ExternalOptions) (*change, error) {
	g := x.g
	sender := proto.Sender{Type: proto.SenderTypeNewMemberCommit}
	c := &change{base: base, sender: sender}
	add := func(p *proto.Proposal) { c.entries = append(c.entries, proposal.Entry{Proposal: p, Sender: sender}) }
	add(&proto.Proposal{Type: proto.ProposalTypeExternalInit, ExternalInit: kemOutput})
	if opt.Resync != nil {
		add(RemoveProposal(*opt.Resync).wire)
	}
	for _, id := range opt.PSKs {
		p, err := withNonce(g.crypto.Rand(), g.suite, PSKProposal(id).wire)
		if err != nil {
			return nil, err
		}
		add(p)
	}
	env := base.env(&g.cfg)
	if err := env.ValidateList(c.entries, sender); err != nil {
		return nil, err
	}
	if err := c.apply(env); err != nil {
		return nil, err
	}
	c.committer = c.result.Edit.NextLeaf()
	return c, nil
}

// path makes the joiner's path and leaf.
func (x *ExternalJoin) path(ctx context.Context, c *change, e *epoch, leaf *proto.LeafNode) (*ratchettree.Path, error) {
	g := x.g
	key, err := g.keys.Load(ctx, g.suite, e.leafRef)
	if err != nil {
		return nil, &KeyError{"load", err}
	}
	first := secret.Zero(g.suite.Params().Nh)
	defer first.Erase()
	if _, err := io.ReadFull(g.crypto.Rand(), first.Bytes()); err != nil {
		key.Wipe()
		return nil, &RandomError{err}
	}
	path, err := c.result.Edit.BeginPath(c.committer, first.Bytes(), func(parentHash []byte) (*proto.LeafNode, error) {
		leaf.Source, leaf.Lifetime, leaf.ParentHash = proto.LeafNodeSourceCommit, proto.Lifetime{}, parentHash
		if err := signLeaf(ctx, g.suite, e.signer, leaf, g.id, c.committer); err != nil {
			return nil, err
		}
		return leaf, c.base.env(&g.cfg).ValidatePathLeaf(c.result, leaf, c.committer, c.sender)
	})
	if err != nil {
		key.Wipe()
		return nil, err
	}
	c.finish(c.result.Edit.Finish())
	e.private = path.Private(key)
	return path, nil
}

// sign makes the commit's content and signs it as a new member.
func (x *ExternalJoin) sign(ctx context.Context, base *publicState, c *change, signer provider.Signer, opt *ExternalOptions) (*proto.AuthenticatedContent, error) {
	commit := &proto.Commit{Path: c.path}
	for _, en := range c.entries {
		commit.Proposals.Add(proto.ProposalOrRef{Proposal: en.Proposal})
	}
	content := &proto.FramedContent{
		GroupID:           base.context.GroupID,
		Epoch:             base.context.Epoch,
		Sender:            c.sender,
		AuthenticatedData: clone(opt.AAD),
		ContentType:       proto.ContentTypeCommit,
		Commit:            commit,
		RawContent:        commit.Append(nil),
	}
	ac, err := framing.Sign(ctx, signer, content, proto.WireFormatPublicMessage, base.contextBytes)
	if err != nil {
		return nil, &SignerError{err}
	}
	return ac, nil
}

// Commit returns the external commit, an MLSMessage to send to the group.
func (x *ExternalJoin) Commit() []byte { return clone(x.commit) }

// EpochAuthenticator returns the authenticator of the epoch that the commit
// begins: nil after Merge or Discard.
func (x *ExternalJoin) EpochAuthenticator() []byte {
	if x.used {
		return nil
	}
	return clone(x.e.keys.Authenticator.Bytes())
}

// Merge stores the group once the commit was accepted. An old membership in the
// same group is replaced; a Group value of it is then fenced. After an error Merge
// may be tried again; it finds out whether the group was stored.
func (x *ExternalJoin) Merge(ctx context.Context) (*Group, error) {
	if x.used {
		return nil, ErrStagedUsed
	}
	g := x.g
	switch joined, err := g.begun(ctx, x.e); {
	case err != nil:
		return nil, err
	case joined:
		x.used = true
		g.sweepSpent(ctx)
		return g, nil
	}
	version, err := g.store.Version(ctx, g.id)
	if err != nil {
		return nil, storageError("version", err)
	}
	b := &provider.Batch{Expect: version}
	var spent []provider.KeyRef
	if version != 0 {
		// A damaged old group must not keep its member from coming back: then
		// its keys stay where they are.
		var damaged *RecordError
		if spent, err = g.storedKeys(ctx); err != nil && !errors.As(err, &damaged) {
			return nil, err
		}
		b.Drop = append(b.Drop, provider.Key{Group: g.id})
		g.bury(b, spent)
	}
	g.spentKeys = spent // deleted once it is certain that the batch was applied
	g.head.committed = [][]byte{g.hash(x.commit)}
	if err := g.begin(ctx, x.e, b); err != nil {
		return nil, err
	}
	x.used = true
	g.sweepSpent(ctx)
	return g, nil
}

// Discard forgets the join and its keys. If a Merge of unknown outcome has stored
// the group, it stays in the store: load it, and delete it if it is not wanted.
func (x *ExternalJoin) Discard(ctx context.Context) error {
	if x.used {
		return nil
	}
	joined, err := x.g.begun(ctx, x.e)
	if err != nil {
		return err
	}
	x.used = true
	ref := x.e.leafRef.Clone()
	x.e.eraseAll()
	if joined {
		return nil
	}
	defer secret.Wipe(ref)
	if err := x.g.keys.Delete(ctx, ref); err != nil {
		return &KeyError{"delete", err}
	}
	return nil
}
