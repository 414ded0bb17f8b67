package main

// treeMath is a case of tree-math.json; a null is nil.
type treeMath struct {
	Leaves  uint32    `json:"n_leaves"`
	Nodes   uint32    `json:"n_nodes"`
	Root    uint32    `json:"root"`
	Left    []*uint32 `json:"left"`
	Right   []*uint32 `json:"right"`
	Parent  []*uint32 `json:"parent"`
	Sibling []*uint32 `json:"sibling"`
}

func treeMathCases() (cases []treeMath) {
	for leaves := uint32(1); leaves <= 64; leaves *= 2 {
		c := treeMath{Leaves: leaves}
		c.compute()
		cases = append(cases, c)
	}
	return cases
}

// compute numbers the nodes of a complete tree in order, by recursion and
// without the index arithmetic of RFC 9420, Appendix C.
func (c *treeMath) compute() {
	c.Nodes = 2*c.Leaves - 1
	for _, list := range []*[]*uint32{&c.Left, &c.Right, &c.Parent, &c.Sibling} {
		*list = make([]*uint32, c.Nodes)
	}
	c.Root = c.subtree(0, c.Nodes)
}

// subtree fills in the nodes from first up to end and returns their root.
func (c *treeMath) subtree(first, end uint32) uint32 {
	root := (first + end) / 2
	if end-first == 1 {
		return root
	}
	left, right := c.subtree(first, root), c.subtree(root+1, end)
	c.Left[root], c.Right[root] = &left, &right
	c.Parent[left], c.Parent[right] = &root, &root
	c.Sibling[left], c.Sibling[right] = &right, &left
	return root
}
