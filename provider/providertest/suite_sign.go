package providertest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"sync"

	"github.com/hardmls/hardmls/provider"
)

// stdSigner signs with the standard library.
type stdSigner struct {
	key    crypto.Signer
	public []byte
	scheme provider.SignatureScheme
	hash   crypto.Hash
}

func (s *stdSigner) Public() []byte                   { return s.public }
func (s *stdSigner) Scheme() provider.SignatureScheme { return s.scheme }

func (s *stdSigner) Sign(ctx context.Context, dst, msg []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return dst, err
	}
	sig, err := crypto.SignMessage(s.key, rand.Reader, msg, s.hash)
	if err != nil {
		return dst, err
	}
	return append(dst, sig...), nil
}

// signer returns a new key of the suite's scheme, or the one of the options, or
// skips the check.
func (s suite) signer() provider.Signer {
	s.Helper()
	ecdsaSigner := func(curve elliptic.Curve, hash crypto.Hash) provider.Signer {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			s.Fatal(err)
		}
		public, err := key.PublicKey.Bytes()
		if err != nil {
			s.Fatal(err)
		}
		return &stdSigner{key, public, s.p.Signature, hash}
	}
	switch s.p.Signature {
	case provider.Ed25519:
		key := ed25519.NewKeyFromSeed(s.bytes(32))
		return &stdSigner{key, key.Public().(ed25519.PublicKey), s.p.Signature, 0}
	case provider.ECDSA_P256_SHA256:
		return ecdsaSigner(elliptic.P256(), crypto.SHA256)
	case provider.ECDSA_P384_SHA384:
		return ecdsaSigner(elliptic.P384(), crypto.SHA384)
	case provider.ECDSA_P521_SHA512:
		return ecdsaSigner(elliptic.P521(), crypto.SHA512)
	}
	if s.opts.Signer == nil {
		s.Skipf("no SuiteOptions.Signer for %v", s.p.Signature)
	}
	return s.opts.Signer
}

func (s suite) sign(k provider.Signer, msg []byte) []byte {
	s.Helper()
	sig, err := k.Sign(background, nil, msg)
	if err != nil {
		s.Fatalf("Sign: %v", err)
	}
	return sig
}

func checkVerify(s suite) {
	signers := []provider.Signer{s.signer()}
	if s.opts.Signer != nil && s.opts.Signer != signers[0] {
		signers = append(signers, s.opts.Signer)
	}
	for _, k := range signers {
		for _, n := range []int{0, 1, 31, 64, 127, 128, 129, 1000, 100_000} {
			msg := s.bytes(n)
			if sig := s.sign(k, msg); s.Verify(k.Public(), msg, sig) != nil {
				s.Errorf("a signature of %d bytes does not verify", n)
			}
		}
		msg := s.bytes(100)
		sig := s.sign(k, msg)
		for what, x := range s.forgeries(k.Public(), msg, sig) {
			before := fmt.Sprint(x)
			if err := s.Verify(x.Pub, x.Msg, x.Sig); !errors.Is(err, provider.ErrVerify) {
				s.Errorf("%s: %v, want ErrVerify", what, err)
			}
			if fmt.Sprint(x) != before {
				s.Errorf("%s: an input was changed", what)
			}
		}
	}
}

// forgeries are signature checks that must fail.
func (s suite) forgeries(pub, msg, sig []byte) map[string]provider.VerifyJob {
	bad := map[string]provider.VerifyJob{
		"an empty message":        {Pub: pub, Sig: sig},
		"a longer message":        {Pub: pub, Msg: append(bytes.Clone(msg), 0), Sig: sig},
		"a shorter message":       {Pub: pub, Msg: msg[:len(msg)-1], Sig: sig},
		"no signature":            {Pub: pub, Msg: msg},
		"a longer signature":      {Pub: pub, Msg: msg, Sig: append(bytes.Clone(sig), 0)},
		"a signature of zeros":    {Pub: pub, Msg: msg, Sig: make([]byte, len(sig))},
		"a signature of ones":     {Pub: pub, Msg: msg, Sig: bytes.Repeat([]byte{0xff}, len(sig))},
		"a huge signature":        {Pub: pub, Msg: msg, Sig: make([]byte, 1<<16)},
		"no public key":           {Msg: msg, Sig: sig},
		"a short public key":      {Pub: pub[:len(pub)-1], Msg: msg, Sig: sig},
		"a long public key":       {Pub: append(bytes.Clone(pub), 0), Msg: msg, Sig: sig},
		"a public key of zeros":   {Pub: make([]byte, len(pub)), Msg: msg, Sig: sig},
		"a public key of ones":    {Pub: bytes.Repeat([]byte{0xff}, len(pub)), Msg: msg, Sig: sig},
		"everything of no length": {},
	}
	for i := range sig {
		c := bytes.Clone(sig)
		c[i] ^= 1 << (i % 8)
		bad[fmt.Sprintf("byte %d of the signature", i)] = provider.VerifyJob{Pub: pub, Msg: msg, Sig: c}
		bad[fmt.Sprintf("a signature of %d bytes", i)] = provider.VerifyJob{Pub: pub, Msg: msg, Sig: sig[:i]}
	}
	for i := range msg {
		c := bytes.Clone(msg)
		c[i] ^= 0x80
		bad[fmt.Sprintf("byte %d of the message", i)] = provider.VerifyJob{Pub: pub, Msg: c, Sig: sig}
	}
	for i := range pub {
		c := bytes.Clone(pub)
		c[i] ^= 1 << (i % 8)
		bad[fmt.Sprintf("byte %d of the public key", i)] = provider.VerifyJob{Pub: c, Msg: msg, Sig: sig}
	}
	return bad
}

