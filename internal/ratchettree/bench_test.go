package ratchettree

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

var benchSizes = []int{100, 1000, 10000}

// fullGroup returns a group of n members in whose tree no node above a member is
// blank, as after every member has committed. Only the last leaf keeps its
// own half. It is built from the nodes, without n commits.
func fullGroup(b *testing.B, n int) *group {
	b.Helper()
	g := newGroup(b, realSuite(b), 1)
	c := &change{}
	e := g.tree.Edit()
	for range n - 1 {
		leaf, key := g.newLeaf(proto.LeafNodeSourceKeyPackage)
		i := e.Add(leaf)
		c.adds = append(c.adds, leaf)
		if int(i) == n-1 {
			g.priv[i] = NewPrivate(i, key)
		}
	}
	nodes := nodesOf(e.Finish())
	secrets := make([][]byte, len(nodes))
	for x := 1; x < len(nodes); x += 2 {
		if l, r := treemath.Left(treemath.NodeIndex(x)), treemath.Right(treemath.NodeIndex(x)); !isEmpty(nodes, l) && !isEmpty(nodes, r) {
			secrets[x] = g.random(32)
			key, err := g.suite.HPKE().DeriveKey(secrets[x])
			if err != nil {
				b.Fatal(err)
			}
			nodes[x].Parent = &proto.ParentNode{EncryptionKey: key.Public(), ParentHash: g.random(32)}
		}
	}
	tree, err := FromNodes(g.suite, nodes)
	if err != nil {
		b.Fatal(err)
	}
	g.tree = tree
	last := treemath.LeafIndex(n - 1)
	for _, x := range treemath.DirectPath(nil, last.Node(), tree.leaves) {
		if tree.Parent(x) == nil {
			continue
		}
		if err := g.priv[last].Restore(tree, x, secrets[x]); err != nil {
			b.Fatal(err)
		}
	}
	return g
}

func isEmpty(nodes []proto.Node, x treemath.NodeIndex) bool {
	first := uint32(x) - (1<<x.Level() - 1)
	last := uint32(x) + (1<<x.Level() - 1)
	for y := first; y <= last; y += 2 {
		if nodes[y].Leaf != nil {
			return false
		}
	}
	return true
}

// begin renews the path of i.
func (g *group) begin(e *Edit, i treemath.LeafIndex) (*Path, provider.DecryptionKey) {
	var key provider.DecryptionKey
	path, err := e.BeginPath(i, g.random(32), func(hash []byte) (*proto.LeafNode, error) {
		var leaf *proto.LeafNode
		leaf, key = g.newLeaf(proto.LeafNodeSourceCommit)
		leaf.ParentHash = hash
		return leaf, nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return path, key
}

// BenchmarkSendPath is BeginPath, Finish and Seal.
func BenchmarkSendPath(b *testing.B) {
	for _, n := range benchSizes {
		g := fullGroup(b, n)
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e := g.tree.Edit()
				path, key := g.begin(e, 0)
				e.Finish()
				if _, err := path.Seal([]byte("context"), nil); err != nil {
					b.Fatal(err)
				}
				path.Erase()
				key.Wipe()
			}
		})
	}
}

// BenchmarkReceivePath is ApplyPath, Finish and OpenPath.
func BenchmarkReceivePath(b *testing.B) {
	for _, n := range benchSizes {
		g := fullGroup(b, n)
		path, _ := g.begin(g.tree.Edit(), 0)
		up, err := path.Seal([]byte("context"), nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e := g.tree.Edit()
				if err := e.ApplyPath(0, up, nil); err != nil {
					b.Fatal(err)
				}
				q, sec, err := e.Finish().OpenPath(b.Context(), g.priv[treemath.LeafIndex(n-1)], 0, up, []byte("context"), nil)
				if err != nil {
					b.Fatal(err)
				}
				q.Erase()
				sec.Erase()
			}
		})
	}
}

// BenchmarkUpdate is an edit with one Update, whose path is blank already, and
// Finish.
func BenchmarkUpdate(b *testing.B) {
	for _, n := range benchSizes {
		g := fullGroup(b, n)
		leaf, _ := g.newLeaf(proto.LeafNodeSourceUpdate)
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e := g.tree.Edit()
				e.Update(treemath.LeafIndex(n/2), leaf)
				e.Finish()
			}
		})
	}
}

// BenchmarkJoin is what a new member does with a ratchet tree, but for signatures.
func BenchmarkJoin(b *testing.B) {
	for _, n := range benchSizes {
		g := fullGroup(b, n)
		encoded := g.tree.AppendRatchetTree(nil)
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tree, err := Decode(g.suite, encoded, 2*n)
				if err != nil {
					b.Fatal(err)
				}
				_ = tree.VerifyParentHashes() // most parents here have none that is valid
				if err := tree.VerifyUniqueKeys(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkMemory reports the heap that a tree takes, and that one more version.
func BenchmarkMemory(b *testing.B) {
	for _, n := range benchSizes {
		g := fullGroup(b, n)
		encoded := g.tree.AppendRatchetTree(nil)
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			heap := func() uint64 {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return m.HeapAlloc
			}
			for b.Loop() {
				before := heap()
				tree, err := Decode(g.suite, encoded, 2*n)
				if err != nil {
					b.Fatal(err)
				}
				between := heap()
				versions := make([]*Tree, 16)
				last := tree
				for k := range versions {
					e := last.Edit()
					leaf, _ := g.newLeaf(proto.LeafNodeSourceUpdate)
					e.Update(treemath.LeafIndex(k*n/16), leaf)
					last = e.Finish()
					versions[k] = last
				}
				after := heap()
				b.ReportMetric(float64(between-before)/float64(n), "B/member")
				b.ReportMetric(float64(after-between)/16, "B/version")
				runtime.KeepAlive(versions)
				runtime.KeepAlive(tree)
			}
		})
	}
}
