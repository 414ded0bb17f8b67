// Package auto chooses the cryptographic backend for the machine that it runs
// on: the first of its candidates that the machine can run and whose known
// answers match.
//
// The environment variable HARDMLS_PROVIDER can only restrict the choice: it
// is a list of the names that may be chosen, separated by commas, whose order
// means nothing. It cannot bring in what New would not consider by itself.
// HARDMLS_CPU takes features of the CPU away from the kernels of provider/asm.
package auto

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/hardmls/hardmls/internal/asm/cpu"
	"github.com/hardmls/hardmls/provider"
)

// Env is the environment variable that restricts the choice. Unset and empty
// restrict nothing.
const Env = "HARDMLS_PROVIDER"

// Options are what New may be given.
type Options struct {
	// Rand is the backend's source of randomness, read by many goroutines at
	// once. Nil means crypto/rand.
	Rand io.Reader
}

// New returns the chosen backend and its report, whose notes also say what was
// passed over. A word in HARDMLS_PROVIDER that is no candidate's name is an
// error, and so are a word in HARDMLS_CPU that is no feature and a choice of which
// no candidate runs.
func New(o Options) (provider.Crypto, provider.Report, error) {
	if _, err := cpu.Usable(); err != nil {
		return nil, provider.Report{}, fmt.Errorf("auto: %w", err)
	}
	return choose(candidates, os.Getenv(Env), o.Rand)
}

func choose(from []candidate, restriction string, rand io.Reader) (provider.Crypto, provider.Report, error) {
	allowed, err := parse(from, restriction)
	if err != nil {
		return nil, provider.Report{}, err
	}
	var passed []string
	for _, c := range from {
		if !slices.Contains(allowed, c.name) {
			passed = append(passed, c.name+": not among "+Env)
			continue
		}
		crypto, err := c.open(rand)
		if err == nil && !serves(crypto) {
			err = errors.New("no ciphersuite passes its known answers")
		}
		if err != nil {
			passed = append(passed, c.name+": "+err.Error())
			continue
		}
		r := crypto.Report()
		r.Notes = slices.Clone(r.Notes)
		for _, p := range passed {
			r.Notes = append(r.Notes, "passed over "+p)
		}
		return crypto, r, nil
	}
	return nil, provider.Report{}, fmt.Errorf("auto: no backend: %s", strings.Join(passed, "; "))
}

// serves reports whether the backend can bind any suite.
func serves(c provider.Crypto) bool {
	for _, id := range c.CipherSuites() {
		if _, err := c.Suite(id); err == nil {
			return true
		}
	}
	return false
}

// parse returns the names that restriction allows.
func parse(from []candidate, restriction string) ([]string, error) {
	var valid []string
	for _, c := range from {
		valid = append(valid, c.name)
	}
	if restriction == "" {
		return valid, nil
	}
	var allowed []string
	for word := range strings.SplitSeq(restriction, ",") {
		word = strings.TrimSpace(word)
		if !slices.Contains(valid, word) {
			return nil, fmt.Errorf("auto: %s names no backend %q; valid names are %s", Env, word, strings.Join(valid, ", "))
		}
		allowed = append(allowed, word)
	}
	return allowed, nil
}
