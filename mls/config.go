package mls

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/hardmls/hardmls/internal/framing"
	"github.com/hardmls/hardmls/internal/proposal"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/secrettree"
	"github.com/hardmls/hardmls/provider"
)

// A WireFormatPolicy says how handshake messages are sent and which are
// accepted. Application messages are always encrypted.
type WireFormatPolicy uint8

// The four policies of OpenMLS. Pure ones accept only what they send.
const (
	PureCiphertext  WireFormatPolicy = iota // the default
	PurePlaintext                           // send PublicMessage
	MixedCiphertext                         // send PrivateMessage, accept both
	MixedPlaintext                          // send PublicMessage, accept both
)

func (p WireFormatPolicy) sendsPrivate() bool { return p == PureCiphertext || p == MixedCiphertext }

func (p WireFormatPolicy) accepts(private bool) bool {
	switch p {
	case PureCiphertext:
		return private
	case PurePlaintext:
		return !private
	}
	return true
}

// A ReceivePolicy says when the use of a received message's key is written.
type ReceivePolicy uint8

const (
	// OnFlush writes with the group's next batch, or when Flush is called.
	// After a crash, messages since then open again.
	OnFlush ReceivePolicy = iota
	// EachMessage writes before the plaintext is returned.
	EachMessage
)

// An ExternalCommitPolicy says which external commits are accepted, RFC 9420
// §12.4.3.2. Who has a GroupInfo and a signature key of a client that the
// Authenticator knows comes in by one without being asked in; with a member's
// signature key also in that member's place.
type ExternalCommitPolicy uint8

const (
	// RefuseExternalCommits is the default.
	RefuseExternalCommits ExternalCommitPolicy = iota
	// AcceptExternalJoins accepts those that remove nobody.
	AcceptExternalJoins
	// AcceptExternalCommits accepts also those by which a client takes the
	// place of its old leaf.
	AcceptExternalCommits
)

// Defaults of Config.
const (
	DefaultOutOfOrder     = 5
	DefaultForward        = 1000
	DefaultPastEpochs     = 3
	DefaultResumptionPSKs = 3
	DefaultMaxMessage     = 16 << 20
	DefaultMaxReceive     = 64 << 20
	DefaultMaxMembers     = 1 << 17
	DefaultMaxProposals   = 10_000
	DefaultLeaseSize      = 1
	DefaultLifetime       = 90 * 24 * time.Hour
	DefaultMaxLifetime    = 366 * 24 * time.Hour
)

// KeepNone, as a count of things that a Config keeps, keeps none of them.
const KeepNone = math.MinInt

// A Config is what an application decides about a group. The zero value of a
// field means its default; a negative number turns a limit to none (or, for a
// count of things kept, keeps them all; KeepNone keeps none). It is copied when it
// is given.
type Config struct {
	// Authenticator decides about credentials. It must be given.
	Authenticator Authenticator

	// CipherSuite of a new group or key package; default 1. A joiner's is
	// its key package's.
	CipherSuite provider.CipherSuite
	// GroupID of a new group; default 32 random bytes.
	GroupID []byte

	WireFormat WireFormatPolicy
	Padding    Padding
	Receive    ReceivePolicy

	// ExternalCommits says who may join on its own; the default is nobody. All
	// members must agree on it, or some can't follow the others. It does not
	// matter for who joins by JoinExternal.
	ExternalCommits ExternalCommitPolicy

	// PastEpochs is how many epochs before the current one are kept for
	// late application messages, and PastEpochAge for how long at most after
	// the commit that ended them was processed; zero sets no limit of time.
	// What is too old is forgotten when the group is used next.
	PastEpochs   int
	PastEpochAge time.Duration
	// ResumptionPSKs is how many epochs' resumption PSKs are kept.
	ResumptionPSKs int
	// OutOfOrder is how many generations below a sender's newest stay
	// readable, Forward how far one may jump ahead.
	OutOfOrder, Forward int
	// MaxMessage is the longest plaintext that is sent, in bytes.
	MaxMessage int
	// MaxReceive is the longest message that is looked at, in bytes: also a
	// Welcome, a GroupInfo or a key package.
	MaxReceive int
	// MaxMembers bounds the leaves of the ratchet tree of a group that is
	// joined, blank ones included: checking a tree costs time for each.
	MaxMembers int
	// MaxProposals bounds the proposals stored in one epoch.
	MaxProposals int
	// LeaseSize is how many generations are reserved on disk at once;
	// 1 is strict. At most a tenth of Forward.
	LeaseSize int

	// NoRatchetTree leaves the ratchet tree out of Welcomes: joiners then get
	// it by WithRatchetTree.
	NoRatchetTree bool
	// NoGREASE leaves out the reserved values that RFC 9420 §13.5 asks for in
	// capabilities, key packages and GroupInfos.
	NoGREASE bool

	// AllowNewMember decides about an Add that its new member proposed itself
	// (RFC 9420 §12.1.8); nil refuses all of them.
	AllowNewMember func(kp *KeyPackage) bool

	// Lifetime of the key packages made; the clock is Now.
	Lifetime time.Duration
	// LastResort makes key packages that joining does not use up, for when a
	// delivery service has run out of others (RFC 9420 §16.8). Their keys stay
	// until DeleteKeyPackage.
	LastResort bool
	// MaxLifetime is the longest lifetime of a leaf that is accepted, RFC 9420
	// §7.2; default a year.
	MaxLifetime time.Duration
	// SkipLifetime accepts leaves whose lifetime is over.
	SkipLifetime bool
	// Now is the clock; default time.Now.
	Now func() time.Time

	// TestingOnlyPrivateSuites lets tests and simulations use suites of the
	// private range, such as toy crypto, which protect nothing.
	TestingOnlyPrivateSuites bool

	// Capabilities beyond what this package supports by itself.
	Capabilities Capabilities
	// Extensions of the GroupContext of a new group.
	Extensions []Extension
	// LeafExtensions of this client's leaves.
	LeafExtensions []Extension
}

