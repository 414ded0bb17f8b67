package soft_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
)

// TestMisusePanics: wrong lengths are bugs of the caller.
func TestMisusePanics(t *testing.T) {
	_, s := bind(t, 1)
	key, err := s.HPKE().DeriveKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	up := s.Upgrades()
	bound, wiped := up.Bind.Bind(make([]byte, 32)), up.Bind.Bind(make([]byte, 32))
	wiped.Wipe()
	b := func(n int) []byte { return make([]byte, n) }
	for name, f := range map[string]func(){
		"SealMany, enc":          func() { s.HPKE().SealMany(nil, nil, []provider.SealJob{{Pub: b(32), Enc: b(31), CT: b(16)}}) },
		"SealMany, ciphertext":   func() { s.HPKE().SealMany(nil, nil, []provider.SealJob{{Pub: b(32), Enc: b(32), CT: b(15)}}) },
		"ExportTo, enc":          func() { s.HPKE().ExportTo(key.Public(), nil, nil, b(31), b(32)) },
		"Decap, secret":          func() { key.Decap(context.Background(), b(31), key.Public()) },
		"RatchetStep, secret":    func() { up.Ratchet.RatchetStep(b(16), b(12), b(31), 0) },
		"RatchetStep, key":       func() { up.Ratchet.RatchetStep(b(15), b(12), b(32), 0) },
		"RatchetStep, nonce":     func() { up.Ratchet.RatchetStep(b(16), b(11), b(32), 0) },
		"Bind":                   func() { up.Bind.Bind(b(31)) },
		"SenderDataKey, key":     func() { bound.SenderDataKey(b(15), b(12), nil) },
		"SenderDataKey, nonce":   func() { bound.SenderDataKey(b(16), b(13), nil) },
		"bound MAC":              func() { bound.MAC(b(31), nil) },
		"bound MAC after Wipe":   func() { wiped.MAC(b(32), nil) },
		"SenderDataKey and Wipe": func() { wiped.SenderDataKey(b(16), b(12), nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", name)
				}
			}()
			f()
		}()
	}
}

// TestRandomnessWithoutScalar: a broken source that gives zeros for ever ends
// in an error for curves that reject the scalar 0, not in an endless loop.
func TestRandomnessWithoutScalar(t *testing.T) {
	for _, id := range []provider.CipherSuite{2, 5, 7} {
		c := soft.New(soft.Options{Rand: zeros{}})
		s, err := c.Suite(id)
		if err != nil {
			t.Fatal(err)
		}
		if k, err := soft.NewSigner(c, s); err == nil || k != nil {
			t.Errorf("%v: no error", id)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// TestLongSample: the length of a vector takes one, two or four bytes.
func TestLongSample(t *testing.T) {
	_, s := bind(t, 3)
	secret := bytes.Repeat([]byte{7}, 32)
	bound := s.Upgrades().Bind.Bind(secret)
	for n, length := range map[int][]byte{63: {63}, 64: {0x40, 64}, 16383: {0x7f, 0xff}, 16384: {0x80, 0, 0x40, 0}} {
		sample := make([]byte, n)
		key, nonce, want := make([]byte, 32), make([]byte, 12), make([]byte, 32)
		bound.SenderDataKey(key, nonce, sample)
		info := append([]byte("\x00\x20\x0bMLS 1.0 key"), length...)
		s.Expand(want, secret, append(info, sample...))
		if !bytes.Equal(key, want) {
			t.Errorf("a sample of %d bytes differs", n)
		}
	}
}

// TestFIPSOnly: where the standard library serves approved services only, as
// which it does not count GCM with a nonce of the caller's, every suite is
// refused by the name of the primitive. Nothing panics.
func TestFIPSOnly(t *testing.T) {
	if strings.Contains(os.Getenv("GODEBUG"), "fips140=only") {
		c := soft.New(soft.Options{})
		for _, id := range c.CipherSuites() {
			if _, err := c.Suite(id); err == nil || !strings.Contains(err.Error(), ": aead/") {
				t.Errorf("%v: %v", id, err)
			}
		}
		_ = c.Report().String()
		return
	}
	if testing.Short() || runtime.GOOS == "js" {
		t.Skip("runs a process")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(exe, "-test.run=^TestFIPSOnly$", "-test.count=1")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
