package inspect

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
	"github.com/hardmls/hardmls/storage/mem"
	"github.com/hardmls/hardmls/testvectors"
)

func fact(t *testing.T, r *Report, name string) []byte {
	t.Helper()
	for _, f := range r.Facts {
		if f.Name == name {
			return f.Value
		}
	}
	t.Fatalf("no %s in %+v", name, r.Facts)
	return nil
}

// TestFacts: references and hashes are those of the engine.
func TestFacts(t *testing.T) {
	ctx := context.Background()
	cfg := mls.Config{WireFormat: mls.PurePlaintext,
		Authenticator: mls.AuthenticatorFunc(func(context.Context, mls.AuthRequest) error { return nil })}
	s, err := backend().Suite(1)
	if err != nil {
		t.Fatal(err)
	}
	client := func() (provider.Provider, provider.Signer, mls.Credential) {
		signer, err := soft.NewSigner(backend(), s)
		if err != nil {
			t.Fatal(err)
		}
		return provider.Bundle{Backend: backend(), Store: mem.New()}, signer, mls.BasicCredential([]byte("who"))
	}
	ap, as, ac := client()
	g, err := mls.NewGroup(ctx, ap, as, ac, cfg)
	if err != nil {
		t.Fatal(err)
	}
	bp, bs, bc := client()
	kp, err := mls.NewKeyPackage(ctx, bp, bs, bc, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got := fact(t, inspected(t, kp.Bytes(), Options{}), "KeyPackageRef"); !bytes.Equal(got, kp.Ref()) {
		t.Errorf("KeyPackageRef %x, want %x", got, kp.Ref())
	}
	for _, p := range []mls.Proposal{mls.AddProposal(kp), mls.GroupContextExtensionsProposal(nil)} {
		msg, ref, err := g.Propose(ctx, p, mls.ProposeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		r := inspected(t, msg, Options{Suite: 1})
		if got := fact(t, r, "ProposalRef"); !bytes.Equal(got, ref) {
			t.Errorf("ProposalRef %x, want %x", got, ref)
		}
		expect(t, r, check.V074, Unknown)
	}
	r := inspected(t, g.RatchetTree(), Options{GroupID: g.ID()})
	if got := fact(t, r, "tree hash"); !bytes.Equal(got, g.TreeHash()) {
		t.Errorf("tree hash %x, want %x", got, g.TreeHash())
	}
}

// TestOfficialTrees: the official trees are valid, in whichever suite, and have the
// hashes that the vectors give; so are the official key packages and GroupInfos.
func TestOfficialTrees(t *testing.T) {
	var trees []struct {
		CipherSuite uint16     `json:"cipher_suite"`
		Tree        hexBytes   `json:"tree"`
		GroupID     hexBytes   `json:"group_id"`
		TreeHashes  []hexBytes `json:"tree_hashes"`
	}
	testvectors.MLS(t, "tree-validation.json", &trees)
	if testing.Short() {
		trees = trees[:14]
	}
	for i, c := range trees {
		r := inspected(t, c.Tree, Options{GroupID: c.GroupID})
		if !r.Valid() || r.Type != "RatchetTree" {
			t.Errorf("tree %d: %s, %+v, %+v", i, r.Type, r.Problem, r.Verdicts)
		}
		if root := treemath.Root(r.Tree.Leaves); !bytes.Equal(r.Tree.Hash, c.TreeHashes[root]) {
			t.Errorf("tree %d of suite %d: tree hash %x, want %x", i, c.CipherSuite, r.Tree.Hash, c.TreeHashes[root])
		}
	}
	var messages []struct {
		KeyPackage hexBytes `json:"mls_key_package"`
		GroupInfo  hexBytes `json:"mls_group_info"`
	}
	testvectors.MLS(t, "messages.json", &messages)
	for i, m := range messages[:50] {
		for _, b := range [][]byte{m.KeyPackage, m.GroupInfo} {
			if r := inspected(t, b, Options{}); !r.Valid() {
				t.Errorf("message %d: %+v, %+v", i, r.Problem, r.Verdicts)
			}
		}
	}
}

// TestCertificate: a certificate must be for the key that the leaf signs with.
func TestCertificate(t *testing.T) {
	pub, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "al\x1bice"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, pub, private)
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.Clone(pub)
	other[0] ^= 1
	for _, c := range []struct {
		name  string
		key   []byte
		chain [][]byte
		want  Status
	}{
		{"its own", pub, [][]byte{der}, Passed},
		{"another key", other, [][]byte{der}, Failed},
		{"damaged", pub, [][]byte{der[1:]}, Failed},
		{"none", pub, nil, Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			leaf := proto.LeafNode{EncryptionKey: make([]byte, 32), SignatureKey: c.key, Source: proto.LeafNodeSourceUpdate,
				Credential: proto.Credential{Type: proto.CredentialTypeX509, Certificates: c.chain}}
			r := inspected(t, leaf.Append(nil), Options{As: "LeafNode"})
			expect(t, r, check.V042, c.want)
			harmless(t, r)
			harmless(t, inspected(t, proto.AppendRatchetTree(nil, []proto.Node{{Leaf: &leaf}}), Options{}))
		})
	}
}

// TestNewMemberProposal: who asks to be added signs with the key in the message.
func TestNewMemberProposal(t *testing.T) {
	ctx := context.Background()
	s, err := backend().Suite(1)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := soft.NewSigner(backend(), s)
	if err != nil {
		t.Fatal(err)
	}
	kp, err := mls.NewKeyPackage(ctx, provider.Bundle{Backend: backend(), Store: mem.New()}, signer, mls.BasicCredential([]byte("new")),
		mls.Config{Authenticator: mls.AuthenticatorFunc(func(context.Context, mls.AuthRequest) error { return nil })})
	if err != nil {
		t.Fatal(err)
	}
	m, err := proto.DecodeMLSMessage(kp.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	content := proto.FramedContent{GroupID: []byte("g"), Sender: proto.Sender{Type: proto.SenderTypeNewMemberProposal},
		ContentType: proto.ContentTypeProposal, Proposal: &proto.Proposal{Type: proto.ProposalTypeAdd, Add: m.KeyPackage}}
	sig, err := labels.SignWithLabel(ctx, signer, nil, labels.LabelFramedContentTBS, content.AppendTBS(nil, proto.WireFormatPublicMessage, nil))
	if err != nil {
		t.Fatal(err)
	}
	msg := proto.MLSMessage{Version: proto.MLS10, WireFormat: proto.WireFormatPublicMessage,
		PublicMessage: &proto.PublicMessage{Content: content, Auth: proto.FramedContentAuthData{Signature: sig}}}
	b := msg.Append(nil)
	r := inspected(t, b, Options{Now: time.Now()})
	expect(t, r, check.V074, Passed)
	if !r.Valid() {
		t.Errorf("%+v", r.Verdicts)
	}
	b[len(b)-1] ^= 1
	expect(t, inspected(t, b, Options{Now: time.Now()}), check.V074, Failed)
}
