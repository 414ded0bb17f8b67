package providertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/hardmls/hardmls/provider"
)

// toyPublic returns the "public key" of a private one, n bytes: hashes of it
// and, where a real key has its curve equation, a checksum at the end.
func toyPublic(use string, private []byte, n int) []byte {
	pub := make([]byte, 0, n+sha256.Size)
	for i := 0; len(pub) < n-toyCheck; i++ {
		h := toyHash(use, private, []byte{byte(i)})
		pub = append(pub, h[:]...)
	}
	pub = pub[:n-toyCheck]
	sum := toyHash("toy point", pub)
	return slices.Clip(append(pub, sum[:toyCheck]...))
}

const toyCheck = 8

// validPoint reports whether pub has n bytes and its checksum.
func validPoint(pub []byte, n int) bool {
	if len(pub) != n {
		return false
	}
	sum := toyHash("toy point", pub[:n-toyCheck])
	return bytes.Equal(sum[:toyCheck], pub[n-toyCheck:])
}

// toyKey implements provider.DecryptionKey.
type toyKey struct {
	s       *toySuite
	public  []byte
	private []byte // nil after Wipe
}

func (s *toySuite) key(private []byte) *toyKey {
	return &toyKey{s, toyPublic("toy kem key", private, s.p.Npk), bytes.Clone(private)}
}

var errWiped = errors.New("providertest: toy key was wiped")

func (k *toyKey) Public() []byte { return k.public }

func (k *toyKey) Decap(ctx context.Context, secret, enc []byte) error {
	need(len(secret) == k.s.p.Nsecret)
	if err := ctx.Err(); err != nil {
		return err
	}
	if k.private == nil {
		return errWiped
	}
	if !validPoint(enc, k.s.p.Nenc) {
		return provider.ErrDecrypt
	}
	shared := toyHash("toy shared secret", enc, k.public)
	copy(secret, shared[:])
	return nil
}

func (k *toyKey) Wipe() {
	clear(k.private)
	k.private = nil
}

// Format prints nothing of the key.
func (k *toyKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, "toy key(redacted)") }

// toyKeys implements provider.Keys. A reference is the backend's name, a zero
// byte, the suite and the private key.
type toyKeys struct{ c *ToyBackend }

var _ provider.SelfContainedKeys = toyKeys{}

func (k toyKeys) Generate(ctx context.Context, s provider.Suite, use provider.KeyUse) (provider.DecryptionKey, provider.KeyRef, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	ts, err := k.c.suite(s.Params().ID)
	if err != nil {
		return nil, nil, err
	}
	private := make([]byte, ts.p.Nsk)
	if _, err := io.ReadFull(k.c.rand, private); err != nil {
		return nil, nil, err
	}
	ref := binary.BigEndian.AppendUint16([]byte(toyName+"\x00"), uint16(ts.p.ID))
	return ts.key(private), append(ref, private...), nil
}

func (k toyKeys) Load(ctx context.Context, s provider.Suite, ref provider.KeyRef) (provider.DecryptionKey, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.HPKE().ParseKey(ref)
}

func (k toyKeys) Delete(ctx context.Context, ref provider.KeyRef) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ref.Backend() != toyName {
		return provider.ErrForeignKey
	}
	return nil
}

// SelfContained implements provider.SelfContainedKeys.
func (toyKeys) SelfContained(ref provider.KeyRef) bool { return ref.Backend() == toyName }

// ToySigner is the signature key of a toy suite, which proves nothing: anyone
// can make its signatures.
type ToySigner struct {
	p      *provider.Params
	public []byte
}

var _ provider.Signer = (*ToySigner)(nil)

// NewSigner returns a signer for toy suite id with a key drawn from Rand.
func (c *ToyBackend) NewSigner(id provider.CipherSuite) (*ToySigner, error) {
	s, err := c.suite(id)
	if err != nil {
		return nil, err
	}
	var private [32]byte
	if _, err := io.ReadFull(c.rand, private[:]); err != nil {
		return nil, err
	}
	return &ToySigner{s.p, toyPublic("toy signature key", private[:], s.p.Nsigpk)}, nil
}

// Public implements provider.Signer.
func (s *ToySigner) Public() []byte { return s.public }

// Scheme implements provider.Signer.
func (s *ToySigner) Scheme() provider.SignatureScheme { return s.p.Signature }

// Sign implements provider.Signer. It is deterministic, and its length varies
// where the real scheme's does.
func (s *ToySigner) Sign(ctx context.Context, dst, msg []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return dst, err
	}
	return appendToySignature(dst, s.p, s.public, msg), nil
}

func appendToySignature(dst []byte, p *provider.Params, public, msg []byte) []byte {
	n := p.SigMax
	h := toyHash("toy signature", public, msg)
	if p.ID == Toy2 {
		n -= int(h[0] % 3) // DER of two numbers
	}
	for ; n > 0; n -= len(h) {
		dst = append(dst, h[:min(n, len(h))]...)
		h = sha256.Sum256(h[:])
	}
	return dst
}

func (s *toySuite) CheckSignatureKey(pub []byte) error {
	if !validPoint(pub, s.p.Nsigpk) {
		return provider.ErrInvalidKey
	}
	return nil
}

func (s *toySuite) Verify(pub, msg, sig []byte) error {
	if !validPoint(pub, s.p.Nsigpk) {
		return provider.ErrVerify
	}
	var buf [128]byte
	if subtle.ConstantTimeCompare(appendToySignature(buf[:0], s.p, pub, msg), sig) != 1 {
		return provider.ErrVerify
	}
	return nil
}
