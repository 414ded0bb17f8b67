package mls

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/framing"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proposal"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/ratchettree"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// A PublicGroup is a group as an observer sees it who is no member: a delivery
// service that orders commits, or a gateway that keeps the list of members. It
// follows the group by its public handshake messages, checks all that can be
// checked without secrets, and holds none. What it can't check: membership and
// confirmation tags, encrypted handshakes, the ciphertexts of a path.
//
// It is safe for concurrent use. Who reads never waits for who processes.
type PublicGroup struct {
	suite provider.Suite
	cfg   config
	mu    sync.Mutex // who replaces the view
	view  atomic.Pointer[publicView]
}

// publicView is what an observer knows at one time. It is immutable.
type publicView struct {
	*publicState
	proposals []proposal.Entry
	committed []byte // hash of the commit message that began the epoch
	reinit    *proto.ReInit
}

// NewPublicGroup begins to observe the group of a GroupInfo, an MLSMessage, which is
// checked as by who joins. The ratchet tree is in it, or given by WithRatchetTree.
//
// Errors: ErrNoRatchetTree, *ValidationError, ErrDecrypt.
func NewPublicGroup(ctx context.Context, c provider.Crypto, groupInfo []byte, cfg Config, opts ...JoinOption) (*PublicGroup, error) {
	rc, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	m, err := rc.decode(groupInfo)
	if err != nil {
		return nil, public(err)
	}
	if m.GroupInfo == nil {
		return nil, public(check.As(check.V008, check.ClassUnsupported, "not a group info"))
	}
	s, err := bindSuite(c, m.GroupInfo.GroupContext.CipherSuite)
	if err != nil {
		return nil, err
	}
	state, err := verifyGroupInfo(ctx, s, &rc, m.GroupInfo, opts)
	if err != nil {
		return nil, public(err)
	}
	state.confirm(m.GroupInfo.ConfirmationTag)
	return newPublicGroup(s, rc, &publicView{publicState: state}), nil
}

func newPublicGroup(s provider.Suite, cfg config, v *publicView) *PublicGroup {
	p := &PublicGroup{suite: s, cfg: cfg}
	p.view.Store(v)
	return p
}

// Observe returns the group as an observer sees it now. It goes its own way from
// here on: hand it the messages that the group gets.
func (g *Group) Observe() (*PublicGroup, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.check(); err != nil {
		return nil, err
	}
	v := &publicView{publicState: g.cur.publicState}
	if n := len(g.head.committed); n > 0 {
		v.committed = g.head.committed[n-1]
	}
	for i := range g.proposals {
		v.proposals = append(v.proposals, g.proposals[i].Entry)
	}
	return newPublicGroup(g.suite, g.cfg, v), nil
}

// A PublicCommit is a commit that an observer has checked.
type PublicCommit struct {
	CommitSummary
	base *publicView
	next *publicView
}

func (*PublicCommit) processed() {}

// An EpochGapError is a message of an epoch that an observer has not reached: the
// commits from epoch Have on are missing. errors.Is(err, ErrEpoch) holds.
type EpochGapError struct {
	Have    uint64 // the epoch whose commit is needed next
	Message uint64 // the epoch of the message
}

// Error implements error.
func (e *EpochGapError) Error() string {
	return fmt.Sprintf("mls: message of epoch %d, but the group is in epoch %d: the commit of epoch %d is needed first", e.Message, e.Have, e.Have)
}

// Is reports whether target is ErrEpoch.
func (e *EpochGapError) Is(target error) bool { return target == ErrEpoch }

// Process checks a public handshake message of the group: a proposal is stored, and
// comes back as *ReceivedProposal; a commit comes back as *PublicCommit, and
// changes nothing before Merge. A proposal that is stored already, and the commit
// that began the epoch, are a *Duplicate.
//
// Errors, with nothing changed: *EpochGapError for a message of a later epoch,
// ErrEncrypted for a PrivateMessage, *ValidationError, ErrDecrypt, ErrReInitialized.
func (p *PublicGroup) Process(ctx context.Context, msg []byte) (Processed, error) {
	out, err := p.process(ctx, msg)
	if err != nil {
		return nil, public(err)
	}
	return out, nil
}

func (p *PublicGroup) process(ctx context.Context, msg []byte) (Processed, error) {
	base := p.view.Load()
	ac, err := p.open(base, msg)
	if err != nil {
		return nil, err
	}
	if e := ac.Content.Epoch; e != base.context.Epoch {
		if e > base.context.Epoch {
			return nil, &EpochGapError{Have: base.context.Epoch, Message: e}
		}
		if ac.Content.ContentType == proto.ContentTypeCommit && string(hash(p.suite, msg)) == string(base.committed) {
			return &Duplicate{AlreadyMerged}, nil
		}
		return nil, check.Errorf(check.V071, "handshake message of epoch %d, now is %d", e, base.context.Epoch)
	}
	if base.reinit != nil {
		return nil, ErrReInitialized
	}
	if err := verifyPublic(base.publicState, ac); err != nil {
		return nil, err
	}
	if ac.Content.ContentType == proto.ContentTypeProposal {
		return p.processProposal(base, ac)
	}
	return p.stage(ctx, base, msg, ac)
}

