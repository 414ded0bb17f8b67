package proposal

import (
	"crypto/subtle"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/provider"
)

// ValidateKeyPackage checks a key package of suite s outside a group, RFC 9420
// §10.1: version and suite (V060), the leaf by itself (V061: V011, V023–V025,
// V029, V030, V043, V047–V050), both signatures (V044, V062), distinct and well
// formed keys (V063, V011), extensions (V020, V030, V066). Lifetimes are checked
// as Policy says; who adds the client checks again, with Env.Sending set.
func ValidateKeyPackage(s provider.Suite, kp *proto.KeyPackage, policy *Policy) error {
	r := leafRules{suite: s, policy: policy}
	if err := r.checkKeyPackage(kp); err != nil {
		return err
	}
	return verify(s, keyPackageJobs(nil, kp)...)
}

// checkKeyPackage checks all of a key package but its signatures.
func (r *leafRules) checkKeyPackage(kp *proto.KeyPackage) error {
	if kp.Version != proto.MLS10 {
		return check.Errorf(check.V060, "version %d", kp.Version)
	}
	if id := r.suite.Params().ID; kp.CipherSuite != id {
		return check.Errorf(check.V060, "suite %v instead of %v", kp.CipherSuite, id)
	}
	if err := r.suite.HPKE().CheckPublicKey(kp.InitKey); err != nil {
		return check.As(check.V011, check.ClassKeyPackage, "init key: %w", err)
	}
	if sameKey(kp.InitKey, kp.LeafNode.EncryptionKey) {
		return check.Errorf(check.V063, "init key is the leaf's encryption key")
	}
	if err := CheckExtensions(kp.Extensions, proto.PlaceKeyPackage); err != nil {
		return err
	}
	if t, ok := listed(kp.Extensions, &kp.LeafNode.Capabilities); !ok {
		return check.Errorf(check.V066, "extension %#04x is not in the capabilities", uint16(t))
	}
	return r.check(&kp.LeafNode, LeafInKeyPackage)
}

// keyPackageJobs appends the two signature checks of a key package.
func keyPackageJobs(jobs []provider.VerifyJob, kp *proto.KeyPackage) []provider.VerifyJob {
	return append(jobs, leafJob(&kp.LeafNode, nil, 0), keyPackageJob(kp))
}

// sameKey reports whether two encoded keys are equal.
func sameKey(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
