package inspect

import (
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/framing"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proposal"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/internal/x509key"
	"github.com/hardmls/hardmls/provider"
)

// verifier makes the checks that need no secret.
type verifier struct {
	*Report
	opt *Options

	// What is known of the surroundings of a leaf.
	groupID []byte // nil: unknown
	sender  *treemath.LeafIndex
}

// maxVerified is how many key packages and leaves outside a tree are verified.
const maxVerified = 1 << 12

// verify adds verdicts and facts to a well-formed input.
func (r *Report) verify(opt *Options) {
	v := &verifier{Report: r, opt: opt, groupID: opt.GroupID}
	v.visit(&r.Root, "")
}

// visit verifies what there is to verify at f and below.
func (v *verifier) visit(f *Field, path string) {
	if len(v.Verdicts) > maxVerified {
		return
	}
	switch f.Type {
	case "PublicMessage", "AuthenticatedContent":
		v.framed(f, path)
	case "KeyPackage":
		v.keyPackage(f, path)
		return
	case "LeafNode":
		v.leaf(f, path)
		return
	case "GroupInfo":
		v.groupInfo(f, path)
		return
	case "RatchetTree":
		v.ratchetTree(f, path)
		return
	case "PrivateMessage":
		v.add(check.V085, Unknown, f, path, "content decrypts", "it needs the secrets of the epoch")
	case "Welcome":
		v.add(check.V191, Unknown, f, path, "GroupSecrets decrypt", "they need the private key of a key package")
	}
	for i := range f.Fields {
		c := &f.Fields[i]
		v.visit(c, join(path, c.label()))
	}
}

func (v *verifier) add(id check.ID, s Status, f *Field, path, what, reason string) {
	v.Verdicts = append(v.Verdicts, Verdict{Check: id, Status: s, Offset: f.Offset, Path: path, What: what, Reason: reason})
}

// note adds what came of a check: id stands for it unless err names another one.
func (v *verifier) note(id check.ID, f *Field, path, what string, err error) {
	if err == nil {
		v.add(id, Passed, f, path, what, "")
		return
	}
	p := Problem{Offset: f.Offset, Path: path, Err: err}
	d := p.verdict()
	if d.Check == 0 {
		d.Check, d.Reason = id, "it does not verify"
	}
	d.What = what
	for _, known := range v.Verdicts {
		if known.Status == Failed && known.Check == d.Check && known.Offset >= f.Offset && known.Offset < f.Offset+f.Length {
			return // the same, with its place
		}
	}
	v.Verdicts = append(v.Verdicts, d)
}

// verdict is a failed check as a verdict.
func (p *Problem) verdict() Verdict {
	d := Verdict{Status: Failed, Offset: p.Offset, Path: p.Path, Reason: p.Err.Error()}
	var e *check.Error
	if errors.As(p.Err, &e) {
		d.Check, d.Reason = e.Check, e.Class.Err().Error()
		if e.Leaf != check.NoIndex {
			d.Reason += fmt.Sprintf(": leaf %d", e.Leaf)
		}
		if e.Err != nil {
			d.Reason += ": " + e.Err.Error()
		}
	}
	return d
}

// CheckID returns the check that failed.
func (p *Problem) CheckID() check.ID { return p.verdict().Check }

// Reason says what is wrong, without number and place.
func (p *Problem) Reason() string { return p.verdict().Reason }

// suite binds a suite, nil if it is unknown here.
func (v *verifier) suite(id provider.CipherSuite) provider.Suite {
	if v.opt.Suite != 0 {
		id = v.opt.Suite
	}
	s, err := v.opt.Crypto.Suite(id)
	if err != nil {
		return nil
	}
	return s
}

// suiteOfLeaf binds a suite that verifies with the signature key of a leaf. Suites
// with keys of one length have one signature scheme and one hash, so whichever it
// is, signatures and hashes are right.
func (v *verifier) suiteOfLeaf(leaf *proto.LeafNode) provider.Suite {
	for _, id := range provider.CipherSuites() {
		if p, _ := provider.ParamsOf(id); p.Nsigpk == len(leaf.SignatureKey) && p.Npk == len(leaf.EncryptionKey) {
			return v.suite(id)
		}
	}
	return v.suite(0)
}

const noSuite = "the suite is unknown"

// keyPackage verifies a KeyPackage, RFC 9420 §10.1.
func (v *verifier) keyPackage(f *Field, path string) {
	kp, err := proto.DecodeKeyPackage(f.Bytes(v.Input))
	if err != nil {
		v.note(check.V010, f, path, "the engine decodes it", err)
		return
	}
	s := v.suite(kp.CipherSuite)
	if s == nil {
		v.add(check.V060, Unknown, f, path, "key package is valid", noSuite)
		return
	}
	v.Facts = append(v.Facts, Fact{"KeyPackageRef", f.Offset, labels.KeyPackageRef(s, kp.Raw)})
	v.note(check.V062, f, path, "key package is signed with the leaf's key",
		labels.VerifyWithLabel(s, kp.LeafNode.SignatureKey, labels.LabelKeyPackageTBS, kp.AppendTBS(nil), kp.Signature))
	leaf := f.find("leaf_node")
	v.signature(s, &kp.LeafNode, leaf, join(path, "leaf_node"))
	if err := proposal.ValidateKeyPackage(s, kp, &proposal.Policy{}); !errors.Is(err, check.ErrAuth) {
		v.note(check.V061, f, path, "key package obeys the rules of its suite", err)
	}
	v.lifetime(&kp.LeafNode, leaf, join(path, "leaf_node"))
}

