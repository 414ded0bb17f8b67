package pkcs11_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/pkcs11"
)

const testPIN = "fedcba-4711"

// lookFor returns the first of paths that exists, or the one that the
// environment names. Without a token there is nothing to test: loudly so, and
// an error in CI.
func lookFor(t testing.TB, what, env string, paths ...string) string {
	t.Helper()
	if !pkcs11.Built {
		t.Skip("built without PKCS#11")
	}
	if p := os.Getenv(env); p != "" {
		paths = []string{p}
	}
	for _, p := range paths {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	text := fmt.Sprintf("NO TOKEN: %s is not installed (looked at %v; %s names another place)", what, paths, env)
	if os.Getenv("CI") != "" {
		t.Fatal(text)
	}
	t.Skip(text)
	return ""
}

func softHSMModule(t testing.TB) string {
	return lookFor(t, "SoftHSM 2 (package softhsm2)", "HARDMLS_SOFTHSM2",
		"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
		"/usr/lib64/pkcs11/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so")
}

// newSoftHSM makes a token with the given labels in a folder of the test's own
// and returns a configuration that opens the first.
func newSoftHSM(t testing.TB, labels ...string) pkcs11.Config {
	t.Helper()
	module := softHSMModule(t)
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	tokens := filepath.Join(dir, "tokens")
	if err := os.Mkdir(tokens, 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", tokens)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	if len(labels) == 0 {
		labels = []string{"mls"}
	}
	for _, label := range labels {
		out, err := exec.Command("softhsm2-util", "--module", module, "--init-token", "--free",
			"--label", label, "--so-pin", "12345678", "--pin", testPIN).CombinedOutput()
		if err != nil {
			t.Fatalf("softhsm2-util: %v: %s", err, out)
		}
	}
	return pkcs11.Config{
		Module: module, TokenLabel: labels[0], PIN: pkcs11.PINValue([]byte(testPIN)),
		RecoverTimeout: 10 * time.Second,
	}
}

func open(t testing.TB, cfg pkcs11.Config) *pkcs11.Token {
	t.Helper()
	token, err := pkcs11.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := token.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return token
}

func generate(t testing.TB, token *pkcs11.Token, scheme provider.SignatureScheme, labels ...string) []*pkcs11.Signer {
	t.Helper()
	keys := make([]*pkcs11.Signer, len(labels))
	for i, label := range labels {
		k, err := token.GenerateKey(t.Context(), scheme, pkcs11.KeyOptions{Label: label})
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = k
	}
	return keys
}