// open decodes a PublicMessage and checks what needs no epoch.
func (p *PublicGroup) open(base *publicView, msg []byte) (*proto.AuthenticatedContent, error) {
	if len(msg) > p.cfg.MaxReceive {
		return nil, ErrMessageTooLong
	}
	h, err := proto.DecodeHeader(msg)
	if err != nil {
		return nil, err
	}
	switch {
	case h.WireFormat == proto.WireFormatPrivateMessage:
		return nil, ErrEncrypted
	case h.WireFormat != proto.WireFormatPublicMessage:
		return nil, check.As(check.V008, check.ClassUnsupported, "message of wire format %d is not for a group", h.WireFormat)
	case string(h.GroupID) != string(base.context.GroupID):
		return nil, check.Errorf(check.V070, "message of another group")
	}
	m, err := proto.DecodeMLSMessage(clone(msg))
	if err != nil {
		return nil, err
	}
	return framing.ObservePublic(p.suite, m.PublicMessage)
}

func (p *PublicGroup) processProposal(base *publicView, ac *proto.AuthenticatedContent) (Processed, error) {
	entry := proposal.Entry{Proposal: ac.Content.Proposal, Sender: ac.Content.Sender,
		Ref: labels.ProposalRef(p.suite, ac.Append(nil))}
	if err := base.env(&p.cfg).ValidateSingle(entry); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.view.Load()
	switch {
	case now.publicState != base.publicState:
		return nil, ErrEpochChanged
	case now.lookup(entry.Ref) != nil:
		return &Duplicate{Replay}, nil
	case len(now.proposals) >= p.cfg.MaxProposals:
		return nil, errTooManyProposals()
	}
	next := *now
	next.proposals = append(now.proposals[:len(now.proposals):len(now.proposals)], entry)
	p.view.Store(&next)
	return &ReceivedProposal{pendingProposalOf(p.suite, &entry)}, nil
}

func (v *publicView) lookup(ref []byte) *proposal.Entry {
	for i := range v.proposals {
		if string(v.proposals[i].Ref) == string(ref) {
			return &v.proposals[i]
		}
	}
	return nil
}

// stage checks a commit, RFC 9420 §12.4.2, as far as public state goes.
func (p *PublicGroup) stage(ctx context.Context, base *publicView, msg []byte, ac *proto.AuthenticatedContent) (Processed, error) {
	c, err := stageChange(base.publicState, &p.cfg, ac, func(ref []byte) (proposal.Entry, bool) {
		if e := base.lookup(ref); e != nil {
			return *e, true
		}
		return proposal.Entry{}, false
	})
	if err != nil {
		return nil, err
	}
	if err := authenticate(ctx, &p.cfg, base.context.GroupID, c.result.NewCredentials); err != nil {
		return nil, err
	}
	next := &publicView{publicState: c.conclude(ac), committed: hash(p.suite, msg), reinit: c.result.ReInit}
	next.confirm(ac.Auth.ConfirmationTag)
	return &PublicCommit{CommitSummary: c.summary(), base: base, next: next}, nil
}

// ValidateCommit is Process for a commit that is not to be merged: a delivery
// service that takes it to be the epoch's commit calls Process and Merge.
func (p *PublicGroup) ValidateCommit(ctx context.Context, msg []byte) error {
	out, err := p.Process(ctx, msg)
	if err != nil {
		return err
	}
	if _, ok := out.(*PublicCommit); !ok {
		return public(check.Errorf(check.V072, "%T, not a new commit", out))
	}
	return nil
}

// Merge makes a checked commit the current epoch; the proposals of the old one are
// forgotten. *EpochConflictError if another commit was merged since it was checked.
func (p *PublicGroup) Merge(c *PublicCommit) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.view.Load(); now.publicState != c.base.publicState {
		e := &EpochConflictError{Base: c.base.context.Epoch, Epoch: now.context.Epoch}
		if e.Epoch == e.Base+1 {
			e.Winner = clone(now.committed)
		}
		return e
	}
	p.view.Store(c.next)
	return nil
}

// ValidateKeyPackage checks a key package as a member would who adds its owner now:
// ParseKeyPackage, and that it fits the group (RFC 9420 §10.1, §12.2).
func (p *PublicGroup) ValidateKeyPackage(msg []byte) (*KeyPackage, error) {
	v := p.view.Load()
	m, err := p.cfg.decode(msg)
	if err != nil {
		return nil, public(err)
	}
	if m.KeyPackage == nil {
		return nil, public(check.As(check.V008, check.ClassUnsupported, "not a key package"))
	}
	add := proposal.Entry{Proposal: &proto.Proposal{Type: proto.ProposalTypeAdd, Add: m.KeyPackage}}
	for leaf := range v.tree.Members { // whoever commits it
		add.Sender = memberSender(leaf)
		break
	}
	env := v.env(&p.cfg)
	env.Sending = true
	if err := env.ValidateList([]proposal.Entry{add}, add.Sender); err != nil {
		return nil, public(err)
	}
	return proposedKeyPackage(p.suite, m.KeyPackage), nil
}

