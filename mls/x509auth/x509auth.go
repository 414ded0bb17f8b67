// Package x509auth validates the X.509 credentials of members, RFC 9420 §5.3: it is
// an mls.Authenticator over certificate authorities that the application trusts.
//
// For each credential it checks that
//
//   - the first certificate is for the leaf's signature key (check V042);
//   - each certificate is signed by the one behind it, as RFC 9420 demands, and the
//     last one leads to a root, at the time of the clock: validity, basic
//     constraints, path length, name constraints, key usage (crypto/x509);
//   - the first certificate is no authority's and, if it limits its key's usage,
//     allows digital signatures;
//   - a credential that takes the place of another one is of the same client.
//
// Chains are bounded in number and size, so that a hostile one costs little.
// Package crypto/x509 knows no Ed448, so suites 4 and 6 have no X.509 credentials.
package x509auth

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hardmls/hardmls/internal/x509key"
	"github.com/hardmls/hardmls/mls"
)

// Defaults of Config.
const (
	DefaultMaxCertificates = 5
	DefaultMaxBytes        = 32 << 10
)

// maxRSABits bounds the keys of authorities: checking a signature takes time with the
// square of its length.
const maxRSABits = 8192

// Config says whom to trust. Roots is required; the zero value of another field
// means its default.
type Config struct {
	// Roots are the trusted authorities.
	Roots *x509.CertPool
	// Intermediates are authorities that a credential may leave out at its end.
	Intermediates *x509.CertPool
	// Now is the clock; default time.Now.
	Now func() time.Time
	// ExtKeyUsages are extended key usages of which the first certificate must
	// have one; default any.
	ExtKeyUsages []x509.ExtKeyUsage
	// MaxCertificates and MaxBytes bound a credential.
	MaxCertificates, MaxBytes int
	// Identity returns what identifies the client that a first certificate
	// names; default Identity of this package.
	Identity func(cert *x509.Certificate) ([]byte, error)
	// Check, if not nil, is asked last about each chain, from the first
	// certificate to the root: revocation, policy. It is called from several
	// goroutines.
	Check func(ctx context.Context, req mls.AuthRequest, chain []*x509.Certificate) error
	// Other decides about credentials of other types; nil refuses them.
	Other mls.Authenticator
}

// An Authenticator is an mls.Authenticator for X.509 credentials. It is safe for
// concurrent use.
type Authenticator struct{ cfg Config }

var _ mls.Authenticator = (*Authenticator)(nil)

// Errors, found by errors.Is below the *mls.ValidationError that mls returns.
var (
	// ErrNotX509: the credential is of a type that nobody decides about.
	ErrNotX509 = errors.New("x509auth: not an X.509 credential")
	// ErrTooLong: the chain has too many certificates or bytes.
	ErrTooLong = errors.New("x509auth: chain too long")
	// ErrOrder: a certificate is not issued by the one behind it.
	ErrOrder = errors.New("x509auth: certificates out of order")
	// ErrUsage: the first certificate may not sign, or is an authority's.
	ErrUsage = errors.New("x509auth: certificate is not for signing messages")
	// ErrOtherClient: the credential is not of the client whose place it takes.
	ErrOtherClient = errors.New("x509auth: certificate of another client")
)

