package ratchettree

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// How a committer renews its path, RFC 9420 §7.4 to §7.6:
//
//	BeginPath  path secrets and keys, parent hashes; the caller signs the leaf
//	(Finish)   the tree hash, which the GroupContext of the encryption needs
//	Seal       each path secret to the resolution of the copath
//
// and how the others follow:
//
//	ApplyPath  public half: counts, keys, parent hash
//	(Finish)
//	OpenPath   decrypts one path secret and derives the rest

// Path is a path that is being made. Its secrets live until Erase.
type Path struct {
	suite   provider.Suite
	sender  treemath.LeafIndex
	leaf    *proto.LeafNode
	nodes   []treemath.NodeIndex // filtered direct path
	secrets []*secret.Secret     // path_secret of each node, and the commit secret
	keys    []*nodeKey           // of each node
	targets [][]target           // resolution of each node's copath child
}

// target is a node that a path secret is encrypted to.
type target struct {
	node treemath.NodeIndex
	key  []byte
}

// BeginPath renews the filtered direct path of sender's leaf, which is the last
// change of the edit. pathSecret is Nh fresh random bytes and not kept. makeLeaf
// makes and signs the new leaf node, of source commit and with the given parent
// hash.
func (e *Edit) BeginPath(sender treemath.LeafIndex, pathSecret []byte, makeLeaf func(parentHash []byte) (*proto.LeafNode, error)) (*Path, error) {
	e.extend(sender)
	s := e.t.suite
	p := &Path{suite: s, sender: sender, nodes: e.t.FilteredDirectPath(nil, sender)}
	next := secret.New(pathSecret)
	parents := make([]*proto.ParentNode, len(p.nodes))
	for i := range p.nodes {
		p.secrets = append(p.secrets, next)
		nodeSecret := secret.Zero(s.Params().Nh)
		labels.DeriveSecret(s, nodeSecret.Bytes(), next.Bytes(), labels.LabelNodeSecret)
		key, err := s.HPKE().DeriveKey(nodeSecret.Bytes())
		if err != nil {
			nodeSecret.Erase()
			p.Erase()
			return nil, err
		}
		p.keys = append(p.keys, newNodeKey(nodeSecret, key))
		parents[i] = &proto.ParentNode{EncryptionKey: key.Public()}
		next = secret.Zero(s.Params().Nh)
		labels.DeriveSecret(s, next.Bytes(), p.secrets[i].Bytes(), labels.LabelPath)
	}
	p.secrets = append(p.secrets, next)
	for _, x := range p.nodes {
		p.targets = append(p.targets, e.t.targets(copathChild(x, sender)))
	}
	leaf, err := makeLeaf(e.setParents(sender, p.nodes, parents))
	if err != nil {
		p.Erase()
		return nil, err
	}
	p.leaf = leaf
	e.place(sender, leaf)
	return p, nil
}

func (t *Tree) targets(x treemath.NodeIndex) []target {
	resolution := t.Resolution(nil, x)
	list := make([]target, len(resolution))
	for i, n := range resolution {
		list[i] = target{n, t.encryptionKey(n)}
	}
	return list
}

// setParents puts new parents on the filtered direct path of sender, blanks the
// rest of the direct path, and returns the parent hash for the leaf, RFC 9420
// §7.9. The parents' own parent hashes are filled in, from the root down.
func (e *Edit) setParents(sender treemath.LeafIndex, nodes []treemath.NodeIndex, parents []*proto.ParentNode) []byte {
	e.blankPath(sender)
	var hash []byte
	for i := len(nodes) - 1; i >= 0; i-- {
		parents[i].ParentHash = hash
		sibling := e.hash(copathChild(nodes[i], sender))
		hash = e.hasher.parentHash(e.t.suite, parents[i], sibling)
	}
	for i, x := range nodes {
		e.set(x, e.newNode(parents[i].Append))
	}
	if hash == nil {
		hash = []byte{}
	}
	return hash
}

