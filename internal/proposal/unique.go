package proposal

import (
	"slices"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
)

// checkKeys checks that keys are unique among the members after the list, RFC
// 9420 §7.3, §12.2: V054, V055, and for Adds V134 and V135. A key whose leaf the
// list removes or updates away is free.
func (l *list) checkKeys() error {
	k := keySets{list: l, signature: map[string]struct{}{}, encryption: map[string]struct{}{},
		init: map[string]struct{}{}, free: map[string]struct{}{}}
	for _, m := range []map[treemath.LeafIndex]int{l.updates, l.removes} {
		for leaf := range m {
			k.free[string(l.Tree.Leaf(leaf).EncryptionKey)] = struct{}{}
		}
	}
	return l.each(func(_ int, en *Entry) error {
		switch p := en.Proposal; p.Type {
		case proto.ProposalTypeUpdate:
			return k.update(p.Update)
		case proto.ProposalTypeAdd:
			return k.add(p.Add)
		}
		return nil
	})
}

// keySets are the keys that a list brings.
type keySets struct {
	*list
	signature, encryption, init map[string]struct{}
	free                        map[string]struct{} // encryption keys that leave the tree
}

func (k *keySets) update(leaf *proto.LeafNode) error {
	if k.signatureTaken(leaf.SignatureKey) || !insert(k.signature, leaf.SignatureKey) {
		return check.Errorf(check.V054, "signature key of another member")
	}
	return k.encryptionKey(leaf.EncryptionKey)
}

func (k *keySets) add(kp *proto.KeyPackage) error {
	leaf := &kp.LeafNode
	if k.signatureTaken(leaf.SignatureKey) {
		return check.Errorf(check.V135, "signature key of a member")
	}
	if !insert(k.signature, leaf.SignatureKey) {
		return check.Errorf(check.V134, "signature key of another proposal")
	}
	if !insert(k.init, kp.InitKey) {
		return check.Errorf(check.V134, "init key of another proposal")
	}
	return k.encryptionKey(leaf.EncryptionKey)
}

// signatureTaken reports whether a member whose leaf stays as it is has the key.
func (k *keySets) signatureTaken(pub []byte) bool {
	leaf, found := k.Tree.FindSignatureKey(pub)
	return found && !k.concerned(leaf)
}

func (k *keySets) encryptionKey(pub []byte) error {
	_, free := k.free[string(pub)]
	if !free && k.Tree.HasEncryptionKey(pub) || !insert(k.encryption, pub) {
		return check.Errorf(check.V055, "encryption key occurs elsewhere")
	}
	return nil
}

// insert adds key to set and reports whether it was new.
func insert(set map[string]struct{}, key []byte) bool {
	n := len(set)
	set[string(key)] = struct{}{}
	return len(set) > n
}

// after calls yield for each member that is left from before the list, with the
// leaf that it will have, and the position of the proposal that brings it (-1 if
// the leaf stays as it is).
func (l *list) after(yield func(i treemath.LeafIndex, leaf *proto.LeafNode, position int) bool) {
	l.Tree.Members(func(i treemath.LeafIndex, leaf *proto.LeafNode) bool {
		if _, removed := l.removes[i]; removed {
			return true
		}
		if u, updated := l.updates[i]; updated {
			return yield(i, l.entries[u].Proposal.Update, u)
		}
		return yield(i, leaf, -1)
	})
}

// credentialsAfter is after for credentials.
func (l *list) credentialsAfter(yield func(i treemath.LeafIndex, c *proto.Credential) bool) {
	for i, c := range l.Tree.Credentials {
		if _, removed := l.removes[i]; removed {
			continue
		}
		if u, updated := l.updates[i]; updated {
			c = &l.entries[u].Proposal.Update.Credential
		}
		if !yield(i, c) {
			return
		}
	}
}

// credential returns the credential of the Add at a position.
func (l *list) credential(position int) *proto.Credential {
	return &l.entries[position].Proposal.Add.LeafNode.Credential
}

// checkClients checks that no client is added twice (V134) or is a member already
// (V135), as the application tells clients apart.
func (l *list) checkClients() error {
	if len(l.adds) == 0 {
		return nil
	}
	if l.Policy.ClientID != nil {
		return l.checkClientIDs(l.Policy.ClientID)
	}
	if l.Policy.SameClient == nil {
		return nil
	}
	a, m := uint64(len(l.adds)), uint64(l.Tree.LeafCount())
	if a*(a-1)/2+a*m <= maxPairs {
		return l.checkPairs(l.Policy.SameClient)
	}
	// Equal credentials are one client's or they are not: one question each.
	return l.checkClientIDs(func(c *proto.Credential) []byte {
		return c.Append(nil)
	}, l.Policy.SameClient)
}

// checkClientIDs compares clients by what id returns. Where it finds two of a
// kind, confirm has the last word.
func (l *list) checkClientIDs(id func(*proto.Credential) []byte, confirm ...func(a, b *proto.Credential) bool) error {
	same := func(a, b *proto.Credential) bool {
		if len(confirm) > 0 {
			a, b = a.Clone(), b.Clone()
		}
		return !slices.ContainsFunc(confirm, func(f func(a, b *proto.Credential) bool) bool { return !f(a, b) })
	}
	added := make(map[string]int, len(l.adds))
	for _, i := range l.adds {
		c := l.credential(i)
		k := id(c)
		if k == nil {
			continue
		}
		if j, dup := added[string(k)]; dup && same(l.credential(j), c) {
			if err := l.fail(i, errAddedTwice()); err != nil {
				return err
			}
			continue
		}
		added[string(k)] = i
	}
	var err error
	l.credentialsAfter(func(leaf treemath.LeafIndex, c *proto.Credential) bool {
		k := id(c)
		if i, dup := added[string(k)]; k != nil && dup && same(c, l.credential(i)) {
			err = l.fail(i, errMember(leaf))
		}
		return err == nil
	})
	return err
}

// checkPairs asks about every pair.
func (l *list) checkPairs(same func(a, b *proto.Credential) bool) error {
	added := make([]*proto.Credential, len(l.adds))
	for k, i := range l.adds {
		added[k] = l.credential(i).Clone()
		for _, before := range added[:k] {
			if same(before, added[k]) {
				if err := l.fail(i, errAddedTwice()); err != nil {
					return err
				}
			}
		}
	}
	var err error
	l.credentialsAfter(func(leaf treemath.LeafIndex, c *proto.Credential) bool {
		c = c.Clone()
		for k, i := range l.adds {
			if err == nil && same(c, added[k]) {
				err = l.fail(i, errMember(leaf))
			}
		}
		return err == nil
	})
	return err
}

func errAddedTwice() error { return check.Errorf(check.V134, "client of another proposal") }

func errMember(leaf treemath.LeafIndex) error {
	return check.AtLeaf(check.Errorf(check.V135, "client is a member"), uint32(leaf))
}
