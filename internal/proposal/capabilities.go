package proposal

import (
	"slices"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/provider"
)

// DefaultCapabilities returns the capabilities of a client that supports the
// given suites and nothing beyond RFC 9420. They list no default type (V023) and
// no GREASE; who publishes them may append some (§13.5).
func DefaultCapabilities(suites []provider.CipherSuite) proto.Capabilities {
	return proto.Capabilities{
		Versions:     []proto.ProtocolVersion{proto.MLS10},
		CipherSuites: slices.Clone(suites),
		Credentials:  []proto.CredentialType{proto.CredentialTypeBasic, proto.CredentialTypeX509},
	}
}

// CheckSuiteChoice checks that no suite that the group's creator prefers to
// chosen is supported by all key packages, so that nobody between the clients
// could talk the creator into a weaker one: V068, RFC 9420 §11. preference lists
// the creator's suites, the best first.
func CheckSuiteChoice(preference []provider.CipherSuite, chosen provider.CipherSuite, kps []*proto.KeyPackage) error {
	for _, s := range preference {
		if s == chosen {
			return nil
		}
		lacks := func(kp *proto.KeyPackage) bool { return !slices.Contains(kp.LeafNode.Capabilities.CipherSuites, s) }
		if !slices.ContainsFunc(kps, lacks) {
			return check.Errorf(check.V068, "all clients support %v, which is better than %v", s, chosen)
		}
	}
	return check.Errorf(check.V068, "%v is none of the creator's suites", chosen)
}

// demands are what every member of a group must support, besides the credential
// types in use: the group's suite and version, its required_capabilities and
// each of its extensions. RFC 9420 §7.3, 11.1, 13.4.
type demands struct {
	suite      provider.CipherSuite
	required   proto.RequiredCapabilities // without default types
	extensions []proto.ExtensionType      // of the GroupContext, without default types
	ids        demandIDs
}

// demandIDs are the checks that an unmet demand fails with.
type demandIDs struct{ required, extension check.ID }

// The numbers depend on who is to blame: the leaf, the proposal that raises the
// demand, or the group that is joined.
var (
	leafDemands  = demandIDs{check.V026, check.V027}
	groupDemands = demandIDs{check.V108, check.V109}
	joinDemands  = demandIDs{check.V204, check.V028}
)

// newDemands reads the demands of a group with the given extensions.
func newDemands(suite provider.CipherSuite, es proto.Extensions, ids demandIDs) (*demands, error) {
	d := &demands{suite: suite, ids: ids}
	for i := range es {
		if t := es[i].Type; !isDefaultExtension(t) {
			d.extensions = append(d.extensions, t)
		}
	}
	data, ok := es.Find(proto.ExtensionTypeRequiredCapabilities)
	if !ok {
		return d, nil
	}
	r, err := proto.DecodeRequiredCapabilities(data)
	if err != nil {
		return nil, err
	}
	d.required.Extensions = slices.DeleteFunc(slices.Clone(r.Extensions), isDefaultExtension)
	d.required.Proposals = slices.DeleteFunc(slices.Clone(r.Proposals), isDefaultProposal)
	d.required.Credentials = r.Credentials
	return d, nil
}

// meets checks that a client with capabilities c meets the demands.
func (d *demands) meets(c *proto.Capabilities) error {
	if !slices.Contains(c.Versions, proto.MLS10) {
		return check.Errorf(d.ids.required, "the group's protocol version is not supported")
	}
	if !slices.Contains(c.CipherSuites, d.suite) {
		return check.Errorf(d.ids.required, "the group's cipher suite is not supported")
	}
	if t, ok := containsAll(c.Extensions, d.required.Extensions); !ok {
		return check.Errorf(d.ids.required, "required extension %#04x is not supported", uint16(t))
	}
	if t, ok := containsAll(c.Proposals, d.required.Proposals); !ok {
		return check.Errorf(d.ids.required, "required proposal %#04x is not supported", uint16(t))
	}
	if t, ok := containsAll(c.Credentials, d.required.Credentials); !ok {
		return check.Errorf(d.ids.required, "required credential %#04x is not supported", uint16(t))
	}
	if t, ok := containsAll(c.Extensions, d.extensions); !ok {
		return check.Errorf(d.ids.extension, "group extension %#04x is not supported", uint16(t))
	}
	return nil
}

// CheckJoiner checks that a client can be a member of a group it is about to
// join: it supports every extension of the GroupContext (V028) and all that the
// group requires (V204). RFC 9420 §12.4.3.1, 13.4.
func CheckJoiner(context *proto.GroupContext, own *proto.Capabilities) error {
	d, err := newDemands(context.CipherSuite, context.Extensions, joinDemands)
	if err != nil {
		return err
	}
	return d.meets(own)
}

// fewCompares bounds the product of two lists' lengths up to which comparing
// each with each beats building a set.
const fewCompares = 1024

// containsAll reports whether have lists each of need, and otherwise one that it
// lacks. A value reserved for GREASE is never supported, though clients list
// some, RFC 9420 §13.5. It takes time linear in both lists.
func containsAll[T ~uint16](have, need []T) (lacking T, ok bool) {
	contains := func(t T) bool { return slices.Contains(have, t) }
	if len(have)*len(need) > fewCompares {
		set := make(map[T]struct{}, len(have))
		for _, t := range have {
			set[t] = struct{}{}
		}
		contains = func(t T) bool { _, ok := set[t]; return ok }
	}
	for _, t := range need {
		if proto.IsGREASE(uint16(t)) || !contains(t) {
			return t, false
		}
	}
	return 0, true
}
