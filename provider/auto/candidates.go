package auto

import (
	"io"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/asm"
	"github.com/hardmls/hardmls/provider/soft"
)

// A candidate is a backend that New may choose.
type candidate struct {
	name string
	// open makes the backend, or says why this machine cannot run it.
	open func(rand io.Reader) (provider.Crypto, error)
}

// candidates are in order of preference.
var candidates = []candidate{
	{"asm", func(rand io.Reader) (provider.Crypto, error) { return asm.New(asm.Options{Rand: rand}) }},
	{"soft", func(rand io.Reader) (provider.Crypto, error) { return soft.New(soft.Options{Rand: rand}), nil }},
}
