package cpu

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"testing"
)

const zen5 = AES | PCLMULQDQ | SHA | SSE41 | AVX | AVX2 | BMI2 | ADX | VAES | VPCLMULQDQ | AVX512 | AVX512VBMI | AVX512IFMA

func TestRestrict(t *testing.T) {
	for _, tc := range []struct {
		name string
		have Features
		spec string
		want Features
	}{
		{"nothing", zen5, "", zen5},
		{"empty words", zen5, " ,, ", zen5},
		{"one", zen5, "-sha", zen5 &^ SHA},
		{"two", zen5, "-sha, -adx", zen5 &^ (SHA | ADX)},
		{"avx512 and what builds on it", zen5, "-avx512", zen5 &^ (AVX512 | AVX512VBMI | AVX512IFMA)},
		{"vaes alone", zen5, "-vaes", zen5 &^ VAES},
		{"aes takes vaes", zen5, "-aes", zen5 &^ (AES | VAES)},
		{"pclmulqdq takes vpclmulqdq", zen5, "-pclmulqdq", zen5 &^ (PCLMULQDQ | VPCLMULQDQ)},
		{"avx takes all that is VEX or EVEX", zen5, "-avx", AES | PCLMULQDQ | SHA | SSE41 | BMI2 | ADX},
		{"sse41", zen5, "-sse41", AES | PCLMULQDQ | SHA | BMI2 | ADX},
		{"twice", zen5, "-sha,-sha", zen5 &^ SHA},
		{"what is not there", AES | PMULL, "-avx512", AES | PMULL},
		{"arm", AES | PMULL | SHA2 | SHA3, "-sha3", AES | PMULL | SHA2},
		{"all of arm", AES | PMULL | SHA2 | SHA3, "-aes,-pmull,-sha2,-sha3", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Restrict(tc.have, tc.spec)
			if err != nil || got != tc.want {
				t.Errorf("Restrict(%q) = %v, %v; want %v", tc.spec, got, err, tc.want)
			}
		})
	}
}

func TestRestrictUnknownWord(t *testing.T) {
	for spec, word := range map[string]string{
		"-vaes,-avx1024": "-avx1024",
		"vaes":           "vaes",
		"+sha":           "+sha",
		"-":              "-",
		"--sha":          "--sha",
		"-SHA":           "-SHA",
		"-sha -adx":      "-sha -adx",
	} {
		f, err := Restrict(zen5, spec)
		var unknown *UnknownWordError
		if !errors.As(err, &unknown) || unknown.Word != word || f != 0 {
			t.Errorf("Restrict(%q) = %v, %v; want an error for %q and no feature", spec, f, err, word)
		}
	}
}

// TestRestrictAddsNothing tries every single word on every single feature.
func TestRestrictAddsNothing(t *testing.T) {
	for have := Features(1); have < end; have <<= 1 {
		for _, w := range words {
			got, err := Restrict(have, "-"+w)
			if err != nil || got&^have != 0 {
				t.Errorf("%v less %s is %v, %v", have, w, got, err)
			}
		}
	}
}

func TestUsable(t *testing.T) {
	t.Setenv(Env, "")
	f, err := Usable()
	if err != nil || f != Detect() {
		t.Errorf("Usable = %v, %v; Detect = %v", f, err, Detect())
	}
	t.Setenv(Env, "-aes")
	if f, err = Usable(); err != nil || f.Has(AES) || f.Has(VAES) {
		t.Errorf("Usable without AES = %v, %v", f, err)
	}
	t.Setenv(Env, "fast")
	if f, err = Usable(); err == nil || f != 0 {
		t.Errorf("Usable with an unknown word = %v, %v", f, err)
	}
}

func TestString(t *testing.T) {
	if len(words) != 16 || end != 1<<len(words) {
		t.Fatalf("%d words for features up to %b", len(words), end)
	}
	for f, want := range map[Features]string{0: "none", AES | SHA3: "aes sha3", VAES | AVX512VBMI: "vaes avx512vbmi"} {
		if got := f.String(); got != want {
			t.Errorf("%b: %q, want %q", f, got, want)
		}
	}
}

// TestDetectAgreesWithLinux compares with the flags that the kernel shows.
func TestDetectAgreesWithLinux(t *testing.T) {
	info, err := os.ReadFile("/proc/cpuinfo")
	flags := map[Features]string{
		AES: "aes", PCLMULQDQ: "pclmulqdq", SHA: "sha_ni", SSE41: "sse4_1", AVX: "avx", AVX2: "avx2", BMI2: "bmi2", ADX: "adx",
		VAES: "vaes", VPCLMULQDQ: "vpclmulqdq", AVX512: "avx512vl", AVX512VBMI: "avx512vbmi", AVX512IFMA: "avx512ifma",
	}
	if runtime.GOARCH == "arm64" {
		flags = map[Features]string{AES: "aes", PMULL: "pmull", SHA2: "sha2", SHA3: "sha3"}
	}
	line := []byte("\nflags")
	if runtime.GOARCH == "arm64" {
		line = []byte("\nFeatures")
	}
	at := bytes.Index(info, line)
	if err != nil || at < 0 {
		t.Skip("no flags in /proc/cpuinfo")
	}
	fields, _, _ := bytes.Cut(info[at+1:], []byte("\n"))
	got := Detect()
	t.Logf("this machine has: %v", got)
	for f, flag := range flags {
		has := bytes.Contains(append(fields, ' '), []byte(" "+flag+" "))
		if got.Has(f) != has {
			t.Errorf("%v: detected %v, /proc/cpuinfo says %v", f, got.Has(f), has)
		}
	}
}
