package ratchettree

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// Private is a member's own half of a ratchet tree: the key of its leaf, and the
// keys of the nodes above it that it knows, RFC 9420 §4.2. It is immutable until
// Erase; versions of successive epochs share what stayed.
type Private struct {
	own   treemath.LeafIndex
	leaf  *nodeKey
	nodes pathKeys
}

// pathKeys are the keys of the nodes above a leaf that are known, from the bottom.
// There are few, so they are looked through.
type pathKeys []pathKey

type pathKey struct {
	node treemath.NodeIndex
	key  *nodeKey
}

// find returns the key of a node, nil if it is not known.
func (k pathKeys) find(x treemath.NodeIndex) *nodeKey {
	for i := range k {
		if k[i].node == x {
			return k[i].key
		}
	}
	return nil
}

// set adds or replaces the key of a node.
func (k *pathKeys) set(x treemath.NodeIndex, key *nodeKey) {
	at, found := slices.BinarySearchFunc(*k, x, func(p pathKey, x treemath.NodeIndex) int { return p.node.Level() - x.Level() })
	if !found {
		*k = slices.Insert(*k, at, pathKey{x, key})
		return
	}
	(*k)[at].key.release()
	(*k)[at] = pathKey{x, key}
}

// share returns the keys for another version.
func (k pathKeys) share() pathKeys {
	for i := range k {
		k[i].key.share()
	}
	return slices.Clone(k)
}

func (k pathKeys) release() {
	for i := range k {
		k[i].key.release()
	}
}

// nodeKey is the private key of one node, counted by the versions that share it.
type nodeKey struct {
	refs   atomic.Int32
	secret *secret.Secret // node_secret; nil for a leaf, whose key may be in a token
	key    provider.DecryptionKey
}

func newNodeKey(s *secret.Secret, key provider.DecryptionKey) *nodeKey {
	k := &nodeKey{secret: s, key: key}
	k.refs.Store(1)
	return k
}

func (k *nodeKey) share() *nodeKey {
	k.refs.Add(1)
	return k
}

func (k *nodeKey) release() {
	if k.refs.Add(-1) == 0 {
		k.secret.Erase()
		k.key.Wipe()
	}
}

// NewPrivate returns the own half of a member that knows its leaf key only, which
// it takes over.
func NewPrivate(own treemath.LeafIndex, key provider.DecryptionKey) *Private {
	return &Private{own: own, leaf: newNodeKey(nil, key)}
}

// Own returns the own leaf.
func (p *Private) Own() treemath.LeafIndex { return p.own }

// Erase gives up the keys; those that no other version shares are wiped. It is
// idempotent, also for a nil p.
func (p *Private) Erase() {
	if p == nil || p.leaf == nil {
		return
	}
	p.leaf.release()
	p.nodes.release()
	p.leaf, p.nodes = nil, nil
}

// Format prints no key, whatever the verb.
func (p *Private) Format(f fmt.State, _ rune) { io.WriteString(f, "ratchettree.Private(redacted)") }

// WithLeaf returns a version with another leaf key, which it takes over.
func (p *Private) WithLeaf(key provider.DecryptionKey) *Private {
	return &Private{own: p.own, leaf: newNodeKey(nil, key), nodes: p.nodes.share()}
}

// Prune returns a version with the keys that t still has: those of nodes that
// were blanked or renewed since are left behind.
func (p *Private) Prune(t *Tree) *Private {
	q := &Private{own: p.own, leaf: p.leaf.share()}
	for _, k := range p.nodes {
		if string(t.parentKey(k.node)) == string(k.key.key.Public()) {
			q.nodes = append(q.nodes, pathKey{k.node, k.key.share()})
		}
	}
	return q
}

// Secrets calls yield for the node secret of every node above the own leaf that
// is known, from the bottom, until it returns false: what a store keeps.
func (p *Private) Secrets(yield func(x treemath.NodeIndex, s *secret.Secret) bool) {
	for _, k := range p.nodes {
		if !yield(k.node, k.key.secret) {
			return
		}
	}
}

