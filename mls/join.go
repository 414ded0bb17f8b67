package mls

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proposal"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/ratchettree"
	"github.com/hardmls/hardmls/internal/schedule"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// How a Welcome becomes a group (RFC 9420 §12.4.3.1):
//
//	OpenWelcome   finds the key package, opens secrets and GroupInfo
//	(peek)        the application looks at group id, epoch, who invited
//	Stage         verifies tree, signature, credentials, confirmation tag
//	Join          one batch: the group appears, the key package is gone

// A Welcome is an opened Welcome message. It holds secrets until Stage or Close.
// It is not safe for concurrent use.
type Welcome struct {
	p       provider.Provider
	suite   provider.Suite
	cfg     config
	kp      *proto.KeyPackage
	kpRef   []byte
	initRef provider.KeyRef
	leafRef provider.KeyRef
	joiner  *schedule.Joiner
	psk     *secret.Secret
	path    *secret.Secret // nil if the Welcome has no path secret
	info    *proto.GroupInfo
	before  *predecessor // the group that this one goes on from, or nil
}

// OpenWelcome opens a Welcome (an MLSMessage) with the stored key package that it
// is for. The key package stays until Join.
//
// Errors: ErrNoKeyPackage, ErrDecrypt, *PSKError, *ValidationError, *KeyError,
// *StorageError.
func OpenWelcome(ctx context.Context, p provider.Provider, msg []byte, cfg Config) (*Welcome, error) {
	c, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	if p.Storage() == nil {
		return nil, errNoStorage
	}
	m, err := c.decode(msg)
	if err != nil {
		return nil, public(err)
	}
	if m.Welcome == nil {
		return nil, public(check.As(check.V008, check.ClassUnsupported, "not a welcome"))
	}
	s, err := bindSuite(p.Crypto(), m.Welcome.CipherSuite)
	if err != nil {
		return nil, err
	}
	w := &Welcome{p: p, suite: s, cfg: c}
	if err := w.open(ctx, m.Welcome); err != nil {
		w.Close()
		return nil, public(err)
	}
	return w, nil
}

func (w *Welcome) open(ctx context.Context, m *proto.Welcome) error {
	egs, err := w.findKeyPackage(ctx, m)
	if err != nil {
		return err
	}
	if w.kp.CipherSuite != m.CipherSuite {
		return check.Errorf(check.V190, "key package has another suite")
	}
	gs, err := w.openSecrets(ctx, m, egs)
	if err != nil {
		return err
	}
	defer secret.Wipe(gs.JoinerSecret)
	defer secret.Wipe(gs.PathSecret)
	if len(gs.JoinerSecret) != w.suite.Params().Nh {
		return check.Errorf(check.V203, "joiner secret of %d bytes", len(gs.JoinerSecret))
	}
	if gs.PathSecret != nil {
		if len(gs.PathSecret) != w.suite.Params().Nh {
			return check.As(check.V199, check.ClassPath, "path secret of %d bytes", len(gs.PathSecret))
		}
		w.path = secret.New(gs.PathSecret)
	}
	ids, err := proposal.ValidateWelcomePSKs(w.suite, gs.PSKs)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if id.Type == proto.PSKTypeResumption && id.Usage != proto.ResumptionPSKUsageApplication {
			if w.before, err = loadPredecessor(ctx, w.p.Storage(), id); err != nil {
				return err
			}
		}
	}
	if w.psk, err = pskSecret(ctx, w.suite, w.p.Storage(), ids); err != nil {
		return err
	}
	w.joiner = schedule.JoinerFrom(w.suite, gs.JoinerSecret)
	ws := w.joiner.Welcome(w.psk.Bytes())
	defer ws.Erase()
	raw, err := w.suite.Open(nil, ws.Key(), ws.Nonce(), m.EncryptedGroupInfo, nil)
	if err != nil {
		return check.ErrAuth
	}
	if w.info, err = proto.DecodeGroupInfo(raw); err != nil {
		return err
	}
	if ctx := &w.info.GroupContext; ctx.CipherSuite != w.kp.CipherSuite || ctx.Version != proto.MLS10 {
		return check.Errorf(check.V196, "group info has another suite or version")
	}
	return nil
}

