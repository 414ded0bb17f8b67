package conformance

import (
	"fmt"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
)

// mlsFiles are the files of the MLS working group, in the order of their document.
func mlsFiles() []File {
	f := func(name string, want int, run func(*runner, []byte) error) File {
		return File{Folder: folderMLS, Name: name, Want: want, run: run}
	}
	return []File{
		f("tree-math.json", 10, eachCase(runTreeMath)),
		f("crypto-basics.json", 7, eachCase(runCryptoBasics)),
		f("secret-tree.json", 21, eachCase(runSecretTree)),
		f("message-protection.json", 7, eachCase(runProtection)),
		f("key-schedule.json", 7, eachCase(runKeySchedule)),
		f("psk_secret.json", 77, eachCase(runPSKSecret)),
		f("transcript-hashes.json", 7, eachCase(runTranscript)),
		f("welcome.json", 7, eachCase(runWelcome)),
		f("tree-operations.json", 5, eachCase(runTreeOperations)),
		f("tree-validation.json", 98, eachCase(runTreeValidation)),
		f("treekem.json", 77, eachCase(runTreeKEM)),
		f("messages.json", 300, eachCase(runMessages)),
		f("deserialization.json", 14, eachCase(runDeserialization)),
		f("passive-client-welcome.json", 56, eachCase(runPassive)),
		f("passive-client-handling-commit.json", 91, eachCase(runPassive)),
		f("passive-client-random.json", 1, eachCase(runPassive)),
	}
}

type treeMathCase struct {
	Leaves  uint32                `json:"n_leaves"`
	Nodes   uint32                `json:"n_nodes"`
	Root    treemath.NodeIndex    `json:"root"`
	Left    []*treemath.NodeIndex `json:"left"`
	Right   []*treemath.NodeIndex `json:"right"`
	Parent  []*treemath.NodeIndex `json:"parent"`
	Sibling []*treemath.NodeIndex `json:"sibling"`
}

func runTreeMath(_ *runner, c *treeMathCase) error {
	if treemath.Width(c.Leaves) != c.Nodes || treemath.Root(c.Leaves) != c.Root {
		return fmt.Errorf("%d leaves: %d nodes, root %d", c.Leaves, treemath.Width(c.Leaves), treemath.Root(c.Leaves))
	}
	n := int(c.Nodes)
	if len(c.Left) != n || len(c.Right) != n || len(c.Parent) != n || len(c.Sibling) != n {
		return fmt.Errorf("%d leaves: lists of a wrong length", c.Leaves)
	}
	for i := range n {
		x := treemath.NodeIndex(i)
		check := func(what string, got treemath.NodeIndex, ok bool, want *treemath.NodeIndex) error {
			if ok != (want != nil) || ok && got != *want {
				return fmt.Errorf("%s of %d is %d, %v", what, x, got, ok)
			}
			return nil
		}
		var left, right treemath.NodeIndex
		if !x.IsLeaf() {
			left, right = treemath.Left(x), treemath.Right(x)
		}
		parent, hasParent := treemath.Parent(x, c.Leaves)
		sibling, hasSibling := treemath.Sibling(x, c.Leaves)
		if err := all(
			check("left", left, !x.IsLeaf(), c.Left[i]),
			check("right", right, !x.IsLeaf(), c.Right[i]),
			check("parent", parent, hasParent, c.Parent[i]),
			check("sibling", sibling, hasSibling, c.Sibling[i])); err != nil {
			return err
		}
	}
	return nil
}

type deserializationCase struct {
	Header hexBytes `json:"vlbytes_header"`
	Length int      `json:"length"`
}

func runDeserialization(_ *runner, c *deserializationCase) error {
	if err := same("header", wire.AppendVarint(nil, c.Length), c.Header); err != nil {
		return err
	}
	if c.Length > 1<<20 {
		return nil // a vector of a gigabyte shows no more than its header
	}
	r := wire.NewReader(append(append([]byte(nil), c.Header...), make([]byte, c.Length)...))
	if v := r.Opaque(); len(v) != c.Length {
		return fmt.Errorf("read %d bytes", len(v))
	}
	return r.Done()
}

func runMessages(_ *runner, c *map[string]hexBytes) error {
	if len(*c) != len(messageFields) {
		return fmt.Errorf("%d fields, want %d", len(*c), len(messageFields))
	}
	for name, b := range *c {
		f := messageFields[name]
		if f == nil {
			return fmt.Errorf("unknown field %s", name)
		}
		enc, err := f(b)
		if err == nil {
			err = same("encoding", enc, b)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// messageFields decode and encode again the fields of messages.json.
var messageFields = map[string]func(b []byte) ([]byte, error){
	"mls_welcome":                       message,
	"mls_group_info":                    message,
	"mls_key_package":                   message,
	"public_message_application":        message,
	"public_message_proposal":           message,
	"public_message_commit":             message,
	"private_message":                   message,
	"ratchet_tree":                      ratchetTree,
	"group_secrets":                     identity(proto.DecodeGroupSecrets, (*proto.GroupSecrets).Append),
	"commit":                            identity(proto.DecodeCommit, (*proto.Commit).Append),
	"add_proposal":                      proposalOf(proto.ProposalTypeAdd),
	"update_proposal":                   proposalOf(proto.ProposalTypeUpdate),
	"remove_proposal":                   proposalOf(proto.ProposalTypeRemove),
	"pre_shared_key_proposal":           proposalOf(proto.ProposalTypePSK),
	"re_init_proposal":                  proposalOf(proto.ProposalTypeReInit),
	"external_init_proposal":            proposalOf(proto.ProposalTypeExternalInit),
	"group_context_extensions_proposal": proposalOf(proto.ProposalTypeGroupContextExtensions),
}

func identity[T any](decode func([]byte) (*T, error), encode func(*T, []byte) []byte) func(b []byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		x, err := decode(b)
		if err != nil {
			return nil, err
		}
		return encode(x, nil), nil
	}
}

var message = identity(proto.DecodeMLSMessage, (*proto.MLSMessage).Append)

func ratchetTree(b []byte) ([]byte, error) {
	tree, err := proto.DecodeRatchetTree(b)
	return proto.AppendRatchetTree(nil, tree.Nodes()), err
}

// proposalOf puts the type before the content of a proposal, and takes it away.
func proposalOf(t proto.ProposalType) func(b []byte) ([]byte, error) {
	f := identity(proto.DecodeProposal, (*proto.Proposal).Append)
	return func(b []byte) ([]byte, error) {
		enc, err := f(append([]byte{byte(t >> 8), byte(t)}, b...))
		if err != nil {
			return nil, err
		}
		return enc[2:], nil
	}
}
