// Package conformance runs the official test vectors of the MLS working group and
// those of Wycheproof over the packages of this module. It imports no backend: who
// runs it brings one.
package conformance

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hardmls/hardmls/provider"
)

// A Backend is what vectors are run on: cryptography, and the ways to bring in
// the private keys that vectors come with.
type Backend struct {
	Crypto       provider.Crypto
	ImportSigner func(s provider.Suite, private []byte) (provider.Signer, error)
	ImportKey    func(s provider.Suite, private []byte) (provider.DecryptionKey, provider.KeyRef, error)
	DH           func(s provider.Suite, private, public []byte) ([]byte, error)
	Store        func() provider.Storage // an empty one
}

// A Failure is a case that failed.
type Failure struct {
	Case string
	Err  error
}

// A Result counts the cases of one file.
type Result struct {
	Folder, File string
	Cases        int
	Passed       int
	Skipped      map[string]int // reason to count
	Failures     []Failure
}

// SkippedTotal counts the cases that were skipped for any reason.
func (r *Result) SkippedTotal() (n int) {
	for _, c := range r.Skipped {
		n += c
	}
	return n
}

// A File is one file of vectors and how it is run.
type File struct {
	Folder, Name string
	Want         int // how many cases it has
	run          func(r *runner, data []byte) error
}

// Folders of the corpus.
const (
	folderMLS        = "mls"
	folderWycheproof = "wycheproof"
)

// Files lists every file that is run.
func Files() []File {
	return append(mlsFiles(), wycheproofFiles()...)
}

// Run runs the cases of a file, calling progress after each, if it is not nil. The
// error is for data that are not such a file, or an ended ctx; cases that fail are
// in the Result.
func (f *File) Run(ctx context.Context, b *Backend, data []byte, progress func(done int)) (*Result, error) {
	r := &runner{ctx: ctx, b: b, progress: progress, suites: make(map[provider.CipherSuite]provider.Suite),
		result: &Result{Folder: f.Folder, File: f.Name, Skipped: make(map[string]int)}}
	if err := f.run(r, data); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	return r.result, nil
}

// runner is one run of one file.
type runner struct {
	ctx      context.Context
	b        *Backend
	progress func(done int)
	suites   map[provider.CipherSuite]provider.Suite
	result   *Result
}

// errSkip is a case that does not apply; the text behind it is the reason.
type errSkip string

func (e errSkip) Error() string { return string(e) }

// do runs one case.
func (r *runner) do(name string, f func() error) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	res := r.result
	res.Cases++
	var skip errSkip
	switch err := f(); {
	case err == nil:
		res.Passed++
	case errors.As(err, &skip):
		res.Skipped[string(skip)]++
	default:
		res.Failures = append(res.Failures, Failure{name, err})
	}
	if r.progress != nil {
		r.progress(res.Cases)
	}
	return nil
}

// suite binds a suite once per run.
func (r *runner) suite(id provider.CipherSuite) (provider.Suite, error) {
	if s := r.suites[id]; s != nil {
		return s, nil
	}
	s, err := r.b.Crypto.Suite(id)
	if err == nil {
		r.suites[id] = s
	}
	return s, err
}

// eachCase runs f on each element of a JSON array.
func eachCase[T any](f func(r *runner, c *T) error) func(r *runner, data []byte) error {
	return func(r *runner, data []byte) error {
		var cases []T
		if err := json.Unmarshal(data, &cases); err != nil {
			return err
		}
		for i := range cases {
			if err := r.do(fmt.Sprint(i), func() error { return f(r, &cases[i]) }); err != nil {
				return err
			}
		}
		return nil
	}
}

// hexBytes is a byte string in hexadecimal.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*h = b
	return err
}

// same compares byte strings.
func same(what string, got, want []byte) error {
	if string(got) != string(want) {
		return fmt.Errorf("%s is %x, want %x", what, got, want)
	}
	return nil
}

// all returns the first error of its arguments.
func all(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
