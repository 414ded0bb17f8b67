package framing

import (
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"hash"
	"testing"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
)

// stdSuite is what framing uses of a suite of RFC 9420, straight over Go's
// standard library: real sizes, real signatures and real costs without a
// backend. The rest is the toy suite's.
type stdSuite struct {
	provider.Suite
	p    *provider.Params
	hash crypto.Hash
}

// stdSuites are the suites of which the standard library has all that framing
// needs.
var stdSuites = map[provider.CipherSuite]struct {
	hash  crypto.Hash
	curve elliptic.Curve // nil: Ed25519
}{
	provider.X25519_AES128GCM_SHA256_Ed25519: {crypto.SHA256, nil},
	provider.P256_AES128GCM_SHA256_P256:      {crypto.SHA256, elliptic.P256()},
	provider.P521_AES256GCM_SHA512_P521:      {crypto.SHA512, elliptic.P521()},
	provider.P384_AES256GCM_SHA384_P384:      {crypto.SHA384, elliptic.P384()},
}

func newStdSuite(t testing.TB, id provider.CipherSuite) *stdSuite {
	t.Helper()
	toy, err := providertest.ToyCrypto(providertest.NewRand(1)).Suite(providertest.Toy1)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := provider.ParamsOf(id)
	return &stdSuite{toy, p, stdSuites[id].hash}
}

func (s *stdSuite) Params() *provider.Params { return s.p }

func (s *stdSuite) Expand(out, prk, info []byte) {
	b, err := hkdf.Expand(func() hash.Hash { return s.hash.New() }, prk, string(info), len(out))
	if err != nil {
		panic(err)
	}
	copy(out, b)
}

func (s *stdSuite) MAC(out, key, msg []byte) {
	h := hmac.New(func() hash.Hash { return s.hash.New() }, key)
	h.Write(msg)
	h.Sum(out[:0])
}

func (s *stdSuite) aead(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	a, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return a
}

func (s *stdSuite) Seal(dst, key, nonce, plaintext, ad []byte) []byte {
	return s.aead(key).Seal(dst, nonce, plaintext, ad)
}

func (s *stdSuite) Open(dst, key, nonce, ciphertext, ad []byte) ([]byte, error) {
	out, err := s.aead(key).Open(dst, nonce, ciphertext, ad)
	if err != nil {
		return nil, provider.ErrDecrypt
	}
	return out, nil
}

func (s *stdSuite) Verify(pub, msg, sig []byte) error {
	ok := false
	if curve := stdSuites[s.p.ID].curve; curve == nil {
		ok = ed25519.Verify(pub, msg, sig)
	} else if key, err := ecdsa.ParseUncompressedPublicKey(curve, pub); err == nil {
		ok = ecdsa.VerifyASN1(key, s.digest(msg), sig)
	}
	if !ok {
		return provider.ErrVerify
	}
	return nil
}

func (s *stdSuite) digest(msg []byte) []byte {
	h := s.hash.New()
	h.Write(msg)
	return h.Sum(nil)
}

// stdSigner signs for a stdSuite.
type stdSigner struct {
	s   *stdSuite
	key crypto.Signer
	pub []byte
}

// newStdSigner returns the signer of a private key in the encoding of the
// official vectors, or of a new key if private is nil.
func newStdSigner(t testing.TB, s *stdSuite, private []byte) *stdSigner {
	t.Helper()
	if private == nil {
		private = filled(s.p.Nsk, 1)
	}
	curve := stdSuites[s.p.ID].curve
	if curve == nil {
		key := ed25519.NewKeyFromSeed(private)
		return &stdSigner{s, key, key.Public().(ed25519.PublicKey)}
	}
	// Vectors of P-521 leave leading zeros out.
	padded := make([]byte, (curve.Params().BitSize+7)/8)
	copy(padded[len(padded)-len(private):], private)
	key, err := ecdsa.ParseRawPrivateKey(curve, padded)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return &stdSigner{s, key, pub}
}

func (s *stdSigner) Public() []byte                   { return s.pub }
func (s *stdSigner) Scheme() provider.SignatureScheme { return s.s.p.Signature }

func (s *stdSigner) Sign(ctx context.Context, dst, msg []byte) ([]byte, error) {
	opts := crypto.SignerOpts(crypto.Hash(0))
	if stdSuites[s.s.p.ID].curve != nil {
		msg, opts = s.s.digest(msg), s.s.hash
	}
	sig, err := s.key.Sign(rand.Reader, msg, opts)
	if err != nil {
		return dst, err
	}
	return append(dst, sig...), nil
}
