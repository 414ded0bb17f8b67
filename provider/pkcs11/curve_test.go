package pkcs11

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/hardmls/hardmls/provider"
)

func TestCurvesFitTheSuites(t *testing.T) {
	for _, id := range provider.CipherSuites() {
		p, _ := provider.ParamsOf(id)
		c := curveOfScheme(p.Signature)
		if c == nil || c.point != p.Nsigpk || !c.nist() && c.signature() != p.SigMax {
			t.Errorf("%v: the curve of its signatures is %+v", id, c)
		}
		c = curveOfKEM(p.KEM)
		if c == nil || c.point != p.Npk || c.size != p.Nsk {
			t.Errorf("%v: the curve of its KEM is %+v", id, c)
		}
	}
	for _, c := range curves {
		for _, params := range c.params {
			if rest, err := asn1.Unmarshal(params, new(asn1.RawValue)); err != nil || len(rest) > 0 {
				t.Errorf("%s: parameters %x are no DER", c.name, params)
			}
			if curveOf(params) != c {
				t.Errorf("%s: parameters %x mean another curve", c.name, params)
			}
		}
	}
	if curveOf(nil) != nil || curveOfScheme(0) != nil || curveOfKEM(0) != nil {
		t.Error("nothing means a curve")
	}
}

// TestPublicKeys: both encodings of CKA_EC_POINT, and a bare key that looks like
// the other one.
func TestPublicKeys(t *testing.T) {
	for _, c := range curves {
		key := bytes.Repeat([]byte{0x04}, c.point)
		key[1] = byte(c.point - 2) // "OCTET STRING of what follows"
		wrapped, err := asn1.Marshal(key)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(wrapped, c.wrapped(key)) {
			t.Errorf("%s: wrapped differs from encoding/asn1", c.name)
		}
		for what, point := range map[string][]byte{"bare": key, "wrapped": wrapped} {
			if got := c.publicKey(point); !bytes.Equal(got, key) {
				t.Errorf("%s, %s: %x", c.name, what, got)
			}
		}
		for what, point := range map[string][]byte{
			"nothing": nil, "short": key[1:], "long": append(wrapped, 0),
			"another tag": append([]byte{0x03}, wrapped[1:]...), "cut": wrapped[:len(wrapped)-1],
		} {
			if len(point) == c.point {
				continue
			}
			if got := c.publicKey(point); got != nil {
				t.Errorf("%s, %s: %x", c.name, what, got)
			}
		}
	}
}

func TestPublicKeyInfo(t *testing.T) {
	k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := k.PublicKey.Bytes()
	c := curveOfScheme(provider.ECDSA_P384_SHA384)
	if got := c.publicKeyInfo(der); !bytes.Equal(got, want) {
		t.Errorf("%x", got)
	}
	if curves[0].publicKeyInfo(der) != nil || c.publicKeyInfo(der[1:]) != nil || c.publicKeyInfo(append(der, 0)) != nil || c.publicKeyInfo(nil) != nil {
		t.Error("another curve's key, or a damaged one, is taken")
	}
}

// FuzzDER compares with encoding/asn1.
func FuzzDER(f *testing.F) {
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Add(append(make([]byte, 31), bytes.Repeat([]byte{0x80}, 33)...))
	f.Add(append(bytes.Repeat([]byte{0x7f}, 66), bytes.Repeat([]byte{0x81}, 66)...))
	f.Add(make([]byte, 96))
	f.Fuzz(func(t *testing.T, rs []byte) {
		if len(rs)%2 != 0 || len(rs) > 132 {
			return
		}
		r, s := new(big.Int).SetBytes(rs[:len(rs)/2]), new(big.Int).SetBytes(rs[len(rs)/2:])
		got := appendDER([]byte("prefix"), rs)
		if r.Sign() == 0 || s.Sign() == 0 {
			if got != nil {
				t.Errorf("a zero became %x", got)
			}
			return
		}
		want, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, append([]byte("prefix"), want...)) {
			t.Errorf("%x, want %x", got, want)
		}
	})
}
