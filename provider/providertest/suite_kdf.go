package providertest

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"hash"

	"github.com/hardmls/hardmls/provider"
)

// lengths are those around the block and output sizes of SHA-2 and HMAC.
var lengths = []int{0, 1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 49, 55, 56, 57, 63, 64, 65, 66, 111, 112, 113,
	119, 120, 121, 127, 128, 129, 130, 191, 192, 193, 239, 240, 241, 255, 256, 257, 1000, 5000}

func (s suite) hash() func() hash.Hash {
	h := hashOf(s.p.KDF)
	if h == nil {
		s.Skipf("no reference for KDF 0x%04x", s.p.KDF)
	}
	return h
}

func checkHash(s suite) {
	ref := s.hash()
	for n := range 300 {
		s.compareHash(ref, n)
	}
	for _, n := range []int{4095, 4096, 4097, 1 << 20} {
		s.compareHash(ref, n)
	}
	mustPanic(s, "Hash with a short out", func() { s.Hash(make([]byte, s.p.Nh-1), nil) })
	mustPanic(s, "Hash with a long out", func() { s.Hash(make([]byte, s.p.Nh+1), nil) })
}

func (s suite) compareHash(ref func() hash.Hash, n int) {
	s.Helper()
	msg := s.bytes(n)
	before := bytes.Clone(msg)
	h := ref()
	h.Write(msg)
	got := marked(s.p.Nh)
	s.Hash(got, msg)
	if !bytes.Equal(got, h.Sum(nil)) {
		s.Errorf("Hash of %d bytes differs from the reference", n)
	}
	if !bytes.Equal(msg, before) {
		s.Errorf("Hash changed its input of %d bytes", n)
	}
}

func checkExtract(s suite) {
	ref := s.hash()
	for _, salt := range lengths {
		for _, ikm := range lengths {
			a, b := s.bytes(salt), s.bytes(ikm)
			want, err := hkdf.Extract(ref, b, a)
			if err != nil {
				s.Fatal(err)
			}
			got := marked(s.p.Nh)
			s.Extract(got, a, b)
			if !bytes.Equal(got, want) {
				s.Errorf("Extract with %d bytes of salt and %d of ikm differs from the reference", salt, ikm)
			}
			if salt == s.p.Nh {
				out := bytes.Clone(a)
				s.Extract(out, out, b)
				if !bytes.Equal(out, want) {
					s.Errorf("Extract with out = salt and %d bytes of ikm differs", ikm)
				}
			}
			if ikm == s.p.Nh {
				out := bytes.Clone(b)
				s.Extract(out, a, out)
				if !bytes.Equal(out, want) {
					s.Errorf("Extract with out = ikm and %d bytes of salt differs", salt)
				}
			}
		}
	}
	nilSalt, zeroSalt := make([]byte, s.p.Nh), make([]byte, s.p.Nh)
	s.Extract(nilSalt, nil, []byte("ikm"))
	s.Extract(zeroSalt, make([]byte, s.p.Nh), []byte("ikm"))
	if !bytes.Equal(nilSalt, zeroSalt) {
		s.Error("no salt differs from Nh zero bytes of it")
	}
	both := s.bytes(s.p.Nh)
	want, err := hkdf.Extract(ref, both, both)
	if err != nil {
		s.Fatal(err)
	}
	if s.Extract(both, both, both); !bytes.Equal(both, want) {
		s.Error("Extract with out = salt = ikm differs")
	}
	mustPanic(s, "Extract with a short out", func() { s.Extract(make([]byte, s.p.Nh-1), nil, nil) })
}

func checkExpand(s suite) {
	ref := s.hash()
	compare := func(prk, info []byte, n int) {
		s.Helper()
		want, err := hkdf.Expand(ref, prk, string(info), n)
		if err != nil {
			s.Fatal(err)
		}
		before := bytes.Clone(prk)
		room := marked(n + 1)
		s.Expand(room[:n], prk, info)
		if !bytes.Equal(room[:n], want) || room[n] != marker {
			s.Errorf("Expand of %d bytes with %d of prk and %d of info differs from the reference", n, len(prk), len(info))
		}
		if !bytes.Equal(prk, before) {
			s.Errorf("Expand changed its prk of %d bytes", len(prk))
		}
	}
	for n := range 3*s.p.Nh + 2 {
		compare(s.bytes(s.p.Nh), s.bytes(n%70), n)
	}
	for _, n := range lengths {
		compare(s.bytes(n), s.bytes(20), s.p.Nh)
		compare(s.bytes(s.p.Nh), s.bytes(n), s.p.Nk)
		compare(s.bytes(s.p.Nh), s.bytes(n), 2*s.p.Nh+1)
	}
	compare(s.bytes(s.p.Nh), nil, 255*s.p.Nh)
	compare(s.bytes(s.p.Nh), nil, 255*s.p.Nh-1)

	for _, info := range lengths {
		out := s.bytes(s.p.Nh)
		label := s.bytes(info)
		want, err := hkdf.Expand(ref, out, string(label), s.p.Nh)
		if err != nil {
			s.Fatal(err)
		}
		if s.Expand(out, out, label); !bytes.Equal(out, want) {
			s.Errorf("Expand with out = prk and %d bytes of info differs", info)
		}
	}
	prk := s.bytes(s.p.Nh)
	mustPanic(s, "Expand of 255·Nh+1 bytes", func() { s.Expand(make([]byte, 255*s.p.Nh+1), prk, nil) })
}

