package ratchettree

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
)

// TestDecodeMemory: a hostile tree of n bytes takes at most 32 x n + 64 KiB, hashes
// of blank nodes included. An honest one, whose leaves have keys and a signature,
// takes less than four times its length.
func TestDecodeMemory(t *testing.T) {
	const members = 2000
	s := realSuite(t)
	tiny := &proto.LeafNode{Credential: proto.Credential{Type: 1}, Source: proto.LeafNodeSourceUpdate}
	for _, stride := range []int{1, 2, 4, 8, 16, 64} {
		nodes := make([]proto.Node, 2*members*stride-1)
		for i := 0; i < len(nodes); i += 2 * stride {
			nodes[i].Leaf = tiny
		}
		last := len(nodes) - 1
		nodes[last].Leaf = tiny
		measure(t, fmt.Sprintf("a leaf in %d", stride), proto.AppendRatchetTree(nil, nodes), 32)
		for i := 1; i < len(nodes); i += 2 {
			nodes[i].Parent = &proto.ParentNode{EncryptionKey: []byte{byte(i), byte(i >> 8), byte(i >> 16)}}
		}
		measure(t, fmt.Sprintf("parents and a leaf in %d", stride), proto.AppendRatchetTree(nil, nodes), 32)
	}
	g := newGroup(t, s, 9)
	nodes := make([]proto.Node, 2*members-1)
	for i := range nodes {
		if x := treemath.NodeIndex(i); x.IsLeaf() {
			nodes[i].Leaf = &proto.LeafNode{EncryptionKey: g.random(32), SignatureKey: g.random(32), Source: proto.LeafNodeSourceUpdate,
				Credential: proto.Credential{Type: 1, Identity: g.random(8)}, Signature: g.random(64)}
		} else {
			nodes[i].Parent = &proto.ParentNode{EncryptionKey: g.random(32), ParentHash: g.random(32)}
		}
	}
	measure(t, "honest", proto.AppendRatchetTree(nil, nodes), 4)
}

func measure(t *testing.T, name string, in []byte, factor int) {
	t.Helper()
	s := realSuite(t)
	in = bytes.Clone(in)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Decode(s, in, treemath.MaxLeaves)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	got, limit := after.TotalAlloc-before.TotalAlloc, uint64(factor*len(in)+64<<10)
	t.Logf("%s: %.1f bytes for each of %d", name, float64(got)/float64(len(in)), len(in))
	if got > limit {
		t.Errorf("%s: %d bytes allocated for %d, at most %d", name, got, len(in), limit)
	}
}
