// Command fetch gets the official test vectors from their public repositories,
// at pinned commits, into testvectors/official, and checks every file against
// testvectors/SHA256SUMS. `make vectors` runs it; it needs git.
//
// Environment variables name other sources:
//
//	HARDMLS_MLS_REPO, HARDMLS_MLS_COMMIT
//	HARDMLS_WYCHEPROOF_REPO, HARDMLS_WYCHEPROOF_COMMIT
//
// The result is whole or absent: files are collected beside the destination,
// checked, and moved there at the end in one step.
package main

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/hardmls/hardmls/testvectors"
)

// sources are the public upstreams. The commits and SHA256SUMS change together.
var sources = []source{
	{
		folder: testvectors.FolderMLS,
		repo:   "https://github.com/mlswg/mls-implementations",
		commit: "cfd450286d1bfd9cd2519b95c80f9771f94a5b1a",
		path:   "test-vectors",
		env:    "HARDMLS_MLS",
	},
	{
		folder: testvectors.FolderWycheproof,
		repo:   "https://github.com/C2SP/wycheproof",
		commit: "dac1dd4729fd1f8dd9e1e9f3dce51d783da6c166",
		path:   "testvectors_v1",
		env:    "HARDMLS_WYCHEPROOF",
	},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "fetch:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, progress io.Writer) error {
	flags := flag.NewFlagSet("fetch", flag.ContinueOnError)
	flags.SetOutput(progress)
	dest := flags.String("dest", "testvectors/official", "directory to create")
	sumsFile := flags.String("sums", "", "file with the SHA-256 sums instead of testvectors/SHA256SUMS")
	if err := flags.Parse(args); err != nil {
		return err
	}
	text := testvectors.Sums
	if *sumsFile != "" {
		b, err := os.ReadFile(*sumsFile)
		if err != nil {
			return err
		}
		text = string(b)
	}
	sums, err := parseSums(text)
	if err != nil {
		return err
	}
	if sums.verify(*dest) == nil {
		fmt.Fprintf(progress, "%s is complete: %d files\n", *dest, len(sums))
		return nil
	}
	f := fetcher{sums: sums, progress: progress}
	for _, s := range sources {
		s = s.fromEnv()
		if id, err := hex.DecodeString(s.commit); err != nil || len(id) < 20 {
			return fmt.Errorf("%s: commit %q is no full object id", s.folder, s.commit)
		}
		f.sources = append(f.sources, s)
	}
	return f.fetch(ctx, *dest)
}

// fromEnv returns s with the repository and commit that the environment sets.
func (s source) fromEnv() source {
	if v := os.Getenv(s.env + "_REPO"); v != "" {
		s.repo = v
	}
	if v := os.Getenv(s.env + "_COMMIT"); v != "" {
		s.commit = v
	}
	return s
}
