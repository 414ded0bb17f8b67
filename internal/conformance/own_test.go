package conformance_test

import (
	"io/fs"
	"path"
	"testing"

	"github.com/hardmls/hardmls/internal/conformance"
	"github.com/hardmls/hardmls/testvectors"
)

// TestOwnVectors runs our own vectors, which are there without a download, and
// leaves none of them out.
func TestOwnVectors(t *testing.T) {
	files := make(map[string]conformance.File)
	for _, f := range conformance.Files() {
		files[path.Join(f.Folder, f.Name)] = f
	}
	names, err := fs.Glob(testvectors.OwnFS(), "*/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d files: %v", len(names), err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, ok := files[name]
			if !ok {
				t.Fatal("nothing runs this file")
			}
			data, err := fs.ReadFile(testvectors.OwnFS(), name)
			if err != nil {
				t.Fatal(err)
			}
			for backend, b := range backends(t) {
				res, err := f.Run(t.Context(), b, data, nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, fail := range res.Failures {
					t.Errorf("%s, case %s: %v", backend, fail.Case, fail.Err)
				}
				if res.Cases == 0 || res.Passed != res.Cases {
					t.Errorf("%s: %d of %d cases passed", backend, res.Passed, res.Cases)
				}
			}
		})
	}
}
