// Package x509key says which MLS signature key a certificate is for.
package x509key

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/subtle"
	"crypto/x509"
	"fmt"
)

// Of returns the public key of a certificate as it stands in a leaf node's
// signature_key, RFC 9420 §5.1.1: 32 bytes of Ed25519, or the uncompressed point of
// P-256, P-384 or P-521. Package crypto/x509 knows no Ed448.
func Of(cert *x509.Certificate) ([]byte, error) {
	switch pub := cert.PublicKey.(type) {
	case ed25519.PublicKey:
		return pub, nil
	case *ecdsa.PublicKey:
		b, err := pub.Bytes()
		if err != nil {
			return nil, fmt.Errorf("certificate's key: %w", err)
		}
		return b, nil
	}
	return nil, fmt.Errorf("certificate's key is of %s, which no ciphersuite has", cert.PublicKeyAlgorithm)
}

// Is reports whether a certificate is for signatureKey.
func Is(cert *x509.Certificate, signatureKey []byte) (bool, error) {
	pub, err := Of(cert)
	return err == nil && subtle.ConstantTimeCompare(pub, signatureKey) == 1, err
}
