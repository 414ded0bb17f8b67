package providertest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"sync"
	"testing"

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

// brokenSuites have one fault each; check is a check that must notice it.
var brokenSuites = []struct {
	name, check string
	bend        func(b *bent)
}{
	{"another size", "params", func(b *bent) { b.params = claim(b.toySuite, func(p *provider.Params) { p.SigMax = 0 }) }},
	{"a constant hash", "hash", func(b *bent) { b.hash = func(out, _ []byte) { clear(out) } }},
	{"a hash that takes any out", "hash", func(b *bent) {
		b.hash = func(out, msg []byte) { h := sha256.Sum256(msg); copy(out, h[:]) }
	}},
	{"salt and ikm swapped", "extract", func(b *bent) {
		b.extract = func(out, salt, ikm []byte) { b.toySuite.Extract(out, ikm, salt) }
	}},
	{"out cleared first", "extract", func(b *bent) {
		b.extract = func(out, salt, ikm []byte) { clear(out); b.toySuite.Extract(out, salt, ikm) }
	}},
	{"no limit", "expand", func(b *bent) {
		b.expand = func(out, prk, info []byte) {
			b.toySuite.Expand(out[:min(len(out), 255*32)], prk, info)
		}
	}},
	{"prk overwritten while it is read", "expand", func(b *bent) {
		b.expand = func(out, prk, info []byte) { clear(out); b.toySuite.Expand(out, prk, info) }
	}},
	{"a key of one block at most", "mac", func(b *bent) {
		b.mac = func(out, key, msg []byte) { b.toySuite.MAC(out, key[:min(len(key), 64)], msg) }
	}},
	{"empty plaintexts refused", "aead round trip", func(b *bent) {
		b.open = func(dst, key, nonce, ct, ad []byte) ([]byte, error) {
			if len(ct) == b.p.Nt {
				return nil, provider.ErrDecrypt
			}
			return b.toySuite.Open(dst, key, nonce, ct, ad)
		}
	}},
	{"a toy that claims AES-GCM", "aead reference", func(b *bent) {
		b.params = claim(b.toySuite, func(p *provider.Params) { p.AEAD = provider.AEAD_AES128GCM })
	}},
	{"a toy that claims ChaCha20-Poly1305", "aead reference", func(b *bent) {
		b.params = claim(b.toySuite, func(p *provider.Params) { p.AEAD, p.Nk = provider.AEAD_CHACHA20POLY1305, 32 })
		b.seal = func(dst, key, nonce, plaintext, ad []byte) []byte {
			return b.toySuite.Seal(dst, key[:16], nonce, plaintext, ad)
		}
	}},
	{"always another buffer", "aead buffers", func(b *bent) {
		b.seal = func(dst, key, nonce, plaintext, ad []byte) []byte {
			return b.toySuite.Seal(dst[:len(dst):len(dst)], key, nonce, bytes.Clone(plaintext), ad)
		}
	}},
	{"the tail used as scratch", "aead buffers", func(b *bent) {
		b.seal = func(dst, key, nonce, plaintext, ad []byte) []byte {
			out := b.toySuite.Seal(dst, key, nonce, plaintext, ad)
			clear(out[len(out):cap(out)])
			return out
		}
	}},
	{"the prefix lost", "aead buffers", func(b *bent) {
		b.open = func(dst, key, nonce, ct, ad []byte) ([]byte, error) {
			return b.toySuite.Open(nil, key, nonce, ct, ad)
		}
	}},
	{"overlap allowed", "aead misuse", func(b *bent) {
		b.seal = func(dst, key, nonce, plaintext, ad []byte) []byte {
			return b.toySuite.Seal(dst, key, nonce, bytes.Clone(plaintext), ad)
		}
	}},
	{"a short nonce padded", "aead misuse", func(b *bent) {
		b.seal = func(dst, key, nonce, plaintext, ad []byte) []byte {
			return b.toySuite.Seal(dst, key, append(bytes.Clone(nonce), make([]byte, 12)...)[:12], plaintext, ad)
		}
	}},
	{"no tag check", "aead forgery", func(b *bent) {
		b.open = func(dst, key, nonce, ct, ad []byte) ([]byte, error) {
			n := max(0, len(ct)-b.p.Nt)
			out := make([]byte, n)
			toyStream(out, ct[:n], key, nonce)
			return append(dst, out...), nil
		}
	}},
	{"half a tag", "aead forgery", func(b *bent) {
		b.open = func(dst, key, nonce, ct, ad []byte) ([]byte, error) {
			if n := len(ct) - b.p.Nt; n >= 0 {
				tag := toyTag(key, nonce, ad, ct[:n])
				if bytes.Equal(tag[:8], ct[n:][:8]) {
					ct = append(bytes.Clone(ct[:n]), tag[:b.p.Nt]...)
				}
			}
			return b.toySuite.Open(dst, key, nonce, ct, ad)
		}
	}},
	{"plaintext left after a failure", "aead forgery", func(b *bent) {
		b.open = func(dst, key, nonce, ct, ad []byte) ([]byte, error) {
			out, err := b.toySuite.Open(dst, key, nonce, ct, ad)
			if n := len(ct) - b.p.Nt; err != nil && n >= 0 && cap(dst)-len(dst) >= n {
				toyStream(dst[len(dst):][:n], bytes.Clone(ct[:n]), key, nonce)
			}
			return out, err
		}
	}},
	{"a panic on short ciphertexts", "aead forgery", func(b *bent) {
		b.open = func(dst, key, nonce, ct, ad []byte) ([]byte, error) {
			_ = ct[len(ct)-b.p.Nt:]
			return b.toySuite.Open(dst, key, nonce, ct, ad)
		}
	}},
	{"one encapsulation for all", "hpke round trip", func(b *bent) {
		b.hpke = &hpkeHook{toyHPKE: toyHPKE{b.toySuite}, seal: func(h toyHPKE, info, ad []byte, jobs []provider.SealJob) error {
			h.s = &toySuite{ToyCrypto(StuckRand(1)), h.s.p}
			return h.SealMany(info, ad, jobs)
		}}
	}},
	{"a toy that claims X25519", "hpke reference", func(b *bent) {
		b.params = claim(b.toySuite, func(p *provider.Params) { p.KEM, p.AEAD = provider.KEM_X25519, provider.AEAD_AES128GCM })
	}},
	{"info not bound", "hpke forgery", func(b *bent) {
		b.hpke = &hpkeHook{toyHPKE: toyHPKE{b.toySuite},
			seal: func(h toyHPKE, _, ad []byte, jobs []provider.SealJob) error { return h.SealMany(nil, ad, jobs) },
			open: func(h toyHPKE, ctx context.Context, dst []byte, key provider.DecryptionKey, enc, _, ad, ct []byte) ([]byte, error) {
				return h.Open(ctx, dst, key, enc, nil, ad, ct)
			}}
	}},
	{"another error for a bad enc", "hpke forgery", func(b *bent) {
		b.hpke = &hpkeHook{toyHPKE: toyHPKE{b.toySuite},
			open: func(h toyHPKE, ctx context.Context, dst []byte, key provider.DecryptionKey, enc, info, ad, ct []byte) ([]byte, error) {
				if h.CheckPublicKey(enc) != nil {
					return nil, provider.ErrInvalidKey
				}
				return h.Open(ctx, dst, key, enc, info, ad, ct)
			}}
	}},
	{"small order accepted", "hpke public keys", func(b *bent) {
		b.params = claim(b.toySuite, func(p *provider.Params) { p.KEM = provider.KEM_X25519 })
		b.hpke = &hpkeHook{toyHPKE: toyHPKE{b.toySuite}, check: func(pub []byte) error {
			if len(pub) != b.p.Npk {
				return provider.ErrInvalidKey
			}
			return nil
		}}
	}},
	{"lengths not looked at", "hpke public keys", func(b *bent) {
		b.hpke = &hpkeHook{toyHPKE: toyHPKE{b.toySuite}, check: func(pub []byte) error { return nil }}
	}},
	{"outputs of earlier jobs left", "hpke clears on error", func(b *bent) {
		b.hpke = &hpkeHook{toyHPKE: toyHPKE{b.toySuite}, seal: func(h toyHPKE, info, ad []byte, jobs []provider.SealJob) error {
			for i := range jobs {
				if err := h.SealMany(info, ad, jobs[i:i+1]); err != nil {
					return err
				}
			}
			return nil
		}}
	}},
	{"randomness from elsewhere", "hpke failing randomness", func(b *bent) {
		b.hpke = &hpkeHook{toyHPKE: toyHPKE{b.toySuite}, seal: func(h toyHPKE, info, ad []byte, jobs []provider.SealJob) error {
			h.s = &toySuite{ToyCrypto(elsewhere), h.s.p}
			return h.SealMany(info, ad, jobs)
		}}
	}},
	{"a failing reader ignored", "hpke failing randomness", func(b *bent) {
		b.hpke = &hpkeHook{toyHPKE: toyHPKE{b.toySuite}, to: func(h toyHPKE, pub, info, label, enc, out []byte) error {
			h.s = &toySuite{ToyCrypto(careless{h.s.c.rand}), h.s.p}
			return h.ExportTo(pub, info, label, enc, out)
		}}
	}},
	{"only its own kind of key", "hpke opaque keys", func(b *bent) {
		b.hpke = &hpkeHook{toyHPKE: toyHPKE{b.toySuite},
			open: func(h toyHPKE, ctx context.Context, dst []byte, key provider.DecryptionKey, enc, info, ad, ct []byte) ([]byte, error) {
				if _, ok := key.(*toyKey); !ok {
					return nil, provider.ErrForeignKey
				}
				return h.Open(ctx, dst, key, enc, info, ad, ct)
			}}
	}},
	{"ErrDecrypt for a token that is gone", "hpke opaque keys", func(b *bent) {
		b.hpke = &hpkeHook{toyHPKE: toyHPKE{b.toySuite},
			open: func(h toyHPKE, ctx context.Context, dst []byte, key provider.DecryptionKey, enc, info, ad, ct []byte) ([]byte, error) {
				out, err := h.Open(ctx, dst, key, enc, info, ad, ct)
				if err != nil {
					err = provider.ErrDecrypt
				}
				return out, err
			}}
	}},
	{"no label in exports", "hpke export", func(b *bent) {
		b.hpke = &labelless{toyHPKE{b.toySuite}}
	}},
	{"another key each time", "derived keys", func(b *bent) {
		b.hpke = &hpkeHook{toyHPKE: toyHPKE{b.toySuite}, derive: func(h toyHPKE, ikm []byte) (provider.DecryptionKey, error) {
			var salt [8]byte
			_, err := io.ReadFull(h.s.c.rand, salt[:])
			if err != nil {
				return nil, err
			}
			return h.DeriveKey(append(salt[:], ikm...))
		}}
	}},
	{"part of the input", "derived keys", func(b *bent) {
		b.hpke = &hpkeHook{toyHPKE: toyHPKE{b.toySuite}, derive: func(h toyHPKE, ikm []byte) (provider.DecryptionKey, error) {
			return h.DeriveKey(ikm[:31])
		}}
	}},
	{"a bad enc decapsulated", "decap", func(b *bent) {
		b.hpke = &hpkeHook{toyHPKE: toyHPKE{b.toySuite}, derive: func(h toyHPKE, ikm []byte) (provider.DecryptionKey, error) {
			k, err := h.DeriveKey(ikm)
			return deafKey{k.(*toyKey)}, err
		}}
	}},
	{"every signature accepted", "verify", func(b *bent) { b.verify = func(pub, msg, sig []byte) error { return nil } }},
	{"a prefix of the signature is enough", "verify", func(b *bent) {
		b.verify = func(pub, msg, sig []byte) error {
			if want := appendToySignature(nil, b.p, pub, msg); len(sig) > 0 && bytes.HasPrefix(want, sig) {
				return nil
			}
			return b.toySuite.Verify(pub, msg, sig)
		}
	}},
	{"length alone", "signature keys", func(b *bent) {
		b.check = func(pub []byte) error {
			if len(pub) != b.p.Nsigpk {
				return provider.ErrInvalidKey
			}
			return nil
		}
	}},
	{"lenient DER", "strict DER", func(b *bent) {
		b.params = claim(b.toySuite, func(p *provider.Params) { p.Signature = provider.ECDSA_P256_SHA256 })
		b.verify = lenientVerify
	}},
	{"another nonce", "bound upgrade", func(b *bent) { b.upgrades = upgradesOf(bentUpgrades{s: b.toySuite, nonceLabel: "Nonce"}) }},
	{"the secret kept", "bound upgrade", func(b *bent) {
		b.upgrades = upgradesOf(bentUpgrades{s: b.toySuite, nonceLabel: "nonce", keepSecret: true})
	}},
	{"no step without a key", "ratchet upgrade", func(b *bent) {
		b.upgrades = upgradesOf(bentUpgrades{s: b.toySuite, nonceLabel: "nonce", skipIfNilKey: true})
	}},
	{"the first decides for all", "verify upgrade", func(b *bent) {
		b.upgrades = upgradesOf(bentUpgrades{s: b.toySuite, nonceLabel: "nonce", acceptFirst: true})
	}},
	{"shared scratch", "concurrency", func(b *bent) {
		var mu sync.Mutex
		var calls int
		b.mac = func(out, key, msg []byte) {
			b.toySuite.MAC(out, key, msg)
			mu.Lock()
			defer mu.Unlock()
			if calls++; calls == 100 {
				out[0] ^= 1
			}
		}
	}},
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

func TestSuiteNoticesFaults(t *testing.T) {
	run := func(check string, bend func(b *bent)) (found []string, skipped bool) {
		for _, c := range suiteChecks {
			if c.name != check {
				continue
			}
			toy := ToyCrypto(NewRand(3))
			o := toyOptions(t, toy, Toy1)
			o.Open = func(rand io.Reader) provider.Crypto { return bentCrypto{ToyCrypto(rand), bend} }
			crypto := bentCrypto{toy, bend}
			s, err := crypto.Suite(Toy1)
			if err != nil {
				t.Fatal(err)
			}
			found = failuresOf(func(tb testing.TB) {
				defer func() { skipped = tb.(*recorder).skipped }()
				c.run(newSuite(tb, crypto, s, o))
			})
			return found, skipped
		}
		t.Fatalf("no check %q", check)
		return nil, false
	}
	covered := map[string]bool{"backend": true} // below
	for _, b := range brokenSuites {
		if found, _ := run(b.check, b.bend); len(found) == 0 {
			t.Errorf("%s: check %q finds nothing", b.name, b.check)
		}
		covered[b.check] = true
	}
	for _, c := range suiteChecks {
		if !covered[c.name] {
			t.Errorf("no fault shows that check %q notices one", c.name)
		}
	}
	// The upgrades used above are right but for their faults.
	right := func(b *bent) { b.upgrades = upgradesOf(bentUpgrades{s: b.toySuite, nonceLabel: "nonce"}) }
	for _, check := range []string{"ratchet upgrade", "bound upgrade", "verify upgrade"} {
		if found, skipped := run(check, right); len(found) > 0 || skipped {
			t.Errorf("check %q finds %q with right upgrades, or skipped", check, found)
		}
	}
}

// A quietCrypto says nothing of itself and takes every suite.
type quietCrypto struct{ *ToyBackend }

func (quietCrypto) Report() provider.Report { return provider.Report{} }

func TestBackendFaultsAreNoticed(t *testing.T) {
	c := quietCrypto{ToyCrypto(NewRand(3))}
	s, err := c.Suite(Toy1)
	if err != nil {
		t.Fatal(err)
	}
	if found := failuresOf(func(tb testing.TB) { checkBackend(newSuite(tb, c, s, SuiteOptions{})) }); len(found) == 0 {
		t.Error("an empty report was not noticed")
	}
}

// bentKeys is a custody with replaced methods.
type bentKeys struct {
	toyKeys
	generate func(k toyKeys) (provider.DecryptionKey, provider.KeyRef, error)
	load     func(k toyKeys, s provider.Suite, ref provider.KeyRef) (provider.DecryptionKey, error)
	delete   func(k toyKeys, ref provider.KeyRef) error
}

func (b *bentKeys) Generate(ctx context.Context, s provider.Suite, use provider.KeyUse) (provider.DecryptionKey, provider.KeyRef, error) {
	if b.generate != nil {
		return b.generate(b.toyKeys)
	}
	return b.toyKeys.Generate(ctx, s, use)
}

func (b *bentKeys) Load(ctx context.Context, s provider.Suite, ref provider.KeyRef) (provider.DecryptionKey, error) {
	if b.load != nil {
		return b.load(b.toyKeys, s, ref)
	}
	return b.toyKeys.Load(ctx, s, ref)
}

func (b *bentKeys) Delete(ctx context.Context, ref provider.KeyRef) error {
	if b.delete != nil {
		return b.delete(b.toyKeys, ref)
	}
	return b.toyKeys.Delete(ctx, ref)
}

// openKey shows itself.
type openKey struct {
	provider.DecryptionKey
	Private []byte
}

func TestKeysNoticeFaults(t *testing.T) {
	_, s := toy(t, Toy1)
	toys := toyKeys{ToyCrypto(NewRand(4))}
	key, ref, err := toys.Generate(background, s, provider.InitKey)
	if err != nil {
		t.Fatal(err)
	}
	first := true
	for _, b := range []struct {
		name, check string
		keys        bentKeys
	}{
		{"one key for all", "generate", bentKeys{generate: func(toyKeys) (provider.DecryptionKey, provider.KeyRef, error) { return key, ref, nil }}},
		{"another key loaded", "load", bentKeys{load: func(k toyKeys, s provider.Suite, _ provider.KeyRef) (provider.DecryptionKey, error) {
			return k.Load(background, s, ref)
		}}},
		{"foreign references loaded", "bad references", bentKeys{load: func(k toyKeys, s provider.Suite, r provider.KeyRef) (provider.DecryptionKey, error) {
			return k.Load(background, s, append([]byte("toy\x00"), r[len(r.Backend())+1:]...))
		}}},
		{"foreign references deleted", "bad references", bentKeys{delete: func(toyKeys, provider.KeyRef) error { return nil }}},
		{"a second Delete fails", "delete", bentKeys{delete: func(toyKeys, provider.KeyRef) error {
			if first {
				first = false
				return nil
			}
			return provider.ErrKeyNotFound
		}}},
		{"another error for an ended context", "ended context", bentKeys{generate: func(k toyKeys) (provider.DecryptionKey, provider.KeyRef, error) {
			if first = !first; first {
				return nil, nil, errors.New("no connection")
			}
			return k.Generate(background, s, provider.InitKey)
		}}},
		{"a key that shows itself", "prints nothing", bentKeys{generate: func(k toyKeys) (provider.DecryptionKey, provider.KeyRef, error) {
			key, ref, err := k.Generate(background, s, provider.InitKey)
			return openKey{key, ref}, ref, err
		}}},
	} {
		for _, c := range keyChecks {
			if c.name != b.check {
				continue
			}
			b.keys.toyKeys = toys
			if found := failuresOf(func(tb testing.TB) { c.run(custody{tb, s, &b.keys}) }); len(found) == 0 {
				t.Errorf("%s: check %q finds nothing", b.name, b.check)
			}
		}
	}
}

// signerHook is a toy signer with another Sign.
type signerHook struct {
	*ToySigner
	sign func(s *ToySigner, ctx context.Context, dst, msg []byte) ([]byte, error)
	pub  []byte
	Key  []byte
}

func (h *signerHook) Sign(ctx context.Context, dst, msg []byte) ([]byte, error) {
	return h.sign(h.ToySigner, ctx, dst, msg)
}

func (h *signerHook) Public() []byte {
	if h.pub != nil {
		return h.pub
	}
	return h.ToySigner.Public()
}

func TestSignerNoticesFaults(t *testing.T) {
	c, s := toy(t, Toy1)
	k, err := c.NewSigner(Toy1)
	if err != nil {
		t.Fatal(err)
	}
	plain := (*ToySigner).Sign
	var last []byte
	var calls int
	covered := map[string]bool{"concurrency": true} // for the race detector
	for _, b := range []struct {
		name, check string
		signer      signerHook
	}{
		{"a public key of another length", "key", signerHook{pub: []byte("short")}},
		{"an empty message refused", "sign", signerHook{sign: func(s *ToySigner, ctx context.Context, dst, msg []byte) ([]byte, error) {
			if len(msg) == 0 {
				return dst, ErrInjected
			}
			return s.Sign(ctx, dst, msg)
		}}},
		{"long messages cut", "sign", signerHook{sign: func(s *ToySigner, ctx context.Context, dst, msg []byte) ([]byte, error) {
			return s.Sign(ctx, dst, msg[:min(len(msg), 60000)])
		}}},
		{"the prefix lost", "append", signerHook{sign: func(s *ToySigner, ctx context.Context, dst, msg []byte) ([]byte, error) {
			return s.Sign(ctx, nil, msg)
		}}},
		{"the message signed before", "message not kept", signerHook{sign: func(s *ToySigner, ctx context.Context, dst, msg []byte) ([]byte, error) {
			if last == nil {
				last = bytes.Clone(msg)
			}
			return s.Sign(ctx, dst, last)
		}}},
		{"dst lost with the context", "ended context", signerHook{sign: func(s *ToySigner, ctx context.Context, dst, msg []byte) ([]byte, error) {
			out, err := s.Sign(ctx, dst, msg)
			if err != nil {
				return nil, err
			}
			return out, nil
		}}},
		{"another error", "ended context", signerHook{sign: func(s *ToySigner, ctx context.Context, dst, msg []byte) ([]byte, error) {
			out, err := s.Sign(ctx, dst, msg)
			if err != nil {
				return dst, ErrInjected
			}
			return out, nil
		}}},
		{"broken by an ended context", "context ends meanwhile", signerHook{sign: func(s *ToySigner, ctx context.Context, dst, msg []byte) ([]byte, error) {
			if calls++; calls > 10 {
				return dst, ErrInjected
			}
			return s.Sign(ctx, dst, msg)
		}}},
		{"the key shown", "prints nothing new", signerHook{Key: make([]byte, 2000)}},
	} {
		for _, check := range signerChecks {
			if check.name != b.check {
				continue
			}
			covered[b.check] = true
			b.signer.ToySigner = k
			if b.signer.sign == nil {
				b.signer.sign = plain
			}
			if found := failuresOf(func(tb testing.TB) { check.run(signing{tb, s, &b.signer}) }); len(found) == 0 {
				t.Errorf("%s: check %q finds nothing", b.name, b.check)
			}
		}
	}
	for _, check := range signerChecks {
		if !covered[check.name] {
			t.Errorf("no fault shows that check %q notices one", check.name)
		}
	}
}
