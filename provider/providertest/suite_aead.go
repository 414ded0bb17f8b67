package providertest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"reflect"

	"github.com/hardmls/hardmls/provider"
)

// sealed is one encryption, for checks to tamper with.
type sealed struct{ key, nonce, ad, plaintext, ciphertext []byte }

func (s suite) seal(n, ad int) sealed {
	x := sealed{key: s.bytes(s.p.Nk), nonce: s.bytes(s.p.Nn), ad: s.bytes(ad), plaintext: s.bytes(n)}
	x.ciphertext = s.Seal(nil, x.key, x.nonce, x.plaintext, x.ad)
	return x
}

func (x sealed) clone() sealed {
	return sealed{bytes.Clone(x.key), bytes.Clone(x.nonce), bytes.Clone(x.ad), bytes.Clone(x.plaintext), bytes.Clone(x.ciphertext)}
}

func aeadLengths() []int {
	var all []int
	for n := range 301 {
		all = append(all, n)
	}
	return append(all, 1023, 1024, 1025, 4095, 4096, 4097, 65535, 65536, 1<<20, 1<<20+1)
}

func checkAEAD(s suite) {
	for _, n := range aeadLengths() {
		x := s.seal(n, n%71)
		before := x.clone()
		if len(x.ciphertext) != n+s.p.Nt {
			s.Fatalf("%d bytes seal to %d", n, len(x.ciphertext))
		}
		got, err := s.Open(nil, x.key, x.nonce, x.ciphertext, x.ad)
		if err != nil || !bytes.Equal(got, x.plaintext) {
			s.Errorf("%d bytes do not come back: %v", n, err)
		}
		if !reflect.DeepEqual(x, before) {
			s.Errorf("sealing or opening %d bytes changed an input", n)
		}
	}
	for _, ad := range lengths {
		x := s.seal(33, ad)
		if _, err := s.Open(nil, x.key, x.nonce, x.ciphertext, x.ad); err != nil {
			s.Errorf("%d bytes of associated data: %v", ad, err)
		}
	}
	x := s.seal(0, 0)
	if got, err := s.Open(nil, x.key, x.nonce, x.ciphertext, nil); err != nil || len(got) != 0 {
		s.Errorf("nothing with no associated data: %x, %v", got, err)
	}
}

func checkAEADReference(s suite) {
	switch s.p.AEAD {
	case provider.AEAD_AES128GCM, provider.AEAD_AES256GCM:
		for _, n := range aeadLengths() {
			x := s.seal(n, n%71)
			block, err := aes.NewCipher(x.key)
			if err != nil {
				s.Fatal(err)
			}
			gcm, err := cipher.NewGCM(block)
			if err != nil {
				s.Skip("no reference: ", err)
			}
			if !bytes.Equal(x.ciphertext, gcm.Seal(nil, x.nonce, x.plaintext, x.ad)) {
				s.Errorf("%d bytes differ from crypto/cipher", n)
			}
		}
	case provider.AEAD_CHACHA20POLY1305:
		a := chachaAnswer
		if got := s.Seal(nil, a.key, a.nonce, a.plaintext, a.ad); !bytes.Equal(got, a.ciphertext) {
			s.Errorf("RFC 8439 §2.8.2: got %x", got)
		}
	default:
		s.Skipf("no reference for AEAD 0x%04x", s.p.AEAD)
	}
}

