package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// An upstream is a small local repository in place of both public ones.
type upstream struct {
	repo, sums, dest string
	files            map[string]string // path in the repository → content
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("SKIPPED: no git here")
	}
	dir := t.TempDir()
	u := &upstream{
		repo: filepath.Join(dir, "repo"),
		sums: filepath.Join(dir, "sums"),
		dest: filepath.Join(dir, "checkout", "official"),
		files: map[string]string{
			"test-vectors/tree-math.json":     "[1]\r\n",
			"test-vectors/not-asked-for.json": "[]",
			"testvectors_v1/x25519_test.json": `{"numberOfTests":1}`,
		},
	}
	lines := ""
	for name, path := range map[string]string{
		"mls/tree-math.json":          "test-vectors/tree-math.json",
		"wycheproof/x25519_test.json": "testvectors_v1/x25519_test.json",
	} {
		lines += fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(u.files[path])), name)
	}
	write(t, u.sums, lines)
	u.commit(t)
	return u
}

// commit makes the repository anew from u.files and sets it as both sources.
func (u *upstream) commit(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(u.repo); err != nil {
		t.Fatal(err)
	}
	for path, content := range u.files {
		write(t, filepath.Join(u.repo, path), content)
	}
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", u.repo, "-c", "user.name=t", "-c", "user.email=t@example.org",
			"-c", "core.autocrlf=false", "-c", "commit.gpgsign=false"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "--quiet")
	git("config", "uploadpack.allowFilter", "true")
	git("add", ".")
	git("commit", "--quiet", "-m", "vectors")
	head := git("rev-parse", "HEAD")
	for _, s := range sources {
		t.Setenv(s.env+"_REPO", "file://"+filepath.ToSlash(u.repo))
		t.Setenv(s.env+"_COMMIT", head)
	}
}

func (u *upstream) fetch(t *testing.T) error {
	t.Helper()
	return run(t.Context(), []string{"-dest", u.dest, "-sums", u.sums}, t.Output())
}

// left returns every path below the parent of the destination.
func (u *upstream) left(t *testing.T) (paths []string) {
	t.Helper()
	top := filepath.Dir(u.dest)
	err := filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(top, path)
			paths = append(paths, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return paths
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

func TestFetch(t *testing.T) {
	u := newUpstream(t)
	if err := u.fetch(t); err != nil {
		t.Fatal(err)
	}
	want := "official/mls/tree-math.json official/wycheproof/x25519_test.json"
	if got := strings.Join(u.left(t), " "); got != want {
		t.Fatalf("left %q, want %q", got, want)
	}
	if b, _ := os.ReadFile(filepath.Join(u.dest, "mls", "tree-math.json")); string(b) != u.files["test-vectors/tree-math.json"] {
		t.Errorf("content %q", b)
	}

	// Complete: the source is not asked again.
	if err := os.RemoveAll(u.repo); err != nil {
		t.Fatal(err)
	}
	if err := u.fetch(t); err != nil {
		t.Errorf("second run: %v", err)
	}
}

func TestFetchRepairs(t *testing.T) {
	u := newUpstream(t)
	write(t, filepath.Join(u.dest, "mls", "tree-math.json"), "[2]")
	write(t, filepath.Join(u.dest, "mls", "of-an-older-corpus.json"), "[]")
	if err := u.fetch(t); err != nil {
		t.Fatal(err)
	}
	if got := len(u.left(t)); got != 2 {
		t.Errorf("left %v, want the two files of the corpus", u.left(t))
	}
}

func TestFetchFails(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(t *testing.T, u *upstream)
		want   string
	}{
		{"altered byte", func(t *testing.T, u *upstream) {
			u.files["test-vectors/tree-math.json"] = "[2]\r\n"
			u.commit(t)
		}, "mls/tree-math.json: SHA-256"},
		{"missing file", func(t *testing.T, u *upstream) {
			delete(u.files, "testvectors_v1/x25519_test.json")
			u.commit(t)
		}, "wycheproof: git checkout"},
		{"unknown commit", func(t *testing.T, u *upstream) {
			t.Setenv("HARDMLS_MLS_COMMIT", strings.Repeat("1", 40))
		}, "mls: git fetch"},
		{"no repository", func(t *testing.T, u *upstream) {
			t.Setenv("HARDMLS_WYCHEPROOF_REPO", filepath.Join(u.repo, "absent"))
		}, "wycheproof: git fetch"},
		{"source that looks like an option", func(t *testing.T, u *upstream) {
			t.Setenv("HARDMLS_MLS_REPO", "--upload-pack=false")
		}, "mls: git"},
		{"a branch instead of a commit", func(t *testing.T, u *upstream) {
			t.Setenv("HARDMLS_MLS_COMMIT", "main")
		}, "mls: commit"},
		{"bad sums", func(t *testing.T, u *upstream) {
			write(t, u.sums, strings.Repeat("0", 64)+"  ../mls/escape.json\n")
		}, "sums: name"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, before := range []bool{false, true} {
				u := newUpstream(t)
				want := 0
				if before { // an older corpus stays as it was
					write(t, filepath.Join(u.dest, "mls", "tree-math.json"), "old")
					want = 1
				}
				tc.change(t, u)
				if err := u.fetch(t); err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("error %v, want one with %q", err, tc.want)
				}
				if left := u.left(t); len(left) != want {
					t.Errorf("left %v, want %d files", left, want)
				}
			}
		})
	}
}

func TestFetchInterrupted(t *testing.T) {
	u := newUpstream(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, []string{"-dest", u.dest, "-sums", u.sums}, io.Discard); err == nil {
		t.Error("no error")
	}
	if left := u.left(t); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}
