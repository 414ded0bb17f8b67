package inspect

import (
	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
)

// contents are the extensions of RFC 9420 whose content is read, by the one place
// where they may stand, §17.3. Elsewhere they are bytes, so that structures nest as
// deep as RFC 9420 has them and no deeper.
var contents map[proto.ExtensionType]struct {
	place   proto.Place
	members func(w *walker)
}

func init() {
	contents = map[proto.ExtensionType]struct {
		place   proto.Place
		members func(w *walker)
	}{
		proto.ExtensionTypeApplicationID:        {proto.PlaceLeafNode, func(w *walker) { w.text("application_id") }},
		proto.ExtensionTypeRatchetTree:          {proto.PlaceGroupInfo, ratchetTree},
		proto.ExtensionTypeRequiredCapabilities: {proto.PlaceGroupContext, requiredCapabilities},
		proto.ExtensionTypeExternalPub:          {proto.PlaceGroupInfo, func(w *walker) { w.opaque("external_pub", "HPKEPublicKey") }},
		proto.ExtensionTypeExternalSenders:      {proto.PlaceGroupContext, externalSenders},
	}
}

// requiredCapabilities is RequiredCapabilities, RFC 9420 §11.1.
func requiredCapabilities(w *walker) {
	w.numbers("extension_types", "ExtensionType", maxCapabilities, 2, extensionName)
	w.numbers("proposal_types", "ProposalType", maxCapabilities, 2, proposalTypeName)
	w.numbers("credential_types", "CredentialType", maxCapabilities, 2, credentialName)
}

// externalSenders is the content of external_senders, RFC 9420 §12.1.8.1.
func externalSenders(w *walker) {
	w.structs("external_senders", "ExternalSender", maxSenders, func(w *walker) {
		w.opaque("signature_key", "SignaturePublicKey")
		w.structure("credential", "Credential", credential)
	})
}

// extensions is Extension extensions<V>, RFC 9420 §7.2, in a structure of the
// given place. No type stands there twice, V020.
func extensions(w *walker, place proto.Place) {
	seen := map[uint64]bool{}
	twice, at := uint64(0), -1
	w.structs("extensions", "Extension", maxExtensions, func(w *walker) {
		start := w.r.Offset()
		t := w.number("extension_type", "ExtensionType", 2, extensionName)
		if seen[t] && at < 0 {
			twice, at = t, start
		}
		seen[t] = true
		w.field(Field{Name: "extension_data", Type: "opaque", Kind: Opaque}, func(f *Field) {
			sub := w.open(f)
			c, known := contents[proto.ExtensionType(t)]
			switch {
			case place == proto.PlaceGroupContext && (t == 0 || proto.IsGREASE(uint16(t))):
				w.inform(start, check.Errorf(check.V029, "extension type %#04x in a group context", t))
			case known && c.place != place:
				w.inform(start, check.Errorf(check.V030, "extension %d does not belong here", t))
			case known:
				w.content(sub, c.members)
			}
		})
	})
	if at >= 0 {
		w.fail(at, "extensions", check.Errorf(check.V020, "two extensions of type %d", twice))
	}
}

// maxInside is how many errors are kept that are none of the structure's syntax.
const maxInside = 64

// inform adds an error that is none of the structure's syntax.
func (w *walker) inform(offset int, err error) {
	if w.r.Err() == nil {
		w.addInside(Problem{Offset: offset, Path: w.path(), Err: err})
	}
}

func (w *walker) addInside(p Problem) {
	if w.inside != nil && len(*w.inside) < maxInside {
		*w.inside = append(*w.inside, p)
	}
}
