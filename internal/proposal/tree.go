package proposal

import (
	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/ratchettree"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// ValidateTreeLeaves checks every leaf of a group's tree, as its creator and who
// joins it do, RFC 9420 §12.4.3.1 (V127): V011, V023–V027, V029, V030, V043, V046,
// V048, V049. Signatures and the uniqueness of keys are package ratchettree's. It
// takes time linear in the tree, over all cores.
func ValidateTreeLeaves(s provider.Suite, tree *ratchettree.Tree, context *proto.GroupContext, policy *Policy) error {
	if err := CheckExtensions(context.Extensions, proto.PlaceGroupContext); err != nil {
		return err
	}
	d, err := newDemands(s.Params().ID, context.Extensions, leafDemands)
	if err != nil {
		return err
	}
	var (
		rules   = leafRules{suite: s, policy: policy, demands: d}
		used    typesInUse
		members = make([]treemath.LeafIndex, 0, tree.MemberCount())
	)
	for i, t := range tree.CredentialTypes {
		used.add(t)
		members = append(members, i)
	}
	i, err := checkEach(s, len(members), func(i int, jobs []provider.VerifyJob) ([]provider.VerifyJob, error) {
		return jobs, rules.check(tree.Leaf(members[i]), LeafInTree)
	})
	if err == nil && len(used.list) > 1 { // each leaf supports its own: V025
		i, err = checkEach(s, len(members), func(i int, jobs []provider.VerifyJob) ([]provider.VerifyJob, error) {
			if t, ok := containsAll(tree.Leaf(members[i]).Capabilities.Credentials, used.list); !ok {
				return jobs, unsupportedCredential(t)
			}
			return jobs, nil
		})
	}
	if err != nil {
		return check.AtLeaf(err, uint32(members[i]))
	}
	return nil
}
