package secret

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestLife(t *testing.T) {
	in := []byte("chain secret")
	s := New(in)
	Wipe(in)
	if got := string(s.Bytes()); got != "chain secret" || s.Len() != 12 {
		t.Fatalf("New did not copy: %q, %d", got, s.Len())
	}
	if cap(s.Bytes()) != s.Len() {
		t.Error("append could write into the Secret")
	}
	c := s.Clone()
	if !c.Equal(s) || !s.Equal(c) {
		t.Error("a clone differs")
	}
	live := s.Bytes()
	s.Erase()
	s.Erase()
	if !bytes.Equal(live, make([]byte, 12)) {
		t.Error("Erase left bytes behind")
	}
	if s.Len() != 0 || s.Bytes() != nil {
		t.Error("an erased Secret is not empty")
	}
	if string(c.Bytes()) != "chain secret" {
		t.Error("Erase reached the clone")
	}
	if c.Equal(s) || c.Equal(nil) {
		t.Error("a Secret equals an erased one")
	}
	var none *Secret
	none.Erase()
	if none.Len() != 0 || none.Bytes() != nil || none.Clone().Len() != 0 {
		t.Error("nil is not empty")
	}
	new(Secret).Erase()
}

func TestEqualLengths(t *testing.T) {
	a := New(make([]byte, 32))
	for n := range MaxLen + 1 {
		if got, want := a.Equal(Zero(n)), n == 32; got != want {
			t.Errorf("32 zero bytes equal %d zero bytes: %v", n, got)
		}
	}
	b := a.Clone()
	for i := range b.Bytes() {
		b.Bytes()[i] = 1
		if a.Equal(b) {
			t.Errorf("a difference in byte %d is not seen", i)
		}
		b.Bytes()[i] = 0
	}
}

func TestLengthOutOfRange(t *testing.T) {
	for _, n := range []int{-1, MaxLen + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Zero(%d) did not panic", n)
				}
			}()
			Zero(n)
		}()
	}
}

func TestOneAllocation(t *testing.T) {
	in := make([]byte, 32)
	var sink *Secret
	if n := testing.AllocsPerRun(100, func() { sink = New(in) }); n != 1 {
		t.Errorf("New allocates %v times, want 1", n)
	}
	sink.Erase()
}

type hidden[T any] struct{ v T }

// copyOf is a copy that vet does not see, which is what a leak test needs.
func copyOf[T any](p *T) T { return *p }

// shapes are the ways in which s could reach a printer.
func shapes[T any](s *T) map[string]any {
	return map[string]any{
		"pointer":          s,
		"value":            copyOf(s),
		"slice":            []T{copyOf(s)},
		"slice of pointer": []*T{s},
		"map":              map[string]T{"k": copyOf(s)},
		"map of pointer":   map[string]*T{"k": s},
		"array":            [1]T{copyOf(s)},
		"exported field":   struct{ V T }{copyOf(s)},
		"exported pointer": struct{ V *T }{s},
		"field":            hidden[T]{copyOf(s)},
		"field of pointer": hidden[*T]{s},
		"pointer to field": &hidden[T]{copyOf(s)},
		"deep field":       hidden[hidden[*T]]{hidden[*T]{s}},
		"deep slice":       []hidden[[]*T]{{[]*T{s}}},
		"interface":        hidden[any]{s},
		"interface value":  hidden[any]{copyOf(s)},
		"error":            fmt.Errorf("failed with %v", s),
	}
}

var verbs = []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"}

// leaks returns how text shows needle, or "".
func leaks(text string, needle []byte) string {
	forms := map[string]string{"raw": string(needle)}
	forms["hex"] = hex.EncodeToString(needle)
	var dec, gosyn, esc []string
	for _, c := range needle {
		dec = append(dec, fmt.Sprint(c))
		gosyn = append(gosyn, fmt.Sprintf("0x%x", c))
		esc = append(esc, fmt.Sprintf(`\x%02x`, c))
	}
	forms["decimal"] = strings.Join(dec, " ")
	forms["json"] = strings.Join(dec, ",")
	forms["Go syntax"] = strings.Join(gosyn, ", ")
	forms["escapes"] = strings.Join(esc, "")
	for name, form := range forms {
		if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
			return name
		}
	}
	return ""
}

// print renders v in every way, as way → text.
func print(v any) map[string]string {
	out := map[string]string{}
	for _, verb := range verbs {
		out[verb] = fmt.Sprintf(verb, v)
	}
	j, err := json.Marshal(v)
	out["json"] = fmt.Sprint(string(j), err)
	for name, h := range map[string]func(*bytes.Buffer) slog.Handler{
		"slog text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"slog json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		slog.New(h(&b)).Info("m", "v", v, slog.Group("g", "v", v))
		out[name] = b.String()
	}
	return out
}

// needle is what a leak is recognised by: three bytes of the secret, none of
// which occur in addresses often enough to be found by chance.
var needle = []byte{0xA7, 0xE3, 0xB9}

func TestPrintsNothing(t *testing.T) {
	s := New(bytes.Repeat(needle, 10))
	for shape, v := range shapes(s) {
		for way, text := range print(v) {
			if form := leaks(text, needle); form != "" {
				t.Errorf("%s printed with %s shows the secret (%s): %s", shape, way, form, text)
			}
		}
	}
	if got := fmt.Sprintf("%x", s); got != redacted {
		t.Errorf("printed %q", got)
	}
}

// plain is what a Secret would be without care.
type plain struct {
	n   int
	buf [30]byte
}

func (*plain) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// pointed hides its bytes behind one pointer only.
type pointed struct{ buf *[30]byte }

func (*pointed) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// TestLeakIsNoticed proves that TestPrintsNothing would fail.
func TestLeakIsNoticed(t *testing.T) {
	p := &plain{n: 30}
	copy(p.buf[:], bytes.Repeat(needle, 10))
	for name, all := range map[string]map[string]any{
		"plain":   shapes(p),
		"pointed": shapes(&pointed{&p.buf}),
	} {
		found := map[string]bool{}
		for shape, v := range all {
			for _, text := range print(v) {
				if leaks(text, needle) != "" {
					found[shape] = true
				}
			}
		}
		for _, shape := range []string{"value", "slice", "map", "field"} {
			if !found[shape] {
				t.Errorf("%s by %s leaks and was not noticed", name, shape)
			}
		}
	}
}
