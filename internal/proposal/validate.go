package proposal

import (
	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// list is a proposal list under validation.
type list struct {
	*Env
	committer proto.Sender
	entries   []Entry
	rules     *leafRules  // under the extensions after the list
	context   int         // the GroupContextExtensions proposal, or -1
	drop      func(i int) // takes stored entries that fail; nil: the first failure is the end
	dropped   bool

	adds    []int // positions
	custom  []int
	updates map[treemath.LeafIndex]int // leaf → position
	removes map[treemath.LeafIndex]int
}

// ValidateList checks the proposals that a commit covers, RFC 9420 §12.2: each by
// itself, under the extensions that the list itself sets (§12.3), and all of them
// together. committer is of type member or, for an external commit,
// new_member_commit. What the list lets through, Apply applies.
//
// Checks: V011, V020, V023–V031, V043–V055, V060–V066, V076–V079, V100–V109,
// V112, V130–V143, V146–V147, V149–V151. Credentials are left to the application.
func (e *Env) ValidateList(entries []Entry, committer proto.Sender) error {
	l := e.newList(entries, committer)
	return l.validate(l.checkProposals)
}

// newList returns a list to validate.
func (e *Env) newList(entries []Entry, committer proto.Sender) *list {
	return &list{Env: e, committer: committer, entries: entries, context: -1,
		updates: map[treemath.LeafIndex]int{}, removes: map[treemath.LeafIndex]int{}}
}

// validate runs the checks, those of each proposal by itself by means of
// proposals. It ends with the step that refused or dropped something.
func (l *list) validate(proposals func() error) error {
	if limit := l.Policy.MaxProposals; limit > 0 && len(l.entries) > limit {
		return check.Errorf(check.V112, "commit of %d proposals", len(l.entries))
	}
	for _, step := range []func() error{
		l.checkSenders, l.checkTypes, l.setExtensions, l.checkContext, proposals,
		l.checkKeys, l.checkClients, l.checkCustom, l.checkCredentialTypes,
	} {
		// A step relies on those before it.
		if err := step(); err != nil || l.dropped {
			return err
		}
	}
	return nil
}

// external reports whether the list is an external commit's.
func (l *list) external() bool { return l.committer.Type == proto.SenderTypeNewMemberCommit }

// each runs f for every entry.
func (l *list) each(f func(i int, en *Entry) error) error {
	for i := range l.entries {
		if err := f(i, &l.entries[i]); err != nil {
			if err := l.fail(i, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// fail names the position of the proposal that err is about, or drops a stored
// one and goes on.
func (l *list) fail(i int, err error) error {
	if l.drop != nil && !l.entries[i].byValue() {
		l.drop(i)
		l.dropped = true
		return nil
	}
	return check.AtProposal(err, i)
}

// checkSenders checks who commits and who proposed.
func (l *list) checkSenders() error {
	switch {
	case l.external():
	case l.committer.Type != proto.SenderTypeMember:
		return check.Errorf(check.V079, "sender type %d can't commit", l.committer.Type)
	case !l.Tree.IsMember(l.committer.Leaf):
		return check.Errorf(check.V076, "committer's leaf %d is blank", l.committer.Leaf)
	}
	return l.each(func(_ int, en *Entry) error {
		switch {
		case l.external() && !en.byValue():
			return check.Errorf(check.V150, "reference in an external commit")
		case en.byValue() && en.Sender != l.committer:
			return check.Errorf(check.V140, "proposal by value that is not the committer's")
		case !en.byValue() && en.Sender.Type == proto.SenderTypeNewMemberCommit:
			return check.Errorf(check.V079, "an external committer sends no proposal")
		}
		return l.checkSender(en)
	})
}

// checkTypes checks which types stand together, and files the entries.
func (l *list) checkTypes() error {
	var inits int
	psks := map[string]struct{}{}
	err := l.each(func(i int, en *Entry) error {
		p := en.Proposal
		if l.external() {
			switch p.Type {
			case proto.ProposalTypeExternalInit, proto.ProposalTypeRemove, proto.ProposalTypePSK:
			default:
				return check.Errorf(check.V149, "proposal type %#04x in an external commit", uint16(p.Type))
			}
		}
		switch p.Type {
		case proto.ProposalTypeAdd:
			l.adds = append(l.adds, i)
		case proto.ProposalTypeUpdate:
			return l.fileUpdate(i, en)
		case proto.ProposalTypeRemove:
			return l.fileRemove(i, p.Remove)
		case proto.ProposalTypePSK:
			return l.filePSK(psks, p.PSK)
		case proto.ProposalTypeReInit:
			if len(l.entries) > 1 {
				return check.Errorf(check.V138, "reinit among other proposals")
			}
		case proto.ProposalTypeExternalInit:
			if !l.external() {
				return check.Errorf(check.V139, "external init in a regular commit")
			}
			if inits++; inits > 1 {
				return check.Errorf(check.V146, "two external inits")
			}
		case proto.ProposalTypeGroupContextExtensions:
			if l.context >= 0 {
				return check.Errorf(check.V137, "two group context extensions proposals")
			}
			l.context = i
		default:
			l.custom = append(l.custom, i)
		}
		return nil
	})
	if err == nil && l.external() && inits == 0 {
		return check.Errorf(check.V146, "external commit without external init")
	}
	return err
}

func (l *list) fileUpdate(i int, en *Entry) error {
	leaf := en.Sender.Leaf
	switch {
	case en.Sender.Type != proto.SenderTypeMember:
		return check.Errorf(check.V101, "update of a sender who is no member")
	case en.byValue():
		return check.Errorf(check.V141, "update by value")
	case en.Sender == l.committer:
		return check.Errorf(check.V131, "update of the committer")
	case l.concerned(leaf):
		return check.Errorf(check.V133, "second update or remove of leaf %d", leaf)
	}
	l.updates[leaf] = i
	return nil
}

func (l *list) fileRemove(i int, leaf treemath.LeafIndex) error {
	switch {
	case l.external() && len(l.removes) > 0:
		return check.Errorf(check.V147, "two removes in an external commit")
	case !l.external() && leaf == l.committer.Leaf:
		return check.Errorf(check.V132, "remove of the committer")
	case l.concerned(leaf):
		return check.Errorf(check.V133, "second update or remove of leaf %d", leaf)
	}
	l.removes[leaf] = i
	return nil
}

// concerned reports whether the list updates or removes the member at leaf.
func (l *list) concerned(leaf treemath.LeafIndex) bool {
	_, updated := l.updates[leaf]
	_, removed := l.removes[leaf]
	return updated || removed
}

func (l *list) filePSK(seen map[string]struct{}, id *proto.PreSharedKeyID) error {
	k := string(id.Append(nil))
	if _, dup := seen[k]; dup {
		if l.external() {
			return check.Errorf(check.V151, "same PSK twice")
		}
		return check.Errorf(check.V136, "same PSK twice")
	}
	seen[k] = struct{}{}
	return nil
}

// setExtensions finds the extensions that rule the list, V143.
func (l *list) setExtensions() error {
	es := l.Context.Extensions
	if l.context >= 0 {
		es = l.entries[l.context].Proposal.GroupContextExtensions
		if err := CheckExtensions(es, proto.PlaceGroupContext); err != nil {
			return check.AtProposal(err, l.context)
		}
	}
	var err error
	l.rules, err = l.Env.rules(es)
	return err
}

// checkProposals checks every proposal by itself, V130, over all cores.
func (l *list) checkProposals() error {
	i, err := checkEach(l.Suite, len(l.entries), func(i int, jobs []provider.VerifyJob) ([]provider.VerifyJob, error) {
		en := &l.entries[i]
		all, err := l.checkProposal(l.rules, en, jobs)
		if en.Verified {
			all = jobs
		}
		return all, err
	})
	return check.AtProposal(err, i)
}

// checkUnsigned is checkProposals for proposals whose signatures were verified
// when they arrived.
func (l *list) checkUnsigned() error {
	return l.each(func(_ int, en *Entry) error {
		_, err := l.checkProposal(l.rules, en, nil)
		return err
	})
}