// findKeyPackage finds the entry for a key package of this client, V190.
func (w *Welcome) findKeyPackage(ctx context.Context, m *proto.Welcome) (*proto.EncryptedGroupSecrets, error) {
	for i := range m.Secrets {
		egs := &m.Secrets[i]
		v, err := getRecord(ctx, w.p.Storage(), keyPackageKey(egs.NewMember))
		if err != nil {
			return nil, err
		}
		if v == nil {
			continue
		}
		var rec keyPackageRecord
		if err := rec.decode(v); err != nil {
			return nil, &RecordError{"key package", err}
		}
		if w.kp, err = proto.DecodeKeyPackage(rec.keyPackage); err != nil {
			return nil, &RecordError{"key package", err}
		}
		w.kpRef, w.initRef, w.leafRef = clone(egs.NewMember), rec.initRef, rec.leafRef
		return egs, nil
	}
	return nil, ErrNoKeyPackage
}

func (w *Welcome) openSecrets(ctx context.Context, m *proto.Welcome, egs *proto.EncryptedGroupSecrets) (*proto.GroupSecrets, error) {
	key, err := provider.KeysOf(w.p).Load(ctx, w.suite, w.initRef)
	if err != nil {
		return nil, &KeyError{"load", err}
	}
	defer key.Wipe()
	info := labels.AppendEncryptContext(nil, labels.LabelWelcome, m.EncryptedGroupInfo)
	ct := &egs.EncryptedGroupSecrets
	b, err := w.suite.HPKE().Open(ctx, nil, key, ct.KEMOutput, info, nil, ct.Ciphertext)
	if errors.Is(err, provider.ErrDecrypt) {
		return nil, check.ErrAuth // V191
	}
	if err != nil {
		return nil, &KeyError{"open", err}
	}
	gs, err := proto.DecodeGroupSecrets(b)
	if err != nil {
		secret.Wipe(b)
		return nil, err
	}
	return gs, nil
}

// GroupID returns the id of the group that the Welcome leads to.
func (w *Welcome) GroupID() []byte { return clone(w.info.GroupContext.GroupID) }

// Epoch returns the epoch in which this client joins.
func (w *Welcome) Epoch() uint64 { return w.info.GroupContext.Epoch }

// CipherSuite returns the group's suite.
func (w *Welcome) CipherSuite() provider.CipherSuite { return w.suite.Params().ID }

// Extensions returns the extensions of the GroupContext.
func (w *Welcome) Extensions() []Extension { return extensionsOf(w.info.GroupContext.Extensions) }

// Inviter returns the leaf index of the member that made the Welcome. Nothing is
// verified before Stage.
func (w *Welcome) Inviter() uint32 { return uint32(w.info.Signer) }

// Close forgets the Welcome's secrets. It is idempotent; Stage does it too.
func (w *Welcome) Close() {
	if w.joiner != nil {
		w.joiner.Erase()
	}
	w.psk.Erase()
	w.path.Erase()
	wipeRefs([]provider.KeyRef{w.initRef, w.leafRef})
}

// A JoinOption is a choice of Stage.
type JoinOption struct{ tree []byte }

// WithRatchetTree gives the encoded ratchet tree of a group whose GroupInfo does
// not carry it, as Group.RatchetTree returned it.
func WithRatchetTree(tree []byte) JoinOption { return JoinOption{tree: tree} }

// A StagedWelcome is a verified Welcome: the group is known, not joined.
type StagedWelcome struct {
	g       *Group
	e       *epoch
	w       *Welcome
	initRef provider.KeyRef
	used    bool
}

// Stage verifies the group that the Welcome leads to: the tree's integrity, every
// leaf, the credentials, the GroupInfo's signature and the confirmation tag.
// signer is that of the key package. w is closed, whatever the outcome.
func (w *Welcome) Stage(ctx context.Context, signer provider.Signer, opts ...JoinOption) (*StagedWelcome, error) {
	defer w.Close()
	sw, err := w.stage(ctx, signer, opts)
	if err != nil {
		return nil, public(err)
	}
	return sw, nil
}