// checkAEADBuffers tries every way in which dst, plaintext and ciphertext may
// lie.
func checkAEADBuffers(s suite) {
	prefix := []byte("prefix")
	for _, n := range []int{0, 1, 15, 16, 17, 100, 255, 256, 300, 5000} {
		x := s.seal(n, 13)
		for _, spare := range []int{-1, 0, 7} { // room beyond what is needed
			size := len(prefix) + n + s.p.Nt
			buf := marked(size + spare)
			copy(buf, prefix)
			dst := buf[:len(prefix):len(buf)]
			got := s.Seal(dst, x.key, x.nonce, x.plaintext, x.ad)
			s.wantBytes(fmt.Sprintf("Seal of %d bytes behind a prefix", n), got, append(bytes.Clone(prefix), x.ciphertext...))
			if spare >= 0 {
				s.wantInPlace("Seal", buf, got, size)
			}

			buf = marked(len(prefix) + n + spare)
			if len(buf) < len(prefix) {
				continue
			}
			copy(buf, prefix)
			got, err := s.Open(buf[:len(prefix):len(buf)], x.key, x.nonce, x.ciphertext, x.ad)
			if err != nil {
				s.Errorf("Open of %d bytes behind a prefix: %v", n, err)
				continue
			}
			s.wantBytes(fmt.Sprintf("Open of %d bytes behind a prefix", n), got, append(bytes.Clone(prefix), x.plaintext...))
			if spare >= 0 {
				s.wantInPlace("Open", buf, got, len(prefix)+n)
			}
		}
		// In place, behind a prefix.
		buf := append(bytes.Clone(prefix), x.plaintext...)
		buf = append(buf, marked(s.p.Nt+3)...)
		got := s.Seal(buf[:len(prefix)], x.key, x.nonce, buf[len(prefix):][:n], x.ad)
		s.wantBytes(fmt.Sprintf("Seal of %d bytes in place", n), got, append(bytes.Clone(prefix), x.ciphertext...))
		s.wantInPlace("Seal in place", buf, got, len(prefix)+n+s.p.Nt)
		got, err := s.Open(buf[:len(prefix)], x.key, x.nonce, buf[len(prefix):][:n+s.p.Nt], x.ad)
		if err != nil {
			s.Errorf("Open of %d bytes in place: %v", n, err)
			continue
		}
		s.wantBytes(fmt.Sprintf("Open of %d bytes in place", n), got, append(bytes.Clone(prefix), x.plaintext...))
		if len(got) > 0 && &got[0] != &buf[0] {
			s.Errorf("Open of %d bytes in place moved", n)
		}
	}
}

func (s suite) wantBytes(what string, got, want []byte) {
	s.Helper()
	if !bytes.Equal(got, want) {
		s.Errorf("%s is wrong", what)
	}
}

// wantInPlace checks that got lies in buf and nothing behind size was written.
func (s suite) wantInPlace(what string, buf, got []byte, size int) {
	s.Helper()
	if len(got) > 0 && &got[0] != &buf[0] {
		s.Errorf("%s with enough room moved to another buffer", what)
	}
	for _, c := range buf[size:] {
		if c != marker {
			s.Errorf("%s wrote behind its output", what)
			return
		}
	}
}

func checkAEADMisuse(s suite) {
	x := s.seal(64, 5)
	for name, key := range map[string][]byte{"short": x.key[1:], "long": append(bytes.Clone(x.key), 0), "no": nil} {
		mustPanic(s, "Seal with a "+name+" key", func() { s.Seal(nil, key, x.nonce, x.plaintext, nil) })
		mustPanic(s, "Open with a "+name+" key", func() { s.Open(nil, key, x.nonce, x.ciphertext, x.ad) })
	}
	for name, nonce := range map[string][]byte{"short": x.nonce[1:], "long": append(bytes.Clone(x.nonce), 0), "no": nil} {
		mustPanic(s, "Seal with a "+name+" nonce", func() { s.Seal(nil, x.key, nonce, x.plaintext, nil) })
		mustPanic(s, "Open with a "+name+" nonce", func() { s.Open(nil, x.key, nonce, x.ciphertext, x.ad) })
	}
	for _, shift := range []int{1, 16, 63} {
		buf := make([]byte, 300)
		mustPanic(s, fmt.Sprintf("Seal with an overlap shifted by %d", shift), func() {
			s.Seal(buf[:shift], x.key, x.nonce, buf[:64], nil)
		})
		mustPanic(s, fmt.Sprintf("Seal with an overlap shifted by -%d", shift), func() {
			s.Seal(buf[:0], x.key, x.nonce, buf[shift:][:64], nil)
		})
		copy(buf[shift:], x.ciphertext)
		mustPanic(s, fmt.Sprintf("Open with an overlap shifted by %d", shift), func() {
			s.Open(buf[:0], x.key, x.nonce, buf[shift:][:len(x.ciphertext)], x.ad)
		})
	}
}

