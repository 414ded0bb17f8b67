package ratchettree

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// checkUnmerged checks the unmerged leaves of every parent: sorted (V014), within
// the tree (V017), of members below the parent (V124), and listed by every parent
// in between (V125), RFC 9420 §12.4.3.1.
func (t *Tree) checkUnmerged() error {
	for x := treemath.NodeIndex(1); uint32(x) < treemath.Width(t.leaves); x += 2 {
		unmerged := t.unmerged(x)
		for k, i := range unmerged {
			switch {
			case k > 0 && unmerged[k-1] >= i:
				return check.Errorf(check.V014, "node %d: unmerged leaves are not strictly increasing", x)
			case uint32(i) >= t.leaves:
				return check.As(check.V017, check.ClassTree, "node %d: unmerged leaf %d outside the tree", x, i)
			case !treemath.InSubtree(i.Node(), x):
				return check.Errorf(check.V124, "node %d: unmerged leaf %d is not below it", x, i)
			case !t.IsMember(i):
				return check.Errorf(check.V124, "node %d: unmerged leaf %d is blank", x, i)
			}
		}
		for _, child := range [...]treemath.NodeIndex{treemath.Left(x), treemath.Right(x)} {
			if err := t.checkListed(x, child, below(unmerged, child)); err != nil {
				return err
			}
		}
	}
	return nil
}

// unmerged returns the unmerged leaves of a parent, none of a blank one.
func (t *Tree) unmerged(x treemath.NodeIndex) []treemath.LeafIndex {
	var leaves []treemath.LeafIndex
	if enc := t.encoded(x); enc != nil {
		for list := proto.UnmergedLeaves(enc); len(list) >= 4; list = list[4:] {
			leaves = append(leaves, treemath.LeafIndex(binary.BigEndian.Uint32(list)))
		}
	}
	return leaves
}

// checkListed checks that the next parents below x that are not blank list the
// leaves; what is below those is checked when their turn comes.
func (t *Tree) checkListed(x, child treemath.NodeIndex, leaves []treemath.LeafIndex) error {
	if len(leaves) == 0 || child.IsLeaf() {
		return nil
	}
	if !t.isBlank(child) {
		if missing := difference(leaves, t.unmerged(child)); len(missing) > 0 {
			return check.Errorf(check.V125, "leaf %d is unmerged at node %d but not at node %d", missing[0], x, child)
		}
		return nil
	}
	l, r := treemath.Left(child), treemath.Right(child)
	if err := t.checkListed(x, l, below(leaves, l)); err != nil {
		return err
	}
	return t.checkListed(x, r, below(leaves, r))
}

// VerifyUniqueKeys checks that no two nodes have one encryption key (V126, V127)
// and no two members one signature key (V127), RFC 9420 §12.4.3.1, and that the
// keys of parents are well formed (V011).
func (t *Tree) VerifyUniqueKeys() error {
	keys := make(map[string]struct{}, t.members*2)
	signers := make(map[string]struct{}, t.members)
	for i := range treemath.Width(t.leaves) {
		x := treemath.NodeIndex(i)
		key := t.encryptionKey(x)
		if key == nil {
			continue
		}
		if _, ok := keys[string(key)]; ok {
			if x.IsLeaf() {
				return check.AtLeaf(check.Errorf(check.V127, "encryption key stands elsewhere in the tree"), uint32(x.Leaf()))
			}
			return check.Errorf(check.V126, "encryption key of node %d stands elsewhere in the tree", x)
		}
		keys[string(key)] = struct{}{}
		if !x.IsLeaf() {
			if err := t.suite.HPKE().CheckPublicKey(key); err != nil {
				return check.As(check.V011, check.ClassTree, "node %d: %w", x, err)
			}
			continue
		}
		sig := string(t.signatureKey(x))
		if _, ok := signers[sig]; ok {
			return check.AtLeaf(check.Errorf(check.V127, "signature key of another member"), uint32(x.Leaf()))
		}
		signers[sig] = struct{}{}
	}
	return nil
}

