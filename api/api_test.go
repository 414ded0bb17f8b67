// Package api holds the exported API of the packages that others import, one line a
// symbol, so that a change of it is a change of a file. After one that is meant:
//
//	go generate ./api
package api

//go:generate go test -run ^TestAPI$ -update

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/constant"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the export anew")

const (
	module = "github.com/hardmls/hardmls/"
	export = "hardmls.txt"
)

// TestAPI: the exported API is the one that api/hardmls.txt says.
func TestAPI(t *testing.T) {
	got := exported(t)
	if *update {
		if err := os.WriteFile(export, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(export)
	if err != nil {
		t.Fatal(err)
	}
	old, now := strings.Split(strings.TrimSpace(string(want)), "\n"), strings.Split(strings.TrimSpace(string(got)), "\n")
	for _, l := range old {
		if _, ok := slices.BinarySearch(now, l); !ok {
			t.Errorf("- %s", l)
		}
	}
	for _, l := range now {
		if _, ok := slices.BinarySearch(old, l); !ok {
			t.Errorf("+ %s", l)
		}
	}
	if t.Failed() {
		t.Log("if the change is meant: go generate ./api")
	}
}

// exported lists the API, sorted.
func exported(t *testing.T) []byte {
	t.Helper()
	files, paths := compiled(t)
	imp := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		if f, ok := files[path]; ok {
			return os.Open(f)
		}
		return nil, fmt.Errorf("no export data of %s", path)
	})
	var lines []string
	for _, path := range paths {
		pkg, err := imp.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, symbols(pkg)...)
	}
	if len(lines) < 100 {
		t.Fatalf("only %d symbols", len(lines))
	}
	slices.Sort(lines)
	return []byte(strings.Join(slices.Compact(lines), "\n") + "\n")
}

// compiled builds the packages and returns the export data of all that they need,
// and the import paths of those that others are meant to import.
func compiled(t *testing.T) (files map[string]string, public []string) {
	t.Helper()
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Export,DepOnly,GoFiles,CgoFiles", "./mls/...", "./provider/...", "./storage/...")
	cmd.Dir, cmd.Stderr = "..", os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Export string
			DepOnly            bool
			GoFiles, CgoFiles  []string
		}
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return files, public
		case err != nil:
			t.Fatal(err)
		}
		files[p.ImportPath] = p.Export
		if !p.DepOnly && !strings.Contains(p.ImportPath, "/internal/") && len(p.GoFiles)+len(p.CgoFiles) > 0 {
			public = append(public, p.ImportPath)
		}
	}
}

// symbols lists the exported symbols of a package.
func symbols(pkg *types.Package) (lines []string) {
	name := strings.TrimPrefix(pkg.Path(), module)
	short := func(p *types.Package) string {
		if p == pkg {
			return ""
		}
		return p.Name()
	}
	add := func(format string, args ...any) {
		lines = append(lines, "pkg "+name+", "+fmt.Sprintf(format, args...))
	}
	scope := pkg.Scope()
	for _, n := range scope.Names() {
		obj := scope.Lookup(n)
		if !obj.Exported() {
			continue
		}
		switch obj := obj.(type) {
		case *types.Const:
			if obj.Val().Kind() == constant.Bool { // depends on the build
				add("const %s %s", n, types.TypeString(obj.Type(), short))
				continue
			}
			add("const %s %s = %s", n, types.TypeString(obj.Type(), short), obj.Val().ExactString())
		case *types.Var:
			add("var %s %s", n, types.TypeString(obj.Type(), short))
		case *types.Func:
			add("func %s%s", n, signature(obj, short))
		case *types.TypeName:
			typeSymbols(obj, short, add)
		}
	}
	return lines
}

// typeSymbols lists a type, its fields and its methods.
func typeSymbols(obj *types.TypeName, short types.Qualifier, add func(format string, args ...any)) {
	n := obj.Name()
	if obj.IsAlias() {
		add("type %s = %s", n, types.TypeString(types.Unalias(obj.Type()), short))
		return
	}
	switch u := obj.Type().Underlying().(type) {
	case *types.Struct:
		add("type %s struct", n)
		for f := range u.Fields() {
			if f.Exported() {
				add("type %s struct, %s %s", n, f.Name(), types.TypeString(f.Type(), short))
			}
		}
	case *types.Interface:
		add("type %s interface", n)
		for m := range u.Methods() {
			if m.Exported() {
				add("type %s interface, %s%s", n, m.Name(), signature(m, short))
			} else {
				add("type %s interface, unexported methods", n)
			}
		}
	default:
		add("type %s %s", n, types.TypeString(u, short))
	}
	if types.IsInterface(obj.Type()) {
		return
	}
	set := types.NewMethodSet(types.NewPointer(obj.Type()))
	for sel := range set.Methods() {
		m, ok := sel.Obj().(*types.Func)
		if !ok || !m.Exported() {
			continue
		}
		recv := "*" + n
		if _, byValue := m.Signature().Recv().Type().(*types.Pointer); !byValue {
			recv = n
		}
		add("method (%s) %s%s", recv, m.Name(), signature(m, short))
	}
}

// signature is a function's, with the names of its parameters left out.
func signature(f *types.Func, short types.Qualifier) string {
	bare := func(t *types.Tuple) *types.Tuple {
		var vs []*types.Var
		for v := range t.Variables() {
			vs = append(vs, types.NewVar(token.NoPos, nil, "", v.Type()))
		}
		return types.NewTuple(vs...)
	}
	s := f.Signature()
	s = types.NewSignatureType(nil, nil, nil, bare(s.Params()), bare(s.Results()), s.Variadic())
	return strings.TrimPrefix(types.TypeString(s, short), "func")
}
