package conformance_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/hardmls/hardmls/internal/conformance"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/asm"
	"github.com/hardmls/hardmls/provider/soft"
	"github.com/hardmls/hardmls/storage/mem"
	"github.com/hardmls/hardmls/testvectors"
)

// backend is provider/soft.
func backend() *conformance.Backend { return backendOf(soft.New(soft.Options{})) }

// backends are all that this machine can run, by name; with -short, the one that
// applications get.
func backends(t *testing.T) map[string]*conformance.Backend {
	m := map[string]*conformance.Backend{"soft": backend()}
	switch c, err := asm.New(asm.Options{}); {
	case err == nil && testing.Short():
		return map[string]*conformance.Backend{"asm": backendOf(c)}
	case err == nil:
		m["asm"] = backendOf(c)
	case !errors.Is(err, asm.ErrNoKernel):
		t.Error(err)
	}
	return m
}

func backendOf(c provider.Crypto) *conformance.Backend {
	return &conformance.Backend{
		Crypto:       c,
		ImportSigner: soft.ImportSigner,
		ImportKey:    soft.ImportKey,
		DH:           soft.TestingOnlyDH,
		Store:        func() provider.Storage { return mem.New() },
	}
}

// TestOfficialVectors runs every case of every official file on every backend.
func TestOfficialVectors(t *testing.T) {
	for name, b := range backends(t) {
		t.Run(name, func(t *testing.T) { officialVectors(t, b) })
	}
}

func officialVectors(t *testing.T, b *conformance.Backend) {
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
			res, err := f.Run(t.Context(), b, data, nil)
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

// TestAlteredDigit shows that a result can be red: one hexadecimal digit of a value
// that a file expects is another.
func TestAlteredDigit(t *testing.T) {
	dir, ok := testvectors.Dir()
	if !ok {
		var none []any
		testvectors.MLS(t, "tree-math.json", &none)
		return
	}
	fields := map[string]string{
		"crypto-basics.json":          "out",
		"secret-tree.json":            "application_nonce",
		"message-protection.json":     "application_priv",
		"key-schedule.json":           "epoch_authenticator",
		"psk_secret.json":             "psk_secret",
		"transcript-hashes.json":      "interim_transcript_hash_after",
		"welcome.json":                "signer_pub",
		"tree-operations.json":        "tree_hash_after",
		"treekem.json":                "commit_secret",
		"passive-client-welcome.json": "initial_epoch_authenticator",
		"aes_gcm_test.json":           "key",
		"ed448_test.json":             "pk",
		"x448_test.json":              "shared",
		"hkdf_sha384_test.json":       "okm",
		"hmac_sha512_test.json":       "key",
	}
	for _, f := range conformance.Files() {
		field, ok := fields[f.Name]
		if !ok {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(filepath.Join(dir, f.Folder, f.Name))
			if err != nil {
				t.Fatal(err)
			}
			res, err := f.Run(t.Context(), backend(), alter(t, data, field), nil)
			if err == nil && len(res.Failures) == 0 {
				t.Errorf("%d of %d cases passed", res.Passed, res.Cases)
			}
		})
	}
}

// alter changes the first digit of the first value of a field.
func alter(t *testing.T, data []byte, field string) []byte {
	t.Helper()
	data = bytes.Clone(data)
	at := bytes.Index(data, []byte(`"`+field+`"`))
	if at < 0 {
		t.Fatalf("no field %s", field)
	}
	at += len(field) + 2
	for data[at] != '"' {
		at++
	}
	at++
	if data[at] == '0' {
		data[at] = '1'
	} else {
		data[at] = '0'
	}
	return data
}
