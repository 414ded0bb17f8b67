package proto

import (
	"encoding/binary"
	"slices"
	"sort"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
)

// Append appends the encoding, RFC 9420 §7.1.
func (p *ParentNode) Append(b []byte) []byte {
	b = wire.AppendOpaque(b, p.EncryptionKey)
	b = wire.AppendOpaque(b, p.ParentHash)
	return appendList(b, p.UnmergedLeaves, func(b []byte, e *treemath.LeafIndex) []byte {
		return binary.BigEndian.AppendUint32(b, uint32(*e))
	})
}

// Decode reads a parent node. Its unmerged leaves are strictly increasing, V014,
// and within the bounds of any tree, V017.
func (p *ParentNode) Decode(r *wire.Reader) {
	p.EncryptionKey = r.Opaque()
	p.ParentHash = r.Opaque()
	outer := r.Enter()
	n := r.Len() / 4
	switch {
	case n > maxMembers:
		r.Fail(check.Errorf(check.V013, "list of more than %d elements", maxMembers))
	case n > cap(p.UnmergedLeaves) && r.Claim(4*n):
		p.UnmergedLeaves = make([]treemath.LeafIndex, 0, n)
	}
	list := p.UnmergedLeaves[:0]
	for !r.Empty() && r.Err() == nil {
		i := decodeLeafIndex(r)
		if n := len(list); n > 0 && list[n-1] >= i {
			r.Fail(check.Errorf(check.V014, "unmerged leaves are not strictly increasing"))
		}
		list = append(list, i)
	}
	p.UnmergedLeaves = leave(r, outer, list)
}

// decodeLeafIndex reads a leaf index within the bounds of any tree, V017.
func decodeLeafIndex(r *wire.Reader) treemath.LeafIndex {
	i := r.Uint32()
	if i >= treemath.MaxLeaves {
		r.Fail(check.Errorf(check.V017, "leaf index %d", i))
		return 0
	}
	return treemath.LeafIndex(i)
}

// Types of nodes in a ratchet_tree, RFC 9420 §7.
const (
	nodeTypeLeaf   = 1
	nodeTypeParent = 2
)

// Append appends optional<Node>, RFC 9420 §12.4.3.3.
func (n *Node) Append(b []byte) []byte {
	switch {
	case n.Leaf != nil:
		return n.Leaf.Append(append(b, 1, nodeTypeLeaf))
	case n.Parent != nil:
		return n.Parent.Append(append(b, 1, nodeTypeParent))
	}
	return append(b, 0)
}

// Decode reads optional<Node>.
func (n *Node) Decode(r *wire.Reader) {
	switch nodeType(r) {
	case nodeTypeLeaf:
		n.Leaf = new(LeafNode)
		n.Leaf.Decode(r)
	case nodeTypeParent:
		n.Parent = new(ParentNode)
		n.Parent.Decode(r)
	}
}

// nodeType reads the beginning of optional<Node>: 0 if it is blank, or else the
// type of the node that follows.
func nodeType(r *wire.Reader) uint8 {
	if !r.Optional() {
		return 0
	}
	t := r.Uint8()
	if t != nodeTypeLeaf && t != nodeTypeParent {
		unknown(r, "node type", uint64(t))
		return 0
	}
	return t
}

// A NodeChecker reads optional<Node> and keeps nothing, however many it reads.
type NodeChecker struct {
	leaf   LeafNode
	parent ParentNode
}

// Read checks the node at x of a ratchet tree, a LeafNode at an even, a ParentNode
// at an odd index (V015), and returns its encoding, nil for a blank one.
func (c *NodeChecker) Read(r *wire.Reader, x treemath.NodeIndex) []byte {
	t := nodeType(r)
	enc := startCapture(r)
	switch t {
	case 0:
		return nil
	case nodeTypeLeaf:
		c.leaf.Decode(r)
	case nodeTypeParent:
		c.parent.Decode(r)
	}
	if (t == nodeTypeLeaf) != x.IsLeaf() {
		r.Fail(check.Errorf(check.V015, "node %d is of the wrong type", x))
	}
	return enc.end(r)
}

// AppendRatchetTree appends the content of a ratchet_tree extension, RFC 9420
// §12.4.3.3: the nodes without blank ones at the end.
func AppendRatchetTree(b []byte, nodes []Node) []byte {
	for len(nodes) > 0 && nodes[len(nodes)-1] == (Node{}) {
		nodes = nodes[:len(nodes)-1]
	}
	return appendList(b, nodes, func(b []byte, n *Node) []byte { return n.Append(b) })
}

