package providertest

import (
	"bytes"
	"context"
	"crypto/hpke"
	"errors"
	"fmt"
	"io"
	"testing/iotest"

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

// checkFailingRand: the backend draws from its reader only, fails when that
// fails, and reads on after a short read.
func checkFailingRand(s suite) {
	if s.opts.Open == nil {
		s.Skip("no SuiteOptions.Open")
	}
	const jobs = 3
	pub := s.key().Public()
	type outcome struct {
		bytes [][]byte
		err   error
	}
	tasks := map[string]func(c provider.Crypto, v provider.Suite) outcome{
		"SealMany": func(c provider.Crypto, v provider.Suite) outcome {
			var all []provider.SealJob
			for range jobs {
				all = append(all, s.job(pub, []byte("plaintext")))
			}
			err := v.HPKE().SealMany(nil, nil, all)
			if err != nil {
				s.wantCleared("failing randomness", all)
			}
			var out outcome
			for _, j := range all {
				out.bytes = append(out.bytes, j.Enc, j.CT)
			}
			out.err = err
			return out
		},
		"ExportTo": func(c provider.Crypto, v provider.Suite) outcome {
			enc, out := make([]byte, s.p.Nenc), make([]byte, 32)
			err := v.HPKE().ExportTo(pub, nil, nil, enc, out)
			return outcome{[][]byte{enc, out}, err}
		},
		"Generate": func(c provider.Crypto, v provider.Suite) outcome {
			key, ref, err := c.SoftwareKeys().Generate(background, v, provider.InitKey)
			if err != nil {
				if key != nil || ref != nil {
					s.Error("Generate returned a key beside its error")
				}
				return outcome{err: err}
			}
			return outcome{[][]byte{key.Public(), ref}, nil}
		},
	}
	for name, task := range tasks {
		run := func(rand io.Reader) outcome {
			c := s.opts.Open(rand)
			v, err := c.Suite(s.p.ID)
			if err != nil {
				s.Fatalf("Suite: %v", err)
			}
			if f, ok := rand.(*FaultRand); ok {
				f.plan.rebase()
			}
			return task(c, v)
		}
		first := run(NewRand(7))
		if first.err != nil {
			s.Errorf("%s: %v", name, first.err)
			continue
		}
		if second := run(NewRand(7)); fmt.Sprint(first.bytes) != fmt.Sprint(second.bytes) {
			s.Errorf("%s draws from more than its reader: one seed gave two results", name)
		}
		if other := run(NewRand(8)); fmt.Sprint(first.bytes) == fmt.Sprint(other.bytes) {
			s.Errorf("%s does not draw from its reader", name)
		}
		if short := run(iotest.OneByteReader(NewRand(7))); short.err != nil || fmt.Sprint(first.bytes) != fmt.Sprint(short.bytes) {
			s.Errorf("%s takes a short read for a whole one: %v", name, short.err)
		}
		count := &FaultRand{Inner: NewRand(7)}
		run(count)
		if count.Calls() == 0 {
			s.Errorf("%s draws nothing", name)
		}
		for i := range count.Calls() {
			r := &FaultRand{Inner: NewRand(7)}
			r.FailAt(i)
			if got := run(r); !errors.Is(got.err, ErrInjected) {
				s.Errorf("%s with read %d failing: %v, want the reader's error", name, i, got.err)
			}
		}
	}
}

// A tokenKey is a DecryptionKey of which HPKE can know nothing but its methods,
// as one in a token.
type tokenKey struct {
	inner provider.DecryptionKey
	err   error
	ctx   context.Context // of the last call
}

func (k *tokenKey) Public() []byte { return k.inner.Public() }

func (k *tokenKey) Decap(ctx context.Context, secret, enc []byte) error {
	k.ctx = ctx
	if k.err != nil {
		return k.err
	}
	return k.inner.Decap(ctx, secret, enc)
}

func (k *tokenKey) Wipe() { k.inner.Wipe() }

func checkOpaqueKeys(s suite) {
	h := s.HPKE()
	type mark struct{}
	ctx := context.WithValue(background, mark{}, true)
	key := &tokenKey{inner: s.key()}
	j := s.sealTo(key.Public(), []byte("info"), []byte("ad"), []byte("plaintext"))
	got, err := h.Open(ctx, nil, key, j.Enc, []byte("info"), []byte("ad"), j.CT)
	if err != nil || string(got) != "plaintext" {
		s.Errorf("Open with a token's key: %q, %v", got, err)
	}
	if key.ctx == nil || key.ctx.Value(mark{}) == nil {
		s.Error("Open does not pass its context to the key")
	}
	enc, sent, received := make([]byte, s.p.Nenc), make([]byte, s.p.Nh), make([]byte, s.p.Nh)
	if err := h.ExportTo(key.Public(), nil, nil, enc, sent); err != nil {
		s.Fatal(err)
	}
	key.ctx = nil
	if err := h.ExportFrom(ctx, key, enc, nil, nil, received); err != nil || !bytes.Equal(sent, received) {
		s.Errorf("ExportFrom with a token's key: %v", err)
	}
	if key.ctx == nil || key.ctx.Value(mark{}) == nil {
		s.Error("ExportFrom does not pass its context to the key")
	}

	gone := errors.New("token is gone")
	for _, want := range []error{gone, context.Canceled, provider.ErrKeyNotFound} {
		key.err = want
		got, err := h.Open(ctx, nil, key, j.Enc, []byte("info"), []byte("ad"), j.CT)
		if got != nil || !errors.Is(err, want) || errors.Is(err, provider.ErrDecrypt) {
			s.Errorf("Open with a key that fails with %v: %v", want, err)
		}
		err = h.ExportFrom(ctx, key, enc, nil, nil, received)
		if !errors.Is(err, want) || errors.Is(err, provider.ErrDecrypt) {
			s.Errorf("ExportFrom with a key that fails with %v: %v", want, err)
		}
	}
}

func checkExport(s suite) {
	h, key := s.HPKE(), s.key()
	for _, n := range []int{1, 16, s.p.Nh, s.p.Nh + 1, 255} {
		for _, info := range []int{0, 1, 1000} {
			info, label := s.bytes(info), s.bytes(n%40)
			enc, sent, received := marked(s.p.Nenc), marked(n+1), marked(n+1)
			if err := h.ExportTo(key.Public(), info, label, enc, sent[:n]); err != nil {
				s.Errorf("ExportTo of %d bytes: %v", n, err)
				continue
			}
			if err := h.ExportFrom(background, key, enc, info, label, received[:n]); err != nil || !bytes.Equal(sent, received) {
				s.Errorf("ExportFrom of %d bytes: %v", n, err)
			}
			if sent[n] != marker || received[n] != marker {
				s.Errorf("an export of %d bytes wrote behind its output", n)
			}
		}
	}
	enc, sent, other := make([]byte, s.p.Nenc), make([]byte, 32), make([]byte, 32)
	if err := h.ExportTo(key.Public(), []byte("info"), []byte("label"), enc, sent); err != nil {
		s.Fatal(err)
	}
	differs := func(what string, key provider.DecryptionKey, enc, info, label []byte) {
		s.Helper()
		err := h.ExportFrom(background, key, enc, info, label, other)
		if err == nil && bytes.Equal(sent, other) {
			s.Errorf("an export with %s is the same", what)
		}
	}
	differs("another info", key, enc, []byte("inf"), []byte("label"))
	differs("another label", key, enc, []byte("info"), []byte("labe"))
	differs("another key", s.key(), enc, []byte("info"), []byte("label"))
	for i := range enc {
		bad := bytes.Clone(enc)
		bad[i] ^= 1 << (i % 8)
		differs(fmt.Sprintf("byte %d of enc changed", i), key, bad, []byte("info"), []byte("label"))
	}
	for what, bad := range s.badEncs(enc) {
		if err := h.ExportFrom(background, key, bad, nil, nil, other); !errors.Is(err, provider.ErrDecrypt) {
			s.Errorf("ExportFrom of %s: %v, want ErrDecrypt", what, err)
		}
	}
}

func checkDeriveKey(s suite) {
	h := s.HPKE()
	seen := map[string]int{}
	for _, n := range []int{s.p.Nsk, s.p.Nh, s.p.Nh + 1, 128, 1000} {
		if n < s.p.Nsk && n < s.p.Nh {
			continue
		}
		ikm := s.bytes(n)
		given := bytes.Clone(ikm)
		a, err := h.DeriveKey(given)
		if err != nil {
			s.Errorf("DeriveKey of %d bytes: %v", n, err)
			continue
		}
		if !bytes.Equal(given, ikm) {
			s.Errorf("DeriveKey changed its input of %d bytes", n)
		}
		clear(given) // it is not kept
		b, err := h.DeriveKey(ikm)
		if err != nil || !bytes.Equal(a.Public(), b.Public()) {
			s.Errorf("DeriveKey of %d bytes twice gives two keys: %v", n, err)
		}
		if len(a.Public()) != s.p.Npk || h.CheckPublicKey(a.Public()) != nil {
			s.Errorf("DeriveKey of %d bytes gives no valid public key", n)
		}
		j := s.sealTo(b.Public(), nil, nil, []byte("x"))
		if got, err := h.Open(background, nil, a, j.Enc, nil, nil, j.CT); err != nil || string(got) != "x" {
			s.Errorf("a key derived from %d bytes does not open: %v", n, err)
		}
		seen[string(a.Public())]++
	}
	base := s.bytes(max(s.p.Nsk, s.p.Nh))
	for i := range len(base) + 1 {
		other := bytes.Clone(base)
		if i < len(base) {
			other[i] ^= 1
		}
		k, err := h.DeriveKey(other)
		if err != nil {
			s.Fatal(err)
		}
		seen[string(k.Public())]++
	}
	for _, n := range seen {
		if n > 1 {
			s.Error("DeriveKey of two inputs gives one key")
		}
	}
	a, b := s.twins()
	a.Wipe()
	a.Wipe()
	secret, enc := make([]byte, s.p.Nsecret), s.sealTo(b.Public(), nil, nil, nil).Enc
	if err := a.Decap(background, secret, enc); err == nil {
		s.Error("a wiped key still decapsulates")
	}
	if err := b.Decap(background, secret, enc); err != nil {
		s.Errorf("wiping one key reached another: %v", err)
	}
}

// twins derives one key twice.
func (s suite) twins() (a, b provider.DecryptionKey) {
	s.Helper()
	ikm := s.bytes(max(s.p.Nsk, s.p.Nh))
	a, err1 := s.HPKE().DeriveKey(ikm)
	b, err2 := s.HPKE().DeriveKey(ikm)
	if err := errors.Join(err1, err2); err != nil {
		s.Fatal(err)
	}
	return a, b
}

func checkDecap(s suite) {
	a, b := s.twins()
	j := s.sealTo(a.Public(), nil, nil, []byte("x"))
	one, two := marked(s.p.Nsecret), marked(s.p.Nsecret)
	if err := errors.Join(a.Decap(background, one, j.Enc), b.Decap(background, two, j.Enc)); err != nil {
		s.Fatalf("Decap: %v", err)
	}
	if !bytes.Equal(one, two) || bytes.Equal(one, marked(s.p.Nsecret)) || bytes.Equal(one, make([]byte, s.p.Nsecret)) {
		s.Errorf("Decap of one enc gives %x and %x", one, two)
	}
	for what, enc := range s.badEncs(j.Enc) {
		if err := a.Decap(background, two, enc); !errors.Is(err, provider.ErrDecrypt) {
			s.Errorf("Decap of %s: %v, want ErrDecrypt", what, err)
		}
	}
}
