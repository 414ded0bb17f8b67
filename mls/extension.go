package mls

import (
	"bytes"
	"fmt"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/wire"
)

// An Extension is a typed value in a leaf node, key package, group context or
// group info, RFC 9420 §13.4.
type Extension struct {
	Type uint16
	Data []byte
}

// The extension types that this package knows, RFC 9420 §17.3. LastResort is of
// the MLS extensions document, as OpenMLS has it.
const (
	ExtensionApplicationID        = uint16(proto.ExtensionTypeApplicationID)
	ExtensionRatchetTree          = uint16(proto.ExtensionTypeRatchetTree)
	ExtensionRequiredCapabilities = uint16(proto.ExtensionTypeRequiredCapabilities)
	ExtensionExternalPub          = uint16(proto.ExtensionTypeExternalPub)
	ExtensionExternalSenders      = uint16(proto.ExtensionTypeExternalSenders)
	ExtensionLastResort           = uint16(10)
)

// ApplicationIDExtension is a leaf extension that names the client to the
// application, RFC 9420 §5.3.3. Nothing vouches for it but the leaf's signature.
func ApplicationIDExtension(id []byte) Extension {
	return Extension{ExtensionApplicationID, wire.AppendOpaque(nil, id)}
}

// ApplicationID returns the content of an ApplicationIDExtension among es.
func ApplicationID(es []Extension) (id []byte, ok bool) {
	data, ok := findExtension(es, ExtensionApplicationID)
	if !ok {
		return nil, false
	}
	r := wire.NewReader(data)
	id = clone(r.Opaque())
	return id, r.Done() == nil
}

// RequiredCapabilities are what every member of a group must support besides
// RFC 9420's default types, RFC 9420 §11.1.
type RequiredCapabilities struct {
	Extensions  []uint16
	Proposals   []uint16
	Credentials []CredentialType
}

// RequiredCapabilitiesExtension is the group-context extension that demands them.
func RequiredCapabilitiesExtension(c RequiredCapabilities) Extension {
	var w proto.RequiredCapabilities
	w.Extensions = convert[proto.ExtensionType](c.Extensions)
	w.Proposals = convert[proto.ProposalType](c.Proposals)
	w.Credentials = convert[proto.CredentialType](c.Credentials)
	return Extension{ExtensionRequiredCapabilities, w.Append(nil)}
}

// RequiredCapabilitiesOf returns what a group context's extensions demand; zero
// without the extension. *ValidationError if it does not decode.
func RequiredCapabilitiesOf(es []Extension) (c RequiredCapabilities, err error) {
	data, ok := findExtension(es, ExtensionRequiredCapabilities)
	if !ok {
		return c, nil
	}
	w, err := proto.DecodeRequiredCapabilities(data)
	if err != nil {
		return c, public(err)
	}
	c.Extensions = convert[uint16](w.Extensions)
	c.Proposals = convert[uint16](w.Proposals)
	c.Credentials = convert[CredentialType](w.Credentials)
	return c, nil
}

// An ExternalSender is who may send proposals to a group without being a member
// of it, RFC 9420 §12.1.8.1.
type ExternalSender struct {
	SignatureKey []byte
	Credential   Credential
}

// ExternalSendersExtension is the group-context extension that lists external
// senders. A sender's index is its place in the list.
func ExternalSendersExtension(senders ...ExternalSender) Extension {
	list := make([]proto.ExternalSender, len(senders))
	for i, s := range senders {
		list[i] = proto.ExternalSender{SignatureKey: clone(s.SignatureKey), Credential: s.Credential.wire()}
	}
	return Extension{ExtensionExternalSenders, proto.AppendExternalSenders(nil, list)}
}

// ExternalSendersOf returns who may send external proposals under a group
// context's extensions. *ValidationError if the extension does not decode.
func ExternalSendersOf(es []Extension) ([]ExternalSender, error) {
	data, ok := findExtension(es, ExtensionExternalSenders)
	if !ok {
		return nil, nil
	}
	list, err := proto.DecodeExternalSenders(clone(data))
	if err != nil {
		return nil, public(err)
	}
	out := make([]ExternalSender, len(list))
	for i := range list {
		out[i] = ExternalSender{SignatureKey: clone(list[i].SignatureKey), Credential: credentialOf(&list[i].Credential)}
	}
	return out, nil
}

func findExtension(es []Extension, typ uint16) ([]byte, bool) {
	for _, e := range es {
		if e.Type == typ {
			return e.Data, true
		}
	}
	return nil, false
}

// String describes the extension by type and length; its content is the
// application's.
func (e Extension) String() string {
	return fmt.Sprintf("extension %#04x of %d bytes", e.Type, len(e.Data))
}

func extensionsOf(w proto.Extensions) []Extension {
	out := make([]Extension, len(w))
	for i, e := range w {
		out[i] = Extension{Type: uint16(e.Type), Data: bytes.Clone(e.Data)}
	}
	return out
}

func wireExtensions(es []Extension) proto.Extensions {
	var w proto.Extensions
	for _, e := range es {
		w = append(w, proto.Extension{Type: proto.ExtensionType(e.Type), Data: bytes.Clone(e.Data)})
	}
	return w
}

// convert changes the type of code points.
func convert[T, F ~uint16](from []F) []T {
	if from == nil {
		return nil
	}
	to := make([]T, len(from))
	for i, v := range from {
		to[i] = T(v)
	}
	return to
}
