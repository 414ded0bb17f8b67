package providertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"sync"
	"testing"

	"github.com/hardmls/hardmls/provider"
)

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
