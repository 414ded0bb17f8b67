package aesgcm

import (
	"fmt"
	"testing"
)

// benchmarkSizes are plaintexts; the additional data has 32 bytes.
var benchmarkSizes = []int{16, 64, 256, 1 << 10, 1350, 4 << 10, 16 << 10, 64 << 10}

// forBenchmarks runs f for every kernel, and as its twin the standard library called
// as an application calls it.
func forBenchmarks(b *testing.B, f func(b *testing.B, seal func(dst, key, nonce, plaintext, aad []byte) []byte,
	open func(dst, key, nonce, ciphertext, aad []byte) ([]byte, error), key, nonce, plaintext, aad []byte)) {
	src, _ := seeded(7)
	for _, bits := range []int{128, 256} {
		for _, n := range benchmarkSizes {
			key, nonce, plaintext, aad := fill(src, bits/8), fill(src, NonceSize), fill(src, n), fill(src, 32)
			name := fmt.Sprintf("aes=%d/size=%d/kernel=", bits, n)
			for _, k := range compiled {
				if k == Generic || !runs(k) {
					continue
				}
				b.Run(name+k.String(), func(b *testing.B) {
					f(b, func(dst, key, nonce, plaintext, aad []byte) []byte {
						return Seal(k, dst, key, nonce, plaintext, aad)
					}, func(dst, key, nonce, ciphertext, aad []byte) ([]byte, error) {
						return Open(k, dst, key, nonce, ciphertext, aad)
					}, key, nonce, plaintext, aad)
				})
			}
			b.Run(name+"stdlib", func(b *testing.B) {
				f(b, func(dst, key, nonce, plaintext, aad []byte) []byte {
					return std(key).Seal(dst, nonce, plaintext, aad)
				}, func(dst, key, nonce, ciphertext, aad []byte) ([]byte, error) {
					return std(key).Open(dst, nonce, ciphertext, aad)
				}, key, nonce, plaintext, aad)
			})
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	forBenchmarks(b, func(b *testing.B, seal func(dst, key, nonce, plaintext, aad []byte) []byte,
		_ func(dst, key, nonce, ciphertext, aad []byte) ([]byte, error), key, nonce, plaintext, aad []byte) {
		out := make([]byte, 0, len(plaintext)+TagSize)
		b.ReportAllocs()
		b.SetBytes(int64(len(plaintext)))
		for b.Loop() {
			seal(out, key, nonce, plaintext, aad)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	forBenchmarks(b, func(b *testing.B, seal func(dst, key, nonce, plaintext, aad []byte) []byte,
		open func(dst, key, nonce, ciphertext, aad []byte) ([]byte, error), key, nonce, plaintext, aad []byte) {
		sealed := seal(nil, key, nonce, plaintext, aad)
		out := make([]byte, 0, len(plaintext))
		b.ReportAllocs()
		b.SetBytes(int64(len(plaintext)))
		for b.Loop() {
			if _, err := open(out, key, nonce, sealed, aad); err != nil {
				b.Fatal(err)
			}
		}
	})
}