// Restore adds the key of a node from its stored node secret, which must be that
// of t's node.
func (p *Private) Restore(t *Tree, x treemath.NodeIndex, nodeSecret []byte) error {
	pub := t.parentKey(x)
	if pub == nil || !treemath.InSubtree(p.own.Node(), x) {
		return errors.New("ratchettree: secret of a node that is blank or not above the leaf")
	}
	if len(nodeSecret) != t.suite.Params().Nh {
		return errors.New("ratchettree: node secret of a wrong length")
	}
	key, err := t.suite.HPKE().DeriveKey(nodeSecret)
	if err != nil {
		return err
	}
	if string(key.Public()) != string(pub) {
		key.Wipe()
		return errors.New("ratchettree: node secret does not fit the tree")
	}
	p.nodes.set(x, newNodeKey(secret.New(nodeSecret), key))
	return nil
}

// keyOf returns the key with which this member opens what is encrypted to a node
// of a resolution.
func (p *Private) keyOf(t *Tree, x treemath.NodeIndex) (provider.DecryptionKey, bool) {
	if x == p.own.Node() {
		return p.leaf.key, true
	}
	k := p.nodes.find(x)
	if k == nil || string(k.key.Public()) != string(t.encryptionKey(x)) {
		return nil, false
	}
	return k.key, true
}

// climb derives the keys of nodes from the path secret of the first one upwards,
// RFC 9420 §7.4, checks them against t with fail's error, and returns them with
// the secret behind the last. secret0 is not kept.
func climb(t *Tree, nodes []treemath.NodeIndex, secret0 []byte, fail func(x treemath.NodeIndex) error) (pathKeys, *secret.Secret, error) {
	s := t.suite
	keys := make(pathKeys, 0, len(nodes))
	pathSecret := secret.New(secret0)
	for _, x := range nodes {
		nodeSecret := secret.Zero(s.Params().Nh)
		labels.DeriveSecret(s, nodeSecret.Bytes(), pathSecret.Bytes(), labels.LabelNodeSecret)
		labels.DeriveSecret(s, pathSecret.Bytes(), pathSecret.Bytes(), labels.LabelPath)
		key, err := s.HPKE().DeriveKey(nodeSecret.Bytes())
		if err == nil {
			keys = append(keys, pathKey{x, newNodeKey(nodeSecret, key)})
			if string(t.parentKey(x)) != string(key.Public()) {
				err = fail(x)
			}
		} else {
			nodeSecret.Erase()
		}
		if err != nil {
			keys.release()
			pathSecret.Erase()
			return nil, nil, err
		}
	}
	return keys, pathSecret, nil
}

// OpenWelcomePath returns the own half of a new member, from the path secret of
// its Welcome: the keys of the nodes that it shares with signer, who committed
// (V199), RFC 9420 §12.4.3.1. It takes leafKey over unless it fails.
func OpenWelcomePath(t *Tree, own treemath.LeafIndex, leafKey provider.DecryptionKey, signer treemath.LeafIndex, pathSecret []byte) (*Private, error) {
	if own == signer || uint32(signer) >= t.leaves {
		return nil, check.Errorf(check.V199, "path secret from leaf %d", signer)
	}
	x := treemath.CommonAncestor(own.Node(), signer.Node())
	nodes := []treemath.NodeIndex{x}
	var path [32]treemath.NodeIndex
	for _, y := range treemath.DirectPath(path[:0], x, t.leaves) {
		if !t.isBlank(y) {
			nodes = append(nodes, y)
		}
	}
	keys, last, err := climb(t, nodes, pathSecret, func(x treemath.NodeIndex) error {
		return check.Errorf(check.V199, "path secret does not give the key of node %d", x)
	})
	if err != nil {
		return nil, err
	}
	last.Erase()
	return &Private{own: own, leaf: newNodeKey(nil, leafKey), nodes: keys}, nil
}
