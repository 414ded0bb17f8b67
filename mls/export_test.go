package mls

import (
	"context"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/provider"
)

// A FalseSuccessor is what a dishonest member makes of the successor's terms.
type FalseSuccessor struct {
	Branch     bool   // the PSK is of usage branch, else reinit
	Epoch      uint64 // of the PSK
	GroupID    []byte
	Suite      provider.CipherSuite
	Extensions []Extension
	Members    []Credential // who the members of the old group are said to be
}

// GoOnFalsely makes a successor of g by a member who does not keep to its terms:
// only the joiners can refuse it.
func (g *Group) GoOnFalsely(ctx context.Context, f FalseSuccessor, opt SuccessorOptions) (*Group, []byte, error) {
	before := &predecessor{usage: proto.ResumptionPSKUsageReInit, id: g.id, epoch: f.Epoch, suite: f.Suite, version: proto.MLS10,
		reinit: &proto.ReInit{GroupID: f.GroupID, Version: proto.MLS10, CipherSuite: f.Suite, Extensions: wireExtensions(f.Extensions)}}
	if f.Branch {
		before.usage, before.reinit = proto.ResumptionPSKUsageBranch, nil
	}
	for _, c := range f.Members {
		w := c.wire()
		before.members = append(before.members, &w)
	}
	opt.Config.GroupID, opt.Config.CipherSuite, opt.Config.Extensions = f.GroupID, f.Suite, f.Extensions
	return g.goOn(ctx, before, &opt)
}

// GroupWithoutID makes a group of an empty id in memory, with a Welcome for kp and a
// GroupInfo for external commits: what an implementation might send that allows it.
func GroupWithoutID(ctx context.Context, p provider.Provider, signer provider.Signer, cred Credential, cfg Config, kp *KeyPackage) (welcome, groupInfo []byte, err error) {
	g, first, err := newFirstEpoch(ctx, p, signer, cred, cfg)
	if err != nil {
		return nil, nil, err
	}
	g.id, first.context.GroupID = nil, nil
	first.contextBytes = first.context.Append(nil)
	first.messages = newMessages(first.publicState, first.keys, first.own, first.messages.secrets)
	opt := &CommitOptions{Proposals: adds([]*KeyPackage{kp}), GroupInfo: &GroupInfoOptions{ExternalPub: true}}
	st, _, err := g.prepareCommit(ctx, first.env(&g.cfg), first, nil, opt)
	if err != nil {
		return nil, nil, err
	}
	return st.welcome, st.groupInfo, nil
}
