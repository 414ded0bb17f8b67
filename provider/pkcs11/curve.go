package pkcs11

import (
	"bytes"
	"crypto"
	_ "crypto/sha256" // the digests of ECDSA
	_ "crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"

	"github.com/hardmls/hardmls/provider"
)

// A curve is a kind of key as tokens know it.
type curve struct {
	name    string
	scheme  provider.SignatureScheme // 0: not for signatures
	kem     uint16                   // 0: not for HPKE
	keyType uint
	// params are the values of CKA_EC_PARAMS that mean the curve. The first
	// one is what keys are made with.
	params [][]byte
	point  int // bytes of a public key
	size   int // bytes of a coordinate
	hash   crypto.Hash
	sign   uint                 // mechanism
	suite  provider.CipherSuite // one that has it, for software
}

func object(oid ...byte) []byte    { return append([]byte{0x06, byte(len(oid))}, oid...) }
func printable(name string) []byte { return append([]byte{0x13, byte(len(name))}, name...) }

var curves = []*curve{
	{name: "P-256", scheme: provider.ECDSA_P256_SHA256, kem: provider.KEM_P256, keyType: ckkEC, point: 65, size: 32,
		params: [][]byte{object(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07)},
		hash:   crypto.SHA256, sign: ckmECDSA, suite: provider.P256_AES128GCM_SHA256_P256},
	{name: "P-384", scheme: provider.ECDSA_P384_SHA384, kem: provider.KEM_P384, keyType: ckkEC, point: 97, size: 48,
		params: [][]byte{object(0x2b, 0x81, 0x04, 0x00, 0x22)},
		hash:   crypto.SHA384, sign: ckmECDSA, suite: provider.P384_AES256GCM_SHA384_P384},
	{name: "P-521", scheme: provider.ECDSA_P521_SHA512, kem: provider.KEM_P521, keyType: ckkEC, point: 133, size: 66,
		params: [][]byte{object(0x2b, 0x81, 0x04, 0x00, 0x23)},
		hash:   crypto.SHA512, sign: ckmECDSA, suite: provider.P521_AES256GCM_SHA512_P521},
	{name: "Ed25519", scheme: provider.Ed25519, keyType: ckkECEdwards, point: 32, size: 32,
		params: [][]byte{object(0x2b, 0x65, 0x70), printable("edwards25519"), object(0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01)},
		sign:   ckmEdDSA, suite: provider.X25519_AES128GCM_SHA256_Ed25519},
	{name: "Ed448", scheme: provider.Ed448, keyType: ckkECEdwards, point: 57, size: 57,
		params: [][]byte{object(0x2b, 0x65, 0x71), printable("edwards448")},
		sign:   ckmEdDSA, suite: provider.X448_AES256GCM_SHA512_Ed448},
	{name: "X25519", kem: provider.KEM_X25519, keyType: ckkECMontgomery, point: 32, size: 32,
		params: [][]byte{object(0x2b, 0x65, 0x6e), printable("curve25519"), object(0x2b, 0x06, 0x01, 0x04, 0x01, 0x97, 0x55, 0x01, 0x05, 0x01)},
		suite:  provider.X25519_AES128GCM_SHA256_Ed25519},
	{name: "X448", kem: provider.KEM_X448, keyType: ckkECMontgomery, point: 56, size: 56,
		params: [][]byte{object(0x2b, 0x65, 0x6f), printable("curve448")},
		suite:  provider.X448_AES256GCM_SHA512_Ed448},
}

func curveOfScheme(s provider.SignatureScheme) *curve {
	for _, c := range curves {
		if c.scheme == s && s != 0 {
			return c
		}
	}
	return nil
}

func curveOfKEM(kem uint16) *curve {
	for _, c := range curves {
		if c.kem == kem && kem != 0 {
			return c
		}
	}
	return nil
}

// curveOf returns the curve that a value of CKA_EC_PARAMS means, or nil.
func curveOf(params []byte) *curve {
	for _, c := range curves {
		for _, p := range c.params {
			if bytes.Equal(p, params) {
				return c
			}
		}
	}
	return nil
}

func (c *curve) nist() bool { return c.keyType == ckkEC }

// signature returns the length of a signature as the token makes it: r‖s for
// ECDSA, R‖S for EdDSA (RFC 8032).
func (c *curve) signature() int { return 2 * c.size }

// publicKey returns the public key in a value of CKA_EC_POINT, or nil. Tokens
// give it as it is or inside a DER OCTET STRING. The length tells which, for a
// bare key may begin like an OCTET STRING.
func (c *curve) publicKey(point []byte) []byte {
	header := []byte{0x04, byte(c.point)}
	if c.point > 127 {
		header = []byte{0x04, 0x81, byte(c.point)}
	}
	switch len(point) {
	case c.point:
	case c.point + len(header):
		if !bytes.HasPrefix(point, header) {
			return nil
		}
		point = point[len(header):]
	default:
		return nil
	}
	return bytes.Clone(point)
}

// publicKeyInfo returns the public key in a SubjectPublicKeyInfo, the value of
// CKA_PUBLIC_KEY_INFO, or nil.
func (c *curve) publicKeyInfo(der []byte) []byte {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 || len(info.Key.Bytes) != c.point {
		return nil
	}
	return info.Key.Bytes
}

// wrapped returns public as a DER OCTET STRING, which is what every token takes.
func (c *curve) wrapped(public []byte) []byte {
	der, err := asn1.Marshal(public)
	if err != nil {
		return nil
	}
	return der
}