// A Padding hides the lengths of messages: it says how long the ciphertext of a
// PrivateMessage becomes, tag included. The zero value pads nothing.
type Padding struct {
	// Buckets are the lengths to choose from: a ciphertext gets the smallest
	// that holds it.
	Buckets []int
	// Multiple rounds up what no bucket holds. Below 2 it rounds nothing.
	Multiple int
}

// config is a Config with every default filled in.
type config struct {
	Config
	limits  secrettree.Limits
	padding framing.Padding
}

func (c Config) resolve() (config, error) {
	if c.Authenticator == nil {
		return config{}, errors.New("mls: Config.Authenticator must be given")
	}
	if c.WireFormat > MixedPlaintext {
		return config{}, errors.New("mls: Config.WireFormat is unknown")
	}
	if c.Receive > EachMessage {
		return config{}, errors.New("mls: Config.Receive is unknown")
	}
	if c.ExternalCommits > AcceptExternalCommits {
		return config{}, errors.New("mls: Config.ExternalCommits is unknown")
	}
	if c.CipherSuite == 0 {
		c.CipherSuite = provider.X25519_AES128GCM_SHA256_Ed25519
	}
	if c.CipherSuite >= provider.FirstPrivateSuite && !c.TestingOnlyPrivateSuites {
		return config{}, fmt.Errorf("mls: %w", &provider.UnsupportedError{Suite: c.CipherSuite, Reason: "toy crypto is for tests"})
	}
	const none = int(^uint(0) >> 1)
	limit := func(v *int, def, unlimited int) {
		switch {
		case *v == KeepNone:
			*v = 0
		case *v == 0:
			*v = def
		case *v < 0:
			*v = unlimited
		}
	}
	limit(&c.PastEpochs, DefaultPastEpochs, none)
	limit(&c.ResumptionPSKs, DefaultResumptionPSKs, none)
	limit(&c.OutOfOrder, DefaultOutOfOrder, maxGeneration)
	limit(&c.Forward, DefaultForward, maxGeneration)
	if c.MaxMessage == KeepNone || c.MaxReceive == KeepNone || c.MaxMembers == KeepNone || c.MaxProposals == KeepNone || c.LeaseSize == KeepNone || c.Forward == KeepNone {
		return config{}, errors.New("mls: Config: KeepNone is for what is kept")
	}
	limit(&c.MaxMessage, DefaultMaxMessage, none)
	limit(&c.MaxReceive, DefaultMaxReceive, none)
	limit(&c.MaxMembers, DefaultMaxMembers, none)
	limit(&c.MaxProposals, DefaultMaxProposals, none)
	limit(&c.LeaseSize, DefaultLeaseSize, DefaultLeaseSize)
	if c.LeaseSize > max(1, c.Forward/10) {
		return config{}, errors.New("mls: Config.LeaseSize is more than a tenth of Forward")
	}
	if c.Lifetime == 0 {
		c.Lifetime = DefaultLifetime
	}
	switch {
	case c.MaxLifetime == 0:
		c.MaxLifetime = DefaultMaxLifetime
	case c.MaxLifetime < 0:
		c.MaxLifetime = 0 // none, to the proposal machine
	}
	if c.PastEpochAge < 0 {
		return config{}, errors.New("mls: Config.PastEpochAge is negative")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return config{
		Config:  c,
		limits:  secrettree.Limits{OutOfOrder: uint32(c.OutOfOrder), Forward: uint32(c.Forward)},
		padding: framing.Padding{Buckets: slices.Clone(c.Padding.Buckets), Multiple: c.Padding.Multiple},
	}, nil
}

// decode decodes an MLSMessage that came from outside, unless it is too long.
func (c *config) decode(msg []byte) (*proto.MLSMessage, error) {
	if len(msg) > c.MaxReceive {
		return nil, ErrMessageTooLong
	}
	return proto.DecodeMLSMessage(clone(msg))
}

// maxGeneration is the largest window that a ratchet can have.
const maxGeneration = 1<<31 - 1

// policy is what the proposal machine needs to know of the config.
func (c *config) policy(s provider.Suite) *proposal.Policy {
	p := &proposal.Policy{
		Now:           c.Now(),
		CheckLifetime: !c.SkipLifetime,
		MaxLifetime:   c.MaxLifetime,
		MaxProposals:  c.MaxProposals,
		SameClient:    c.sameClient,
	}
	if c.AllowNewMember != nil {
		p.AllowNewMember = func(kp *proto.KeyPackage) bool {
			return c.AllowNewMember(proposedKeyPackage(s, kp))
		}
	}
	return p
}

// An Authenticator is the application's view of the authentication service, RFC
// 9420 §5.3.1. It is called without locks and may block as long as ctx allows.
type Authenticator interface {
	// Authenticate returns one error per request, nil where the credential
	// is valid for the signature key. A result of another length refuses
	// all of them. What a pending proposal of another member brings is left
	// out of a commit of one's own if it is refused; anything else that is
	// refused fails the call.
	Authenticate(ctx context.Context, reqs []AuthRequest) []error
	// SameClient reports whether two credentials name one client, RFC 9420
	// §5.3.4. It is asked about each client that a commit adds, beside each
	// other and beside each member: should that be more than 65,536 pairs, only
	// about those whose credentials are equal, so that no commit takes longer
	// than its length and the group's size allow. In such large steps a client
	// with two credentials that differ is not noticed: Authenticate can refuse
	// it. It must be quick, and must not change the credentials.
	SameClient(a, b Credential) bool
}

// An AuthUse says where a credential to authenticate comes from.
type AuthUse uint8

// The places of credentials.
const (
	AuthAdd            AuthUse = 1 // a new member
	AuthUpdate         AuthUse = 2 // a member's new leaf, by update or commit
	AuthTree           AuthUse = 3 // a member of a group that is joined
	AuthExternalSender AuthUse = 4 // the external_senders extension
	AuthExternalJoin   AuthUse = 5 // a new member by external commit
)

// An AuthRequest asks whether a credential is valid for a signature key in a
// group. Replaces is the credential that the new one takes the place of, if any.
type AuthRequest struct {
	Credential   Credential
	SignatureKey []byte
	Group        []byte
	Replaces     *Credential
	Use          AuthUse
}

// AuthenticatorFunc is an Authenticator that asks once per credential. Two
// credentials are the same client's if they are equal.
type AuthenticatorFunc func(ctx context.Context, req AuthRequest) error

// Authenticate implements Authenticator.
func (f AuthenticatorFunc) Authenticate(ctx context.Context, reqs []AuthRequest) []error {
	errs := make([]error, len(reqs))
	for i := range reqs {
		errs[i] = f(ctx, reqs[i])
	}
	return errs
}

// SameClient implements Authenticator.
func (f AuthenticatorFunc) SameClient(a, b Credential) bool { return a.Equal(b) }
