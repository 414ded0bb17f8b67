package proposal

import (
	"slices"
	"time"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// A LeafUse says where a leaf node appears, RFC 9420 §7.3.
type LeafUse uint8

// The appearances of leaf nodes.
const (
	LeafInKeyPackage LeafUse = 1
	LeafInUpdate     LeafUse = 2
	LeafInPath       LeafUse = 3
	LeafInTree       LeafUse = 4
)

// leafRules are what a leaf node is checked against by itself, RFC 9420 §7.3:
// all but its signature and what concerns other members.
type leafRules struct {
	suite   provider.Suite
	policy  *Policy
	demands *demands // nil: of no group yet
	sending bool
}

// check checks one leaf.
func (r *leafRules) check(leaf *proto.LeafNode, use LeafUse) error {
	if err := checkSource(leaf, use); err != nil {
		return err
	}
	if err := r.checkKeys(leaf); err != nil {
		return err
	}
	if err := r.checkCapabilities(leaf); err != nil {
		return err
	}
	if r.demands != nil {
		if err := r.demands.meets(&leaf.Capabilities); err != nil {
			return err
		}
	}
	return r.checkLifetime(leaf)
}

// checkSource checks that a leaf is of the kind that its place asks for, V050,
// V051, V052.
func checkSource(leaf *proto.LeafNode, use LeafUse) error {
	switch {
	case use == LeafInKeyPackage && leaf.Source != proto.LeafNodeSourceKeyPackage:
		return check.Errorf(check.V050, "leaf of source %d in a key package", leaf.Source)
	case use == LeafInUpdate && leaf.Source != proto.LeafNodeSourceUpdate:
		return check.Errorf(check.V051, "leaf of source %d in an update", leaf.Source)
	case use == LeafInPath && leaf.Source != proto.LeafNodeSourceCommit:
		return check.Errorf(check.V052, "leaf of source %d in a path", leaf.Source)
	}
	return nil
}

// checkKeys checks that both keys are keys of the suite, V011 and V043.
func (r *leafRules) checkKeys(leaf *proto.LeafNode) error {
	if err := r.suite.HPKE().CheckPublicKey(leaf.EncryptionKey); err != nil {
		return check.As(check.V011, check.ClassLeaf, "encryption key: %w", err)
	}
	if n := r.suite.Params().Nsigpk; len(leaf.SignatureKey) != n {
		return check.Errorf(check.V043, "signature key of %d bytes, the suite's have %d", len(leaf.SignatureKey), n)
	}
	if err := r.suite.CheckSignatureKey(leaf.SignatureKey); err != nil {
		return check.As(check.V011, check.ClassLeaf, "signature key: %w", err)
	}
	return nil
}

// checkCapabilities checks that a leaf supports what it uses itself: V023, V024,
// V025, V029, and that its extensions may stand in a leaf.
func (r *leafRules) checkCapabilities(leaf *proto.LeafNode) error {
	c := &leaf.Capabilities
	if r.policy.StrictCapabilities && (slices.ContainsFunc(c.Extensions, isDefaultExtension) ||
		slices.ContainsFunc(c.Proposals, isDefaultProposal)) {
		return check.Errorf(check.V023, "capabilities list a default type")
	}
	if err := CheckExtensions(leaf.Extensions, proto.PlaceLeafNode); err != nil {
		return err
	}
	if t, ok := listed(leaf.Extensions, c); !ok {
		return check.Errorf(check.V024, "leaf extension %#04x is not in its capabilities", uint16(t))
	}
	t := leaf.Credential.Type
	if t == 0 || proto.IsGREASE(uint16(t)) {
		return check.Errorf(check.V029, "credential type %#04x", uint16(t))
	}
	if !slices.Contains(c.Credentials, t) {
		return check.Errorf(check.V025, "credential type %d is not in the leaf's capabilities", t)
	}
	return nil
}

// listed reports whether capabilities list every non-default extension of es,
// GREASE included, and otherwise one that is missing.
func listed(es proto.Extensions, c *proto.Capabilities) (missing proto.ExtensionType, ok bool) {
	contains := func(t proto.ExtensionType) bool { return slices.Contains(c.Extensions, t) }
	if len(es)*len(c.Extensions) > fewCompares {
		set := make(map[proto.ExtensionType]struct{}, len(c.Extensions))
		for _, t := range c.Extensions {
			set[t] = struct{}{}
		}
		contains = func(t proto.ExtensionType) bool { _, ok := set[t]; return ok }
	}
	for i := range es {
		if t := es[i].Type; !isDefaultExtension(t) && !contains(t) {
			return t, false
		}
	}
	return 0, true
}

// checkLifetime checks a leaf that came with a key package, V047 to V049. Others
// have no lifetime.
func (r *leafRules) checkLifetime(leaf *proto.LeafNode) error {
	if leaf.Source != proto.LeafNodeSourceKeyPackage {
		return nil
	}
	l := leaf.Lifetime
	if l.NotAfter < l.NotBefore {
		return check.Errorf(check.V049, "lifetime ends before it begins")
	}
	if limit := r.policy.MaxLifetime; limit > 0 && l.NotAfter-l.NotBefore > uint64(limit/time.Second) {
		return check.Errorf(check.V049, "lifetime is longer than %v", limit)
	}
	if !r.sending && !r.policy.CheckLifetime {
		return nil
	}
	id := check.V048
	if r.sending {
		id = check.V047
	}
	now := uint64(max(0, r.policy.Now.Unix()))
	switch {
	case now < l.NotBefore:
		return check.Errorf(id, "not valid yet")
	case now > l.NotAfter:
		return check.Errorf(id, "expired")
	}
	return nil
}

// rules returns the rules for leaves of a group with the given extensions.
func (e *Env) rules(es proto.Extensions) (*leafRules, error) {
	d, err := newDemands(e.Suite.Params().ID, es, leafDemands)
	if err != nil {
		return nil, err
	}
	return &leafRules{suite: e.Suite, policy: e.Policy, demands: d, sending: e.Sending}, nil
}

// ValidateLeaf checks a leaf of the group, at the given index, by itself: V011,
// V023–V027, V029, V030, V043–V045, V047–V052. What concerns other members (V046,
// V053–V055) is ValidateList's and ValidatePathLeaf's.
func (e *Env) ValidateLeaf(leaf *proto.LeafNode, use LeafUse, index treemath.LeafIndex) error {
	r, err := e.rules(e.Context.Extensions)
	if err != nil {
		return err
	}
	if err := r.check(leaf, use); err != nil {
		return check.AtLeaf(err, uint32(index))
	}
	return verify(e.Suite, leafJob(leaf, e.Context.GroupID, index))
}