func (w *Welcome) stage(ctx context.Context, signer provider.Signer, opts []JoinOption) (*StagedWelcome, error) {
	if string(signer.Public()) != string(w.kp.LeafNode.SignatureKey) {
		return nil, ErrSignerNotFound
	}
	if err := proposal.CheckJoiner(&w.info.GroupContext, &w.kp.LeafNode.Capabilities); err != nil {
		return nil, err
	}
	pub, err := verifyGroupInfo(ctx, w.suite, &w.cfg, w.info, opts)
	if err != nil {
		return nil, err
	}
	if w.before != nil {
		if err := w.before.check(&w.cfg, pub); err != nil {
			return nil, err
		}
	}
	own, err := w.ownLeaf(pub.tree)
	if err != nil {
		return nil, err
	}
	g, err := newGroup(w.p, w.suite, clone(pub.context.GroupID), w.cfg, Signers(signer))
	if err != nil {
		return nil, err
	}
	e := &epoch{publicState: pub, own: own, signer: signer, leafRef: w.leafRef.Clone(), borrowed: isLastResort(w.kp)}
	if err := w.ownKeys(ctx, g, e); err != nil {
		e.erase()
		return nil, err
	}
	e.keys = w.joiner.Epoch(w.psk.Bytes(), pub.contextBytes)
	tag := e.keys.ConfirmationTag(pub.context.ConfirmedTranscriptHash)
	if subtle.ConstantTimeCompare(tag, w.info.ConfirmationTag) != 1 { // V200
		e.erase()
		return nil, check.ErrAuth
	}
	pub.confirm(tag)
	e.messages = newMessages(pub, e.keys, own, newSecretTree(pub, e.keys, w.cfg.limits))
	return &StagedWelcome{g: g, e: e, w: w, initRef: w.initRef.Clone()}, nil
}

// ownLeaf finds the leaf of the key package in the tree, V198.
func (w *Welcome) ownLeaf(tree *ratchettree.Tree) (treemath.LeafIndex, error) {
	own, ok := tree.FindSignatureKey(w.kp.LeafNode.SignatureKey)
	if !ok || string(tree.Leaf(own).Raw) != string(w.kp.LeafNode.Raw) {
		return 0, check.Errorf(check.V198, "own leaf is not the key package's")
	}
	return own, nil
}

// ownKeys loads the leaf key and derives the node keys of the path secret.
func (w *Welcome) ownKeys(ctx context.Context, g *Group, e *epoch) error {
	key, err := g.keys.Load(ctx, g.suite, w.leafRef)
	if err != nil {
		return &KeyError{"load", err}
	}
	if w.path == nil {
		e.private = ratchettree.NewPrivate(e.own, key)
		return nil
	}
	e.private, err = ratchettree.OpenWelcomePath(e.tree, e.own, key, w.info.Signer, w.path.Bytes())
	if err != nil {
		key.Wipe()
	}
	return err
}

// verifyGroupInfo checks a GroupInfo and its tree, RFC 9420 §12.4.3.1, and
// returns the public state without confirmation tag.
func verifyGroupInfo(ctx context.Context, s provider.Suite, cfg *config, gi *proto.GroupInfo, opts []JoinOption) (*publicState, error) {
	encoded, ok := gi.Extensions.Find(proto.ExtensionTypeRatchetTree)
	if !ok {
		for _, o := range opts {
			if o.tree != nil {
				encoded, ok = clone(o.tree), true
			}
		}
	}
	if !ok {
		return nil, ErrNoRatchetTree
	}
	tree, err := ratchettree.Decode(s, encoded, 2*min(cfg.MaxMembers, treemath.MaxLeaves)-1) // n leaves have 2n-1 nodes
	if err != nil {
		return nil, err
	}
	nh := s.Params().Nh
	context := &gi.GroupContext
	if context.Epoch > maxEpoch {
		return nil, check.Errorf(check.V013, "epoch %d", context.Epoch)
	}
	if len(context.TreeHash) != nh || len(gi.ConfirmationTag) != nh ||
		len(context.ConfirmedTranscriptHash) != nh && context.Epoch > 0 {
		return nil, check.Errorf(check.V203, "hash or tag of a wrong length")
	}
	if subtle.ConstantTimeCompare(tree.TreeHash(), context.TreeHash) != 1 {
		return nil, check.Errorf(check.V120, "tree hash does not fit the group context")
	}
	signer := tree.Leaf(gi.Signer)
	if signer == nil {
		return nil, check.Errorf(check.V194, "signer's leaf is blank")
	}
	if err := labels.VerifyWithLabel(s, signer.SignatureKey, labels.LabelGroupInfoTBS, gi.AppendTBS(nil), gi.Signature); err != nil {
		return nil, check.Errorf(check.V194, "signature")
	}
	if err := verifyTree(s, cfg, tree, context); err != nil {
		return nil, err
	}
	checks, err := externalSenderCredentials(context, treeCredentials(tree))
	if err != nil {
		return nil, err
	}
	if err := authenticate(ctx, cfg, context.GroupID, checks); err != nil {
		return nil, err
	}
	pub := &publicState{suite: s, tree: tree}
	pub.setContext(context)
	return pub, nil
}

