package providertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/hardmls/hardmls/provider"
)

// A tokenKey is a DecryptionKey of which HPKE can know nothing but its methods,
// as one in a token.
type tokenKey struct {
	inner provider.DecryptionKey
	err   error
	ctx   context.Context // of the last call
}

func (k *tokenKey) Public() []byte { return k.inner.Public() }

func (k *tokenKey) Decap(ctx context.Context, secret, enc []byte) error {
	k.ctx = ctx
	if k.err != nil {
		return k.err
	}
	return k.inner.Decap(ctx, secret, enc)
}

func (k *tokenKey) Wipe() { k.inner.Wipe() }

func checkOpaqueKeys(s suite) {
	h := s.HPKE()
	type mark struct{}
	ctx := context.WithValue(background, mark{}, true)
	key := &tokenKey{inner: s.key()}
	j := s.sealTo(key.Public(), []byte("info"), []byte("ad"), []byte("plaintext"))
	got, err := h.Open(ctx, nil, key, j.Enc, []byte("info"), []byte("ad"), j.CT)
	if err != nil || string(got) != "plaintext" {
		s.Errorf("Open with a token's key: %q, %v", got, err)
	}
	if key.ctx == nil || key.ctx.Value(mark{}) == nil {
		s.Error("Open does not pass its context to the key")
	}
	enc, sent, received := make([]byte, s.p.Nenc), make([]byte, s.p.Nh), make([]byte, s.p.Nh)
	if err := h.ExportTo(key.Public(), nil, nil, enc, sent); err != nil {
		s.Fatal(err)
	}
	key.ctx = nil
	if err := h.ExportFrom(ctx, key, enc, nil, nil, received); err != nil || !bytes.Equal(sent, received) {
		s.Errorf("ExportFrom with a token's key: %v", err)
	}
	if key.ctx == nil || key.ctx.Value(mark{}) == nil {
		s.Error("ExportFrom does not pass its context to the key")
	}

	gone := errors.New("token is gone")
	for _, want := range []error{gone, context.Canceled, provider.ErrKeyNotFound} {
		key.err = want
		got, err := h.Open(ctx, nil, key, j.Enc, []byte("info"), []byte("ad"), j.CT)
		if got != nil || !errors.Is(err, want) || errors.Is(err, provider.ErrDecrypt) {
			s.Errorf("Open with a key that fails with %v: %v", want, err)
		}
		err = h.ExportFrom(ctx, key, enc, nil, nil, received)
		if !errors.Is(err, want) || errors.Is(err, provider.ErrDecrypt) {
			s.Errorf("ExportFrom with a key that fails with %v: %v", want, err)
		}
	}
}

func checkExport(s suite) {
	h, key := s.HPKE(), s.key()
	for _, n := range []int{1, 16, s.p.Nh, s.p.Nh + 1, 255} {
		for _, info := range []int{0, 1, 1000} {
			info, label := s.bytes(info), s.bytes(n%40)
			enc, sent, received := marked(s.p.Nenc), marked(n+1), marked(n+1)
			if err := h.ExportTo(key.Public(), info, label, enc, sent[:n]); err != nil {
				s.Errorf("ExportTo of %d bytes: %v", n, err)
				continue
			}
			if err := h.ExportFrom(background, key, enc, info, label, received[:n]); err != nil || !bytes.Equal(sent, received) {
				s.Errorf("ExportFrom of %d bytes: %v", n, err)
			}
			if sent[n] != marker || received[n] != marker {
				s.Errorf("an export of %d bytes wrote behind its output", n)
			}
		}
	}
	enc, sent, other := make([]byte, s.p.Nenc), make([]byte, 32), make([]byte, 32)
	if err := h.ExportTo(key.Public(), []byte("info"), []byte("label"), enc, sent); err != nil {
		s.Fatal(err)
	}
	differs := func(what string, key provider.DecryptionKey, enc, info, label []byte) {
		s.Helper()
		err := h.ExportFrom(background, key, enc, info, label, other)
		if err == nil && bytes.Equal(sent, other) {
			s.Errorf("an export with %s is the same", what)
		}
	}
	differs("another info", key, enc, []byte("inf"), []byte("label"))
	differs("another label", key, enc, []byte("info"), []byte("labe"))
	differs("another key", s.key(), enc, []byte("info"), []byte("label"))
	for i := range enc {
		bad := bytes.Clone(enc)
		bad[i] ^= 1 << (i % 8)
		differs(fmt.Sprintf("byte %d of enc changed", i), key, bad, []byte("info"), []byte("label"))
	}
	for what, bad := range s.badEncs(enc) {
		if err := h.ExportFrom(background, key, bad, nil, nil, other); !errors.Is(err, provider.ErrDecrypt) {
			s.Errorf("ExportFrom of %s: %v, want ErrDecrypt", what, err)
		}
	}
}