// VerifyParentHashes checks that each parent that is not blank is the head of
// exactly one chain of parent hashes (V122), RFC 9420 §7.9.2, with the original
// tree hashes of siblings (V123).
//
// A node is the end of a link to P if it is the one node in the resolution of a
// child of P that is not unmerged at P, and has the parent hash of P. That node is
// a leaf, or a parent with a link of its own, so each chain ends at a leaf.
func (t *Tree) VerifyParentHashes() error {
	var buf []treemath.NodeIndex
	var h hasher
	for x := treemath.NodeIndex(1); uint32(x) < treemath.Width(t.leaves); x += 2 {
		p := t.Parent(x)
		if p == nil {
			continue
		}
		links := 0
		l, r := treemath.Left(x), treemath.Right(x)
		for _, c := range [...][2]treemath.NodeIndex{{l, r}, {r, l}} {
			var d treemath.NodeIndex
			var ok bool
			if d, buf, ok = t.candidate(p, c[0], buf); !ok {
				continue
			}
			hash, ok := t.storedParentHash(d)
			if ok && bytes.Equal(hash, h.parentHash(t.suite, p, t.hashWithout(&h, c[1], p.UnmergedLeaves))) {
				links++
			}
		}
		if links != 1 {
			return check.Errorf(check.V122, "node %d has %d valid parent hashes below it", x, links)
		}
	}
	return nil
}

// candidate returns the node D of the resolution of c whose removal leaves just
// the unmerged leaves of p below c.
func (t *Tree) candidate(p *proto.ParentNode, c treemath.NodeIndex, buf []treemath.NodeIndex) (treemath.NodeIndex, []treemath.NodeIndex, bool) {
	unmerged := below(p.UnmergedLeaves, c)
	buf = t.resolution(buf[:0], c, len(unmerged)+1)
	if len(buf) != len(unmerged)+1 {
		return 0, buf, false
	}
	d, found := treemath.NodeIndex(0), false
	for _, x := range buf {
		if x.IsLeaf() {
			if _, ok := slices.BinarySearch(unmerged, x.Leaf()); ok {
				continue
			}
		}
		if found {
			return 0, buf, false
		}
		d, found = x, true
	}
	return d, buf, found
}

// storedParentHash returns the parent_hash field of a node, false for a leaf that
// has none.
func (t *Tree) storedParentHash(x treemath.NodeIndex) ([]byte, bool) {
	if !x.IsLeaf() {
		return t.Parent(x).ParentHash, true
	}
	return proto.LeafParentHash(t.encoded(x))
}

// VerifyLeafSignatures verifies the signature of every leaf once, over all cores,
// RFC 9420 §7.3 (V044, V045): check.ErrAuth if one fails.
func (t *Tree) VerifyLeafSignatures(groupID []byte) error {
	members := make([]treemath.LeafIndex, 0, t.members)
	t.memberNodes(func(i treemath.LeafIndex, _ []byte) bool {
		members = append(members, i)
		return true
	})
	var next atomic.Int64
	var failed atomic.Bool
	work := func() {
		v := leafVerifier{t: t, groupID: groupID, jobs: make([]provider.VerifyJob, 0, verifyBatch)}
		for !failed.Load() {
			lo := int(next.Add(verifyBatch)) - verifyBatch
			if lo >= len(members) {
				return
			}
			if v.verify(members[lo:min(lo+verifyBatch, len(members))]) != nil {
				failed.Store(true)
			}
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (len(members)-1)/verifyBatch) { // besides this one
		wg.Go(work)
	}
	work()
	wg.Wait()
	if failed.Load() {
		return check.ErrAuth
	}
	return nil
}

// verifyBatch is how many leaves are verified in one call of a BatchVerifier, and
// by one core before another may take the next.
const verifyBatch = 32

// leafVerifier verifies leaves in the memory of those before.
type leafVerifier struct {
	t       *Tree
	groupID []byte
	leaf    proto.LeafNode
	tbs     []byte
	jobs    []provider.VerifyJob
}

func (v *leafVerifier) verify(members []treemath.LeafIndex) error {
	v.jobs = v.jobs[:0]
	for _, i := range members {
		r := wire.NewReader(v.t.encoded(i.Node()))
		v.leaf.Decode(&r)
		v.tbs = v.leaf.AppendTBS(v.tbs[:0], v.groupID, i)
		v.jobs = v.jobs[:len(v.jobs)+1] // there is room for a batch
		j := &v.jobs[len(v.jobs)-1]
		*j = provider.VerifyJob{Pub: v.leaf.SignatureKey, Sig: v.leaf.Signature,
			Msg: labels.AppendSignContent(j.Msg[:0], labels.LabelLeafNodeTBS, v.tbs)}
	}
	if batch := v.t.suite.Upgrades().Verify; batch != nil {
		batch.VerifyMany(v.jobs)
	} else {
		for i := range v.jobs {
			j := &v.jobs[i]
			j.Err = v.t.suite.Verify(j.Pub, j.Msg, j.Sig)
		}
	}
	for i := range v.jobs {
		if v.jobs[i].Err != nil {
			return check.ErrAuth
		}
	}
	return nil
}
