package main

import (
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
)

// A suite is what the formulas need to know of a ciphersuite, RFC 9420 §17.1.
type suite struct {
	id     uint16
	hash   func() hash.Hash
	nh, nk int
	kem    hpke.KEM // nil for X448, which the standard library lacks
}

const nn = 12 // the nonce of every AEAD

var suites = []suite{
	{1, sha256.New, 32, 16, hpke.DHKEM(ecdh.X25519())},
	{2, sha256.New, 32, 16, hpke.DHKEM(ecdh.P256())},
	{3, sha256.New, 32, 32, hpke.DHKEM(ecdh.X25519())},
	{4, sha512.New, 64, 32, nil},
	{5, sha512.New, 64, 32, hpke.DHKEM(ecdh.P521())},
	{6, sha512.New, 64, 32, nil},
	{7, sha512.New384, 48, 32, hpke.DHKEM(ecdh.P384())},
}

// hexBytes is a byte string that JSON holds in hexadecimal.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.AppendDecode(nil, text)
	return err
}

// input returns n bytes that follow from a name: the start of
// SHA-256(name || 0) || SHA-256(name || 1) || ….
func input(n int, format string, args ...any) hexBytes {
	name := fmt.Sprintf("hardmls own vectors: "+format, args...)
	var b []byte
	for i := byte(0); len(b) < n; i++ {
		sum := sha256.Sum256(append([]byte(name), i))
		b = append(b, sum[:]...)
	}
	return b[:n]
}

// opaque appends v as opaque v<V>, RFC 9420 §2.1.2.
func opaque(b, v []byte) []byte {
	switch n := len(v); {
	case n < 1<<6:
		b = append(b, byte(n))
	case n < 1<<14:
		b = binary.BigEndian.AppendUint16(b, 1<<14|uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(b, 1<<31|uint32(n))
	}
	return append(b, v...)
}

func (s suite) sum(b []byte) hexBytes {
	h := s.hash()
	h.Write(b)
	return h.Sum(nil)
}

func (s suite) mac(key, b []byte) hexBytes {
	h := hmac.New(s.hash, key)
	h.Write(b)
	return h.Sum(nil)
}

func (s suite) extract(salt, ikm []byte) hexBytes {
	b, err := hkdf.Extract(s.hash, ikm, salt)
	if err != nil {
		panic(err) // not reachable outside of FIPS 140-only mode
	}
	return b
}

// expandWithLabel is RFC 9420 §8.
func (s suite) expandWithLabel(secret []byte, label string, context []byte, n int) hexBytes {
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = opaque(info, []byte("MLS 1.0 "+label))
	info = opaque(info, context)
	b, err := hkdf.Expand(s.hash, secret, string(info), n)
	if err != nil {
		panic(err) // n is far below the limit
	}
	return b
}

func (s suite) deriveSecret(secret []byte, label string) hexBytes {
	return s.expandWithLabel(secret, label, nil, s.nh)
}

// deriveTreeSecret is RFC 9420 §9.1.
func (s suite) deriveTreeSecret(secret []byte, label string, generation uint32, n int) hexBytes {
	return s.expandWithLabel(secret, label, binary.BigEndian.AppendUint32(nil, generation), n)
}
