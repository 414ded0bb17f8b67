package proposal

import (
	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
)

// An Entry is a proposal with its sender, as a commit covers it.
type Entry struct {
	Proposal *proto.Proposal
	Sender   proto.Sender
	Ref      []byte // its ProposalRef; nil if the commit holds it by value

	// Verified says that the signatures of an Add's key package were verified
	// when this client parsed it, so that they need not be once more.
	Verified bool
}

// byValue reports whether the commit itself holds the proposal.
func (en *Entry) byValue() bool { return en.Ref == nil }

// Resolve returns the proposals that a commit covers, in its order. lookup finds
// a proposal of the current epoch that was validated when it arrived
// (ValidateSingle); what the commit holds by value is its committer's.
//
// Checks: V079 the sender may commit; V140 every reference is known and occurs
// once; V150 an external commit has no references.
func Resolve(c *proto.Commit, committer proto.Sender, lookup func(ref []byte) (Entry, bool)) ([]Entry, error) {
	external := committer.Type == proto.SenderTypeNewMemberCommit
	if !external && committer.Type != proto.SenderTypeMember {
		return nil, check.Errorf(check.V079, "sender type %d can't commit", committer.Type)
	}
	entries := make([]Entry, 0, c.Proposals.Len())
	seen := make(map[string]struct{})
	for i, p := range c.Proposals.All() {
		if p.Proposal != nil {
			entries = append(entries, Entry{Proposal: p.Proposal, Sender: committer})
			continue
		}
		if external {
			return nil, check.AtProposal(check.Errorf(check.V150, "reference in an external commit"), i)
		}
		if _, dup := seen[string(p.Reference)]; dup {
			return nil, check.AtProposal(check.Errorf(check.V140, "referenced twice"), i)
		}
		seen[string(p.Reference)] = struct{}{}
		en, ok := lookup(p.Reference)
		if !ok {
			return nil, check.AtProposal(check.Errorf(check.V140, "unknown reference"), i)
		}
		en.Ref = p.Reference
		entries = append(entries, en)
	}
	return entries, nil
}

// PathRequired reports whether a commit of these proposals must have a path, RFC
// 9420 §12.4: if there is none of them, or one that changes who knows what
// without adding a secret. A type unknown to RFC 9420 asks for no path.
func PathRequired(entries []Entry) bool {
	for i := range entries {
		switch entries[i].Proposal.Type {
		case proto.ProposalTypeUpdate, proto.ProposalTypeRemove,
			proto.ProposalTypeExternalInit, proto.ProposalTypeGroupContextExtensions:
			return true
		}
	}
	return len(entries) == 0
}
