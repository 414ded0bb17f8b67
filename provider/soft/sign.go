package soft

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"filippo.io/edwards25519"
	"github.com/cloudflare/circl/ecc/goldilocks"
	"github.com/cloudflare/circl/sign/ed448"

	"github.com/hardmls/hardmls/provider"
)

// A scheme is a signature scheme of RFC 9420 §5.1.2. Public keys given to
// verify and check have the scheme's length.
type scheme interface {
	verify(pub, msg, sig []byte) bool
	check(pub []byte) bool
	// parse makes a key of its raw form, which it does not keep: the seed of
	// RFC 8032 or a big-endian scalar.
	parse(private []byte) (*signer, error)
	// draw returns the raw form of a new key.
	draw(r io.Reader) ([]byte, error)
}

func schemeOf(id provider.SignatureScheme) scheme {
	switch id {
	case provider.Ed25519:
		return ed25519Scheme{}
	case provider.Ed448:
		return ed448Scheme{}
	case provider.ECDSA_P256_SHA256:
		return ecdsaScheme{id, elliptic.P256(), kdf256, crypto.SHA256, 0xff}
	case provider.ECDSA_P384_SHA384:
		return ecdsaScheme{id, elliptic.P384(), kdf384, crypto.SHA384, 0xff}
	case provider.ECDSA_P521_SHA512:
		return ecdsaScheme{id, elliptic.P521(), kdf512, crypto.SHA512, 0x01}
	}
	return nil
}

// A signer is a signature key that was parsed once.
type signer struct {
	scheme provider.SignatureScheme
	public []byte
	raw    []byte // nil for a key that somebody else holds
	sign   func(dst, msg []byte) ([]byte, error)
}

var _ provider.Signer = (*signer)(nil)

// Public implements provider.Signer.
func (k *signer) Public() []byte { return k.public }

// Scheme implements provider.Signer.
func (k *signer) Scheme() provider.SignatureScheme { return k.scheme }

// Sign implements provider.Signer. It never waits and looks at ctx only before
// it starts.
func (k *signer) Sign(ctx context.Context, dst, msg []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return dst, err
	}
	sig, err := k.sign(dst, msg)
	if err != nil {
		return dst, fmt.Errorf("soft: signing: %w", err)
	}
	return sig, nil
}

const redactedSigner = "soft.Signer(redacted)"

// Format prints "soft.Signer(redacted)" for every verb.
func (k *signer) Format(f fmt.State, _ rune) { fmt.Fprint(f, redactedSigner) }

// LogValue implements slog.LogValuer without the content.
func (k *signer) LogValue() slog.Value { return slog.StringValue(redactedSigner) }

// NewSigner makes a signature key of the suite's scheme from the randomness of
// c: the seed of Ed25519 and Ed448 (RFC 8032 §5.1.5, §5.2.5), or an ECDSA
// scalar by rejection. ECDSA signatures are hedged with crypto/rand, which the
// standard library does not let anyone replace.
func NewSigner(c provider.Crypto, s provider.Suite) (provider.Signer, error) {
	sch, err := signScheme(s)
	if err != nil {
		return nil, err
	}
	raw, err := sch.draw(c.Rand())
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	k, err := sch.parse(raw)
	if err != nil {
		return nil, err
	}
	return k, nil
}

// ImportSigner makes a signature key of its raw form, which it copies: for
// Ed25519 the 32-byte seed, or the seed and the public key; for Ed448 the
// 57-byte seed; for ECDSA the big-endian scalar, which may lack leading zeros.
// ErrInvalidKey for anything else.
func ImportSigner(s provider.Suite, private []byte) (provider.Signer, error) {
	sch, err := signScheme(s)
	if err != nil {
		return nil, err
	}
	k, err := sch.parse(private)
	if err != nil {
		return nil, err
	}
	return k, nil
}

// ExportSigner returns a copy of the private key behind k in the form that
// ImportSigner takes (for Ed25519 the seed), which the caller wipes.
// ErrForeignKey for a key that is not held in memory by this package.
func ExportSigner(k provider.Signer) ([]byte, error) {
	own, ok := k.(*signer)
	if !ok || own.raw == nil {
		return nil, fmt.Errorf("%w: the signature key is not held in software", provider.ErrForeignKey)
	}
	return bytes.Clone(own.raw), nil
}