// Seal encrypts the path secrets, RFC 9420 §7.6. groupContext is the encoding of
// the provisional GroupContext; exclude are the leaves that the commit adds, which
// get theirs by Welcome. The info of all is the same, so it is hashed once per
// core.
func (p *Path) Seal(groupContext []byte, exclude []treemath.LeafIndex) (*proto.UpdatePath, error) {
	params := p.suite.Params()
	out := &proto.UpdatePath{LeafNode: *p.leaf, Nodes: make([]proto.UpdatePathNode, len(p.nodes))}
	skip := make(map[treemath.NodeIndex]bool, len(exclude))
	for _, i := range exclude {
		skip[i.Node()] = true
	}
	var jobs []provider.SealJob
	for i := range p.nodes {
		n := &out.Nodes[i]
		n.EncryptionKey = bytes.Clone(p.keys[i].key.Public())
		for _, to := range p.targets[i] {
			if skip[to.node] {
				continue
			}
			j := provider.SealJob{Pub: to.key, Plaintext: p.secrets[i].Bytes(),
				Enc: make([]byte, params.Nenc), CT: make([]byte, params.Nh+params.Nt)}
			jobs = append(jobs, j)
			n.EncryptedPathSecret = append(n.EncryptedPathSecret, proto.HPKECiphertext{KEMOutput: j.Enc, Ciphertext: j.CT})
		}
	}
	info := labels.AppendEncryptContext(nil, labels.LabelUpdatePathNode, groupContext)
	if err := SealMany(p.suite.HPKE(), info, jobs); err != nil {
		return nil, err
	}
	return out, nil
}

// sealPart is the least number of jobs that a core of its own pays for.
const sealPart = 4

