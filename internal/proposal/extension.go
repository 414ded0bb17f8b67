package proposal

import (
	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
)

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
// GREASE (V029). Unknown types are none of its business (V021). Received lists
// are decoded without duplicates; those that an application builds are not.
func CheckExtensions(es proto.Extensions, place proto.Place) error {
	if err := checkUnique(es); err != nil {
		return err
	}
	if place == proto.PlaceGroupContext {
		for i := range es {
			if t := uint16(es[i].Type); t == 0 || proto.IsGREASE(t) {
				return check.Errorf(check.V029, "extension type %#04x in a group context", t)
			}
		}
	}
	return es.CheckPlace(place)
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

// ExternalSenders returns who may send external proposals to a group, RFC 9420
// §12.1.8.1. V078 if the group has no such extension.
func ExternalSenders(context *proto.GroupContext) ([]proto.ExternalSender, error) {
	data, ok := context.Extensions.Find(proto.ExtensionTypeExternalSenders)
	if !ok {
		return nil, check.Errorf(check.V078, "group has no external senders")
	}
	return proto.DecodeExternalSenders(data)
}
