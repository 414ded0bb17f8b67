package sha256

import (
	"bytes"
	"slices"
	"testing"

	"github.com/hardmls/hardmls/internal/asm/asmtest"
)

// TestResidue looks for secrets in registers and stack after the kernels.
func TestResidue(t *testing.T) {
	if raceEnabled {
		t.Skip("instrumented code keeps copies")
	}
	each(t, func(t *testing.T, k Kernel) {
		if k == Generic {
			t.Skip("compiled code keeps what it likes in registers")
		}
		r, s := NewRatchet(k, 32), NewSenderData(32)
		msg, info := random(300), random(40)
		key, nonce, out, long := make([]byte, 32), make([]byte, 12), make([]byte, 32), make([]byte, 100)
		secret, prk := random(Size), random(Size)
		was, padded := bytes.Clone(secret), bytes.Repeat([]byte{0x36}, Size)
		for i := range padded {
			padded[i] ^= prk[i]
		}
		bound := new(Key)
		states := func(key []byte) (b []byte) {
			bound.Set(k, key)
			for _, v := range slices.Concat(bound.inner[:], bound.outer[:]) {
				b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
			}
			return b
		}
		ratchet, keyed := states(was), states(prk) // bound stays under prk
		for name, f := range map[string]func(){
			"Step":   func() { copy(secret, was); r.Step(key, nonce, secret, 3) },
			"next":   func() { copy(secret, was); r.Step(nil, nil, secret, 3) },
			"Set":    func() { bound.Set(k, prk) },
			"Keys":   func() { s.Keys(bound, key, nonce, info[:32]) },
			"long":   func() { s.Keys(bound, key, nonce, info) },
			"MAC":    func() { bound.MAC(out, msg) },
			"short":  func() { bound.MAC(out[:16], msg) },
			"HMAC":   func() { HMAC(k, out, prk, msg) },
			"Expand": func() { Expand(k, long, prk, info) },
		} {
			f()
			for _, where := range asmtest.Residue(false, f, was, secret, prk, padded, key, nonce, out, long, ratchet, keyed) {
				t.Errorf("%s: %s", name, where)
			}
		}
	})
}
