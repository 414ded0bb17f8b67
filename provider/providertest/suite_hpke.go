package providertest

import (
	"bytes"
	"crypto/hpke"
	"errors"
	"fmt"

	"github.com/hardmls/hardmls/provider"
)

// key derives a fresh key.
func (s suite) key() provider.DecryptionKey {
	s.Helper()
	k, err := s.HPKE().DeriveKey(s.bytes(max(s.p.Nsk, s.p.Nh)))
	if err != nil {
		s.Fatalf("DeriveKey: %v", err)
	}
	return k
}

// job returns a job with outputs that hold markers.
func (s suite) job(pub, plaintext []byte) provider.SealJob {
	return provider.SealJob{Pub: pub, Plaintext: plaintext, Enc: marked(s.p.Nenc), CT: marked(len(plaintext) + s.p.Nt)}
}

// sealTo seals one plaintext.
func (s suite) sealTo(pub, info, ad, plaintext []byte) provider.SealJob {
	s.Helper()
	jobs := []provider.SealJob{s.job(pub, plaintext)}
	if err := s.HPKE().SealMany(info, ad, jobs); err != nil {
		s.Fatalf("SealMany: %v", err)
	}
	return jobs[0]
}

func checkHPKE(s suite) {
	h := s.HPKE()
	if err := h.SealMany([]byte("info"), nil, nil); err != nil {
		s.Errorf("SealMany of no jobs: %v", err)
	}
	prefix := []byte("prefix")
	for _, c := range []struct{ jobs, size, info, ad int }{
		{1, 0, 0, 0}, {1, 1, 1, 1}, {2, 32, 100, 0}, {3, 64, 0, 20}, {17, 300, 1000, 300}, {2, 100_000, 100_000, 1000},
	} {
		info, ad := s.bytes(c.info), s.bytes(c.ad)
		infoBefore, adBefore := bytes.Clone(info), bytes.Clone(ad)
		var keys []provider.DecryptionKey
		var jobs []provider.SealJob
		for i := range c.jobs {
			keys = append(keys, s.key())
			jobs = append(jobs, s.job(keys[i].Public(), s.bytes(c.size)))
		}
		pub, plaintext := bytes.Clone(jobs[0].Pub), bytes.Clone(jobs[0].Plaintext)
		if err := h.SealMany(info, ad, jobs); err != nil {
			s.Errorf("SealMany %+v: %v", c, err)
			continue
		}
		if !bytes.Equal(pub, jobs[0].Pub) || !bytes.Equal(plaintext, jobs[0].Plaintext) ||
			!bytes.Equal(info, infoBefore) || !bytes.Equal(ad, adBefore) {
			s.Errorf("SealMany %+v changed an input", c)
		}
		for i, j := range jobs {
			dst := append(make([]byte, 0, len(prefix)+c.size), prefix...)
			got, err := h.Open(background, dst, keys[i], j.Enc, info, ad, j.CT)
			if err != nil || !bytes.Equal(got, append(bytes.Clone(prefix), j.Plaintext...)) {
				s.Errorf("Open of job %d of %+v: %v", i, c, err)
			}
			if i > 0 && bytes.Equal(j.Enc, jobs[i-1].Enc) {
				s.Errorf("two jobs of %+v share an encapsulated key", c)
			}
		}
	}
	// One recipient twice: everything differs.
	key, same := s.key(), s.bytes(40)
	jobs := []provider.SealJob{s.job(key.Public(), same), s.job(key.Public(), same)}
	if err := h.SealMany(nil, nil, jobs); err != nil {
		s.Fatal(err)
	}
	if bytes.Equal(jobs[0].Enc, jobs[1].Enc) || bytes.Equal(jobs[0].CT, jobs[1].CT) {
		s.Error("one plaintext sealed twice to one key looks the same")
	}
}

