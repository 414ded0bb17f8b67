package mls

import (
	"context"
	"errors"
	"io"

	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proposal"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/ratchettree"
	"github.com/hardmls/hardmls/internal/schedule"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/provider"
)

// CommitOptions are the choices of one commit. The zero value commits what is
// pending and renews the own leaf.
type CommitOptions struct {
	// Proposals are proposed by value, besides those that are pending.
	Proposals []Proposal
	// WithoutPending leaves pending proposals out.
	WithoutPending bool
	// Filter, if not nil, leaves out pending proposals for which it is false.
	Filter func(PendingProposal) bool
	// OmitPath leaves out the path where RFC 9420 §12.4 allows it (adds and
	// PSKs only): a smaller commit, without fresh key material.
	OmitPath bool
	// Signer, if not nil, becomes the own leaf's signer with the new epoch,
	// and Credential, if not nil, its credential.
	Signer     provider.Signer
	Credential *Credential
	// GroupInfo, if not nil, asks for a GroupInfo of the new epoch.
	GroupInfo *GroupInfoOptions
	// AAD is authenticated with the commit.
	AAD []byte
}

// A CommitBundle is what a commit gives to send. The Welcome and the GroupInfo
// are of the new epoch: release them only when the delivery service has accepted
// the commit (RFC 9420 §14).
type CommitBundle struct {
	Commit    []byte
	Welcome   []byte // nil if nobody is added
	GroupInfo []byte // nil unless asked for
}

// Commit makes a commit of the pending proposals and of opt.Proposals, and
// stores it as the group's pending commit: the epoch stays as it is until
// MergePending. The bundle survives a crash (Pending).
//
// Pending proposals are left out that another one of the list rules out, as RFC
// 9420 §12.2 demands; so are those with a PSK that this client does not have, with a
// credential that the Authenticator refuses, and beyond Config.MaxProposals. Errors, with nothing changed: ErrPendingCommit,
// ErrUseAfterEviction, *ValidationError, *PSKError, *SignerError, *KeyError,
// *StorageError, ErrEpochConflict.
func (g *Group) Commit(ctx context.Context, opt CommitOptions) (*CommitBundle, error) {
	base, proposals, err := g.beginCommit()
	if err != nil {
		return nil, err
	}
	defer g.endCommit(base)
	st, err := g.buildCommit(ctx, base, proposals, opt)
	if err != nil {
		return nil, public(err)
	}
	return &CommitBundle{Commit: clone(st.message), Welcome: clone(st.welcome), GroupInfo: clone(st.groupInfo)}, nil
}

// beginCommit marks the group as committing, so that a second Commit fails at
// once, and takes the snapshot that the commit is made from.
func (g *Group) beginCommit() (*epoch, []storedProposal, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.check(); err != nil {
		return nil, nil, err
	}
	if g.committing || g.pending != nil {
		return nil, nil, ErrPendingCommit
	}
	g.committing = true
	g.cur.life.acquire()
	return g.cur, g.proposals, nil
}

func (g *Group) endCommit(base *epoch) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.committing = false
	if base.life.release() {
		base.erase()
	}
}

// buildCommit makes, signs and stores the commit. No lock is held but for the
// last step.
func (g *Group) buildCommit(ctx context.Context, base *epoch, stored []storedProposal, opt CommitOptions) (*StagedCommit, error) {
	env := base.env(&g.cfg)
	st, h, err := g.prepareCommit(ctx, env, base, stored, &opt)
	if err != nil {
		return nil, err
	}
	err = g.storePending(ctx, st, h)
	if err != nil && !errors.Is(err, provider.ErrOutcomeUnknown) {
		st.abandon(ctx)
	}
	return st, err
}

// prepareCommit makes and signs the commit; base is nobody else's to change.
func (g *Group) prepareCommit(ctx context.Context, env *proposal.Env, base *epoch, stored []storedProposal, opt *CommitOptions) (*StagedCommit, *handshake, error) {
	env.Sending = true
	c, psk, err := g.choose(ctx, env, base, stored, opt)
	if err != nil {
		return nil, nil, err
	}
	defer psk.Erase()
	st := &StagedCommit{group: g, base: base, change: c}
	h, err := g.composeCommit(ctx, env, st, psk, opt)
	if err != nil {
		st.abandon(ctx)
		return nil, nil, err
	}
	return st, h, nil
}