// New returns an Authenticator.
func New(cfg Config) (*Authenticator, error) {
	if cfg.Roots == nil {
		return nil, errors.New("x509auth: Config.Roots must be given")
	}
	if cfg.MaxCertificates < 0 || cfg.MaxBytes < 0 {
		return nil, errors.New("x509auth: negative limit")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxCertificates == 0 {
		cfg.MaxCertificates = DefaultMaxCertificates
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = DefaultMaxBytes
	}
	if cfg.Identity == nil {
		cfg.Identity = Identity
	}
	if cfg.ExtKeyUsages == nil {
		cfg.ExtKeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
	}
	return &Authenticator{cfg}, nil
}

// Credential returns the X.509 credential of a chain: the client's certificate
// first, each followed by its issuer's, the root left out or last.
func Credential(chain ...*x509.Certificate) mls.Credential {
	c := mls.Credential{Type: mls.CredentialX509}
	for _, cert := range chain {
		c.Certificates = append(c.Certificates, bytes.Clone(cert.Raw))
	}
	return c
}

// Identity returns the subject alternative names of a certificate, or its subject
// if it has none: two certificates are one client's if these are equal.
func Identity(cert *x509.Certificate) ([]byte, error) {
	for _, e := range cert.Extensions {
		if e.Id.Equal(subjectAltName) {
			return append([]byte("san:"), e.Value...), nil
		}
	}
	if cert.Subject.String() == "" {
		return nil, errors.New("x509auth: certificate names nobody")
	}
	return append([]byte("subject:"), cert.RawSubject...), nil
}

var subjectAltName = []int{2, 5, 29, 17}

// Authenticate implements mls.Authenticator, over all cores.
func (a *Authenticator) Authenticate(ctx context.Context, reqs []mls.AuthRequest) []error {
	errs := make([]error, len(reqs))
	var others []int
	b := &batch{Authenticator: a, now: a.cfg.Now(), tails: map[string]*tail{}}
	var next atomic.Int64
	var workers sync.WaitGroup
	for i := range reqs {
		if reqs[i].Credential.Type != mls.CredentialX509 {
			others = append(others, i)
		}
	}
	for range min(runtime.GOMAXPROCS(0), len(reqs)) {
		workers.Go(func() {
			for i := int(next.Add(1) - 1); i < len(reqs); i = int(next.Add(1) - 1) {
				if reqs[i].Credential.Type == mls.CredentialX509 {
					errs[i] = b.authenticate(ctx, reqs[i])
				}
			}
		})
	}
	workers.Wait()
	if len(others) > 0 {
		a.others(ctx, reqs, others, errs)
	}
	return errs
}

// others hands the requests at those places to Config.Other.
func (a *Authenticator) others(ctx context.Context, reqs []mls.AuthRequest, places []int, errs []error) {
	var theirs []mls.AuthRequest
	for _, i := range places {
		theirs = append(theirs, reqs[i])
	}
	var answers []error
	if a.cfg.Other != nil {
		answers = a.cfg.Other.Authenticate(ctx, theirs)
	}
	for n, i := range places {
		switch {
		case a.cfg.Other == nil || len(answers) != len(places):
			errs[i] = ErrNotX509
		default:
			errs[i] = answers[n]
		}
	}
}

// SameClient implements mls.Authenticator: the certificates name the same identity.
func (a *Authenticator) SameClient(x, y mls.Credential) bool {
	if x.Type != mls.CredentialX509 || y.Type != mls.CredentialX509 {
		return x.Type == y.Type && a.cfg.Other != nil && a.cfg.Other.SameClient(x, y)
	}
	if x.Equal(y) {
		return true
	}
	i, err := a.identity(x)
	if err != nil {
		return false
	}
	j, err := a.identity(y)
	return err == nil && bytes.Equal(i, j)
}

func (a *Authenticator) identity(c mls.Credential) ([]byte, error) {
	if err := a.bounded(c); err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(c.Certificates[0])
	if err != nil {
		return nil, err
	}
	return a.cfg.Identity(cert)
}

// bounded checks the size of a chain, before anything is parsed.
func (a *Authenticator) bounded(c mls.Credential) error {
	size := 0
	for _, der := range c.Certificates {
		size += len(der)
	}
	if n := len(c.Certificates); n == 0 || n > a.cfg.MaxCertificates || size > a.cfg.MaxBytes {
		return fmt.Errorf("%w: %d certificates of %d bytes", ErrTooLong, n, size)
	}
	return nil
}

// batch is one call of Authenticate: members of a group often share all but their
// first certificate, which is parsed once.
type batch struct {
	*Authenticator
	now   time.Time
	mu    sync.Mutex
	tails map[string]*tail
}

// tail is a chain without its first certificate.
type tail struct {
	once  sync.Once
	certs []*x509.Certificate
	pool  *x509.CertPool
	err   error
}

func (b *batch) authenticate(ctx context.Context, req mls.AuthRequest) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := b.bounded(req.Credential); err != nil {
		return err
	}
	cert, err := parse(req.Credential.Certificates[0])
	if err != nil {
		return err
	}
	if ok, err := x509key.Is(cert, req.SignatureKey); !ok {
		return errors.Join(mls.ErrCertificateKey, err)
	}
	if cert.BasicConstraintsValid && cert.IsCA {
		return fmt.Errorf("%w: an authority's", ErrUsage)
	}
	if cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return fmt.Errorf("%w: key usage", ErrUsage)
	}
	chain, err := b.verify(cert, req.Credential.Certificates[1:])
	if err != nil {
		return err
	}
	if err := b.successor(cert, req.Replaces); err != nil {
		return err
	}
	if b.cfg.Check != nil {
		return b.cfg.Check(ctx, req, chain)
	}
	return nil
}

