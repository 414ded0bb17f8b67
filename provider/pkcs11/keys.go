package pkcs11

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
)

// Keys is the custody of init and leaf keys in a token. The private half of a
// key is made there and stays; the Diffie-Hellman step of HPKE is done there,
// and the rest, which needs no private key, by provider/soft. A reference is
// the name of an object, and no secret.
//
// A key is one private token object whose label begins with "hardmls ".
type Keys struct{ t *Token }

var _ provider.Keys = (*Keys)(nil)

// Keys returns the custody of init and leaf keys in this token.
func (t *Token) Keys() *Keys { return &Keys{t} }

// Generate implements provider.Keys: ErrUnsupported where the token makes no
// keys of the suite's KEM. There is no way to software from here.
func (k *Keys) Generate(ctx context.Context, s provider.Suite, use provider.KeyUse) (provider.DecryptionKey, provider.KeyRef, error) {
	c := curveOfKEM(s.Params().KEM)
	if c == nil {
		return nil, nil, fmt.Errorf("%w: KEM 0x%04x", ErrUnsupported, s.Params().KEM)
	}
	id := newID()
	p, err := k.t.makePair(ctx, c, pairOptions{
		KeyOptions: KeyOptions{ID: id, Label: labelOf(use, time.Now())},
		usage:      []attribute{{ckaSign, false}, {ckaDerive, true}},
	})
	if err != nil {
		return nil, nil, err
	}
	l := &located{stamp: p.stamp, handle: p.private}
	l.verified.Store(true) // the call that made it returned both halves
	key, err := k.wrap(s, reference{suite: s.Params().ID, id: id, public: p.public}, l)
	if err != nil {
		return nil, nil, errors.Join(err, k.Remove(ctx, id))
	}
	return key, k.t.makeRef(reference{suite: s.Params().ID, id: id, public: p.public}), nil
}

