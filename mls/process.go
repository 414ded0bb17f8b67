package mls

import (
	"context"
	"errors"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/framing"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proposal"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/provider"
)

// Processed is what a message turned out to be: one of *ApplicationMessage,
// *ReceivedProposal, *StagedCommit, *OwnPendingCommit, *Duplicate.
type Processed interface{ processed() }

// An ApplicationMessage is application data, decrypted and authenticated.
type ApplicationMessage struct {
	Data []byte
	Info MessageInfo // AAD is a copy
}

// A ReceivedProposal is a proposal that was stored and now waits for a commit.
type ReceivedProposal struct{ PendingProposal }

// An OwnPendingCommit is the delivery service's echo of the pending commit: it
// was accepted, so call MergePending.
type OwnPendingCommit struct{}

// A DuplicateReason says why a message brings nothing new.
type DuplicateReason uint8

// The reasons.
const (
	Replay        DuplicateReason = 1 // its key was used: it was processed before
	OwnEcho       DuplicateReason = 2 // this client sent it; nothing is authenticated
	AlreadyMerged DuplicateReason = 3 // a commit that the group has merged
)

// A Duplicate is a message that brings nothing new: acknowledge it and go on.
type Duplicate struct{ Reason DuplicateReason }

func (*ApplicationMessage) processed() {}
func (*ReceivedProposal) processed()   {}
func (*StagedCommit) processed()       {}
func (*OwnPendingCommit) processed()   {}
func (*Duplicate) processed()          {}

// ProcessOptions are the choices of one Process call.
type ProcessOptions struct {
	// Cursor is the application's position in its delivery queue behind this
	// message. It is stored with the next batch, that of a commit with its
	// merge (or once it is discarded); Delivered gives it back.
	Cursor []byte
}

// Process handles any message of the group: it decrypts application data, stores
// proposals and stages commits. msg is an MLSMessage; it is not written and not
// kept.
//
// A staged commit changes nothing before Merge. Errors leave the group as it was,
// and the genuine message behind a tampered one is still accepted: see
// OpenMessage; also *PSKError, *StorageError, ErrEpochChanged.
func (g *Group) Process(ctx context.Context, msg []byte, opt ProcessOptions) (Processed, error) {
	in, err := g.Begin(msg)
	if err != nil {
		return nil, err
	}
	return in.Finish(ctx, opt)
}

// An Incoming is a message whose place in the order of arrival is taken. Finish
// or Abort must be called once.
type Incoming struct {
	g    *Group
	msg  []byte
	over bool       // finished or aborted
	r    *receiving // a PrivateMessage, peeked
	m    *messages
	ac   *proto.AuthenticatedContent // a PublicMessage
	done Processed                   // known without more work
}

// Begin takes in a message in the order of its arrival: a server that receives
// in parallel calls Begin in order and Finish wherever it likes. msg must stay
// unchanged until Finish.
func (g *Group) Begin(msg []byte) (*Incoming, error) {
	in, err := g.beginIncoming(msg)
	if err != nil {
		return nil, public(err)
	}
	return in, nil
}

func (g *Group) beginIncoming(msg []byte) (*Incoming, error) {
	if len(msg) > g.cfg.MaxReceive {
		return nil, ErrMessageTooLong
	}
	in := &Incoming{g: g, msg: msg}
	if g.isOwnPending(msg) {
		in.done = &OwnPendingCommit{}
		return in, nil
	}
	r := g.takeReceiving()
	err := r.opener.Parse(msg)
	if err == nil {
		err = g.acceptsPrivate(r.opener.ContentType())
	}
	if err == nil {
		in.m, err = g.peek(r)
		in.r = r
	}
	switch {
	case err == nil:
		return in, nil
	case errors.Is(err, framing.ErrNotPrivate):
		g.putReceiving(r)
		return in, g.beginPublic(in)
	}
	in.done = duplicateOf(err)
	if r.opener.ContentType() == proto.ContentTypeCommit && g.mergedMessage(msg) {
		in.done = &Duplicate{AlreadyMerged}
	}
	in.r = nil
	g.putReceiving(r)
	if d, ok := in.done.(*Duplicate); ok && d.Reason == OwnEcho && r.opener.ContentType() == proto.ContentTypeCommit {
		return nil, ErrDiscardedCommit
	}
	if in.done != nil {
		return in, nil
	}
	return nil, err
}