// abandon forgets a commit that was not stored, with the key made for it.
func (st *StagedCommit) abandon(ctx context.Context) {
	discardKeys(ctx, st.group.keys, st.fresh...)
	st.group.mu.Lock()
	defer st.group.mu.Unlock()
	st.erase()
}

// composeCommit goes the way of RFC 9420 §12.4.1: path, content, signature,
// transcript, key schedule, confirmation tag, Welcome.
func (g *Group) composeCommit(ctx context.Context, env *proposal.Env, st *StagedCommit, psk *secret.Secret, opt *CommitOptions) (*handshake, error) {
	base, c := st.base, st.change
	proposed := len(c.result.NewCredentials) // they were authenticated
	path, commitSecret, err := g.commitPath(ctx, env, st, opt)
	if err != nil {
		return nil, err
	}
	defer commitSecret.Erase()
	if path != nil {
		defer path.Erase()
	}
	if err := authenticate(ctx, &g.cfg, g.id, c.result.NewCredentials[proposed:]); err != nil {
		return nil, err
	}
	if path != nil {
		if c.path, err = path.Seal(c.provisional(), c.exclude); err != nil {
			return nil, err
		}
	}
	content := base.frame(proto.ContentTypeCommit, opt.AAD)
	content.Commit = &proto.Commit{Path: c.path}
	for _, en := range c.entries {
		if en.Ref != nil {
			content.Commit.Proposals.Add(proto.ProposalOrRef{Reference: en.Ref})
		} else {
			content.Commit.Proposals.Add(proto.ProposalOrRef{Proposal: en.Proposal})
		}
	}
	content.RawContent = content.Commit.Append(nil)
	h, err := g.signHandshake(ctx, base, content)
	if err != nil {
		return nil, err
	}
	init := base.keys.Init.Clone()
	defer init.Erase()
	next := st.next
	next.publicState = c.conclude(h.ac)
	d := deriveEpoch(next.publicState, init, commitSecret, psk, g.cfg.limits)
	defer d.joiner.Erase()
	next.keys = d.keys
	next.confirm(d.keys.ConfirmationTag(next.context.ConfirmedTranscriptHash))
	h.ac.Auth.ConfirmationTag = next.tag
	next.messages = newMessages(next.publicState, d.keys, next.own, d.secrets)
	return h, g.welcome(ctx, st, d, path, opt)
}

// commitPath makes the committer's path, or none if it may and shall be left
// out. It sets st.next's own half.
func (g *Group) commitPath(ctx context.Context, env *proposal.Env, st *StagedCommit, opt *CommitOptions) (*ratchettree.Path, *secret.Secret, error) {
	base, c := st.base, st.change
	next := &epoch{own: base.own, signer: base.signer, leafRef: base.leafRef.Clone(), borrowed: base.borrowed}
	if opt.OmitPath && !proposal.PathRequired(c.entries) && opt.Signer == nil && opt.Credential == nil {
		c.finish(c.result.Edit.Finish())
		next.private = base.private.Prune(c.tree)
		st.next = next
		return nil, secret.Zero(g.suite.Params().Nh), nil
	}
	key, ref, err := g.keys.Generate(ctx, g.suite, provider.LeafKey)
	if err != nil {
		return nil, nil, &KeyError{"generate", err}
	}
	st.fresh = append(st.fresh, ref)
	next.leafRef, next.borrowed = ref.Clone(), false
	if opt.Signer != nil {
		next.signer = opt.Signer
	}
	first := secret.Zero(g.suite.Params().Nh)
	defer first.Erase()
	if _, err := io.ReadFull(g.crypto.Rand(), first.Bytes()); err != nil {
		key.Wipe()
		return nil, nil, &RandomError{err}
	}
	path, err := c.result.Edit.BeginPath(base.own, first.Bytes(), func(parentHash []byte) (*proto.LeafNode, error) {
		leaf, err := g.commitLeaf(ctx, base, next, key.Public(), parentHash, opt)
		if err == nil {
			err = env.ValidatePathLeaf(c.result, leaf, base.own, c.sender)
		}
		return leaf, err
	})
	if err != nil {
		key.Wipe()
		return nil, nil, err
	}
	c.finish(c.result.Edit.Finish())
	next.private = path.Private(key)
	st.next = next
	return path, path.CommitSecret(), nil
}

