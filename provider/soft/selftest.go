package soft

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"github.com/hardmls/hardmls/provider"
)

// A primitive is what a Report names and a known answer tests.
type primitive struct {
	name, impl, reason, skipped string
	test                        func() error // once per process
}

var errAnswer = errors.New("known answer differs")

// guarded runs a test once and turns a panic, such as that of a library in a
// restricted mode, into an error.
func guarded(f func() error) func() error {
	return sync.OnceValue(func() (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("known answer: %v", r)
			}
		}()
		return f()
	})
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic("soft: " + err.Error())
	}
	return b
}

func want(got []byte, hex string) error {
	if subtle.ConstantTimeCompare(got, unhex(hex)) != 1 {
		return errAnswer
	}
	return nil
}

// count is 0, 1, 2, … of n bytes.
func count(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// testKDF checks the hash of "abc" (FIPS 180-4), and HKDF over the inputs of
// RFC 5869 A.1, which covers HMAC.
func testKDF(k *kdf, hash, okm string) func() error {
	return guarded(func() error {
		out := make([]byte, k.nh)
		k.sum(out, []byte("abc"))
		if err := want(out, hash); err != nil {
			return err
		}
		s := &suite{kdf: k}
		s.Extract(out, count(13), bytes.Repeat([]byte{0x0b}, 22))
		long := make([]byte, 42)
		s.Expand(long, out, unhex("f0f1f2f3f4f5f6f7f8f9"))
		return want(long, okm)
	})
}

// testAEAD seals and opens 16 zero bytes under a key and a nonce of zeros, and
// refuses a forgery.
func testAEAD(a *aead, sealed string) func() error {
	return guarded(func() error {
		key, nonce := make([]byte, a.nk), make([]byte, a.nn)
		if _, err := a.fresh(key); err != nil {
			return err
		}
		s := &suite{aead: a}
		ct := s.Seal(nil, key, nonce, make([]byte, 16), nil)
		if err := want(ct, sealed); err != nil {
			return err
		}
		if pt, err := s.Open(nil, key, nonce, ct, nil); err != nil || subtle.ConstantTimeCompare(pt, make([]byte, 16)) != 1 {
			return errAnswer
		}
		ct[0] ^= 1
		if _, err := s.Open(nil, key, nonce, ct, nil); err == nil {
			return errors.New("a forgery opens")
		}
		return nil
	})
}

// testKEM derives a key from the bytes 0, 1, 2, … and decapsulates the public
// key that follows from the bytes 1, 2, 3, …
func testKEM(id provider.CipherSuite, secret string) func() error {
	return guarded(func() error {
		p, _ := provider.ParamsOf(id)
		h := newHPKE(p, nil)
		a, err := h.DeriveKey(count(p.Nsk))
		if err != nil {
			return err
		}
		b, err := h.DeriveKey(count(p.Nsk + 1)[1:])
		if err != nil {
			return err
		}
		if err := errors.Join(h.CheckPublicKey(a.Public()), h.CheckPublicKey(b.Public())); err != nil {
			return err
		}
		got := make([]byte, p.Nsecret)
		if err := a.Decap(context.Background(), got, b.Public()); err != nil {
			return err
		}
		return want(got, secret)
	})
}

// testSignature checks the public key of the private key 0, 1, 2, …, verifies
// a known signature of "abc", signs and refuses a forgery.
func testSignature(id provider.SignatureScheme, public, signature string) func() error {
	return guarded(func() error {
		s := schemeOf(id)
		n := map[provider.SignatureScheme]int{provider.Ed448: 57, provider.ECDSA_P384_SHA384: 48, provider.ECDSA_P521_SHA512: 66}[id]
		k, err := s.parse(count(max(n, 32)))
		if err != nil {
			return err
		}
		if err := want(k.public, public); err != nil {
			return err
		}
		msg, known := []byte("abc"), unhex(signature)
		fresh, err := k.Sign(context.Background(), nil, msg)
		if err != nil {
			return err
		}
		if !s.check(k.public) || !s.verify(k.public, msg, known) || !s.verify(k.public, msg, fresh) {
			return errAnswer
		}
		if s.verify(k.public, []byte("abd"), known) {
			return errors.New("a forgery verifies")
		}
		return nil
	})
}

// primitivesOf lists what a suite stands on.
func primitivesOf(p *provider.Params) []*primitive {
	return []*primitive{byKDF[p.KDF], byAEAD[p.AEAD], byKEM[p.KEM], bySignature[p.Signature]}
}

func sigPrimitive(id provider.SignatureScheme) *primitive { return bySignature[id] }
