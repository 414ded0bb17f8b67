//go:build cgo && unix && !nopkcs11

package pkcs11_test

import (
	"errors"
	"fmt"
	"testing"
	"time"
	"unsafe"

	p11 "github.com/miekg/pkcs11"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/pkcs11"
	"github.com/hardmls/hardmls/provider/providertest"
)

// newNSS makes a database of NSS's softokn in a folder of the test's own and
// returns a configuration that opens it.
func newNSS(t testing.TB) pkcs11.Config {
	t.Helper()
	module := lookFor(t, "NSS softokn (package libnss3)", "HARDMLS_SOFTOKN",
		"/usr/lib/x86_64-linux-gnu/libsoftokn3.so", "/usr/lib/aarch64-linux-gnu/libsoftokn3.so",
		"/usr/lib64/libsoftokn3.so", "/usr/lib/libsoftokn3.so")
	init := fmt.Sprintf("configDir='sql:%s' certPrefix='' keyPrefix='' secmod='secmod.db' flags=", t.TempDir())
	c := p11.New(module)
	if c == nil {
		t.Fatalf("%s does not load", module)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	reserved := append([]byte(init), 0)
	must(c.Initialize(p11.InitializeWithReserved(unsafe.Pointer(&reserved[0]))))
	slots, err := c.GetSlotList(true)
	must(err)
	cfg := pkcs11.Config{
		Module: module, InitString: init, PIN: pkcs11.PINValue([]byte(testPIN)), RecoverTimeout: 10 * time.Second,
	}
	for _, slot := range slots {
		info, err := c.GetTokenInfo(slot)
		must(err)
		if info.Flags&p11.CKF_WRITE_PROTECTED != 0 || info.Label == "NSS Generic Crypto Services" {
			continue
		}
		s, err := c.OpenSession(slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
		must(err)
		must(c.Login(s, p11.CKU_SO, ""))
		must(c.InitPIN(s, testPIN))
		must(c.Logout(s))
		must(c.CloseSession(s))
		cfg.TokenLabel = info.Label
	}
	must(c.Finalize())
	return cfg
}

func TestSignerOfNSS(t *testing.T) {
	token := open(t, newNSS(t))
	for _, id := range some(signatureSuites) {
		s := bind(t, id)
		scheme := s.Params().Signature
		t.Run(scheme.String(), func(t *testing.T) {
			k, err := token.GenerateKey(t.Context(), scheme, pkcs11.KeyOptions{Label: scheme.String()})
			if errors.Is(err, pkcs11.ErrUnsupported) && (scheme == provider.Ed448 || scheme == provider.Ed25519) {
				t.Skipf("this softokn makes no %v keys: %v", scheme, err)
			}
			if err != nil {
				t.Fatal(err)
			}
			providertest.TestSigner(t, s, k)
		})
	}
}

func TestKeysOfNSS(t *testing.T) {
	token := open(t, newNSS(t))
	for _, id := range some(kemSuites) {
		s := bind(t, id)
		t.Run(s.Params().Name, func(t *testing.T) {
			_, ref, err := token.Keys().Generate(t.Context(), s, provider.InitKey)
			if errors.Is(err, pkcs11.ErrUnsupported) && (id == provider.X448_AES256GCM_SHA512_Ed448 || id == provider.X25519_AES128GCM_SHA256_Ed25519) {
				t.Skipf("this softokn makes no such keys: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := token.Keys().Delete(t.Context(), ref); err != nil {
				t.Fatal(err)
			}
			providertest.TestKeys(t, s, token.Keys())
			if left, err := token.Keys().Objects(t.Context()); err != nil || len(left) != 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}
