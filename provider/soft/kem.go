package soft

import (
	"crypto/ecdh"
	"crypto/subtle"
	"encoding/binary"
	"errors"

	"filippo.io/edwards25519"
	"github.com/cloudflare/circl/dh/x25519"

	"github.com/hardmls/hardmls/provider"
)

// errPoint is a public key that a group refuses. It becomes ErrInvalidKey or
// ErrDecrypt, by where the key came from.
var errPoint = errors.New("soft: point refused")

// A group is a Diffie-Hellman group of RFC 9180 §7.1.
type group interface {
	// parse makes a key of Nsk bytes and writes its public key to pub (Npk
	// bytes). False is a scalar out of range, which only the NIST curves have.
	parse(private, pub []byte) (scalar, bool)
	// check is nil for a public key of the right length that is usable.
	check(pub []byte) error
}

// A scalar is a private key, ready for use.
type scalar interface {
	// dh writes the shared x-coordinate to out, of Ndh bytes. A bad point is
	// errPoint, and so is an all-zero result of X25519 and X448 (RFC 9180
	// §7.1.4).
	dh(out, pub []byte) error
	wipe()
}

// nist is a NIST curve by crypto/ecdh.
type nist struct{ curve ecdh.Curve }

type nistKey struct {
	curve ecdh.Curve
	key   *ecdh.PrivateKey
}

func (g nist) parse(private, pub []byte) (scalar, bool) {
	k, err := g.curve.NewPrivateKey(private)
	if err != nil {
		return nil, false
	}
	copy(pub, k.PublicKey().Bytes())
	return &nistKey{g.curve, k}, true
}

func (g nist) check(pub []byte) error {
	if _, err := g.curve.NewPublicKey(pub); err != nil {
		return errPoint
	}
	return nil
}

func (k *nistKey) dh(out, pub []byte) error {
	p, err := k.curve.NewPublicKey(pub)
	if err != nil {
		return errPoint
	}
	z, err := k.key.ECDH(p)
	if err != nil {
		return errPoint
	}
	copy(out, z)
	clear(z)
	return nil
}

func (k *nistKey) wipe() { k.key = nil }

// curve25519 multiplies the base point on the Edwards curve (tables of
// filippo.io/edwards25519) and other points by circl's ladder, which
// BenchmarkX25519 found fastest. On an AMD EPYC, in µs:
//
//	                crypto/ecdh   circl   edwards25519
//	base point           44.8     21.0       18.1
//	another point        45.3     31.4
type curve25519 struct{}

type key25519 struct{ private x25519.Key }

func (curve25519) parse(private, pub []byte) (scalar, bool) {
	k := new(key25519)
	copy(k.private[:], private)
	s, err := new(edwards25519.Scalar).SetBytesWithClamping(private)
	if err != nil {
		return nil, false
	}
	copy(pub, new(edwards25519.Point).ScalarBaseMult(s).BytesMontgomery())
	*s = edwards25519.Scalar{}
	return k, true
}

func (k *key25519) dh(out, pub []byte) error {
	var shared, p x25519.Key
	if copy(p[:], pub) != len(p) || len(pub) != len(p) {
		return errPoint
	}
	x25519.Shared(&shared, &k.private, &p)
	copy(out, shared[:])
	return refuseZero(shared[:])
}

func (k *key25519) wipe() { clear(k.private[:]) }

// refuseZero wipes z and is errPoint if it was all zero, in constant time.
func refuseZero(z []byte) error {
	var any byte
	for _, c := range z {
		any |= c
	}
	clear(z)
	if subtle.ConstantTimeByteEq(any, 0) == 1 {
		return errPoint
	}
	return nil
}

// check refuses the u-coordinates of small order, canonical or not: what is
// left gives an all-zero result with no private key.
func (curve25519) check(pub []byte) error {
	if len(pub) != x25519.Size {
		return errPoint
	}
	u := [4]uint64{}
	for i := range u {
		u[i] = binary.LittleEndian.Uint64(pub[8*i:])
	}
	u[3] &^= 1 << 63 // RFC 7748 §5
	for _, low := range low25519 {
		if u == low {
			return errPoint
		}
	}
	return nil
}

// low25519 are 0, 1, the two coordinates of order 8, p-1, p and p+1.
var low25519 = [][4]uint64{
	{0}, {1},
	{0xaeb8413b7c7aebe0, 0x6ac49ff1fae35616, 0xfdb1329ceb8d09da, 0x00b8495f16056286},
	{0x248c50a3bc959c5f, 0x5bef839c55b1d0b1, 0x868e1c58c45c4404, 0x57119fd0dd4e22d8},
	{0xffffffffffffffec, 0xffffffffffffffff, 0xffffffffffffffff, 0x7fffffffffffffff},
	{0xffffffffffffffed, 0xffffffffffffffff, 0xffffffffffffffff, 0x7fffffffffffffff},
	{0xffffffffffffffee, 0xffffffffffffffff, 0xffffffffffffffff, 0x7fffffffffffffff},
}

// groupOf returns the group of a KEM and the bits of a scalar's first byte that
// DeriveKeyPair keeps (RFC 9180 §7.1.3), 0 for the groups without rejection.
func groupOf(kem uint16) (g group, mask byte) {
	switch kem {
	case provider.KEM_X25519:
		return curve25519{}, 0
	case provider.KEM_X448:
		return curve448{}, 0
	case provider.KEM_P256:
		return nist{ecdh.P256()}, 0xff
	case provider.KEM_P384:
		return nist{ecdh.P384()}, 0xff
	case provider.KEM_P521:
		return nist{ecdh.P521()}, 0x01
	}
	return nil, 0
}
