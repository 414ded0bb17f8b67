package provider

import "context"

// A Signer is an opaque signature key, in memory or in a token. It is safe for
// concurrent use.
type Signer interface {
	// Public returns the public key in RFC 9420 §5.1.1's encoding. The slice
	// is shared and must not be changed.
	Public() []byte

	// Scheme returns the signature scheme, which must be the suite's.
	Scheme() SignatureScheme

	// Sign appends the signature of msg to dst, in RFC 9420 §5.1.2's
	// encoding (ECDSA: DER). msg is valid only during the call: a Signer
	// that returns early because ctx ended has copied it. On error dst is
	// returned unchanged.
	Sign(ctx context.Context, dst, msg []byte) ([]byte, error)
}