// checkHPKEReference lets crypto/hpke and the suite open each other's messages.
func checkHPKEReference(s suite) {
	kem, err1 := hpke.NewKEM(s.p.KEM)
	kdf, err2 := hpke.NewKDF(s.p.KDF)
	aead, err3 := hpke.NewAEAD(s.p.AEAD)
	if err := errors.Join(err1, err2, err3); err != nil {
		s.Skip("no reference: ", err)
	}
	h := s.HPKE()
	info, ad, plaintext := s.bytes(50), s.bytes(20), s.bytes(100)
	for _, n := range []int{s.p.Nsk, s.p.Nh, 64, 66, 100} {
		if n < s.p.Nsk && n < s.p.Nh {
			continue
		}
		ikm := s.bytes(n)
		ref, err := kem.DeriveKeyPair(ikm)
		if err != nil {
			s.Fatal(err)
		}
		key, err := h.DeriveKey(ikm)
		if err != nil || !bytes.Equal(key.Public(), ref.PublicKey().Bytes()) {
			s.Errorf("DeriveKey of %d bytes differs from crypto/hpke: %v", n, err)
			continue
		}
		j := s.sealTo(key.Public(), info, ad, plaintext)
		r, err := hpke.NewRecipient(j.Enc, ref, kdf, aead, info)
		if err != nil {
			s.Fatal(err)
		}
		if got, err := r.Open(ad, j.CT); err != nil || !bytes.Equal(got, plaintext) {
			s.Errorf("crypto/hpke does not open SealMany's: %v", err)
		}
		enc, sender, err := hpke.NewSender(ref.PublicKey(), kdf, aead, info)
		if err != nil {
			s.Fatal(err)
		}
		ct, err := sender.Seal(ad, plaintext)
		if err != nil {
			s.Fatal(err)
		}
		if got, err := h.Open(background, nil, key, enc, info, ad, ct); err != nil || !bytes.Equal(got, plaintext) {
			s.Errorf("Open of crypto/hpke's: %v", err)
		}
		for _, size := range []int{1, s.p.Nh, 100} {
			out := make([]byte, size)
			if err := h.ExportFrom(background, key, enc, info, []byte("label"), out); err != nil {
				s.Errorf("ExportFrom: %v", err)
			}
			if want, err := sender.Export("label", size); err != nil || !bytes.Equal(out, want) {
				s.Errorf("ExportFrom of %d bytes differs from crypto/hpke: %v", size, err)
			}
			encapsulated := make([]byte, s.p.Nenc)
			if err := h.ExportTo(key.Public(), info, []byte("label"), encapsulated, out); err != nil {
				s.Errorf("ExportTo: %v", err)
				continue
			}
			r, err := hpke.NewRecipient(encapsulated, ref, kdf, aead, info)
			if err != nil {
				s.Errorf("crypto/hpke refuses ExportTo's enc: %v", err)
				continue
			}
			if want, err := r.Export("label", size); err != nil || !bytes.Equal(out, want) {
				s.Errorf("ExportTo of %d bytes differs from crypto/hpke: %v", size, err)
			}
		}
	}
}

func checkHPKEForgery(s suite) {
	h, key := s.HPKE(), s.key()
	info, ad := s.bytes(30), s.bytes(10)
	j := s.sealTo(key.Public(), info, ad, s.bytes(50))
	forged := func(what string, key provider.DecryptionKey, enc, info, ad, ct []byte) {
		s.Helper()
		buf := append([]byte("prefix"), marked(len(ct)+20)...)
		got, err := h.Open(background, buf[:6], key, enc, info, ad, ct)
		if !errors.Is(err, provider.ErrDecrypt) || got != nil {
			s.Errorf("%s: %d bytes, %v, want nil and ErrDecrypt", what, len(got), err)
		}
		for _, c := range buf[6:] {
			if c != marker && c != 0 {
				s.Errorf("%s: bytes are left behind dst", what)
				break
			}
		}
	}
	flip := func(b []byte, i int) []byte {
		c := bytes.Clone(b)
		c[i] ^= 1 << (i % 8)
		return c
	}
	for i := range j.CT {
		forged(fmt.Sprintf("byte %d of the ciphertext", i), key, j.Enc, info, ad, flip(j.CT, i))
	}
	for i := range j.Enc {
		forged(fmt.Sprintf("byte %d of enc", i), key, flip(j.Enc, i), info, ad, j.CT)
	}
	forged("another info", key, j.Enc, flip(info, 0), ad, j.CT)
	forged("a longer info", key, j.Enc, append(bytes.Clone(info), 0), ad, j.CT)
	forged("no info", key, j.Enc, nil, ad, j.CT)
	forged("other associated data", key, j.Enc, info, flip(ad, 0), j.CT)
	forged("another key", s.key(), j.Enc, info, ad, j.CT)
	for n := range s.p.Nt + 1 {
		forged(fmt.Sprintf("a ciphertext of %d bytes", n), key, j.Enc, info, ad, j.CT[:n])
	}
	for what, enc := range s.badEncs(j.Enc) {
		forged(what, key, enc, info, ad, j.CT)
	}
}

