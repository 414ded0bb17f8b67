package provider

import "fmt"

// A CipherSuite is an MLS ciphersuite identifier, RFC 9420 §17.1.
type CipherSuite uint16

// The ciphersuites of RFC 9420 §17.1, named without their MLS_ prefix.
const (
	X25519_AES128GCM_SHA256_Ed25519        CipherSuite = 1
	P256_AES128GCM_SHA256_P256             CipherSuite = 2
	X25519_CHACHA20POLY1305_SHA256_Ed25519 CipherSuite = 3
	X448_AES256GCM_SHA512_Ed448            CipherSuite = 4
	P521_AES256GCM_SHA512_P521             CipherSuite = 5
	X448_CHACHA20POLY1305_SHA512_Ed448     CipherSuite = 6
	P384_AES256GCM_SHA384_P384             CipherSuite = 7
)

// FirstPrivateSuite is the first identifier of RFC 9420's private-use range.
// Suites from here on are toy crypto of tests and simulation.
const FirstPrivateSuite CipherSuite = 0xF000

// A SignatureScheme is a TLS SignatureScheme value, which RFC 9420 §5.1 uses
// to name signature algorithms.
type SignatureScheme uint16

// The signature schemes of RFC 9420's suites.
const (
	ECDSA_P256_SHA256 SignatureScheme = 0x0403
	ECDSA_P384_SHA384 SignatureScheme = 0x0503
	ECDSA_P521_SHA512 SignatureScheme = 0x0603
	Ed25519           SignatureScheme = 0x0807
	Ed448             SignatureScheme = 0x0808
)

// HPKE algorithm identifiers, RFC 9180 §7.
const (
	KEM_P256   uint16 = 0x0010
	KEM_P384   uint16 = 0x0011
	KEM_P521   uint16 = 0x0012
	KEM_X25519 uint16 = 0x0020
	KEM_X448   uint16 = 0x0021

	KDF_SHA256 uint16 = 0x0001
	KDF_SHA384 uint16 = 0x0002
	KDF_SHA512 uint16 = 0x0003

	AEAD_AES128GCM        uint16 = 0x0001
	AEAD_AES256GCM        uint16 = 0x0002
	AEAD_CHACHA20POLY1305 uint16 = 0x0003
)

// Upper bounds over all suites, for buffers of fixed size.
const (
	MaxNh     = 64  // SHA-512
	MaxNk     = 32  // AES-256, ChaCha20
	MaxNn     = 12  // every AEAD here
	MaxNt     = 16  // every AEAD here
	MaxNsk    = 66  // P-521
	MaxNpk    = 133 // P-521, uncompressed
	MaxSigMax = 139 // ECDSA P-521, DER
)

// Params are the sizes, in bytes, and the algorithm identifiers of a suite.
type Params struct {
	ID   CipherSuite
	Name string // the registered name, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519

	Nh int // hash and KDF output
	Nk int // AEAD key
	Nn int // AEAD nonce
	Nt int // AEAD tag

	Npk     int // KEM public key
	Nsk     int // KEM private key
	Nenc    int // KEM encapsulated key
	Nsecret int // KEM shared secret

	Nsigpk int // signature public key
	SigMax int // longest signature (the length of ECDSA's DER varies)

	KEM, KDF, AEAD uint16
	Signature      SignatureScheme
}

// suites has one row per ciphersuite of RFC 9420 §17.1.
var suites = [...]Params{
	{ID: 1, Name: "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
		Nh: 32, Nk: 16, Nn: 12, Nt: 16, Npk: 32, Nsk: 32, Nenc: 32, Nsecret: 32, Nsigpk: 32, SigMax: 64,
		KEM: KEM_X25519, KDF: KDF_SHA256, AEAD: AEAD_AES128GCM, Signature: Ed25519},
	{ID: 2, Name: "MLS_128_DHKEMP256_AES128GCM_SHA256_P256",
		Nh: 32, Nk: 16, Nn: 12, Nt: 16, Npk: 65, Nsk: 32, Nenc: 65, Nsecret: 32, Nsigpk: 65, SigMax: 72,
		KEM: KEM_P256, KDF: KDF_SHA256, AEAD: AEAD_AES128GCM, Signature: ECDSA_P256_SHA256},
	{ID: 3, Name: "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
		Nh: 32, Nk: 32, Nn: 12, Nt: 16, Npk: 32, Nsk: 32, Nenc: 32, Nsecret: 32, Nsigpk: 32, SigMax: 64,
		KEM: KEM_X25519, KDF: KDF_SHA256, AEAD: AEAD_CHACHA20POLY1305, Signature: Ed25519},
	{ID: 4, Name: "MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448",
		Nh: 64, Nk: 32, Nn: 12, Nt: 16, Npk: 56, Nsk: 56, Nenc: 56, Nsecret: 64, Nsigpk: 57, SigMax: 114,
		KEM: KEM_X448, KDF: KDF_SHA512, AEAD: AEAD_AES256GCM, Signature: Ed448},
	{ID: 5, Name: "MLS_256_DHKEMP521_AES256GCM_SHA512_P521",
		Nh: 64, Nk: 32, Nn: 12, Nt: 16, Npk: 133, Nsk: 66, Nenc: 133, Nsecret: 64, Nsigpk: 133, SigMax: 139,
		KEM: KEM_P521, KDF: KDF_SHA512, AEAD: AEAD_AES256GCM, Signature: ECDSA_P521_SHA512},
	{ID: 6, Name: "MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448",
		Nh: 64, Nk: 32, Nn: 12, Nt: 16, Npk: 56, Nsk: 56, Nenc: 56, Nsecret: 64, Nsigpk: 57, SigMax: 114,
		KEM: KEM_X448, KDF: KDF_SHA512, AEAD: AEAD_CHACHA20POLY1305, Signature: Ed448},
	{ID: 7, Name: "MLS_256_DHKEMP384_AES256GCM_SHA384_P384",
		Nh: 48, Nk: 32, Nn: 12, Nt: 16, Npk: 97, Nsk: 48, Nenc: 97, Nsecret: 48, Nsigpk: 97, SigMax: 104,
		KEM: KEM_P384, KDF: KDF_SHA384, AEAD: AEAD_AES256GCM, Signature: ECDSA_P384_SHA384},
}