func checkDeriveKey(s suite) {
	h := s.HPKE()
	seen := map[string]int{}
	for _, n := range []int{s.p.Nsk, s.p.Nh, s.p.Nh + 1, 128, 1000} {
		if n < s.p.Nsk && n < s.p.Nh {
			continue
		}
		ikm := s.bytes(n)
		given := bytes.Clone(ikm)
		a, err := h.DeriveKey(given)
		if err != nil {
			s.Errorf("DeriveKey of %d bytes: %v", n, err)
			continue
		}
		if !bytes.Equal(given, ikm) {
			s.Errorf("DeriveKey changed its input of %d bytes", n)
		}
		clear(given) // it is not kept
		b, err := h.DeriveKey(ikm)
		if err != nil || !bytes.Equal(a.Public(), b.Public()) {
			s.Errorf("DeriveKey of %d bytes twice gives two keys: %v", n, err)
		}
		if len(a.Public()) != s.p.Npk || h.CheckPublicKey(a.Public()) != nil {
			s.Errorf("DeriveKey of %d bytes gives no valid public key", n)
		}
		j := s.sealTo(b.Public(), nil, nil, []byte("x"))
		if got, err := h.Open(background, nil, a, j.Enc, nil, nil, j.CT); err != nil || string(got) != "x" {
			s.Errorf("a key derived from %d bytes does not open: %v", n, err)
		}
		seen[string(a.Public())]++
	}
	base := s.bytes(max(s.p.Nsk, s.p.Nh))
	for i := range len(base) + 1 {
		other := bytes.Clone(base)
		if i < len(base) {
			other[i] ^= 1
		}
		k, err := h.DeriveKey(other)
		if err != nil {
			s.Fatal(err)
		}
		seen[string(k.Public())]++
	}
	for _, n := range seen {
		if n > 1 {
			s.Error("DeriveKey of two inputs gives one key")
		}
	}
	a, b := s.twins()
	a.Wipe()
	a.Wipe()
	secret, enc := make([]byte, s.p.Nsecret), s.sealTo(b.Public(), nil, nil, nil).Enc
	if err := a.Decap(background, secret, enc); err == nil {
		s.Error("a wiped key still decapsulates")
	}
	if err := b.Decap(background, secret, enc); err != nil {
		s.Errorf("wiping one key reached another: %v", err)
	}
}

// twins derives one key twice.
func (s suite) twins() (a, b provider.DecryptionKey) {
	s.Helper()
	ikm := s.bytes(max(s.p.Nsk, s.p.Nh))
	a, err1 := s.HPKE().DeriveKey(ikm)
	b, err2 := s.HPKE().DeriveKey(ikm)
	if err := errors.Join(err1, err2); err != nil {
		s.Fatal(err)
	}
	return a, b
}

func checkDecap(s suite) {
	a, b := s.twins()
	j := s.sealTo(a.Public(), nil, nil, []byte("x"))
	one, two := marked(s.p.Nsecret), marked(s.p.Nsecret)
	if err := errors.Join(a.Decap(background, one, j.Enc), b.Decap(background, two, j.Enc)); err != nil {
		s.Fatalf("Decap: %v", err)
	}
	if !bytes.Equal(one, two) || bytes.Equal(one, marked(s.p.Nsecret)) || bytes.Equal(one, make([]byte, s.p.Nsecret)) {
		s.Errorf("Decap of one enc gives %x and %x", one, two)
	}
	for what, enc := range s.badEncs(j.Enc) {
		if err := a.Decap(background, two, enc); !errors.Is(err, provider.ErrDecrypt) {
			s.Errorf("Decap of %s: %v, want ErrDecrypt", what, err)
		}
	}
}
