package proposal

import (
	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
)

// ValidatePathLeaf checks the leaf of a commit's path, RFC 9420 §7.3, §12.4.2,
// against the tree and the extensions after the proposals (V162), and adds its
// credential to r.NewCredentials: a member's if it is a new one, an external
// committer's always. index is the committer's
// leaf in that tree: its own, or an external committer's leftmost blank one. r
// is the result of Apply, with no path merged yet.
//
// Checks: V011, V023–V027, V029, V030, V043–V046, V052, V054, V055, V163; for an
// external commit that removes an old leaf V053 and V148.
func (e *Env) ValidatePathLeaf(r *Result, leaf *proto.LeafNode, index treemath.LeafIndex, committer proto.Sender) error {
	return check.AtLeaf(e.validatePathLeaf(r, leaf, index, committer), uint32(index))
}

func (e *Env) validatePathLeaf(r *Result, leaf *proto.LeafNode, index treemath.LeafIndex, committer proto.Sender) error {
	external := committer.Type == proto.SenderTypeNewMemberCommit
	old, err := e.replacedByPath(r, leaf, index, external)
	if err != nil {
		return err
	}
	rules, err := e.rules(r.Extensions)
	if err != nil {
		return err
	}
	if err := rules.check(leaf, LeafInPath); err != nil {
		return err
	}
	if owner, found := r.Edit.Tree().FindSignatureKey(leaf.SignatureKey); found && (external || owner != index) {
		return check.Errorf(check.V054, "signature key of another member")
	}
	if r.Edit.Tree().HasEncryptionKey(leaf.EncryptionKey) {
		return check.Errorf(check.V055, "encryption key occurs elsewhere")
	}
	if external || !succeeds(leaf, old) {
		if err := checkAgainstMembers(r, leaf, index); err != nil {
			return err
		}
	}
	if err := verify(e.Suite, leafJob(leaf, e.Context.GroupID, index)); err != nil {
		return err
	}
	if !external {
		r.replaced(index, leaf, old, CredentialUpdate)
		return nil
	}
	joiner := CredentialCheck{Leaf: index, Credential: &leaf.Credential,
		SignatureKey: leaf.SignatureKey, Use: CredentialExternalJoin, Proposal: check.NoIndex}
	if old != nil {
		joiner.Replaces = &old.Credential
	}
	r.NewCredentials = append(r.NewCredentials, joiner)
	return nil
}

// replacedByPath returns the leaf whose place the path's leaf takes, nil if an
// external committer removes none, and checks that the new one is no repetition
// (V163, V053) and of the same client (V148).
func (e *Env) replacedByPath(r *Result, leaf *proto.LeafNode, index treemath.LeafIndex, external bool) (*proto.LeafNode, error) {
	if !external {
		old := e.Tree.Leaf(index)
		if old == nil {
			return nil, check.Errorf(check.V076, "committer's leaf is blank")
		}
		if sameKey(leaf.EncryptionKey, old.EncryptionKey) {
			return nil, check.Errorf(check.V163, "encryption key is not renewed")
		}
		return old, nil
	}
	if len(r.Removed) == 0 {
		return nil, nil
	}
	old := e.Tree.Leaf(r.Removed[0])
	if sameKey(leaf.EncryptionKey, old.EncryptionKey) {
		return nil, check.Errorf(check.V053, "encryption key is not renewed")
	}
	if !e.Policy.sameClient(&old.Credential, &leaf.Credential) {
		return nil, check.Errorf(check.V148, "external commit removes another client")
	}
	return old, nil
}

// checkAgainstMembers checks V046 for a leaf that comes to the other members of
// the tree after the proposals.
func checkAgainstMembers(r *Result, leaf *proto.LeafNode, index treemath.LeafIndex) error {
	var used typesInUse
	var err error
	brought := []proto.CredentialType{leaf.Credential.Type}
	r.Edit.Tree().Members(func(i treemath.LeafIndex, n *proto.LeafNode) bool {
		if i == index {
			return true
		}
		used.add(n.Credential.Type)
		if t, ok := containsAll(n.Capabilities.Credentials, brought); !ok {
			err = unsupportedCredential(t)
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	if t, ok := containsAll(leaf.Capabilities.Credentials, used.list); !ok {
		return unsupportedCredential(t)
	}
	return nil
}
