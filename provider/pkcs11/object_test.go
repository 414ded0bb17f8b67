package pkcs11

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"slices"
	"testing"

	"github.com/hardmls/hardmls/provider"
)

// TestWhereThePublicKeyIs: in a public object, in the private one, pinned by the
// caller, or nowhere; and it is the caller's that counts if both are there.
func TestWhereThePublicKeyIs(t *testing.T) {
	f := newFake()
	token := f.open(t, nil)
	k := f.key(t, token, "a")
	q := Query{Label: "a"}
	other := f.key(t, token, "other").Public()
	f.set(func() { // no public object
		f.objects = slices.DeleteFunc(f.objects, func(o *fakeObject) bool { return o.signer == nil })
	})
	if _, err := token.Signer(t.Context(), q); !errors.Is(err, ErrNoPublicKey) {
		t.Errorf("nowhere: %v", err)
	}
	signs(t, k, "found before")
	pinned := Query{Label: "a", Public: k.Public()}
	again, err := token.Signer(t.Context(), pinned)
	if err != nil {
		t.Fatal(err)
	}
	signs(t, again, "pinned")
	wrong, err := token.Signer(t.Context(), Query{Label: "a", Public: other})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wrong.Sign(t.Context(), nil, []byte("x")); !errors.Is(err, ErrBadSignature) {
		t.Errorf("pinned to another key: %v", err)
	}
	private := func(attr uint, value []byte) {
		f.set(func() {
			for _, o := range f.objects {
				if string(o.attrs[ckaLabel]) == "a" {
					o.attrs[attr] = value
				}
			}
		})
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), k.Public())
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		attr  uint
		value []byte
	}{{ckaECPoint, k.Public()}, {ckaPublicInfo, der}} {
		private(c.attr, c.value)
		found, err := token.Signer(t.Context(), q)
		if err != nil || !bytes.Equal(found.Public(), k.Public()) {
			t.Errorf("attribute 0x%x: %v", c.attr, err)
		}
		if _, err := token.Signer(t.Context(), Query{Label: "a", Public: other}); !errors.Is(err, ErrKeyNotFound) {
			t.Errorf("attribute 0x%x, pinned to another key: %v", c.attr, err)
		}
		private(c.attr, nil)
	}
}

// TestDamagedObjects: a private key of an unknown curve is listed and no signer;
// a public key that is no point is refused.
func TestDamagedObjects(t *testing.T) {
	f := newFake()
	token := f.open(t, nil)
	f.key(t, token, "a")
	change := func(class byte, attr uint, value []byte) {
		f.set(func() {
			for _, o := range f.objects {
				if o.attrs[ckaClass][7] == class {
					o.attrs[attr] = value
				}
			}
		})
	}
	change(ckoPublicKey, ckaECPoint, bytes.Repeat([]byte{4}, 65))
	if _, err := token.Signer(t.Context(), Query{}); !errors.Is(err, provider.ErrInvalidKey) {
		t.Errorf("a public key off the curve: %v", err)
	}
	change(ckoPublicKey, ckaECPoint, []byte("short"))
	if _, err := token.Signer(t.Context(), Query{}); !errors.Is(err, ErrNoPublicKey) {
		t.Errorf("a public key of a wrong length: %v", err)
	}
	change(ckoPrivateKey, ckaECParams, []byte{6, 1, 1})
	if _, err := token.Signer(t.Context(), Query{}); !errors.Is(err, ErrKeyNotFound) {
		t.Errorf("an unknown curve: %v", err)
	}
	if keys, err := token.FindKeys(t.Context(), Query{}); err != nil || len(keys) != 1 || keys[0].Curve != "" {
		t.Errorf("an unknown curve in a list: %v, %v", keys, err)
	}
}

// TestKeysAreMadeAsTheyShouldBe looks at the templates.
func TestKeysAreMadeAsTheyShouldBe(t *testing.T) {
	f := newFake()
	token := f.open(t, nil)
	f.key(t, token, "a")
	suite, err := software.Suite(provider.P256_AES128GCM_SHA256_P256)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := token.Keys().Generate(t.Context(), suite, provider.InitKey); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var privates int
	for _, o := range f.objects {
		if o.signer == nil {
			continue
		}
		privates++
		is := func(attr uint) bool { return isTrue(o.attrs[attr], false) }
		if !is(ckaToken) || !is(ckaPrivate) || !is(ckaSensitive) || is(ckaExtractable) || is(ckaSign) == is(ckaDerive) {
			t.Errorf("%s: %v", o.attrs[ckaLabel], o.attrs)
		}
	}
	if privates != 2 || len(f.objects) != 3 {
		t.Errorf("%d private keys among %d objects, want 2 among 3: an init key has no public object", privates, len(f.objects))
	}
}
