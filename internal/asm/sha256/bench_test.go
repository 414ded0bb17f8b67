package sha256

import (
	"crypto/hkdf"
	std "crypto/sha256"
	"encoding/binary"
	"testing"
)

// BenchmarkRatchetStep compares the step of a ratchet with what the standard library
// takes for it: an Expand for each label.
func BenchmarkRatchetStep(b *testing.B) {
	key, nonce, secret := make([]byte, 16), make([]byte, nonceSize), make([]byte, Size)
	b.Run("crypto/hkdf", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			next := secret
			for _, l := range []struct {
				name string
				out  *[]byte
			}{{"key", &key}, {"nonce", &nonce}, {"secret", &next}} {
				info := binary.BigEndian.AppendUint16(make([]byte, 0, 32), uint16(len(*l.out)))
				info = append(append(append(info, byte(8+len(l.name))), "MLS 1.0 "...), l.name...)
				info = binary.BigEndian.AppendUint32(append(info, 4), 7)
				var err error
				if *l.out, err = hkdf.Expand(std.New, secret, string(info), len(*l.out)); err != nil {
					b.Fatal(err)
				}
			}
			secret = next
		}
	})
	for _, k := range kernels() {
		r := NewRatchet(k, 16)
		b.Run(k.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Step(key, nonce, secret, 7)
			}
		})
		b.Run(k.String()+"/secret alone", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Step(nil, nil, secret, 7)
			}
		})
	}
}

func BenchmarkKernels(b *testing.B) {
	key, nonce, secret, msg := make([]byte, 16), make([]byte, nonceSize), make([]byte, Size), make([]byte, 256)
	for _, k := range kernels() {
		run := func(name string, f func()) {
			b.Run(name+"/"+k.String(), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f()
				}
			})
		}
		var bound Key
		bound.Set(k, secret)
		s := NewSenderData(16)
		run("SenderData", func() { s.Keys(&bound, key, nonce, secret) })
		run("BoundMAC256", func() { bound.MAC(secret, msg) })
		run("HMAC256", func() { HMAC(k, secret, secret, msg) })
		run("Expand", func() { Expand(k, secret, secret, msg[:20]) })
	}
}
