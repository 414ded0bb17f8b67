package proposal

import (
	"errors"
	"testing"
	"time"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// everywhere runs one change of a leaf in each place where a leaf is validated:
// Add, Update, path, external path, and ratchet tree. context is the group's
// extensions. Every place must give the same verdict: check id, or accept if it
// is 0.
func everywhere(t *testing.T, id check.ID, context proto.Extensions, change func(*proto.LeafNode)) {
	t.Helper()
	verdict := func(t *testing.T, err error) {
		t.Helper()
		if id == 0 {
			accept(t, err)
		} else {
			refuse(t, err, id)
		}
	}
	fit := everyMember(func(l *proto.LeafNode) {
		for _, e := range context {
			if !isDefaultExtension(e.Type) {
				l.Capabilities.Extensions = append(l.Capabilities.Extensions, e.Type)
			}
		}
		r := proto.RequiredCapabilities{}
		if data, ok := context.Find(proto.ExtensionTypeRequiredCapabilities); ok {
			d, err := proto.DecodeRequiredCapabilities(data)
			if err != nil {
				t.Fatal(err)
			}
			r = *d
		}
		supports(r.Extensions, r.Proposals, r.Credentials)(l)
	})
	group := func(t *testing.T) *world {
		w := newWorld(t, 3, fit)
		w.env.Context.Extensions = context
		return w
	}
	t.Run("add", func(t *testing.T) {
		w := group(t)
		verdict(t, w.validate(0, w.adds("new", inKeyPackage(change))))
	})
	t.Run("update", func(t *testing.T) {
		w := group(t)
		verdict(t, w.validate(0, w.updates(1, change)))
	})
	t.Run("path", func(t *testing.T) {
		w := group(t)
		verdict(t, w.path(w.apply(member(0)), member(0), 0, w.signers[0], change))
	})
	t.Run("external path", func(t *testing.T) {
		w := group(t)
		verdict(t, w.path(w.apply(joiner, inline(w.externalInit())), joiner, 3, w.newSigner(), change))
	})
	t.Run("tree", func(t *testing.T) {
		w := newWorld(t, 3, func(i int, l *proto.LeafNode) {
			if i == 1 {
				change(l)
			} else {
				fit(i, l)
			}
		})
		w.env.Context.Extensions = context
		verdict(t, ValidateTreeLeaves(w.suite, w.env.Tree, w.env.Context, w.env.Policy))
	})
}

func TestV011_KeysAreWellFormed(t *testing.T) {
	everywhere(t, check.V011, nil, func(l *proto.LeafNode) { l.EncryptionKey = l.EncryptionKey[1:] })
	everywhere(t, check.V011, nil, func(l *proto.LeafNode) { l.EncryptionKey = append(l.EncryptionKey, 0) })
	everywhere(t, check.V011, nil, func(l *proto.LeafNode) { l.EncryptionKey = nil })
	w := newWorld(t, 2)
	refuse(t, w.validate(0, w.adds("new", func(kp *proto.KeyPackage) { kp.InitKey = kp.InitKey[1:] })), check.V011)
}

func TestV020_DuplicateExtensions(t *testing.T) {
	two := proto.Extensions{{Type: customExtension}, {Type: customExtension}}
	everywhere(t, check.V020, nil, func(l *proto.LeafNode) {
		l.Extensions = two
		supports([]proto.ExtensionType{customExtension}, nil, nil)(l)
	})
	w := newWorld(t, 2)
	refuse(t, w.validate(0, w.adds("new", func(kp *proto.KeyPackage) { kp.Extensions = two })), check.V020)
	refuse(t, w.validate(0, w.by(0, extensions(two...))), check.V020)
	refuse(t, w.validate(0, w.by(0, reInit(func(r *proto.ReInit) { r.Extensions = two }))), check.V020)
	refuse(t, CheckExtensions(two, proto.PlaceGroupInfo), check.V020)
}

func TestV021_UnknownExtensionsAreIgnored(t *testing.T) {
	w := newWorld(t, 2)
	accept(t, w.validate(0, w.adds("new", func(kp *proto.KeyPackage) {
		kp.Extensions = proto.Extensions{{Type: customExtension, Data: []byte{1}}, {Type: 0x0A0A}}
		kp.LeafNode.Extensions = proto.Extensions{{Type: 0x1A1A, Data: []byte("any")}}
		supports([]proto.ExtensionType{customExtension, 0x0A0A, 0x1A1A}, nil, nil)(&kp.LeafNode)
	})))
	accept(t, CheckExtensions(proto.Extensions{{Type: customExtension}, {Type: 0x0A0A}}, proto.PlaceGroupInfo))
}

func TestV022_UnknownCapabilitiesAreIgnored(t *testing.T) {
	everywhere(t, 0, nil, func(l *proto.LeafNode) {
		c := &l.Capabilities
		c.Versions = append(c.Versions, 0x7A7A)
		c.CipherSuites = append(c.CipherSuites, 0x8A8A, 0xF0F0)
		supports([]proto.ExtensionType{0x9A9A, 0xF0F0}, []proto.ProposalType{0xAAAA}, []proto.CredentialType{0xBABA})(l)
	})
}

func TestV023_DefaultTypesInCapabilities(t *testing.T) {
	w := newWorld(t, 2)
	for typ := range uint16(8) {
		if typ == 0 {
			continue
		}
		p := inKeyPackage(supports(nil, []proto.ProposalType{proto.ProposalType(typ)}, nil))
		w.env.Policy.StrictCapabilities = false
		accept(t, w.validate(0, w.adds("new", p)))
		w.env.Policy.StrictCapabilities = true
		refuse(t, w.validate(0, w.adds("new", p)), check.V023)
		if typ <= 5 {
			e := inKeyPackage(supports([]proto.ExtensionType{proto.ExtensionType(typ)}, nil, nil))
			refuse(t, w.validate(0, w.adds("new", e)), check.V023)
		}
	}
	c := DefaultCapabilities(provider.CipherSuites())
	if len(c.Extensions)+len(c.Proposals) > 0 {
		t.Errorf("default capabilities list %v, %v", c.Extensions, c.Proposals)
	}
}

func TestV024_LeafExtensionsAreListed(t *testing.T) {
	with := func(typ proto.ExtensionType) func(*proto.LeafNode) {
		return func(l *proto.LeafNode) { l.Extensions = proto.Extensions{{Type: typ}} }
	}
	everywhere(t, check.V024, nil, with(customExtension))
	everywhere(t, check.V024, nil, with(0x0A0A))
	everywhere(t, 0, nil, func(l *proto.LeafNode) {
		with(customExtension)(l)
		supports([]proto.ExtensionType{customExtension}, nil, nil)(l)
	})
	everywhere(t, 0, nil, func(l *proto.LeafNode) { // a default type needs no listing
		l.Extensions = proto.Extensions{{Type: proto.ExtensionTypeApplicationID, Data: []byte{1, 'a'}}}
	})
}

func TestV025_CredentialTypeIsListed(t *testing.T) {
	everywhere(t, check.V025, nil, func(l *proto.LeafNode) {
		l.Capabilities.Credentials = []proto.CredentialType{proto.CredentialTypeX509}
	})
}

func TestV026_RequiredCapabilities(t *testing.T) {
	context := proto.Extensions{required(proto.RequiredCapabilities{
		Extensions:  []proto.ExtensionType{customExtension, proto.ExtensionTypeApplicationID},
		Proposals:   []proto.ProposalType{customProposal, proto.ProposalTypeAdd},
		Credentials: []proto.CredentialType{customCred},
	})}
	es, ps, cs := []proto.ExtensionType{customExtension}, []proto.ProposalType{customProposal}, []proto.CredentialType{customCred}
	everywhere(t, 0, context, supports(es, ps, cs))
	everywhere(t, check.V026, context, supports(nil, ps, cs))
	everywhere(t, check.V026, context, supports(es, nil, cs))
	everywhere(t, check.V026, context, supports(es, ps, nil))
	everywhere(t, check.V026, nil, func(l *proto.LeafNode) { l.Capabilities.CipherSuites = nil })
	everywhere(t, check.V026, nil, func(l *proto.LeafNode) { l.Capabilities.Versions = []proto.ProtocolVersion{2} })
}

func TestV027_GroupExtensionsAreSupported(t *testing.T) {
	context := proto.Extensions{{Type: customExtension}}
	everywhere(t, check.V027, context, func(*proto.LeafNode) {})
	everywhere(t, 0, context, supports([]proto.ExtensionType{customExtension}, nil, nil))
}

func TestV028_JoinerSupportsGroupExtensions(t *testing.T) {
	own := DefaultCapabilities([]provider.CipherSuite{1})
	context := &proto.GroupContext{CipherSuite: 1, Extensions: proto.Extensions{{Type: customExtension}}}
	refuse(t, CheckJoiner(context, &own), check.V028)
	own.Extensions = []proto.ExtensionType{customExtension}
	accept(t, CheckJoiner(context, &own))
}

func TestV204_JoinerMeetsRequiredCapabilities(t *testing.T) {
	own := DefaultCapabilities([]provider.CipherSuite{1})
	context := &proto.GroupContext{CipherSuite: 1,
		Extensions: proto.Extensions{required(proto.RequiredCapabilities{Proposals: []proto.ProposalType{customProposal}})}}
	refuse(t, CheckJoiner(context, &own), check.V204)
	own.Proposals = []proto.ProposalType{customProposal}
	accept(t, CheckJoiner(context, &own))
}

func TestV029_GREASEIsNeverInUse(t *testing.T) {
	all := everyMember(supports([]proto.ExtensionType{0x0A0A}, []proto.ProposalType{0x0A0A}, []proto.CredentialType{0x0A0A}))
	w := newWorld(t, 2, all)
	refuse(t, w.validate(0, w.by(0, &proto.Proposal{Type: 0x0A0A})), check.V029)
	refuse(t, w.env.ValidateSingle(w.by(0, &proto.Proposal{Type: 0x0A0A})), check.V029)
	refuse(t, w.validate(0, w.by(0, extensions(proto.Extension{Type: 0x0A0A}))), check.V029)
	refuse(t, w.validate(0, w.by(0, reInit(func(r *proto.ReInit) { r.CipherSuite = 0x0A0A }))), check.V029)
	everywhere(t, check.V029, nil, func(l *proto.LeafNode) {
		l.Credential.Type = 0x0A0A
		l.Capabilities.Credentials = append(l.Capabilities.Credentials, 0x0A0A)
	})
	// Nobody supports what is reserved, whatever capabilities list.
	refuse(t, w.validate(0, w.by(0, extensions(required(proto.RequiredCapabilities{
		Extensions: []proto.ExtensionType{0x0A0A}})))), check.V108)
}

func TestV030_ExtensionsStandInTheirPlace(t *testing.T) {
	w := newWorld(t, 2)
	content := map[proto.ExtensionType][]byte{
		proto.ExtensionTypeApplicationID:        {1, 'a'},
		proto.ExtensionTypeRatchetTree:          {0},
		proto.ExtensionTypeRequiredCapabilities: {0, 0, 0},
		proto.ExtensionTypeExternalPub:          {1, 'p'},
		proto.ExtensionTypeExternalSenders:      {0},
	}
	allowed := map[proto.ExtensionType]proto.Place{
		proto.ExtensionTypeApplicationID:        proto.PlaceLeafNode,
		proto.ExtensionTypeRatchetTree:          proto.PlaceGroupInfo,
		proto.ExtensionTypeRequiredCapabilities: proto.PlaceGroupContext,
		proto.ExtensionTypeExternalPub:          proto.PlaceGroupInfo,
		proto.ExtensionTypeExternalSenders:      proto.PlaceGroupContext,
	}
	for typ, data := range content {
		es := proto.Extensions{{Type: typ, Data: data}}
		for place, err := range map[proto.Place]error{
			proto.PlaceLeafNode:     w.validate(0, w.adds("new", func(kp *proto.KeyPackage) { kp.LeafNode.Extensions = es })),
			proto.PlaceKeyPackage:   w.validate(0, w.adds("new", func(kp *proto.KeyPackage) { kp.Extensions = es })),
			proto.PlaceGroupContext: w.validate(0, w.by(0, extensions(es...))),
			proto.PlaceGroupInfo:    CheckExtensions(es, proto.PlaceGroupInfo),
		} {
			if allowed[typ] == place {
				accept(t, err)
			} else {
				refuse(t, err, check.V030)
			}
		}
	}
}

func TestV006_TrailingBytesInExtensions(t *testing.T) {
	everywhere(t, check.V006, nil, func(l *proto.LeafNode) {
		l.Extensions = proto.Extensions{{Type: proto.ExtensionTypeApplicationID, Data: []byte{1, 'a', 0}}}
	})
	w := newWorld(t, 2)
	r := required(proto.RequiredCapabilities{})
	r.Data = append(r.Data, 0)
	refuse(t, w.validate(0, w.by(0, extensions(r))), check.V006)
}

func TestV043_SignatureKeyOfAnotherScheme(t *testing.T) {
	for name, change := range map[string]func(*proto.LeafNode){
		"longer":  func(l *proto.LeafNode) { l.SignatureKey = append(l.SignatureKey, make([]byte, 33)...) },
		"shorter": func(l *proto.LeafNode) { l.SignatureKey = l.SignatureKey[1:] },
		"none":    func(l *proto.LeafNode) { l.SignatureKey = nil },
	} {
		t.Run(name, func(t *testing.T) { everywhere(t, check.V043, nil, change) })
	}
}

func TestV044_LeafSignature(t *testing.T) {
	w := newWorld(t, 2)
	key := w.encryptionKey()
	flips := map[string]func(*proto.LeafNode){
		"encryption key": func(l *proto.LeafNode) { l.EncryptionKey = key },
		"identity":       func(l *proto.LeafNode) { l.Credential.Identity = []byte("other") },
		"capabilities":   func(l *proto.LeafNode) { l.Capabilities.Proposals = []proto.ProposalType{customProposal} },
		"lifetime":       func(l *proto.LeafNode) { l.Lifetime.NotAfter++ },
		"signature":      func(l *proto.LeafNode) { l.Signature = append([]byte{l.Signature[0] ^ 1}, l.Signature[1:]...) },
		"no signature":   func(l *proto.LeafNode) { l.Signature = nil },
	}
	for name, flip := range flips {
		t.Run(name, func(t *testing.T) {
			en := w.adds("new")
			flip(&en.Proposal.Add.LeafNode)
			en.Proposal.Add.LeafNode.Raw = nil
			refuse(t, w.validate(0, en), check.V044)
			refuse(t, w.env.ValidateSingle(en), check.V044)
			if name == "lifetime" {
				return
			}
			en = w.updates(1)
			flip(en.Proposal.Update)
			en.Proposal.Update.Raw = nil
			refuse(t, w.validate(0, en), check.V044)
		})
	}
}

func TestV045_LeafSignatureBindsGroupAndIndex(t *testing.T) {
	w := newWorld(t, 3)
	en := w.updates(1)
	accept(t, w.validate(0, en))
	w.env.Context.GroupID = []byte("other")
	refuse(t, w.validate(0, en), check.V045)
	w.env.Context.GroupID = []byte("group")
	l := w.leaf("member 1", w.signers[1], proto.LeafNodeSourceUpdate)
	w.signLeaf(&l, w.signers[1], 2)
	refuse(t, w.validate(0, w.by(1, &proto.Proposal{Type: proto.ProposalTypeUpdate, Update: &l})), check.V045)
	l = w.leaf("member 0", w.signers[0], proto.LeafNodeSourceCommit)
	w.signLeaf(&l, w.signers[0], 1)
	refuse(t, w.env.ValidatePathLeaf(w.apply(member(0)), &l, 0, member(0)), check.V045)
	accept(t, w.env.ValidateLeaf(w.env.Tree.Leaf(1), LeafInTree, 1))
}

func TestV046_CredentialTypes(t *testing.T) {
	x509 := func(l *proto.LeafNode) {
		l.Credential = proto.Credential{Type: proto.CredentialTypeX509, Certificates: [][]byte{l.SignatureKey}}
	}
	only := func(types ...proto.CredentialType) func(*proto.LeafNode) {
		return func(l *proto.LeafNode) { l.Capabilities.Credentials = types }
	}
	join := func(w *world, change func(*proto.LeafNode)) error {
		return w.path(w.apply(joiner, inline(w.externalInit())), joiner, 3, w.newSigner(), change)
	}
	t.Run("members lack the new one's", func(t *testing.T) {
		w := newWorld(t, 3, func(i int, l *proto.LeafNode) {
			if i == 2 {
				only(proto.CredentialTypeBasic)(l)
			}
		})
		refuse(t, w.validate(0, w.adds("new", inKeyPackage(x509))), check.V046)
		refuse(t, w.validate(0, w.updates(1, x509)), check.V046)
		refuse(t, w.path(w.apply(member(0)), member(0), 0, w.signers[0], x509), check.V046)
		refuse(t, join(w, x509), check.V046)
		accept(t, w.validate(0, w.adds("new", inKeyPackage(x509)), w.by(0, remove(2))))
		accept(t, w.validate(0, w.adds("new", inKeyPackage(x509)), w.updates(2)))
	})
	t.Run("the new one lacks the members'", func(t *testing.T) {
		w := newWorld(t, 3, func(i int, l *proto.LeafNode) {
			if i == 2 {
				x509(l)
			}
		})
		basic := only(proto.CredentialTypeBasic)
		refuse(t, w.validate(0, w.adds("new", inKeyPackage(basic))), check.V046)
		refuse(t, w.validate(0, w.updates(1, basic)), check.V046)
		refuse(t, w.path(w.apply(member(0)), member(0), 0, w.signers[0], basic), check.V046)
		refuse(t, join(w, basic), check.V046)
		accept(t, w.validate(0, w.adds("new", inKeyPackage(basic)), w.by(0, remove(2))))
	})
	t.Run("tree", func(t *testing.T) {
		w := newWorld(t, 3, func(i int, l *proto.LeafNode) {
			switch i {
			case 1:
				only(proto.CredentialTypeBasic)(l)
			case 2:
				x509(l)
			}
		})
		refuse(t, ValidateTreeLeaves(w.suite, w.env.Tree, w.env.Context, w.env.Policy), check.V046)
	})
	t.Run("all support both", func(t *testing.T) {
		w := newWorld(t, 3)
		accept(t, w.validate(0, w.adds("new", inKeyPackage(x509))))
		accept(t, join(w, x509))
	})
}

func lifetime(from, to time.Duration) func(*proto.KeyPackage) {
	return func(kp *proto.KeyPackage) {
		at := uint64(now.Unix())
		kp.LeafNode.Lifetime = proto.Lifetime{NotBefore: at + uint64(from/time.Second), NotAfter: at + uint64(to/time.Second)}
	}
}

func TestV047_LifetimeWhenSending(t *testing.T) {
	w := newWorld(t, 2)
	w.env.Policy.CheckLifetime = false
	w.env.Sending = true
	refuse(t, w.validate(0, w.adds("expired", lifetime(-time.Hour, -time.Second))), check.V047)
	refuse(t, w.validate(0, w.adds("early", lifetime(time.Second, time.Hour))), check.V047)
	refuse(t, w.env.ValidateSingle(w.adds("expired", lifetime(-time.Hour, -time.Second))), check.V047)
	accept(t, w.validate(0, w.adds("new", lifetime(0, 0))))
}

func TestV048_LifetimeWhenReceiving(t *testing.T) {
	w := newWorld(t, 2)
	expired := lifetime(-time.Hour, -time.Second)
	refuse(t, w.validate(0, w.adds("expired", expired)), check.V048)
	refuse(t, w.validate(0, w.adds("early", lifetime(time.Second, time.Hour))), check.V048)
	accept(t, w.validate(0, w.adds("new", lifetime(0, 0))))
	kp, _ := w.keyPackage("expired", expired)
	refuse(t, ValidateKeyPackage(w.suite, kp, w.env.Policy), check.V048)
	w.env.Policy.CheckLifetime = false
	accept(t, w.validate(0, w.adds("expired", expired)))
	accept(t, ValidateKeyPackage(w.suite, kp, w.env.Policy))
}

func TestV049_TotalLifetime(t *testing.T) {
	w := newWorld(t, 2)
	refuse(t, w.validate(0, w.adds("long", lifetime(0, 24*time.Hour+time.Second))), check.V049)
	accept(t, w.validate(0, w.adds("new", lifetime(0, 24*time.Hour))))
	set := func(l proto.Lifetime) func(*proto.KeyPackage) {
		return func(kp *proto.KeyPackage) { kp.LeafNode.Lifetime = l }
	}
	refuse(t, w.validate(0, w.adds("eternal", set(proto.Lifetime{NotAfter: 1<<64 - 1}))), check.V049)
	w.env.Policy.MaxLifetime = 0
	accept(t, w.validate(0, w.adds("eternal", set(proto.Lifetime{NotAfter: 1<<64 - 1}))))
	refuse(t, w.validate(0, w.adds("inverted", set(proto.Lifetime{NotBefore: 2, NotAfter: 1}))), check.V049)
}

func TestV050_SourceInKeyPackage(t *testing.T) {
	w := newWorld(t, 2)
	for _, s := range []proto.LeafNodeSource{proto.LeafNodeSourceUpdate, proto.LeafNodeSourceCommit} {
		en := w.adds("new", func(kp *proto.KeyPackage) { kp.LeafNode.Source = s })
		refuse(t, w.validate(0, en), check.V050)
		refuse(t, ValidateKeyPackage(w.suite, en.Proposal.Add, w.env.Policy), check.V050)
	}
}

func TestV051_SourceInUpdate(t *testing.T) {
	w := newWorld(t, 2)
	for _, s := range []proto.LeafNodeSource{proto.LeafNodeSourceKeyPackage, proto.LeafNodeSourceCommit} {
		refuse(t, w.validate(0, w.updates(1, func(l *proto.LeafNode) { l.Source = s })), check.V051)
	}
}

func TestV052_SourceInPath(t *testing.T) {
	w := newWorld(t, 2)
	for _, s := range []proto.LeafNodeSource{proto.LeafNodeSourceKeyPackage, proto.LeafNodeSourceUpdate} {
		change := func(l *proto.LeafNode) { l.Source = s }
		refuse(t, w.path(w.apply(member(0)), member(0), 0, w.signers[0], change), check.V052)
	}
}

func TestV053_UpdateRenewsTheKey(t *testing.T) {
	w := newWorld(t, 2)
	same := func(l *proto.LeafNode) { l.EncryptionKey = w.env.Tree.Leaf(1).EncryptionKey }
	refuse(t, w.validate(0, w.updates(1, same)), check.V053)
	refuse(t, w.env.ValidateSingle(w.updates(1, same)), check.V053)
}

func TestV054_SignatureKeysAreUnique(t *testing.T) {
	w := newWorld(t, 4)
	refuse(t, w.validate(0, w.updatesWith(1, w.signers[2])), check.V054)
	refuse(t, w.validate(0, w.updatesWith(1, w.signers[0])), check.V054)
	fresh := w.newSigner()
	refuse(t, w.validate(0, w.updatesWith(1, fresh), w.updatesWith(2, fresh)), check.V054)
	// What leaves the tree is free.
	accept(t, w.validate(0, w.updatesWith(1, w.signers[2]), w.by(0, remove(2))))
	accept(t, w.validate(0, w.updatesWith(1, w.signers[2]), w.updatesWith(2, w.signers[1])))
	accept(t, w.validate(0, w.updates(1))) // one's own stays

	refuse(t, w.path(w.apply(member(0)), member(0), 0, w.signers[2]), check.V054)
	accept(t, w.path(w.apply(member(0)), member(0), 0, w.newSigner()))
	accept(t, w.path(w.apply(member(0), w.by(0, remove(2))), member(0), 0, w.signers[2]))
	kp, signer := w.keyPackage("new")
	refuse(t, w.path(w.apply(member(0), w.by(0, add(kp))), member(0), 0, signer), check.V054)
	refuse(t, w.path(w.apply(joiner, inline(w.externalInit())), joiner, 4, w.signers[2]), check.V054)
}

func TestV055_EncryptionKeysAreUnique(t *testing.T) {
	w := newWorld(t, 4)
	key := func(i int) func(*proto.LeafNode) {
		return func(l *proto.LeafNode) { l.EncryptionKey = w.env.Tree.Leaf(treemath.LeafIndex(i)).EncryptionKey }
	}
	fresh := w.encryptionKey()
	freshKey := func(l *proto.LeafNode) { l.EncryptionKey = fresh }
	refuse(t, w.validate(0, w.adds("new", inKeyPackage(key(2)))), check.V055)
	refuse(t, w.validate(0, w.updates(1, key(2))), check.V055)
	refuse(t, w.validate(0, w.adds("a", inKeyPackage(freshKey)), w.adds("b", inKeyPackage(freshKey))), check.V055)
	refuse(t, w.validate(0, w.adds("a", inKeyPackage(freshKey)), w.updates(1, freshKey)), check.V055)
	accept(t, w.validate(0, w.adds("new", inKeyPackage(key(2))), w.by(0, remove(2))))
	accept(t, w.validate(0, w.updates(1, key(2)), w.updates(2)))
	refuse(t, w.path(w.apply(member(0)), member(0), 0, w.signers[0], key(2)), check.V055)
	refuse(t, w.path(w.apply(joiner, inline(w.externalInit())), joiner, 4, w.newSigner(), key(2)), check.V055)
}

func TestV056_OldCredentialMayHaveExpired(t *testing.T) {
	w := newWorld(t, 3, func(i int, l *proto.LeafNode) {
		if i == 1 {
			l.Lifetime = proto.Lifetime{NotBefore: 1, NotAfter: 2}
		}
	})
	r := w.apply(member(0), w.updates(1))
	if len(r.NewCredentials) != 0 {
		t.Errorf("unchanged credential is to be authenticated: %v", r.NewCredentials)
	}
	accept(t, w.path(w.apply(member(1)), member(1), 1, w.signers[1]))
	r = w.apply(member(0), w.updates(1, func(l *proto.LeafNode) { l.Credential.Identity = []byte("renewed") }))
	if len(r.NewCredentials) != 1 || string(r.NewCredentials[0].Replaces.Identity) != "member 1" {
		t.Errorf("to authenticate: %+v", r.NewCredentials)
	}
}

func TestV127_TreeLeaves(t *testing.T) {
	w := newWorld(t, 100)
	accept(t, ValidateTreeLeaves(w.suite, w.env.Tree, w.env.Context, w.env.Policy))
	edit := w.env.Tree.Edit()
	for _, i := range []treemath.LeafIndex{90, 41, 67} {
		l := w.leaf("bad", w.signers[i], proto.LeafNodeSourceUpdate)
		l.Capabilities.Credentials = nil
		w.signLeaf(&l, w.signers[i], i)
		edit.Update(i, &l)
	}
	err := ValidateTreeLeaves(w.suite, edit.Finish(), w.env.Context, w.env.Policy)
	refuse(t, err, check.V025)
	if e := new(check.Error); !errors.As(err, &e) || e.Leaf != 41 {
		t.Errorf("not the first bad leaf: %v", err)
	}
}

// TestLongCapabilities runs the look-ups of long lists, which go through sets.
func TestLongCapabilities(t *testing.T) {
	var long []proto.ExtensionType
	var es proto.Extensions
	for i := range proto.ExtensionType(2000) {
		long = append(long, 0x1000+i)
		es = append(es, proto.Extension{Type: 0x1000 + i})
	}
	if _, ok := containsAll(long, long); !ok {
		t.Error("a list lacks some of itself")
	}
	if typ, ok := containsAll(long[:1500], long); ok || typ != 0x1000+1500 {
		t.Errorf("lacks %#x, %v", typ, ok)
	}
	if _, ok := containsAll(append(long, 0x0A0A), append(long, 0x0A0A)); ok {
		t.Error("a reserved type is supported")
	}
	c := proto.Capabilities{Extensions: long}
	if _, ok := listed(es, &c); !ok {
		t.Error("extensions are listed")
	}
	c.Extensions = long[1:]
	if typ, ok := listed(es, &c); ok || typ != 0x1000 {
		t.Errorf("missing %#x, %v", typ, ok)
	}
}