// acceptsPrivate checks the wire-format policy, V073.
func (g *Group) acceptsPrivate(typ proto.ContentType) error {
	if typ != proto.ContentTypeApplication && !g.cfg.WireFormat.accepts(true) {
		return check.Errorf(check.V073, "encrypted handshake message")
	}
	return nil
}

// duplicateOf returns the result that stands for err, nil if err is an error.
func duplicateOf(err error) Processed {
	switch {
	case errors.Is(err, ErrSecretReuse):
		return &Duplicate{Replay}
	case errors.Is(err, ErrOwnMessage):
		return &Duplicate{OwnEcho}
	}
	return nil
}

// isOwnPending reports whether msg is the pending commit, byte for byte.
func (g *Group) isOwnPending(msg []byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pending != nil && string(g.pending.message) == string(msg)
}

// beginPublic takes in a PublicMessage: it decodes it and checks what needs no
// key.
func (g *Group) beginPublic(in *Incoming) error {
	// Who is no member must not make this client decode much.
	h, err := proto.DecodeHeader(in.msg)
	if err != nil {
		return err
	}
	if h.WireFormat == proto.WireFormatPublicMessage && string(h.GroupID) != string(g.id) {
		return check.Errorf(check.V070, "message of another group")
	}
	m, err := proto.DecodeMLSMessage(clone(in.msg))
	if err != nil {
		return err
	}
	if m.PublicMessage == nil {
		return check.As(check.V008, check.ClassUnsupported, "message of wire format %d is not for a group", m.WireFormat)
	}
	if !g.cfg.WireFormat.accepts(false) && m.PublicMessage.Content.Sender.Type == proto.SenderTypeMember {
		return check.Errorf(check.V073, "unencrypted handshake message")
	}
	// A MAC or hash of a long message takes its time, so no lock is held.
	g.mu.Lock()
	if err := g.check(); err != nil {
		g.mu.Unlock()
		return err
	}
	epoch := g.cur.messages
	epoch.acquire()
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.releaseMessages(epoch)
	}()
	if c := &m.PublicMessage.Content; c.Epoch != epoch.number {
		if c.ContentType == proto.ContentTypeCommit && g.mergedMessage(in.msg) {
			in.done = &Duplicate{AlreadyMerged}
			return nil
		}
		return check.Errorf(check.V071, "handshake message of epoch %d, now is %d", c.Epoch, epoch.number)
	}
	if in.ac, err = framing.OpenPublic(epoch.frames, m.PublicMessage); err != nil {
		return forked(err)
	}
	return nil
}

// mergedMessage reports whether msg is among the last merged commits.
func (g *Group) mergedMessage(msg []byte) bool {
	hash := g.hash(msg)
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.merged(hash)
}

// merged reports whether the commit message of that hash is among the last merged
// ones. mu is held.
func (g *Group) merged(hash []byte) bool {
	for _, h := range g.head.committed {
		if string(h) == string(hash) {
			return true
		}
	}
	return false
}

// Abort gives the message's place back; nothing has changed.
func (in *Incoming) Abort() {
	in.over = true
	if in.r != nil {
		in.g.abort(in.r, in.m)
		in.g.putReceiving(in.r)
		in.r = nil
	}
}

// Finish does the rest of Process. ErrStagedUsed after Finish or Abort.
func (in *Incoming) Finish(ctx context.Context, opt ProcessOptions) (Processed, error) {
	if in.over {
		return nil, ErrStagedUsed
	}
	in.over = true
	out, err := in.finish(ctx)
	if err != nil {
		if d := duplicateOf(err); d != nil {
			out, err = d, nil
		}
	}
	if err != nil {
		return nil, public(err)
	}
	in.g.setCursor(opt.Cursor, out)
	return out, nil
}

func (in *Incoming) finish(ctx context.Context) (Processed, error) {
	switch {
	case in.done != nil:
		return in.done, nil
	case in.ac != nil:
		return in.g.processHandshake(ctx, in.msg, in.ac, nil)
	case in.r.opener.ContentType() == proto.ContentTypeApplication:
		return in.finishApplication(ctx)
	}
	return in.finishPrivateHandshake(ctx)
}

func (in *Incoming) finishApplication(ctx context.Context) (Processed, error) {
	g, r := in.g, in.r
	defer g.putReceiving(r)
	in.r = nil
	buf := make([]byte, 0, in.room())
	if err := r.open(buf, in.m); err != nil {
		g.abort(r, in.m)
		return nil, err
	}
	data, err := g.consume(ctx, r, in.m)
	if err != nil {
		return nil, err
	}
	return &ApplicationMessage{Data: data, Info: MessageInfo{
		Epoch: in.m.number, Sender: uint32(r.op.Leaf()), Generation: r.op.Generation(),
		AAD: clone(r.opener.AuthenticatedData()),
	}}, nil
}