// PendingProposals lists the proposals that wait for a commit, as they came.
func (p *PublicGroup) PendingProposals() []PendingProposal {
	v := p.view.Load()
	out := make([]PendingProposal, len(v.proposals))
	for i := range v.proposals {
		out[i] = pendingProposalOf(p.suite, &v.proposals[i])
	}
	return out
}

// ReInit returns what the successor must be, if the group was re-initialised.
func (p *PublicGroup) ReInit() (r ReInit, ok bool) {
	v := p.view.Load()
	if v.reinit == nil {
		return r, false
	}
	return reInitOf(v.reinit), true
}

// ID returns the group id.
func (p *PublicGroup) ID() []byte { return clone(p.view.Load().context.GroupID) }

// CipherSuite returns the group's suite.
func (p *PublicGroup) CipherSuite() provider.CipherSuite { return p.suite.Params().ID }

// Epoch returns the number of the current epoch.
func (p *PublicGroup) Epoch() uint64 { return p.view.Load().context.Epoch }

// Members returns the members in the order of their leaves.
func (p *PublicGroup) Members() []Member { return p.view.Load().members() }

// MemberCount returns the number of members.
func (p *PublicGroup) MemberCount() int { return p.view.Load().tree.MemberCount() }

// Member returns the member at a leaf index.
func (p *PublicGroup) Member(leaf uint32) (Member, bool) { return p.view.Load().member(leaf) }

// Extensions returns the extensions of the GroupContext.
func (p *PublicGroup) Extensions() []Extension { return extensionsOf(p.view.Load().context.Extensions) }

// TreeHash returns the tree hash of the epoch, RFC 9420 §7.8.
func (p *PublicGroup) TreeHash() []byte { return clone(p.view.Load().context.TreeHash) }

// ConfirmationTag returns the tag of the commit that began the epoch, which an
// observer takes on trust.
func (p *PublicGroup) ConfirmationTag() []byte { return clone(p.view.Load().tag) }

// RatchetTree returns the encoded ratchet tree, for joiners, RFC 9420 §12.4.3.3.
func (p *PublicGroup) RatchetTree() []byte { return p.view.Load().tree.AppendRatchetTree(nil) }

// AppendState appends all that the observer knows, in a form that LoadPublicGroup
// reads: a version byte, context, tags, tree and proposals. It is not secret, but
// who changes it changes what the observer believes.
func (p *PublicGroup) AppendState(b []byte) []byte {
	v := p.view.Load()
	b = append(b, recordVersion)
	for _, field := range [][]byte{v.contextBytes, v.interim, v.tag, v.committed, v.tree.AppendRatchetTree(nil)} {
		b = wire.AppendOpaque(b, field)
	}
	b = appendReInit(b, v.reinit)
	b, mark := wire.BeginVector(b)
	for i := range v.proposals {
		b = wire.AppendOpaque(b, encodeProposal(&v.proposals[i]))
	}
	return wire.EndVector(b, mark)
}

// LoadPublicGroup goes on from a state that AppendState wrote. The state is trusted:
// only its form is checked, and that tree and context fit. *RecordError.
func LoadPublicGroup(c provider.Crypto, state []byte, cfg Config) (*PublicGroup, error) {
	rc, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	r, err := openRecord(clone(state))
	if err != nil {
		return nil, &RecordError{"public group", err}
	}
	v := &publicView{publicState: &publicState{contextBytes: r.Opaque(), interim: r.Opaque(), tag: r.Opaque()}}
	v.committed = r.Opaque()
	tree := r.Opaque()
	v.reinit = decodeReInit(&r)
	list := r.Vector()
	for !list.Empty() && list.Err() == nil {
		e, err := decodeProposal(list.Opaque())
		if err != nil {
			return nil, &RecordError{"public group", err}
		}
		v.proposals = append(v.proposals, e)
	}
	r.Join(&list)
	if err := r.Done(); err != nil {
		return nil, &RecordError{"public group", err}
	}
	if err := v.decode(c, tree); err != nil {
		return nil, err
	}
	return newPublicGroup(v.suite, rc, v), nil
}

// decode fills in the state from its encoded parts.
func (s *publicState) decode(c provider.Crypto, tree []byte) (err error) {
	r := wire.NewReader(s.contextBytes)
	s.context.Decode(&r)
	if err := r.Done(); err != nil {
		return &RecordError{"public group", err}
	}
	if s.suite, err = bindSuite(c, s.context.CipherSuite); err != nil {
		return err
	}
	if s.tree, err = ratchettree.Decode(s.suite, tree, len(tree)); err != nil {
		return &RecordError{"public group", err}
	}
	if string(s.tree.TreeHash()) != string(s.context.TreeHash) {
		return &RecordError{"public group", errors.New("tree does not fit the group context")}
	}
	return nil
}
