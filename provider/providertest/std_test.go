package providertest

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/hpke"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"testing"

	"github.com/hardmls/hardmls/provider"
)

// std is a plain backend over the standard library, for the suites that it can
// serve: the positive control of the checks that the toys skip. It is written
// for few lines, not for speed or for wiping.
type std struct{ rand io.Reader }

type stdSuite struct {
	c *std
	p *provider.Params
}

func (c *std) CipherSuites() []provider.CipherSuite { return []provider.CipherSuite{1, 2, 5, 7} }
func (c *std) Rand() io.Reader                      { return c.rand }
func (c *std) SoftwareKeys() provider.Keys          { return stdKeys{c} }

func (c *std) Report() provider.Report {
	return provider.Report{Backend: "std", Choices: []provider.Choice{{Primitive: "all", Impl: "standard library"}}}
}

func (c *std) Suite(id provider.CipherSuite) (provider.Suite, error) {
	p, ok := provider.ParamsOf(id)
	if !ok || p.KEM == provider.KEM_X448 || p.AEAD == provider.AEAD_CHACHA20POLY1305 {
		return nil, &provider.UnsupportedError{Suite: id}
	}
	return &stdSuite{c, p}, nil
}

func (s *stdSuite) Params() *provider.Params     { return s.p }
func (s *stdSuite) HPKE() provider.HPKE          { return stdHPKE{s} }
func (s *stdSuite) Upgrades() *provider.Upgrades { return &noUpgrades }

func (s *stdSuite) Hash(out, msg []byte) {
	need(len(out) == s.p.Nh)
	h := hashOf(s.p.KDF)()
	h.Write(msg)
	h.Sum(out[:0])
}

func (s *stdSuite) Extract(out, salt, ikm []byte) {
	need(len(out) == s.p.Nh)
	prk, err := hkdf.Extract(hashOf(s.p.KDF), ikm, salt)
	need(err == nil)
	copy(out, prk)
}

func (s *stdSuite) Expand(out, prk, info []byte) {
	okm, err := hkdf.Expand(hashOf(s.p.KDF), prk, string(info), len(out))
	need(err == nil)
	copy(out, okm)
}

func (s *stdSuite) MAC(out, key, msg []byte) {
	need(len(out) == s.p.Nh)
	h := hmac.New(hashOf(s.p.KDF), key)
	h.Write(msg)
	h.Sum(out[:0])
}

func (s *stdSuite) aead(key []byte) cipher.AEAD {
	need(len(key) == s.p.Nk)
	block, err := aes.NewCipher(key)
	need(err == nil)
	gcm, err := cipher.NewGCM(block)
	need(err == nil)
	return gcm
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

func (s *stdSuite) curve() (elliptic.Curve, ecdh.Curve) {
	switch s.p.KEM {
	case provider.KEM_P256:
		return elliptic.P256(), ecdh.P256()
	case provider.KEM_P384:
		return elliptic.P384(), ecdh.P384()
	case provider.KEM_P521:
		return elliptic.P521(), ecdh.P521()
	}
	return nil, ecdh.X25519()
}

func (s *stdSuite) CheckSignatureKey(pub []byte) error {
	curve, _ := s.curve()
	if curve == nil {
		if len(pub) != ed25519.PublicKeySize || !onEd25519(pub) {
			return provider.ErrInvalidKey
		}
		return nil
	}
	if _, err := ecdsa.ParseUncompressedPublicKey(curve, pub); err != nil {
		return provider.ErrInvalidKey
	}
	return nil
}

// onEd25519 reports whether x² = (y²-1)/(dy²+1) has a solution, RFC 8032 §5.1.3.
func onEd25519(pub []byte) bool {
	le := bytes.Clone(pub)
	le[31] &= 0x7f
	for i := range 16 {
		le[i], le[31-i] = le[31-i], le[i]
	}
	one := big.NewInt(1)
	p := new(big.Int).Sub(new(big.Int).Lsh(one, 255), big.NewInt(19))
	d, _ := new(big.Int).SetString("52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3", 16)
	y2 := new(big.Int).SetBytes(le)
	y2.Mul(y2, y2).Mod(y2, p)
	v := new(big.Int).Mul(d, y2)
	v.Add(v, one).ModInverse(v.Mod(v, p), p)
	x2 := new(big.Int).Sub(y2, one)
	x2.Mul(x2, v).Mod(x2, p)
	return big.Jacobi(x2, p) >= 0
}

func (s *stdSuite) Verify(pub, msg, sig []byte) error {
	if s.CheckSignatureKey(pub) != nil {
		return provider.ErrVerify
	}
	ok := false
	if curve, _ := s.curve(); curve == nil {
		ok = ed25519.Verify(pub, msg, sig)
	} else if key, err := ecdsa.ParseUncompressedPublicKey(curve, pub); err == nil {
		h := make([]byte, s.p.Nh)
		s.Hash(h, msg)
		ok = ecdsa.VerifyASN1(key, h, sig)
	}
	if !ok {
		return provider.ErrVerify
	}
	return nil
}

// stdKey implements provider.DecryptionKey.
type stdKey struct {
	s   *stdSuite
	key *ecdh.PrivateKey
	pub []byte
}

func (k *stdKey) Public() []byte { return k.pub }
func (k *stdKey) Wipe()          { k.key = nil }

func (k *stdKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, "std key(redacted)") }

