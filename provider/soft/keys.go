package soft

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/hardmls/hardmls/provider"
)

// refPrefix begins every reference: the backend's name and a zero byte. Behind
// it are the suite as uint16 and the private key of Nsk bytes.
const refPrefix = "soft\x00"

var errWiped = fmt.Errorf("%w: soft: the key was wiped", provider.ErrKeyNotFound)

// A privateKey is an HPKE key in memory, parsed once.
type privateKey struct {
	h   *hpkeSuite
	pub []byte

	mu  sync.RWMutex
	key scalar // nil after Wipe
}

// Public implements provider.DecryptionKey.
func (k *privateKey) Public() []byte { return k.pub }

// Decap implements provider.DecryptionKey: Decap of RFC 9180 §4.1. After Wipe
// it returns ErrKeyNotFound.
func (k *privateKey) Decap(_ context.Context, secret, enc []byte) error {
	if len(secret) != k.h.p.Nsecret {
		panic("soft: KEM secret of a wrong length")
	}
	w := k.h.get()
	defer k.h.put(w)
	return k.decap(w, secret, enc)
}

func (k *privateKey) decap(w *work, secret, enc []byte) error {
	if len(enc) != k.h.p.Nenc {
		return provider.ErrDecrypt
	}
	dh := w.dh[:k.h.ndh()]
	if err := k.dh(dh, enc); err != nil {
		return err
	}
	k.h.combine(w, secret, dh, enc, k.pub)
	return nil
}

func (k *privateKey) dh(out, pub []byte) error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.key == nil {
		return errWiped
	}
	if k.key.dh(out, pub) != nil {
		return provider.ErrDecrypt
	}
	return nil
}

// Wipe implements provider.DecryptionKey. What crypto/ecdh copied of a NIST
// curve's key is left to the garbage collector.
func (k *privateKey) Wipe() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key != nil {
		k.key.wipe()
		k.key = nil
	}
}

const redacted = "soft.DecryptionKey(redacted)"

