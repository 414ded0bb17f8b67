package asm

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/hardmls/hardmls/internal/asm/aesgcm"
	kernel "github.com/hardmls/hardmls/internal/asm/sha256"
)

// answers are what the kernels must come to, in hex. They were made with the
// standard library.
type answers struct {
	gcm128, gcm256 string // the SHA-256 of what testGCM seals
	sha256         string // the SHA-256 of what testSHA256 derives
}

var known = answers{
	gcm128: "44a2cb027457afc947ee12a8c2c6daad160c6629601c40a7c25a728867a41118",
	gcm256: "4fbcf8c19de63514ae2227874812a495cb8b16935ee78729eb19be97128f7cd2",
	sha256: "3d10710b0472282c65db7490eba8c4ab6c0d93e8a5a252ceeb0c86bd2d4a708a",
}

var errAnswer = errors.New("known answer differs")

// guarded turns a panic into an error.
func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("known answer: %v", r)
		}
	}()
	return f()
}

// count is 0, 1, 2, … of n bytes.
func count(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// sizes of the known answers of AES-GCM: each way through a kernel is taken.
var sizes = []int{0, 1, 16, 47, 64, 100, 129, 255, 256, 300, 512, 600, 1031, 2050}

// gcmAnswer seals messages of all sizes with seal and returns the SHA-256 of the
// ciphertexts.
func gcmAnswer(long int, seal func(dst, key, nonce, plaintext, ad []byte) []byte) []byte {
	h := sha256.New()
	for i, n := range sizes {
		h.Write(seal(nil, count(long), count(12), count(n), count(5*i)))
	}
	return h.Sum(nil)
}

func (a *answers) testGCM(k aesgcm.Kernel, long int) error {
	want := a.gcm128
	if long == 32 {
		want = a.gcm256
	}
	var opened error
	seal := func(dst, key, nonce, plaintext, ad []byte) []byte {
		ct := aesgcm.Seal(k, dst, key, nonce, plaintext, ad)
		pt, err := aesgcm.Open(k, nil, key, nonce, ct, ad)
		if err != nil || subtle.ConstantTimeCompare(pt, plaintext) != 1 {
			opened = errAnswer
		}
		forged := append([]byte(nil), ct...)
		forged[len(forged)/2] ^= 1
		if _, err := aesgcm.Open(k, nil, key, nonce, forged, ad); err == nil {
			opened = errors.New("a forgery opens")
		}
		return ct
	}
	return errors.Join(compare(gcmAnswer(long, seal), want), opened)
}

// A derivation is what the known answer of SHA-256 goes through.
type derivation interface {
	hmac(out, key, msg []byte)
	expand(out, prk, info []byte)
	step(key, nonce, secret []byte, generation uint32)
	senderData(secret, key, nonce, sample []byte)
}

// shaAnswer returns the SHA-256 of what a kernel derives.
func shaAnswer(k derivation) []byte {
	out, key, nonce, secret := make([]byte, 32), make([]byte, 16), make([]byte, 12), count(32)
	h := sha256.New()
	for _, n := range []int{0, 31, 55, 56, 64, 300} {
		k.hmac(out, count(n/4), count(n))
		h.Write(out)
		long := make([]byte, 40)
		k.expand(long, secret, count(n))
		h.Write(long)
	}
	for _, generation := range []uint32{0, 1, 0x01020304, 0xffffffff} {
		k.step(key, nonce, secret, generation)
		h.Write(key)
		h.Write(nonce)
		h.Write(secret)
		k.step(nil, nil, secret, generation)
		k.senderData(secret, key, nonce, count(int(generation&31)+1))
		h.Write(key)
		h.Write(nonce)
	}
	return h.Sum(nil)
}

func (a *answers) testSHA256(k kernel.Kernel) error {
	return compare(shaAnswer(tested{k}), a.sha256)
}

func compare(got []byte, want string) error {
	if b, err := hex.DecodeString(want); err != nil || subtle.ConstantTimeCompare(got, b) != 1 {
		return errAnswer
	}
	return nil
}

// tested is a kernel of SHA-256.
type tested struct{ kernel.Kernel }

func (t tested) hmac(out, key, msg []byte)    { kernel.HMAC(t.Kernel, out, key, msg) }
func (t tested) expand(out, prk, info []byte) { kernel.Expand(t.Kernel, out, prk, info) }
func (t tested) step(key, nonce, secret []byte, generation uint32) {
	kernel.NewRatchet(t.Kernel, 16).Step(key, nonce, secret, generation)
}
func (t tested) senderData(secret, key, nonce, sample []byte) {
	var k kernel.Key
	k.Set(t.Kernel, secret)
	kernel.NewSenderData(16).Keys(&k, key, nonce, sample)
}
