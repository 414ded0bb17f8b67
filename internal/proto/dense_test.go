package proto

import (
	"bytes"
	"runtime"
	"testing"
	"unsafe"

	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
)

func repeated(n int, element ...byte) []byte {
	return wire.AppendOpaque(nil, bytes.Repeat(element, n))
}

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// denseExtensions are n extensions of three bytes, each of a type of its own.
func denseExtensions(n int) []byte {
	var list []byte
	for i := range n {
		list = append(list, byte(i>>8), byte(i), 0)
	}
	return wire.AppendOpaque(nil, list)
}

// denseLeaf is a leaf with that credential, capabilities and those extensions,
// and nothing else.
func denseLeaf(credential, capabilities, extensions []byte) []byte {
	return concat([]byte{0, 0}, credential, bytes.Repeat(capabilities, 5), []byte{byte(LeafNodeSourceUpdate)}, extensions, []byte{0})
}

var basic, none = []byte{0, 1, 0}, []byte{0}

// densest are inputs with the smallest elements that there are, by the decoder
// that reads them: how many bytes of memory could they take?
func densest(n int) map[string]struct {
	in     []byte
	decode func(b []byte) error
} {
	x509 := concat([]byte{0, 2}, repeated(maxCertificates, 0))
	leaves := map[string][]byte{
		"leaf":              denseLeaf(basic, none, none),
		"full extensions":   denseLeaf(basic, none, denseExtensions(maxExtensions)),
		"some extensions":   denseLeaf(basic, none, denseExtensions(20)),
		"one extension":     denseLeaf(basic, none, denseExtensions(1)),
		"full capabilities": denseLeaf(basic, repeated(maxCapabilities, 0, 1), none),
		"one capability":    denseLeaf(basic, repeated(1, 0, 1), none),
		"certificates":      denseLeaf(x509, none, none),
	}
	message := func(b []byte) error { _, err := DecodeMLSMessage(b); return err }
	commit := func(b []byte) error { _, err := DecodeCommit(b); return err }
	tree := func(b []byte) error { _, err := DecodeRatchetTree(b); return err }
	path := func(b []byte) error { _, err := DecodeUpdatePath(b); return err }
	all := map[string]struct {
		in     []byte
		decode func(b []byte) error
	}{}
	add := func(name string, decode func(b []byte) error, parts ...[]byte) {
		all[name] = struct {
			in     []byte
			decode func(b []byte) error
		}{concat(parts...), decode}
	}
	header := func(wf WireFormat) []byte { return []byte{0, 1, 0, byte(wf)} }
	public := func(contentType ContentType) []byte { // by an external committer
		return concat(header(WireFormatPublicMessage), make([]byte, 9), []byte{byte(SenderTypeNewMemberCommit), 0, byte(contentType)})
	}
	for name, leaf := range leaves {
		k := max(1, n/len(leaf))
		add("LeafNode: "+name, func(b []byte) error { _, err := DecodeLeafNode(b); return err }, leaf)
		kp := concat([]byte{0, 1, 0, 1, 0}, leaf, denseExtensions(maxExtensions), none)
		add("KeyPackage: "+name, func(b []byte) error { _, err := DecodeKeyPackage(b); return err }, kp)
		add("ratchet_tree: "+name, tree, wire.AppendOpaque(nil, bytes.Repeat(concat([]byte{1, 1}, leaf, none), k)), none)
		add("ratchet_tree that is well formed: "+name, tree, wire.AppendOpaque(nil,
			concat(bytes.Repeat(concat([]byte{1, 1}, leaf, none), k), []byte{1, 1}, leaf)))
		add("Commit of Updates: "+name, commit, repeated(k, concat([]byte{1, 0, 2}, leaf)...), none)
		add("Commit of Adds: "+name, commit, repeated(max(1, n/len(kp)), concat([]byte{1, 0, 1}, kp)...), none)
		add("UpdatePath: "+name, path, leaf, repeated(n/2, 0, 0))
		add("GroupInfo of a Welcome's tree: "+name, func(b []byte) error { _, err := DecodeGroupInfo(b); return err },
			[]byte{0, 1, 0, 1, 0}, make([]byte, 10), denseExtensions(maxExtensions), denseExtensions(maxExtensions), none, make([]byte, 4), none)
	}
	minimal := leaves["leaf"]
	add("ratchet_tree of blanks", tree, repeated(n, 0))
	add("ratchet_tree of parents", tree, repeated(n/5, 1, 2, 0, 0, 0))
	add("ratchet_tree of parents with leaves", tree, repeated(n/12, 0, 1, 2, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1))
	for name, p := range map[string][]byte{
		"references": {2, 0},
		"Removes":    {1, 0, 3, 0, 0, 0, 0},
		"PSKs":       {1, 0, 4, 1, 0, 0},
		"ReInits":    {1, 0, 5, 0, 0, 1, 0, 1, 0},
		"inits":      {1, 0, 6, 0},
		"extensions": concat([]byte{1, 0, 7}, denseExtensions(30)),
		"lists":      concat([]byte{1, 0, 7}, denseExtensions(maxExtensions)),
		"custom":     {1, 0xf0, 0, 0},
	} {
		list := repeated(min(maxProposals, max(1, n/len(p))), p...)
		add("Commit: "+name, commit, list, none)
		add("AuthenticatedContent: "+name, func(b []byte) error { _, err := DecodeAuthenticatedContent(b); return err },
			[]byte{0, 1}, public(ContentTypeCommit)[4:], list, []byte{0, 0, 0})
		add("MLSMessage: "+name, message, public(ContentTypeCommit), list, []byte{0, 0, 0})
		add("Proposal: "+name, func(b []byte) error { _, err := DecodeProposal(b); return err }, p[1:])
	}
	ciphertexts := concat(none, repeated(n/2, 0, 0))
	add("UpdatePath of ciphertexts", path, minimal, wire.AppendOpaque(nil, ciphertexts))
	add("UpdatePath of lists", path, minimal, wire.AppendOpaque(nil, bytes.Repeat(concat(none, repeated(n/64, 0, 0)), maxPathNodes)))
	add("Commit with a path", commit, none, []byte{1}, minimal, wire.AppendOpaque(nil, ciphertexts))
	add("Welcome", message, header(WireFormatWelcome), []byte{0, 1}, repeated(n/3, 0, 0, 0), none)
	add("GroupSecrets", func(b []byte) error { _, err := DecodeGroupSecrets(b); return err }, []byte{0, 0}, repeated(maxPSKs, 1, 0, 0))
	add("external_senders", func(b []byte) error { _, err := DecodeExternalSenders(b); return err }, repeated(maxSenders, concat(none, basic)...))
	add("external_senders with certificates", func(b []byte) error { _, err := DecodeExternalSenders(b); return err },
		repeated(maxSenders, concat(none, x509)...))
	add("required_capabilities", func(b []byte) error { _, err := DecodeRequiredCapabilities(b); return err },
		bytes.Repeat(repeated(maxCapabilities, 0, 1), 3))
	return all
}

