package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/perf/benchmath"

	"github.com/hardmls/hardmls/bench/workload"
	"github.com/hardmls/hardmls/cmd/hardmls/internal/plot"
)

// benchSchema is the value of "schema" in a saved run. Members may be added under
// one number; nothing is renamed or removed.
const benchSchema = "hardmls.bench/1"

// A benchRun is what bench measured, as it is saved.
type benchRun struct {
	Schema    string     `json:"schema"`
	Date      time.Time  `json:"date"`
	Go        string     `json:"go"`
	OS        string     `json:"os"`
	Arch      string     `json:"arch"`
	CPUs      int        `json:"cpus"`
	Features  []string   `json:"cpu_features"`
	Providers []string   `json:"providers"`
	Rounds    int        `json:"rounds"`
	Round     string     `json:"round"`
	Rows      []benchRow `json:"rows"`
}

// A benchKey says what was measured. Zero is an axis that does not matter.
type benchKey struct {
	Op       string `json:"op"`
	Suite    uint16 `json:"suite"`
	Size     int    `json:"size,omitempty"`
	Members  int    `json:"members,omitempty"`
	Provider string `json:"provider"`
}

type benchRow struct {
	benchKey
	workload.Result
}

func (r *benchRun) save(name string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(b, '\n'), 0o644)
}

// loadRun reads a saved run and refuses one that does not have what the others
// need.
func loadRun(name string) (*benchRun, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var r benchRun
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if r.Schema != benchSchema {
		return nil, fmt.Errorf("%s: schema %q, want %q", name, r.Schema, benchSchema)
	}
	if len(r.Rows) == 0 {
		return nil, fmt.Errorf("%s: nothing was measured", name)
	}
	for _, row := range r.Rows {
		if len(row.Samples) == 0 || slices.ContainsFunc(row.Samples, func(s workload.Sample) bool { return s.Op <= 0 || s.Floor <= 0 }) {
			return nil, fmt.Errorf("%s: %s has no times", name, row.benchKey)
		}
	}
	return &r, nil
}

// about says where a run comes from, in one line.
func (r *benchRun) about() string {
	return fmt.Sprintf("%s, %s/%s, %d CPUs, %s, backend %s, %d rounds of %s", r.Date.Format(time.DateOnly), r.OS, r.Arch, r.CPUs,
		r.Go, strings.Join(r.Providers, " and "), r.Rounds, r.Round)
}

// A spread is a median and the interval that holds it with 95 % confidence.
type spread struct{ median, lo, hi float64 }

const confidence = 0.95

func spreadOf(values []float64) spread {
	s := benchmath.AssumeNothing.Summary(benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds), confidence)
	sp := spread{s.Center, s.Lo, s.Hi}
	// Few rounds leave the interval open: then all that was seen is in it.
	sp.lo, sp.hi = max(sp.lo, slices.Min(values)), min(sp.hi, slices.Max(values))
	return sp
}

// percent is the larger distance from the median to an end, in percent.
func (s spread) percent() string {
	return fmt.Sprintf("±%.0f %%", 100*max(s.hi-s.median, s.median-s.lo)/s.median)
}

func (r *benchRun) print(t *terminal) {
	t.line("run", "%s", r.about())
	fmt.Fprintln(t.out)
	r.table(t)
	t.line("ratio", "operation by floor, round by round; 1.00 is the floor")
}

// table prints the rows, and a column for what varies only.
func (r *benchRun) table(t *terminal) {
	many := len(r.Providers) > 1
	head := []string{"operation", "suite", "bytes", "members"}
	if many {
		head = append(head, "backend")
	}
	first := len(head)
	rows := [][]string{append(head, "time", "spread", "floor", "ratio", "allocs")}
	for i := range r.Rows {
		row := &r.Rows[i]
		cells := []string{row.Op, strconv.Itoa(int(row.Suite)), axis(row.Size), axis(row.Members)}
		if many {
			cells = append(cells, row.Provider)
		}
		op, floor := spreadOf(row.Times()), spreadOf(row.Floors())
		rows = append(rows, append(cells, plot.Duration(op.median), op.percent(), plot.Duration(floor.median),
			fmt.Sprintf("%.2f", spreadOf(row.Ratios()).median), allocs(row.Allocs)))
	}
	t.table(rows, 1, 2, 3, first, first+1, first+2, first+3, first+4)
}

func axis(n int) string {
	if n == 0 {
		return "–"
	}
	return thousands(int64(n))
}

func allocs(n float64) string {
	if n < 9.5 {
		return strings.TrimSuffix(strconv.FormatFloat(n, 'f', 1, 64), ".0")
	}
	return thousands(int64(n + 0.5))
}

// text is the table without colours.
func (r *benchRun) text() string {
	var b bytes.Buffer
	r.table(&terminal{out: &b})
	return b.String()
}
