package soft

import (
	"context"
	"crypto/ecdh"
	"crypto/subtle"
	"fmt"

	"github.com/hardmls/hardmls/provider"
)

// A DH is a Diffie-Hellman computation with a private key that stays where it is,
// such as in a token: it writes the shared coordinate to out (as many bytes as a
// private key of the KEM has). public was checked to be a usable point.
type DH func(ctx context.Context, out, public []byte) error

// DecapKey makes a DecryptionKey of suite s from a Diffie-Hellman computation and
// the public key that belongs to it, in the KEM's encoding: all that a token must
// do for HPKE. An error of dh is returned by Decap as it is; a bad encapsulated
// key, and an all-zero result of X25519 or X448 (RFC 9180 §7.1.4), are
// ErrDecrypt. Wipe does nothing: the key is not in memory.
//
// ErrInvalidKey for a public key that is none, ErrUnsupported for a suite whose KEM
// this package does not know.
func DecapKey(s provider.Suite, public []byte, dh DH) (provider.DecryptionKey, error) {
	h, err := importer.hpkeOf(s)
	if err != nil {
		return nil, err
	}
	if err := h.CheckPublicKey(public); err != nil {
		return nil, err
	}
	pub := append([]byte(nil), public...)
	return &tokenKey{h: h, pub: pub, dh: dh}, nil
}

// DecapKeyFrom is DecapKey for an opaque key of crypto/ecdh, which knows X25519 and
// the NIST curves.
func DecapKeyFrom(s provider.Suite, key ecdh.KeyExchanger) (provider.DecryptionKey, error) {
	return DecapKey(s, key.PublicKey().Bytes(), func(_ context.Context, out, public []byte) error {
		p, err := key.Curve().NewPublicKey(public)
		if err != nil {
			return provider.ErrDecrypt
		}
		z, err := key.ECDH(p)
		if err != nil {
			return err
		}
		defer clear(z)
		if copy(out, z) != len(out) {
			return fmt.Errorf("%w: soft: shared secret of %d bytes", provider.ErrInvalidKey, len(z))
		}
		return nil
	})
}

// tokenKey is a DecryptionKey whose private half is elsewhere.
type tokenKey struct {
	h   *hpkeSuite
	pub []byte
	dh  DH
}

// Public implements provider.DecryptionKey.
func (k *tokenKey) Public() []byte { return k.pub }

// Decap implements provider.DecryptionKey.
func (k *tokenKey) Decap(ctx context.Context, secret, enc []byte) error {
	if len(secret) != k.h.p.Nsecret {
		panic("soft: KEM secret of a wrong length")
	}
	if k.h.CheckPublicKey(enc) != nil {
		return provider.ErrDecrypt
	}
	w := k.h.get()
	defer k.h.put(w)
	z := w.dh[:k.h.ndh()]
	if err := k.dh(ctx, z, enc); err != nil {
		return err
	}
	var zero [provider.MaxNsk]byte
	if subtle.ConstantTimeCompare(z, zero[:len(z)]) == 1 && k.h.refusesZero() {
		return provider.ErrDecrypt
	}
	k.h.combine(w, secret, z, enc, k.pub)
	return nil
}

// refusesZero reports whether an all-zero Diffie-Hellman result is refused: it is
// for X25519 and X448, where a point of small order gives it; a NIST coordinate
// may be zero.
func (h *hpkeSuite) refusesZero() bool {
	return h.p.KEM == provider.KEM_X25519 || h.p.KEM == provider.KEM_X448
}

// Wipe implements provider.DecryptionKey.
func (k *tokenKey) Wipe() {}
