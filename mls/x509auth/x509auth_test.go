package x509auth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/mls/x509auth"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
	"github.com/hardmls/hardmls/storage/mem"
)

var now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// issuer is a certificate and its key.
type issuer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

var serial int64

// issue makes a certificate of parent, or a self-signed one, for a new Ed25519 key.
func issue(t testing.TB, parent *issuer, name string, change func(*x509.Certificate)) *issuer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return certify(t, parent, name, key, change)
}

func certify(t testing.TB, parent *issuer, name string, key crypto.Signer, change func(*x509.Certificate)) *issuer {
	t.Helper()
	serial++
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true}
	if change != nil {
		change(c)
	}
	from := parent
	if parent == nil {
		from = &issuer{c, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, from.cert, key.Public(), from.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{cert, key}
}

func authority(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign }

// pki is a root and an authority below it.
type pki struct {
	root, middle *issuer
	roots        *x509.CertPool
}

func newPKI(t testing.TB) *pki {
	p := &pki{root: issue(t, nil, "root", authority), roots: x509.NewCertPool()}
	p.middle = issue(t, p.root, "middle", authority)
	p.roots.AddCert(p.root.cert)
	return p
}

func (p *pki) authenticator(t testing.TB, change func(*x509auth.Config)) *x509auth.Authenticator {
	t.Helper()
	cfg := x509auth.Config{Roots: p.roots, Now: func() time.Time { return now }}
	if change != nil {
		change(&cfg)
	}
	a, err := x509auth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func publicOf(t testing.TB, i *issuer) []byte {
	t.Helper()
	switch pub := i.key.Public().(type) {
	case ed25519.PublicKey:
		return pub
	case *ecdsa.PublicKey:
		b, err := pub.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return nil
}

// TestChains: what is accepted, and why the rest is not.
func TestChains(t *testing.T) {
	p := newPKI(t)
	stranger := issue(t, nil, "root", authority)
	strangers := issue(t, stranger, "middle", authority)
	alice := issue(t, p.middle, "alice", nil)
	notCA := issue(t, p.root, "not an authority", nil)
	leafLimit := issue(t, p.root, "issues members only", func(c *x509.Certificate) { authority(c); c.MaxPathLenZero = true })
	below := issue(t, leafLimit, "below the limit", authority)
	old := issue(t, p.root, "old", func(c *x509.Certificate) { authority(c); c.NotAfter = now.Add(-time.Minute) })
	narrow := issue(t, p.root, "narrow", func(c *x509.Certificate) {
		authority(c)
		c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"example.org"}
	})
	outside := issue(t, narrow, "alice", func(c *x509.Certificate) { c.DNSNames = []string{"alice.example.com"} })
	inside := issue(t, narrow, "alice", func(c *x509.Certificate) { c.DNSNames = []string{"alice.example.org"} })
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec := certify(t, p.middle, "alice", p256, nil)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	withRSA := certify(t, p.middle, "alice", rsaKey, nil)
	any := errors.New("any")

	member := func(parent *issuer, change func(*x509.Certificate)) *issuer { return issue(t, parent, "alice", change) }
	for name, tc := range map[string]struct {
		chain []*issuer
		key   []byte // nil: the first certificate's
		want  error
	}{
		"with the authority":          {[]*issuer{alice, p.middle}, nil, nil},
		"with the root":               {[]*issuer{alice, p.middle, p.root}, nil, nil},
		"P-256":                       {[]*issuer{ec, p.middle}, nil, nil},
		"within name constraints":     {[]*issuer{inside, narrow}, nil, nil},
		"path length":                 {[]*issuer{member(leafLimit, nil), leafLimit}, nil, nil},
		"without the authority":       {[]*issuer{alice}, nil, any},
		"another key":                 {[]*issuer{alice, p.middle}, publicOf(t, p.middle), mls.ErrCertificateKey},
		"RSA":                         {[]*issuer{withRSA, p.middle}, []byte("x"), mls.ErrCertificateKey},
		"unknown root":                {[]*issuer{member(strangers, nil), strangers, stranger}, nil, any},
		"same names, another issuer":  {[]*issuer{member(strangers, nil), p.middle}, nil, any},
		"expired":                     {[]*issuer{member(p.middle, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) }), p.middle}, nil, any},
		"not valid yet":               {[]*issuer{member(p.middle, func(c *x509.Certificate) { c.NotBefore = now.Add(time.Minute) }), p.middle}, nil, any},
		"expired authority":           {[]*issuer{member(old, nil), old}, nil, any},
		"key agreement only":          {[]*issuer{member(p.middle, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }), p.middle}, nil, x509auth.ErrUsage},
		"an authority's":              {[]*issuer{member(p.middle, authority), p.middle}, nil, x509auth.ErrUsage},
		"issued by a member":          {[]*issuer{member(notCA, nil), notCA}, nil, any},
		"beyond the path length":      {[]*issuer{member(below, nil), below, leafLimit}, nil, any},
		"outside of name constraints": {[]*issuer{outside, narrow}, nil, any},
		"out of order":                {[]*issuer{alice, p.root, p.middle}, nil, x509auth.ErrOrder},
		"one that is not of it":       {[]*issuer{alice, notCA, p.middle}, nil, x509auth.ErrOrder},
		"too many":                    {[]*issuer{alice, p.middle, p.root, p.root, p.root, p.root}, nil, x509auth.ErrTooLong},
		"too large":                   {[]*issuer{member(p.middle, func(c *x509.Certificate) { c.OCSPServer = []string{strings.Repeat("x", 40<<10)} }), p.middle}, nil, x509auth.ErrTooLong},
		"none":                        {nil, []byte("x"), x509auth.ErrTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			var certs []*x509.Certificate
			for _, i := range tc.chain {
				certs = append(certs, i.cert)
			}
			key := tc.key
			if key == nil {
				key = publicOf(t, tc.chain[0])
			}
			req := mls.AuthRequest{Credential: x509auth.Credential(certs...), SignatureKey: key}
			err := p.authenticator(t, nil).Authenticate(t.Context(), []mls.AuthRequest{req})[0]
			if ok := err == nil; ok != (tc.want == nil) || tc.want != nil && tc.want != any && !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

// TestOptions: usages, the application's own check, credentials of other types.
func TestOptions(t *testing.T) {
	p := newPKI(t)
	alice := issue(t, p.middle, "alice", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} })
	req := mls.AuthRequest{Credential: x509auth.Credential(alice.cert), SignatureKey: publicOf(t, alice)}
	known := x509.NewCertPool()
	known.AddCert(p.middle.cert)
	ask := func(change func(*x509auth.Config), r mls.AuthRequest) error {
		return p.authenticator(t, func(c *x509auth.Config) { c.Intermediates = known; change(c) }).Authenticate(t.Context(), []mls.AuthRequest{r})[0]
	}
	if err := ask(func(*x509auth.Config) {}, req); err != nil {
		t.Errorf("authority that is known: %v", err)
	}
	if err := ask(func(c *x509auth.Config) { c.ExtKeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, req); err == nil {
		t.Error("usage that the certificate does not have")
	}
	revoked := errors.New("revoked")
	err := ask(func(c *x509auth.Config) {
		c.Check = func(_ context.Context, _ mls.AuthRequest, chain []*x509.Certificate) error {
			if len(chain) != 3 || !chain[2].Equal(p.root.cert) {
				t.Errorf("chain of %d", len(chain))
			}
			return revoked
		}
	}, req)
	if !errors.Is(err, revoked) {
		t.Errorf("own check: %v", err)
	}
	basic := mls.AuthRequest{Credential: mls.BasicCredential([]byte("bob"))}
	if err := ask(func(*x509auth.Config) {}, basic); !errors.Is(err, x509auth.ErrNotX509) {
		t.Errorf("basic credential: %v", err)
	}
	other := mls.AuthenticatorFunc(func(_ context.Context, r mls.AuthRequest) error {
		if string(r.Credential.Identity) != "bob" {
			return errors.New("not bob")
		}
		return nil
	})
	a := p.authenticator(t, func(c *x509auth.Config) { c.Other, c.Intermediates = other, known })
	errs := a.Authenticate(t.Context(), []mls.AuthRequest{basic, req, {Credential: mls.BasicCredential([]byte("eve"))}})
	if errs[0] != nil || errs[1] != nil || errs[2] == nil {
		t.Errorf("mixed: %v", errs)
	}
	again := issue(t, p.middle, "alice", nil)
	bob := issue(t, p.middle, "bob", nil)
	x := func(i *issuer) mls.Credential { return x509auth.Credential(i.cert) }
	if !a.SameClient(x(alice), x(again)) || a.SameClient(x(alice), x(bob)) || a.SameClient(x(alice), basic.Credential) ||
		!a.SameClient(basic.Credential, basic.Credential) || a.SameClient(mls.Credential{Type: mls.CredentialX509}, x(bob)) {
		t.Error("SameClient")
	}
	if _, err := x509auth.New(x509auth.Config{}); err == nil {
		t.Error("no roots")
	}
}

// TestIdentity: names of the subject alternative name come before the subject.
func TestIdentity(t *testing.T) {
	p := newPKI(t)
	id := func(name string, dns ...string) string {
		b, err := x509auth.Identity(issue(t, p.middle, name, func(c *x509.Certificate) { c.DNSNames = dns }).cert)
		if err != nil {
			return "error"
		}
		return string(b)
	}
	if id("a", "x.example") != id("b", "x.example") || id("a", "x.example") == id("a", "y.example") || id("a") == id("b") || id("") != "error" {
		t.Error("identity")
	}
}

// person is a client with a chain.
type person struct {
	p      provider.Provider
	signer provider.Signer
	cred   mls.Credential
	cfg    mls.Config
}

func newPerson(t testing.TB, p *pki, name string, auth mls.Authenticator) *person {
	t.Helper()
	c := soft.New(soft.Options{})
	cert := issue(t, p.middle, name, nil)
	signer, err := soft.SignerFrom(cert.key)
	if err != nil {
		t.Fatal(err)
	}
	return &person{provider.Bundle{Backend: c, Store: mem.New()}, signer, x509auth.Credential(cert.cert, p.middle.cert), mls.Config{Authenticator: auth}}
}

func (p *person) keyPackage(t testing.TB) *mls.KeyPackage {
	t.Helper()
	kp, err := mls.NewKeyPackage(t.Context(), p.p, p.signer, p.cred, p.cfg)
	if err != nil {
		t.Fatal(err)
	}
	return kp
}

// TestV042_CertificateKey: in a group, a certificate for another key is refused with
// its check, and the others come in and renew their certificates.
func TestV042_CertificateKey(t *testing.T) {
	ctx := t.Context()
	p := newPKI(t)
	auth := p.authenticator(t, nil)
	alice, bob, eve := newPerson(t, p, "alice", auth), newPerson(t, p, "bob", auth), newPerson(t, p, "eve", auth)
	g, welcome, err := mls.NewGroupWithMembers(ctx, alice.p, alice.signer, alice.cred, alice.cfg, bob.keyPackage(t))
	if err != nil {
		t.Fatal(err)
	}
	w, err := mls.OpenWelcome(ctx, bob.p, welcome, bob.cfg)
	if err != nil {
		t.Fatal(err)
	}
	sw, err := w.Stage(ctx, bob.signer)
	if err != nil {
		t.Fatal(err)
	}
	bobs, err := sw.Join(ctx)
	if err != nil {
		t.Fatal(err)
	}

	eve.cred = newPerson(t, p, "carol", auth).cred // whose key she does not have
	_, err = g.AddMembers(ctx, eve.keyPackage(t))
	var ve *mls.ValidationError
	if !errors.As(err, &ve) || ve.Check != 42 || !errors.Is(err, mls.ErrCredential) {
		t.Errorf("certificate of another key: %v", err)
	}

	renew := func(name string) error {
		next := newPerson(t, p, name, auth)
		b, err := g.Commit(ctx, mls.CommitOptions{Signer: next.signer, Credential: &next.cred})
		if err != nil {
			return err
		}
		out, err := bobs.Process(ctx, b.Commit, mls.ProcessOptions{})
		if err != nil {
			return err
		}
		if err := bobs.Merge(ctx, out.(*mls.StagedCommit)); err != nil {
			return err
		}
		return g.MergePending(ctx)
	}
	if err := renew("alice"); err != nil {
		t.Errorf("renewed certificate: %v", err)
	}
	if err := renew("mallory"); !errors.Is(err, x509auth.ErrOtherClient) {
		t.Errorf("another client's certificate: %v", err)
	}
}

// BenchmarkAuthenticate shows what authenticating the members of a group costs that share
// their authority.
func BenchmarkAuthenticate(b *testing.B) {
	p := newPKI(b)
	a := p.authenticator(b, nil)
	for _, n := range []int{1, 100} {
		var reqs []mls.AuthRequest
		for range n {
			m := issue(b, p.middle, "member", nil)
			reqs = append(reqs, mls.AuthRequest{Credential: x509auth.Credential(m.cert, p.middle.cert), SignatureKey: publicOf(b, m)})
		}
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			for b.Loop() {
				for _, err := range a.Authenticate(b.Context(), reqs) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
