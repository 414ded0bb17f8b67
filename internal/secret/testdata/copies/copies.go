// Package copies breaks the rule that a Secret is used by pointer only, in
// every way that the tests of package secret must notice.
package copies

import s "github.com/hardmls/hardmls/internal/secret"

type field struct{ a s.Secret } // rule: field

func parameter(a s.Secret) {} // rule: parameter

func result() (a s.Secret) { return } // rule: result

var slice []s.Secret // rule: element

func dereference(p *s.Secret) { // vet: assignment
	c := *p
	_ = &c
}

func grow(p *s.Secret) []byte {
	return append(p.Bytes(), 0) // rule: append
}
