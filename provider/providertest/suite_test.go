package providertest

import (
	"io"
	"testing"

	"github.com/hardmls/hardmls/provider"
)

func toyOptions(t testing.TB, c *ToyBackend, id provider.CipherSuite) SuiteOptions {
	t.Helper()
	signer, err := c.NewSigner(id)
	if err != nil {
		t.Fatal(err)
	}
	return SuiteOptions{
		Signer: signer,
		Open:   func(rand io.Reader) provider.Crypto { return ToyCrypto(rand) },
	}
}

func TestToyConforms(t *testing.T) {
	for _, id := range []provider.CipherSuite{Toy1, Toy2} {
		t.Run(toyName, func(t *testing.T) {
			c, s := toy(t, id)
			o := toyOptions(t, c, id)
			TestSuite(t, c, id, o)
			t.Run("signer", func(t *testing.T) { TestSigner(t, s, o.Signer) })
		})
	}
}
