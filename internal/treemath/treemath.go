package treemath

// A LeafIndex counts the leaves of a ratchet tree from the left, from 0.
type LeafIndex uint32

// A NodeIndex counts the nodes of a ratchet tree in in-order, from 0.
type NodeIndex uint32
