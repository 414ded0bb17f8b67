package soft

import "github.com/hardmls/hardmls/provider"

// Report implements provider.Crypto. It runs the known answers that have not
// run yet.
func (c *backend) Report() provider.Report {
	r := provider.Report{Backend: "soft", Notes: []string{
		"AES key schedules, GCM and ChaCha20-Poly1305 objects, parsed NIST, Ed25519 and Ed448 keys and the copies that hash functions make of their state are memory of the libraries, which cannot be wiped",
		"ECDSA signatures are hedged with crypto/rand, whatever Options.Rand is",
		"circl's field arithmetic of X448 and Ed448 is the only one at hand; the standard library has none",
	}}
	for _, p := range primitives {
		r.Choices = append(r.Choices, provider.Choice{
			Primitive: p.name, Impl: p.impl, Reason: p.reason, Skipped: p.skipped, SelfTest: p.test(),
		})
	}
	return r
}
