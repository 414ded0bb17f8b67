package soft_test

import (
	"io"
	"testing"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
	"github.com/hardmls/hardmls/provider/soft"
)

func bind(t testing.TB, id provider.CipherSuite) (provider.Crypto, provider.Suite) {
	t.Helper()
	c := soft.New(soft.Options{})
	s, err := c.Suite(id)
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

func TestConformance(t *testing.T) {
	for _, id := range provider.CipherSuites() {
		t.Run(id.String(), func(t *testing.T) {
			t.Parallel()
			c, s := bind(t, id)
			k, err := soft.NewSigner(c, s)
			if err != nil {
				t.Fatal(err)
			}
			providertest.TestSuite(t, c, id, providertest.SuiteOptions{
				Signer: k,
				Open:   func(r io.Reader) provider.Crypto { return soft.New(soft.Options{Rand: r}) },
			})
			t.Run("signer", func(t *testing.T) { providertest.TestSigner(t, s, k) })
		})
	}
}