func (k *stdKey) Decap(ctx context.Context, secret, enc []byte) error {
	if k.key == nil {
		return errWiped
	}
	_, curve := k.s.curve()
	peer, err := curve.NewPublicKey(enc)
	if err != nil {
		return provider.ErrDecrypt
	}
	dh, err := k.key.ECDH(peer)
	if err != nil {
		return provider.ErrDecrypt
	}
	k.s.shared(secret, dh, enc, k.pub)
	return nil
}

// label is LabeledExtract or LabeledExpand of RFC 9180 §4, without the step.
func label(suiteID []byte, label string, rest []byte) []byte {
	return append(append(append([]byte("HPKE-v1"), suiteID...), label...), rest...)
}

func (s *stdSuite) expand(out, prk, suiteID []byte, name string, info []byte) {
	s.Expand(out, prk, append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), label(suiteID, name, info)...))
}

// shared is ExtractAndExpand of RFC 9180 §4.1.
func (s *stdSuite) shared(out, dh, enc, pub []byte) {
	id := binary.BigEndian.AppendUint16([]byte("KEM"), s.p.KEM)
	prk := make([]byte, s.p.Nh)
	s.Extract(prk, nil, label(id, "eae_prk", dh))
	s.expand(out, prk, id, "shared_secret", append(bytes.Clone(enc), pub...))
}

type stdHPKE struct{ s *stdSuite }

func (h stdHPKE) CheckPublicKey(pub []byte) error {
	_, curve := h.s.curve()
	if _, err := curve.NewPublicKey(pub); err != nil {
		return provider.ErrInvalidKey
	}
	for _, p := range smallOrder25519 {
		if bytes.Equal(pub, unhex(p)) {
			return provider.ErrInvalidKey
		}
	}
	return nil
}

func (h stdHPKE) DeriveKey(ikm []byte) (provider.DecryptionKey, error) {
	kem, err := hpke.NewKEM(h.s.p.KEM)
	if err != nil {
		return nil, err
	}
	pair, err := kem.DeriveKeyPair(ikm)
	if err != nil {
		return nil, err
	}
	b, err := pair.Bytes()
	if err != nil {
		return nil, err
	}
	return h.parse(b)
}

func (h stdHPKE) parse(b []byte) (provider.DecryptionKey, error) {
	_, curve := h.s.curve()
	key, err := curve.NewPrivateKey(b)
	if err != nil {
		return nil, provider.ErrInvalidKey
	}
	return &stdKey{h.s, key, key.PublicKey().Bytes()}, nil
}

func (h stdHPKE) ParseKey(ref provider.KeyRef) (provider.DecryptionKey, error) {
	if ref.Backend() != "std" {
		return nil, provider.ErrForeignKey
	}
	return h.parse(ref[len("std\x00"):])
}

// keys is KeySchedule of RFC 9180 §5.1 in base mode.
func (h stdHPKE) keys(shared, info []byte) (key, nonce, exporter []byte) {
	p := h.s.p
	id := []byte("HPKE")
	for _, n := range []uint16{p.KEM, p.KDF, p.AEAD} {
		id = binary.BigEndian.AppendUint16(id, n)
	}
	pskID, infoHash, secret := make([]byte, p.Nh), make([]byte, p.Nh), make([]byte, p.Nh)
	h.s.Extract(pskID, nil, label(id, "psk_id_hash", nil))
	h.s.Extract(infoHash, nil, label(id, "info_hash", info))
	context := append(append([]byte{0}, pskID...), infoHash...)
	h.s.Extract(secret, shared, label(id, "secret", nil))
	key, nonce, exporter = make([]byte, p.Nk), make([]byte, p.Nn), make([]byte, p.Nh)
	h.s.expand(key, secret, id, "key", context)
	h.s.expand(nonce, secret, id, "base_nonce", context)
	h.s.expand(exporter, secret, id, "exp", context)
	return key, nonce, exporter
}

