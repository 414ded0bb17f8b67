package proto

import (
	"bytes"

	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// Samples of every structure, with every optional part and every variant.

func sampleLeaf(source LeafNodeSource) LeafNode {
	l := LeafNode{
		EncryptionKey: bytes.Repeat([]byte{1}, 32),
		SignatureKey:  bytes.Repeat([]byte{2}, 32),
		Credential:    Credential{Type: CredentialTypeBasic, Identity: []byte("alice")},
		Capabilities: Capabilities{Versions: []ProtocolVersion{MLS10}, CipherSuites: []provider.CipherSuite{1, 0x0A0A},
			Extensions: []ExtensionType{0x1A1A}, Proposals: []ProposalType{0xF000}, Credentials: []CredentialType{1, 2}},
		Source:     source,
		Extensions: Extensions{{Type: ExtensionTypeApplicationID, Data: []byte{1, 'x'}}, {Type: 0x2A2A, Data: []byte("grease")}},
		Signature:  bytes.Repeat([]byte{3}, 64),
	}
	switch source {
	case LeafNodeSourceKeyPackage:
		l.Lifetime = Lifetime{NotBefore: 1, NotAfter: 2}
	case LeafNodeSourceCommit:
		l.ParentHash = bytes.Repeat([]byte{4}, 32)
	}
	l.Raw = l.Append(nil)
	return l
}

func sampleX509Leaf() LeafNode {
	l := sampleLeaf(LeafNodeSourceKeyPackage)
	l.Raw = nil
	l.Credential = Credential{Type: CredentialTypeX509, Certificates: [][]byte{[]byte("leaf"), []byte("root")}}
	l.Raw = l.Append(nil)
	return l
}

func sampleKeyPackage() KeyPackage {
	k := KeyPackage{Version: MLS10, CipherSuite: 1, InitKey: bytes.Repeat([]byte{5}, 32), LeafNode: sampleX509Leaf(),
		Extensions: Extensions{{Type: 0x3A3A, Data: []byte("kept")}}, Signature: bytes.Repeat([]byte{6}, 64)}
	k.Raw = k.Append(nil)
	return k
}

func sampleContext() GroupContext {
	rc := RequiredCapabilities{Extensions: []ExtensionType{5}, Proposals: []ProposalType{9}, Credentials: []CredentialType{1}}
	senders := []ExternalSender{{SignatureKey: []byte("key"), Credential: Credential{Type: CredentialTypeBasic, Identity: []byte("s")}}}
	return GroupContext{Version: MLS10, CipherSuite: 1, GroupID: []byte("group"), Epoch: 7,
		TreeHash: bytes.Repeat([]byte{7}, 32), ConfirmedTranscriptHash: bytes.Repeat([]byte{8}, 32),
		Extensions: Extensions{{Type: ExtensionTypeRequiredCapabilities, Data: rc.Append(nil)},
			{Type: ExtensionTypeExternalSenders, Data: AppendExternalSenders(nil, senders)}}}
}

func samplePath() *UpdatePath {
	return &UpdatePath{LeafNode: sampleLeaf(LeafNodeSourceCommit), Nodes: []UpdatePathNode{
		{EncryptionKey: []byte("node"), EncryptedPathSecret: []HPKECiphertext{{KEMOutput: []byte("kem"), Ciphertext: []byte("ct")}, {}}},
		{},
	}}
}

func sampleProposals() []*Proposal {
	kp, update := sampleKeyPackage(), sampleLeaf(LeafNodeSourceUpdate)
	return []*Proposal{
		{Type: ProposalTypeAdd, Add: &kp},
		{Type: ProposalTypeUpdate, Update: &update},
		{Type: ProposalTypeRemove, Remove: 3},
		{Type: ProposalTypePSK, PSK: &PreSharedKeyID{Type: PSKTypeExternal, ID: []byte("id"), Nonce: []byte("nonce")}},
		{Type: ProposalTypePSK, PSK: &PreSharedKeyID{Type: PSKTypeResumption, Usage: ResumptionPSKUsageBranch, GroupID: []byte("g"), Epoch: 9, Nonce: []byte("nonce")}},
		{Type: ProposalTypeReInit, ReInit: &ReInit{GroupID: []byte("next"), Version: MLS10, CipherSuite: 2}},
		{Type: ProposalTypeExternalInit, ExternalInit: []byte("kem output")},
		{Type: ProposalTypeGroupContextExtensions, GroupContextExtensions: Extensions{{Type: 0x4A4A, Data: nil}}},
		{Type: 0xF001, Custom: []byte("custom")},
	}
}

func sampleCommit() *Commit {
	c := &Commit{Path: samplePath(), Proposals: Proposals(ProposalOrRef{Reference: bytes.Repeat([]byte{9}, 32)})}
	for _, p := range sampleProposals() {
		c.Proposals.Add(ProposalOrRef{Proposal: p})
	}
	return c
}

func sampleGroupInfo() GroupInfo {
	g := GroupInfo{GroupContext: sampleContext(), ConfirmationTag: bytes.Repeat([]byte{1}, 32), Signer: 4, Signature: []byte("signature"),
		Extensions: Extensions{{Type: ExtensionTypeRatchetTree, Data: AppendRatchetTree(nil, sampleNodes())}, {Type: ExtensionTypeExternalPub, Data: []byte{1, 2}}}}
	g.Raw = g.Append(nil)
	return g
}

func sampleNodes() []Node {
	a, b := sampleLeaf(LeafNodeSourceCommit), sampleX509Leaf()
	return []Node{{Leaf: &a}, {Parent: &ParentNode{EncryptionKey: []byte("key"), ParentHash: []byte("hash"), UnmergedLeaves: []treemath.LeafIndex{0, 2}}}, {}, {}, {Leaf: &b}}
}

// sampleMessages are MLSMessages of every wire format and content.
func sampleMessages() []*MLSMessage {
	kp, gi := sampleKeyPackage(), sampleGroupInfo()
	auth := FramedContentAuthData{Signature: []byte("signature")}
	public := func(s Sender, c FramedContent) *MLSMessage {
		c.GroupID, c.Epoch, c.Sender, c.AuthenticatedData = []byte("group"), 7, s, []byte("aad")
		m := &PublicMessage{Content: c, Auth: auth}
		if c.ContentType == ContentTypeCommit {
			m.Auth.ConfirmationTag = []byte("confirmed")
		}
		if s.Type == SenderTypeMember {
			m.MembershipTag = []byte("member")
		}
		return &MLSMessage{Version: MLS10, WireFormat: WireFormatPublicMessage, PublicMessage: m}
	}
	list := []*MLSMessage{
		public(Sender{Type: SenderTypeMember, Leaf: 3}, FramedContent{ContentType: ContentTypeApplication, ApplicationData: []byte("data")}),
		public(Sender{Type: SenderTypeNewMemberCommit}, FramedContent{ContentType: ContentTypeCommit, Commit: sampleCommit()}),
		public(Sender{Type: SenderTypeMember, Leaf: 1}, FramedContent{ContentType: ContentTypeCommit, Commit: &Commit{}}),
		{Version: MLS10, WireFormat: WireFormatPrivateMessage, PrivateMessage: &PrivateMessage{GroupID: []byte("group"), Epoch: 7,
			ContentType: ContentTypeApplication, AuthenticatedData: []byte("aad"), EncryptedSenderData: []byte("sender"), Ciphertext: []byte("ciphertext")}},
		{Version: MLS10, WireFormat: WireFormatWelcome, Welcome: &Welcome{CipherSuite: 1, EncryptedGroupInfo: []byte("info"),
			Secrets: []EncryptedGroupSecrets{{NewMember: []byte("ref"), EncryptedGroupSecrets: HPKECiphertext{KEMOutput: []byte("kem"), Ciphertext: []byte("ct")}}}}},
		{Version: MLS10, WireFormat: WireFormatGroupInfo, GroupInfo: &gi},
		{Version: MLS10, WireFormat: WireFormatKeyPackage, KeyPackage: &kp},
	}
	for _, p := range sampleProposals() {
		list = append(list, public(Sender{Type: SenderTypeExternal, Index: 2}, FramedContent{ContentType: ContentTypeProposal, Proposal: p}),
			public(Sender{Type: SenderTypeNewMemberProposal}, FramedContent{ContentType: ContentTypeProposal, Proposal: p}))
	}
	return list
}

func sampleGroupSecrets() *GroupSecrets {
	return &GroupSecrets{JoinerSecret: []byte("joiner"), PathSecret: []byte("path"), PSKs: []PreSharedKeyID{
		{Type: PSKTypeExternal, ID: []byte("id"), Nonce: []byte("n")}, {Type: PSKTypeResumption, Usage: ResumptionPSKUsageReInit, GroupID: []byte("g")}}}
}