// SealMany is HPKE.SealMany with the jobs split over the cores.
func SealMany(h provider.HPKE, info []byte, jobs []provider.SealJob) error {
	n := min(runtime.GOMAXPROCS(0), len(jobs)/sealPart)
	if n <= 1 {
		return h.SealMany(info, nil, jobs)
	}
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		part := jobs[i*len(jobs)/n : (i+1)*len(jobs)/n]
		wg.Go(func() { errs[i] = h.SealMany(info, nil, part) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// CommitSecret returns a copy of the commit secret, RFC 9420 §7.4.
func (p *Path) CommitSecret() *secret.Secret { return p.secrets[len(p.secrets)-1].Clone() }

// PathSecretFor returns the path secret that a new member at leaf gets: that of
// the lowest node that it shares with the sender; nil if there is none. It lives
// until Erase.
func (p *Path) PathSecretFor(leaf treemath.LeafIndex) []byte {
	for i, x := range p.nodes {
		if treemath.InSubtree(leaf.Node(), x) {
			return p.secrets[i].Bytes()
		}
	}
	return nil
}

// Private returns the sender's own half of the new tree. It takes leafKey over.
func (p *Path) Private(leafKey provider.DecryptionKey) *Private {
	q := NewPrivate(p.sender, leafKey)
	for i, x := range p.nodes {
		q.nodes = append(q.nodes, pathKey{x, p.keys[i].share()})
	}
	return q
}

// Erase forgets the secrets of the path, but for keys that a Private shares.
func (p *Path) Erase() {
	for _, s := range p.secrets {
		s.Erase()
	}
	for _, k := range p.keys {
		k.release()
	}
	p.secrets, p.keys = nil, nil
}

// ApplyPath applies the public half of a received path, RFC 9420 §12.4.2, as the
// last change of the edit. exclude are the leaves that the commit adds. Checks:
// V163 and V164 (keys are new), V165 and V166 (counts), V011 (keys are well
// formed), V169 (parent hash).
func (e *Edit) ApplyPath(sender treemath.LeafIndex, path *proto.UpdatePath, exclude []treemath.LeafIndex) error {
	e.extend(sender)
	nodes := e.t.FilteredDirectPath(nil, sender)
	if len(nodes) != len(path.Nodes) {
		return check.Errorf(check.V165, "path of %d nodes, want %d", len(path.Nodes), len(nodes))
	}
	if err := e.checkPathKeys(sender, path); err != nil {
		return err
	}
	parents := make([]*proto.ParentNode, len(nodes))
	var buf []treemath.NodeIndex
	for i, x := range nodes {
		buf = without(e.t.Resolution(buf[:0], copathChild(x, sender)), exclude)
		if n := len(path.Nodes[i].EncryptedPathSecret); n != len(buf) {
			return check.Errorf(check.V166, "node %d: %d ciphertexts, want %d", x, n, len(buf))
		}
		parents[i] = &proto.ParentNode{EncryptionKey: path.Nodes[i].EncryptionKey}
	}
	hash := e.setParents(sender, nodes, parents)
	if !bytes.Equal(hash, path.LeafNode.ParentHash) {
		return check.Errorf(check.V169, "parent hash of the committer's leaf")
	}
	e.place(sender, &path.LeafNode)
	return nil
}

func (e *Edit) checkPathKeys(sender treemath.LeafIndex, path *proto.UpdatePath) error {
	if e.t.IsMember(sender) && bytes.Equal(e.t.encryptionKey(sender.Node()), path.LeafNode.EncryptionKey) {
		return check.Errorf(check.V163, "committer keeps its encryption key")
	}
	seen := make(map[string]struct{}, len(path.Nodes)+1)
	fresh := func(key []byte) error {
		if _, ok := seen[string(key)]; ok || e.t.HasEncryptionKey(key) {
			return check.Errorf(check.V164, "key of the path stands elsewhere")
		}
		seen[string(key)] = struct{}{}
		return nil
	}
	if err := fresh(path.LeafNode.EncryptionKey); err != nil {
		return err
	}
	for i := range path.Nodes {
		key := path.Nodes[i].EncryptionKey
		if err := e.t.suite.HPKE().CheckPublicKey(key); err != nil {
			return check.As(check.V011, check.ClassPath, "node %d of the path: %w", i, err)
		}
		if err := fresh(key); err != nil {
			return err
		}
	}
	return nil
}

// OpenPath opens the private half of a path that was applied to t, RFC 9420
// §12.4.2, and returns the member's next own half and the commit secret. p stays
// as it is. Errors: check.V167 if the path secret does not decrypt, check.V168 if
// it does not give the keys of the path, or the key's own error.
func (t *Tree) OpenPath(ctx context.Context, p *Private, sender treemath.LeafIndex, path *proto.UpdatePath, groupContext []byte, exclude []treemath.LeafIndex) (*Private, *secret.Secret, error) {
	nodes := t.FilteredDirectPath(nil, sender)
	for i, x := range nodes {
		if !treemath.InSubtree(p.own.Node(), x) {
			continue
		}
		pathSecret, err := t.openSecret(ctx, p, copathChild(x, sender), path.Nodes[i].EncryptedPathSecret, groupContext, exclude)
		if err != nil {
			return nil, nil, err
		}
		defer secret.Wipe(pathSecret)
		keys, commitSecret, err := climb(t, nodes[i:], pathSecret, func(x treemath.NodeIndex) error {
			return check.Errorf(check.V168, "path secret does not give the key of node %d", x)
		})
		if err != nil {
			return nil, nil, err
		}
		next := p.Prune(t)
		for _, k := range keys {
			next.nodes.set(k.node, k.key)
		}
		return next, commitSecret, nil
	}
	return nil, nil, check.Errorf(check.V165, "path does not reach this member")
}

// openSecret decrypts the path secret that is encrypted to a node whose key the
// member has.
func (t *Tree) openSecret(ctx context.Context, p *Private, child treemath.NodeIndex, cts []proto.HPKECiphertext, groupContext []byte, exclude []treemath.LeafIndex) ([]byte, error) {
	targets := without(t.Resolution(nil, child), exclude)
	if len(targets) != len(cts) {
		return nil, check.Errorf(check.V166, "%d ciphertexts, want %d", len(cts), len(targets))
	}
	for i, x := range targets {
		key, ok := p.keyOf(t, x)
		if !ok {
			continue
		}
		info := labels.AppendEncryptContext(nil, labels.LabelUpdatePathNode, groupContext)
		out, err := t.suite.HPKE().Open(ctx, nil, key, cts[i].KEMOutput, info, nil, cts[i].Ciphertext)
		if errors.Is(err, provider.ErrDecrypt) {
			return nil, check.Errorf(check.V167, "path secret does not decrypt")
		}
		if err != nil {
			return nil, err
		}
		if len(out) != t.suite.Params().Nh {
			secret.Wipe(out)
			return nil, check.Errorf(check.V167, "path secret of %d bytes", len(out))
		}
		return out, nil
	}
	return nil, check.Errorf(check.V167, "no ciphertext of the path is for this member")
}
