package inspect

import (
	"bytes"
	"crypto/x509"
	"strconv"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proposal"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/ratchettree"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// A Tree is a ratchet tree, to be drawn.
type Tree struct {
	Leaves  uint32 // a power of two
	Members int
	Hash    []byte // nil if the suite is unknown

	nodes  []proto.Node
	signed []Status // by leaf
	suffix []uint32 // by leaf, one more: members from there on
}

// A Node is one node of a Tree.
type Node struct {
	Blank    bool
	Member   string // leaf: its credential, quoted
	Source   string // leaf: how it came about
	Signed   Status // leaf: Passed, Failed, or Unknown
	Unmerged []treemath.LeafIndex
}

// newTree returns what is drawn of a tree.
func newTree(nodes []proto.Node) *Tree {
	t := &Tree{nodes: nodes, Leaves: treemath.FullSize(uint32(len(nodes)+1) / 2)}
	t.signed = make([]Status, (len(nodes)+1)/2)
	t.suffix = make([]uint32, len(t.signed)+1)
	for i := len(t.signed) - 1; i >= 0; i-- {
		t.signed[i] = Unknown
		t.suffix[i] = t.suffix[i+1]
		if nodes[2*i].Leaf != nil {
			t.suffix[i]++
		}
	}
	t.Members = int(t.suffix[0])
	return t
}

// Width returns how many nodes the full tree has.
func (t *Tree) Width() int { return int(treemath.Width(t.Leaves)) }

// Node returns a node by its index, as in RFC 9420's appendix C.
func (t *Tree) Node(x treemath.NodeIndex) Node {
	switch {
	case int(x) >= len(t.nodes):
	case t.nodes[x].Leaf != nil:
		leaf := t.nodes[x].Leaf
		return Node{Member: credentialText(&leaf.Credential), Source: leafSourceName(uint64(leaf.Source)), Signed: t.signed[x.Leaf()]}
	case t.nodes[x].Parent != nil:
		return Node{Unmerged: t.nodes[x].Parent.UnmergedLeaves}
	}
	return Node{Blank: true}
}

// below counts members and blank leaves in the subtree of x.
func (t *Tree) below(x treemath.NodeIndex) (members, blanks int) {
	lo, hi := x, x
	for !lo.IsLeaf() {
		lo, hi = treemath.Left(lo), treemath.Right(hi)
	}
	from := func(i treemath.LeafIndex) int { return int(t.suffix[min(int(i), len(t.suffix)-1)]) }
	members = from(lo.Leaf()) - from(hi.Leaf()+1)
	return members, int(hi.Leaf()-lo.Leaf()) + 1 - members
}

// credentialText names a credential for people, in printable ASCII characters.
func credentialText(c *proto.Credential) string {
	if c.Type == proto.CredentialTypeBasic {
		return Quote(c.Identity)
	}
	text := "x509, " + plural(len(c.Certificates), "certificate")
	if len(c.Certificates) > 0 {
		if cert, err := x509.ParseCertificate(c.Certificates[0]); err == nil {
			text += ", " + Quote([]byte(cert.Subject.String()))
		} else {
			text += ", the first is none"
		}
	}
	return text
}

// ratchetTree verifies a ratchet tree on its own.
func (v *verifier) ratchetTree(f *Field, path string) {
	decoded, err := proto.DecodeRatchetTree(f.Bytes(v.Input))
	if err != nil {
		v.note(check.V010, f, path, "the engine decodes it", err)
		return
	}
	nodes := decoded.Nodes()
	v.Tree = newTree(nodes)
	var s provider.Suite
	for i := range nodes {
		if leaf := nodes[i].Leaf; leaf != nil {
			s = v.suiteOfLeaf(leaf)
			break
		}
	}
	v.tree(s, nodes, f, path)
}

// tree verifies the nodes of a tree, RFC 9420 §12.4.3.1, but for what concerns its
// GroupContext, and returns it.
func (v *verifier) tree(s provider.Suite, nodes []proto.Node, f *Field, path string) *ratchettree.Tree {
	if s == nil {
		v.add(check.V011, Unknown, f, path, "tree is valid", noSuite)
		return nil
	}
	tree, err := ratchettree.FromNodes(s, nodes)
	v.note(check.V124, f, path, "unmerged leaves are members below their node and listed in between", err)
	if err != nil {
		return nil
	}
	v.Tree.Hash = tree.TreeHash()
	v.Facts = append(v.Facts, Fact{"tree hash", f.Offset, v.Tree.Hash})
	v.note(check.V127, f, path, "keys are keys of the suite, and no two nodes share one", tree.VerifyUniqueKeys())
	v.note(check.V122, f, path, "every parent is in one chain of parent hashes", tree.VerifyParentHashes())
	v.leafSignatures(s, tree, f, path)
	return tree
}

// leafSignatures verifies the signatures of all leaves, one by one, to name those
// that fail.
func (v *verifier) leafSignatures(s provider.Suite, tree *ratchettree.Tree, f *Field, path string) {
	signed, failed, unknown, first := 0, 0, 0, ""
	tree.Members(func(i treemath.LeafIndex, leaf *proto.LeafNode) bool {
		status := &v.Tree.signed[i]
		switch {
		case v.groupID == nil && leaf.Source != proto.LeafNodeSourceKeyPackage:
			unknown++
		case verifyLeaf(s, leaf, v.groupID, i) == nil:
			*status = Passed
			signed++
		default:
			*status = Failed
			if failed++; failed == 1 {
				first = strconv.Itoa(int(i))
			}
		}
		return true
	})
	if signed+failed > 0 || unknown == 0 {
		what, reason, status := plural(signed, "leaf signature")+" verified", "", Passed
		if failed > 0 {
			status, reason = Failed, plural(failed, "leaf signature")+" wrong, the first at leaf "+first
		}
		v.add(check.V044, status, f, path, what, reason)
	}
	if unknown > 0 {
		v.add(check.V045, Unknown, f, path, "leaves of updates and commits are signed",
			plural(unknown, "signature")+" of the group id, which is not here")
	}
}

// groupInfo verifies a GroupInfo, RFC 9420 §12.4.3.1.
func (v *verifier) groupInfo(f *Field, path string) {
	gi, err := proto.DecodeGroupInfo(f.Bytes(v.Input))
	if err != nil {
		v.note(check.V010, f, path, "the engine decodes it", err)
		return
	}
	v.groupID = gi.GroupContext.GroupID
	const signed = "GroupInfo is signed by the member at leaf signer"
	encoded, ok := gi.Extensions.Find(proto.ExtensionTypeRatchetTree)
	if !ok {
		v.add(check.V194, Unknown, f, path, signed, "it needs the ratchet tree, which is not here")
		return
	}
	decoded, err := proto.DecodeRatchetTree(encoded)
	if err != nil {
		return // stands among the errors of extensions
	}
	nodes := decoded.Nodes()
	v.Tree = newTree(nodes)
	s := v.suite(gi.GroupContext.CipherSuite)
	at, atPath := v.extension(f, path, proto.ExtensionTypeRatchetTree)
	tree := v.tree(s, nodes, at, atPath)
	if tree == nil {
		return
	}
	context := f.find("group_context")
	contextPath := join(path, "group_context")
	err = nil
	if !bytes.Equal(tree.TreeHash(), gi.GroupContext.TreeHash) {
		err = check.Errorf(check.V120, "tree hash is another one")
	}
	v.note(check.V120, context, contextPath, "tree has the hash of the group context", err)
	signer := tree.Leaf(gi.Signer)
	if signer == nil {
		err = check.Errorf(check.V194, "signer's leaf is blank")
	} else if err = labels.VerifyWithLabel(s, signer.SignatureKey, labels.LabelGroupInfoTBS, gi.AppendTBS(nil), gi.Signature); err != nil {
		err = check.Errorf(check.V194, "signature does not verify")
	}
	v.note(check.V194, f, path, signed, err)
	v.note(check.V127, at, atPath, "leaves obey the rules of suite and group",
		proposal.ValidateTreeLeaves(s, tree, &gi.GroupContext, &proposal.Policy{}))
}

// extension returns the content of the extension of a type in f, or f if it is
// beyond what is kept.
func (v *verifier) extension(f *Field, path string, t proto.ExtensionType) (*Field, string) {
	list := f.find("extensions")
	if list == nil {
		return f, path
	}
	for i := range list.Fields {
		e := &list.Fields[i]
		if typ, data := e.find("extension_type"), e.find("extension_data"); typ != nil && data != nil && typ.Number == uint64(t) {
			return data, join(join(join(path, "extensions"), e.label()), "extension_data")
		}
	}
	return f, path
}
