// Package proto holds every wire structure of RFC 9420: syntax only, no policy
// and no cryptography.
//
// Decoding borrows: byte slices of a decoded structure alias the input, which
// the caller keeps unchanged as long as the structure lives (who keeps a
// structure longer clones the message first). Signatures, references and hashes
// are computed over received bytes, so a structure that is signed or hashed
// keeps them (Raw); a structure built locally gets its Raw from its encoding.
//
// Every structure X has
//
//	func (x *X) Append(b []byte) []byte            // its encoding, infallible
//	func (x *X) Decode(r *wire.Reader)             // errors stick to r
//
// and the outermost ones also DecodeX(b []byte) (*X, error), which refuses
// trailing bytes. A failed check is an *check.Error.
package proto

import (
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// A ProtocolVersion is an MLS version, RFC 9420 §6.
type ProtocolVersion uint16

// MLS10 is the only version there is.
const MLS10 ProtocolVersion = 1

// A WireFormat says what an MLSMessage holds, RFC 9420 §17.2.
type WireFormat uint16

// The wire formats.
const (
	WireFormatPublicMessage  WireFormat = 1
	WireFormatPrivateMessage WireFormat = 2
	WireFormatWelcome        WireFormat = 3
	WireFormatGroupInfo      WireFormat = 4
	WireFormatKeyPackage     WireFormat = 5
)

// A ContentType says what a FramedContent holds, RFC 9420 §6.
type ContentType uint8

// The content types.
const (
	ContentTypeApplication ContentType = 1
	ContentTypeProposal    ContentType = 2
	ContentTypeCommit      ContentType = 3
)

// A SenderType says who sent a FramedContent, RFC 9420 §6.
type SenderType uint8

// The sender types.
const (
	SenderTypeMember            SenderType = 1
	SenderTypeExternal          SenderType = 2
	SenderTypeNewMemberProposal SenderType = 3
	SenderTypeNewMemberCommit   SenderType = 4
)

// A Sender is who sent a FramedContent, RFC 9420 §6.
type Sender struct {
	Type  SenderType
	Leaf  treemath.LeafIndex // member
	Index uint32             // external: index into external_senders
}

// A ProposalType is a type of proposal, RFC 9420 §17.4.
type ProposalType uint16

// The proposal types of RFC 9420.
const (
	ProposalTypeAdd                    ProposalType = 1
	ProposalTypeUpdate                 ProposalType = 2
	ProposalTypeRemove                 ProposalType = 3
	ProposalTypePSK                    ProposalType = 4
	ProposalTypeReInit                 ProposalType = 5
	ProposalTypeExternalInit           ProposalType = 6
	ProposalTypeGroupContextExtensions ProposalType = 7
)

// An ExtensionType is a type of extension, RFC 9420 §17.3.
type ExtensionType uint16

// The extension types of RFC 9420.
const (
	ExtensionTypeApplicationID        ExtensionType = 1
	ExtensionTypeRatchetTree          ExtensionType = 2
	ExtensionTypeRequiredCapabilities ExtensionType = 3
	ExtensionTypeExternalPub          ExtensionType = 4
	ExtensionTypeExternalSenders      ExtensionType = 5
)

// A CredentialType is a type of credential, RFC 9420 §17.5.
type CredentialType uint16

// The credential types of RFC 9420.
const (
	CredentialTypeBasic CredentialType = 1
	CredentialTypeX509  CredentialType = 2
)

// A Credential is who a client claims to be, RFC 9420 §5.3.
type Credential struct {
	Type         CredentialType
	Identity     []byte   // basic
	Certificates [][]byte // x509: DER, the leaf certificate first
}

// An Extension is one entry of an extension list, RFC 9420 §7.2. Data is the
// content of extension_data, without its length.
type Extension struct {
	Type ExtensionType
	Data []byte
}

// Extensions is an extension list. Decoding refuses a list with two of a type.
type Extensions []Extension

// Capabilities are what a client supports, RFC 9420 §7.2.
type Capabilities struct {
	Versions     []ProtocolVersion
	CipherSuites []provider.CipherSuite
	Extensions   []ExtensionType
	Proposals    []ProposalType
	Credentials  []CredentialType
}

// RequiredCapabilities is the extension of RFC 9420 §11.1.
type RequiredCapabilities struct {
	Extensions  []ExtensionType
	Proposals   []ProposalType
	Credentials []CredentialType
}

// An ExternalSender is one entry of the extension of RFC 9420 §12.1.8.1.
type ExternalSender struct {
	SignatureKey []byte
	Credential   Credential
}

// A LeafNodeSource says how a leaf node came about, RFC 9420 §7.2.
type LeafNodeSource uint8

// The leaf node sources.
const (
	LeafNodeSourceKeyPackage LeafNodeSource = 1
	LeafNodeSourceUpdate     LeafNodeSource = 2
	LeafNodeSourceCommit     LeafNodeSource = 3
)

// A Lifetime is the span in which a KeyPackage's leaf is valid, in seconds since
// 1970-01-01 UTC, RFC 9420 §7.2.
type Lifetime struct{ NotBefore, NotAfter uint64 }

// A LeafNode is a member's leaf, RFC 9420 §7.2. It is immutable once decoded or
// signed.
type LeafNode struct {
	EncryptionKey []byte // HPKE public key, Npk bytes
	SignatureKey  []byte
	Credential    Credential
	Capabilities  Capabilities
	Source        LeafNodeSource
	Lifetime      Lifetime // source key_package
	ParentHash    []byte   // source commit
	Extensions    Extensions
	Signature     []byte

	Raw []byte // the whole encoding
}

// A ParentNode is an inner node of the ratchet tree, RFC 9420 §7.1.
type ParentNode struct {
	EncryptionKey  []byte
	ParentHash     []byte
	UnmergedLeaves []treemath.LeafIndex // strictly increasing
}

// A Node is one entry of the ratchet_tree extension, RFC 9420 §12.4.3.3: a leaf,
// a parent, or neither, which is a blank.
type Node struct {
	Leaf   *LeafNode
	Parent *ParentNode
}

// A KeyPackage is what adds a client to a group, RFC 9420 §10.
type KeyPackage struct {
	Version     ProtocolVersion
	CipherSuite provider.CipherSuite
	InitKey     []byte
	LeafNode    LeafNode
	Extensions  Extensions
	Signature   []byte

	Raw []byte // the whole encoding
}

// A PSKType says where a pre-shared key comes from, RFC 9420 §8.4.
type PSKType uint8

// The PSK types.
const (
	PSKTypeExternal   PSKType = 1
	PSKTypeResumption PSKType = 2
)

// A ResumptionPSKUsage says what a resumption PSK is for, RFC 9420 §8.4.
type ResumptionPSKUsage uint8

// The usages of resumption PSKs.
const (
	ResumptionPSKUsageApplication ResumptionPSKUsage = 1
	ResumptionPSKUsageReInit      ResumptionPSKUsage = 2
	ResumptionPSKUsageBranch      ResumptionPSKUsage = 3
)

// A PreSharedKeyID names a pre-shared key, RFC 9420 §8.4.
type PreSharedKeyID struct {
	Type    PSKType
	ID      []byte             // external: psk_id
	Usage   ResumptionPSKUsage // resumption
	GroupID []byte             // resumption: psk_group_id
	Epoch   uint64             // resumption: psk_epoch
	Nonce   []byte             // Nh bytes
}

// A Proposal is one of RFC 9420 §12.1. Type says which pointer is set; a type
// unknown to this package cannot be decoded unless it is given as known
// (DecodeProposal), and then has its content in Custom.
type Proposal struct {
	Type                   ProposalType
	Add                    *KeyPackage
	Update                 *LeafNode
	Remove                 treemath.LeafIndex
	PSK                    *PreSharedKeyID
	ReInit                 *ReInit
	ExternalInit           []byte     // kem_output
	GroupContextExtensions Extensions // may be empty
	Custom                 []byte     // opaque<V> content of a non-RFC 9420 type
}

// ReInit is the content of a re-init proposal, RFC 9420 §12.1.5.
type ReInit struct {
	GroupID     []byte
	Version     ProtocolVersion
	CipherSuite provider.CipherSuite
	Extensions  Extensions
}

// A ProposalOrRef is one entry of a Commit, RFC 9420 §12.4: a Proposal by value,
// or else the reference of one sent before.
type ProposalOrRef struct {
	Proposal  *Proposal // by value
	Reference []byte    // by reference: a ProposalRef, Nh bytes
}

// A Commit starts a new epoch, RFC 9420 §12.4.
type Commit struct {
	Proposals ProposalList
	Path      *UpdatePath // optional
}

// An UpdatePath renews the nodes from a leaf to the root, RFC 9420 §7.6.
type UpdatePath struct {
	LeafNode LeafNode
	Nodes    []UpdatePathNode
}

// An UpdatePathNode is one node of an UpdatePath.
type UpdatePathNode struct {
	EncryptionKey       []byte
	EncryptedPathSecret []HPKECiphertext
}

// An HPKECiphertext is an encapsulated key and what is encrypted to it, RFC
// 9420 §5.1.3.
type HPKECiphertext struct {
	KEMOutput  []byte
	Ciphertext []byte
}

// A GroupContext is the agreed public state of an epoch, RFC 9420 §8.1.
type GroupContext struct {
	Version                 ProtocolVersion
	CipherSuite             provider.CipherSuite
	GroupID                 []byte
	Epoch                   uint64
	TreeHash                []byte
	ConfirmedTranscriptHash []byte
	Extensions              Extensions
}

// A FramedContent is what a member says to the group, RFC 9420 §6.
type FramedContent struct {
	GroupID           []byte
	Epoch             uint64
	Sender            Sender
	AuthenticatedData []byte
	ContentType       ContentType
	ApplicationData   []byte    // application
	Proposal          *Proposal // proposal
	Commit            *Commit   // commit

	RawContent []byte // proposal, commit: its encoding as received
}

// FramedContentAuthData is the signature of a FramedContent and, for a commit,
// its confirmation tag, RFC 9420 §6.1.
type FramedContentAuthData struct {
	Signature       []byte
	ConfirmationTag []byte // commit only
}

// An AuthenticatedContent is a FramedContent with what authenticates it, RFC
// 9420 §6.1.
type AuthenticatedContent struct {
	WireFormat WireFormat
	Content    FramedContent
	Auth       FramedContentAuthData
}

// A PublicMessage is signed, not encrypted, RFC 9420 §6.2.
type PublicMessage struct {
	Content       FramedContent
	Auth          FramedContentAuthData
	MembershipTag []byte // sender member only
}

// A PrivateMessage is signed and encrypted, RFC 9420 §6.3.
type PrivateMessage struct {
	GroupID             []byte
	Epoch               uint64
	ContentType         ContentType
	AuthenticatedData   []byte
	EncryptedSenderData []byte
	Ciphertext          []byte
}

// A Welcome brings new members into a group, RFC 9420 §12.4.3.1.
type Welcome struct {
	CipherSuite        provider.CipherSuite
	Secrets            []EncryptedGroupSecrets
	EncryptedGroupInfo []byte
}

// EncryptedGroupSecrets is one member's part of a Welcome.
type EncryptedGroupSecrets struct {
	NewMember             []byte // KeyPackageRef
	EncryptedGroupSecrets HPKECiphertext
}

// GroupSecrets is what a Welcome encrypts to a new member, RFC 9420 §12.4.3.1.
// The caller wipes JoinerSecret and PathSecret.
type GroupSecrets struct {
	JoinerSecret []byte
	PathSecret   []byte // optional: nil if absent
	PSKs         []PreSharedKeyID
}

// A GroupInfo tells a joiner about a group, RFC 9420 §12.4.3.
type GroupInfo struct {
	GroupContext    GroupContext
	Extensions      Extensions
	ConfirmationTag []byte
	Signer          treemath.LeafIndex
	Signature       []byte

	Raw []byte // the whole encoding
}

// An MLSMessage is the outermost structure of RFC 9420 §6. WireFormat says which
// pointer is set.
type MLSMessage struct {
	Version        ProtocolVersion
	WireFormat     WireFormat
	PublicMessage  *PublicMessage
	PrivateMessage *PrivateMessage
	Welcome        *Welcome
	GroupInfo      *GroupInfo
	KeyPackage     *KeyPackage
}
