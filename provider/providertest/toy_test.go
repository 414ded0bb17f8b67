package providertest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/hardmls/hardmls/provider"
)

func toy(t testing.TB, id provider.CipherSuite) (*ToyBackend, provider.Suite) {
	t.Helper()
	c := ToyCrypto(NewRand(1))
	s, err := c.Suite(id)
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

func TestToyIsRepeatable(t *testing.T) {
	run := func() []byte {
		c, s := toy(t, Toy2)
		signer, err := c.NewSigner(Toy2)
		if err != nil {
			t.Fatal(err)
		}
		key, ref, err := c.SoftwareKeys().Generate(context.Background(), s, provider.LeafKey)
		if err != nil {
			t.Fatal(err)
		}
		job := provider.SealJob{Pub: key.Public(), Plaintext: []byte("plain"), Enc: make([]byte, 65), CT: make([]byte, 21)}
		if err := s.HPKE().SealMany(nil, nil, []provider.SealJob{job}); err != nil {
			t.Fatal(err)
		}
		return bytes.Join([][]byte{signer.Public(), ref, job.Enc, job.CT}, nil)
	}
	if !bytes.Equal(run(), run()) {
		t.Error("one seed gave two results")
	}
}

func TestToySizesAreReal(t *testing.T) {
	for id, like := range map[provider.CipherSuite]provider.CipherSuite{Toy1: 1, Toy2: 2} {
		_, s := toy(t, id)
		p := *s.Params()
		want, _ := provider.ParamsOf(like)
		p.ID, p.Name, p.KEM, p.AEAD, p.Signature = want.ID, want.Name, want.KEM, want.AEAD, want.Signature
		if p != *want {
			t.Errorf("%v: %+v, want the sizes of %+v", id, p, *want)
		}
	}
}

func TestToyHMAC(t *testing.T) {
	for _, n := range []int{0, 1, 31, 32, 63, 64, 65, 128, 500} {
		key, msg := bytes.Repeat([]byte{1}, n), bytes.Repeat([]byte{2}, 2*n)
		h := hmac.New(sha256.New, key)
		h.Write(msg)
		if got := toyHMAC(key, msg[:n], msg[n:], nil); !bytes.Equal(got[:], h.Sum(nil)) {
			t.Errorf("length %d differs from crypto/hmac", n)
		}
	}
}

func TestToyIsUnsupportedElsewhere(t *testing.T) {
	_, err := ToyCrypto(NewRand(1)).Suite(1)
	if !errors.Is(err, provider.ErrUnsupported) {
		t.Errorf("suite 1: %v", err)
	}
}
