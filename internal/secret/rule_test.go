package secret

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const importPath = "github.com/hardmls/hardmls/internal/secret"

// breaches returns the places of f that name the type Secret other than as
// *Secret, which is every declaration that would hold or pass one by value, and
// those that append to the bytes of one, which would leave a copy behind.
func breaches(fset *token.FileSet, f *ast.File, inside bool) []string {
	name := ""
	for _, imp := range f.Imports {
		if path, _ := strconv.Unquote(imp.Path.Value); path == importPath {
			name = "secret"
			if imp.Name != nil {
				name = imp.Name.Name
			}
		}
	}
	if name == "" && !inside {
		return nil
	}
	isSecret := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			return ok && x.Name == name && n.Sel.Name == "Secret"
		case *ast.Ident:
			return inside && n.Name == "Secret"
		}
		return false
	}
	var found []string
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.StarExpr:
			return !isSecret(n.X)
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "append" && isBytes(n.Args[0]) {
				found = append(found, fset.Position(n.Pos()).String())
			}
		case *ast.SelectorExpr:
			if !isSecret(n) {
				return !inside // there, b.Secret is a field of that name
			}
		case *ast.TypeSpec:
			if inside && n.Name.Name == "Secret" {
				return false
			}
			if inside && n.Name.Name == "block" {
				return false // the allocation itself
			}
		}
		if n != nil && isSecret(n) {
			found = append(found, fset.Position(n.Pos()).String())
			return false
		}
		return true
	})
	return found
}

// isBytes reports whether e is a call of a method Bytes, or a slice of one.
func isBytes(e ast.Expr) bool {
	if s, ok := e.(*ast.SliceExpr); ok {
		e = s.X
	}
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	return ok && method.Sel.Name == "Bytes" && len(call.Args) == 0
}

func parse(t *testing.T, fset *token.FileSet, path string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestNoSecretByValue holds the whole module to the rule.
func TestNoSecretByValue(t *testing.T) {
	root := filepath.Join("..", "..")
	fset := token.NewFileSet()
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() && path != root && (base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(base, ".go") {
			return nil
		}
		files++
		inside := path == filepath.Join(root, "internal", "secret", "secret.go")
		for _, at := range breaches(fset, parse(t, fset, path), inside) {
			t.Errorf("%s: secret.Secret other than as *secret.Secret, or append to its bytes", at)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 10 {
		t.Fatalf("looked at %d files only", files)
	}
}

// TestRuleIsNoticed is the positive control of both guards: the rule above and
// vet's copylocks.
func TestRuleIsNoticed(t *testing.T) {
	path := filepath.Join("testdata", "copies", "copies.go")
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	lines := func(tag string) (want []int) {
		for _, g := range f.Comments {
			if strings.HasPrefix(g.Text(), tag) {
				want = append(want, fset.Position(g.Pos()).Line)
			}
		}
		return want
	}
	got := strings.Join(breaches(fset, f, false), "\n")
	for _, line := range lines("rule:") {
		if !strings.Contains(got, fmt.Sprintf("copies.go:%d:", line)) {
			t.Errorf("line %d was not noticed; found:\n%s", line, got)
		}
	}
	if n := len(lines("rule:")); n != 5 || strings.Count(got, "copies.go:") != n {
		t.Errorf("want exactly the %d marked places, found:\n%s", n, got)
	}

	tool, err := exec.LookPath("go")
	if err != nil || testing.Short() {
		t.Skip("no go command, or a short run: vet's copylocks check not tried")
	}
	out, err := exec.Command(tool, "vet", "-copylocks", "./testdata/copies").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "assignment copies lock value") {
		t.Errorf("go vet did not notice a copied Secret: %v\n%s", err, out)
	}
}
