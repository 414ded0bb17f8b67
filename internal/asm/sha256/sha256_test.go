package sha256

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	std "crypto/sha256"
	"encoding/binary"
	"fmt"
	mrand "math/rand/v2"
	"testing"
)

// each runs f with every kernel of this CPU.
func each(t *testing.T, f func(t *testing.T, k Kernel)) {
	for _, k := range kernels() {
		t.Run(k.String(), func(t *testing.T) { f(t, k) })
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func hmacOf(key []byte, msg ...[]byte) []byte {
	h := hmac.New(std.New, key)
	for _, m := range msg {
		h.Write(m)
	}
	return h.Sum(nil)
}

// expandWithLabel is RFC 9420 §8 over the standard library.
func expandWithLabel(t testing.TB, secret []byte, label string, context []byte, length int) []byte {
	t.Helper()
	info := binary.BigEndian.AppendUint16(nil, uint16(length))
	info = append(info, byte(8+len(label)))
	info = append(append(info, "MLS 1.0 "...), label...)
	switch n := len(context); {
	case n < 1<<6:
		info = append(info, byte(n))
	case n < 1<<14:
		info = binary.BigEndian.AppendUint16(info, uint16(n)|1<<14)
	default:
		info = binary.BigEndian.AppendUint32(info, uint32(n)|1<<31)
	}
	out, err := hkdf.Expand(std.New, secret, string(append(info, context...)), length)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestHMAC(t *testing.T) {
	each(t, func(t *testing.T, k Kernel) {
		for keyLen := range 200 {
			key := random(keyLen)
			for _, n := range []int{0, 1, 31, 32, 54, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 129, 300} {
				msg := random(n)
				var out [Size]byte
				HMAC(k, out[:], key, msg)
				if !bytes.Equal(out[:], hmacOf(key, msg)) {
					t.Fatalf("key of %d, message of %d bytes", keyLen, n)
				}
			}
		}
		for n := range 700 {
			key, msg := random(Size), random(n + 1)[1:] // unaligned
			want := hmacOf(key, msg)
			HMAC(k, key, key, msg) // in place
			if !bytes.Equal(key, want) {
				t.Fatalf("message of %d bytes", n)
			}
			if n >= Size {
				HMAC(k, msg[:Size-1], want, msg)
			}
		}
		key, msg := random(40), random(3*64<<10+17)
		var bound Key
		bound.Set(k, key)
		for _, size := range []int{0, 1, 16, 31, 32} {
			out := make([]byte, size)
			bound.MAC(out, msg)
			if !bytes.Equal(out, hmacOf(key, msg)[:size]) {
				t.Errorf("tag of %d bytes of a long message", size)
			}
		}
		bound.Wipe()
		if bound != (Key{}) {
			t.Error("Wipe leaves something")
		}
	})
}

func TestExpand(t *testing.T) {
	each(t, func(t *testing.T, k Kernel) {
		for range 3 {
			for n := range 200 {
				prk, info := random(Size), random(n)
				length := mrand.IntN(300)
				want, err := hkdf.Expand(std.New, prk, string(info), length)
				if err != nil {
					t.Fatal(err)
				}
				out := make([]byte, length)
				Expand(k, out, prk, info)
				if !bytes.Equal(out, want) {
					t.Fatalf("info of %d, output of %d bytes", n, length)
				}
				var bound Key
				bound.Set(k, prk)
				clear(out)
				bound.Expand(out, info)
				if !bytes.Equal(out, want) {
					t.Fatalf("bound: info of %d, output of %d bytes", n, length)
				}
			}
		}
		prk := random(Size)
		want, _ := hkdf.Expand(std.New, prk, "in place", Size)
		Expand(k, prk, prk, []byte("in place"))
		if !bytes.Equal(prk, want) {
			t.Error("in place")
		}
		out := make([]byte, 255*Size)
		want, _ = hkdf.Expand(std.New, prk, "long", len(out))
		Expand(k, out, prk, []byte("long"))
		if !bytes.Equal(out, want) {
			t.Error("longest")
		}
	})
}

func TestRatchet(t *testing.T) {
	each(t, func(t *testing.T, k Kernel) {
		for _, nk := range []int{16, 32} {
			r := NewRatchet(k, nk)
			secret := random(Size + 1)[1:]
			for i := range 3000 {
				generation := uint32(i)
				if i > 300 {
					generation = mrand.Uint32()
				}
				context := binary.BigEndian.AppendUint32(nil, generation)
				wantKey := expandWithLabel(t, secret, "key", context, nk)
				wantNonce := expandWithLabel(t, secret, "nonce", context, nonceSize)
				want := expandWithLabel(t, secret, "secret", context, Size)
				if i%3 == 2 {
					r.Step(nil, nil, secret, generation)
				} else {
					// Neighbours show what is written too far.
					buf := bytes.Repeat([]byte{0xA5}, nk+nonceSize+3)
					key, nonce := buf[1:][:nk], buf[nk+2:][:nonceSize]
					r.Step(key, nonce, secret, generation)
					if !bytes.Equal(key, wantKey) || !bytes.Equal(nonce, wantNonce) {
						t.Fatalf("keys of generation %d", generation)
					}
					if buf[0] != 0xA5 || buf[nk+1] != 0xA5 || buf[len(buf)-1] != 0xA5 {
						t.Fatal("written beyond an output")
					}
				}
				if !bytes.Equal(secret, want) {
					t.Fatalf("secret after generation %d", generation)
				}
			}
		}
	})
}

func TestSenderData(t *testing.T) {
	each(t, func(t *testing.T, k Kernel) {
		for _, nk := range []int{16, 32} {
			s := NewSenderData(nk)
			secret := random(Size)
			var bound Key
			bound.Set(k, secret)
			key, nonce := make([]byte, nk), make([]byte, nonceSize)
			lengths := []int{1<<14 - 1, 1 << 14, 70000}
			for n := range 130 {
				lengths = append(lengths, n)
			}
			for _, n := range lengths {
				sample := random(n)
				s.Keys(&bound, key, nonce, sample)
				if !bytes.Equal(key, expandWithLabel(t, secret, "key", sample, nk)) ||
					!bytes.Equal(nonce, expandWithLabel(t, secret, "nonce", sample, nonceSize)) {
					t.Errorf("keys of %d bytes, sample of %d", nk, n)
				}
			}
		}
	})
}

func TestWrongLengths(t *testing.T) {
	each(t, func(t *testing.T, k Kernel) {
		r, s := NewRatchet(k, 16), NewSenderData(16)
		var bound Key
		bound.Set(k, nil)
		b := make([]byte, 256*Size)
		for name, f := range map[string]func(){
			"ratchet":       func() { NewRatchet(k, 24) },
			"sender data":   func() { NewSenderData(24) },
			"step, secret":  func() { r.Step(nil, nil, b[:31], 0) },
			"step, key":     func() { r.Step(b[:32], b[:12], b[:32], 0) },
			"step, nonce":   func() { r.Step(b[:16], b[:8], b[:32], 0) },
			"sample, key":   func() { s.Keys(&bound, b[:15], b[:12], nil) },
			"sample, nonce": func() { s.Keys(&bound, b[:16], b[:13], nil) },
			"tag":           func() { bound.MAC(b[:33], nil) },
			"Expand":        func() { bound.Expand(b[:255*Size+1], nil) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: no panic", name)
					}
				}()
				f()
			}()
		}
	})
}

// TestSmallStacks calls everything on new stacks, which have to grow at all depths.
func TestSmallStacks(t *testing.T) {
	each(t, func(t *testing.T, k Kernel) {
		r, s := NewRatchet(k, 32), NewSenderData(32)
		secret := random(Size)
		want := func() []byte {
			c := bytes.Clone(secret)
			r.Step(nil, nil, c, 5)
			return c
		}()
		for depth := range 120 {
			done := make(chan error)
			go func() {
				done <- deep(depth, func() error {
					key, nonce, sec := make([]byte, 32), make([]byte, 12), bytes.Clone(secret)
					r.Step(key, nonce, sec, 5)
					if !bytes.Equal(sec, want) {
						return fmt.Errorf("depth %d: another secret", depth)
					}
					var bound Key
					bound.Set(k, secret)
					s.Keys(&bound, key, nonce, sec)
					if !bytes.Equal(key, expandWithLabel(t, secret, "key", sec, 32)) {
						return fmt.Errorf("depth %d: another key", depth)
					}
					HMAC(k, sec, secret, key)
					if !bytes.Equal(sec, hmacOf(secret, key)) {
						return fmt.Errorf("depth %d: another tag", depth)
					}
					return nil
				})
			}()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

//go:noinline
func deep(n int, f func() error) error {
	var room [64]byte
	room[n%64] = 1
	if n == 0 {
		return f()
	}
	err := deep(n-1, f)
	if room[n%64] != 1 {
		return fmt.Errorf("the stack changed at depth %d", n)
	}
	return err
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("what the race detector is told of escapes to the heap")
	}
	each(t, func(t *testing.T, k Kernel) {
		r, s := NewRatchet(k, 16), NewSenderData(16)
		key, nonce, secret, msg := make([]byte, 16), make([]byte, 12), make([]byte, 32), make([]byte, 300)
		var bound Key
		for name, f := range map[string]func(){
			"Set":     func() { bound.Set(k, secret) },
			"MAC":     func() { bound.MAC(secret, msg) },
			"Step":    func() { r.Step(key, nonce, secret, 7) },
			"advance": func() { r.Step(nil, nil, secret, 7) },
			"Keys":    func() { s.Keys(&bound, key, nonce, secret) },
			"long":    func() { s.Keys(&bound, key, nonce, msg) },
			"HMAC":    func() { HMAC(k, secret, secret, msg) },
			"Expand":  func() { Expand(k, msg[:100], secret, msg[200:]) },
		} {
			if n := testing.AllocsPerRun(100, f); n != 0 {
				t.Errorf("%s: %v allocations", name, n)
			}
		}
	})
}

// FuzzKernels compares the kernels with each other and with the standard library.
func FuzzKernels(f *testing.F) {
	f.Add([]byte("key"), []byte("message"), uint32(7))
	f.Add(make([]byte, 64), make([]byte, 55), uint32(1<<31))
	f.Add(make([]byte, 65), make([]byte, 56), uint32(0))
	f.Fuzz(func(t *testing.T, key, msg []byte, generation uint32) {
		want := hmacOf(key, msg)
		context := binary.BigEndian.AppendUint32(nil, generation)
		next := expandWithLabel(t, want, "secret", context, Size)
		for _, k := range kernels() {
			got := make([]byte, Size)
			HMAC(k, got, key, msg)
			if !bytes.Equal(got, want) {
				t.Fatalf("%v: HMAC", k)
			}
			NewRatchet(k, 16).Step(make([]byte, 16), make([]byte, 12), got, generation)
			if !bytes.Equal(got, next) {
				t.Fatalf("%v: step", k)
			}
		}
	})
}
