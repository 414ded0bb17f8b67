package providertest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"io"
	"math/big"

	"github.com/hardmls/hardmls/provider"
)

// bent is a toy suite of which some methods are replaced.
type bent struct {
	*toySuite
	params   *provider.Params
	hash     func(out, msg []byte)
	extract  func(out, salt, ikm []byte)
	expand   func(out, prk, info []byte)
	mac      func(out, key, msg []byte)
	seal     func(dst, key, nonce, plaintext, ad []byte) []byte
	open     func(dst, key, nonce, ciphertext, ad []byte) ([]byte, error)
	hpke     provider.HPKE
	verify   func(pub, msg, sig []byte) error
	check    func(pub []byte) error
	upgrades *provider.Upgrades
}

func (b *bent) Params() *provider.Params {
	if b.params != nil {
		return b.params
	}
	return b.toySuite.Params()
}

func (b *bent) Hash(out, msg []byte) {
	if b.hash != nil {
		b.hash(out, msg)
		return
	}
	b.toySuite.Hash(out, msg)
}

func (b *bent) Extract(out, salt, ikm []byte) {
	if b.extract != nil {
		b.extract(out, salt, ikm)
		return
	}
	b.toySuite.Extract(out, salt, ikm)
}

func (b *bent) Expand(out, prk, info []byte) {
	if b.expand != nil {
		b.expand(out, prk, info)
		return
	}
	b.toySuite.Expand(out, prk, info)
}

func (b *bent) MAC(out, key, msg []byte) {
	if b.mac != nil {
		b.mac(out, key, msg)
		return
	}
	b.toySuite.MAC(out, key, msg)
}

func (b *bent) Seal(dst, key, nonce, plaintext, ad []byte) []byte {
	if b.seal != nil {
		return b.seal(dst, key, nonce, plaintext, ad)
	}
	return b.toySuite.Seal(dst, key, nonce, plaintext, ad)
}

func (b *bent) Open(dst, key, nonce, ciphertext, ad []byte) ([]byte, error) {
	if b.open != nil {
		return b.open(dst, key, nonce, ciphertext, ad)
	}
	return b.toySuite.Open(dst, key, nonce, ciphertext, ad)
}

func (b *bent) HPKE() provider.HPKE {
	if b.hpke != nil {
		return b.hpke
	}
	return b.toySuite.HPKE()
}

func (b *bent) Verify(pub, msg, sig []byte) error {
	if b.verify != nil {
		return b.verify(pub, msg, sig)
	}
	return b.toySuite.Verify(pub, msg, sig)
}

func (b *bent) CheckSignatureKey(pub []byte) error {
	if b.check != nil {
		return b.check(pub)
	}
	return b.toySuite.CheckSignatureKey(pub)
}

func (b *bent) Upgrades() *provider.Upgrades {
	if b.upgrades != nil {
		return b.upgrades
	}
	return b.toySuite.Upgrades()
}

// claim returns the toy's parameters with changes, as a suite that claims to be
// what it isn't.
func claim(t *toySuite, change func(p *provider.Params)) *provider.Params {
	p := *t.p
	change(&p)
	return &p
}

// hpkeHook is toy HPKE with replaced methods.
type hpkeHook struct {
	toyHPKE
	check  func(pub []byte) error
	seal   func(h toyHPKE, info, ad []byte, jobs []provider.SealJob) error
	open   func(h toyHPKE, ctx context.Context, dst []byte, key provider.DecryptionKey, enc, info, ad, ct []byte) ([]byte, error)
	to     func(h toyHPKE, pub, info, label, enc, out []byte) error
	derive func(h toyHPKE, ikm []byte) (provider.DecryptionKey, error)
}

func (h *hpkeHook) CheckPublicKey(pub []byte) error {
	if h.check != nil {
		return h.check(pub)
	}
	return h.toyHPKE.CheckPublicKey(pub)
}

func (h *hpkeHook) SealMany(info, ad []byte, jobs []provider.SealJob) error {
	if h.seal != nil {
		return h.seal(h.toyHPKE, info, ad, jobs)
	}
	return h.toyHPKE.SealMany(info, ad, jobs)
}

func (h *hpkeHook) Open(ctx context.Context, dst []byte, key provider.DecryptionKey, enc, info, ad, ct []byte) ([]byte, error) {
	if h.open != nil {
		return h.open(h.toyHPKE, ctx, dst, key, enc, info, ad, ct)
	}
	return h.toyHPKE.Open(ctx, dst, key, enc, info, ad, ct)
}

