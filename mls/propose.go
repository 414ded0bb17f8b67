package mls

import (
	"context"
	"errors"

	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proposal"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// A Proposal is a change that a member proposes, RFC 9420 §12.1. It is made by
// one of the functions below and given to Group.Propose or CommitOptions.
type Proposal struct {
	wire   *proto.Proposal // nil for an Update, which is made when it is sent
	signer provider.Signer // Update: the new signer, or nil
	cred   *Credential     // Update: the new credential, or nil
	own    bool            // Remove: of this client, whose leaf never changes
}

// AddProposal proposes to add the owner of a key package.
func AddProposal(kp *KeyPackage) Proposal {
	return Proposal{wire: &proto.Proposal{Type: proto.ProposalTypeAdd, Add: kp.wire}}
}

// RemoveProposal proposes to remove the member at a leaf index.
func RemoveProposal(leaf uint32) Proposal {
	return Proposal{wire: &proto.Proposal{Type: proto.ProposalTypeRemove, Remove: treemath.LeafIndex(leaf)}}
}

// UpdateProposal proposes to renew the own leaf with a fresh encryption key. It
// can only be sent by Propose: a commit renews the committer's leaf by itself.
func UpdateProposal() Proposal { return Proposal{} }

// UpdateSignerProposal is UpdateProposal with a new signature key and, if cred is
// not nil, a new credential.
func UpdateSignerProposal(signer provider.Signer, cred *Credential) Proposal {
	return Proposal{signer: signer, cred: cred}
}

// PSKProposal proposes to mix a pre-shared key into the next epoch.
func PSKProposal(id PSKID) Proposal {
	return Proposal{wire: &proto.Proposal{Type: proto.ProposalTypePSK, PSK: id.wire()}}
}

// GroupContextExtensionsProposal proposes to replace the extensions of the
// GroupContext.
func GroupContextExtensionsProposal(es []Extension) Proposal {
	return Proposal{wire: &proto.Proposal{Type: proto.ProposalTypeGroupContextExtensions, GroupContextExtensions: wireExtensions(es)}}
}

// ReInitProposal proposes to close the group in favour of a new one with the
// given id, suite and extensions, RFC 9420 §12.1.5.
func ReInitProposal(groupID []byte, suite provider.CipherSuite, es []Extension) Proposal {
	return Proposal{wire: &proto.Proposal{Type: proto.ProposalTypeReInit, ReInit: &proto.ReInit{
		GroupID: clone(groupID), Version: proto.MLS10, CipherSuite: suite, Extensions: wireExtensions(es)}}}
}

// CustomProposal proposes something of an application's own type, whose meaning
// is the application's. Every member's capabilities must list the type.
func CustomProposal(typ uint16, content []byte) Proposal {
	return Proposal{wire: &proto.Proposal{Type: proto.ProposalType(typ), Custom: clone(content)}}
}

// namesLeaf reports whether the proposal names a member by its leaf, which means
// something else in another epoch.
func (p *Proposal) namesLeaf() bool {
	return p.wire != nil && p.wire.Type == proto.ProposalTypeRemove && !p.own
}

// A ProposalRef names a proposal that was sent, RFC 9420 §5.2.
type ProposalRef []byte

// storedProposal is a proposal that waits for a commit. It is immutable.
type storedProposal struct {
	proposal.Entry
	arrival uint32
}

// ownUpdate is what belongs to an own Update proposal until the epoch ends.
type ownUpdate struct {
	ref    provider.KeyRef
	signer provider.Signer // nil: unchanged
}

func (u *ownUpdate) encode() []byte {
	var pub []byte
	if u.signer != nil {
		pub = u.signer.Public()
	}
	return wire.AppendOpaque(wire.AppendOpaque(roomyRecord(0, u.ref, pub), u.ref), pub)
}

// ProposeOptions are the choices of one proposal.
type ProposeOptions struct {
	AAD []byte
}

// Propose signs a proposal, stores it and returns the message to send to the
// group, with the proposal's reference. Until it is committed or cleared, no
// application data can be sent (ErrPendingProposal).
//
// On error nothing changed: ErrUseAfterEviction, *ValidationError if the
// proposal is not valid now, *SignerError, *StorageError, ErrEpochChanged: for the
// removal of another member at once, whose leaf may be somebody else's by now.
func (g *Group) Propose(ctx context.Context, p Proposal, opt ProposeOptions) (msg []byte, ref ProposalRef, err error) {
	for range sendTries {
		msg, ref, err = g.tryPropose(ctx, p, opt)
		if !errors.Is(err, ErrEpochChanged) || p.namesLeaf() {
			break
		}
	}
	if err != nil {
		return nil, nil, public(err)
	}
	return msg, ref, nil
}

func (g *Group) tryPropose(ctx context.Context, p Proposal, opt ProposeOptions) ([]byte, ProposalRef, error) {
	base, done, err := g.current()
	if err != nil {
		return nil, nil, err
	}
	defer done()
	entry := proposal.Entry{Proposal: p.wire, Sender: memberSender(base.own)}
	var update *ownUpdate
	if p.wire == nil {
		if entry.Proposal, update, err = g.makeUpdate(ctx, base, p); err != nil {
			return nil, nil, err
		}
	} else if p.wire.Type == proto.ProposalTypePSK {
		if entry.Proposal, err = withNonce(g.crypto.Rand(), g.suite, p.wire); err != nil {
			return nil, nil, err
		}
	}
	msg, ref, err := g.sendProposal(ctx, base, entry, update, opt)
	if err != nil && update != nil && !errors.Is(err, provider.ErrOutcomeUnknown) {
		discardKeys(ctx, g.keys, update.ref)
	}
	return msg, ref, err
}

// sendProposal validates, signs, stores and seals a proposal of one's own.
func (g *Group) sendProposal(ctx context.Context, base *epoch, entry proposal.Entry, update *ownUpdate, opt ProposeOptions) ([]byte, ProposalRef, error) {
	env := base.env(&g.cfg)
	env.Sending = true
	if err := env.ValidateSingle(entry); err != nil {
		return nil, nil, err
	}
	content := base.frame(proto.ContentTypeProposal, opt.AAD)
	content.Proposal = entry.Proposal
	content.RawContent = entry.Proposal.Append(nil)
	h, err := g.signHandshake(ctx, base, content)
	if err != nil {
		return nil, nil, err
	}
	entry.Ref = labels.ProposalRef(g.suite, h.ac.Append(nil))
	err = g.transact(ctx, base, func(b *provider.Batch) (transition, error) {
		t := transition{undo: func(late bool) {
			h.unsent()
			if late && update != nil {
				g.spentKeys = append(g.spentKeys, update.ref)
			}
		}}
		if len(g.proposals) >= g.cfg.MaxProposals {
			return t, errTooManyProposals()
		}
		if err := g.sealHandshake(b, base, h); err != nil {
			return t, err
		}
		commit := g.putProposal(b, entry)
		if update != nil {
			b.Put = append(b.Put, provider.Record{Key: g.epochKey(kindOwnUpdate, base.number(), entry.Ref), Value: update.encode()})
		}
		t.done = func(bool) {
			h.sent()
			commit()
			if update != nil {
				if g.ownUpdates == nil {
					g.ownUpdates = make(map[string]ownUpdate)
				}
				g.ownUpdates[string(entry.Ref)] = *update
			}
		}
		return t, nil
	})
	if err != nil {
		return nil, nil, err
	}
	return h.msg, ProposalRef(entry.Ref), nil
}

// putProposal adds a proposal to b and returns what stores it in memory once b
// is durable. mu is held, in both.
func (g *Group) putProposal(b *provider.Batch, entry proposal.Entry) (commit func()) {
	h := g.head
	arrival := h.arrivals
	h.arrivals++
	b.Put = append(b.Put,
		provider.Record{Key: g.epochKey(kindProposal, h.epoch, id32(arrival)), Value: encodeProposal(&entry)},
		provider.Record{Key: g.key(kindHead, nil), Value: h.encode()})
	return func() {
		g.setHead(h)
		g.proposals = append(g.proposals, storedProposal{entry, arrival}) // snapshots are shorter
	}
}

// makeUpdate makes an Update proposal of the own leaf, RFC 9420 §12.1.2.
func (g *Group) makeUpdate(ctx context.Context, base *epoch, p Proposal) (*proto.Proposal, *ownUpdate, error) {
	key, ref, err := g.keys.Generate(ctx, g.suite, provider.LeafKey)
	if err != nil {
		return nil, nil, &KeyError{"generate", err}
	}
	pub := clone(key.Public())
	key.Wipe()
	leaf := *base.tree.Leaf(base.own)
	leaf.EncryptionKey = pub
	leaf.Source = proto.LeafNodeSourceUpdate
	leaf.Lifetime, leaf.ParentHash = proto.Lifetime{}, nil
	u := &ownUpdate{ref: ref, signer: p.signer}
	signer := base.signer
	if p.signer != nil {
		signer = p.signer
		leaf.SignatureKey = clone(signer.Public())
	}
	if p.cred != nil {
		leaf.Credential = p.cred.wire()
	}
	if err := signLeaf(ctx, g.suite, signer, &leaf, g.id, base.own); err != nil {
		discardKeys(ctx, g.keys, ref)
		return nil, nil, err
	}
	return &proto.Proposal{Type: proto.ProposalTypeUpdate, Update: &leaf}, u, nil
}

// Leave proposes to remove this client; another member has to commit it.
func (g *Group) Leave(ctx context.Context, opt ProposeOptions) ([]byte, ProposalRef, error) {
	g.mu.Lock()
	own := g.head.own
	g.mu.Unlock()
	p := RemoveProposal(own)
	p.own = true
	return g.Propose(ctx, p, opt)
}

// HasPendingProposals reports whether proposals wait for a commit.
func (g *Group) HasPendingProposals() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.proposals) > 0
}

