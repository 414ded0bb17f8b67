package providertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hardmls/hardmls/provider"
)

// TestSigner holds a signature key to the contract of provider.Signer; s is a
// suite with its scheme, which verifies. Run it under the race detector too.
func TestSigner(t *testing.T, s provider.Suite, signer provider.Signer) {
	for _, c := range signerChecks {
		t.Run(c.name, func(t *testing.T) { c.run(signing{t, s, signer}) })
	}
}

var signerChecks = []struct {
	name string
	run  func(c signing)
}{
	{"key", checkSignerKey},
	{"sign", checkSign},
	{"append", checkSignAppends},
	{"message not kept", checkSignKeepsNothing},
	{"ended context", checkSignContext},
	{"context ends meanwhile", checkSignContextEnds},
	{"prints nothing new", checkSignerPrints},
	{"concurrency", checkSignConcurrency},
}

// A signing is what a check works on.
type signing struct {
	testing.TB
	s provider.Suite
	k provider.Signer
}

func (c signing) wantValid(what string, msg, sig []byte) {
	c.Helper()
	if len(sig) > c.s.Params().SigMax {
		c.Errorf("%s: the signature has %d bytes, more than SigMax", what, len(sig))
	}
	if err := c.s.Verify(c.k.Public(), msg, sig); err != nil {
		c.Errorf("%s: %v", what, err)
	}
}

func checkSignerKey(c signing) {
	if got, want := c.k.Scheme(), c.s.Params().Signature; got != want {
		c.Errorf("the scheme is %v, want %v", got, want)
	}
	pub := bytes.Clone(c.k.Public())
	if err := c.s.CheckSignatureKey(pub); err != nil {
		c.Errorf("the public key: %v", err)
	}
	if _, err := c.k.Sign(background, nil, []byte("x")); err != nil {
		c.Errorf("Sign: %v", err)
	}
	if !bytes.Equal(pub, c.k.Public()) {
		c.Error("the public key changed")
	}
}

func checkSign(c signing) {
	for _, n := range []int{0, 1, 31, 32, 33, 63, 64, 65, 127, 128, 129, 1000, 1 << 16, 1 << 20} {
		msg := bytes.Repeat([]byte{byte(n), 7}, n/2+1)[:n]
		before := bytes.Clone(msg)
		sig, err := c.k.Sign(background, nil, msg)
		if err != nil {
			c.Errorf("Sign of %d bytes: %v", n, err)
			continue
		}
		c.wantValid(fmt.Sprintf("%d bytes", n), msg, sig)
		if !bytes.Equal(msg, before) {
			c.Errorf("Sign changed a message of %d bytes", n)
		}
		if n > 0 {
			msg[n-1] ^= 1
			if c.s.Verify(c.k.Public(), msg, sig) == nil {
				c.Errorf("the signature of %d bytes also fits another message", n)
			}
		}
	}
}

func checkSignAppends(c signing) {
	for _, spare := range []int{0, 1, 20, 300} {
		buf := marked(6 + spare)
		copy(buf, "prefix")
		got, err := c.k.Sign(background, buf[:6], []byte("message"))
		if err != nil {
			c.Errorf("Sign: %v", err)
			continue
		}
		if !bytes.HasPrefix(got, []byte("prefix")) || string(buf[:6]) != "prefix" {
			c.Errorf("with room for %d bytes the prefix is lost", spare)
			continue
		}
		c.wantValid(fmt.Sprintf("a signature behind a prefix, with room for %d bytes", spare), []byte("message"), got[6:])
		if spare >= c.s.Params().SigMax && &got[0] != &buf[0] {
			c.Error("Sign with enough room moved to another buffer")
		}
	}
}

// checkSignKeepsNothing changes the message after Sign has returned and asks
// for another signature: neither may show the other.
func checkSignKeepsNothing(c signing) {
	msg := []byte("the first message")
	first, err := c.k.Sign(background, nil, msg)
	if err != nil {
		c.Fatalf("Sign: %v", err)
	}
	kept := bytes.Clone(first)
	copy(msg, "the other message")
	second, err := c.k.Sign(background, nil, msg)
	if err != nil {
		c.Fatalf("Sign: %v", err)
	}
	c.wantValid("the first of two", []byte("the first message"), first)
	c.wantValid("the second of two", []byte("the other message"), second)
	for i := range second {
		second[i] = 0
	}
	if !bytes.Equal(first, kept) {
		c.Error("two signatures share memory")
	}
	if third, err := c.k.Sign(background, nil, msg); err != nil || c.s.Verify(c.k.Public(), msg, third) != nil {
		c.Errorf("after its result was overwritten the signer makes no valid signature: %v", err)
	}
}

func checkSignContext(c signing) {
	ctx, cancel := context.WithCancel(background)
	cancel()
	c.signUnder(ctx, []byte("message"))
	if sig, err := c.k.Sign(background, nil, []byte("message")); err != nil {
		c.Errorf("Sign after an ended context: %v", err)
	} else {
		c.wantValid("a signature after an ended context", []byte("message"), sig)
	}
}

// signUnder signs with a context that is ended or ends: a signer may finish
// what needs no waiting, else it fails with the context's error and an
// unchanged dst.
func (c signing) signUnder(ctx context.Context, msg []byte) {
	c.Helper()
	buf := append(make([]byte, 0, 300), "prefix"...)
	want := bytes.Clone(msg)
	got, err := c.k.Sign(ctx, buf, msg)
	// What is behind the call must not read msg any more.
	for i := range msg {
		msg[i] ^= 0x55
	}
	if err == nil {
		c.wantValid("a signature under an ended context", want, got[6:])
		return
	}
	if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		c.Errorf("Sign with an ended context: %v", err)
	}
	if string(got) != "prefix" || cap(got) != cap(buf) {
		c.Errorf("Sign failed and returned %q, want dst unchanged", got)
	}
}

func checkSignContextEnds(c signing) {
	for i := range 10 {
		ctx, cancel := context.WithTimeout(background, time.Duration(i)*200*time.Microsecond)
		c.signUnder(ctx, bytes.Repeat([]byte{byte(i)}, 5000))
		cancel()
	}
	sig, err := c.k.Sign(background, nil, []byte("message"))
	if err != nil {
		c.Fatalf("Sign: %v", err)
	}
	c.wantValid("a signature after contexts that ended", []byte("message"), sig)
}

// checkSignerPrints: what a signer prints does not change by signing and is
// not longer than a line, which a dump of a parsed key is.
func checkSignerPrints(c signing) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if text := fmt.Sprintf(verb, c.k); len(text) > 1000 {
			c.Errorf("printed with %s the signer shows %d bytes of its inside", verb, len(text))
		}
	}
}

func checkSignConcurrency(c signing) {
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 5 {
				msg := fmt.Appendf(nil, "message %d of %d", i, g)
				sig, err := c.k.Sign(background, nil, msg)
				if err != nil {
					c.Errorf("Sign: %v", err)
					return
				}
				c.wantValid("one of many at once", msg, sig)
			}
		})
	}
	all.Wait()
}
