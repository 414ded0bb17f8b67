package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/auto"
	"github.com/hardmls/hardmls/provider/pkcs11"
	"github.com/hardmls/hardmls/storage/bbolt"
)

// softToken makes a token in software and returns the flags that name it.
func softToken(t *testing.T) (flags []string, module, pinFile string) {
	t.Helper()
	if !pkcs11.Built {
		if _, errs, code := hardmls(t, "hsm", "list", "--module", "m"); code != exitError || !strings.Contains(errs, "build with cgo") {
			t.Errorf("exit %d: %s", code, errs)
		}
		t.Skip("built without PKCS#11")
	}
	for _, m := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so"} {
		if _, err := os.Stat(m); err == nil {
			module = m
		}
	}
	tool, err := exec.LookPath("softhsm2-util")
	if module == "" || err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no SoftHSM: make hsm-deps installs it")
		}
		t.Skip("no SoftHSM: make hsm-deps installs it")
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf")
	for name, text := range map[string]string{
		conf:                          fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", dir),
		filepath.Join(dir, "pin"):     "1234\n",
		filepath.Join(dir, "pin-bad"): "9999",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	if out, err := exec.CommandContext(t.Context(), tool, "--init-token", "--free", "--label", "test", "--pin", "1234", "--so-pin", "5678").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	pinFile = filepath.Join(dir, "pin")
	return []string{"--module", module, "--token", "test", "--pin-file", pinFile}, module, pinFile
}

// hsm runs a command on the token that must work.
func hsm(t *testing.T, flags []string, args ...string) string {
	t.Helper()
	out, errs, code := hardmls(t, append(append([]string{"hsm"}, args...), flags...)...)
	if code != 0 {
		t.Fatalf("hsm %s: exit %d: %s%s", args[0], code, out, errs)
	}
	return out
}

// TestHSM: an operator's way through a new token.
func TestHSM(t *testing.T) {
	flags, module, pin := softToken(t)
	if out := hsm(t, flags, "list"); !strings.Contains(out, "no private keys") {
		t.Errorf("list of an empty token: %s", out)
	}
	var check hsmCheck
	if err := json.Unmarshal([]byte(hsm(t, flags, "check", "--json", "--time", "20ms", "--sessions", "4")), &check); err != nil {
		t.Fatal(err)
	}
	if len(check.Suites) != 7 || len(check.Rates) != 3 || check.Knee == 0 || check.PIN != "good" || check.Condition != "healthy" || len(check.Problems) > 0 {
		t.Errorf("check: %+v", check)
	}
	if out := hsm(t, flags, "list"); !strings.Contains(out, "no private keys") {
		t.Errorf("check left a key behind: %s", out)
	}
	if out := hsm(t, flags, "check", "--time", "20ms", "--sessions", "2"); !strings.Contains(out, "all is well") || !strings.Contains(out, "CKM_ECDSA") {
		t.Errorf("check: %s", out)
	}
	for _, scheme := range []string{"ed25519", "p256", "p384", "p521"} {
		hsm(t, flags, "keygen", "--label", scheme, "--scheme", scheme)
		if out := hsm(t, flags, "sign-test", "--label", scheme, "--count", "5"); !strings.Contains(out, "5 of 5 are good") {
			t.Errorf("%s: %s", scheme, out)
		}
	}
	var keys []keyRow
	if err := json.Unmarshal([]byte(hsm(t, flags, "list", "--json")), &keys); err != nil {
		t.Fatal(err)
	}
	if len(keys) != 4 || keys[0].Use != "sign" || keys[0].Extractable || keys[0].PublicKey == "" {
		t.Errorf("keys: %+v", keys)
	}
	for _, label := range []string{"ed25519", "p384"} {
		if out := hsm(t, flags, "demo", "--label", label, "hsm.go"); !strings.Contains(out, "alice     signs with") || !strings.Contains(out, "carol ✓") {
			t.Errorf("demo: %s", out)
		}
	}

	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"wrong PIN":     {[]string{"list", "--module", module, "--token", "test", "--pin-file", pin + "-bad"}, exitError, "one attempt was made"},
		"no PIN":        {[]string{"list", "--module", module, "--token", "test"}, exitError, "--pin-file"},
		"no module":     {[]string{"list", "--module", "/no/such.so"}, exitError, "/no/such.so"},
		"no token":      {[]string{"list", "--module", module, "--token", "other", "--pin-file", pin}, exitError, `"test"`},
		"no such key":   {append([]string{"sign-test", "--label", "nobody"}, flags...), exitError, "hardmls hsm list"},
		"which token":   {[]string{"list"}, exitUsage, "--module"},
		"unknown curve": {append([]string{"keygen", "--label", "x", "--scheme", "rsa"}, flags...), exitUsage, "p256"},
		"no label":      {append([]string{"keygen"}, flags...), exitUsage, "--label"},
		"two PINs":      {append([]string{"list", "--pin-env", "X"}, flags...), exitUsage, "not both"},
		"bad id":        {append([]string{"sign-test", "--id", "xyz"}, flags...), exitUsage, "--id"},
		"no store":      {append([]string{"sweep"}, flags...), exitUsage, "--store"},
		"absent store":  {append([]string{"sweep", "--store", "/no/such"}, flags...), exitError, "/no/such"},
	} {
		_, errs, code := hardmls(t, append([]string{"hsm"}, tc.args...)...)
		if code != tc.code || !strings.Contains(errs, tc.want) {
			t.Errorf("%s: exit %d: %s", name, code, errs)
		}
		if strings.Contains(errs, "1234") || strings.Contains(errs, "9999") {
			t.Errorf("%s: the PIN is shown", name)
		}
	}
	hsm(t, flags, "list") // the wrong PIN above locked nothing
}

