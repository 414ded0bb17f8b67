package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/hardmls/hardmls/internal/conformance"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/auto"
	"github.com/hardmls/hardmls/provider/soft"
	"github.com/hardmls/hardmls/storage/mem"
	"github.com/hardmls/hardmls/testvectors"
)

func vectorsCommand(t *terminal) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "vectors [--dir DIR]",
		Short: "Run the official test vectors of MLS and those of Wycheproof",
		Long: `Runs every official test vector of the MLS working group, and Wycheproof's for the
primitives that RFC 9420's suites use. DIR has the folders mls/ and wycheproof/;
'make vectors' fetches them. Without --dir it is looked for where the tests look:
HARDMLS_VECTORS, ../shared/vectors, testvectors/official.

Exit code 1 if a case fails, if a file is missing or has another number of cases
than it should, or if nothing ran.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runVectors(cmd.Context(), t, dir) },
	}
	c.Flags().StringVar(&dir, "dir", "", "folder of the vectors")
	return c
}

// vectorsRow is the outcome of one file.
type vectorsRow struct {
	File     string         `json:"file"`
	Cases    int            `json:"cases"`
	Passed   int            `json:"passed"`
	Failed   int            `json:"failed"`
	Skipped  int            `json:"skipped"`
	Reasons  map[string]int `json:"skip_reasons,omitempty"`
	Error    string         `json:"error,omitempty"`
	Failures []string       `json:"failures,omitempty"`
}

func (r *vectorsRow) ok() bool { return r.Failed == 0 && r.Error == "" }

func runVectors(ctx context.Context, t *terminal, dir string) error {
	if dir == "" {
		var err error
		if dir, err = testvectors.Locate(); err != nil {
			return fmt.Errorf("no test vectors found: %w\nrun 'make vectors', or name their folder with --dir", err)
		}
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("no test vectors: %s is not a folder\nrun 'make vectors', or name a folder that has mls/ and wycheproof/ with --dir", dir)
	}
	crypto, _, err := auto.New(auto.Options{})
	if err != nil {
		return fmt.Errorf("choose a backend: %w", err)
	}
	b := &conformance.Backend{
		Crypto:       crypto,
		ImportSigner: soft.ImportSigner,
		ImportKey:    soft.ImportKey,
		DH:           soft.TestingOnlyDH,
		Store:        func() provider.Storage { return mem.New() },
	}
	files := conformance.Files()
	if !slices.ContainsFunc(files, func(f conformance.File) bool {
		_, err := os.Stat(filepath.Join(dir, f.Folder, f.Name))
		return err == nil
	}) {
		return fmt.Errorf("no test vectors: %s has no file of them in mls/ or wycheproof/\nrun 'make vectors', or name another folder with --dir", dir)
	}
	rows := make([]vectorsRow, len(files))
	total := 0
	for _, f := range files {
		total += f.Want
	}
	bar := newBar(t, "vectors ", total)
	for i := range files {
		rows[i] = bar.run(ctx, b, dir, &files[i])
		if ctx.Err() != nil {
			break
		}
	}
	bar.close()
	if err := ctx.Err(); err != nil {
		return err
	}
	return reportVectors(t, rows)
}

// progressBar is the progress on stderr; it prints nothing where that is no terminal.
type progressBar struct {
	progress *mpb.Progress
	bar      *mpb.Bar
	done     int
}

func newBar(t *terminal, name string, total int) *progressBar {
	out := io.Discard
	if t.progress {
		out = t.err
	}
	p := mpb.New(mpb.WithOutput(out), mpb.WithWidth(48))
	return &progressBar{progress: p, bar: p.AddBar(int64(total), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(name)), mpb.AppendDecorators(decor.CountersNoUnit(" %d / %d")))}
}

func (b *progressBar) run(ctx context.Context, backend *conformance.Backend, dir string, f *conformance.File) vectorsRow {
	row := vectorsRow{File: f.Folder + "/" + f.Name}
	data, err := os.ReadFile(filepath.Join(dir, f.Folder, f.Name))
	if err != nil {
		row.Error = "missing"
		if !errors.Is(err, os.ErrNotExist) {
			row.Error = err.Error()
		}
		return row
	}
	start := b.done
	res, err := f.Run(ctx, backend, data, func(done int) {
		b.done = start + done
		b.bar.SetCurrent(int64(b.done))
	})
	if err != nil {
		row.Error = err.Error()
		return row
	}
	row.Cases, row.Passed, row.Failed = res.Cases, res.Passed, len(res.Failures)
	row.Skipped, row.Reasons = res.SkippedTotal(), res.Skipped
	if res.Cases != f.Want {
		row.Error = fmt.Sprintf("has %d cases, not %d", res.Cases, f.Want)
	}
	for _, fail := range res.Failures {
		row.Failures = append(row.Failures, fmt.Sprintf("case %s: %v", fail.Case, fail.Err))
	}
	return row
}

// advance counts n more steps as done.
func (b *progressBar) advance(n int) {
	b.done += n
	b.bar.SetCurrent(int64(b.done))
}

func (b *progressBar) close() {
	b.bar.SetTotal(-1, true)
	b.progress.Wait()
}

// maxFailures is how many failures of one file are printed.
const maxFailures = 5

func reportVectors(t *terminal, rows []vectorsRow) error {
	var sum vectorsRow
	failed := false
	for i := range rows {
		r := &rows[i]
		sum.Cases += r.Cases
		sum.Passed += r.Passed
		sum.Failed += r.Failed
		sum.Skipped += r.Skipped
		failed = failed || !r.ok()
	}
	if t.json {
		if err := t.encode(rows); err != nil {
			return err
		}
	} else {
		printVectors(t, rows, &sum)
	}
	if failed || sum.Passed == 0 {
		return errFailed
	}
	return nil
}

func printVectors(t *terminal, rows []vectorsRow, sum *vectorsRow) {
	number := func(n int) string { return thousands(int64(n)) }
	table := [][]string{{"file", "cases", "passed", "failed", "skipped", ""}}
	for i := range rows {
		r := &rows[i]
		note := r.Error
		if note == "" {
			note = reasons(r.Reasons)
		}
		table = append(table, []string{r.File, number(r.Cases), number(r.Passed), number(r.Failed), number(r.Skipped), note})
	}
	table = append(table, []string{"total", number(sum.Cases), number(sum.Passed), number(sum.Failed), number(sum.Skipped), ""})
	t.table(table, 1, 2, 3, 4)
	for i := range rows {
		for k, f := range rows[i].Failures {
			if k == maxFailures {
				fmt.Fprintf(t.out, "%s  … and %d more\n", t.red("✗ "+rows[i].File), len(rows[i].Failures)-k)
				break
			}
			fmt.Fprintf(t.out, "%s  %s\n", t.red("✗ "+rows[i].File), f)
		}
	}
	for i := range rows {
		if !rows[i].ok() {
			fmt.Fprintln(t.out, t.red("✗ the vectors do not pass"))
			return
		}
	}
	if sum.Passed > 0 {
		fmt.Fprintf(t.out, "%s every vector that applies passes\n", t.green("✓"))
	}
}

func reasons(m map[string]int) string {
	var list []string
	for reason, n := range m {
		list = append(list, fmt.Sprintf("%d: %s", n, reason))
	}
	sort.Strings(list)
	return strings.Join(list, "; ")
}
