package mls

import (
	"context"
	"errors"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// How a group goes on in another one (RFC 9420 §11.2, §11.3):
//
//	re-init   a commit with a ReInit proposal closes the group; then any member
//	          calls Successor, and the others join by its Welcome
//	branch    any member calls Branch; the members that it takes along join by
//	          the Welcome, and the old group goes on as well
//
// Either way a resumption PSK of the old group goes into the new one, so that
// only members of the old group can join, and the joiners check that the new
// group is what was agreed upon.

// A ReInit says what the successor of a re-initialised group must be.
type ReInit struct {
	GroupID     []byte
	CipherSuite provider.CipherSuite
	Extensions  []Extension
}

func reInitOf(w *proto.ReInit) ReInit {
	return ReInit{GroupID: clone(w.GroupID), CipherSuite: w.CipherSuite, Extensions: extensionsOf(w.Extensions)}
}

// ReInit returns what the successor must be, if the group was re-initialised.
func (g *Group) ReInit() (r ReInit, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.head.reinit == nil {
		return r, false
	}
	return reInitOf(g.head.reinit), true
}

// SuccessorOptions say how a group goes on in another.
type SuccessorOptions struct {
	// Signer and Credential of this client in the new group, whose suite may
	// be another.
	Signer     provider.Signer
	Credential Credential
	// KeyPackages of the others, fresh and of the new suite: of every other
	// member for Successor, of those to take along for Branch.
	KeyPackages []*KeyPackage
	// Config of the new group. Its suite is given by the old group; Successor
	// also sets group id and extensions.
	Config Config
}

// Successor makes the group that a re-initialised one goes on in, RFC 9420 §11.2,
// and returns it with the Welcome for the others, which is in its outbox as well.
// Any member may do it; whose Welcome counts is the delivery service's choice.
//
// Errors: *ValidationError of check V201 if the key packages are not those of
// exactly the other members; those of NewGroupWithMembers; ErrNotReInitialized.
func (g *Group) Successor(ctx context.Context, opt SuccessorOptions) (*Group, []byte, error) {
	before, err := g.predecessor(proto.ResumptionPSKUsageReInit)
	if err != nil {
		return nil, nil, err
	}
	opt.Config.GroupID = before.reinit.GroupID
	opt.Config.CipherSuite = before.reinit.CipherSuite
	opt.Config.Extensions = extensionsOf(before.reinit.Extensions)
	return g.goOn(ctx, before, &opt)
}

// Branch makes a group of some of this group's members, RFC 9420 §11.3, and
// returns it with the Welcome for the others, which is in its outbox as well. The
// old group stays as it is.
//
// Errors: *ValidationError of check V202 if a key package is nobody's of this
// group; those of NewGroupWithMembers; ErrUseAfterEviction, ErrReInitialized.
func (g *Group) Branch(ctx context.Context, opt SuccessorOptions) (*Group, []byte, error) {
	before, err := g.predecessor(proto.ResumptionPSKUsageBranch)
	if err != nil {
		return nil, nil, err
	}
	opt.Config.CipherSuite = before.suite
	return g.goOn(ctx, before, &opt)
}

func (g *Group) goOn(ctx context.Context, before *predecessor, opt *SuccessorOptions) (*Group, []byte, error) {
	proposals := append(adds(opt.KeyPackages), Proposal{wire: &proto.Proposal{
		Type: proto.ProposalTypePSK,
		PSK: &proto.PreSharedKeyID{Type: proto.PSKTypeResumption, Usage: before.usage,
			GroupID: clone(before.id), Epoch: before.epoch},
	}})
	return newGroupWith(ctx, g.provider, opt.Signer, opt.Credential, opt.Config, CommitOptions{Proposals: proposals}, before)
}

// predecessor is what the members of a new group know of the old one.
type predecessor struct {
	usage   proto.ResumptionPSKUsage
	id      []byte
	epoch   uint64
	suite   provider.CipherSuite
	version proto.ProtocolVersion
	reinit  *proto.ReInit // nil for a branch
	members []*proto.Credential
}

// predecessor describes g as it is now.
func (g *Group) predecessor(usage proto.ResumptionPSKUsage) (*predecessor, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	err := g.check()
	if usage == proto.ResumptionPSKUsageReInit {
		switch err {
		case ErrReInitialized:
			err = nil
		case nil:
			err = ErrNotReInitialized
		}
	}
	if err != nil {
		return nil, err
	}
	before := &predecessor{usage: usage, id: g.id, epoch: g.head.epoch, suite: g.head.suite,
		version: g.cur.context.Version, reinit: g.head.reinit}
	g.cur.tree.Members(func(_ treemath.LeafIndex, leaf *proto.LeafNode) bool {
		before.members = append(before.members, &leaf.Credential)
		return true
	})
	return before, nil
}

// loadPredecessor reads the group that a resumption PSK of a Welcome is of, as the
// store has it now: a branch is checked against the members of today, not those of
// the PSK's epoch.
func loadPredecessor(ctx context.Context, store provider.Storage, id *proto.PreSharedKeyID) (*predecessor, error) {
	h, err := loadHead(ctx, store, id.GroupID)
	if errors.Is(err, ErrGroupNotFound) || err == nil && h.phase == evicted {
		return nil, check.Errorf(successorCheck(id.Usage), "this client is not in the old group any more")
	}
	if err != nil {
		return nil, err
	}
	if id.Usage == proto.ResumptionPSKUsageReInit && (h.reinit == nil || h.epoch != id.Epoch) {
		return nil, check.Errorf(check.V201, "the old group was not re-initialised in epoch %d", id.Epoch)
	}
	before := &predecessor{usage: id.Usage, id: id.GroupID, epoch: id.Epoch, suite: h.suite, version: proto.MLS10, reinit: h.reinit}
	for rec, err := range store.Scan(ctx, provider.Key{Group: id.GroupID, Kind: kindNode}) {
		if err != nil {
			return nil, storageError("scan", err)
		}
		n, err := decodeNode(rec.Value)
		if err != nil {
			return nil, &RecordError{"tree node", err}
		}
		if n.Leaf != nil {
			before.members = append(before.members, &n.Leaf.Credential)
		}
	}
	return before, nil
}

func successorCheck(usage proto.ResumptionPSKUsage) check.ID {
	if usage == proto.ResumptionPSKUsageReInit {
		return check.V201
	}
	return check.V202
}

// check checks that the new group is what the old one goes on in: V201, V202.
func (p *predecessor) check(cfg *config, next *publicState) error {
	id, context := successorCheck(p.usage), &next.context
	version, suite := p.version, p.suite
	if p.reinit != nil && p.usage == proto.ResumptionPSKUsageReInit {
		version, suite = p.reinit.Version, p.reinit.CipherSuite
		if string(context.GroupID) != string(p.reinit.GroupID) {
			return check.Errorf(id, "new group has another id than was agreed upon")
		}
		if !sameExtensions(context.Extensions, p.reinit.Extensions) {
			return check.Errorf(id, "new group has other extensions than were agreed upon")
		}
	}
	switch {
	case context.Epoch != 1:
		return check.Errorf(id, "new group is in epoch %d, not 1", context.Epoch)
	case context.Version != version || context.CipherSuite != suite:
		return check.Errorf(id, "new group has another version or suite than the old one's choice")
	}
	var members []*proto.Credential
	var leaves []treemath.LeafIndex
	next.tree.Members(func(i treemath.LeafIndex, leaf *proto.LeafNode) bool {
		members, leaves = append(members, &leaf.Credential), append(leaves, i)
		return true
	})
	stranger, absent, err := matchClients(cfg, p.members, members)
	switch {
	case err != nil:
		return err
	case stranger >= 0:
		return check.AtLeaf(check.Errorf(id, "a member of the new group is none of the old one"), uint32(leaves[stranger]))
	case absent && p.usage == proto.ResumptionPSKUsageReInit:
		return check.Errorf(id, "a member of the old group is missing in the new one")
	}
	return nil
}

// maxClientPairs bounds the questions that matchClients asks the application.
const maxClientPairs = 1 << 16

// matchClients compares the clients of two groups: stranger is the first of after
// that is none of before, or -1; absent says that one of before is none of after.
// Equal credentials are one client's; the application is asked about the rest.
func matchClients(cfg *config, before, after []*proto.Credential) (stranger int, absent bool, err error) {
	known := make(map[string]bool, len(before)) // credential → in after too
	for _, c := range before {
		known[string(c.Append(nil))] = false
	}
	var unknown []int // in after
	for i, c := range after {
		k := string(c.Append(nil))
		if _, ok := known[k]; ok {
			known[k] = true
		} else {
			unknown = append(unknown, i)
		}
	}
	var left []*proto.Credential // of before
	matched := make([]bool, 0, len(before))
	for _, c := range before {
		if !known[string(c.Append(nil))] {
			left, matched = append(left, c), append(matched, false)
		}
	}
	if len(unknown)*len(before) > maxClientPairs || len(left)*len(after) > maxClientPairs {
		return -1, false, check.Errorf(check.V013, "too many changed credentials to compare")
	}
	if len(unknown)+len(left) > 0 {
		before, after, left = cloneAll(before), cloneAll(after), cloneAll(left)
	}
	for _, i := range unknown {
		found := false
		for _, c := range before {
			found = found || cfg.sameClient(c, after[i])
		}
		if !found {
			return i, false, nil
		}
	}
	for i, c := range left {
		for _, d := range after {
			matched[i] = matched[i] || cfg.sameClient(c, d)
		}
		absent = absent || !matched[i]
	}
	return -1, absent, nil
}

func cloneAll(cs []*proto.Credential) []*proto.Credential {
	out := make([]*proto.Credential, len(cs))
	for i, c := range cs {
		out[i] = c.Clone()
	}
	return out
}

func sameExtensions(a, b proto.Extensions) bool {
	return string(a.Append(nil)) == string(b.Append(nil))
}

// resumptionOfEpoch returns the resumption secret of the epoch that a group's
// stored head is in, nil if that is another one. A successor needs it whatever
// Config.ResumptionPSKs keeps.
func resumptionOfEpoch(ctx context.Context, store recordReader, group []byte, epoch uint64) ([]byte, error) {
	h, err := loadHead(ctx, store, group)
	if errors.Is(err, ErrGroupNotFound) || err == nil && (h.epoch != epoch || h.phase == evicted) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v, err := getRecord(ctx, store, provider.Key{Group: group, Epoch: epoch + 1, Kind: kindEpoch})
	if v == nil || err != nil {
		return nil, err
	}
	defer secret.Wipe(v)
	var rec epochRecord
	if err := rec.decode(v); err != nil {
		return nil, &RecordError{"epoch", err}
	}
	return append(newRecord(), rec.secrets[resumptionSecret]...), nil
}

// appendReInit and decodeReInit are the form of a ReInit in a record: a proposal,
// or nothing.
func appendReInit(b []byte, r *proto.ReInit) []byte {
	if r == nil {
		return wire.AppendOpaque(b, nil)
	}
	p := proto.Proposal{Type: proto.ProposalTypeReInit, ReInit: r}
	return wire.AppendOpaque(b, p.Append(nil))
}

func decodeReInit(r *wire.Reader) *proto.ReInit {
	b := clone(r.Opaque())
	if len(b) == 0 {
		return nil
	}
	var p proto.Proposal
	pr := wire.NewReader(b)
	p.Decode(&pr)
	err := pr.Done()
	if err == nil && p.ReInit == nil {
		err = errors.New("not a ReInit proposal")
	}
	if err != nil {
		r.Fail(err)
	}
	return p.ReInit
}
