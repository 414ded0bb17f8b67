// Command generate writes the test vectors of our own, testvectors/own, which
// `make generate` runs.
//
// They have the formats of the MLS working group's files, so that one runner
// reads both, and exist so that a machine without the official corpus still
// tests something real. The values come from a second implementation in this
// directory: the RFC's formulas over the standard library, written for brevity,
// and sharing no code with the engine. A test holds it against the official
// files where they are there.
//
// Inputs are hashes of their names: the output is the same on every machine.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	out := flag.String("out", "own/mls", "directory to write to")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, cases := range files() {
		b, err := json.MarshalIndent(cases, "", " ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), append(b, '\n'), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// files makes every file anew.
func files() map[string]any {
	return map[string]any{
		"tree-math.json":         treeMathCases(),
		"secret-tree.json":       forSuites(secretTreeCases),
		"key-schedule.json":      forSuites(keyScheduleCases),
		"psk_secret.json":        forSuites(pskCases),
		"transcript-hashes.json": forSuites(transcriptCases),
	}
}

func forSuites[T any](cases func(suite) []T) []T {
	var all []T
	for _, s := range suites {
		all = append(all, cases(s)...)
	}
	return all
}
