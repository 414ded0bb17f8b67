package proposal

import (
	"time"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/ratchettree"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// A Policy is what RFC 9420 leaves to the application. The zero value checks no
// clock, knows clients by their signature keys alone, and refuses proposals of
// new members.
type Policy struct {
	// Now is the time that lifetimes are compared with.
	Now time.Time
	// CheckLifetime refuses leaves that are not valid now when they are
	// received, which RFC 9420 §7.3 recommends (V048). Leaves that are sent
	// are always checked (V047).
	CheckLifetime bool
	// MaxLifetime is the longest total lifetime of a leaf, RFC 9420 §7.2
	// (V049). Zero sets no limit.
	MaxLifetime time.Duration
	// StrictCapabilities refuses capabilities that list default types, which
	// RFC 9420 §7.2 forbids and some senders do (V023).
	StrictCapabilities bool
	// MaxProposals is the most proposals that a commit may cover (V112).
	// Zero sets no limit.
	MaxProposals int

	// ClientID returns what identifies a credential's client, nil if nothing
	// does. Two clients are the same if it is equal. Optional; it replaces
	// SameClient.
	ClientID func(c *proto.Credential) []byte
	// SameClient reports whether two credentials are one client's, RFC 9420
	// §5.3.3, §12.2 (V134, V135, V148). It is asked about every pair that a
	// list concerns as long as these are at most maxPairs; beyond, only about
	// credentials that are equal, so that a list is validated in linear time.
	// ClientID knows no such limit. SameClient is given copies: one of each
	// credential for all questions of a list. Optional: without either,
	// credentials are not compared but for V148, which demands an equal one.
	SameClient func(a, b *proto.Credential) bool

	// AllowNewMember decides about an Add that its new member sent itself,
	// RFC 9420 §12.1.8 (V110). Nil refuses all of them.
	AllowNewMember func(kp *proto.KeyPackage) bool
}

// sameClient reports whether two credentials are one client's.
func (p *Policy) sameClient(a, b *proto.Credential) bool {
	switch {
	case p.ClientID != nil:
		id := p.ClientID(a)
		return id != nil && sameKey(id, p.ClientID(b))
	case p.SameClient != nil:
		return p.SameClient(a.Clone(), b.Clone())
	}
	return equalCredentials(a, b)
}

// maxPairs is how many questions of SameClient one list may raise.
const maxPairs = 1 << 16

// An Env is the epoch that proposals are made in. It is not changed, and may be
// used by several goroutines at once.
type Env struct {
	Suite   provider.Suite
	Tree    *ratchettree.Tree
	Context *proto.GroupContext
	Policy  *Policy // required

	// Sending is set by who is about to send what is validated: then
	// lifetimes are checked whatever the policy says.
	Sending bool
	// Resumption is the usage, reinit or branch, that a resumption PSK may
	// have in the first commit of a group's successor; zero elsewhere.
	Resumption proto.ResumptionPSKUsage
}

// A CredentialUse says where a credential comes from.
type CredentialUse uint8

// The places that new credentials come from, RFC 9420 §5.3.1.
const (
	CredentialAdd            CredentialUse = 1 // a new member
	CredentialUpdate         CredentialUse = 2 // a member's new leaf, by update or commit
	CredentialTree           CredentialUse = 3 // a member of a group that is joined
	CredentialExternalSender CredentialUse = 4 // the external_senders extension
	CredentialExternalJoin   CredentialUse = 5 // a new member by external commit
)

// A CredentialCheck is a credential that the application must validate with its
// authentication service before the change takes effect (V040), and as the
// successor of another one where it replaces it (V041).
type CredentialCheck struct {
	Leaf         treemath.LeafIndex // in the new tree; 0 of an external sender
	Credential   *proto.Credential
	SignatureKey []byte
	Replaces     *proto.Credential // nil if there was none
	Use          CredentialUse
	Proposal     int // position of the proposal that brings it, or check.NoIndex
}
