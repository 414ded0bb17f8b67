package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hardmls runs a command line and returns what it prints and its exit code.
func hardmls(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), strings.NewReader(""), args, &out, &err)
	return out.String(), err.String(), code
}

func TestDemo(t *testing.T) {
	name := filepath.Join(t.TempDir(), "report.txt")
	if err := os.WriteFile(name, bytes.Repeat([]byte("hardmls "), 20_000), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, code := hardmls(t, "demo", name)
	if code != 0 || errs != "" {
		t.Fatalf("exit %d: %s", code, errs)
	}
	for _, want := range []string{"alice created group", "+ bob + carol", "bob ✓ sha256", "carol ✓ sha256", "0 lost",
		"report.txt 160.0 KB in 3 messages", "− carol", "ErrUseAfterEviction", "send", "receive"} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Error("colour without a terminal")
	}
}

func TestDemoJSON(t *testing.T) {
	out, errs, code := hardmls(t, "demo", "--json", "main.go")
	var res demoResult
	if err := json.Unmarshal([]byte(out), &res); code != 0 || err != nil {
		t.Fatalf("exit %d, %v: %s", code, err, errs)
	}
	if len(res.Files) != 1 || len(res.Files[0].Proved) != 2 || res.Lost != 0 || res.Epoch != 3 || res.CarolRead == "" || res.CarolSend == "" {
		t.Errorf("%+v", res)
	}
	if res.BytesPerSend > 128 {
		t.Errorf("%.0f bytes stored per message, at most 128 are allowed", res.BytesPerSend)
	}
}

func TestUsageErrors(t *testing.T) {
	for _, args := range [][]string{{"nonsense"}, {"--nonsense"}, {"demo", "--nonsense"}, {"vectors", "extra", "words"}} {
		if out, errs, code := hardmls(t, args...); code != exitUsage || out != "" || !strings.HasPrefix(errs, "hardmls: ") {
			t.Errorf("%v: exit %d, %q, %q", args, code, out, errs)
		}
	}
	if _, errs, code := hardmls(t, "demo", "no such file"); code != exitError || !strings.Contains(errs, "no such file") {
		t.Errorf("missing file: exit %d: %s", code, errs)
	}
}

// TestVectorsNeedAll: files that are missing or altered make the command fail.
func TestVectorsNeedAll(t *testing.T) {
	if _, errs, code := hardmls(t, "vectors", "--dir", filepath.Join(t.TempDir(), "nowhere")); code != exitError || !strings.Contains(errs, "make vectors") {
		t.Errorf("missing folder: exit %d: %s", code, errs)
	}
	if _, errs, code := hardmls(t, "vectors", "--dir", t.TempDir()); code != exitError || !strings.Contains(errs, "make vectors") {
		t.Errorf("empty folder: exit %d: %s", code, errs)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "mls"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "mls", "deserialization.json")
	if err := os.WriteFile(file, []byte(`[{"vlbytes_header": "01", "length": 1}, {"vlbytes_header": "02", "length": 1}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _, code := hardmls(t, "vectors", "--dir", dir)
	if code != exitFailed || !strings.Contains(out, "missing") || !strings.Contains(out, "case 1: header is 01, want 02") {
		t.Errorf("exit %d:\n%s", code, out)
	}
	out, _, code = hardmls(t, "vectors", "--json", "--dir", dir)
	var rows []vectorsRow
	if err := json.Unmarshal([]byte(out), &rows); code != exitFailed || err != nil || len(rows) < 30 {
		t.Errorf("exit %d, %d rows, %v", code, len(rows), err)
	}
}

func TestBackendsJSON(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	out, errs, code := hardmls(t, "backends", "--json")
	var res backendsResult
	if err := json.Unmarshal([]byte(out), &res); code != 0 || err != nil {
		t.Fatalf("exit %d, %v: %s", code, err, errs)
	}
	if len(res.Choices) == 0 || len(res.AEAD) != 9 || len(res.Suites) != 7 {
		t.Errorf("%d choices, %d AEAD rows, %d suites", len(res.Choices), len(res.AEAD), len(res.Suites))
	}
	for _, c := range res.Choices {
		if c.SelfTest != "ok" {
			t.Errorf("%s: %s", c.Primitive, c.SelfTest)
		}
	}
}
