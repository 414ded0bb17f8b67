package aesgcm

import (
	"crypto/aes"
	"crypto/cipher"
)

// sealGeneric fills out with the ciphertext and the tag.
func sealGeneric(out, key, nonce, plaintext, aad []byte) {
	newGCM(key).Seal(out[:0], nonce, plaintext, aad)
}

// openGeneric fills out with the plaintext of ciphertext, which ends with the tag,
// and reports whether it is authentic.
func openGeneric(out, key, nonce, ciphertext, aad []byte) bool {
	_, err := newGCM(key).Open(out[:0], nonce, ciphertext, aad)
	return err == nil
}

func newGCM(key []byte) cipher.AEAD {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic("aesgcm: " + err.Error())
	}
	g, err := cipher.NewGCM(b)
	if err != nil {
		panic("aesgcm: " + err.Error())
	}
	return g
}