// badEncs are encapsulated keys with a wrong length, and points that are none
// or of small order.
func (s suite) badEncs(good []byte) map[string][]byte {
	bad := s.badPoints(s.p.Nenc)
	bad["no enc"] = nil
	bad["a short enc"] = good[:len(good)-1]
	bad["a long enc"] = append(bytes.Clone(good), 0)
	return bad
}

// badPoints are byte strings of the KEM's length that are no usable public
// key, as far as its identifier is known.
func (s suite) badPoints(n int) map[string][]byte {
	bad := map[string][]byte{}
	switch s.p.KEM {
	case provider.KEM_X25519:
		for _, p := range smallOrder25519 {
			bad["a point of small order "+p[:8]] = unhex(p)
		}
	case provider.KEM_X448:
		for _, p := range smallOrder448 {
			bad["a point of small order "+p[:8]] = unhex(p)
		}
	case provider.KEM_P256, provider.KEM_P384, provider.KEM_P521:
		good := s.key().Public()
		off := bytes.Clone(good)
		off[n-1] ^= 1
		bad["a point off the curve"] = off
		for name, first := range map[string]byte{"compressed": 2, "hybrid": 6, "infinite": 0, "unknown": 5} {
			p := bytes.Clone(good)
			p[0] = first
			bad["a point of form "+name] = p
		}
		large := bytes.Repeat([]byte{0xff}, n)
		large[0] = 4
		bad["coordinates beyond the field"] = large
		origin := make([]byte, n)
		origin[0] = 4
		bad["the origin"] = origin
		bad["zeros"] = make([]byte, n)
	}
	return bad
}

func checkPublicKeys(s suite) {
	h := s.HPKE()
	good := s.key().Public()
	if err := h.CheckPublicKey(good); err != nil {
		s.Errorf("a derived public key is refused: %v", err)
	}
	bad := s.badPoints(s.p.Npk)
	if len(bad) == 0 {
		s.Logf("point validity is not checked for KEM 0x%04x", s.p.KEM)
	}
	for _, n := range []int{0, 1, s.p.Npk - 1, s.p.Npk + 1, 2 * s.p.Npk} {
		bad[fmt.Sprintf("%d bytes", n)] = append(bytes.Clone(good), good...)[:n]
	}
	for what, pub := range bad {
		if err := h.CheckPublicKey(pub); !errors.Is(err, provider.ErrInvalidKey) {
			s.Errorf("CheckPublicKey of %s: %v, want ErrInvalidKey", what, err)
		}
		if err := h.SealMany(nil, nil, []provider.SealJob{s.job(pub, []byte("x"))}); !errors.Is(err, provider.ErrInvalidKey) {
			s.Errorf("SealMany to %s: %v, want ErrInvalidKey", what, err)
		}
		if err := h.ExportTo(pub, nil, nil, make([]byte, s.p.Nenc), make([]byte, 32)); !errors.Is(err, provider.ErrInvalidKey) {
			s.Errorf("ExportTo %s: %v, want ErrInvalidKey", what, err)
		}
	}
}

// checkSealManyClears: whichever job fails, no output of any is left.
func checkSealManyClears(s suite) {
	good := s.key().Public()
	const jobs = 9
	for bad := range jobs {
		var all []provider.SealJob
		for i := range jobs {
			pub := good
			if i == bad {
				pub = good[:len(good)-1]
			}
			all = append(all, s.job(pub, s.bytes(20+i)))
		}
		if err := s.HPKE().SealMany(nil, nil, all); !errors.Is(err, provider.ErrInvalidKey) {
			s.Errorf("job %d of %d with a bad key: %v, want ErrInvalidKey", bad, jobs, err)
		}
		s.wantCleared(fmt.Sprintf("job %d with a bad key", bad), all)
	}
}

func (s suite) wantCleared(what string, jobs []provider.SealJob) {
	s.Helper()
	for i, j := range jobs {
		if !bytes.Equal(j.Enc, make([]byte, len(j.Enc))) || !bytes.Equal(j.CT, make([]byte, len(j.CT))) {
			s.Errorf("%s: output of job %d is left", what, i)
		}
	}
}
