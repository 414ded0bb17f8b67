package soft_test

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"testing"

	"filippo.io/edwards25519"
	"github.com/cloudflare/circl/dh/x25519"
	circl25519 "github.com/cloudflare/circl/sign/ed25519"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
)

// BenchmarkX25519 compares what could be behind the KEM. crypto/ecdh computes
// the public key of every private key that it is given.
func BenchmarkX25519(b *testing.B) {
	var priv, pub, out x25519.Key
	rand.Read(priv[:])
	x25519.KeyGen(&pub, &priv)
	b.Run("base/ecdh", func(b *testing.B) {
		for b.Loop() {
			ecdh.X25519().NewPrivateKey(priv[:])
		}
	})
	b.Run("base/circl", func(b *testing.B) {
		for b.Loop() {
			x25519.KeyGen(&out, &priv)
		}
	})
	b.Run("base/edwards25519", func(b *testing.B) {
		for b.Loop() {
			s, _ := new(edwards25519.Scalar).SetBytesWithClamping(priv[:])
			new(edwards25519.Point).ScalarBaseMult(s).BytesMontgomery()
		}
	})
	k, _ := ecdh.X25519().NewPrivateKey(priv[:])
	b.Run("point/ecdh", func(b *testing.B) {
		for b.Loop() {
			p, _ := ecdh.X25519().NewPublicKey(pub[:])
			k.ECDH(p)
		}
	})
	b.Run("point/circl", func(b *testing.B) {
		for b.Loop() {
			x25519.Shared(&out, &priv, &pub)
		}
	})
}

// BenchmarkEd25519 compares the signatures of crypto/ed25519 and circl.
func BenchmarkEd25519(b *testing.B) {
	pub, priv, _ := ed25519.GenerateKey(nil)
	msg := make([]byte, 256)
	sig := ed25519.Sign(priv, msg)
	b.Run("sign/crypto", func(b *testing.B) {
		for b.Loop() {
			ed25519.Sign(priv, msg)
		}
	})
	b.Run("sign/circl", func(b *testing.B) {
		for b.Loop() {
			circl25519.Sign(circl25519.PrivateKey(priv), msg)
		}
	})
	b.Run("verify/crypto", func(b *testing.B) {
		for b.Loop() {
			ed25519.Verify(pub, msg, sig)
		}
	})
	b.Run("verify/circl", func(b *testing.B) {
		for b.Loop() {
			circl25519.Verify(circl25519.PublicKey(pub), msg, sig)
		}
	})
}

// BenchmarkUpgrades compares each upgrade with the plain way.
func BenchmarkUpgrades(b *testing.B) {
	for _, id := range []provider.CipherSuite{1, 7, 5} {
		_, s := bind(b, id)
		p := s.Params()
		secret, key, nonce := make([]byte, p.Nh), make([]byte, p.Nk), make([]byte, p.Nn)
		info, sample, mac := make([]byte, 20), make([]byte, p.Nh), make([]byte, p.Nh)
		msg := make([]byte, 256)
		b.Run(s.Params().Name+"/ratchet/plain", func(b *testing.B) {
			for b.Loop() {
				s.Expand(key, secret, info)
				s.Expand(nonce, secret, info)
				s.Expand(secret, secret, info)
			}
		})
		b.Run(s.Params().Name+"/ratchet/step", func(b *testing.B) {
			for b.Loop() {
				s.Upgrades().Ratchet.RatchetStep(key, nonce, secret, 7)
			}
		})
		bound := s.Upgrades().Bind.Bind(secret)
		context := append(make([]byte, 15), sample...)
		b.Run(s.Params().Name+"/sender data/plain", func(b *testing.B) {
			for b.Loop() {
				s.Expand(key, secret, context)
				s.Expand(nonce, secret, context)
			}
		})
		b.Run(s.Params().Name+"/sender data/bound", func(b *testing.B) {
			for b.Loop() {
				bound.SenderDataKey(key, nonce, sample)
			}
		})
		b.Run(s.Params().Name+"/mac/plain", func(b *testing.B) {
			for b.Loop() {
				s.MAC(mac, secret, msg)
			}
		})
		b.Run(s.Params().Name+"/mac/bound", func(b *testing.B) {
			for b.Loop() {
				bound.MAC(mac, msg)
			}
		})
	}
}

func BenchmarkSuite(b *testing.B) {
	for _, id := range provider.CipherSuites() {
		b.Run(id.String(), func(b *testing.B) { benchmarkSuite(b, id) })
	}
}

func benchmarkSuite(b *testing.B, id provider.CipherSuite) {
	c, s := bind(b, id)
	p := s.Params()
	run := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
	secret, key, nonce := make([]byte, p.Nh), make([]byte, p.Nk), make([]byte, p.Nn)
	msg, ad, info := make([]byte, 256), make([]byte, 40), make([]byte, 20)
	buf := make([]byte, 0, 256+p.Nt)
	ct := s.Seal(nil, key, nonce, msg, ad)
	run("seal256", func() { s.Seal(buf, key, nonce, msg, ad) })
	run("open256", func() { s.Open(buf, key, nonce, ct, ad) })
	run("hash256", func() { s.Hash(secret, msg) })
	run("mac256", func() { s.MAC(secret, secret, msg) })
	run("expand", func() { s.Expand(secret, secret, info) })
	run("ratchet", func() { s.Upgrades().Ratchet.RatchetStep(key, nonce, secret, 1) })
	bound := s.Upgrades().Bind.Bind(secret)
	run("senderdata", func() { bound.SenderDataKey(key, nonce, secret) })
	k, err := soft.NewSigner(c, s)
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	room := make([]byte, 0, p.SigMax)
	sig, _ := k.Sign(ctx, nil, msg)
	run("sign256", func() { k.Sign(ctx, room, msg) })
	run("verify256", func() { s.Verify(k.Public(), msg, sig) })
	dec, err := s.HPKE().DeriveKey(bytes.Repeat([]byte{1}, 66))
	if err != nil {
		b.Fatal(err)
	}
	jobs := []provider.SealJob{{Pub: dec.Public(), Plaintext: secret, Enc: make([]byte, p.Nenc), CT: make([]byte, p.Nh+p.Nt)}}
	run("hpkeseal", func() { s.HPKE().SealMany(info, nil, jobs) })
	run("hpkeopen", func() { s.HPKE().Open(ctx, buf, dec, jobs[0].Enc, info, nil, jobs[0].CT) })
	run("derivekey", func() { s.HPKE().DeriveKey(secret) })
}
