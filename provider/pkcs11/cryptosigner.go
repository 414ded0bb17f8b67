package pkcs11

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"fmt"
	"io"

	"github.com/hardmls/hardmls/provider"
)

// A CryptoSigner is a Signer as crypto/x509 and crypto/tls know it, to make
// certificates and requests with a key in the token.
type CryptoSigner struct {
	ctx    context.Context
	k      *Signer
	public crypto.PublicKey
}

var (
	_ crypto.Signer        = (*CryptoSigner)(nil)
	_ crypto.MessageSigner = (*CryptoSigner)(nil)
)

// CryptoSigner returns the key as a crypto.Signer whose calls end with ctx:
// ErrUnsupported for Ed448, which the standard library does not know.
func (k *Signer) CryptoSigner(ctx context.Context) (*CryptoSigner, error) {
	var curve elliptic.Curve
	switch k.Scheme() {
	case provider.Ed25519:
		return &CryptoSigner{ctx, k, ed25519.PublicKey(k.Public())}, nil
	case provider.ECDSA_P256_SHA256:
		curve = elliptic.P256()
	case provider.ECDSA_P384_SHA384:
		curve = elliptic.P384()
	case provider.ECDSA_P521_SHA512:
		curve = elliptic.P521()
	default:
		return nil, fmt.Errorf("%w: crypto.Signer of %v", ErrUnsupported, k.Scheme())
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, k.Public())
	if err != nil {
		return nil, err
	}
	return &CryptoSigner{ctx, k, pub}, nil
}

// Public implements crypto.Signer.
func (c *CryptoSigner) Public() crypto.PublicKey { return c.public }

// Sign implements crypto.Signer. The digest is of the scheme's hash; Ed25519
// signs the message itself, with a Hash of 0. The token has its own randomness.
func (c *CryptoSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if want := c.k.curve.hash; opts.HashFunc() != want || want != 0 && len(digest) != want.Size() {
		return nil, fmt.Errorf("pkcs11: %v signs a digest of %v, not %d bytes of %v", c.k.Scheme(), want, len(digest), opts.HashFunc())
	}
	if c.k.curve.hash == 0 {
		return c.k.Sign(c.ctx, nil, digest)
	}
	return c.k.sign(c.ctx, nil, append([]byte(nil), digest...), func(sig []byte) bool {
		return ecdsa.VerifyASN1(c.public.(*ecdsa.PublicKey), digest, sig)
	})
}

// SignMessage implements crypto.MessageSigner.
func (c *CryptoSigner) SignMessage(_ io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts != nil && opts.HashFunc() != c.k.curve.hash {
		return nil, fmt.Errorf("pkcs11: %v uses %v, not %v", c.k.Scheme(), c.k.curve.hash, opts.HashFunc())
	}
	return c.k.Sign(c.ctx, nil, msg)
}
