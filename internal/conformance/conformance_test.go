package conformance_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hardmls/hardmls/internal/conformance"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
	"github.com/hardmls/hardmls/storage/mem"
	"github.com/hardmls/hardmls/testvectors"
)

func backend() *conformance.Backend {
	return &conformance.Backend{
		Crypto:       soft.New(soft.Options{}),
		ImportSigner: soft.ImportSigner,
		ImportKey:    soft.ImportKey,
		DH:           soft.TestingOnlyDH,
		Store:        func() provider.Storage { return mem.New() },
	}
}

// TestOfficialVectors runs every case of every official file.
func TestOfficialVectors(t *testing.T) {
	for _, f := range conformance.Files() {
		t.Run(f.Folder+"/"+f.Name, func(t *testing.T) {
			t.Parallel()
			var data []byte
			dir, ok := testvectors.Dir()
			if !ok {
				var none []any
				testvectors.MLS(t, f.Name, &none) // skips or fails, and says why
				return
			}
			data, err := os.ReadFile(filepath.Join(dir, f.Folder, f.Name))
			if err != nil {
				t.Fatal(err)
			}
			res, err := f.Run(t.Context(), backend(), data, nil)
			if err != nil {
				t.Fatal(err)
			}
			if res.Cases != f.Want {
				t.Errorf("%d cases, want %d", res.Cases, f.Want)
			}
			for i, fail := range res.Failures {
				if i == 5 {
					t.Errorf("and %d more", len(res.Failures)-i)
					break
				}
				t.Errorf("case %s: %v", fail.Case, fail.Err)
			}
			if res.Passed+res.SkippedTotal() != res.Cases {
				t.Errorf("%d of %d cases passed", res.Passed, res.Cases)
			}
			if f.Folder == "mls" && res.Passed != res.Cases {
				t.Errorf("%d cases skipped", res.SkippedTotal())
			}
		})
	}
}
