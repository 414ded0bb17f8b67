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
	p.UnmergedLeaves = decodeList(r, maxMembers, 4, func(r *wire.Reader, e *treemath.LeafIndex) { *e = decodeLeafIndex(r) })
	for i := 1; i < len(p.UnmergedLeaves); i++ {
		if p.UnmergedLeaves[i-1] >= p.UnmergedLeaves[i] {
			r.Fail(check.Errorf(check.V014, "unmerged leaves are not strictly increasing"))
			return
		}
	}
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
	if !r.Optional() {
		return
	}
	switch t := r.Uint8(); t {
	case nodeTypeLeaf:
		n.Leaf = new(LeafNode)
		n.Leaf.Decode(r)
	case nodeTypeParent:
		n.Parent = new(ParentNode)
		n.Parent.Decode(r)
	default:
		unknown(r, "node type", uint64(t))
	}
}

// An EncodedNode is a Node that was checked and stays encoded.
type EncodedNode struct {
	Leaf     bool   // or else a ParentNode
	Encoding []byte // nil for a blank node
}

// Decode reads optional<Node>.
func (n *EncodedNode) Decode(r *wire.Reader) {
	var decoded Node
	c := startCapture(r)
	decoded.Decode(r)
	if b := c.end(r); len(b) > 2 { // presence and type
		n.Leaf, n.Encoding = decoded.Leaf != nil, b[2:]
	}
}

// AppendRatchetTree appends the content of a ratchet_tree extension, RFC 9420
// §12.4.3.3: the nodes without blank ones at the end.
func AppendRatchetTree(b []byte, nodes []Node) []byte {
	for len(nodes) > 0 && nodes[len(nodes)-1] == (Node{}) {
		nodes = nodes[:len(nodes)-1]
	}
	return appendList(b, nodes, func(b []byte, n *Node) []byte { return n.Append(b) })
}

// DecodeRatchetTree decodes the content of a ratchet_tree extension. Leaves stand
// at even and parents at odd indices (V015), the last node is not blank and there
// is one (V016).
func DecodeRatchetTree(b []byte) ([]Node, error) {
	r := wire.NewReader(b)
	i := 0
	nodes := decodeList(&r, maxNodes, 1, func(r *wire.Reader, n *Node) {
		n.Decode(r)
		if n.Leaf != nil && i%2 == 1 || n.Parent != nil && i%2 == 0 {
			r.Fail(check.Errorf(check.V015, "node %d is of the wrong type", i))
		}
		i++
	})
	if err := r.Done(); err != nil {
		return nil, inExtension(err)
	}
	if len(nodes) == 0 || nodes[len(nodes)-1] == (Node{}) {
		return nil, check.Errorf(check.V016, "ratchet tree is empty or ends with a blank node")
	}
	return nodes, nil
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
