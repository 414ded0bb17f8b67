// Package cpu tells which instructions a kernel may use: those that the processor
// has and the operating system supports, less what HARDMLS_CPU takes away, so that
// one machine can test and compare every kernel.
//
// GODEBUG=cpu.* governs the standard library alone and changes nothing here.
package cpu

import (
	"fmt"
	"math/bits"
	"os"
	"strings"
)

// Env is the environment variable that takes features away: a list such as
// "-vaes,-avx512". It cannot add any.
const Env = "HARDMLS_CPU"

// Features is a set of instruction set extensions. Where wider registers need the
// operating system to save them, a feature of the set says that it does.
type Features uint32

const (
	AES        Features = 1 << iota // AES rounds: AES-NI on amd64, FEAT_AES on arm64
	PCLMULQDQ                       // amd64: carry-less multiplication
	SHA                             // amd64: SHA-NI
	SSE41                           // amd64: SSSE3 and SSE4.1
	AVX                             // amd64
	AVX2                            // amd64
	BMI2                            // amd64
	ADX                             // amd64
	VAES                            // amd64: AES rounds on YMM, and on ZMM with AVX512
	VPCLMULQDQ                      // amd64: the same for carry-less multiplication
	AVX512                          // amd64: AVX-512 F, BW, DQ and VL
	AVX512VBMI                      // amd64
	AVX512IFMA                      // amd64
	PMULL                           // arm64: polynomial multiplication of 64 bits
	SHA2                            // arm64: SHA-256
	SHA3                            // arm64: EOR3, BCAX, RAX1, XAR
	end
)

// words are the names of the features, in the order of the constants.
var words = [...]string{
	"aes", "pclmulqdq", "sha", "sse41", "avx", "avx2", "bmi2", "adx", "vaes", "vpclmulqdq",
	"avx512", "avx512vbmi", "avx512ifma", "pmull", "sha2", "sha3",
}

// needs lists what a feature is of no use without; what stands first must be
// complete before what builds on it.
var needs = []struct{ feature, base Features }{
	{AVX, SSE41},
	{AVX2, AVX},
	{VAES, AVX2 | AES},
	{VPCLMULQDQ, AVX2 | PCLMULQDQ},
	{AVX512, AVX2},
	{AVX512VBMI, AVX512},
	{AVX512IFMA, AVX512},
}

// Has reports whether every feature of want is in the set.
func (f Features) Has(want Features) bool { return f&want == want }

// String lists the words of the set, "none" for the empty one.
func (f Features) String() string {
	if f == 0 {
		return "none"
	}
	var s []string
	for ; f != 0; f &= f - 1 {
		s = append(s, words[bits.TrailingZeros32(uint32(f))])
	}
	return strings.Join(s, " ")
}

// closed drops the features whose base is absent.
func (f Features) closed() Features {
	for _, n := range needs {
		if !f.Has(n.base) {
			f &^= n.feature
		}
	}
	return f
}

// An UnknownWordError is a word of HARDMLS_CPU that is not a minus sign and the
// name of a feature.
type UnknownWordError struct{ Word string }

func (e *UnknownWordError) Error() string {
	return fmt.Sprintf("cpu: unknown word %q in %s: want a list of -%s", e.Word, Env, strings.Join(words[:], ", -"))
}

// Restrict takes the features that spec names away from f, and those that build on
// them. The words of every architecture are known on all. Empty words count for
// nothing, any other word is an *UnknownWordError and leaves no feature at all.
func Restrict(f Features, spec string) (Features, error) {
	for word := range strings.SplitSeq(spec, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		drop, err := parse(word)
		if err != nil {
			return 0, err
		}
		f &^= drop
	}
	return f.closed(), nil
}

func parse(word string) (Features, error) {
	if name, ok := strings.CutPrefix(word, "-"); ok {
		for i, w := range words {
			if name == w {
				return 1 << i, nil
			}
		}
	}
	return 0, &UnknownWordError{Word: word}
}

// Detect returns what this machine has, whatever the environment says.
func Detect() Features { return detect().closed() }

// Usable returns what this machine has and HARDMLS_CPU leaves. With an error, which
// is an *UnknownWordError, the set is empty.
func Usable() (Features, error) { return Restrict(Detect(), os.Getenv(Env)) }