// A PendingProposal is a proposal that waits for a commit. Of the fields behind
// Type, those that belong to its type are set.
type PendingProposal struct {
	Ref    ProposalRef
	Type   uint16
	Sender uint32 // leaf index, or place among the external senders
	// External: the sender is an external sender; NewMember: it is who asks to
	// be added. Neither: it is the member at leaf Sender.
	External, NewMember bool

	KeyPackage *KeyPackage // Add
	Target     uint32      // Remove: the leaf index to remove
	Update     *Member     // Update: the sender as it will be
	PSK        *PSKID      // PreSharedKey
	ReInit     *ReInit     // ReInit
	Extensions []Extension // GroupContextExtensions
	Custom     []byte      // content of a type of the application's own
}

// The proposal types of RFC 9420 §17.4.
const (
	ProposalAdd                    = uint16(proto.ProposalTypeAdd)
	ProposalUpdate                 = uint16(proto.ProposalTypeUpdate)
	ProposalRemove                 = uint16(proto.ProposalTypeRemove)
	ProposalPSK                    = uint16(proto.ProposalTypePSK)
	ProposalReInit                 = uint16(proto.ProposalTypeReInit)
	ProposalExternalInit           = uint16(proto.ProposalTypeExternalInit)
	ProposalGroupContextExtensions = uint16(proto.ProposalTypeGroupContextExtensions)
)