// verifyTree checks the integrity of a tree that came from outside, RFC 9420
// §12.4.3.1: keys, parent hashes, leaves.
//
// The signatures, which are nearly all of the work, are verified meanwhile, so that
// no core waits for the rest; what else is wrong is reported first.
func verifyTree(s provider.Suite, cfg *config, tree *ratchettree.Tree, context *proto.GroupContext) error {
	signatures := make(chan error, 1)
	go func() { signatures <- tree.VerifyLeafSignatures(context.GroupID) }()
	err := verifyTreeContent(s, cfg, tree, context)
	if unsigned := <-signatures; err == nil {
		err = unsigned
	}
	return err
}

func verifyTreeContent(s provider.Suite, cfg *config, tree *ratchettree.Tree, context *proto.GroupContext) error {
	if err := tree.VerifyUniqueKeys(); err != nil {
		return err
	}
	if err := tree.VerifyParentHashes(); err != nil {
		return err
	}
	return proposal.ValidateTreeLeaves(s, tree, context, cfg.policy(s))
}

// maxEpoch is the last epoch in which a group can be joined: no group counts that
// far, and epochs do not wrap.
const maxEpoch = 1<<64 - 1<<32

// externalSenderCredentials adds those of the external senders to checks.
func externalSenderCredentials(context *proto.GroupContext, checks []proposal.CredentialCheck) ([]proposal.CredentialCheck, error) {
	if _, ok := context.Extensions.Find(proto.ExtensionTypeExternalSenders); !ok {
		return checks, nil
	}
	senders, err := proposal.ExternalSenders(context)
	if err != nil {
		return nil, err
	}
	for i := range senders {
		checks = append(checks, proposal.CredentialCheck{Credential: &senders[i].Credential,
			SignatureKey: senders[i].SignatureKey, Use: proposal.CredentialExternalSender, Proposal: check.NoIndex})
	}
	return checks, nil
}

func treeCredentials(tree *ratchettree.Tree) []proposal.CredentialCheck {
	checks := make([]proposal.CredentialCheck, 0, tree.MemberCount())
	for i, c := range tree.Credentials {
		checks = append(checks, proposal.CredentialCheck{Leaf: i, Credential: c,
			SignatureKey: tree.SignatureKey(i), Use: proposal.CredentialUse(AuthTree), Proposal: check.NoIndex})
	}
	return checks
}

// Members returns the members of the group, this client among them.
func (sw *StagedWelcome) Members() []Member { return sw.e.members() }

// EpochAuthenticator returns the authenticator of the epoch, RFC 9420 §8.7: nil
// after Join or Discard.
func (sw *StagedWelcome) EpochAuthenticator() []byte {
	if sw.used {
		return nil
	}
	return clone(sw.e.keys.Authenticator.Bytes())
}

// Join stores the group and uses up the key package, unless it is one of last
// resort, in one batch.
//
// Errors: ErrGroupExists, ErrNoKeyPackage if the key package was used meanwhile,
// *StorageError. After an error Join may be tried again; it finds out whether the
// group was stored.
func (sw *StagedWelcome) Join(ctx context.Context) (*Group, error) {
	if sw.used {
		return nil, ErrStagedUsed
	}
	g, w := sw.g, sw.w
	switch joined, err := g.begun(ctx, sw.e); {
	case err != nil:
		return nil, err
	case joined:
		return sw.join(ctx)
	}
	b := &provider.Batch{Require: []provider.Key{keyPackageKey(w.kpRef)}}
	var spent []provider.KeyRef
	if !isLastResort(w.kp) {
		b.Delete = []provider.Key{keyPackageKey(w.kpRef)}
		spent = append(spent, sw.initRef)
		g.bury(b, spent)
	}
	g.spentKeys = spent // deleted once it is certain that the batch was applied
	if err := g.begin(ctx, sw.e, b); err != nil {
		if errors.Is(err, provider.ErrConflict) {
			return nil, fmt.Errorf("%w: it was used already", ErrNoKeyPackage) // V065
		}
		return nil, err
	}
	return sw.join(ctx)
}

// join ends Join once the batch was applied.
func (sw *StagedWelcome) join(ctx context.Context) (*Group, error) {
	sw.used = true
	if isLastResort(sw.w.kp) {
		secret.Wipe(sw.initRef)
	}
	sw.g.sweepSpent(ctx)
	return sw.g, nil
}

// Discard forgets the staged group. The key package stays.
func (sw *StagedWelcome) Discard() {
	if !sw.used {
		sw.used = true
		sw.e.eraseAll()
		secret.Wipe(sw.initRef)
	}
}
