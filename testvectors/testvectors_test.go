package testvectors

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A recorder is a TB that notes how it was ended.
type recorder struct{ skipped, failed string }

func (r *recorder) Helper()                        {}
func (r *recorder) Skipf(format string, a ...any)  { r.skipped = fmt.Sprintf(format, a...) }
func (r *recorder) Fatalf(format string, a ...any) { r.failed = fmt.Sprintf(format, a...) }

// tree makes a checkout in a temporary directory, stands in it and returns it.
func tree(t *testing.T) string {
	t.Helper()
	t.Setenv(Env, "")
	t.Setenv("CI", "")
	root := filepath.Join(t.TempDir(), "checkout")
	write(t, filepath.Join(root, "go.mod"), module+"\n\ngo 1.26\n")
	t.Chdir(root)
	return root
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestLocateOrder(t *testing.T) {
	root := tree(t)
	if dir, err := Locate(); !errors.Is(err, ErrAbsent) {
		t.Fatalf("nothing there: got %q, %v", dir, err)
	}
	named := t.TempDir()
	for _, dir := range []string{
		filepath.Join(root, "testvectors", "official"),
		filepath.Join(filepath.Dir(root), "shared", "vectors"), // goes before official, after HARDMLS_VECTORS
		named,
	} {
		write(t, filepath.Join(dir, FolderMLS, "x.json"), "[]")
		if dir == named {
			t.Setenv(Env, named)
		}
		if got, err := Locate(); err != nil || got != dir {
			t.Errorf("Locate() = %q, %v; want %q", got, err, dir)
		}
	}
	t.Setenv(Env, filepath.Join(named, "absent"))
	if _, err := Locate(); err == nil || errors.Is(err, ErrAbsent) {
		t.Errorf("%s naming no directory: got %v, want an error that is not ErrAbsent", Env, err)
	}
	if _, ok := Dir(); ok {
		t.Errorf("Dir says ok for %s naming no directory", Env)
	}

	write(t, filepath.Join(root, "deep", "x"), "")
	t.Chdir(filepath.Join(root, "deep"))
	t.Setenv(Env, filepath.Join("testvectors", "official"))
	if got, err := Locate(); err != nil || got != filepath.Join(root, "testvectors", "official") {
		t.Errorf("relative to the root of the checkout: %q, %v", got, err)
	}
}

func TestAbsentSkipsAndFailsInCI(t *testing.T) {
	tree(t)
	var r recorder
	MLS(&r, "tree-math.json", nil)
	if r.skipped == "" || r.failed != "" {
		t.Errorf("without CI: %+v, want a skip", r)
	}
	t.Setenv("CI", "true")
	r = recorder{}
	MLS(&r, "tree-math.json", nil)
	if r.skipped != "" || r.failed == "" {
		t.Errorf("with CI: %+v, want a failure", r)
	}
}

func TestLoad(t *testing.T) {
	root := tree(t)
	dir := filepath.Join(root, "testvectors", "official")
	write(t, filepath.Join(dir, "mls", "good.json"), `[{"a":1,"unknown":2}]`)
	write(t, filepath.Join(dir, "wycheproof", "bad.json"), `[{"a":1}`)
	var v []struct{ A int }
	var r recorder
	MLS(&r, "good.json", &v)
	if r != (recorder{}) || len(v) != 1 || v[0].A != 1 {
		t.Errorf("good.json: %+v, %v", r, v)
	}
	MLS(&r, "missing.json", &v)
	if r.failed == "" || r.skipped != "" {
		t.Errorf("a missing file in a directory that is there: %+v, want a failure", r)
	}
	r = recorder{}
	Wycheproof(&r, "bad.json", &v)
	if r.failed == "" {
		t.Error("bad.json decodes")
	}
}

// TestOfficialFiles decodes every file that SHA256SUMS lists.
func TestOfficialFiles(t *testing.T) {
	if n, m := len(Names(FolderMLS)), len(Names(FolderWycheproof)); n != 16 || m != 31 {
		t.Fatalf("SHA256SUMS lists %d files of mls and %d of wycheproof, want 16 and 31", n, m)
	}
	for _, name := range Names(FolderMLS) {
		t.Run(name, func(t *testing.T) {
			var cases []json.RawMessage
			MLS(t, name, &cases)
			if len(cases) == 0 {
				t.Error("no cases")
			}
		})
	}
	for _, name := range Names(FolderWycheproof) {
		t.Run(name, func(t *testing.T) {
			var file struct{ NumberOfTests int }
			Wycheproof(t, name, &file)
			if file.NumberOfTests == 0 {
				t.Error("no cases")
			}
		})
	}
}
