package proposal

import (
	"errors"
	"slices"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
)

// Select returns the entries that a committer can commit together, in their
// order, RFC 9420 §12.2. Entries by value are what the committer itself wants:
// they stay, whatever they conflict with. Of the stored ones
//
//   - the committer's own Updates and the Removes of itself go, and ExternalInits;
//   - of those that concern one leaf a Remove stays, or else the latest Update;
//   - of Adds with one signature or init key, and of GroupContextExtensions, the
//     latest stays; of equal PSKs the first;
//   - a ReInit stays only if nothing else does.
//
// An external committer refers to no proposal, so it gets those by value.
func Select(entries []Entry, committer proto.Sender) []Entry {
	s := selection{entries: entries, committer: committer, taken: map[string]struct{}{}, keep: make([]bool, len(entries))}
	for i := range entries {
		if entries[i].byValue() {
			s.keep[i] = true
			s.take(i)
		}
	}
	if committer.Type == proto.SenderTypeMember {
		s.pass(false, func(p *proto.Proposal) bool {
			return p.Type == proto.ProposalTypeRemove || p.Type == proto.ProposalTypePSK
		})
		s.pass(true, func(p *proto.Proposal) bool {
			switch p.Type {
			case proto.ProposalTypeRemove, proto.ProposalTypePSK, proto.ProposalTypeReInit, proto.ProposalTypeExternalInit:
				return false
			}
			return true
		})
		s.pass(true, func(p *proto.Proposal) bool { return p.Type == proto.ProposalTypeReInit })
	}
	var kept []Entry
	for i, keep := range s.keep {
		if keep {
			kept = append(kept, entries[i])
		}
	}
	return kept
}

// selection is the state of Select.
type selection struct {
	entries   []Entry
	committer proto.Sender
	keep      []bool
	kept      int
	reinit    bool // one is kept
	taken     map[string]struct{}
}

// pass keeps the stored entries of the wanted types that conflict with none kept
// so far, the latest first if asked.
func (s *selection) pass(latest bool, wanted func(*proto.Proposal) bool) {
	for k := range s.entries {
		i := k
		if latest {
			i = len(s.entries) - 1 - k
		}
		if en := &s.entries[i]; !en.byValue() && wanted(en.Proposal) && s.fits(en) {
			s.keep[i] = true
			s.take(i)
		}
	}
}

// fits reports whether en goes with what is kept.
func (s *selection) fits(en *Entry) bool {
	p := en.Proposal
	switch {
	case s.reinit,
		p.Type == proto.ProposalTypeReInit && s.kept > 0,
		p.Type == proto.ProposalTypeUpdate && en.Sender == s.committer,
		p.Type == proto.ProposalTypeRemove && p.Remove == s.committer.Leaf:
		return false
	}
	for _, slot := range slots(en) {
		if _, taken := s.taken[slot]; taken {
			return false
		}
	}
	return true
}

func (s *selection) take(i int) {
	s.kept++
	s.reinit = s.reinit || s.entries[i].Proposal.Type == proto.ProposalTypeReInit
	for _, slot := range slots(&s.entries[i]) {
		s.taken[slot] = struct{}{}
	}
}

// slots names what only one proposal of a list can have.
func slots(en *Entry) []string {
	leaf := func(i treemath.LeafIndex) []string {
		return []string{"leaf" + string([]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})}
	}
	switch p := en.Proposal; p.Type {
	case proto.ProposalTypeAdd:
		return []string{"sign" + string(p.Add.LeafNode.SignatureKey), "init" + string(p.Add.InitKey)}
	case proto.ProposalTypeUpdate:
		return leaf(en.Sender.Leaf)
	case proto.ProposalTypeRemove:
		return leaf(p.Remove)
	case proto.ProposalTypePSK:
		return []string{"psk " + string(p.PSK.Append(nil))}
	case proto.ProposalTypeGroupContextExtensions:
		return []string{"context"}
	}
	return nil
}

// Select of an Env starts over this often at most, and from patience on it drops
// all stored proposals of a type that it has to drop one of.
const (
	patience      = 8
	maxSelections = patience + 8 // one for each type, and for those not of RFC 9420
)

// Select is the function Select, and drops stored proposals that the group as it
// is does not allow as well, so that a proposal of ill will keeps nobody from
// committing. Stored ones have passed ValidateSingle in this epoch, so their
// signatures are not verified again. What the committer wants by value is not
// dropped: ValidateList reports what is wrong with it.
//
// If there are more than the policy allows in one commit, the latest stored ones go,
// the committer's own last.
//
// A dropped proposal may let in another that it stood in the way of. If that
// goes on for long, somebody is at play, and the types concerned go altogether.
func (e *Env) Select(entries []Entry, committer proto.Sender) []Entry {
	if !slices.ContainsFunc(entries, func(en Entry) bool { return !en.byValue() }) {
		return entries // thousands of Adds, perhaps: nothing to choose from
	}
	left := entries
	for round := range maxSelections {
		kept := e.trim(Select(left, committer), committer)
		refs, types := map[string]struct{}{}, map[proto.ProposalType]struct{}{}
		l := e.newList(kept, committer)
		l.drop = func(i int) {
			refs[string(kept[i].Ref)] = struct{}{}
			types[kept[i].Proposal.Type] = struct{}{}
		}
		var failed *check.Error
		if err := l.validate(l.checkUnsigned); errors.As(err, &failed) && failed.Proposal != check.NoIndex {
			_ = l.fail(failed.Proposal, err) // one by value stays, for ValidateList to refuse
		}
		if !l.dropped {
			return kept
		}
		left = slices.DeleteFunc(slices.Clone(left), func(en Entry) bool {
			_, drop := refs[string(en.Ref)]
			_, all := types[en.Proposal.Type]
			return !en.byValue() && (drop || all && round >= patience)
		})
	}
	return slices.DeleteFunc(slices.Clone(entries), func(en Entry) bool { return !en.byValue() })
}

// trim drops stored entries that a commit has no room for, V112.
func (e *Env) trim(entries []Entry, committer proto.Sender) []Entry {
	limit := e.Policy.MaxProposals
	for _, own := range []bool{false, true} {
		for i := len(entries) - 1; i >= 0 && limit > 0 && len(entries) > limit; i-- {
			if en := &entries[i]; !en.byValue() && (en.Sender == committer) == own {
				entries = slices.Delete(entries, i, i+1)
			}
		}
	}
	return entries
}
