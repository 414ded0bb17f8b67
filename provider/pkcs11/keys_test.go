package pkcs11_test

import (
	"errors"
	"testing"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/pkcs11"
	"github.com/hardmls/hardmls/provider/providertest"
)

// kemSuites are suites, one for each KEM.
var kemSuites = []provider.CipherSuite{
	provider.P256_AES128GCM_SHA256_P256, provider.P384_AES256GCM_SHA384_P384, provider.P521_AES256GCM_SHA512_P521,
	provider.X25519_AES128GCM_SHA256_Ed25519, provider.X448_AES256GCM_SHA512_Ed448,
}

// some returns all of suites, or with -short only those of the smallest curves.
func some(suites []provider.CipherSuite) (out []provider.CipherSuite) {
	for _, id := range suites {
		p, _ := provider.ParamsOf(id)
		if !testing.Short() || p.Nsk == 32 {
			out = append(out, id)
		}
	}
	return out
}

func TestKeysOfSoftHSM(t *testing.T) {
	token := open(t, newSoftHSM(t))
	for _, id := range some(kemSuites) {
		s := bind(t, id)
		t.Run(s.Params().Name, func(t *testing.T) {
			keys := token.Keys()
			_, ref, err := keys.Generate(t.Context(), s, provider.InitKey)
			if errors.Is(err, pkcs11.ErrUnsupported) && id == provider.X448_AES256GCM_SHA512_Ed448 {
				t.Skipf("this SoftHSM makes no X448 keys: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := keys.Delete(t.Context(), ref); err != nil {
				t.Fatal(err)
			}
			if _, err := keys.Load(t.Context(), s, ref); !errors.Is(err, provider.ErrKeyNotFound) {
				t.Errorf("Load after Delete: %v, want ErrKeyNotFound", err)
			}
			providertest.TestKeys(t, s, keys)
			if left, err := keys.Objects(t.Context()); err != nil || len(left) != 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}