// room is what decrypting the message takes: itself, and the GroupContext that
// its signature covers.
func (in *Incoming) room() int { return len(in.msg) + len(in.m.context) + 64 }

// finishPrivateHandshake opens a proposal or commit. Its key is consumed with
// the outcome: a proposal's when it is stored, a commit's by the merge.
func (in *Incoming) finishPrivateHandshake(ctx context.Context) (Processed, error) {
	g, r := in.g, in.r
	defer g.putReceiving(r)
	in.r = nil
	if err := r.open(make([]byte, 0, in.room()), in.m); err != nil {
		g.abort(r, in.m)
		return nil, err
	}
	ac := r.opener.Authenticated()
	consumed := false
	out, err := g.processHandshake(ctx, in.msg, ac, func() {
		consumed = true
		in.m.secrets.Consume(&r.op)
		g.releaseMessages(in.m)
	})
	if !consumed {
		g.mu.Lock()
		in.m.secrets.Used(r.op.Leaf())
		if g.cur == nil || g.cur.messages != in.m { // a merge came between
			in.m.secrets.OpenUsed()
		}
		g.mu.Unlock()
		g.abort(r, in.m)
	}
	return out, err
}

// processHandshake handles an authenticated proposal or commit of the current
// epoch; the signature of a PublicMessage is checked here. consume, if not nil,
// uses up the message's key under mu.
func (g *Group) processHandshake(ctx context.Context, msg []byte, ac *proto.AuthenticatedContent, consume func()) (Processed, error) {
	base, done, err := g.current()
	if err != nil {
		return nil, err
	}
	defer done()
	if ac.Content.Epoch != base.number() {
		return nil, ErrEpochChanged
	}
	if ac.WireFormat == proto.WireFormatPublicMessage {
		if err := verifyPublic(base.publicState, ac); err != nil {
			return nil, err
		}
	}
	if ac.Content.ContentType == proto.ContentTypeCommit {
		return g.processCommit(ctx, base, msg, ac)
	}
	return g.processProposal(ctx, base, ac, consume)
}

// verifyPublic checks the signature of a PublicMessage under the key that its
// sender type names, V075. An external committer's is known from the path only,
// so that is checked with the commit.
func verifyPublic(base *publicState, ac *proto.AuthenticatedContent) error {
	var key []byte
	switch s := ac.Content.Sender; s.Type {
	case proto.SenderTypeMember:
		leaf := base.tree.Leaf(s.Leaf)
		if leaf == nil {
			return check.Errorf(check.V076, "leaf %d is blank", s.Leaf)
		}
		key = leaf.SignatureKey
	case proto.SenderTypeExternal:
		senders, err := proposal.ExternalSenders(&base.context)
		if err != nil {
			return err
		}
		if int64(s.Index) >= int64(len(senders)) {
			return check.Errorf(check.V078, "no external sender %d", s.Index)
		}
		key = senders[s.Index].SignatureKey
	case proto.SenderTypeNewMemberProposal:
		key = ac.Content.Proposal.Add.LeafNode.SignatureKey
	case proto.SenderTypeNewMemberCommit:
		return nil
	}
	return verifySender(base, ac, key)
}

func (g *Group) processProposal(ctx context.Context, base *epoch, ac *proto.AuthenticatedContent, consume func()) (Processed, error) {
	entry := proposal.Entry{Proposal: ac.Content.Proposal, Sender: ac.Content.Sender,
		Ref: labels.ProposalRef(g.suite, ac.Append(nil))}
	g.mu.Lock()
	stored := g.stored(entry.Ref)
	g.mu.Unlock()
	if stored {
		if entry.Sender == memberSender(base.own) {
			return &Duplicate{OwnEcho}, nil
		}
		return &Duplicate{Replay}, nil
	}
	if entry.Sender == memberSender(base.own) {
		return nil, check.Errorf(check.V097, "own proposal that is not stored")
	}
	env := base.env(&g.cfg)
	if err := env.ValidateSingle(entry); err != nil {
		return nil, err
	}
	err := g.transact(ctx, base, func(b *provider.Batch) (transition, error) {
		if g.stored(entry.Ref) {
			return transition{}, ErrSecretReuse // another copy of it was faster
		}
		if len(g.proposals) >= g.cfg.MaxProposals {
			return transition{}, errTooManyProposals()
		}
		commit := g.putProposal(b, entry)
		return transition{done: func(late bool) {
			commit()
			switch {
			case consume == nil:
			case late: // the key was given back
				base.messages.secrets.Used(entry.Sender.Leaf)
			default:
				consume()
			}
		}}, nil
	})
	if err != nil {
		return nil, err
	}
	return &ReceivedProposal{pendingProposalOf(g.suite, &entry)}, nil
}

