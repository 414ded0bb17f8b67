package provider

import "context"

// HPKE is the base mode of RFC 9180 with the algorithms of one suite, cut to
// what MLS needs. It is safe for concurrent use and draws randomness from the
// Rand of its backend.
type HPKE interface {
	// CheckPublicKey reports whether pub has the KEM's exact length, is on
	// its curve and is not the identity: nil or ErrInvalidKey.
	CheckPublicKey(pub []byte) error

	// DeriveKey is DeriveKeyPair of RFC 9180 §7.1.3, for node secrets and
	// external_secret. ikm is any length of at least Nsk bytes or Nh bytes
	// and is not kept.
	DeriveKey(ikm []byte) (DecryptionKey, error)

	// ParseKey restores a key from a reference that this backend's software
	// keys made: ErrForeignKey for another backend's reference,
	// ErrInvalidKey for a damaged one.
	ParseKey(ref KeyRef) (DecryptionKey, error)

	// SealMany encrypts each job to its public key under one info and one
	// associated data, with a fresh encapsulation each. info is hashed once
	// per call. On error (ErrInvalidKey, or a failing Rand) every Enc and CT
	// of jobs is cleared, so no partial output exists.
	SealMany(info, ad []byte, jobs []SealJob) error

	// Open decrypts ct and appends the plaintext to dst. Errors: ErrDecrypt
	// for anything wrong with the bytes, or the key's own error (a token
	// that is gone, an ended ctx), for which errors.Is(err, ErrDecrypt) is
	// false. dst must not overlap ct.
	Open(ctx context.Context, dst []byte, key DecryptionKey, enc, info, ad, ct []byte) ([]byte, error)

	// ExportTo encapsulates to pub, writes the encapsulated key to enc
	// (Nenc bytes) and fills out with the exported secret for label:
	// SetupBaseS and Context.Export of RFC 9180 §5.3.
	ExportTo(pub, info, label, enc, out []byte) error

	// ExportFrom is the receiving side of ExportTo.
	ExportFrom(ctx context.Context, key DecryptionKey, enc, info, label, out []byte) error
}

// A SealJob is one encryption of SealMany.
type SealJob struct {
	Pub       []byte // Npk bytes
	Plaintext []byte
	Enc       []byte // Nenc bytes, filled
	CT        []byte // len(Plaintext)+Nt bytes, filled; must not overlap Plaintext
}

// A DecryptionKey is an opaque HPKE private key, which a token may hold. It is
// safe for concurrent use until Wipe.
type DecryptionKey interface {
	// Public returns the public key in the KEM's encoding. The slice is
	// shared and must not be changed.
	Public() []byte

	// Decap computes the KEM shared secret (Nsecret bytes) of enc: Decap of
	// RFC 9180 §4.1, which refuses an all-zero Diffie-Hellman result.
	// ErrDecrypt for a bad enc.
	Decap(ctx context.Context, secret, enc []byte) error

	// Wipe forgets the copy in memory; it never touches a token's object.
	// The key is unusable afterwards. Wipe is idempotent.
	Wipe()
}
