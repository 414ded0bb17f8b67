package treemath

import (
	"fmt"
	"slices"
	"testing"

	"github.com/hardmls/hardmls/testvectors"
)

func TestVectors(t *testing.T) {
	var cases []struct {
		Leaves  uint32       `json:"n_leaves"`
		Nodes   uint32       `json:"n_nodes"`
		Root    NodeIndex    `json:"root"`
		Left    []*NodeIndex `json:"left"`
		Right   []*NodeIndex `json:"right"`
		Parent  []*NodeIndex `json:"parent"`
		Sibling []*NodeIndex `json:"sibling"`
	}
	testvectors.MLS(t, "tree-math.json", &cases)
	if len(cases) != 10 {
		t.Fatalf("%d cases, want 10", len(cases))
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.Leaves), func(t *testing.T) {
			if Width(c.Leaves) != c.Nodes || Root(c.Leaves) != c.Root {
				t.Fatalf("width %d, root %d", Width(c.Leaves), Root(c.Leaves))
			}
			for i := range c.Nodes {
				x := NodeIndex(i)
				if !x.IsLeaf() && (Left(x) != *c.Left[i] || Right(x) != *c.Right[i]) {
					t.Errorf("children of %d: %d, %d", x, Left(x), Right(x))
				}
				p, ok := Parent(x, c.Leaves)
				if ok != (c.Parent[i] != nil) || ok && p != *c.Parent[i] {
					t.Errorf("parent of %d: %d, %v", x, p, ok)
				}
				s, ok := Sibling(x, c.Leaves)
				if ok != (c.Sibling[i] != nil) || ok && s != *c.Sibling[i] {
					t.Errorf("sibling of %d: %d, %v", x, s, ok)
				}
			}
		})
	}
}

// TestInvariants states what the functions mean, on a whole tree.
func TestInvariants(t *testing.T) {
	const n = 64
	for i := range NodeIndex(Width(n)) {
		path := DirectPath(nil, i, n)
		copath := Copath(nil, i, n)
		if len(path) != len(copath) {
			t.Fatalf("node %d: paths of %d and %d nodes", i, len(path), len(copath))
		}
		x := i
		for k, p := range path {
			if got, ok := Parent(x, n); !ok || got != p {
				t.Fatalf("parent of %d: %d", x, got)
			}
			if s, _ := Sibling(x, n); s != copath[k] || (Left(p) != x || Right(p) != s) && (Left(p) != s || Right(p) != x) {
				t.Fatalf("sibling of %d: %d", x, s)
			}
			if p.Level() != x.Level()+1 {
				t.Fatalf("level of %d", p)
			}
			x = p
		}
		if x != Root(n) {
			t.Fatalf("path of %d ends at %d", i, x)
		}
		for j := range NodeIndex(Width(n)) {
			below := j == i || slices.Contains(DirectPath(nil, j, n), i)
			if InSubtree(j, i) != below {
				t.Fatalf("InSubtree(%d, %d) = %v", j, i, !below)
			}
			c := CommonAncestor(i, j)
			if !InSubtree(i, c) || !InSubtree(j, c) || c != CommonAncestor(j, i) {
				t.Fatalf("CommonAncestor(%d, %d) = %d", i, j, c)
			}
			if !c.IsLeaf() && c != i && c != j {
				for _, child := range []NodeIndex{Left(c), Right(c)} {
					if InSubtree(i, child) && InSubtree(j, child) {
						t.Fatalf("CommonAncestor(%d, %d) = %d is not the lowest", i, j, c)
					}
				}
			}
		}
		if i.IsLeaf() && i.Leaf().Node() != i {
			t.Fatalf("leaf %d", i)
		}
	}
	for _, c := range [][2]uint32{{1, 1}, {2, 2}, {3, 4}, {4, 4}, {5, 8}, {MaxLeaves - 1, MaxLeaves}} {
		if FullSize(c[0]) != c[1] {
			t.Errorf("FullSize(%d) = %d", c[0], FullSize(c[0]))
		}
	}
}