// ParamsOf returns the parameters of one of RFC 9420's suites, and false for
// any other identifier. The result is shared and must not be changed.
func ParamsOf(id CipherSuite) (*Params, bool) {
	if id < 1 || int(id) > len(suites) {
		return nil, false
	}
	return &suites[id-1], true
}

// CipherSuites returns the identifiers of RFC 9420's suites in their order.
func CipherSuites() []CipherSuite {
	ids := make([]CipherSuite, len(suites))
	for i := range suites {
		ids[i] = suites[i].ID
	}
	return ids
}

// String returns the registered name, or the number of an unknown suite.
func (id CipherSuite) String() string {
	if p, ok := ParamsOf(id); ok {
		return p.Name
	}
	return fmt.Sprintf("CipherSuite(0x%04x)", uint16(id))
}

// String returns the name of the scheme, or its number if it is unknown.
func (s SignatureScheme) String() string {
	switch s {
	case ECDSA_P256_SHA256:
		return "ECDSA-P256-SHA256"
	case ECDSA_P384_SHA384:
		return "ECDSA-P384-SHA384"
	case ECDSA_P521_SHA512:
		return "ECDSA-P521-SHA512"
	case Ed25519:
		return "Ed25519"
	case Ed448:
		return "Ed448"
	}
	return fmt.Sprintf("SignatureScheme(0x%04x)", uint16(s))
}

// A Suite is one ciphersuite whose implementation is already chosen. It is
// immutable and safe for concurrent use. It wipes the intermediate secrets that
// it owns; what it cannot wipe, such as copies inside the standard library, its
// backend's Report says.
//
// Lengths are the caller's business: a wrong key, nonce or output length is a
// bug of the caller and panics, as in crypto/cipher. No content of a received
// byte string can cause a panic.
type Suite interface {
	// Params returns the suite's sizes. The result is shared and constant.
	Params() *Params

	// Hash writes the Nh-byte hash of msg to out, which is Nh bytes.
	Hash(out, msg []byte)

	// Extract is HKDF-Extract (RFC 5869): out is Nh bytes and may be the
	// same slice as salt or ikm, which have any length.
	Extract(out, salt, ikm []byte)

	// Expand is HKDF-Expand: it fills out, whose length is the request, and
	// panics beyond 255·Nh. out may be the same slice as prk.
	Expand(out, prk, info []byte)

	// MAC writes HMAC(key, msg) to out, which is Nh bytes.
	MAC(out, key, msg []byte)

	// Seal encrypts plaintext under a key that is used for this call only
	// (Nk bytes, with an Nn-byte nonce), appends ciphertext and tag to dst
	// and returns the extended slice. plaintext may be exactly
	// dst[len(dst):][:len(plaintext)]; any other overlap panics. It does
	// not allocate when dst has room for len(plaintext)+Nt bytes more,
	// beyond what a standard library cipher object costs.
	Seal(dst, key, nonce, plaintext, ad []byte) []byte

	// Open is the inverse of Seal, with the same rules for dst. The only
	// error is ErrDecrypt; then the bytes behind len(dst) that were written
	// are cleared and nil is returned.
	Open(dst, key, nonce, ciphertext, ad []byte) ([]byte, error)

	// HPKE returns the suite's hybrid public key encryption, RFC 9420 §5.1.3.
	HPKE() HPKE

	// Verify checks a signature in RFC 9420's encoding (Ed25519 and Ed448
	// as is, ECDSA as strict DER) and returns nil or ErrVerify.
	Verify(pub, msg, sig []byte) error

	// CheckSignatureKey reports whether pub has the suite's exact length
	// and encoding and is a point on its curve: nil or ErrInvalidKey.
	CheckSignatureKey(pub []byte) error

	// Upgrades returns the faster ways that this suite offers. The result
	// is never nil, shared and constant; a nil field is a way not offered.
	Upgrades() *Upgrades
}