// Load implements provider.Keys.
func (k *Keys) Load(ctx context.Context, s provider.Suite, ref provider.KeyRef) (provider.DecryptionKey, error) {
	r, err := k.t.parseRef(ref)
	if err != nil {
		return nil, err
	}
	if r.suite != s.Params().ID {
		return nil, fmt.Errorf("%w: a key of %v for %v", provider.ErrInvalidKey, r.suite, s.Params().ID)
	}
	key, err := k.wrap(s, r, nil)
	if err != nil {
		return nil, err
	}
	err = k.t.use(ctx, "load key", func(ctx context.Context, s *session) error {
		_, err := key.locate(ctx, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	return key, nil
}

// Delete implements provider.Keys.
func (k *Keys) Delete(ctx context.Context, ref provider.KeyRef) error {
	r, err := k.t.parseRef(ref)
	if err != nil {
		return err
	}
	return k.Remove(ctx, r.id)
}

// A KeyObject is an init or leaf key as it lies in the token.
type KeyObject struct {
	ID      []byte
	Label   string
	Use     provider.KeyUse // 0 if the label does not say
	Created time.Time       // by the clock of who made it; zero if the label does not say
}

const (
	labelPrefix = "hardmls "
	labelTime   = "20060102T150405Z"
)

func labelOf(use provider.KeyUse, now time.Time) string {
	return labelPrefix + use.String() + " " + now.UTC().Format(labelTime)
}

func (o *KeyObject) readLabel() {
	rest := strings.TrimPrefix(o.Label, labelPrefix)
	for _, use := range []provider.KeyUse{provider.InitKey, provider.LeafKey} {
		if when, ok := strings.CutPrefix(rest, use.String()+" "); ok {
			o.Use = use
			if at, err := time.Parse(labelTime, when); err == nil {
				o.Created = at
			}
		}
	}
}

// Objects lists the init and leaf keys in the token. Who compares them with the
// references that storage has finds those that a crash left behind; keys that
// are minutes old may belong to a call that has not yet stored its reference.
func (k *Keys) Objects(ctx context.Context) ([]KeyObject, error) {
	keys, err := k.t.listPrivate(ctx)
	if err != nil {
		return nil, err
	}
	var out []KeyObject
	for _, key := range keys {
		if len(key.ID) != idSize || !key.Derive || !strings.HasPrefix(key.Label, labelPrefix) {
			continue
		}
		o := KeyObject{ID: key.ID, Label: key.Label}
		o.readLabel()
		out = append(out, o)
	}
	return out, nil
}

// ObjectID returns the ID of the object that a reference names.
func (k *Keys) ObjectID(ref provider.KeyRef) ([]byte, error) {
	r, err := k.t.parseRef(ref)
	return r.id, err
}

// Remove destroys the init or leaf key with the given ID. It is idempotent.
func (k *Keys) Remove(ctx context.Context, id []byte) error {
	if len(id) != idSize {
		return fmt.Errorf("%w: an ID of %d bytes", provider.ErrInvalidKey, len(id))
	}
	return k.t.use(ctx, "delete key", func(ctx context.Context, s *session) error {
		return s.destroyNamed(ctx, []attribute{{ckaID, id}})
	})
}

// A decryptionKey is an init or leaf key in the token.
type decryptionKey struct {
	t     *Token
	suite provider.Suite
	ref   reference
	curve *curve
	kem   provider.DecryptionKey // all of Decap but the Diffie-Hellman

	at    atomic.Pointer[located]
	wiped atomic.Bool
}

func (k *Keys) wrap(s provider.Suite, r reference, at *located) (*decryptionKey, error) {
	key := &decryptionKey{t: k.t, suite: s, ref: r, curve: curveOfKEM(s.Params().KEM)}
	if key.curve == nil {
		return nil, fmt.Errorf("%w: KEM 0x%04x", ErrUnsupported, s.Params().KEM)
	}
	kem, err := soft.DecapKey(s, r.public, key.agree)
	if err != nil {
		return nil, err
	}
	key.kem = kem
	key.at.Store(at)
	return key, nil
}

// Public implements provider.DecryptionKey.
func (d *decryptionKey) Public() []byte { return d.ref.public }

// Wipe implements provider.DecryptionKey.
func (d *decryptionKey) Wipe() { d.wiped.Store(true) }

// Decap implements provider.DecryptionKey.
func (d *decryptionKey) Decap(ctx context.Context, secret, enc []byte) error {
	if d.wiped.Load() {
		return fmt.Errorf("%w: the key was wiped", ErrKeyNotFound)
	}
	return d.kem.Decap(ctx, secret, enc)
}

// Format prints the key's kind for every verb.
func (d *decryptionKey) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "pkcs11.DecryptionKey(%s)", d.curve.name)
}

// LogValue implements slog.LogValuer.
func (d *decryptionKey) LogValue() slog.Value {
	return slog.StringValue("pkcs11.DecryptionKey(" + d.curve.name + ")")
}

// agree is the Diffie-Hellman step in the token, a soft.DH.
func (d *decryptionKey) agree(ctx context.Context, out, peer []byte) error {
	return d.t.use(ctx, "derive", func(ctx context.Context, s *session) error {
		l, err := d.locate(ctx, s)
		if err != nil {
			return err
		}
		if !l.verified.Load() {
			if err := d.verify(ctx, s, l); err != nil {
				return err
			}
		}
		return d.deriveAt(ctx, s, l, out, peer)
	})
}

// deriveAt does one agreement. The call has buffers of its own: it may be left
// behind.
func (d *decryptionKey) deriveAt(ctx context.Context, s *session, l *located, out, peer []byte) error {
	if d.curve.nist() {
		peer = d.curve.wrapped(peer)
	} else {
		peer = append([]byte(nil), peer...)
	}
	z := make([]byte, len(out))
	err := s.t.call(ctx, "derive", s.epoch,
		func() error { return s.t.m.lib.derive(s.h, l.handle, peer, z) },
		func() { clear(z); s.t.closeLate(s.epoch, s.h) })
	var hang *HangError
	if errors.As(err, &hang) {
		return err // z is the call's
	}
	copy(out, z)
	clear(z)
	if err != nil {
		clear(out)
	}
	return err
}

// locate returns the key's handle under the session's login.
func (d *decryptionKey) locate(ctx context.Context, s *session) (*located, error) {
	old := d.at.Load()
	if old != nil && old.stamp == s.stamp {
		return old, nil
	}
	type answer struct{ handles []objectHandle }
	a := new(answer)
	err := s.do(ctx, "find", func() (err error) {
		a.handles, err = s.t.m.lib.find(s.h, []attribute{{ckaClass, uint(ckoPrivateKey)}, {ckaID, d.ref.id}}, 2)
		if err == nil && len(a.handles) == 0 {
			err = s.mustSee(s.t.m.lib)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case len(a.handles) > 1:
		return nil, fmt.Errorf("%w: an identifier of ours is taken twice", ErrAmbiguousKey)
	case len(a.handles) == 0 && old != nil:
		return nil, fmt.Errorf("%w: %w", ErrKeyNotFound, errKeyMoved)
	case len(a.handles) == 0:
		return nil, ErrKeyNotFound
	}
	l := &located{stamp: s.stamp, handle: a.handles[0]}
	d.at.CompareAndSwap(old, l)
	return l, nil
}

// verify opens what is sealed to the public key, with the handle that was found:
// a handle that means another key would make every genuine message look forged.
func (d *decryptionKey) verify(ctx context.Context, s *session, l *located) error {
	probe, err := soft.DecapKey(d.suite, d.ref.public, func(ctx context.Context, out, peer []byte) error {
		return d.deriveAt(ctx, s, l, out, peer)
	})
	if err != nil {
		return err
	}
	p, h := d.suite.Params(), d.suite.HPKE()
	text := newID()
	job := provider.SealJob{Pub: d.ref.public, Plaintext: text, Enc: make([]byte, p.Nenc), CT: make([]byte, len(text)+p.Nt)}
	if err := h.SealMany(nil, nil, []provider.SealJob{job}); err != nil {
		return err
	}
	got, err := h.Open(ctx, nil, probe, job.Enc, nil, nil, job.CT)
	switch {
	case errors.Is(err, provider.ErrDecrypt):
		d.at.CompareAndSwap(l, nil)
		return fmt.Errorf("%w: its agreements do not fit the public key", ErrWrongKey)
	case err != nil:
		return err
	case subtle.ConstantTimeCompare(got, text) != 1:
		return fmt.Errorf("%w: its agreements do not fit the public key", ErrWrongKey)
	}
	l.verified.Store(true)
	return nil
}
