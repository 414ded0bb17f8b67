package asm

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"testing"
)

// standard is the standard library in the place of a kernel.
type standard struct{ t *testing.T }

func (standard) hmac(out, key, msg []byte) {
	h := hmac.New(sha256.New, key)
	h.Write(msg)
	copy(out, h.Sum(nil))
}

func (s standard) expand(out, prk, info []byte) {
	b, err := hkdf.Expand(sha256.New, prk, string(info), len(out))
	if err != nil {
		s.t.Fatal(err)
	}
	copy(out, b)
}

func (s standard) label(out, secret []byte, label string, context []byte) {
	info := binary.BigEndian.AppendUint16(nil, uint16(len(out)))
	info = append(append(append(info, byte(8+len(label))), "MLS 1.0 "...), label...)
	s.expand(out, secret, append(append(info, byte(len(context))), context...))
}

func (s standard) step(key, nonce, secret []byte, generation uint32) {
	context := binary.BigEndian.AppendUint32(nil, generation)
	if key != nil {
		s.label(key, secret, "key", context)
		s.label(nonce, secret, "nonce", context)
	}
	s.label(secret, secret, "secret", context)
}

func (s standard) senderData(secret, key, nonce, sample []byte) {
	s.label(key, secret, "key", sample)
	s.label(nonce, secret, "nonce", sample)
}

// TestAnswers compares the known answers with the standard library.
func TestAnswers(t *testing.T) {
	gcm := func(dst, key, nonce, plaintext, ad []byte) []byte {
		b, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		a, err := cipher.NewGCM(b)
		if err != nil {
			t.Fatal(err)
		}
		return a.Seal(dst, nonce, plaintext, ad)
	}
	for _, c := range []struct {
		name, known string
		got         []byte
	}{
		{"AES-128-GCM", known.gcm128, gcmAnswer(16, gcm)},
		{"AES-256-GCM", known.gcm256, gcmAnswer(32, gcm)},
		{"SHA-256", known.sha256, shaAnswer(standard{t})},
	} {
		if got := hex.EncodeToString(c.got); got != c.known {
			t.Errorf("%s: the standard library gives %s, known is %s", c.name, got, c.known)
		}
	}
}
