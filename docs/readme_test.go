package docs

import (
	"regexp"
	"strings"
	"testing"
)

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// TestReadmeCode: the Go code of the README is an example's, line by line, so
// it compiles and runs.
func TestReadmeCode(t *testing.T) {
	example := unindented(read(t, "mls/example_test.go"))
	blocks := goBlock.FindAllStringSubmatch(read(t, "README.md"), -1)
	if len(blocks) == 0 {
		t.Error("README shows no code")
	}
	for _, m := range blocks {
		if !strings.Contains(example, "\n"+unindented(m[1])) {
			t.Errorf("not in mls/example_test.go:\n%s", m[1])
		}
	}
}

// unindented returns text without the indentation of its lines.
func unindented(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimLeft(l, "\t")
	}
	return strings.Join(lines, "\n")
}

var (
	subcommand = regexp.MustCompile(`\bhardmls ([a-z]+)`)
	declared   = regexp.MustCompile(`Use: +"([a-z]+)`)
	errorName  = regexp.MustCompile("`(Err[A-Z]\\w+)`")
)

// TestSubcommands: what documents tell a reader to run with hardmls exists.
func TestSubcommands(t *testing.T) {
	var source strings.Builder
	for _, name := range goFiles(t, "cmd/hardmls") {
		source.WriteString(read(t, name))
	}
	have := map[string]bool{}
	for _, m := range declared.FindAllStringSubmatch(source.String(), -1) {
		have[m[1]] = true
	}
	for name, text := range documents(t) {
		for _, span := range code.FindAllStringSubmatch(text, -1) {
			if m := subcommand.FindStringSubmatch(span[1] + span[2]); m != nil && !have[m[1]] {
				t.Errorf("%s runs `hardmls %s`, which does not exist", name, m[1])
			}
		}
	}
}

// TestReadmeErrors: the errors that the README explains are those of package mls.
func TestReadmeErrors(t *testing.T) {
	source := read(t, "mls/errors.go")
	for _, m := range errorName.FindAllStringSubmatch(read(t, "README.md"), -1) {
		if !strings.Contains(source, "\t"+m[1]+" ") {
			t.Errorf("README names %s, which mls/errors.go does not have", m[1])
		}
	}
}

var apiName = regexp.MustCompile(`[A-Z]\w+`)

var exampleName = regexp.MustCompile("`(Example\\w*)`")

// TestExamples: the examples that the documents name are there.
func TestExamples(t *testing.T) {
	var source strings.Builder
	for _, name := range goFiles(t, "mls") {
		source.WriteString(read(t, name))
	}
	found := 0
	for name, text := range documents(t) {
		for _, m := range exampleName.FindAllStringSubmatch(text, -1) {
			found++
			if !strings.Contains(source.String(), "\nfunc "+m[1]+"() {") {
				t.Errorf("%s names %s, which mls does not have", name, m[1])
			}
		}
	}
	if found == 0 {
		t.Error("no document names an example")
	}
}

// TestOpenMLSMap: the names in the map's second column are in the code.
func TestOpenMLSMap(t *testing.T) {
	var source strings.Builder
	for _, folder := range []string{"mls", "provider"} {
		for _, name := range goFiles(t, folder) {
			source.WriteString(read(t, name))
		}
	}
	for line := range strings.Lines(read(t, "docs/openmls.md")) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		for _, span := range code.FindAllStringSubmatch(cells[2], -1) {
			for _, name := range apiName.FindAllString(span[1], -1) {
				declared := regexp.MustCompile(`(?m)^(?:func|type|\t)[^=\n]*\b` + name + `\b`)
				if !declared.MatchString(source.String()) {
					t.Errorf("docs/openmls.md names %s, which mls and provider do not have", name)
				}
			}
		}
	}
}