func signScheme(s provider.Suite) (scheme, error) {
	p := s.Params()
	sch := schemeOf(p.Signature)
	if sch == nil {
		return nil, &provider.UnsupportedError{Suite: p.ID, Primitive: "sig", Reason: p.Signature.String()}
	}
	if err := sigPrimitive(p.Signature).test(); err != nil {
		return nil, &provider.UnsupportedError{Suite: p.ID, Primitive: sigPrimitive(p.Signature).name, Reason: err.Error()}
	}
	return sch, nil
}

func badSignKey(what string) error {
	return fmt.Errorf("%w: %s signature key", provider.ErrInvalidKey, what)
}

func readN(r io.Reader, n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("soft: randomness: %w", err)
	}
	return b, nil
}

// ed25519Scheme is Ed25519 of RFC 8032 §5.1 by crypto/ed25519, whose
// verification is the one without cofactor. BenchmarkEd25519 compares it with
// circl: on an AMD EPYC 23.6 against 27.0 µs to sign and 53.6 against 50.6 µs
// to verify, which is not worth another rule of acceptance.
type ed25519Scheme struct{}

func (ed25519Scheme) verify(pub, msg, sig []byte) bool {
	return len(sig) == ed25519.SignatureSize && ed25519.Verify(pub, msg, sig)
}

// check refuses what is no point, is not encoded as RFC 8032 §5.1.2 has it, or is
// of small order. There are eight points of small order, with the y of
// smallOrderY; comparing with those costs a tenth of a multiplication by the
// cofactor and of encoding the point again.
func (ed25519Scheme) check(pub []byte) bool {
	if len(pub) != ed25519.PublicKeySize {
		return false
	}
	y := [ed25519.PublicKeySize]byte(pub)
	y[31] &= 0x7f
	if notBelowP(&y) {
		return false
	}
	for i := range smallOrderY {
		if subtle.ConstantTimeCompare(y[:], smallOrderY[i][:]) == 1 {
			return false
		}
	}
	_, err := new(edwards25519.Point).SetBytes(pub)
	return err == nil
}

// notBelowP reports whether a number of 255 bits is 2^255-19 or more.
func notBelowP(y *[32]byte) bool {
	for _, b := range y[1:31] {
		if b != 0xff {
			return false
		}
	}
	return y[31] == 0x7f && y[0] >= 0xed
}

