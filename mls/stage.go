package mls

import (
	"context"
	"crypto/subtle"
	"errors"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proposal"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/ratchettree"
	"github.com/hardmls/hardmls/internal/schedule"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/internal/secrettree"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// change is what a commit does to the public state, RFC 9420 §12.4.2: everything
// that an observer can compute.
type change struct {
	base      *publicState
	sender    proto.Sender
	committer treemath.LeafIndex // the sender's leaf in the new tree
	path      *proto.UpdatePath
	entries   []proposal.Entry
	result    *proposal.Result
	tree      *ratchettree.Tree // after proposals and path
	next      proto.GroupContext
	exclude   []treemath.LeafIndex // added in this commit: no path secret for them
}

// external reports whether the commit is a new member's.
func (c *change) external() bool { return c.sender.Type == proto.SenderTypeNewMemberCommit }

// provisional returns the encoding of the provisional GroupContext, which is the
// context of path encryption: the new epoch with the old transcript hash.
func (c *change) provisional() []byte {
	ctx := c.next
	ctx.ConfirmedTranscriptHash = c.base.context.ConfirmedTranscriptHash
	return ctx.Append(nil)
}

// stageChange validates a received commit against base and applies it, as far as
// public state goes. lookup finds the proposals that it refers to.
func stageChange(base *publicState, cfg *config, ac *proto.AuthenticatedContent, lookup func(ref []byte) (proposal.Entry, bool)) (*change, error) {
	commit, sender := ac.Content.Commit, ac.Content.Sender
	if sender.Type == proto.SenderTypeNewMemberCommit {
		if err := admitExternal(base, cfg, ac); err != nil {
			return nil, err
		}
	}
	entries, err := proposal.Resolve(commit, sender, lookup)
	if err != nil {
		return nil, err
	}
	c := &change{base: base, sender: sender, committer: sender.Leaf, path: commit.Path, entries: entries}
	env := base.env(cfg)
	if err := env.ValidateList(entries, sender); err != nil {
		return nil, err
	}
	if c.path == nil && proposal.PathRequired(entries) {
		return nil, check.Errorf(check.V160, "proposals need a path")
	}
	if err := c.apply(env); err != nil {
		return nil, err
	}
	edit := c.result.Edit
	if c.path != nil {
		if c.external() {
			c.committer = edit.NextLeaf() // V183
		}
		if err := env.ValidatePathLeaf(c.result, &c.path.LeafNode, c.committer, sender); err != nil {
			return nil, err
		}
		if err := edit.ApplyPath(c.committer, c.path, c.exclude); err != nil {
			return nil, err
		}
	}
	c.finish(edit.Finish())
	return c, nil
}

// admitExternal is what comes before all work for an external commit, which anybody
// can send: the policy, V145, and its signature, V074, V182, for which the key is that
// of its path.
func admitExternal(base *publicState, cfg *config, ac *proto.AuthenticatedContent) error {
	commit := ac.Content.Commit
	if cfg.ExternalCommits == RefuseExternalCommits {
		return check.Errorf(check.V145, "external commits are not accepted")
	}
	if commit.Path == nil {
		return check.Errorf(check.V161, "external commit without path")
	}
	for i, p := range commit.Proposals.All() {
		if cfg.ExternalCommits == AcceptExternalJoins && p.Proposal != nil && p.Proposal.Type == proto.ProposalTypeRemove {
			return check.AtProposal(check.Errorf(check.V145, "external commits that remove a leaf are not accepted"), i)
		}
	}
	return verifySender(base, ac, commit.Path.LeafNode.SignatureKey)
}

// apply applies the proposals.
func (c *change) apply(env *proposal.Env) error {
	result, err := env.Apply(c.entries, c.sender)
	if err != nil {
		return err
	}
	c.result = result
	for _, a := range result.Added {
		c.exclude = append(c.exclude, a.Leaf)
	}
	return nil
}

// finish fixes the new tree and what the next GroupContext says of it.
func (c *change) finish(tree *ratchettree.Tree) {
	c.tree = tree
	c.next = c.base.context
	c.next.Epoch++
	c.next.TreeHash = tree.TreeHash()
	c.next.Extensions = c.result.Extensions
}

// conclude fixes the transcript for the commit ac, RFC 9420 §8.2, and returns
// the next public state, still without its confirmation tag.
func (c *change) conclude(ac *proto.AuthenticatedContent) *publicState {
	c.next.ConfirmedTranscriptHash = schedule.ConfirmedTranscriptHash(c.base.suite, c.base.interim, ac)
	next := &publicState{suite: c.base.suite, tree: c.tree}
	next.setContext(&c.next)
	return next
}

// env is the epoch as the proposal machine sees it.
func (s *publicState) env(cfg *config) *proposal.Env {
	return &proposal.Env{Suite: s.suite, Tree: s.tree, Context: &s.context, Policy: cfg.policy(s.suite)}
}

// confirm sets the confirmation tag of the epoch.
func (s *publicState) confirm(tag []byte) {
	s.tag = tag
	s.interim = schedule.InterimTranscriptHash(s.suite, s.context.ConfirmedTranscriptHash, tag)
}

// removed reports whether the commit removes the member at leaf.
func (c *change) removed(leaf treemath.LeafIndex) bool {
	for _, r := range c.result.Removed {
		if r == leaf {
			return true
		}
	}
	return false
}

// authenticate asks the application about every credential that a commit or a tree
// brings, without locks. One that it refuses is an error, V040, V041.
func authenticate(ctx context.Context, cfg *config, groupID []byte, checks []proposal.CredentialCheck) error {
	refusals, err := askAuthenticator(ctx, cfg, groupID, checks)
	if err != nil {
		return err
	}
	for _, refusal := range refusals {
		if refusal != nil {
			return refusal
		}
	}
	return nil
}

// askAuthenticator is authenticate with the answer to each check.
func askAuthenticator(ctx context.Context, cfg *config, groupID []byte, checks []proposal.CredentialCheck) ([]error, error) {
	if len(checks) == 0 {
		return nil, nil
	}
	reqs := make([]AuthRequest, len(checks))
	for i, c := range checks {
		reqs[i] = AuthRequest{
			Credential:   credentialOf(c.Credential),
			SignatureKey: clone(c.SignatureKey),
			Group:        clone(groupID),
			Use:          AuthUse(c.Use),
		}
		if c.Replaces != nil {
			old := credentialOf(c.Replaces)
			reqs[i].Replaces = &old
		}
	}
	errs := cfg.Authenticator.Authenticate(ctx, reqs)
	if len(errs) != len(reqs) {
		return nil, public(check.Errorf(check.V040, "authenticator gave %d answers to %d requests", len(errs), len(reqs)))
	}
	refusals := make([]error, len(errs))
	for i, err := range errs {
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		id := check.V040
		switch {
		case errors.Is(err, ErrCertificateKey):
			id = check.V042
		case reqs[i].Replaces != nil:
			id = check.V041
		}
		refusals[i] = check.AtProposal(check.AtLeaf(check.Errorf(id, "%w", err), uint32(checks[i].Leaf)), checks[i].Proposal)
	}
	return refusals, nil
}

// derived is what a member derives from a commit.
type derived struct {
	keys    *schedule.Epoch
	joiner  *schedule.Joiner
	psk     *secret.Secret
	secrets *secrettree.Tree
}

// deriveEpoch runs the key schedule of RFC 9420 §8 for the next public state.
func deriveEpoch(next *publicState, init, commitSecret, psk *secret.Secret, limits secrettree.Limits) *derived {
	joiner := schedule.NewJoiner(next.suite, init.Bytes(), commitSecret.Bytes(), next.contextBytes)
	d := &derived{joiner: joiner, psk: psk, keys: joiner.Epoch(psk.Bytes(), next.contextBytes)}
	d.secrets = newSecretTree(next, d.keys, limits)
	return d
}

// newSecretTree takes the encryption secret out of keys into a secret tree.
func newSecretTree(pub *publicState, keys *schedule.Epoch, limits secrettree.Limits) *secrettree.Tree {
	t := secrettree.New(pub.suite, keys.Encryption.Bytes(), pub.tree.LeafCount(), limits)
	keys.Encryption.Erase()
	return t
}

// stageReceived turns the commit of msg, which was authenticated in epoch base into a
// staged next epoch. own finds the keys of own Update proposals by reference.
func (g *Group) stageReceived(ctx context.Context, base *epoch, msg []byte, ac *proto.AuthenticatedContent, lookup func([]byte) (proposal.Entry, bool), own func(ref []byte) (ownUpdate, bool)) (*StagedCommit, error) {
	c, err := stageChange(base.publicState, &g.cfg, ac, lookup)
	if err != nil {
		return nil, err
	}
	if err := authenticate(ctx, &g.cfg, g.id, c.result.NewCredentials); err != nil {
		return nil, err
	}
	st := &StagedCommit{group: g, base: base, change: c, commitHash: g.hash(msg)}
	if c.removed(base.own) {
		st.selfRemoved = true
		st.plan()
		return st, nil
	}
	psk, err := g.pskSecret(ctx, c.result.PSKs)
	if err != nil {
		return nil, err
	}
	defer psk.Erase()
	e, commitSecret, err := g.followPath(ctx, base, c, own)
	if err != nil {
		return nil, err
	}
	defer commitSecret.Erase()
	init, err := g.initSecret(ctx, base, c)
	if err != nil {
		e.erase()
		return nil, err
	}
	defer init.Erase()
	e.publicState = c.conclude(ac)
	d := deriveEpoch(e.publicState, init, commitSecret, psk, g.cfg.limits)
	d.joiner.Erase()
	e.keys = d.keys
	tag := d.keys.ConfirmationTag(e.context.ConfirmedTranscriptHash)
	if subtle.ConstantTimeCompare(tag, ac.Auth.ConfirmationTag) != 1 { // V172
		d.secrets.Erase()
		e.erase()
		return nil, check.ErrAuth
	}
	e.confirm(tag)
	e.messages = newMessages(e.publicState, d.keys, e.own, d.secrets)
	st.next = e
	st.plan()
	return st, nil
}

// followPath computes the own half of the next ratchet tree and the commit
// secret, RFC 9420 §7.5: the all-zero secret without a path. Keys of nodes that
// the commit blanked are left behind.
func (g *Group) followPath(ctx context.Context, base *epoch, c *change, own func(ref []byte) (ownUpdate, bool)) (*epoch, *secret.Secret, error) {
	e := &epoch{own: base.own, signer: base.signer, borrowed: base.borrowed}
	leafRef, private := base.leafRef, base.private
	if u, ok := updatedBy(c, base.own, own); ok {
		key, err := g.keys.Load(ctx, g.suite, u.ref)
		if err != nil {
			return nil, nil, &KeyError{"load", err}
		}
		private = private.WithLeaf(key)
		defer private.Erase() // the next version shares what it needs
		leafRef, e.borrowed = u.ref, false
		if u.signer != nil {
			e.signer = u.signer
		}
	}
	commitSecret := secret.Zero(g.suite.Params().Nh)
	if c.path == nil {
		e.private = private.Prune(c.tree)
	} else {
		var err error
		e.private, commitSecret, err = c.tree.OpenPath(ctx, private, c.committer, c.path, c.provisional(), c.exclude)
		if err != nil {
			return nil, nil, err
		}
	}
	e.leafRef = leafRef.Clone()
	return e, commitSecret, nil
}

// updatedBy returns the keys of the own Update proposal that the commit applies.
func updatedBy(c *change, leaf treemath.LeafIndex, own func(ref []byte) (ownUpdate, bool)) (ownUpdate, bool) {
	for _, en := range c.entries {
		if en.Proposal.Type == proto.ProposalTypeUpdate && en.Sender.Leaf == leaf && en.Ref != nil {
			return own(en.Ref)
		}
	}
	return ownUpdate{}, false
}

// initSecret returns the init secret of the next epoch's key schedule: the
// current one, or that of an external commit's ExternalInit, RFC 9420 §8.3.
func (g *Group) initSecret(ctx context.Context, base *epoch, c *change) (*secret.Secret, error) {
	if !c.external() {
		return base.keys.Init.Clone(), nil
	}
	key, err := base.keys.ExternalKey()
	if err != nil {
		return nil, &InternalError{err}
	}
	defer key.Wipe()
	init, err := schedule.ImportInitSecret(ctx, g.suite, key, c.result.ExternalInit)
	if err != nil {
		return nil, check.ErrAuth
	}
	return init, nil
}

// hash is the suite's hash of b.
func hash(s provider.Suite, b []byte) []byte {
	out := make([]byte, s.Params().Nh)
	s.Hash(out, b)
	return out
}

func (g *Group) hash(b []byte) []byte { return hash(g.suite, b) }

// members returns the members in the order of their leaves.
func (s *publicState) members() []Member {
	var out []Member
	for i, leaf := range s.tree.Members {
		out = append(out, memberOf(i, leaf))
	}
	return out
}

// member returns the member at a leaf index.
func (s *publicState) member(i uint32) (m Member, ok bool) {
	if leaf := s.tree.Leaf(treemath.LeafIndex(i)); leaf != nil {
		return memberOf(treemath.LeafIndex(i), leaf), true
	}
	return m, false
}
