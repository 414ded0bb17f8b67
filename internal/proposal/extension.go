package proposal

import (
	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
)

// A Place is a structure that holds an extension list, RFC 9420 §13.4.
type Place uint8

// The places, as in RFC 9420 §17.3. A ReInit and a GroupContextExtensions
// proposal hold extensions of a GroupContext.
const (
	InKeyPackage Place = 1 << iota
	InLeafNode
	InGroupContext
	InGroupInfo
)

// places says where each extension type of RFC 9420 may stand, §17.3.
var places = map[proto.ExtensionType]Place{
	proto.ExtensionTypeApplicationID:        InLeafNode,
	proto.ExtensionTypeRatchetTree:          InGroupInfo,
	proto.ExtensionTypeRequiredCapabilities: InGroupContext,
	proto.ExtensionTypeExternalPub:          InGroupInfo,
	proto.ExtensionTypeExternalSenders:      InGroupContext,
}

// isDefaultExtension reports whether every client supports t without listing it
// in its capabilities, RFC 9420 §7.2.
func isDefaultExtension(t proto.ExtensionType) bool {
	return t >= proto.ExtensionTypeApplicationID && t <= proto.ExtensionTypeExternalSenders
}

// isDefaultProposal reports whether every client supports t without listing it
// in its capabilities, RFC 9420 §7.2.
func isDefaultProposal(t proto.ProposalType) bool {
	return t >= proto.ProposalTypeAdd && t <= proto.ProposalTypeGroupContextExtensions
}

// CheckExtensions checks an extension list by itself: each type once (V020) and
// in its place (V030), what RFC 9420 defines well formed (V006), and in a
// GroupContext, where every extension is mandatory, no type that is reserved for
// GREASE (V029). Unknown types are none of its business (V021).
//
// The ratchet tree and the external key of a GroupInfo are read by who uses
// them, not here.
func CheckExtensions(es proto.Extensions, place Place) error {
	if err := checkUnique(es); err != nil {
		return err
	}
	for i := range es {
		t := es[i].Type
		if where, known := places[t]; known && where&place == 0 {
			return check.Errorf(check.V030, "extension of type %d is not allowed here", t)
		}
		if place == InGroupContext && (t == 0 || proto.IsGREASE(uint16(t))) {
			return check.Errorf(check.V029, "extension type %#04x in a group context", uint16(t))
		}
		if err := checkContent(&es[i]); err != nil {
			return err
		}
	}
	return nil
}

func checkUnique(es proto.Extensions) error {
	if len(es) < 2 {
		return nil
	}
	seen := make(map[proto.ExtensionType]struct{}, len(es))
	for i := range es {
		if _, dup := seen[es[i].Type]; dup {
			return check.Errorf(check.V020, "two extensions of type %d", es[i].Type)
		}
		seen[es[i].Type] = struct{}{}
	}
	return nil
}

func checkContent(e *proto.Extension) (err error) {
	switch e.Type {
	case proto.ExtensionTypeApplicationID:
		_, err = proto.DecodeApplicationID(e.Data)
	case proto.ExtensionTypeRequiredCapabilities:
		_, err = proto.DecodeRequiredCapabilities(e.Data)
	case proto.ExtensionTypeExternalSenders:
		_, err = proto.DecodeExternalSenders(e.Data)
	}
	return err
}

// ExternalSenders returns who may send external proposals to a group, RFC 9420
// §12.1.8.1. V078 if the group has no such extension.
func ExternalSenders(context *proto.GroupContext) ([]proto.ExternalSender, error) {
	data, ok := context.Extensions.Find(proto.ExtensionTypeExternalSenders)
	if !ok {
		return nil, check.Errorf(check.V078, "group has no external senders")
	}
	return proto.DecodeExternalSenders(data)
}
