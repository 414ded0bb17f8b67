package auto

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/hardmls/hardmls/internal/asm/cpu"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/asm"
	"github.com/hardmls/hardmls/provider/providertest"
	"github.com/hardmls/hardmls/provider/soft"
)

// A named backend reports a name of its own.
type named struct {
	provider.Crypto
	name   string
	broken bool
}

func (n named) Report() provider.Report {
	return provider.Report{Backend: n.name, Notes: []string{"own note"}}
}

func (n named) Suite(id provider.CipherSuite) (provider.Suite, error) {
	if n.broken {
		return nil, &provider.UnsupportedError{Suite: id, Reason: "broken"}
	}
	return n.Crypto.Suite(id)
}

func TestChoose(t *testing.T) {
	good := func(name string) candidate {
		return candidate{name, func(r io.Reader) (provider.Crypto, error) {
			return named{Crypto: soft.New(soft.Options{Rand: r}), name: name}, nil
		}}
	}
	absent := func(name string) candidate {
		return candidate{name, func(io.Reader) (provider.Crypto, error) { return nil, errors.New("no such CPU") }}
	}
	broken := func(name string) candidate {
		return candidate{name, func(io.Reader) (provider.Crypto, error) {
			return named{Crypto: soft.New(soft.Options{}), name: name, broken: true}, nil
		}}
	}
	for _, c := range []struct {
		name        string
		from        []candidate
		restriction string
		want        string // the backend, or part of the error behind "error: "
		notes       string
	}{
		{"first", []candidate{good("a"), good("b")}, "", "a", "own note"},
		{"restricted", []candidate{good("a"), good("b")}, "b", "b", "own note|passed over a: not among HARDMLS_PROVIDER"},
		{"order means nothing", []candidate{good("a"), good("b")}, "b, a", "a", "own note"},
		{"absent", []candidate{absent("a"), good("b")}, "", "b", "own note|passed over a: no such CPU"},
		{"broken", []candidate{broken("a"), good("b")}, "", "b", "own note|passed over a: no ciphersuite passes its known answers"},
		{"none runs", []candidate{absent("a"), broken("b")}, "", "error: no backend: a: no such CPU; b: no ciphersuite", ""},
		{"none allowed runs", []candidate{absent("a"), good("b")}, "a", "error: no backend: a: no such CPU; b: not among", ""},
		{"unknown", []candidate{good("a"), good("b")}, "a,c", `error: no backend "c"; valid names are a, b`, ""},
		{"another case", []candidate{good("a")}, "A", `error: no backend "A"`, ""},
		{"empty word", []candidate{good("a")}, "a,", `error: no backend ""`, ""},
		{"only blanks", []candidate{good("a")}, " ", `error: no backend ""`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			crypto, r, err := choose(c.from, c.restriction, nil)
			if part, isErr := strings.CutPrefix(c.want, "error: "); isErr {
				if err == nil || !strings.Contains(err.Error(), part) || crypto != nil {
					t.Fatalf("got %v, %v, want an error with %q", crypto, err, part)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Backend != c.want || strings.Join(r.Notes, "|") != c.notes {
				t.Errorf("chose %q with notes %q, want %q with %q", r.Backend, r.Notes, c.want, c.notes)
			}
		})
	}
}

func TestNew(t *testing.T) {
	t.Setenv(Env, "")
	rand := providertest.NewRand(1)
	c, r, err := New(Options{Rand: rand})
	if err != nil {
		t.Fatal(err)
	}
	best := "asm"
	if _, err := asm.New(asm.Options{}); err != nil {
		best = "soft"
	}
	if c.Rand() != rand || r.Backend != best {
		t.Errorf("Rand is %v, the report %+v, want %s", c.Rand(), r, best)
	}
	for _, choice := range r.Choices {
		if choice.SelfTest != nil {
			t.Errorf("%s: %v", choice.Primitive, choice.SelfTest)
		}
	}
	t.Setenv(Env, "nonsense")
	if _, _, err := New(Options{}); err == nil || !strings.Contains(err.Error(), "soft") {
		t.Errorf("with an unknown word: %v, want an error with the valid names", err)
	}
	t.Setenv(Env, "soft")
	if _, r, err := New(Options{}); err != nil || r.Backend != "soft" {
		t.Errorf("restricted to soft: %q, %v", r.Backend, err)
	}
	t.Setenv(cpu.Env, "-nonsense")
	if _, _, err := New(Options{}); err == nil {
		t.Error("an unknown word in HARDMLS_CPU is no error")
	}
}
