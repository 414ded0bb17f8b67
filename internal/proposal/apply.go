package proposal

import (
	"slices"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/ratchettree"
	"github.com/hardmls/hardmls/internal/treemath"
)

// Added is a member whom a list adds.
type Added struct {
	Leaf       treemath.LeafIndex
	KeyPackage *proto.KeyPackage
}

// A Result is what a proposal list does.
type Result struct {
	Edit       *ratchettree.Edit // the tree with the list applied
	Extensions proto.Extensions  // of the next GroupContext

	Updated []treemath.LeafIndex // in list order, as all that follow
	Removed []treemath.LeafIndex
	Added   []Added
	PSKs    []*proto.PreSharedKeyID

	ExternalInit []byte        // kem_output of an external commit
	ReInit       *proto.ReInit // nil if there is none
	Custom       []Entry       // types that RFC 9420 does not define

	// NewCredentials are to be authenticated before the result is used.
	NewCredentials []CredentialCheck
}

// Apply applies a list that ValidateList let through, in the order of RFC 9420
// §12.3: extensions, Updates, Removes, Adds, each in list order (V144). The
// Env's tree stays as it is.
func (e *Env) Apply(entries []Entry, committer proto.Sender) (*Result, error) {
	r := &Result{Edit: e.Tree.Edit(), Extensions: e.Context.Extensions}
	for _, t := range []proto.ProposalType{
		proto.ProposalTypeGroupContextExtensions,
		proto.ProposalTypeUpdate,
		proto.ProposalTypeRemove,
		proto.ProposalTypeAdd,
	} {
		for i := range entries {
			if entries[i].Proposal.Type != t {
				continue
			}
			known := len(r.NewCredentials)
			if err := e.apply(r, &entries[i]); err != nil {
				return nil, check.AtProposal(err, i)
			}
			for k := range r.NewCredentials[known:] {
				r.NewCredentials[known+k].Proposal = i
			}
		}
	}
	for i := range entries {
		switch p := entries[i].Proposal; p.Type {
		case proto.ProposalTypePSK:
			r.PSKs = append(r.PSKs, p.PSK)
		case proto.ProposalTypeExternalInit:
			r.ExternalInit = p.ExternalInit
		case proto.ProposalTypeReInit:
			r.ReInit = p.ReInit
		default:
			if !isDefaultProposal(p.Type) {
				r.Custom = append(r.Custom, entries[i])
			}
		}
	}
	return r, nil
}

// apply applies a proposal that changes the tree or the extensions.
func (e *Env) apply(r *Result, en *Entry) error {
	switch p := en.Proposal; p.Type {
	case proto.ProposalTypeGroupContextExtensions:
		r.Extensions = p.GroupContextExtensions
		return r.newSenders(e.Context.Extensions)
	case proto.ProposalTypeUpdate:
		i := en.Sender.Leaf
		old := e.Tree.Leaf(i)
		if old == nil {
			return check.Errorf(check.V101, "leaf %d is blank", i)
		}
		r.Edit.Update(i, p.Update)
		r.Updated = append(r.Updated, i)
		r.replaced(i, p.Update, old, CredentialUpdate)
	case proto.ProposalTypeRemove:
		if !r.Edit.Tree().IsMember(p.Remove) {
			return check.Errorf(check.V102, "leaf %d is blank", p.Remove)
		}
		r.Edit.Remove(p.Remove)
		r.Removed = append(r.Removed, p.Remove)
	case proto.ProposalTypeAdd:
		leaf := &p.Add.LeafNode
		i := r.Edit.Add(leaf)
		r.Added = append(r.Added, Added{i, p.Add})
		r.NewCredentials = append(r.NewCredentials, CredentialCheck{Leaf: i, Credential: &leaf.Credential,
			SignatureKey: leaf.SignatureKey, Use: CredentialAdd})
	}
	return nil
}

// newSenders notes the credentials of external senders that the new extensions
// bring, RFC 9420 §5.3.1: all of them if the list differs from the old one's.
func (r *Result) newSenders(old proto.Extensions) error {
	data, ok := r.Extensions.Find(proto.ExtensionTypeExternalSenders)
	if !ok {
		return nil
	}
	if before, ok := old.Find(proto.ExtensionTypeExternalSenders); ok && sameKey(before, data) {
		return nil
	}
	senders, err := proto.DecodeExternalSenders(data)
	if err != nil {
		return err
	}
	for i := range senders {
		s := &senders[i]
		r.NewCredentials = append(r.NewCredentials, CredentialCheck{Credential: &s.Credential,
			SignatureKey: s.SignatureKey, Use: CredentialExternalSender})
	}
	return nil
}

// replaced notes the credential of a leaf that takes the place of old, unless
// both credential and signature key are the old ones, which were authenticated
// when they came: an old credential may have expired since (V056).
func (r *Result) replaced(i treemath.LeafIndex, leaf, old *proto.LeafNode, use CredentialUse) {
	if sameKey(leaf.SignatureKey, old.SignatureKey) && equalCredentials(&leaf.Credential, &old.Credential) {
		return
	}
	r.NewCredentials = append(r.NewCredentials, CredentialCheck{Leaf: i, Credential: &leaf.Credential,
		SignatureKey: leaf.SignatureKey, Replaces: &old.Credential, Use: use, Proposal: check.NoIndex})
}

func equalCredentials(a, b *proto.Credential) bool {
	return a.Type == b.Type && sameKey(a.Identity, b.Identity) &&
		slices.EqualFunc(a.Certificates, b.Certificates, sameKey)
}
