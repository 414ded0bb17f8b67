package proposal

import (
	"slices"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
)

// What follows looks at all members, and only where a list asks for it.

// checkCustom checks that who processes the commit supports each type of proposal
// that RFC 9420 does not define, V031: the members of the current epoch but for
// those whom the list removes. Members whom it adds need not.
func (l *list) checkCustom() error {
	if len(l.custom) == 0 {
		return nil
	}
	var need []proto.ProposalType
	for _, i := range l.custom {
		need = append(need, l.entries[i].Proposal.Type)
	}
	slices.Sort(need)
	need = slices.Compact(need)
	lacking := map[proto.ProposalType]treemath.LeafIndex{}
	l.Tree.Members(func(leaf treemath.LeafIndex, n *proto.LeafNode) bool {
		if _, removed := l.removes[leaf]; removed {
			return true
		}
		for {
			t, ok := containsAll(n.Capabilities.Proposals, need)
			if ok {
				return len(need) > 0
			}
			lacking[t] = leaf
			need = slices.DeleteFunc(need, func(n proto.ProposalType) bool { return n == t })
		}
	})
	return l.each(func(_ int, en *Entry) error {
		leaf, unsupported := lacking[en.Proposal.Type]
		if !unsupported {
			return nil
		}
		err := check.Errorf(check.V031, "member does not support proposal type %#04x", uint16(en.Proposal.Type))
		return check.AtLeaf(err, uint32(leaf))
	})
}

// checkContext checks that every member after the list supports the extensions
// that it sets (V109) and what these require (V108). New leaves were checked with
// the proposals that bring them.
func (l *list) checkContext() error {
	if l.context < 0 {
		return nil
	}
	d := *l.rules.demands
	d.ids = groupDemands
	var err error
	l.after(func(leaf treemath.LeafIndex, n *proto.LeafNode, position int) bool {
		if position < 0 {
			err = check.AtLeaf(d.meets(&n.Capabilities), uint32(leaf))
		}
		return err == nil
	})
	if err != nil {
		return l.fail(l.context, err)
	}
	return nil
}

// newLeaf is a leaf that the list brings.
type newLeaf struct {
	*proto.LeafNode
	position int
}

// newLeaves returns the leaves whose credential or capabilities may not fit the
// members: those of Adds, and of Updates that change either.
func (l *list) newLeaves() []newLeaf {
	leaves := make([]newLeaf, 0, len(l.adds))
	for _, i := range l.adds {
		leaves = append(leaves, newLeaf{&l.entries[i].Proposal.Add.LeafNode, i})
	}
	for at, i := range l.updates {
		if u := l.entries[i].Proposal.Update; !succeeds(u, l.Tree.Leaf(at)) {
			leaves = append(leaves, newLeaf{u, i})
		}
	}
	slices.SortFunc(leaves, func(a, b newLeaf) int { return a.position - b.position })
	return leaves
}

// succeeds reports whether a leaf that takes the place of old fits all members
// that old fits, as to credential types: it has the same and supports at least
// the same.
func succeeds(leaf, old *proto.LeafNode) bool {
	have, had := leaf.Capabilities.Credentials, old.Capabilities.Credentials
	lost := func(t proto.CredentialType) bool { return !proto.IsGREASE(uint16(t)) && !slices.Contains(have, t) }
	return leaf.Credential.Type == old.Credential.Type &&
		len(have)*len(had) <= fewCompares && !slices.ContainsFunc(had, lost)
}

// checkCredentialTypes checks that all members support the credential types in
// use, V046, both ways: old members those of new leaves, new leaves all.
func (l *list) checkCredentialTypes() error {
	fresh := l.newLeaves()
	if len(fresh) == 0 {
		return nil
	}
	var used typesInUse
	for leaf, t := range l.Tree.CredentialTypes {
		if _, removed := l.removes[leaf]; removed {
			continue
		}
		// An Update that succeeds its leaf has the same type.
		if u, updated := l.updates[leaf]; !updated || succeeds(l.entries[u].Proposal.Update, l.Tree.Leaf(leaf)) {
			used.add(t)
		}
	}
	old := len(used.list)
	bring := map[proto.CredentialType]int{}
	for _, n := range fresh {
		if used.add(n.Credential.Type) {
			bring[n.Credential.Type] = n.position
		}
	}
	for _, n := range fresh {
		if t, ok := containsAll(n.Capabilities.Credentials, used.list); !ok {
			if err := l.fail(n.position, unsupportedCredential(t)); err != nil {
				return err
			}
		}
	}
	introduced := used.list[old:]
	if len(introduced) == 0 {
		return nil
	}
	var err error
	l.after(func(leaf treemath.LeafIndex, n *proto.LeafNode, _ int) bool {
		if t, ok := containsAll(n.Capabilities.Credentials, introduced); !ok {
			err = l.fail(bring[t], check.AtLeaf(unsupportedCredential(t), uint32(leaf)))
		}
		return err == nil
	})
	return err
}

func unsupportedCredential(t proto.CredentialType) error {
	return check.Errorf(check.V046, "credential type %d is not supported by all members", t)
}

// typesInUse is the set of the members' credential types.
type typesInUse struct {
	list []proto.CredentialType
	set  map[proto.CredentialType]struct{}
}

// add adds t and reports whether it was new.
func (u *typesInUse) add(t proto.CredentialType) bool {
	if n := len(u.list); n > 0 && u.list[n-1] == t {
		return false // nearly always
	}
	if u.set == nil {
		u.set = map[proto.CredentialType]struct{}{}
	}
	if _, known := u.set[t]; known {
		return false
	}
	u.set[t] = struct{}{}
	u.list = append(u.list, t)
	return true
}
