package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/hardmls/hardmls/bench/workload"
	"github.com/hardmls/hardmls/cmd/hardmls/internal/plot"
)

// plot draws the run to a file.
func (r *benchRun) plot(name string) error {
	charts := r.charts()
	if len(charts) == 0 {
		return fmt.Errorf("nothing to plot: no axis has two values")
	}
	const title = "Hardmls: operations and their floors"
	out := plot.SVG(title, r.about(), charts)
	if strings.HasSuffix(name, ".html") {
		out = plot.HTML(title, r.about(), charts, r.text())
	}
	return os.WriteFile(name, out, 0o644)
}

// charts are one for each axis on which something was measured at two places at
// least, the other axes held at one value.
func (r *benchRun) charts() (charts []plot.Chart) {
	messages := func(k benchKey) bool { return k.Size > 0 }
	groups := func(k benchKey) bool { return k.Size == 0 && k.Members > 0 }
	all := func(benchKey) bool { return true }
	for _, c := range []struct {
		title, x string
		names    bool
		of       func(k benchKey) bool
		at       func(k *benchKey) *int // the axis; nil: the suite
		label    func(n int) string
	}{
		{"Messages, by size", "plaintext", false, messages, func(k *benchKey) *int { return &k.Size }, sizeLabel},
		{"Messages, by members", "members of the group", false, messages, func(k *benchKey) *int { return &k.Members }, axis},
		{"Groups, by members", "members of the group", false, groups, func(k *benchKey) *int { return &k.Members }, axis},
		{"By suite", "ciphersuite of RFC 9420 §17.1", true, all, nil, axis},
	} {
		chart := plot.Chart{Title: c.title, X: c.x, Y: "time per operation", Names: c.names, Labels: map[float64]string{}}
		held := r.series(c.of, c.at, &chart, c.label)
		if len(chart.Labels) < 2 {
			continue
		}
		chart.Title += title(held)
		charts = append(charts, chart)
	}
	return charts
}

// series adds a series for each operation and backend to a chart: its times and its
// floors along an axis. The other axes are held where most was measured, which is
// returned for the title.
func (r *benchRun) series(of func(k benchKey) bool, at func(k *benchKey) *int, chart *plot.Chart, label func(n int) string) (held benchKey) {
	for i, w := range workload.All {
		for j, provider := range r.Providers {
			line := &axisOf{at: at, rows: map[benchKey][]*benchRow{}}
			for i := range r.Rows {
				if row := &r.Rows[i]; row.Op == w.Name && row.Provider == provider && of(row.benchKey) {
					line.add(row)
				}
			}
			rows := line.rows[line.best]
			if len(rows) < 2 {
				continue
			}
			s := plot.Series{Name: w.Name, Style: i*len(r.Providers) + j}
			if len(r.Providers) > 1 {
				s.Name += ", " + provider
			}
			slices.SortFunc(rows, func(a, b *benchRow) int { return cmp.Compare(line.value(a), line.value(b)) })
			for _, row := range rows {
				n := line.value(row)
				chart.Labels[float64(n)] = label(n)
				s.Points = append(s.Points, point(n, spreadOf(row.Times())))
				s.Floor = append(s.Floor, point(n, spreadOf(row.Floors())))
			}
			chart.Series = append(chart.Series, s)
			held.Suite = max(held.Suite, line.best.Suite)
			held.Size, held.Members = max(held.Size, line.best.Size), max(held.Members, line.best.Members)
		}
	}
	return held
}

// axisOf gathers rows that differ along one axis only.
type axisOf struct {
	at   func(k *benchKey) *int // nil: the suite
	rows map[benchKey][]*benchRow
	best benchKey // where the other axes are held in most rows
}

func (a *axisOf) add(row *benchRow) {
	k := row.benchKey
	k.Op, k.Provider = "", ""
	if a.at == nil {
		k.Suite = 0
	} else {
		*a.at(&k) = 0
	}
	a.rows[k] = append(a.rows[k], row)
	if len(a.rows[k]) > len(a.rows[a.best]) {
		a.best = k
	}
}

func (a *axisOf) value(row *benchRow) int {
	if a.at == nil {
		return int(row.Suite)
	}
	return *a.at(&row.benchKey)
}

func point(n int, s spread) plot.Point {
	return plot.Point{X: float64(n), Y: s.median, Lo: s.lo, Hi: s.hi}
}

// title names the axes that a chart holds still.
func title(k benchKey) (s string) {
	if k.Suite > 0 {
		s += fmt.Sprintf(", suite %d", k.Suite)
	}
	if k.Size > 0 {
		s += ", " + sizeLabel(k.Size)
	}
	if k.Members > 0 {
		s += ", " + plural(k.Members, "member")
	}
	return s
}

func sizeLabel(n int) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return thousands(int64(n)) + " B"
}
