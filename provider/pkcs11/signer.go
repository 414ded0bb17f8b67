package pkcs11

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
)

// software verifies what tokens make.
var software = soft.New(soft.Options{})

// A Signer is a signature key in a token: a provider.Signer that waits, and so
// ends with its context.
type Signer struct {
	t     *Token
	info  KeyInfo
	curve *curve
	suite provider.Suite // verifies

	finding chan struct{} // one slot: held while the key is found again
	at      atomic.Pointer[located]
	auth    chan struct{} // one slot: keys with AlwaysAuthenticate sign one at a time
}

var _ provider.Signer = (*Signer)(nil)

// A located is where a key is, under one login.
type located struct {
	stamp
	handle   objectHandle
	verified atomic.Bool // it made a signature that verified
}

// Signer returns the one signature key that q fits: ErrKeyNotFound for none,
// an *AmbiguousKeyError for several, ErrNoPublicKey where the token shows no
// public key and q gives none.
func (t *Token) Signer(ctx context.Context, q Query) (*Signer, error) {
	q, err := t.resolve(q)
	if err != nil {
		return nil, err
	}
	keys, err := t.findKeys(ctx, Query{ID: q.ID, Label: q.Label})
	if err != nil {
		return nil, err
	}
	k, err := one(q, keys, func(k found) bool {
		return k.Scheme != 0 && (q.Public == nil || k.Public == nil || bytes.Equal(k.Public, q.Public))
	})
	if err != nil {
		return nil, err
	}
	if k.Public == nil {
		if k.Public = bytes.Clone(q.Public); k.Public == nil {
			return nil, fmt.Errorf("%w: %s", ErrNoPublicKey, k)
		}
	}
	suite, err := software.Suite(k.curve.suite)
	if err != nil {
		return nil, err
	}
	if err := suite.CheckSignatureKey(k.Public); err != nil {
		return nil, fmt.Errorf("pkcs11: the public key of %s: %w", k, err)
	}
	return &Signer{t: t, info: k.KeyInfo, curve: k.curve, suite: suite, finding: make(chan struct{}, 1), auth: make(chan struct{}, 1)}, nil
}

// Public implements provider.Signer.
func (k *Signer) Public() []byte { return k.info.Public }

// Scheme implements provider.Signer.
func (k *Signer) Scheme() provider.SignatureScheme { return k.curve.scheme }

// Info returns what the token said about the key when it was found first.
func (k *Signer) Info() KeyInfo { return k.info }

// Format prints the key's name for every verb.
func (k *Signer) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "pkcs11.Signer(%s)", k.info) }

// LogValue implements slog.LogValuer.
func (k *Signer) LogValue() slog.Value { return slog.StringValue(k.info.String()) }

// Sign implements provider.Signer. It returns when ctx ends, even if the token
// hangs. Failures of the token are remedied as the package's documentation
// says; what is returned then is an *Error, ErrUnavailable or a *PINError, and
// the same call may be made again.
//
// ECDSA sends a digest to the token. EdDSA sends the whole message and refuses
// one beyond Config.MaxMessage with a *MessageSizeError.
func (k *Signer) Sign(ctx context.Context, dst, msg []byte) ([]byte, error) {
	data, err := k.prepare(msg)
	if err != nil {
		return dst, err
	}
	return k.sign(ctx, dst, data, func(sig []byte) bool { return k.suite.Verify(k.info.Public, msg, sig) == nil })
}

// sign makes a signature of data, which belongs to the call, and which verify
// checks.
func (k *Signer) sign(ctx context.Context, dst, data []byte, verify func(sig []byte) bool) ([]byte, error) {
	out := dst
	err := k.t.use(ctx, "sign", func(ctx context.Context, s *session) error {
		l, err := k.locate(ctx, s)
		if err != nil {
			return err
		}
		raw, err := k.signAt(ctx, s, l, data)
		if err != nil {
			return err
		}
		out, err = k.finish(dst, raw, l, verify)
		return err
	})
	if err != nil {
		return dst, err
	}
	k.t.n.signatures.Add(1)
	return out, nil
}

// prepare returns what the token signs, which is its own until it is done.
func (k *Signer) prepare(msg []byte) ([]byte, error) {
	if k.curve.hash != 0 {
		h := k.curve.hash.New()
		h.Write(msg)
		return h.Sum(nil), nil
	}
	if limit := k.t.cfg.MaxMessage; limit >= 0 && len(msg) > limit {
		return nil, &MessageSizeError{Size: len(msg), Limit: limit}
	}
	return bytes.Clone(msg), nil
}

func (k *Signer) signAt(ctx context.Context, s *session, l *located, data []byte) ([]byte, error) {
	sig := make([]byte, k.curve.signature())
	if !k.info.AlwaysAuthenticate {
		err := s.do(ctx, "sign", func() error { return k.t.m.lib.sign(s.h, k.curve.sign, l.handle, data, sig, nil) })
		return sig, err
	}
	select {
	case k.auth <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-k.auth }()
	pin, err := k.t.givePIN(ctx, k.t.Info())
	if err != nil {
		return nil, err
	}
	err = s.do(ctx, "sign", func() error {
		defer clear(pin)
		return k.t.m.lib.sign(s.h, k.curve.sign, l.handle, data, sig, pin)
	})
	if code, ok := Code(err); ok && classes[rv(code)] == classPIN {
		k.t.m.wrongPINs.wrong(k.t.Info().key())
		return nil, k.t.stop(&PINError{Token: k.t.Info().Label, Reason: "the token refused it for a signature, and it will not be tried again", Tried: true, Err: err})
	}
	return sig, err
}

// finish appends the signature in RFC 9420's encoding. It verifies the first
// one of each login, and every one if configured.
func (k *Signer) finish(dst, raw []byte, l *located, verify func(sig []byte) bool) ([]byte, error) {
	out := dst
	if k.curve.nist() {
		out = appendDER(dst, raw)
	} else {
		out = append(dst, raw...)
	}
	if out != nil && l.verified.Load() && !k.t.cfg.VerifyAll {
		return out, nil
	}
	if out == nil || !verify(out[len(dst):]) {
		k.at.CompareAndSwap(l, nil)
		return dst, fmt.Errorf("%w: %w", ErrBadSignature, errKeyMoved)
	}
	k.t.n.verified.Add(1)
	l.verified.Store(true)
	return out, nil
}

// locate returns the key's handle under the session's login. It finds the key
// again if that is new, and compares its public half with what it was.
func (k *Signer) locate(ctx context.Context, s *session) (*located, error) {
	if l := k.at.Load(); l != nil && l.stamp == s.stamp {
		return l, nil
	}
	select {
	case k.finding <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-k.finding }()
	if l := k.at.Load(); l != nil && l.stamp == s.stamp {
		return l, nil
	}
	handles, public, err := s.halves(ctx, found{KeyInfo: k.info, curve: k.curve})
	if err != nil {
		return nil, err
	}
	var fit []objectHandle
	for i, h := range handles {
		if public[i] == nil || bytes.Equal(public[i], k.info.Public) { // nil: as when it was found first
			fit = append(fit, h)
		}
	}
	switch {
	case len(fit) == 1:
	case len(handles) == 0:
		return nil, fmt.Errorf("%w: %s: %w", ErrKeyNotFound, k.info, errKeyMoved)
	case len(fit) == 0:
		return nil, fmt.Errorf("%w: %s", ErrWrongKey, k.info)
	default:
		return nil, fmt.Errorf("%w: %s", ErrAmbiguousKey, k.info)
	}
	l := &located{stamp: s.stamp, handle: fit[0]}
	k.at.Store(l)
	return l, nil
}