func checkMAC(s suite) {
	ref := s.hash()
	for _, key := range lengths {
		for _, n := range lengths {
			k, msg := s.bytes(key), s.bytes(n)
			h := hmac.New(ref, k)
			h.Write(msg)
			got := marked(s.p.Nh)
			if s.MAC(got, k, msg); !bytes.Equal(got, h.Sum(nil)) {
				s.Errorf("MAC with %d bytes of key over %d differs from the reference", key, n)
			}
		}
	}
	mustPanic(s, "MAC with a short out", func() { s.MAC(make([]byte, s.p.Nh-1), nil, nil) })
}

// expandWithLabel is RFC 9420 §8, spelled out.
func expandWithLabel(s provider.Suite, secret []byte, label string, context []byte, n int) []byte {
	label = "MLS 1.0 " + label
	if len(label) > 63 || len(context) > 16383 {
		panic("providertest: label too long for this test")
	}
	info := []byte{byte(n >> 8), byte(n), byte(len(label))}
	info = append(info, label...)
	if len(context) < 64 {
		info = append(info, byte(len(context)))
	} else {
		info = append(info, byte(len(context)>>8)|0x40, byte(len(context)))
	}
	out := make([]byte, n)
	s.Expand(out, secret, append(info, context...))
	return out
}

func checkRatchetUpgrade(s suite) {
	step := s.Upgrades().Ratchet
	if step == nil {
		s.Skip("not offered")
	}
	for _, generation := range []uint32{0, 1, 255, 256, 1 << 20, 1<<32 - 1} {
		secret := s.bytes(s.p.Nh)
		g := []byte{byte(generation >> 24), byte(generation >> 16), byte(generation >> 8), byte(generation)}
		wantKey := expandWithLabel(s, secret, "key", g, s.p.Nk)
		wantNonce := expandWithLabel(s, secret, "nonce", g, s.p.Nn)
		wantNext := expandWithLabel(s, secret, "secret", g, s.p.Nh)

		key, nonce, next := marked(s.p.Nk), marked(s.p.Nn), bytes.Clone(secret)
		step.RatchetStep(key, nonce, next, generation)
		if !bytes.Equal(key, wantKey) || !bytes.Equal(nonce, wantNonce) || !bytes.Equal(next, wantNext) {
			s.Errorf("RatchetStep of generation %d differs from DeriveTreeSecret", generation)
		}
		next = bytes.Clone(secret)
		step.RatchetStep(nil, nil, next, generation)
		if !bytes.Equal(next, wantNext) {
			s.Errorf("RatchetStep of generation %d without a key differs", generation)
		}
	}
}

func checkBoundUpgrade(s suite) {
	binder := s.Upgrades().Bind
	if binder == nil {
		s.Skip("not offered")
	}
	secret := s.bytes(s.p.Nh)
	given := bytes.Clone(secret)
	bound := binder.Bind(given)
	clear(given) // it is not kept
	for _, n := range lengths {
		in := s.bytes(n)
		key, nonce := marked(s.p.Nk), marked(s.p.Nn)
		bound.SenderDataKey(key, nonce, in)
		if !bytes.Equal(key, expandWithLabel(s, secret, "key", in, s.p.Nk)) ||
			!bytes.Equal(nonce, expandWithLabel(s, secret, "nonce", in, s.p.Nn)) {
			s.Errorf("SenderDataKey of a sample of %d bytes differs from ExpandWithLabel", n)
		}
		got, want := marked(s.p.Nh), make([]byte, s.p.Nh)
		bound.MAC(got, in)
		if s.MAC(want, secret, in); !bytes.Equal(got, want) {
			s.Errorf("a bound MAC over %d bytes differs from MAC", n)
		}
	}
	other := binder.Bind(secret)
	bound.Wipe()
	bound.Wipe()
	got, want := make([]byte, s.p.Nh), make([]byte, s.p.Nh)
	other.MAC(got, nil)
	if s.MAC(want, secret, nil); !bytes.Equal(got, want) {
		s.Error("wiping one bound secret reached another")
	}
	other.Wipe()
}