func (h stdHPKE) export(exporter, context, out []byte) {
	p := h.s.p
	id := []byte("HPKE")
	for _, n := range []uint16{p.KEM, p.KDF, p.AEAD} {
		id = binary.BigEndian.AppendUint16(id, n)
	}
	h.s.expand(out, exporter, id, "sec", context)
}

func (h stdHPKE) encap(pub, enc []byte) (shared []byte, err error) {
	if err := h.CheckPublicKey(pub); err != nil {
		return nil, err
	}
	ikm := make([]byte, h.s.p.Nsk)
	if _, err := io.ReadFull(h.s.c.rand, ikm); err != nil {
		return nil, err
	}
	ephemeral, err := h.DeriveKey(ikm)
	if err != nil {
		return nil, err
	}
	_, curve := h.s.curve()
	peer, err := curve.NewPublicKey(pub)
	if err != nil {
		return nil, err
	}
	dh, err := ephemeral.(*stdKey).key.ECDH(peer)
	if err != nil {
		return nil, provider.ErrInvalidKey
	}
	copy(enc, ephemeral.Public())
	shared = make([]byte, h.s.p.Nsecret)
	h.s.shared(shared, dh, enc, pub)
	return shared, nil
}

func (h stdHPKE) SealMany(info, ad []byte, jobs []provider.SealJob) error {
	for _, j := range jobs {
		shared, err := h.encap(j.Pub, j.Enc)
		if err != nil {
			for _, j := range jobs {
				clear(j.Enc)
				clear(j.CT)
			}
			return err
		}
		key, nonce, _ := h.keys(shared, info)
		h.s.Seal(j.CT[:0], key, nonce, j.Plaintext, ad)
	}
	return nil
}

func (h stdHPKE) Open(ctx context.Context, dst []byte, key provider.DecryptionKey, enc, info, ad, ct []byte) ([]byte, error) {
	shared := make([]byte, h.s.p.Nsecret)
	if err := key.Decap(ctx, shared, enc); err != nil {
		return nil, err
	}
	k, nonce, _ := h.keys(shared, info)
	return h.s.Open(dst, k, nonce, ct, ad)
}

func (h stdHPKE) ExportTo(pub, info, label, enc, out []byte) error {
	shared, err := h.encap(pub, enc)
	if err != nil {
		return err
	}
	_, _, exporter := h.keys(shared, info)
	h.export(exporter, label, out)
	return nil
}

func (h stdHPKE) ExportFrom(ctx context.Context, key provider.DecryptionKey, enc, info, label, out []byte) error {
	shared := make([]byte, h.s.p.Nsecret)
	if err := key.Decap(ctx, shared, enc); err != nil {
		return err
	}
	_, _, exporter := h.keys(shared, info)
	h.export(exporter, label, out)
	return nil
}

type stdKeys struct{ c *std }

func (k stdKeys) Generate(ctx context.Context, s provider.Suite, use provider.KeyUse) (provider.DecryptionKey, provider.KeyRef, error) {
	ikm := make([]byte, s.Params().Nsk)
	if _, err := io.ReadFull(k.c.rand, ikm); err != nil {
		return nil, nil, err
	}
	key, err := s.HPKE().DeriveKey(ikm)
	if err != nil {
		return nil, nil, err
	}
	return key, append(provider.KeyRef("std\x00"), key.(*stdKey).key.Bytes()...), nil
}

func (k stdKeys) Load(ctx context.Context, s provider.Suite, ref provider.KeyRef) (provider.DecryptionKey, error) {
	return s.HPKE().ParseKey(ref)
}

func (k stdKeys) Delete(ctx context.Context, ref provider.KeyRef) error {
	if ref.Backend() != "std" {
		return provider.ErrForeignKey
	}
	return nil
}

func TestStandardLibraryConforms(t *testing.T) {
	c := &std{NewRand(1)}
	for _, id := range c.CipherSuites() {
		t.Run(id.String(), func(t *testing.T) {
			TestSuite(t, c, id, SuiteOptions{Open: func(rand io.Reader) provider.Crypto { return &std{rand} }})
			s, err := c.Suite(id)
			if err != nil {
				t.Fatal(err)
			}
			t.Run("signer", func(t *testing.T) { TestSigner(t, s, newSuite(t, c, s, SuiteOptions{}).signer()) })
		})
	}
}