// TestDenseInputs: whatever an input of n bytes is like, decoding it allocates at
// most 4 x n + 64 KiB.
func TestDenseInputs(t *testing.T) {
	for _, n := range []int{1 << 10, 1 << 14, 1 << 20} {
		for name, c := range densest(n) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := c.decode(c.in)
			runtime.ReadMemStats(&after)
			if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(4*len(c.in)+64<<10); got > limit {
				t.Errorf("%s: %d bytes allocated for %d (%v), at most %d", name, got, len(c.in), err, limit)
			}
			if err != nil && !typed(err) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestDenseInputsAreWellFormed: the test above measures decoding, not errors.
func TestDenseInputsAreWellFormed(t *testing.T) {
	const want = 30 // more than half of them are refused, for the room that they need
	decoded := 0
	for _, c := range densest(1 << 10) {
		if c.decode(c.in) == nil {
			decoded++
		}
	}
	if decoded < want {
		t.Errorf("%d of the small inputs are well formed, want %d", decoded, want)
	}
}

// TestHonestSizes: lists as they are in groups of 10,000 members have room.
func TestHonestSizes(t *testing.T) {
	leaf, kp := sampleLeaf(LeafNodeSourceCommit), sampleKeyPackage()
	for _, n := range []int{10, 1000, 10000} {
		commit := Commit{Path: &UpdatePath{LeafNode: leaf, Nodes: make([]UpdatePathNode, 14)}}
		for i := range n {
			commit.Proposals.Add(ProposalOrRef{Proposal: &Proposal{Type: ProposalTypeRemove, Remove: treemath.LeafIndex(i)}})
			commit.Proposals.Add(ProposalOrRef{Proposal: &Proposal{Type: ProposalTypeAdd, Add: &kp}})
		}
		w := Welcome{CipherSuite: 1}
		for range n {
			ct := HPKECiphertext{KEMOutput: make([]byte, 32), Ciphertext: make([]byte, 48)}
			nodes := commit.Path.Nodes
			nodes[13].EncryptedPathSecret = append(nodes[13].EncryptedPathSecret, ct)
			w.Secrets = append(w.Secrets, EncryptedGroupSecrets{NewMember: make([]byte, 32), EncryptedGroupSecrets: ct})
		}
		if _, err := DecodeCommit(commit.Append(nil)); err != nil {
			t.Errorf("commit of %d: %v", n, err)
		}
		m := MLSMessage{Version: MLS10, WireFormat: WireFormatWelcome, Welcome: &w}
		if _, err := DecodeMLSMessage(m.Append(nil)); err != nil {
			t.Errorf("welcome to %d: %v", n, err)
		}
		nodes := make([]Node, 2*n-1)
		for i := range nodes[:n] {
			nodes[i] = Node{}
		}
		nodes[len(nodes)-1].Leaf = &leaf // mass removal left one member
		if _, err := DecodeRatchetTree(AppendRatchetTree(nil, nodes)); err != nil {
			t.Errorf("tree of %d: %v", n, err)
		}
		senders := make([]ExternalSender, min(n, maxSenders))
		for i := range senders {
			senders[i] = ExternalSender{SignatureKey: make([]byte, 32), Credential: leaf.Credential}
		}
		if _, err := DecodeExternalSenders(AppendExternalSenders(nil, senders)); err != nil {
			t.Errorf("%d external senders: %v", len(senders), err)
		}
	}
}

// TestSizes: the sizes that lists claim are those of their elements.
func TestSizes(t *testing.T) {
	for name, c := range map[string][2]uintptr{
		"certificate": {uintptr(certificateList.size), unsafe.Sizeof([]byte{})},
		"extension":   {uintptr(extensionList.size), unsafe.Sizeof(Extension{})},
		"sender":      {uintptr(senderList.size), unsafe.Sizeof(ExternalSender{})},
		"path node":   {uintptr(pathNodeList.size), unsafe.Sizeof(UpdatePathNode{})},
		"ciphertext":  {uintptr(ciphertextList.size), unsafe.Sizeof(HPKECiphertext{})},
		"secrets":     {uintptr(secretsList.size), unsafe.Sizeof(EncryptedGroupSecrets{})},
		"PSK":         {uintptr(pskList.size), unsafe.Sizeof(PreSharedKeyID{})},
	} {
		if c[0] < c[1] {
			t.Errorf("%s: size %d, it takes %d", name, c[0], c[1])
		}
	}
}
