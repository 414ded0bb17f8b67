package soft

import (
	"crypto/aes"
	"crypto/cipher"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/hardmls/hardmls/provider"
)

// An aead is an AEAD of RFC 9180 §7.3 whose cipher objects live for one call.
type aead struct {
	nk, nn, nt int
	fresh      func(key []byte) (cipher.AEAD, error)
}

var (
	aes128 = &aead{16, 12, 16, newGCM}
	aes256 = &aead{32, 12, 16, newGCM}
	chacha = &aead{chacha20poly1305.KeySize, chacha20poly1305.NonceSize, chacha20poly1305.Overhead, chacha20poly1305.New}
)

func aeadOf(id uint16) *aead {
	switch id {
	case provider.AEAD_AES128GCM:
		return aes128
	case provider.AEAD_AES256GCM:
		return aes256
	case provider.AEAD_CHACHA20POLY1305:
		return chacha
	}
	return nil
}

// newGCM costs two objects of the standard library: the key schedule and the
// mode. Neither can be wiped.
func newGCM(key []byte) (cipher.AEAD, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

// open returns the cipher object. Its failure is a wrong key length, a bug of
// the caller: that the standard library serves the algorithm at all was found
// out when the suite was bound.
func (a *aead) open(key, nonce []byte) cipher.AEAD {
	if len(key) != a.nk || len(nonce) != a.nn {
		panic("soft: AEAD key or nonce of a wrong length")
	}
	c, err := a.fresh(key)
	if err != nil {
		panic("soft: " + err.Error())
	}
	return c
}

// Seal implements provider.Suite.
func (s *suite) Seal(dst, key, nonce, plaintext, ad []byte) []byte {
	return s.aead.open(key, nonce).Seal(dst, nonce, plaintext, ad)
}

// Open implements provider.Suite.
func (s *suite) Open(dst, key, nonce, ciphertext, ad []byte) ([]byte, error) {
	out, err := s.aead.open(key, nonce).Open(dst, nonce, ciphertext, ad)
	if err != nil {
		return nil, provider.ErrDecrypt
	}
	if out == nil {
		out = []byte{}
	}
	return out, nil
}
