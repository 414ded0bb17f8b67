package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"golang.org/x/perf/benchmath"

	"github.com/hardmls/hardmls/cmd/hardmls/internal/plot"
)

// significant is how likely chance may be to make a difference that is shown.
const significant = 0.05

// A benchDifference compares one row of two runs, for --json.
type benchDifference struct {
	benchKey
	A           float64 `json:"a_ns"`
	B           float64 `json:"b_ns"`
	Ratio       float64 `json:"ratio"`       // b by a
	P           float64 `json:"p"`           // of the Mann-Whitney U-test
	Significant bool    `json:"significant"` // p below 0.05
	Floor       float64 `json:"floor_ratio"` // b's floor by a's
	FloorToo    bool    `json:"floor_too"`   // the floor explains half the difference or more
	a, b        spread
}

// floorToo reports whether the floor moved to the same side, at least half as far.
func (d *benchDifference) floorToo() bool {
	time, floor := math.Log(d.Ratio), math.Log(d.Floor)
	return time*floor > 0 && math.Abs(floor) >= math.Abs(time)/2
}

// verdict is the difference in words.
func (d *benchDifference) verdict() string {
	if !d.Significant || d.Ratio == 1 {
		return "~"
	}
	s := fmt.Sprintf("%.0f %% slower", 100*(d.Ratio-1))
	if d.Ratio < 1 {
		s = fmt.Sprintf("%.0f %% faster", 100*(1-d.Ratio))
	}
	if d.FloorToo {
		s += ", so is the floor"
	}
	return s
}

// A benchComparison is what --compare shows.
type benchComparison struct {
	Schema  string            `json:"schema"`
	A       string            `json:"a"`
	B       string            `json:"b"`
	Rows    []benchDifference `json:"rows"`
	Geomean float64           `json:"geomean_ratio"`
	OnlyA   []string          `json:"only_in_a,omitempty"`
	OnlyB   []string          `json:"only_in_b,omitempty"`
}

func compareRuns(t *terminal, nameA, nameB string) error {
	a, err := loadRun(nameA)
	if err != nil {
		return err
	}
	b, err := loadRun(nameB)
	if err != nil {
		return err
	}
	c := compare(a, b)
	if len(c.Rows) == 0 {
		return fmt.Errorf("%s and %s have nothing in common", nameA, nameB)
	}
	if t.json {
		return t.encode(c)
	}
	c.print(t)
	return nil
}

// compare matches the rows of two runs. The backend does not count where each run
// has one only, so that backends can be compared.
func compare(a, b *benchRun) *benchComparison {
	c := &benchComparison{Schema: "hardmls.bench-comparison/1", A: a.about(), B: b.about()}
	alone := len(a.Providers) == 1 && len(b.Providers) == 1
	key := func(k benchKey) benchKey {
		if alone {
			k.Provider = ""
		}
		return k
	}
	seen := map[benchKey]bool{}
	logs := 0.0
	for _, ra := range a.Rows {
		i := slices.IndexFunc(b.Rows, func(rb benchRow) bool { return key(rb.benchKey) == key(ra.benchKey) })
		if i < 0 {
			c.OnlyA = append(c.OnlyA, ra.String())
			continue
		}
		rb := b.Rows[i]
		seen[key(rb.benchKey)] = true
		d := benchDifference{benchKey: key(ra.benchKey), a: spreadOf(ra.Times()), b: spreadOf(rb.Times())}
		d.A, d.B, d.Ratio = d.a.median, d.b.median, d.b.median/d.a.median
		d.Floor = spreadOf(rb.Floors()).median / spreadOf(ra.Floors()).median
		test := benchmath.AssumeNothing.Compare(sampleOf(ra.Times()), sampleOf(rb.Times()))
		d.P, d.Significant, d.FloorToo = test.P, test.P < significant, d.floorToo()
		logs += math.Log(d.Ratio)
		c.Rows = append(c.Rows, d)
	}
	for _, rb := range b.Rows {
		if !seen[key(rb.benchKey)] {
			c.OnlyB = append(c.OnlyB, rb.String())
		}
	}
	if len(c.Rows) > 0 {
		c.Geomean = math.Exp(logs / float64(len(c.Rows)))
	}
	return c
}

func sampleOf(values []float64) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds)
}

func (c *benchComparison) print(t *terminal) {
	t.line("a", "%s", c.A)
	t.line("b", "%s", c.B)
	fmt.Fprintln(t.out)
	rows := [][]string{{"operation", "suite", "bytes", "members", "a", "spread", "b", "spread", "b/a", "p", "floor b/a", ""}}
	for i := range c.Rows {
		d := &c.Rows[i]
		op := d.Op
		if d.Provider != "" {
			op += " " + d.Provider
		}
		rows = append(rows, []string{op, strconv.Itoa(int(d.Suite)), axis(d.Size), axis(d.Members), plot.Duration(d.A), d.a.percent(),
			plot.Duration(d.B), d.b.percent(), fmt.Sprintf("%.2f", d.Ratio), fmt.Sprintf("%.3f", d.P), fmt.Sprintf("%.2f", d.Floor), d.verdict()})
	}
	t.table(rows, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	t.line("geomean", "b/a %.2f", c.Geomean)
	t.line("~", "no difference that chance would not make in one of 20 comparisons")
	t.line("floor", "where it changed as much as the time, backend or machine did, not the engine")
	for _, s := range c.OnlyA {
		t.line("only a", "%s", s)
	}
	for _, s := range c.OnlyB {
		t.line("only b", "%s", s)
	}
}
