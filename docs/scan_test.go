package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// places are where something is: the file by what a reader sees.
type places map[string]string

// links lists the places by name; format gets name and file.
func (p places) links(format string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(p)) {
		out = append(out, fmt.Sprintf(format, name, p[name]))
	}
	return strings.Join(out, ", ")
}

func (p *places) add(name, file string) {
	if *p == nil {
		*p = places{}
	}
	(*p)[name] = file
}

// checkUses is where one check appears.
type checkUses struct {
	code     places // files that use its constant
	comments places // files that name it in a comment
	named    places // tests that bear its number
	mentions places // tests and their helpers that name it inside
}

var (
	checkNumber = regexp.MustCompile(`V(\d{3})`)
	checkRange  = regexp.MustCompile(`V(\d{3})[–-]V?(\d{3})`)
	quoted      = regexp.MustCompile(`"V\d{3}"`)
)

// numbersIn returns the checks that text names, ranges included. A quoted number
// shows how numbers look.
func numbersIn(text string) (ids []string) {
	text = quoted.ReplaceAllString(text, "")
	for _, m := range checkRange.FindAllStringSubmatch(text, -1) {
		from, _ := strconv.Atoi(m[1])
		to, _ := strconv.Atoi(m[2])
		for n := from; n <= to; n++ {
			ids = append(ids, fmt.Sprintf("V%03d", n))
		}
	}
	return append(ids, checkNumber.FindAllString(text, -1)...)
}

// scanChecks reads the Go files of the module for the numbers of checks, but for
// package inspect, which reports on them and refuses no message.
func scanChecks(t *testing.T) map[string]*checkUses {
	t.Helper()
	uses := map[string]*checkUses{}
	of := func(id string) *checkUses {
		if uses[id] == nil {
			uses[id] = new(checkUses)
		}
		return uses[id]
	}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name != "." && strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"docs", "internal/check", "internal/inspect", "testvectors/official"}, name)):
			return fs.SkipDir
		case strings.HasSuffix(name, "_test.go"):
			scanTest(t, name, of)
		case strings.HasSuffix(name, ".go"):
			scanCode(t, name, of)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return uses
}

func scanCode(t *testing.T, name string, of func(string) *checkUses) {
	file, err := parser.ParseFile(token.NewFileSet(), name, read(t, name), parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "check" && checkNumber.MatchString(s.Sel.Name) {
				of(s.Sel.Name).code.add(name, name)
			}
		}
		return true
	})
	for _, c := range file.Comments {
		for _, id := range numbersIn(c.Text()) {
			of(id).comments.add(name, name)
		}
	}
}

func scanTest(t *testing.T, name string, of func(string) *checkUses) {
	source, files := read(t, name), token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		from := f.Pos()
		if f.Doc != nil {
			from = f.Doc.Pos()
		}
		if strings.HasPrefix(f.Name.Name, "Test") {
			for _, id := range numbersIn(f.Name.Name) {
				of(id).named.add(f.Name.Name, name)
			}
		}
		for _, id := range numbersIn(source[files.Position(from).Offset:files.Position(f.End()).Offset]) {
			of(id).mentions.add(f.Name.Name, name)
		}
	}
}
