package docs

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hardmls/hardmls/internal/check"
)

//go:generate go test -run TestValidation$ -update

var update = flag.Bool("update", false, "write validation.md anew")

const validationHead = `# Checks

What RFC 9420 demands of a receiver, check by check: the number in errors
(` + "`mls.Check`" + `), the section, the class of error and OpenMLS's name of the
check, the files that make it, and the tests that see it refuse.

Where authentication failed, the error is ` + "`mls.ErrDecrypt`" + ` alone, which carries no
number. Where a file stands in parentheses, it names the check in a comment and
makes it in another way than by an error of that number: by a state, by what it
deletes, or by construction. A dash is a gap: nothing in the code, or no test,
names the check.

This file is made of ` + "`docs/checks.txt`" + `, the table of ` + "`internal/check`" + ` and the code:
` + "`go generate ./docs`" + `.

`

// TestValidation: validation.md says what the code says.
func TestValidation(t *testing.T) {
	want := validation(t)
	if *update {
		if err := os.WriteFile("validation.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if read(t, "docs/validation.md") != want {
		t.Error("docs/validation.md is out of date: go generate ./docs")
	}
}

// TestChecksAreDescribed: checks.txt has the checks of internal/check, in order.
func TestChecksAreDescribed(t *testing.T) {
	var described []string
	for _, c := range describedChecks(t) {
		described = append(described, c.id.String())
	}
	var numbered []string
	for _, m := range regexp.MustCompile(`(?m)^\t(V\d{3}) +ID = `).FindAllStringSubmatch(read(t, "internal/check/table.go"), -1) {
		numbered = append(numbered, m[1])
	}
	if got, want := strings.Join(described, " "), strings.Join(numbered, " "); got != want {
		t.Errorf("checks.txt describes\n%s\ninternal/check has\n%s", got, want)
	}
}

type described struct {
	id   check.ID
	text string
}

func describedChecks(t *testing.T) (cs []described) {
	t.Helper()
	for line := range strings.Lines(read(t, "docs/checks.txt")) {
		var c described
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		if _, err := fmt.Sscanf(name, "V%d", &c.id); err != nil {
			t.Fatalf("checks.txt: %q: %v", line, err)
		}
		c.text = text
		cs = append(cs, c)
	}
	return cs
}

// validation returns validation.md as it should be.
func validation(t *testing.T) string {
	uses := scanChecks(t)
	var b strings.Builder
	b.WriteString(validationHead)
	b.WriteString("| check | § | what | class | OpenMLS | made in | tests |\n|---|---|---|---|---|---|---|\n")
	for _, c := range describedChecks(t) {
		u := uses[c.id.String()]
		if u == nil {
			u = new(checkUses)
		}
		made := u.code.links("[%s](../%[2]s)")
		if made == "" {
			made = u.comments.links("([%s](../%[2]s))")
		}
		tests := u.named.links("[%s](../%s)")
		if tests == "" {
			tests = u.mentions.links("([%s](../%s))")
		}
		class := "–"
		if err := c.id.Class().Err(); err != nil {
			class = err.Error()
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", c.id, sectionLinks(c.id.Section()),
			strings.ReplaceAll(c.text, "|", `\|`), class, orDash(c.id.OpenMLS()), orDash(made), orDash(tests))
	}
	return b.String()
}

var sectionNumber = regexp.MustCompile(`\d+(\.\d+)*`)

func sectionLinks(s string) string {
	return orDash(sectionNumber.ReplaceAllString(s, "[$0](https://www.rfc-editor.org/rfc/rfc9420#section-$0)"))
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