// ReadRatchetTree checks the content of a ratchet_tree extension: leaves stand at
// even and parents at odd indices (V015), the last node is not blank and there is
// one (V016). On the way it calls yield with the encoding of each node, nil for a
// blank one; what it yielded means nothing if it fails.
func ReadRatchetTree(b []byte, yield func(x treemath.NodeIndex, enc []byte)) error {
	r := wire.NewReader(b)
	outer := r.Enter()
	var c NodeChecker
	blank := true
	for x := treemath.NodeIndex(0); !r.Empty(); x++ {
		if x == maxNodes {
			r.Fail(check.Errorf(check.V013, "ratchet tree of more than %d nodes", maxNodes))
			break
		}
		enc := c.Read(&r, x)
		if blank = enc == nil; r.Err() == nil {
			yield(x, enc)
		}
	}
	r.Leave(outer)
	if err := r.Done(); err != nil {
		return inExtension(err)
	}
	if blank {
		return check.Errorf(check.V016, "ratchet tree is empty or ends with a blank node")
	}
	return nil
}

// A RatchetTree is the content of a ratchet_tree extension that was checked and
// stays encoded.
type RatchetTree struct{ b []byte }

// DecodeRatchetTree checks the content of a ratchet_tree extension as
// ReadRatchetTree does.
func DecodeRatchetTree(b []byte) (RatchetTree, error) {
	if err := ReadRatchetTree(b, func(treemath.NodeIndex, []byte) {}); err != nil {
		return RatchetTree{}, err
	}
	return RatchetTree{b}, nil
}

// Nodes decodes the nodes. A blank one takes one byte in the encoding and 16 here.
func (t RatchetTree) Nodes() []Node {
	var nodes []Node
	r := wire.NewReader(t.b)
	for v := r.Vector(); !v.Empty(); {
		var n Node
		n.Decode(&v)
		nodes = append(nodes, n)
	}
	return nodes
}

// AppendEncodedNode appends optional<Node> for the node at x of a ratchet tree: a
// LeafNode at an even, a ParentNode at an odd index, whose encoding is enc; nil for
// a blank one.
func AppendEncodedNode(b []byte, x treemath.NodeIndex, enc []byte) []byte {
	switch {
	case enc == nil:
		return append(b, 0)
	case x.IsLeaf():
		return append(append(b, 1, nodeTypeLeaf), enc...)
	}
	return append(append(b, 1, nodeTypeParent), enc...)
}

// UnmergedLeaves returns the content of the list of unmerged leaves of an encoded
// ParentNode: four bytes for each.
func UnmergedLeaves(enc []byte) []byte {
	r := wire.NewReader(enc)
	r.Opaque()
	r.Opaque()
	return r.Opaque()
}

// InsertUnmerged adds a leaf to the unmerged ones of the encoded ParentNode that b
// ends with, from offset at on. It may write to b.
func InsertUnmerged(b []byte, at int, i treemath.LeafIndex) []byte {
	list := UnmergedLeaves(b[at:])
	k := sort.Search(len(list)/4, func(k int) bool { return binary.BigEndian.Uint32(list[4*k:]) >= uint32(i) })
	if 4*k < len(list) && binary.BigEndian.Uint32(list[4*k:]) == uint32(i) {
		return b
	}
	start := len(b) - len(list)
	head := wire.VarintLen(len(list))
	b = append(b, 0, 0, 0, 0)
	copy(b[start+4*k+4:], b[start+4*k:])
	binary.BigEndian.PutUint32(b[start+4*k:], uint32(i))
	n := len(b) - start
	if grown := wire.VarintLen(n); grown > head {
		b = slices.Insert(b, start, make([]byte, grown-head)...)
	}
	wire.AppendVarint(b[:start-head], n)
	return b
}

// AppendLeafNodeHashInput appends the TreeHashInput of an encoded leaf, RFC 9420
// §7.8; nil for a blank one.
func AppendLeafNodeHashInput(b []byte, i treemath.LeafIndex, enc []byte) []byte {
	b = binary.BigEndian.AppendUint32(append(b, nodeTypeLeaf), uint32(i))
	return append(appendOptional(b, enc != nil), enc...)
}

// AppendParentNodeHashInput appends the TreeHashInput of an encoded parent, RFC
// 9420 §7.8; nil for a blank one.
func AppendParentNodeHashInput(b, enc, left, right []byte) []byte {
	b = append(appendOptional(append(b, nodeTypeParent), enc != nil), enc...)
	return wire.AppendOpaque(wire.AppendOpaque(b, left), right)
}

// AppendParentHashInput appends ParentHashInput, RFC 9420 §7.9.
func AppendParentHashInput(b, encryptionKey, parentHash, originalSiblingTreeHash []byte) []byte {
	b = wire.AppendOpaque(b, encryptionKey)
	b = wire.AppendOpaque(b, parentHash)
	return wire.AppendOpaque(b, originalSiblingTreeHash)
}
