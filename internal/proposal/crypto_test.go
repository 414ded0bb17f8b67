package proposal

import (
	"testing"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
)

func testCrypto(t testing.TB) (provider.Crypto, provider.Suite) {
	t.Helper()
	c := providertest.ToyCrypto(providertest.NewRand(1))
	s, err := c.Suite(providertest.Toy1)
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

func testSigner(c provider.Crypto, s provider.Suite) (provider.Signer, error) {
	return c.(*providertest.ToyBackend).NewSigner(s.Params().ID)
}
