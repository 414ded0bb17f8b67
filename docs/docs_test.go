// Package docs holds the tests of what the documents say of the project.
package docs

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// root is the top of the checkout.
var root = os.DirFS("..")

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := fs.ReadFile(root, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// documents returns the Markdown files of the checkout, by name.
func documents(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."), name == "testvectors/official":
			return fs.SkipDir
		case strings.HasSuffix(name, ".md"):
			docs[name] = read(t, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

// goFiles returns the Go files of a folder, by name.
func goFiles(t *testing.T, folder string) []string {
	t.Helper()
	names, err := fs.Glob(root, folder+"/*.go")
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: no Go files (%v)", folder, err)
	}
	return names
}

var (
	link     = regexp.MustCompile(`\]\(([^)\s#]+)[^)]*\)`)
	code     = regexp.MustCompile("`([^`\n]+)`|(?m)^    (.+)$")
	makeCall = regexp.MustCompile(`^make ([a-z-]+)`)
	folder   = regexp.MustCompile(`^(?:internal|provider|storage|testvectors|docs|cmd|bench|mls)(?:/[a-z0-9_.-]+)+/?$`)
)

// madeLater is what commands of the documents make.
var madeLater = map[string]bool{"testvectors/official": true, "bench/new.txt": true}

// TestReferences: what a document links to, calls or names is there.
func TestReferences(t *testing.T) {
	makefile := read(t, "Makefile")
	for name, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if target := m[1]; !strings.Contains(target, "://") {
				if _, err := fs.Stat(root, path.Join(path.Dir(name), target)); err != nil {
					t.Errorf("%s links to %s: %v", name, target, err)
				}
			}
		}
		for _, m := range code.FindAllStringSubmatch(text, -1) {
			span := strings.TrimSpace(m[1] + m[2])
			if call := makeCall.FindStringSubmatch(span); call != nil && !strings.Contains(makefile, "\n"+call[1]+":") {
				t.Errorf("%s calls `%s`, which the Makefile does not have", name, call[0])
			}
			if folder.MatchString(span) && !madeLater[span] {
				if _, err := fs.Stat(root, strings.TrimRight(span, "/.")); err != nil {
					t.Errorf("%s names `%s`: %v", name, span, err)
				}
			}
		}
	}
}

// TestFirstCommands: a reader who copies README's first command gets the demo,
// with the second the tests.
func TestFirstCommands(t *testing.T) {
	want := []string{"make demo", "make test"}
	for _, m := range code.FindAllStringSubmatch(read(t, "README.md"), -1) {
		if call := makeCall.FindString(m[2]); call != "" {
			if call != want[0] {
				t.Fatalf("README's next command is %q, want %q", call, want[0])
			}
			if want = want[1:]; len(want) == 0 {
				return
			}
		}
	}
	t.Errorf("README does not give the commands %q", want)
}
