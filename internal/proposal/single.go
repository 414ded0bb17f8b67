package proposal

import (
	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/provider"
)

// ValidateSingle checks a proposal that arrives, or is about to be sent, as a
// message of its own, RFC 9420 §12.1: V076–V079, V100–V107, V110, and the
// structure of V109's extensions.
//
// It checks what no other proposal of the epoch can change. Whether a new member
// supports the group's extensions (V026, V027, V046), whether all members support
// new ones (V108, V109) or a custom type (V031), and whether keys and clients are
// unique (V054, V055, V134, V135) depends on what is committed with it, so a
// proposal must not be refused for that before: another member's commit may
// cover it rightly.
func (e *Env) ValidateSingle(en Entry) error {
	if en.Sender.Type == proto.SenderTypeNewMemberCommit {
		return check.Errorf(check.V079, "an external committer sends no proposal")
	}
	if err := e.checkSender(&en); err != nil {
		return err
	}
	if en.Sender.Type == proto.SenderTypeExternal {
		senders, err := ExternalSenders(e.Context)
		if err != nil {
			return err
		}
		if uint64(en.Sender.Index) >= uint64(len(senders)) {
			return check.Errorf(check.V078, "no external sender %d", en.Sender.Index)
		}
	}
	rules := &leafRules{suite: e.Suite, policy: e.Policy, sending: e.Sending}
	jobs, err := e.checkProposal(rules, &en, nil)
	if err != nil {
		return err
	}
	if en.Proposal.Type == proto.ProposalTypeExternalInit {
		return check.Errorf(check.V107, "external init outside an external commit")
	}
	if err := verify(e.Suite, jobs...); err != nil {
		return err
	}
	if en.Sender.Type == proto.SenderTypeNewMemberProposal &&
		(e.Policy.AllowNewMember == nil || !e.Policy.AllowNewMember(en.Proposal.Add)) {
		return check.Errorf(check.V110, "application does not let the new member in")
	}
	return nil
}

// checkSender checks that a sender may send a proposal of that type, RFC 9420
// §6.1 and §12.1.8.
func (e *Env) checkSender(en *Entry) error {
	typ := en.Proposal.Type
	switch en.Sender.Type {
	case proto.SenderTypeMember:
		if !e.Tree.IsMember(en.Sender.Leaf) {
			return check.Errorf(check.V076, "sender's leaf %d is blank", en.Sender.Leaf)
		}
		return nil
	case proto.SenderTypeExternal:
		switch typ {
		case proto.ProposalTypeAdd, proto.ProposalTypeRemove, proto.ProposalTypePSK,
			proto.ProposalTypeReInit, proto.ProposalTypeGroupContextExtensions:
		default:
			return check.Errorf(check.V077, "proposal type %#04x from an external sender", uint16(typ))
		}
		return nil
	case proto.SenderTypeNewMemberProposal:
		if typ != proto.ProposalTypeAdd {
			return check.Errorf(check.V079, "proposal type %#04x from a new member", uint16(typ))
		}
		return nil
	case proto.SenderTypeNewMemberCommit:
		return nil // the list is checked as a whole, checkExternal
	}
	return check.Errorf(check.V079, "sender type %d can't propose", en.Sender.Type)
}

// checkProposal checks one proposal by its type and appends the signatures that
// remain to be verified. rules are those for the leaf that it brings, if any.
func (e *Env) checkProposal(rules *leafRules, en *Entry, jobs []provider.VerifyJob) ([]provider.VerifyJob, error) {
	switch p := en.Proposal; p.Type {
	case proto.ProposalTypeAdd: // V100
		if err := rules.checkKeyPackage(p.Add); err != nil {
			return jobs, err
		}
		return keyPackageJobs(jobs, p.Add), nil
	case proto.ProposalTypeUpdate:
		if err := e.checkUpdate(rules, en); err != nil {
			return jobs, err
		}
		return append(jobs, leafJob(p.Update, e.Context.GroupID, en.Sender.Leaf)), nil
	case proto.ProposalTypeRemove:
		if !e.Tree.IsMember(p.Remove) {
			return jobs, check.Errorf(check.V102, "leaf %d is blank", p.Remove)
		}
		return jobs, nil
	case proto.ProposalTypePSK:
		return jobs, e.checkPSK(p.PSK)
	case proto.ProposalTypeReInit:
		return jobs, e.checkReInit(p.ReInit)
	case proto.ProposalTypeExternalInit:
		if n := e.Suite.Params().Nenc; len(p.ExternalInit) != n {
			return jobs, check.Errorf(check.V107, "KEM output of %d bytes, the suite's have %d", len(p.ExternalInit), n)
		}
		return jobs, nil
	case proto.ProposalTypeGroupContextExtensions:
		return jobs, CheckExtensions(p.GroupContextExtensions, proto.PlaceGroupContext)
	default:
		if p.Type == 0 || proto.IsGREASE(uint16(p.Type)) {
			return jobs, check.Errorf(check.V029, "proposal type %#04x", uint16(p.Type))
		}
		return jobs, nil
	}
}

