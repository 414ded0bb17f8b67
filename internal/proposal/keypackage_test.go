package proposal

import (
	"testing"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/provider"
)

// keyPackages runs a change of a key package as it stands alone and in an Add,
// alone and in a list.
func keyPackages(t *testing.T, id check.ID, change func(*proto.KeyPackage)) {
	t.Helper()
	w := newWorld(t, 2)
	en := w.adds("new", change)
	for _, err := range []error{
		ValidateKeyPackage(w.suite, en.Proposal.Add, w.env.Policy),
		w.env.ValidateSingle(en),
		w.validate(0, en),
	} {
		if id == 0 {
			accept(t, err)
		} else {
			refuse(t, err, id)
		}
	}
}

func TestV060_SuiteAndVersion(t *testing.T) {
	keyPackages(t, check.V060, func(kp *proto.KeyPackage) { kp.Version = 2 })
	keyPackages(t, check.V060, func(kp *proto.KeyPackage) { kp.Version = 0 })
	keyPackages(t, check.V060, func(kp *proto.KeyPackage) { kp.CipherSuite++ })
	keyPackages(t, 0, func(kp *proto.KeyPackage) {})
}

func TestV061_LeafOfAKeyPackage(t *testing.T) {
	keyPackages(t, check.V025, inKeyPackage(func(l *proto.LeafNode) { l.Capabilities.Credentials = nil }))
	keyPackages(t, check.V050, inKeyPackage(func(l *proto.LeafNode) { l.Source = proto.LeafNodeSourceUpdate }))
}

func TestV062_KeyPackageSignature(t *testing.T) {
	w := newWorld(t, 2)
	key := w.encryptionKey()
	for name, flip := range map[string]func(*proto.KeyPackage){
		"init key":   func(kp *proto.KeyPackage) { kp.InitKey = key },
		"extensions": func(kp *proto.KeyPackage) { kp.Extensions = nil },
		"signature":  func(kp *proto.KeyPackage) { kp.Signature = append([]byte{kp.Signature[0] ^ 1}, kp.Signature[1:]...) },
		"leaf's":     func(kp *proto.KeyPackage) { kp.Signature = kp.LeafNode.Signature },
	} {
		t.Run(name, func(t *testing.T) {
			en := w.adds("new", func(kp *proto.KeyPackage) {
				kp.Extensions = proto.Extensions{{Type: customExtension}}
				supports([]proto.ExtensionType{customExtension}, nil, nil)(&kp.LeafNode)
			})
			accept(t, w.validate(0, en))
			flip(en.Proposal.Add)
			en.Proposal.Add.Raw = nil
			refuse(t, ValidateKeyPackage(w.suite, en.Proposal.Add, w.env.Policy), check.V062)
			refuse(t, w.env.ValidateSingle(en), check.V062)
			refuse(t, w.validate(0, en), check.V062)
		})
	}
}

func TestV063_InitKeyDiffers(t *testing.T) {
	keyPackages(t, check.V063, func(kp *proto.KeyPackage) { kp.InitKey = kp.LeafNode.EncryptionKey })
}

func TestV066_ExtensionsAreListed(t *testing.T) {
	es := proto.Extensions{{Type: customExtension}}
	keyPackages(t, check.V066, func(kp *proto.KeyPackage) { kp.Extensions = es })
	keyPackages(t, 0, func(kp *proto.KeyPackage) {
		kp.Extensions = es
		supports([]proto.ExtensionType{customExtension}, nil, nil)(&kp.LeafNode)
	})
}

func TestV068_ChoiceOfSuite(t *testing.T) {
	of := func(suites ...provider.CipherSuite) *proto.KeyPackage {
		return &proto.KeyPackage{LeafNode: proto.LeafNode{Capabilities: DefaultCapabilities(suites)}}
	}
	mine := []provider.CipherSuite{3, 2, 1}
	all := []*proto.KeyPackage{of(1, 2, 3, 0x0A0A), of(3, 2, 1)}
	accept(t, CheckSuiteChoice(mine, 3, all))
	refuse(t, CheckSuiteChoice(mine, 1, all), check.V068)
	refuse(t, CheckSuiteChoice(mine, 7, all), check.V068)
	accept(t, CheckSuiteChoice(mine, 1, append(all, of(1))))
	accept(t, CheckSuiteChoice(mine, 2, append(all, of(1, 2))))
}
