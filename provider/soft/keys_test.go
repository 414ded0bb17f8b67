package soft_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
	"github.com/hardmls/hardmls/provider/soft"
)

func TestImportKey(t *testing.T) {
	for _, id := range provider.CipherSuites() {
		c, s := bind(t, id)
		p := s.Params()
		key, ref, err := c.SoftwareKeys().Generate(context.Background(), s, provider.LeafKey)
		if err != nil {
			t.Fatal(err)
		}
		if !provider.IsSelfContained(c.SoftwareKeys(), ref) || provider.IsSelfContained(c.SoftwareKeys(), provider.KeyRef("token\x00x")) {
			t.Errorf("%v: SelfContained is wrong", id)
		}
		private := bytes.Clone(ref[len(ref)-p.Nsk:])
		imported, again, err := soft.ImportKey(s, private)
		if err != nil || !bytes.Equal(imported.Public(), key.Public()) || !bytes.Equal(again, ref) {
			t.Fatalf("%v: ImportKey: %v", id, err)
		}
		imported.Wipe()
		if err := imported.Decap(context.Background(), make([]byte, p.Nsecret), key.Public()); !errors.Is(err, provider.ErrKeyNotFound) {
			t.Errorf("%v: Decap after Wipe: %v", id, err)
		}
		for _, bad := range [][]byte{nil, append(bytes.Clone(private), 0)} {
			if k, r, err := soft.ImportKey(s, bad); !errors.Is(err, provider.ErrInvalidKey) || k != nil || r != nil {
				t.Errorf("%v: ImportKey of %d bytes: %v", id, len(bad), err)
			}
		}
		_, other := bind(t, id%7+1)
		for name, load := range map[string]func() (provider.DecryptionKey, error){
			"ParseKey": func() (provider.DecryptionKey, error) { return other.HPKE().ParseKey(ref) },
			"Load": func() (provider.DecryptionKey, error) {
				return c.SoftwareKeys().Load(context.Background(), other, ref)
			},
		} {
			if k, err := load(); !errors.Is(err, provider.ErrInvalidKey) || k != nil {
				t.Errorf("%v: %s of another suite's reference: %v, want ErrInvalidKey", id, name, err)
			}
		}
		if k, err := s.HPKE().ParseKey(provider.KeyRef("token\x00x")); !errors.Is(err, provider.ErrForeignKey) || k != nil {
			t.Errorf("%v: ParseKey of another backend's: %v", id, err)
		}
	}
}

// TestForeignSuite: a suite that no RFC has is refused by what needs its
// parameters.
func TestForeignSuite(t *testing.T) {
	toy := providertest.ToyCrypto(providertest.NewRand(1))
	s, err := toy.Suite(toy.CipherSuites()[0])
	if err != nil {
		t.Fatal(err)
	}
	c := soft.New(soft.Options{})
	_, _, err1 := c.SoftwareKeys().Generate(context.Background(), s, provider.InitKey)
	_, err2 := soft.NewSigner(c, s)
	_, err3 := soft.ImportSigner(s, make([]byte, 32))
	_, _, err4 := soft.ImportKey(s, make([]byte, 32))
	_, err5 := soft.TestingOnlyDH(s, make([]byte, 32), make([]byte, 32))
	for i, err := range []error{err1, err2, err3, err4, err5} {
		if !errors.Is(err, provider.ErrUnsupported) {
			t.Errorf("call %d: %v, want ErrUnsupported", i, err)
		}
	}
}
