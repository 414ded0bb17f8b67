package provider

// Upgrades are faster ways that a suite may offer for what the engine can also
// do with Suite's own methods. A nil field is a way not offered. Fields, unlike
// type assertions, stay visible through a wrapper. The set grows by fields.
type Upgrades struct {
	Ratchet RatchetStepper
	Bind    Binder
	Verify  BatchVerifier
}

// A RatchetStepper does one step of a sender ratchet, RFC 9420 §9.1, in one
// call. It is safe for concurrent use.
type RatchetStepper interface {
	// RatchetStep fills key (Nk bytes) and nonce (Nn bytes) for generation
	// and replaces secret (Nh bytes) by the next one. A nil key skips key
	// and nonce: only the secret advances.
	RatchetStep(key, nonce, secret []byte, generation uint32)
}

// A Binder prepares secrets that live for a whole epoch. It is safe for
// concurrent use.
type Binder interface {
	// Bind returns the prepared form of secret (Nh bytes), which is not kept.
	Bind(secret []byte) Bound
}

// A Bound is a prepared sender_data_secret or membership_key. It is safe for
// concurrent use until Wipe.
type Bound interface {
	// SenderDataKey derives key (Nk bytes) and nonce (Nn bytes) from a
	// ciphertext sample, RFC 9420 §6.3.2.
	SenderDataKey(key, nonce, sample []byte)
	// MAC writes HMAC(secret, msg) to out, Nh bytes.
	MAC(out, msg []byte)
	// Wipe erases the prepared form, which is unusable afterwards.
	Wipe()
}

// A VerifyJob is one signature check of VerifyMany. Err is its result.
type VerifyJob struct {
	Pub, Msg, Sig []byte
	Err           error // nil or ErrVerify
}

// A BatchVerifier checks many signatures at once. It is safe for concurrent use.
type BatchVerifier interface {
	// VerifyMany sets Err of every job. It accepts exactly what Suite.Verify
	// accepts, job by job: no batch equation.
	VerifyMany(jobs []VerifyJob)
}