// Format prints "soft.DecryptionKey(redacted)" for every verb.
func (k *privateKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue implements slog.LogValuer without the content.
func (k *privateKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// DeriveKey implements provider.HPKE.
func (h *hpkeSuite) DeriveKey(ikm []byte) (provider.DecryptionKey, error) {
	w := h.get()
	defer h.put(w)
	key, err := h.derive(w, ikm)
	if err != nil {
		return nil, err
	}
	return h.wrap(w, key), nil
}

func (h *hpkeSuite) wrap(w *work, key scalar) *privateKey {
	return &privateKey{h: h, key: key, pub: append([]byte(nil), w.public[:h.p.Npk]...)}
}

// parse makes a key of exactly Nsk bytes.
func (h *hpkeSuite) parse(private []byte) (*privateKey, error) {
	if len(private) != h.p.Nsk {
		return nil, fmt.Errorf("%w: HPKE private key of %d bytes", provider.ErrInvalidKey, len(private))
	}
	pub := make([]byte, h.p.Npk)
	key, ok := h.group.parse(private, pub)
	if !ok {
		return nil, fmt.Errorf("%w: HPKE private key", provider.ErrInvalidKey)
	}
	return &privateKey{h: h, key: key, pub: pub}, nil
}

func (h *hpkeSuite) ref(private []byte) provider.KeyRef {
	ref := make(provider.KeyRef, 0, len(refPrefix)+2+len(private))
	ref = append(ref, refPrefix...)
	ref = binary.BigEndian.AppendUint16(ref, uint16(h.p.ID))
	return append(ref, private...)
}

// ParseKey implements provider.HPKE. A reference of another suite is
// ErrInvalidKey.
func (h *hpkeSuite) ParseKey(ref provider.KeyRef) (provider.DecryptionKey, error) {
	if !isOwn(ref) {
		return nil, foreign(ref)
	}
	body := ref[len(refPrefix):]
	if len(body) != 2+h.p.Nsk || binary.BigEndian.Uint16(body) != uint16(h.p.ID) {
		return nil, fmt.Errorf("%w: reference of %d bytes for %v", provider.ErrInvalidKey, len(ref), h.p.ID)
	}
	k, err := h.parse(body[2:])
	if err != nil {
		return nil, err
	}
	return k, nil
}

func foreign(ref provider.KeyRef) error {
	return fmt.Errorf("%w: %q", provider.ErrForeignKey, ref.Backend())
}

// softKeys is the custody of keys whose reference is the key itself.
type softKeys struct{ c *backend }

var (
	_ provider.Keys              = softKeys{}
	_ provider.SelfContainedKeys = softKeys{}
)

// Generate implements provider.Keys. It needs no waiting and looks at ctx only
// before it starts.
func (k softKeys) Generate(ctx context.Context, s provider.Suite, _ provider.KeyUse) (provider.DecryptionKey, provider.KeyRef, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	h, err := k.c.hpkeOf(s)
	if err != nil {
		return nil, nil, err
	}
	w := h.get()
	defer h.put(w)
	key, err := h.fresh(w)
	if err != nil {
		return nil, nil, err
	}
	return h.wrap(w, key), h.ref(w.private[:h.p.Nsk]), nil
}

// Load implements provider.Keys. It never returns ErrKeyNotFound: there is
// nothing behind a reference that could be gone.
func (k softKeys) Load(_ context.Context, s provider.Suite, ref provider.KeyRef) (provider.DecryptionKey, error) {
	if !isOwn(ref) {
		return nil, foreign(ref)
	}
	h, err := k.c.hpkeOf(s)
	if err != nil {
		return nil, err
	}
	return h.ParseKey(ref)
}

// Delete implements provider.Keys. There is nothing to delete: whoever wipes
// the reference destroys the key.
func (k softKeys) Delete(_ context.Context, ref provider.KeyRef) error {
	if !isOwn(ref) {
		return foreign(ref)
	}
	return nil
}

// SelfContained implements provider.SelfContainedKeys.
func (softKeys) SelfContained(ref provider.KeyRef) bool { return isOwn(ref) }

func isOwn(ref provider.KeyRef) bool {
	return len(ref) >= len(refPrefix) && string(ref[:len(refPrefix)]) == refPrefix
}

// ImportKey makes a decryption key, and its reference, of a private key as RFC
// 9180 §7.1.2 encodes it (Nsk bytes; a NIST scalar may lack leading zeros).
// ErrInvalidKey for anything else.
func ImportKey(s provider.Suite, private []byte) (provider.DecryptionKey, provider.KeyRef, error) {
	h, err := importer.hpkeOf(s)
	if err != nil {
		return nil, nil, err
	}
	if h.mask != 0 {
		private = padLeft(private, h.p.Nsk)
		defer clear(private)
	}
	k, err := h.parse(private)
	if err != nil {
		return nil, nil, err
	}
	return k, h.ref(private), nil
}

// padLeft returns a copy of a big-endian number with at least n bytes.
func padLeft(b []byte, n int) []byte {
	return append(make([]byte, max(0, n-len(b)), max(n, len(b))), b...)
}

// TestingOnlyDH is the bare Diffie-Hellman function of the suite's KEM, for
// tests with published vectors: raw keys in, the shared coordinate out, without
// the key derivation that makes it usable. ErrInvalidKey for bad keys and for
// an all-zero result.
func TestingOnlyDH(s provider.Suite, private, public []byte) ([]byte, error) {
	key, ref, err := ImportKey(s, private)
	if err != nil {
		return nil, err
	}
	clear(ref)
	k := key.(*privateKey)
	defer k.Wipe()
	out := make([]byte, k.h.ndh())
	if err := k.dh(out, public); err != nil {
		if errors.Is(err, provider.ErrDecrypt) {
			err = provider.ErrInvalidKey
		}
		return nil, err
	}
	return out, nil
}
