package pkcs11

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/hardmls/hardmls/provider"
)

// A Query describes a key. All that is set must fit. An empty one is the key of
// Config.URI, or the only key there is.
type Query struct {
	ID    []byte // CKA_ID
	Label string // CKA_LABEL
	URI   string // RFC 7512; fills ID and Label
	// Public is the public key, in RFC 9420's encoding, which the key must
	// have. It is needed where a token has no public object, and guards
	// against a key that was replaced.
	Public []byte
}

// String describes the query in a few words.
func (q Query) String() string {
	var w []string
	if len(q.ID) > 0 {
		w = append(w, "id "+hex.EncodeToString(q.ID))
	}
	if q.Label != "" {
		w = append(w, fmt.Sprintf("label %q", q.Label))
	}
	if len(q.Public) > 0 {
		w = append(w, "a given public key")
	}
	if len(w) == 0 {
		return "any key"
	}
	return "a key with " + strings.Join(w, " and ")
}

func (t *Token) resolve(q Query) (Query, error) {
	u := t.cfg.uri
	switch {
	case q.URI != "":
		var err error
		if u, err = ParseURI(q.URI); err != nil {
			return q, err
		}
		if info := t.Info(); !among(u.Token, info.Label) || !among(u.Serial, info.Serial) {
			return q, fmt.Errorf("%w: the URI is of another token", ErrKeyNotFound)
		}
	case len(q.ID) > 0 || q.Label != "":
		return q, nil
	}
	if u.Type == "public" {
		return q, fmt.Errorf("%w: the URI asks for a public key", ErrKeyNotFound)
	}
	if len(q.ID) == 0 {
		q.ID = u.ID
	}
	fallback(&q.Label, u.Object)
	return q, nil
}

// KeyInfo is what a token says about a private key.
type KeyInfo struct {
	ID     []byte
	Label  string
	Curve  string                   // "P-256", "X25519"; "" if unknown
	Scheme provider.SignatureScheme // 0 for keys that do not sign
	// Public is the public key in RFC 9420's encoding, nil if the token does
	// not show it.
	Public []byte

	Sign, Derive           bool
	Sensitive, Extractable bool
	AlwaysAuthenticate     bool // the PIN is needed for each signature
}

// String describes the key in a few words.
func (k KeyInfo) String() string {
	id := "none"
	if len(k.ID) > 0 {
		id = hex.EncodeToString(k.ID)
	}
	return fmt.Sprintf("%q (id %s, %s)", k.Label, id, orNone(k.Curve))
}
