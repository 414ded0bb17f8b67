package ratchettree

import (
	"bytes"
	"slices"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// naive is a ratchet tree as RFC 9420 writes it down: an array, everything
// computed from scratch.
type naive struct {
	suite  provider.Suite
	leaves uint32
	nodes  []proto.Node
}

func newNaive(t *Tree) *naive { return &naive{t.suite, t.leaves, nodesOf(t)} }

// nodesOf decodes the nodes of a tree, blank ones included. Nothing of them is the
// tree's, so that they can be changed.
func nodesOf(t *Tree) []proto.Node {
	nodes := make([]proto.Node, treemath.Width(t.leaves))
	for i := range nodes {
		x := treemath.NodeIndex(i)
		r := wire.NewReader(proto.AppendEncodedNode(nil, x, t.encoded(x)))
		nodes[i].Decode(&r)
		if err := r.Done(); err != nil {
			panic(err)
		}
	}
	return nodes
}

// treeHash is RFC 9420 §7.8.
func (n *naive) treeHash(x treemath.NodeIndex) []byte {
	out := make([]byte, n.suite.Params().Nh)
	if x.IsLeaf() {
		n.suite.Hash(out, proto.AppendLeafNodeHashInput(nil, x.Leaf(), encode(n.nodes[x])))
	} else {
		n.suite.Hash(out, proto.AppendParentNodeHashInput(nil, encode(n.nodes[x]), n.treeHash(treemath.Left(x)), n.treeHash(treemath.Right(x))))
	}
	return out
}

// encode returns the encoding of a leaf or parent, nil for a blank node.
func encode(n proto.Node) []byte {
	switch {
	case n.Leaf != nil:
		return n.Leaf.Append(nil)
	case n.Parent != nil:
		return n.Parent.Append(nil)
	}
	return nil
}

// resolution is RFC 9420 §4.1.1.
func (n *naive) resolution(x treemath.NodeIndex) (list []treemath.NodeIndex) {
	switch {
	case n.nodes[x].Leaf != nil:
		return []treemath.NodeIndex{x}
	case n.nodes[x].Parent != nil:
		list = append(list, x)
		for _, i := range n.nodes[x].Parent.UnmergedLeaves {
			list = append(list, i.Node())
		}
		return list
	case x.IsLeaf():
		return nil
	}
	return append(n.resolution(treemath.Left(x)), n.resolution(treemath.Right(x))...)
}

// without is the tree as it was before leaves were added.
func (n *naive) without(leaves []treemath.LeafIndex) *naive {
	c := &naive{n.suite, n.leaves, slices.Clone(n.nodes)}
	for _, i := range leaves {
		c.nodes[i.Node()] = proto.Node{}
	}
	for x, node := range c.nodes {
		if node.Parent == nil {
			continue
		}
		p := *node.Parent
		p.UnmergedLeaves = slices.DeleteFunc(slices.Clone(p.UnmergedLeaves), func(i treemath.LeafIndex) bool { return slices.Contains(leaves, i) })
		c.nodes[x].Parent = &p
	}
	return c
}

// parentHash is RFC 9420 §7.9: of p with copath child sibling.
func (n *naive) parentHash(p *proto.ParentNode, sibling treemath.NodeIndex) []byte {
	out := make([]byte, n.suite.Params().Nh)
	n.suite.Hash(out, proto.AppendParentHashInput(nil, p.EncryptionKey, p.ParentHash, n.without(p.UnmergedLeaves).treeHash(sibling)))
	return out
}

// parentHashesValid is RFC 9420 §7.9.2: each parent has exactly one descendant
// that is valid with respect to it.
func (n *naive) parentHashesValid() bool {
	for x := range n.nodes {
		p := n.nodes[x].Parent
		if p == nil {
			continue
		}
		left, right := treemath.Left(treemath.NodeIndex(x)), treemath.Right(treemath.NodeIndex(x))
		if len(n.links(p, left, right))+len(n.links(p, right, left)) != 1 {
			return false
		}
	}
	return true
}

// links lists the descendants under child that are valid with respect to p.
func (n *naive) links(p *proto.ParentNode, child, sibling treemath.NodeIndex) (list []treemath.NodeIndex) {
	resolution := n.resolution(child)
	var unmerged []treemath.NodeIndex
	for _, i := range p.UnmergedLeaves {
		if treemath.InSubtree(i.Node(), child) {
			unmerged = append(unmerged, i.Node())
		}
	}
	hash := n.parentHash(p, sibling)
	for k, d := range resolution {
		var field []byte
		if node := n.nodes[d]; node.Parent != nil {
			field = node.Parent.ParentHash
		} else if node.Leaf.Source == proto.LeafNodeSourceCommit {
			field = node.Leaf.ParentHash
		}
		rest := slices.Delete(slices.Clone(resolution), k, k+1)
		slices.Sort(rest)
		if bytes.Equal(field, hash) && slices.Equal(rest, unmerged) {
			list = append(list, d)
		}
	}
	return list
}

// unmergedValid is the check of unmerged leaves of RFC 9420 §12.4.3.1.
func (n *naive) unmergedValid() bool {
	for x := range n.nodes {
		p := n.nodes[x].Parent
		if p == nil {
			continue
		}
		for k, i := range p.UnmergedLeaves {
			if k > 0 && p.UnmergedLeaves[k-1] >= i || uint32(i) >= n.leaves ||
				!treemath.InSubtree(i.Node(), treemath.NodeIndex(x)) || n.nodes[i.Node()].Leaf == nil {
				return false
			}
			for y := range n.nodes {
				if between := treemath.NodeIndex(y); n.nodes[y].Parent != nil && treemath.InSubtree(between, treemath.NodeIndex(x)) &&
					treemath.InSubtree(i.Node(), between) && !slices.Contains(n.nodes[y].Parent.UnmergedLeaves, i) {
					return false
				}
			}
		}
	}
	return true
}

// hasKey and findSigner are look-ups without an index.
func (n *naive) hasKey(pub []byte) bool {
	return slices.ContainsFunc(n.nodes, func(node proto.Node) bool {
		return node.Leaf != nil && bytes.Equal(node.Leaf.EncryptionKey, pub) || node.Parent != nil && bytes.Equal(node.Parent.EncryptionKey, pub)
	})
}

func (n *naive) findSigner(pub []byte) (treemath.LeafIndex, bool) {
	for x, node := range n.nodes {
		if node.Leaf != nil && bytes.Equal(node.Leaf.SignatureKey, pub) {
			return treemath.NodeIndex(x).Leaf(), true
		}
	}
	return 0, false
}