// checkUpdate checks an Update by itself, RFC 9420 §12.1.2, without its
// signature.
func (e *Env) checkUpdate(rules *leafRules, en *Entry) error {
	if en.Sender.Type != proto.SenderTypeMember {
		return check.Errorf(check.V101, "update of a sender who is no member")
	}
	leaf := en.Proposal.Update
	if err := rules.check(leaf, LeafInUpdate); err != nil {
		return check.AtLeaf(err, uint32(en.Sender.Leaf))
	}
	if old := e.Tree.Leaf(en.Sender.Leaf); sameKey(leaf.EncryptionKey, old.EncryptionKey) {
		return check.AtLeaf(check.Errorf(check.V053, "encryption key is not renewed"), uint32(en.Sender.Leaf))
	}
	return nil
}

// checkPSK checks a PreSharedKey proposal, RFC 9420 §12.1.4.
func (e *Env) checkPSK(id *proto.PreSharedKeyID) error {
	if n := e.Suite.Params().Nh; len(id.Nonce) != n {
		return check.Errorf(check.V103, "nonce of %d bytes instead of %d", len(id.Nonce), n)
	}
	if id.Type != proto.PSKTypeResumption || id.Usage == e.Resumption && e.Resumption != 0 {
		return nil
	}
	switch id.Usage {
	case proto.ResumptionPSKUsageReInit:
		return check.Errorf(check.V104, "reinit PSK outside a reinitialization")
	case proto.ResumptionPSKUsageBranch:
		return check.Errorf(check.V105, "branch PSK outside a branching")
	}
	return nil
}

// checkReInit checks a ReInit, RFC 9420 §12.1.5. Whether this client supports the
// new suite is for the application to know, who gets it.
func (e *Env) checkReInit(r *proto.ReInit) error {
	if r.Version < e.Context.Version {
		return check.Errorf(check.V106, "version %d is lower than the group's", r.Version)
	}
	if proto.IsGREASE(uint16(r.CipherSuite)) {
		return check.Errorf(check.V029, "suite %#04x", uint16(r.CipherSuite))
	}
	if n := len(r.GroupID); n == 0 || n > MaxGroupID {
		return check.Errorf(check.V106, "group id of %d bytes", n)
	}
	return CheckExtensions(r.Extensions, proto.PlaceGroupContext)
}

// MaxGroupID is the longest group id that a group of this implementation can
// have; an empty one it can't have either.
const MaxGroupID = 255

// ValidateWelcomePSKs checks the PSKs that a Welcome names, RFC 9420 §12.4.3.1:
// nonces of Nh bytes (V193) and at most one of usage reinit or branch (V192). It
// returns them in their order.
func ValidateWelcomePSKs(s provider.Suite, psks []proto.PreSharedKeyID) ([]*proto.PreSharedKeyID, error) {
	ids := make([]*proto.PreSharedKeyID, len(psks))
	special := false
	for i := range psks {
		id := &psks[i]
		if len(id.Nonce) != s.Params().Nh {
			return nil, check.Errorf(check.V193, "nonce of %d bytes", len(id.Nonce))
		}
		if id.Type == proto.PSKTypeResumption && id.Usage != proto.ResumptionPSKUsageApplication {
			if special {
				return nil, check.Errorf(check.V192, "two PSKs of usage reinit or branch")
			}
			special = true
		}
		ids[i] = id
	}
	return ids, nil
}
