package layering

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A pkg is what `go list -deps -json` says of one package.
type pkg struct {
	ImportPath string
	GoFiles    []string // none: a folder of tests
	Imports    []string
	Deps       []string
	Module     *struct{ Path string }
}

// list returns the packages of the module and all that they depend on.
func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,GoFiles,Imports,Deps,Module", "./...")
	cmd.Dir = "../.."
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			return pkgs
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		pkgs = append(pkgs, p)
	}
}

// own returns the path of p below the module, and whether p belongs to it.
func own(path string) (string, bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

func match(pattern, path string) bool {
	if tree, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == tree || strings.HasPrefix(path, tree+"/")
	}
	return path == pattern
}

func matchAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, path) })
}

// place returns the first layer and pattern that path matches.
func place(path string) (layer int, pattern string, ok bool) {
	for i, l := range layers {
		for _, p := range l {
			if match(p, path) {
				return i, p, true
			}
		}
	}
	return 0, "", false
}

// violations returns what pkgs do against layers and fences.
func violations(pkgs []pkg) (bad []string) {
	for _, p := range pkgs {
		from, ok := own(p.ImportPath)
		if !ok || len(p.GoFiles) == 0 {
			continue
		}
		layer, pattern, ok := place(from)
		if !ok {
			bad = append(bad, fmt.Sprintf("%s has no place in the import order", from))
			continue
		}
		for _, imp := range p.Imports {
			to, ours := own(imp)
			if !ours {
				to = imp
			} else if l, pat, ok := place(to); ok && l >= layer && !(pat == pattern && strings.HasSuffix(pat, "/...")) {
				bad = append(bad, fmt.Sprintf("%s imports %s, which does not stand before it", from, to))
			}
			for _, f := range fences {
				if matchAny(f.behind, to) && !matchAny(f.open, from) && !matchAny(f.behind, from) {
					bad = append(bad, fmt.Sprintf("%s imports %s: %s", from, to, f.reason))
				}
			}
			if !ours && strings.Contains(strings.Split(imp, "/")[0], ".") && !fenced(imp) {
				bad = append(bad, fmt.Sprintf("%s imports %s, a module without a place", from, imp))
			}
		}
	}
	return bad
}

func fenced(path string) bool {
	return slices.ContainsFunc(fences, func(f fence) bool { return matchAny(f.behind, path) })
}

// foreign returns the modules that embedded packages need beyond the list.
func foreign(pkgs []pkg) (bad []string) {
	byPath := map[string]pkg{}
	for _, p := range pkgs {
		byPath[p.ImportPath] = p
	}
	for _, p := range pkgs {
		from, ok := own(p.ImportPath)
		if !ok || !matchAny(embedded, from) {
			continue
		}
		for _, dep := range p.Deps {
			m := byPath[dep].Module
			if m == nil || m.Path == module || slices.Contains(modules, m.Path) {
				continue
			}
			bad = append(bad, fmt.Sprintf("%s needs %s of module %s", from, dep, m.Path))
		}
	}
	return bad
}

func TestImportOrder(t *testing.T) {
	pkgs := list(t)
	for _, v := range violations(pkgs) {
		t.Error(v)
	}
	n := 0
	for _, p := range pkgs {
		if _, ok := own(p.ImportPath); ok {
			n++
		}
	}
	if n < 5 {
		t.Errorf("go list shows %d packages of the module: the test looks at the wrong place", n)
	}
}

func TestDependencies(t *testing.T) {
	for _, v := range foreign(list(t)) {
		t.Error(v)
	}
}

// TestViolationsAreFound shows that the checker sees what it is for.
func TestViolationsAreFound(t *testing.T) {
	at := func(path string) string { return module + "/" + path }
	for _, tc := range []struct{ from, imports, want string }{
		{"internal/wire", at("internal/proto"), "does not stand before it"},
		{"internal/wire", at("internal/treemath"), "does not stand before it"},
		{"internal/secrettree", at("internal/schedule"), "does not stand before it"},
		{"internal/framing", at("internal/secrettree"), ""},
		{"provider", at("provider/soft"), "does not stand before it"},
		{"mls", at("provider/soft"), "no backend"},
		{"mls", at("storage/mem"), "no backend"},
		{"mls", at("provider/providertest"), "for tests"},
		{"mls", at("testvectors"), "does not stand before it"},
		{"provider/auto", at("provider/soft"), ""},
		{"cmd/hardmls", at("provider/auto"), ""},
		{"cmd/hardmls", at("cmd/hardmls/internal/table"), ""},
		{"mls", "github.com/cloudflare/circl/dh/x448", "soft's"},
		{"provider/soft", "github.com/cloudflare/circl/dh/x448", ""},
		{"cmd/hardmls", "example.org/m", "without a place"},
		{"internal/framing", "crypto/rand", "source of randomness"},
		{"internal/wire", "unsafe", "memory safety"},
		{"mls", "net/http", "opens no file"},
		{"internal/brandnew", "fmt", "has no place"},
	} {
		got := strings.Join(violations([]pkg{{ImportPath: at(tc.from), GoFiles: []string{"x.go"}, Imports: []string{tc.imports}}}), "\n")
		if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%s imports %s: %q, want %q", tc.from, tc.imports, got, tc.want)
		}
	}

	heavy := pkg{ImportPath: "example.org/heavy", Module: &struct{ Path string }{"example.org/heavy"}}
	allowed := pkg{ImportPath: "golang.org/x/crypto/chacha20poly1305", Module: &struct{ Path string }{"golang.org/x/crypto"}}
	p := pkg{ImportPath: at("mls"), Deps: []string{"fmt", heavy.ImportPath, allowed.ImportPath}}
	if got := foreign([]pkg{heavy, allowed, p}); len(got) != 1 || !strings.Contains(got[0], heavy.ImportPath) {
		t.Errorf("a heavy dependency of mls: %q", got)
	}
}
