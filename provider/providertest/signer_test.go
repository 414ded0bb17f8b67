package providertest

import (
	"bytes"
	"context"
	"testing"
)

// signerHook is a toy signer with another Sign.
type signerHook struct {
	*ToySigner
	sign func(s *ToySigner, ctx context.Context, dst, msg []byte) ([]byte, error)
	pub  []byte
	Key  []byte
}

func (h *signerHook) Sign(ctx context.Context, dst, msg []byte) ([]byte, error) {
	return h.sign(h.ToySigner, ctx, dst, msg)
}

func (h *signerHook) Public() []byte {
	if h.pub != nil {
		return h.pub
	}
	return h.ToySigner.Public()
}

func TestSignerNoticesFaults(t *testing.T) {
	c, s := toy(t, Toy1)
	k, err := c.NewSigner(Toy1)
	if err != nil {
		t.Fatal(err)
	}
	plain := (*ToySigner).Sign
	var last []byte
	var calls int
	covered := map[string]bool{"concurrency": true} // for the race detector
	for _, b := range []struct {
		name, check string
		signer      signerHook
	}{
		{"a public key of another length", "key", signerHook{pub: []byte("short")}},
		{"an empty message refused", "sign", signerHook{sign: func(s *ToySigner, ctx context.Context, dst, msg []byte) ([]byte, error) {
			if len(msg) == 0 {
				return dst, ErrInjected
			}
			return s.Sign(ctx, dst, msg)
		}}},
		{"long messages cut", "sign", signerHook{sign: func(s *ToySigner, ctx context.Context, dst, msg []byte) ([]byte, error) {
			return s.Sign(ctx, dst, msg[:min(len(msg), 60000)])
		}}},
		{"the prefix lost", "append", signerHook{sign: func(s *ToySigner, ctx context.Context, dst, msg []byte) ([]byte, error) {
			return s.Sign(ctx, nil, msg)
		}}},
		{"the message signed before", "message not kept", signerHook{sign: func(s *ToySigner, ctx context.Context, dst, msg []byte) ([]byte, error) {
			if last == nil {
				last = bytes.Clone(msg)
			}
			return s.Sign(ctx, dst, last)
		}}},
		{"dst lost with the context", "ended context", signerHook{sign: func(s *ToySigner, ctx context.Context, dst, msg []byte) ([]byte, error) {
			out, err := s.Sign(ctx, dst, msg)
			if err != nil {
				return nil, err
			}
			return out, nil
		}}},
		{"another error", "ended context", signerHook{sign: func(s *ToySigner, ctx context.Context, dst, msg []byte) ([]byte, error) {
			out, err := s.Sign(ctx, dst, msg)
			if err != nil {
				return dst, ErrInjected
			}
			return out, nil
		}}},
		{"broken by an ended context", "context ends meanwhile", signerHook{sign: func(s *ToySigner, ctx context.Context, dst, msg []byte) ([]byte, error) {
			if calls++; calls > 10 {
				return dst, ErrInjected
			}
			return s.Sign(ctx, dst, msg)
		}}},
		{"the key shown", "prints nothing new", signerHook{Key: make([]byte, 2000)}},
	} {
		for _, check := range signerChecks {
			if check.name != b.check {
				continue
			}
			covered[b.check] = true
			b.signer.ToySigner = k
			if b.signer.sign == nil {
				b.signer.sign = plain
			}
			if found := failuresOf(func(tb testing.TB) { check.run(signing{tb, s, &b.signer}) }); len(found) == 0 {
				t.Errorf("%s: check %q finds nothing", b.name, b.check)
			}
		}
	}
	for _, check := range signerChecks {
		if !covered[check.name] {
			t.Errorf("no fault shows that check %q notices one", check.name)
		}
	}
}