func checkSignatureKeys(s suite) {
	good := s.signer().Public()
	if err := s.CheckSignatureKey(good); err != nil {
		s.Errorf("a good key is refused: %v", err)
	}
	for _, n := range []int{0, 1, s.p.Nsigpk - 1, s.p.Nsigpk + 1, 2 * s.p.Nsigpk} {
		if err := s.CheckSignatureKey(append(bytes.Clone(good), good...)[:n]); !errors.Is(err, provider.ErrInvalidKey) {
			s.Errorf("a key of %d bytes: %v, want ErrInvalidKey", n, err)
		}
	}
	// Half of all y-coordinates, and nearly all pairs, are no point: among
	// 64 byte strings a check that looks at lengths only shows itself.
	refused := 0
	for i := range 64 {
		bad := bytes.Clone(good)
		bad[len(bad)/2] ^= byte(i + 1)
		switch err := s.CheckSignatureKey(bad); {
		case errors.Is(err, provider.ErrInvalidKey):
			refused++
		case err != nil:
			s.Errorf("a changed key: %v, want nil or ErrInvalidKey", err)
		}
	}
	if refused == 0 {
		s.Error("64 changed keys are all taken for points of the curve")
	}
	switch s.p.Signature {
	case provider.ECDSA_P256_SHA256, provider.ECDSA_P384_SHA384, provider.ECDSA_P521_SHA512:
		for _, first := range []byte{0, 2, 3, 5, 6, 7} {
			bad := bytes.Clone(good)
			bad[0] = first
			if err := s.CheckSignatureKey(bad); !errors.Is(err, provider.ErrInvalidKey) {
				s.Errorf("a key of form %d: %v, want ErrInvalidKey", first, err)
			}
		}
		if err := s.CheckSignatureKey(make([]byte, len(good))); !errors.Is(err, provider.ErrInvalidKey) {
			s.Errorf("a key of zeros: %v, want ErrInvalidKey", err)
		}
	}
}

// checkStrictDER: an ECDSA signature has one encoding per pair of numbers, RFC
// 9420 §5.1.2 and security of references to signed bytes.
func checkStrictDER(s suite) {
	var order *big.Int
	switch s.p.Signature {
	case provider.ECDSA_P256_SHA256:
		order = elliptic.P256().Params().N
	case provider.ECDSA_P384_SHA384:
		order = elliptic.P384().Params().N
	case provider.ECDSA_P521_SHA512:
		order = elliptic.P521().Params().N
	default:
		s.Skip("not ECDSA")
	}
	k, msg := s.signer(), []byte("message")
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(s.sign(k, msg), &sig); err != nil {
		s.Fatal(err)
	}
	encode := func(r, v *big.Int) []byte {
		der, err := asn1.Marshal(struct{ R, S *big.Int }{r, v})
		if err != nil {
			s.Fatal(err)
		}
		return der
	}
	good := encode(sig.R, sig.S)
	if err := s.Verify(k.Public(), msg, good); err != nil {
		s.Fatalf("the signature encoded again: %v", err)
	}
	number := func(b []byte) []byte { return append([]byte{2, byte(len(b))}, b...) }
	sequence := func(b []byte) []byte { return append(longLength(0x30, len(b)), b...) }
	r, v := minimal(sig.R), minimal(sig.S)
	zero, one := new(big.Int), big.NewInt(1)
	for what, der := range map[string][]byte{
		"a padded r":             sequence(append(number(append([]byte{0}, r...)), number(v)...)),
		"a padded s":             sequence(append(number(r), number(append([]byte{0}, v...))...)),
		"a third number":         sequence(append(append(number(r), number(v)...), number([]byte{1})...)),
		"one number":             sequence(number(r)),
		"an indefinite length":   append(append([]byte{0x30, 0x80}, append(number(r), number(v)...)...), 0, 0),
		"a long form of lengths": append([]byte{0x30, 0x82, 0, byte(len(number(r)) + len(number(v)))}, append(number(r), number(v)...)...),
		"another tag":            append([]byte{0x31}, good[1:]...),
		"r = 0":                  encode(zero, sig.S),
		"s = 0":                  encode(sig.R, zero),
		"r + n":                  encode(new(big.Int).Add(sig.R, order), sig.S),
		"s + n":                  encode(sig.R, new(big.Int).Add(sig.S, order)),
		"-r":                     encode(new(big.Int).Neg(sig.R), sig.S),
		"-s":                     encode(sig.R, new(big.Int).Neg(sig.S)),
		"r = s = 1":              encode(one, one),
		"r = n":                  encode(order, sig.S),
		"r ‖ s":                  append(bytes.Clone(r), v...),
	} {
		if err := s.Verify(k.Public(), msg, der); !errors.Is(err, provider.ErrVerify) {
			s.Errorf("%s: %v, want ErrVerify", what, err)
		}
	}
}

