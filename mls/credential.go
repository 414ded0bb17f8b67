package mls

import (
	"bytes"
	"slices"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/provider"
)

// A CredentialType is a type of credential, RFC 9420 §17.5.
type CredentialType uint16

// The credential types of RFC 9420.
const (
	CredentialBasic CredentialType = 1
	CredentialX509  CredentialType = 2
)

// A Credential is who a client claims to be, RFC 9420 §5.3. What the claim is
// worth, the Authenticator decides.
type Credential struct {
	Type         CredentialType
	Identity     []byte   // basic
	Certificates [][]byte // X.509: DER, the leaf certificate first
}

// BasicCredential returns a basic credential of the given identity.
func BasicCredential(identity []byte) Credential {
	return Credential{Type: CredentialBasic, Identity: bytes.Clone(identity)}
}

// Equal reports whether two credentials are the same, byte for byte.
func (c Credential) Equal(d Credential) bool {
	return c.Type == d.Type && bytes.Equal(c.Identity, d.Identity) &&
		slices.EqualFunc(c.Certificates, d.Certificates, bytes.Equal)
}

func (c Credential) wire() proto.Credential {
	w := proto.Credential{Type: proto.CredentialType(c.Type), Identity: bytes.Clone(c.Identity)}
	for _, der := range c.Certificates {
		w.Certificates = append(w.Certificates, bytes.Clone(der))
	}
	return w
}

func credentialOf(w *proto.Credential) Credential { return shared(w.Clone()) }

// sameClient asks about copies, which the application may keep.
func (c *config) sameClient(a, b *proto.Credential) bool {
	return c.Authenticator.SameClient(shared(a), shared(b))
}

// shared is credentialOf without a copy.
func shared(w *proto.Credential) Credential {
	return Credential{Type: CredentialType(w.Type), Identity: w.Identity, Certificates: w.Certificates}
}

// Capabilities are what a client supports besides RFC 9420's default proposal
// and extension types, RFC 9420 §7.2. Suites and protocol versions are the
// provider's and this package's.
type Capabilities struct {
	Extensions  []uint16
	Proposals   []uint16
	Credentials []CredentialType // default: basic and X.509
}

// wire returns the leaf's capabilities: what the backend and this package
// support, and what the application adds.
func (c *config) wireCapabilities(suites []provider.CipherSuite) proto.Capabilities {
	w := proto.Capabilities{
		Versions:     []proto.ProtocolVersion{proto.MLS10},
		CipherSuites: suites,
	}
	w.Extensions = convert[proto.ExtensionType](c.Capabilities.Extensions)
	w.Proposals = convert[proto.ProposalType](c.Capabilities.Proposals)
	w.Credentials = convert[proto.CredentialType](c.Capabilities.Credentials)
	if c.LastResort {
		w.Extensions = append(w.Extensions, proto.ExtensionType(ExtensionLastResort))
	}
	if len(w.Credentials) == 0 {
		w.Credentials = []proto.CredentialType{proto.CredentialTypeBasic, proto.CredentialTypeX509}
	}
	return w
}

// A Member is one member of a group.
type Member struct {
	Index         uint32 // leaf index
	Credential    Credential
	SignatureKey  []byte
	EncryptionKey []byte
	Extensions    []Extension // of the leaf
}