// commitLeaf makes the committer's new leaf, RFC 9420 §7.2.
func (g *Group) commitLeaf(ctx context.Context, base, next *epoch, key, parentHash []byte, opt *CommitOptions) (*proto.LeafNode, error) {
	leaf := *base.tree.Leaf(base.own)
	leaf.EncryptionKey = clone(key)
	leaf.Source = proto.LeafNodeSourceCommit
	leaf.Lifetime = proto.Lifetime{}
	leaf.ParentHash = parentHash
	leaf.SignatureKey = clone(next.signer.Public())
	if opt.Credential != nil {
		leaf.Credential = opt.Credential.wire()
	}
	if err := signLeaf(ctx, g.suite, next.signer, &leaf, g.id, base.own); err != nil {
		return nil, err
	}
	return &leaf, nil
}

// welcome makes the Welcome for the members that the commit adds, and the
// GroupInfo if it is asked for, RFC 9420 §12.4.3.1.
func (g *Group) welcome(ctx context.Context, st *StagedCommit, d *derived, path *ratchettree.Path, opt *CommitOptions) error {
	added := st.change.result.Added
	if len(added) > 0 {
		gi, err := g.signGroupInfo(ctx, st.next, GroupInfoOptions{NoRatchetTree: g.cfg.NoRatchetTree})
		if err != nil {
			return err
		}
		w := proto.Welcome{CipherSuite: g.suite.Params().ID}
		ws := d.joiner.Welcome(d.psk.Bytes())
		w.EncryptedGroupInfo = g.suite.Seal(nil, ws.Key(), ws.Nonce(), gi.Raw, nil)
		ws.Erase()
		if w.Secrets, err = g.sealGroupSecrets(added, d.joiner, path, st.change.result.PSKs, w.EncryptedGroupInfo); err != nil {
			return err
		}
		m := proto.MLSMessage{Version: proto.MLS10, WireFormat: proto.WireFormatWelcome, Welcome: &w}
		st.welcome = m.Append(nil)
	}
	if opt.GroupInfo != nil {
		gi, err := g.signGroupInfo(ctx, st.next, *opt.GroupInfo)
		if err != nil {
			return err
		}
		m := proto.MLSMessage{Version: proto.MLS10, WireFormat: proto.WireFormatGroupInfo, GroupInfo: gi}
		st.groupInfo = m.Append(nil)
	}
	return nil
}

// sealGroupSecrets encrypts the joiner secret to every new member, with the
// path secret of the lowest node that it shares with the committer. The HPKE info
// is the whole encrypted GroupInfo, so it is hashed once per core, not per member.
func (g *Group) sealGroupSecrets(added []proposal.Added, joiner *schedule.Joiner, path *ratchettree.Path, psks []*proto.PreSharedKeyID, encryptedGroupInfo []byte) ([]proto.EncryptedGroupSecrets, error) {
	p := g.suite.Params()
	out := make([]proto.EncryptedGroupSecrets, len(added))
	jobs := make([]provider.SealJob, len(added))
	defer func() {
		for _, j := range jobs {
			secret.Wipe(j.Plaintext)
		}
	}()
	gs := proto.GroupSecrets{JoinerSecret: joiner.Bytes()}
	for _, id := range psks {
		gs.PSKs = append(gs.PSKs, *id)
	}
	for i, a := range added {
		if path != nil {
			gs.PathSecret = path.PathSecretFor(a.Leaf)
		}
		jobs[i] = provider.SealJob{Pub: a.KeyPackage.InitKey, Plaintext: gs.Append(nil), Enc: make([]byte, p.Nenc)}
		jobs[i].CT = make([]byte, len(jobs[i].Plaintext)+p.Nt)
		out[i].NewMember = labels.KeyPackageRef(g.suite, a.KeyPackage.Raw)
		out[i].EncryptedGroupSecrets = proto.HPKECiphertext{KEMOutput: jobs[i].Enc, Ciphertext: jobs[i].CT}
	}
	info := labels.AppendEncryptContext(nil, labels.LabelWelcome, encryptedGroupInfo)
	return out, ratchettree.SealMany(g.suite.HPKE(), info, jobs)
}