// stored reports whether a proposal of that reference is pending. mu is held.
func (g *Group) stored(ref []byte) bool {
	for _, p := range g.proposals {
		if string(p.Ref) == string(ref) {
			return true
		}
	}
	return false
}

func (g *Group) processCommit(ctx context.Context, base *epoch, msg []byte, ac *proto.AuthenticatedContent) (Processed, error) {
	if s := ac.Content.Sender; s.Type == proto.SenderTypeMember && s.Leaf == base.own {
		return nil, ErrDiscardedCommit // not the pending one, or Begin had known it
	}
	g.mu.Lock()
	if g.cur != base {
		g.mu.Unlock()
		return nil, ErrEpochChanged
	}
	proposals := make(map[string]proposal.Entry, len(g.proposals))
	for _, p := range g.proposals {
		proposals[string(p.Ref)] = p.Entry
	}
	updates := make(map[string]ownUpdate, len(g.ownUpdates))
	for ref, u := range g.ownUpdates {
		u.ref = u.ref.Clone() // a merge wipes the group's own
		updates[ref] = u
		defer secret.Wipe(u.ref)
	}
	g.mu.Unlock()
	st, err := g.stageReceived(ctx, base, msg, ac,
		func(ref []byte) (proposal.Entry, bool) {
			e, ok := proposals[string(ref)]
			return e, ok
		},
		func(ref []byte) (ownUpdate, bool) {
			u, ok := updates[string(ref)]
			return u, ok
		})
	if err != nil {
		return nil, err
	}
	return st, nil
}

// setCursor remembers the delivery cursor behind a message for the next batch. That
// of a commit counts once the commit is merged or discarded: before, a crash loses
// it.
func (g *Group) setCursor(cursor []byte, out Processed) {
	if cursor == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	cursor = clone(cursor)
	switch out := out.(type) {
	case *StagedCommit:
		out.cursor = cursor
		return
	case *OwnPendingCommit:
		if g.pending != nil {
			g.pending.cursor = cursor
			return
		}
	}
	g.deliver(cursor)
}

// deliver sets the delivery cursor, if there is one. mu is held.
func (g *Group) deliver(cursor []byte) {
	if cursor != nil {
		g.head.cursor = cursor
		g.cursorDirty = true
	}
}

// setHead installs a head that was written. A cursor that came meanwhile stays.
// mu is held.
func (g *Group) setHead(h head) {
	h.cursor = g.head.cursor
	g.head = h
}

// Delivered returns the delivery cursor that the store holds or will hold with
// the next batch: that of the last message processed with one.
func (g *Group) Delivered() []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	return clone(g.head.cursor)
}

// An OutgoingWelcome is the Welcome of a merged commit that was not yet marked as
// sent.
type OutgoingWelcome struct {
	ID      uint64
	Welcome []byte
}

// Outbox returns the Welcomes of merged commits that are not yet marked as sent,
// oldest first. They survive a crash; sending one twice is safe.
func (g *Group) Outbox(ctx context.Context) ([]OutgoingWelcome, error) {
	var out []OutgoingWelcome
	for rec, err := range g.store.Scan(ctx, g.key(kindOutbox, nil)) {
		if err != nil {
			return nil, storageError("scan", err)
		}
		w, err := decodeOutbox(rec)
		if err != nil {
			return nil, &RecordError{"outbox", err}
		}
		out = append(out, w)
	}
	return out, nil
}

// Sent removes a Welcome from the outbox. One that is not there is no error.
func (g *Group) Sent(ctx context.Context, id uint64) error {
	if err := g.lockWriter(ctx); err != nil {
		return err
	}
	defer g.unlockWriter()
	return g.apply(ctx, &provider.Batch{Delete: []provider.Key{g.key(kindOutbox, id64(id))}}, transition{})
}