// verify builds a chain to a root.
func (b *batch) verify(cert *x509.Certificate, rest [][]byte) ([]*x509.Certificate, error) {
	t := b.tail(rest)
	if t.err != nil {
		return nil, t.err
	}
	if len(t.certs) > 0 && !bytes.Equal(cert.RawIssuer, t.certs[0].RawSubject) {
		return nil, ErrOrder
	}
	chains, err := cert.Verify(x509.VerifyOptions{
		Roots: b.cfg.Roots, Intermediates: t.pool, CurrentTime: b.now, KeyUsages: b.cfg.ExtKeyUsages,
	})
	if err != nil {
		return nil, fmt.Errorf("x509auth: %w", err)
	}
	for _, chain := range chains {
		if begins(chain[1:], t.certs) {
			return chain, nil
		}
	}
	return nil, ErrOrder
}

// begins reports whether chain goes along the certificates of the credential, which
// may end with the root, or with certificates behind another root.
func begins(chain, certs []*x509.Certificate) bool {
	for i := range min(len(chain), len(certs)) {
		if !chain[i].Equal(certs[i]) {
			return false
		}
	}
	return true
}

// tail parses the rest of a chain, once for all members that share it.
func (b *batch) tail(rest [][]byte) *tail {
	key := string(bytes.Join(rest, nil))
	b.mu.Lock()
	t := b.tails[key]
	if t == nil {
		t = new(tail)
		b.tails[key] = t
	}
	b.mu.Unlock()
	t.once.Do(func() { t.parse(b.cfg.Intermediates, rest) })
	return t
}

func (t *tail) parse(known *x509.CertPool, rest [][]byte) {
	t.pool = x509.NewCertPool()
	if known != nil {
		t.pool = known.Clone()
	}
	for i, der := range rest {
		cert, err := parse(der)
		if err != nil {
			t.err = err
			return
		}
		if i > 0 && !bytes.Equal(t.certs[i-1].RawIssuer, cert.RawSubject) {
			t.err = ErrOrder
			return
		}
		t.certs = append(t.certs, cert)
		t.pool.AddCert(cert)
	}
}

// parse parses a certificate and refuses keys that cost much.
func parse(der []byte) (*x509.Certificate, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("x509auth: %w", err)
	}
	if pub, ok := cert.PublicKey.(*rsa.PublicKey); ok && pub.N.BitLen() > maxRSABits {
		return nil, fmt.Errorf("x509auth: RSA key of %d bits", pub.N.BitLen())
	}
	return cert, nil
}

// successor checks that the certificate is of the client whose credential it
// replaces, if there is one.
func (b *batch) successor(cert *x509.Certificate, old *mls.Credential) error {
	id, err := b.cfg.Identity(cert)
	if err != nil || old == nil {
		return err
	}
	if old.Type != mls.CredentialX509 {
		return ErrOtherClient
	}
	before, err := b.identity(*old)
	if err != nil {
		return err
	}
	if !bytes.Equal(id, before) {
		return ErrOtherClient
	}
	return nil
}