// storePending seals the commit and stores it as the pending one, if its base is
// still the current epoch. Proposals that came meanwhile wait for a later commit.
func (g *Group) storePending(ctx context.Context, st *StagedCommit, h *handshake) error {
	st.plan()
	base := st.base
	t := transition{
		done: func(bool) { h.sent(); g.pending = st },
		undo: func(late bool) {
			h.unsent()
			if late {
				g.spentKeys = append(g.spentKeys, st.newKeys()...)
				st.erase()
			}
		},
	}
	err := g.transact(ctx, base, func(b *provider.Batch) (transition, error) {
		if g.pending != nil {
			return t, ErrPendingCommit // of a call whose outcome was unknown until now
		}
		if err := g.sealHandshake(b, base, h); err != nil {
			return t, err
		}
		st.message, st.commitHash = h.msg, g.hash(h.msg)
		rec := pendingRecord{commit: st.message, welcome: st.welcome, groupInfo: st.groupInfo,
			hash: st.commitHash, summary: st.info.encode(), batch: encodeBatch(st.batch)}
		defer secret.Wipe(rec.batch)
		b.Put = append(b.Put, provider.Record{Key: g.key(kindPending, nil), Value: rec.encode()})
		return t, nil
	})
	if errors.Is(err, ErrEpochChanged) {
		return &EpochConflictError{Base: base.number(), Epoch: g.Epoch()}
	}
	return err
}

// Pending returns the pending commit's bundle again, for who lost it between
// making and sending: sending it twice is safe. ErrNoPendingCommit if there is
// none.
func (g *Group) Pending() (*CommitBundle, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.check(); err != nil {
		return nil, err
	}
	if g.pending == nil {
		return nil, ErrNoPendingCommit
	}
	st := g.pending
	return &CommitBundle{Commit: clone(st.message), Welcome: clone(st.welcome), GroupInfo: clone(st.groupInfo)}, nil
}

// StagedPending returns the pending commit as a staged one, to look at what it
// changes; nil if there is none. It is merged by MergePending.
func (g *Group) StagedPending() *StagedCommit {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pending
}

// AddMembers commits the addition of the owners of key packages.
func (g *Group) AddMembers(ctx context.Context, kps ...*KeyPackage) (*CommitBundle, error) {
	return g.Commit(ctx, CommitOptions{Proposals: adds(kps)})
}

// RemoveMembers commits the removal of the members at the given leaf indices.
func (g *Group) RemoveMembers(ctx context.Context, leaves ...uint32) (*CommitBundle, error) {
	var opt CommitOptions
	for _, l := range leaves {
		opt.Proposals = append(opt.Proposals, RemoveProposal(l))
	}
	return g.Commit(ctx, opt)
}

// SwapMembers commits the removal of members and the addition of others, such as
// the same clients with other keys, in one commit.
func (g *Group) SwapMembers(ctx context.Context, remove []uint32, add ...*KeyPackage) (*CommitBundle, error) {
	opt := CommitOptions{Proposals: adds(add)}
	for _, l := range remove {
		opt.Proposals = append(opt.Proposals, RemoveProposal(l))
	}
	return g.Commit(ctx, opt)
}

// SelfUpdate commits fresh keys for this client, and whatever is pending.
func (g *Group) SelfUpdate(ctx context.Context) (*CommitBundle, error) {
	return g.Commit(ctx, CommitOptions{})
}

// CommitToPendingProposals commits what is pending, and fresh keys.
func (g *Group) CommitToPendingProposals(ctx context.Context) (*CommitBundle, error) {
	return g.Commit(ctx, CommitOptions{})
}
