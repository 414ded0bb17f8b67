// Package testvectors finds and loads test vectors: the official ones, the
// files of the MLS working group and of Wycheproof, from a directory that the
// project does not hold, and a few of our own, which it does.
//
// It is data and a loader. It checks that a file is there and decodes; what the
// data mean is for the caller to test. It imports no other package of the
// module, so that tests of every package may use it.
//
// The official directory has the folders mls and wycheproof, and is the first
// of these that there is:
//
//   - the directory that the environment variable HARDMLS_VECTORS names
//     (relative to the current directory or to the root of the checkout);
//   - shared/vectors beside the checkout, for a machine with several checkouts;
//   - testvectors/official in the checkout, where `make vectors` puts it.
//
// Our own vectors have the same layout and formats and are in every build.
package testvectors

//go:generate go run ./generate

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Env is the environment variable that names the official directory. Where it
// is set nothing else is looked at.
const Env = "HARDMLS_VECTORS"

// The folders of the official directory.
const (
	FolderMLS        = "mls"
	FolderWycheproof = "wycheproof"
)

// module is the first line of the go.mod at the root of the checkout.
const module = "module github.com/hardmls/hardmls"

// ErrAbsent is returned where no official directory is set or found.
var ErrAbsent = errors.New("testvectors: no official vectors here: set " + Env + " or run `make vectors`")

// Sums lists every official file with its SHA-256, in the format of sha256sum:
// hexadecimal digest, two spaces, folder/file.
//
//go:embed SHA256SUMS
var Sums string

// Names returns the names of the official files in folder, as Sums lists them.
func Names(folder string) []string {
	var names []string
	for line := range strings.Lines(Sums) {
		_, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if dir, file := path.Split(name); dir == folder+"/" {
			names = append(names, file)
		}
	}
	return names
}

// Locate returns the official directory. The error is ErrAbsent if there is
// none, and another one if HARDMLS_VECTORS names something that is no
// directory: who sets it means it.
func Locate() (string, error) {
	named := os.Getenv(Env)
	if named != "" && isDir(named) {
		return named, nil
	}
	root, err := checkout()
	if named != "" {
		// A test stands in its package's directory, who set the variable
		// stood at the root.
		if dir := filepath.Join(root, named); err == nil && !filepath.IsAbs(named) && isDir(dir) {
			return dir, nil
		}
		return "", fmt.Errorf("testvectors: %s: %q is no directory", Env, named)
	}
	if err != nil {
		return "", err
	}
	for _, dir := range []string{
		filepath.Join(filepath.Dir(root), "shared", "vectors"), // see Env: HARDMLS_VECTORS
		filepath.Join(root, "testvectors", "official"),
	} {
		if isDir(filepath.Join(dir, FolderMLS)) {
			return dir, nil
		}
	}
	return "", ErrAbsent
}

// Dir returns the official directory and whether there is one.
func Dir() (string, bool) {
	dir, err := Locate()
	return dir, err == nil
}

// Load decodes the JSON file at dir/folder/file into v. Fields that v does not
// have are ignored.
func Load(dir, folder, file string, v any) error {
	return load(os.DirFS(dir), folder, file, v)
}

func load(fsys fs.FS, folder, file string, v any) error {
	b, err := fs.ReadFile(fsys, path.Join(folder, file))
	if err != nil {
		return fmt.Errorf("testvectors: %w", err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("testvectors: %s/%s: %w", folder, file, err)
	}
	return nil
}

// TB is the part of testing.TB that the loaders need; it keeps package testing
// out of programs that only want Locate and Load.
type TB interface {
	Helper()
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// MLS decodes an official file of the MLS working group, such as
// "tree-math.json", into v. Without an official directory the test is skipped,
// and fails where the environment variable CI is set. A file that is missing or
// does not decode is always a failure.
func MLS(t TB, file string, v any) {
	t.Helper()
	official(t, FolderMLS, file, v)
}

// Wycheproof decodes a file of Wycheproof, such as "x25519_test.json", into v,
// under the conditions of MLS.
func Wycheproof(t TB, file string, v any) {
	t.Helper()
	official(t, FolderWycheproof, file, v)
}

// Own decodes a file of our own vectors, in the formats of the MLS working
// group, such as "key-schedule.json", into v. It never skips.
func Own(t TB, file string, v any) {
	t.Helper()
	if err := load(OwnFS(), FolderMLS, file, v); err != nil {
		t.Fatalf("%v", err)
	}
}

//go:embed own/mls/*.json
var own embed.FS

// OwnFS returns our own vectors, laid out as an official directory is.
func OwnFS() fs.FS {
	sub, err := fs.Sub(own, "own")
	if err != nil {
		panic(err) // the name is valid
	}
	return sub
}

func official(t TB, folder, file string, v any) {
	t.Helper()
	dir, err := Locate()
	if errors.Is(err, ErrAbsent) && os.Getenv("CI") == "" {
		t.Skipf("SKIPPED, NOTHING TESTED: %s/%s: %v", folder, file, err)
		return
	}
	if err == nil {
		err = Load(dir, folder, file, v)
	}
	if err != nil {
		t.Fatalf("%s/%s: %v", folder, file, err)
	}
}

// checkout returns the root of the module's source tree that holds the current
// directory, which for a test is its package's; ErrAbsent outside of it.
func checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("testvectors: %w", err)
	}
	for {
		b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(b), module+"\n") {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", ErrAbsent
		}
		dir = parent
	}
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}
