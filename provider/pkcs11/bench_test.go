//go:build cgo && unix && !nopkcs11

package pkcs11_test

import (
	"fmt"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/pkcs11"
)

// BenchmarkSign compares a Signer, with all that it does for a signature, with
// bare C_SignInit and C_Sign by miekg/pkcs11 on the same key in the same run.
func BenchmarkSign(b *testing.B) {
	cfg := newSoftHSM(b)
	token := open(b, cfg)
	for _, scheme := range []provider.SignatureScheme{provider.ECDSA_P256_SHA256, provider.Ed25519} {
		k, err := token.GenerateKey(b.Context(), scheme, pkcs11.KeyOptions{Label: scheme.String()})
		if err != nil {
			b.Fatal(err)
		}
		msg := make([]byte, 32)
		b.Run(fmt.Sprintf("scheme=%v/via=hardmls", scheme), func(b *testing.B) {
			b.ReportAllocs()
			dst := make([]byte, 0, provider.MaxSigMax)
			for b.Loop() {
				if _, err := k.Sign(b.Context(), dst, msg); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("scheme=%v/via=miekg", scheme), func(b *testing.B) {
			b.ReportAllocs()
			c := p11.New(cfg.Module)
			s, err := c.OpenSession(token.Info().Slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
			if err != nil {
				b.Fatal(err)
			}
			defer c.CloseSession(s)
			if err := c.FindObjectsInit(s, []*p11.Attribute{
				p11.NewAttribute(p11.CKA_CLASS, p11.CKO_PRIVATE_KEY), p11.NewAttribute(p11.CKA_ID, k.Info().ID),
			}); err != nil {
				b.Fatal(err)
			}
			found, _, err := c.FindObjects(s, 1)
			if err != nil || len(found) != 1 {
				b.Fatal(found, err)
			}
			if err := c.FindObjectsFinal(s); err != nil {
				b.Fatal(err)
			}
			mechanism := uint(p11.CKM_ECDSA)
			if scheme == provider.Ed25519 {
				mechanism = 0x1057
			}
			for b.Loop() {
				if err := c.SignInit(s, []*p11.Mechanism{p11.NewMechanism(mechanism, nil)}, found[0]); err != nil {
					b.Fatal(err)
				}
				if _, err := c.Sign(s, msg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
