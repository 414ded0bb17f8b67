package pkcs11

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/hardmls/hardmls/provider"
)

// A reference to a key in a token is
//
//	"pkcs11\x00"  version (1)  token (8)  suite (2)  CKA_ID (16)  public key (Npk)
//
// where token is the start of SHA-256 of the token's label. The label is what
// an operator gives to a replacement or a clone, whose serial is another; so
// two tokens of one label are one custody. The public key saves a public object.
const (
	refPrefix  = "pkcs11\x00"
	refVersion = 1
	refToken   = len(refPrefix) + 1
	refSuite   = refToken + 8
	refID      = refSuite + 2
	refPublic  = refID + idSize
	idSize     = 16
)

type reference struct {
	suite      provider.CipherSuite
	id, public []byte
}

func (t *Token) tokenTag() []byte {
	sum := sha256.Sum256([]byte(t.Info().Label))
	return sum[:8]
}

func (t *Token) makeRef(r reference) provider.KeyRef {
	ref := make(provider.KeyRef, 0, refPublic+len(r.public))
	ref = append(append(ref, refPrefix...), refVersion)
	ref = append(ref, t.tokenTag()...)
	ref = binary.BigEndian.AppendUint16(ref, uint16(r.suite))
	return append(append(ref, r.id...), r.public...)
}

// parseRef copies what it returns. ErrForeignKey for a reference of another
// backend or token, ErrInvalidKey for a damaged one.
func (t *Token) parseRef(ref provider.KeyRef) (reference, error) {
	if !bytes.HasPrefix(ref, []byte(refPrefix)) {
		return reference{}, fmt.Errorf("%w: %q", provider.ErrForeignKey, ref.Backend())
	}
	if len(ref) < refPublic || ref[len(refPrefix)] != refVersion {
		return reference{}, fmt.Errorf("%w: reference of %d bytes", provider.ErrInvalidKey, len(ref))
	}
	if !bytes.Equal(ref[refToken:refSuite], t.tokenTag()) {
		return reference{}, fmt.Errorf("%w: a key of another token than %q", provider.ErrForeignKey, t.Info().Label)
	}
	r := reference{
		suite:  provider.CipherSuite(binary.BigEndian.Uint16(ref[refSuite:])),
		id:     bytes.Clone(ref[refID:refPublic]),
		public: bytes.Clone(ref[refPublic:]),
	}
	if p, ok := provider.ParamsOf(r.suite); !ok || len(r.public) != p.Npk {
		return reference{}, fmt.Errorf("%w: reference of %d bytes", provider.ErrInvalidKey, len(ref))
	}
	return r, nil
}