// PendingProposals lists the proposals that wait for a commit, as they came.
func (g *Group) PendingProposals() []PendingProposal {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]PendingProposal, len(g.proposals))
	for i := range g.proposals {
		out[i] = pendingProposalOf(g.suite, &g.proposals[i].Entry)
	}
	return out
}

func pendingProposalOf(suite provider.Suite, e *proposal.Entry) PendingProposal {
	p := PendingProposal{
		Ref:       ProposalRef(clone(e.Ref)),
		Type:      uint16(e.Proposal.Type),
		Sender:    uint32(e.Sender.Leaf),
		External:  e.Sender.Type == proto.SenderTypeExternal,
		NewMember: e.Sender.Type == proto.SenderTypeNewMemberProposal,
	}
	if p.External {
		p.Sender = e.Sender.Index
	}
	switch w := e.Proposal; w.Type {
	case proto.ProposalTypeAdd:
		p.KeyPackage = proposedKeyPackage(suite, w.Add)
	case proto.ProposalTypeRemove:
		p.Target = uint32(w.Remove)
	case proto.ProposalTypeUpdate:
		m := memberOf(e.Sender.Leaf, w.Update)
		p.Update = &m
	case proto.ProposalTypePSK:
		id := pskIDOf(w.PSK)
		p.PSK = &id
	case proto.ProposalTypeReInit:
		r := reInitOf(w.ReInit)
		p.ReInit = &r
	case proto.ProposalTypeGroupContextExtensions:
		p.Extensions = extensionsOf(w.GroupContextExtensions)
	default:
		p.Custom = clone(w.Custom)
	}
	return p
}

// ClearProposal forgets one pending proposal, which a commit of another member
// may still refer to: then that commit fails with the check V140. The key of an
// Update of one's own stays until the epoch ends, for a commit that is staged.
// ErrPendingProposalNotFound if there is none of that reference.
func (g *Group) ClearProposal(ctx context.Context, ref ProposalRef) error {
	return g.clearProposals(ctx, func(p *storedProposal) bool { return string(p.Ref) == string(ref) }, true)
}

// ClearProposals forgets every pending proposal, with the same caution.
func (g *Group) ClearProposals(ctx context.Context) error {
	return g.clearProposals(ctx, func(*storedProposal) bool { return true }, false)
}

func (g *Group) clearProposals(ctx context.Context, match func(*storedProposal) bool, must bool) error {
	base, done, err := g.current()
	if err != nil {
		return err
	}
	defer done()
	err = g.transact(ctx, base, func(b *provider.Batch) (transition, error) {
		if g.pending != nil || g.committing {
			return transition{}, ErrPendingCommit
		}
		var kept []storedProposal
		for i := range g.proposals {
			p := &g.proposals[i]
			if !match(p) {
				kept = append(kept, *p)
				continue
			}
			b.Delete = append(b.Delete, g.epochKey(kindProposal, base.number(), id32(p.arrival)))
		}
		if len(kept) == len(g.proposals) {
			if must {
				return transition{}, ErrPendingProposalNotFound
			}
			return transition{}, errNothing
		}
		return transition{done: func(bool) { g.proposals = kept }}, nil
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

var errNothing = errors.New("nothing to do")

func memberSender(leaf treemath.LeafIndex) proto.Sender {
	return proto.Sender{Type: proto.SenderTypeMember, Leaf: leaf}
}