func (h *hpkeHook) ExportTo(pub, info, label, enc, out []byte) error {
	if h.to != nil {
		return h.to(h.toyHPKE, pub, info, label, enc, out)
	}
	return h.toyHPKE.ExportTo(pub, info, label, enc, out)
}

func (h *hpkeHook) DeriveKey(ikm []byte) (provider.DecryptionKey, error) {
	if h.derive != nil {
		return h.derive(h.toyHPKE, ikm)
	}
	return h.toyHPKE.DeriveKey(ikm)
}

// A deafKey decapsulates whatever it is given.
type deafKey struct{ *toyKey }

func (k deafKey) Decap(ctx context.Context, secret, enc []byte) error {
	if err := k.toyKey.Decap(ctx, secret, enc); err != nil {
		clear(secret)
	}
	return nil
}

// bentUpgrades are upgrades that do what the plain way does, but for what a
// fault replaces.
type bentUpgrades struct {
	s            *toySuite
	nonceLabel   string
	acceptFirst  bool
	keepSecret   bool
	skipIfNilKey bool
}

func (u bentUpgrades) RatchetStep(key, nonce, secret []byte, generation uint32) {
	g := []byte{byte(generation >> 24), byte(generation >> 16), byte(generation >> 8), byte(generation)}
	if key == nil && u.skipIfNilKey {
		return
	}
	if key != nil {
		copy(key, expandWithLabel(u.s, secret, "key", g, len(key)))
		copy(nonce, expandWithLabel(u.s, secret, "nonce", g, len(nonce)))
	}
	copy(secret, expandWithLabel(u.s, secret, "secret", g, len(secret)))
}

func (u bentUpgrades) Bind(secret []byte) provider.Bound {
	b := &bentBound{u: u, secret: secret}
	if !u.keepSecret {
		b.secret = bytes.Clone(secret)
	}
	return b
}

type bentBound struct {
	u      bentUpgrades
	secret []byte
}

func (b *bentBound) SenderDataKey(key, nonce, sample []byte) {
	copy(key, expandWithLabel(b.u.s, b.secret, "key", sample, len(key)))
	copy(nonce, expandWithLabel(b.u.s, b.secret, b.u.nonceLabel, sample, len(nonce)))
}

func (b *bentBound) MAC(out, msg []byte) { b.u.s.MAC(out, b.secret, msg) }
func (b *bentBound) Wipe()               { clear(b.secret) }

func (u bentUpgrades) VerifyMany(jobs []provider.VerifyJob) {
	for i := range jobs {
		jobs[i].Err = u.s.Verify(jobs[i].Pub, jobs[i].Msg, jobs[i].Sig)
		if u.acceptFirst && i > 0 && jobs[0].Err == nil {
			jobs[i].Err = nil
		}
	}
}

func upgradesOf(u bentUpgrades) *provider.Upgrades {
	return &provider.Upgrades{Ratchet: u, Bind: u, Verify: u}
}

// elsewhere is one reader for all that ask.
var elsewhere = NewRand(99)

// careless is a reader that hides errors.
type careless struct{ io.Reader }

func (c careless) Read(b []byte) (int, error) {
	c.Reader.Read(b)
	return len(b), nil
}

type labelless struct{ toyHPKE }

func (h *labelless) ExportTo(pub, info, _, enc, out []byte) error {
	return h.toyHPKE.ExportTo(pub, info, nil, enc, out)
}

func (h *labelless) ExportFrom(ctx context.Context, key provider.DecryptionKey, enc, info, _, out []byte) error {
	return h.toyHPKE.ExportFrom(ctx, key, enc, info, nil, out)
}

// lenientVerify takes every encoding of r and s that asn1 reads, and what
// follows it.
func lenientVerify(pub, msg, sig []byte) error {
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), pub)
	if err != nil {
		return provider.ErrVerify
	}
	var v struct{ R, S *big.Int }
	asn1.Unmarshal(sig, &v)
	if v.R == nil || v.S == nil {
		return provider.ErrVerify
	}
	v.R.Mod(v.R, elliptic.P256().Params().N)
	h := sha256.Sum256(msg)
	if !ecdsa.Verify(key, h[:], v.R, v.S) {
		return provider.ErrVerify
	}
	return nil
}

// bentCrypto hands out one bent suite.
type bentCrypto struct {
	*ToyBackend
	bend func(b *bent)
}

func (c bentCrypto) Suite(id provider.CipherSuite) (provider.Suite, error) {
	s, err := c.ToyBackend.suite(id)
	if err != nil {
		return nil, err
	}
	b := &bent{toySuite: s}
	c.bend(b)
	return b, nil
}
