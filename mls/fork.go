package mls

import (
	"context"
	"slices"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proto"
)

// A group has forked if members merged different commits of one epoch, which a
// delivery service must prevent (RFC 9420 §14). From then on neither side reads the
// other:
//
//	ErrFork            a message that was not made with the keys of its epoch: the
//	                   first sign, but damage and forgery look the same
//	CompareGroupInfo   the proof: a GroupInfo that a member of the other side signed
//	ReAdd, Reboot      the ways out

type forkError struct{}

func (forkError) Error() string {
	return "mls: message was not made with the keys of its epoch: damaged, forged, or of a fork of the group"
}

func (forkError) Is(target error) bool { return target == ErrDecrypt }

// forked says of a message that failed authentication with the keys that every
// member has that it may be of a fork.
func forked(err error) error {
	if err == check.ErrAuth {
		return ErrFork
	}
	return err
}

// A History says how another member's view of a group compares with one's own.
type History uint8

// The outcomes of CompareGroupInfo.
const (
	SameHistory  History = 1 // it is an epoch that this client was in, too
	Forked       History = 2 // it is another epoch of the same number
	LaterEpoch   History = 3 // it is ahead: commits are missing here, or it is a fork
	EarlierEpoch History = 4 // it is behind what is kept here, or it is a fork
)

// CompareGroupInfo compares the epoch of a GroupInfo, an MLSMessage that a member of
// the group signed, with the epochs that this client is in or keeps. It needs no
// tree; the signer must be a member here.
//
// Errors: *ValidationError, also if the signer is nobody here or the signature is
// not its own; ErrUseAfterEviction.
func (g *Group) CompareGroupInfo(groupInfo []byte) (History, error) {
	h, err := g.compareGroupInfo(groupInfo)
	return h, public(err)
}

func (g *Group) compareGroupInfo(groupInfo []byte) (History, error) {
	m, err := g.cfg.decode(groupInfo)
	if err != nil {
		return 0, err
	}
	if m.GroupInfo == nil {
		return 0, check.As(check.V008, check.ClassUnsupported, "not a group info")
	}
	gi := m.GroupInfo
	if string(gi.GroupContext.GroupID) != string(g.id) {
		return 0, check.Errorf(check.V070, "group info of another group")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.checkReceive(); err != nil {
		return 0, err
	}
	signer := g.cur.tree.Leaf(gi.Signer)
	if signer == nil {
		return 0, check.Errorf(check.V194, "signer's leaf is blank here")
	}
	if err := labels.VerifyWithLabel(g.suite, signer.SignatureKey, labels.LabelGroupInfoTBS, gi.AppendTBS(nil), gi.Signature); err != nil {
		return 0, check.Errorf(check.V194, "signature")
	}
	number := gi.GroupContext.Epoch
	switch own := g.messagesOf(number); {
	case number > g.head.epoch:
		return LaterEpoch, nil
	case own == nil:
		return EarlierEpoch, nil
	case string(own.context) == string(gi.GroupContext.Append(nil)):
		return SameHistory, nil
	}
	return Forked, nil
}

// OtherPartition returns the members that are not among own, the leaf indices of
// the members on this side of a fork: those whose key packages ReAdd needs.
func (g *Group) OtherPartition(own ...uint32) []Member {
	return slices.DeleteFunc(g.Members(), func(m Member) bool { return slices.Contains(own, m.Index) })
}

// ReAdd heals a fork: it commits the removal of the members of the other partition
// and adds them again by fresh key packages, in one commit. They join by its Welcome,
// after they have deleted their side of the group. own lists the leaf indices of the
// members on this side, this client among them.
//
// Errors: ErrPartition if the key packages are not those of exactly the other
// members; those of Commit.
func (g *Group) ReAdd(ctx context.Context, own []uint32, kps ...*KeyPackage) (*CommitBundle, error) {
	other := g.OtherPartition(own...)
	if len(other) != len(kps) || !slices.Contains(own, g.OwnIndex()) {
		return nil, ErrPartition
	}
	var remove []uint32
	var before, after []*proto.Credential
	for i, m := range other {
		remove = append(remove, m.Index)
		w := m.Credential.wire()
		before, after = append(before, &w), append(after, &kps[i].wire.LeafNode.Credential)
	}
	stranger, absent, err := matchClients(&g.cfg, before, after)
	if err != nil {
		return nil, public(err)
	}
	if stranger >= 0 || absent {
		return nil, ErrPartition
	}
	return g.SwapMembers(ctx, remove, kps...)
}

// Reboot leaves a forked or broken group behind: it makes a new one of this client
// and the owners of the key packages, with the old group's suite and extensions
// where Config says nothing, and returns it with its Welcome. Nothing but the
// members' credentials ties it to the old group, which stays until it is deleted.
// Config.GroupID must not be the old one; by default it is random.
func (g *Group) Reboot(ctx context.Context, opt SuccessorOptions) (*Group, []byte, error) {
	var extensions []Extension
	if err := g.read(func(e *epoch) { extensions = extensionsOf(e.context.Extensions) }); err != nil {
		return nil, nil, err
	}
	if opt.Config.CipherSuite == 0 {
		opt.Config.CipherSuite = g.CipherSuite()
	}
	if opt.Config.Extensions == nil {
		opt.Config.Extensions = extensions
	}
	return NewGroupWithMembers(ctx, g.provider, opt.Signer, opt.Credential, opt.Config, opt.KeyPackages...)
}