// checkAEADForgery: one flipped bit or byte more or less is ErrDecrypt, and
// leaves no plaintext.
func checkAEADForgery(s suite) {
	for _, n := range []int{0, 1, 16, 100, 1000} {
		x := s.seal(n, 9)
		for i := range x.ciphertext {
			bad := x.clone()
			bad.ciphertext[i] ^= 1 << (i % 8)
			s.wantForged(fmt.Sprintf("bit flipped in byte %d of %d", i, len(x.ciphertext)), bad)
		}
		for i := range x.ad {
			bad := x.clone()
			bad.ad[i] ^= 0x80
			s.wantForged(fmt.Sprintf("byte %d of the associated data", i), bad)
		}
		for i := range x.nonce {
			bad := x.clone()
			bad.nonce[i] ^= 1
			s.wantForged(fmt.Sprintf("byte %d of the nonce", i), bad)
		}
		for i := range x.key {
			bad := x.clone()
			bad.key[i] ^= 1
			s.wantForged(fmt.Sprintf("byte %d of the key", i), bad)
		}
		for cut := range min(len(x.ciphertext), 40) + 1 {
			bad := x.clone()
			bad.ciphertext = bad.ciphertext[:len(x.ciphertext)-cut]
			if cut > 0 {
				s.wantForged(fmt.Sprintf("cut by %d bytes", cut), bad)
			}
		}
		bad := x.clone()
		bad.ciphertext = append(bad.ciphertext, 0)
		s.wantForged("one byte more", bad)
		bad = x.clone()
		bad.ad = append(bad.ad, 0)
		s.wantForged("one byte of associated data more", bad)
		bad = x.clone()
		clear(bad.ciphertext[n:])
		s.wantForged("a tag of zeros", bad)
	}
	x := s.seal(50, 9)
	for n := range s.p.Nt {
		bad := x.clone()
		bad.ciphertext = make([]byte, n)
		s.wantForged(fmt.Sprintf("a ciphertext of %d bytes", n), bad)
	}
	bad := x.clone()
	bad.ciphertext = nil
	s.wantForged("no ciphertext", bad)
}

func (s suite) wantForged(what string, x sealed) {
	s.Helper()
	report := func(how string, got []byte, err error) {
		s.Helper()
		if !errors.Is(err, provider.ErrDecrypt) || got != nil {
			s.Errorf("%s, opened %s: %d bytes, %v, want nil and ErrDecrypt", what, how, len(got), err)
		}
	}
	buf := append([]byte("prefix"), marked(len(x.ciphertext)+20)...)
	got, err := s.Open(buf[:6], x.key, x.nonce, x.ciphertext, x.ad)
	report("behind a prefix", got, err)
	if string(buf[:6]) != "prefix" {
		s.Errorf("%s: the prefix was changed", what)
	}
	for _, c := range buf[6:] {
		if c != marker && c != 0 {
			s.Errorf("%s: bytes are left behind dst", what)
			break
		}
	}
	place := bytes.Clone(x.ciphertext)
	got, err = s.Open(place[:0], x.key, x.nonce, place, x.ad)
	report("in place", got, err)
	for i, c := range place {
		if c != 0 && c != x.ciphertext[i] {
			s.Errorf("%s: bytes are left in place", what)
			break
		}
	}
}

// chachaAnswer is the example of RFC 8439 §2.8.2.
var chachaAnswer = sealed{
	key:       unhex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"),
	nonce:     unhex("070000004041424344454647"),
	ad:        unhex("50515253c0c1c2c3c4c5c6c7"),
	plaintext: []byte("Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."),
	ciphertext: unhex("d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6" +
		"3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36" +
		"92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc" +
		"3ff4def08e4b7a9de576d26586cec64b6116" + "1ae10b594f09e26a7e902ecbd0600691"),
}