// minimal is the content of n's DER encoding.
func minimal(n *big.Int) []byte {
	b := n.Bytes()
	if b[0] >= 0x80 {
		b = append([]byte{0}, b...)
	}
	return b
}

func longLength(tag byte, n int) []byte {
	if n < 128 {
		return []byte{tag, byte(n)}
	}
	return []byte{tag, 0x81, byte(n)}
}

func checkVerifyUpgrade(s suite) {
	many := s.Upgrades().Verify
	if many == nil {
		s.Skip("not offered")
	}
	many.VerifyMany(nil)
	k := s.signer()
	var jobs []provider.VerifyJob
	for i := range 70 { // good ones and forged ones mixed, and stale results
		msg := s.bytes(i)
		jobs = append(jobs, provider.VerifyJob{Pub: k.Public(), Msg: msg, Sig: s.sign(k, msg), Err: errors.New("stale")})
	}
	msg := s.bytes(50)
	for _, bad := range s.forgeries(k.Public(), msg, s.sign(k, msg)) {
		jobs = append(jobs, bad)
	}
	for i := range jobs { // a deterministic shuffle
		j := (i * 7919) % len(jobs)
		jobs[i], jobs[j] = jobs[j], jobs[i]
	}
	for _, n := range []int{1, 2, 3, 4, 5, 8, 9, 17, len(jobs)} {
		some := jobs[:n]
		many.VerifyMany(some)
		for i, j := range some {
			if want := s.Verify(j.Pub, j.Msg, j.Sig); !errors.Is(j.Err, want) || (want == nil) != (j.Err == nil) {
				s.Errorf("job %d of %d: VerifyMany says %v, Verify %v", i, n, j.Err, want)
			}
		}
	}
}

// checkSuiteConcurrency uses one suite, one key and one HPKE from many
// goroutines, mostly for the race detector.
func checkSuiteConcurrency(s suite) {
	key := s.key()
	up := s.Upgrades()
	var bound provider.Bound
	secret := s.bytes(s.p.Nh)
	if up.Bind != nil {
		bound = up.Bind.Bind(secret)
	}
	x := s.seal(200, 10)
	want := make([]byte, s.p.Nh)
	s.MAC(want, secret, x.plaintext)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 20 {
				out := make([]byte, s.p.Nh)
				s.Hash(out, x.plaintext)
				s.Extract(out, secret, x.plaintext)
				s.Expand(out, secret, x.ad)
				if s.MAC(out, secret, x.plaintext); !bytes.Equal(out, want) {
					s.Errorf("goroutine %d: MAC differs", g)
				}
				if bound != nil {
					if bound.MAC(out, x.plaintext); !bytes.Equal(out, want) {
						s.Errorf("goroutine %d: a bound MAC differs", g)
					}
				}
				if got := s.Seal(nil, x.key, x.nonce, x.plaintext, x.ad); !bytes.Equal(got, x.ciphertext) {
					s.Errorf("goroutine %d: Seal differs", g)
				}
				if got, err := s.Open(nil, x.key, x.nonce, x.ciphertext, x.ad); err != nil || !bytes.Equal(got, x.plaintext) {
					s.Errorf("goroutine %d: Open: %v", g, err)
				}
				if i%10 != 0 {
					continue
				}
				jobs := []provider.SealJob{s.job(key.Public(), x.plaintext)}
				if err := s.HPKE().SealMany(x.ad, nil, jobs); err != nil {
					s.Errorf("goroutine %d: SealMany: %v", g, err)
					continue
				}
				got, err := s.HPKE().Open(background, nil, key, jobs[0].Enc, x.ad, nil, jobs[0].CT)
				if err != nil || !bytes.Equal(got, x.plaintext) {
					s.Errorf("goroutine %d: HPKE Open: %v", g, err)
				}
			}
		})
	}
	all.Wait()
}