// TestHSMSweep: a key that a crash left behind is found and removed, those of a
// group, a pending commit and a key package stay.
func TestHSMSweep(t *testing.T) {
	flags, module, pin := softToken(t)
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "store")
	store, err := bbolt.Open(path, bbolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := pkcs11.Open(ctx, pkcs11.Config{Module: module, TokenLabel: "test", PIN: pkcs11.PINFile(pin)})
	if err != nil {
		t.Fatal(err)
	}
	crypto, _, err := auto.New(auto.Options{})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := tok.GenerateKey(ctx, provider.ECDSA_P256_SHA256, pkcs11.KeyOptions{Label: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	p := provider.Bundle{Backend: crypto, Custody: []provider.Keys{tok.Keys()}, Store: store}
	cfg := mls.Config{Authenticator: trustAll, CipherSuite: provider.P256_AES128GCM_SHA256_P256}
	alice := mls.BasicCredential([]byte("alice"))
	g, err := mls.NewGroup(ctx, p, signer, alice, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Commit(ctx, mls.CommitOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := mls.NewKeyPackage(ctx, p, signer, alice, cfg); err != nil {
		t.Fatal(err)
	}
	suite, err := crypto.Suite(cfg.CipherSuite)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := tok.Keys().Generate(ctx, suite, provider.LeafKey); err != nil { // and a crash
		t.Fatal(err)
	}
	id := g.ID()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := tok.Close(); err != nil {
		t.Fatal(err)
	}

	sweep := func(args ...string) (r sweepResult) {
		t.Helper()
		if err := json.Unmarshal([]byte(hsm(t, flags, append([]string{"sweep", "--json", "--store", path}, args...)...)), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := sweep(); r.Objects != 5 || r.Named != 4 || r.Young != 1 || len(r.Orphans) != 0 {
		t.Errorf("too young: %+v", r)
	}
	if r := sweep("--older-than", "-1s"); len(r.Orphans) != 1 || r.Removed != 0 {
		t.Errorf("without --remove: %+v", r)
	}
	if out := hsm(t, flags, "sweep", "--store", path, "--older-than", "-1s", "--remove"); !strings.Contains(out, "removed   1") {
		t.Errorf("with --remove: %s", out)
	}
	if r := sweep("--older-than", "-1s"); r.Objects != 4 || r.Named != 4 {
		t.Errorf("afterwards: %+v", r)
	}
	if store, err = bbolt.Open(path, bbolt.Options{MustExist: true}); err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if tok, err = pkcs11.Open(ctx, pkcs11.Config{Module: module, TokenLabel: "test", PIN: pkcs11.PINFile(pin)}); err != nil {
		t.Fatal(err)
	}
	defer tok.Close()
	if signer, err = tok.Signer(ctx, pkcs11.Query{Label: "alice"}); err != nil {
		t.Fatal(err)
	}
	p.Store, p.Custody = store, []provider.Keys{tok.Keys()}
	if g, err = mls.LoadGroup(ctx, p, id, mls.Signers(signer), cfg); err != nil {
		t.Fatal(err)
	}
	if err := g.MergePending(ctx); err != nil {
		t.Errorf("the group after the sweep: %v", err)
	}
}