// smallOrderY are the y coordinates, little-endian, of the points of order 1, 2, 4
// and 8. Those of order 1 and 2 have x = 0, so a sign that RFC 8032 forbids is
// refused with them.
var smallOrderY = [...][32]byte{
	{1},
	{0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	{},
	{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
	{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
}

func (ed25519Scheme) draw(r io.Reader) ([]byte, error) { return readN(r, ed25519.SeedSize) }

func (ed25519Scheme) parse(private []byte) (*signer, error) {
	if len(private) != ed25519.SeedSize && len(private) != ed25519.PrivateKeySize {
		return nil, badSignKey("Ed25519")
	}
	key := ed25519.NewKeyFromSeed(private[:ed25519.SeedSize])
	if len(private) == ed25519.PrivateKeySize && subtle.ConstantTimeCompare(key[ed25519.SeedSize:], private[ed25519.SeedSize:]) != 1 {
		return nil, badSignKey("Ed25519")
	}
	return &signer{
		scheme: provider.Ed25519,
		public: bytes.Clone(key[ed25519.SeedSize:]),
		raw:    bytes.Clone(key[:ed25519.SeedSize]),
		sign: func(dst, msg []byte) ([]byte, error) {
			return append(dst, ed25519.Sign(key, msg)...), nil
		},
	}, nil
}

// ed448Scheme is Ed448 of RFC 8032 §5.2 with an empty context, by circl.
type ed448Scheme struct{}

func (ed448Scheme) verify(pub, msg, sig []byte) bool {
	return len(sig) == ed448.SignatureSize && ed448.Verify(pub, msg, sig, "")
}

func (ed448Scheme) check(pub []byte) bool {
	p, err := goldilocks.FromBytes(pub)
	if err != nil {
		return false
	}
	if again, err := p.MarshalBinary(); err != nil || subtle.ConstantTimeCompare(again, pub) != 1 {
		return false
	}
	p.Double() // the cofactor is 4
	p.Double()
	return !p.IsIdentity()
}

func (ed448Scheme) draw(r io.Reader) ([]byte, error) { return readN(r, ed448.SeedSize) }

func (ed448Scheme) parse(private []byte) (*signer, error) {
	if len(private) != ed448.SeedSize {
		return nil, badSignKey("Ed448")
	}
	key := ed448.NewKeyFromSeed(private)
	return &signer{
		scheme: provider.Ed448,
		public: bytes.Clone(key[ed448.SeedSize:]),
		raw:    bytes.Clone(private),
		sign: func(dst, msg []byte) ([]byte, error) {
			return append(dst, ed448.Sign(key, msg, "")...), nil
		},
	}, nil
}

// ecdsaScheme is ECDSA with DER signatures, RFC 9420 §5.1.2.
type ecdsaScheme struct {
	id    provider.SignatureScheme
	curve elliptic.Curve
	kdf   *kdf
	hash  crypto.Hash
	mask  byte // of the first byte of a candidate
}

func (e ecdsaScheme) size() int { return (e.curve.Params().BitSize + 7) / 8 }

func (e ecdsaScheme) verify(pub, msg, sig []byte) bool {
	key, err := ecdsa.ParseUncompressedPublicKey(e.curve, pub)
	if err != nil {
		return false
	}
	var digest [provider.MaxNh]byte
	e.kdf.sum(digest[:e.kdf.nh], msg)
	return ecdsa.VerifyASN1(key, digest[:e.kdf.nh], sig)
}

func (e ecdsaScheme) check(pub []byte) bool {
	_, err := ecdsa.ParseUncompressedPublicKey(e.curve, pub)
	return err == nil
}

// draw is rejection sampling of FIPS 186-5 A.2.2.
func (e ecdsaScheme) draw(r io.Reader) ([]byte, error) {
	for range 256 {
		raw, err := readN(r, e.size())
		if err != nil {
			return nil, err
		}
		raw[0] &= e.mask
		if _, err := ecdsa.ParseRawPrivateKey(e.curve, raw); err == nil {
			return raw, nil
		}
	}
	return nil, errors.New("soft: randomness: no ECDSA scalar in 256 candidates")
}

func (e ecdsaScheme) parse(private []byte) (*signer, error) {
	raw := padLeft(private, e.size())
	key, err := ecdsa.ParseRawPrivateKey(e.curve, raw)
	if err != nil {
		return nil, badSignKey("ECDSA")
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, badSignKey("ECDSA")
	}
	return &signer{
		scheme: e.id,
		public: public,
		raw:    raw,
		sign: func(dst, msg []byte) ([]byte, error) {
			var digest [provider.MaxNh]byte
			e.kdf.sum(digest[:e.kdf.nh], msg)
			sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:e.kdf.nh])
			if err != nil {
				return dst, err
			}
			return append(dst, sig...), nil
		},
	}, nil
}

// SignerFrom makes a provider.Signer of a standard signer, such as a token's,
// by the type of its public key: Ed25519, ECDSA over P-256, P-384 or P-521, or
// circl's Ed448. A crypto.MessageSigner is given whole messages, any other an
// ECDSA digest. ErrInvalidKey for other keys. A signer that waits cannot be
// interrupted: Sign looks at its context only before it starts.
func SignerFrom(key crypto.Signer) (provider.Signer, error) {
	if key == nil {
		return nil, badSignKey("nil")
	}
	k := &signer{}
	hash := crypto.Hash(0)
	switch pub := key.Public().(type) {
	case ed25519.PublicKey:
		k.scheme, k.public = provider.Ed25519, bytes.Clone(pub)
	case ed448.PublicKey:
		k.scheme, k.public = provider.Ed448, bytes.Clone(pub)
	case *ecdsa.PublicKey:
		switch pub.Curve {
		case elliptic.P256():
			k.scheme, hash = provider.ECDSA_P256_SHA256, crypto.SHA256
		case elliptic.P384():
			k.scheme, hash = provider.ECDSA_P384_SHA384, crypto.SHA384
		case elliptic.P521():
			k.scheme, hash = provider.ECDSA_P521_SHA512, crypto.SHA512
		default:
			return nil, badSignKey("unknown curve's")
		}
		b, err := pub.Bytes()
		if err != nil {
			return nil, badSignKey("ECDSA")
		}
		k.public = b
	default:
		return nil, badSignKey(fmt.Sprintf("%T", pub))
	}
	if !schemeOf(k.scheme).check(k.public) {
		return nil, badSignKey(k.scheme.String())
	}
	k.sign = func(dst, msg []byte) ([]byte, error) {
		sig, err := crypto.SignMessage(key, rand.Reader, msg, hash)
		if err != nil {
			return dst, err
		}
		return append(dst, sig...), nil
	}
	return k, nil
}
