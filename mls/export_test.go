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