// lifetime compares the lifetime of a leaf with the clock, which RFC 9420 §7.3
// recommends and does not demand.
func (v *verifier) lifetime(leaf *proto.LeafNode, f *Field, path string) {
	if leaf.Source != proto.LeafNodeSourceKeyPackage {
		return
	}
	now, l := uint64(max(0, v.opt.Now.Unix())), leaf.Lifetime
	const what = "lifetime covers the present"
	switch {
	case now < l.NotBefore:
		v.add(check.V048, Warning, f, path, what, "not valid yet")
	case now > l.NotAfter:
		v.add(check.V048, Warning, f, path, what, "expired")
	default:
		v.add(check.V048, Passed, f, path, what, "")
	}
}

// leaf verifies a LeafNode outside key packages and trees.
func (v *verifier) leaf(f *Field, path string) {
	leaf, err := proto.DecodeLeafNode(f.Bytes(v.Input))
	if err != nil {
		v.note(check.V010, f, path, "the engine decodes it", err)
		return
	}
	s := v.suiteOfLeaf(leaf)
	if s == nil {
		v.add(check.V044, Unknown, f, path, "leaf is signed", noSuite)
		return
	}
	v.signature(s, leaf, f, path)
}

// signature verifies the signature of a leaf, RFC 9420 §7.3.
func (v *verifier) signature(s provider.Suite, leaf *proto.LeafNode, f *Field, path string) {
	v.certificate(leaf, f, path)
	const what = "leaf is signed with its own key"
	var index treemath.LeafIndex
	if leaf.Source != proto.LeafNodeSourceKeyPackage {
		if v.groupID == nil || v.sender == nil {
			v.add(check.V045, Unknown, f, path, what, "the signature covers group id and leaf index, which are not here")
			return
		}
		index = *v.sender
	}
	v.note(check.V044, f, path, what, verifyLeaf(s, leaf, v.groupID, index))
}

// certificate checks that the first certificate of a leaf is for its signature key,
// RFC 9420 §5.3. Who vouches for it is the application's to know.
func (v *verifier) certificate(leaf *proto.LeafNode, f *Field, path string) {
	if leaf.Credential.Type != proto.CredentialTypeX509 {
		return
	}
	const what = "first certificate is for the leaf's signature key"
	if len(leaf.Credential.Certificates) == 0 {
		v.note(check.V042, f, path, what, check.Errorf(check.V042, "no certificate"))
		return
	}
	cert, err := x509.ParseCertificate(leaf.Credential.Certificates[0])
	if err != nil {
		v.note(check.V042, f, path, what, check.Errorf(check.V042, "it does not parse"))
		return
	}
	switch ok, err := x509key.Is(cert, leaf.SignatureKey); {
	case err != nil:
		v.add(check.V042, Unknown, f, path, what, "keys of its kind are not read")
	case !ok:
		v.note(check.V042, f, path, what, check.Errorf(check.V042, "it is for another key"))
	default:
		v.add(check.V042, Passed, f, path, what, "")
	}
}

func verifyLeaf(s provider.Suite, leaf *proto.LeafNode, groupID []byte, index treemath.LeafIndex) error {
	return labels.VerifyWithLabel(s, leaf.SignatureKey, labels.LabelLeafNodeTBS, leaf.AppendTBS(nil, groupID, index), leaf.Signature)
}

// framed notes group and sender of a message, for the leaves in it, and verifies
// the signature if its key is in the message.
func (v *verifier) framed(f *Field, path string) {
	ac := &proto.AuthenticatedContent{WireFormat: proto.WireFormatPublicMessage}
	reader := wire.NewReader(f.Bytes(v.Input))
	if f.Type == "AuthenticatedContent" {
		ac.Decode(&reader)
	} else {
		var m proto.PublicMessage
		m.Decode(&reader)
		ac.Content, ac.Auth = m.Content, m.Auth
	}
	if err := reader.Err(); err != nil {
		v.note(check.V010, f, path, "the engine decodes it", err)
		return
	}
	c := &ac.Content
	v.groupID = c.GroupID
	if c.Sender.Type == proto.SenderTypeMember {
		v.sender = &c.Sender.Leaf
	}
	const what = "message is signed by its sender"
	s := v.suiteOfProposal(c.Proposal)
	if s != nil && c.ContentType == proto.ContentTypeProposal {
		v.Facts = append(v.Facts, Fact{"ProposalRef", f.Offset, labels.ProposalRef(s, ac.Append(nil))})
	}
	switch {
	case c.Sender.Type != proto.SenderTypeNewMemberProposal || c.Proposal == nil || c.Proposal.Add == nil:
		v.add(check.V074, Unknown, f, path, what, "it needs the tree and the context of the group")
	case s == nil:
		v.add(check.V074, Unknown, f, path, what, noSuite)
	default:
		v.note(check.V074, f, path, what, framing.VerifySignature(s, c.Proposal.Add.LeafNode.SignatureKey, ac, nil))
	}
}

// suiteOfProposal binds the suite of the group that a proposal is for, if the
// proposal tells, nil otherwise.
func (v *verifier) suiteOfProposal(p *proto.Proposal) provider.Suite {
	switch {
	case p != nil && p.Add != nil:
		return v.suite(p.Add.CipherSuite)
	case p != nil && p.Update != nil:
		return v.suiteOfLeaf(p.Update)
	}
	return v.suite(0)
}
