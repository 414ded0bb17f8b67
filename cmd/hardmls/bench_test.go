package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hardmls/hardmls/bench/workload"
)

// quick are flags for a run that takes no time and says nothing.
var quick = []string{"bench", "--rounds", "3", "--time", "100us"}

func TestBench(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	out, errs, code := hardmls(t, append(quick, "--op", "send,join", "--size", "64,300", "--members", "2,3",
		"--save", file("a.json"), "--plot", file("a.svg"))...)
	if code != 0 || errs != "" || strings.Contains(out, "\x1b") {
		t.Fatalf("exit %d: %s\n%s", code, errs, out)
	}
	run, err := loadRun(file("a.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(run.Rows) != 4+2 || run.Rounds != 3 || len(run.Providers) != 1 {
		t.Errorf("%+v", run)
	}
	for _, row := range run.Rows {
		if len(row.Samples) != 3 || row.Provider != run.Providers[0] || !strings.Contains(out, row.Op) {
			t.Errorf("%+v", row)
		}
	}
	isSVG(t, file("a.svg"), "Messages, by size", "Messages, by members", "Groups, by members")

	// Loaded again it is the same table, and a page.
	again, errs, code := hardmls(t, "bench", "--load", file("a.json"), "--plot", file("a.html"))
	if code != 0 || again != out {
		t.Errorf("exit %d: %s\n%s\nnot\n%s", code, errs, again, out)
	}
	page, err := os.ReadFile(file("a.html"))
	if err != nil || !strings.Contains(string(page), "<svg ") || !strings.Contains(string(page), "ratio") {
		t.Errorf("%v: %s", err, page)
	}
	out, errs, code = hardmls(t, "bench", "--json", "--load", file("a.json"))
	var loaded benchRun
	if err := json.Unmarshal([]byte(out), &loaded); code != 0 || err != nil || loaded.Schema != benchSchema || len(loaded.Rows) != 6 {
		t.Errorf("exit %d, %v: %s", code, err, errs)
	}
	if _, errs, code = hardmls(t, "bench", "--load", file("a.json"), "--compare", file("a.json")); code != exitUsage {
		t.Errorf("one file to compare: exit %d, %s", code, errs)
	}
	out, errs, code = hardmls(t, "bench", "--compare", file("a.json"), file("a.json"))
	if code != 0 || !strings.Contains(out, "b/a 1.00") || strings.Contains(out, "faster") {
		t.Errorf("a run against itself: exit %d, %s\n%s", code, errs, out)
	}
}

func isSVG(t *testing.T, name string, titles ...string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(strings.NewReader(string(b))); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, title := range titles {
		if !strings.Contains(string(b), title) {
			t.Errorf("%s has no chart %q", name, title)
		}
	}
}

// TestBenchJobs: without flags one axis moves at a time, with them all do.
func TestBenchJobs(t *testing.T) {
	all := new(benchFlags).jobs()
	for _, w := range workload.All {
		n := 0
		for _, k := range all {
			if k.Op != w.Name {
				continue
			}
			n++
			moved := 0
			for _, off := range []bool{k.Suite != centre.Suite, k.Size != centre.Size && k.Size != 0, k.Members != centre.Members && k.Members != 0} {
				if off {
					moved++
				}
			}
			if moved > 1 {
				t.Errorf("%s: %d axes moved", k, moved)
			}
		}
		if n < 7 {
			t.Errorf("%s is measured %d times", w.Name, n)
		}
	}
	f := &benchFlags{ops: []string{"send", "key-package"}, suites: []uint{1, 2}, sizes: []int{1, 2, 3}, members: []int{2, 5}}
	if got := f.jobs(); len(got) != 2*3*2+2 {
		t.Errorf("%d jobs: %v", len(got), got)
	}
}

// made is a run with times that follow from rounds, scaled.
func made(scale float64, providers ...string) *benchRun {
	r := &benchRun{Schema: benchSchema, Providers: providers}
	for _, p := range providers {
		row := benchRow{benchKey: benchKey{Op: "send", Suite: 1, Size: 256, Members: 2, Provider: p}}
		for i := range 10 {
			row.Samples = append(row.Samples, workload.Sample{Op: scale * (1000 + float64(i)), Floor: 500 + float64(i)})
		}
		r.Rows = append(r.Rows, row)
	}
	return r
}

func TestCompare(t *testing.T) {
	c := compare(made(1, "soft"), made(1.5, "asm"))
	if len(c.Rows) != 1 || len(c.OnlyA)+len(c.OnlyB) != 0 {
		t.Fatalf("backends do not match: %+v", c)
	}
	d := c.Rows[0]
	if math.Abs(d.Ratio-1.5) > 1e-9 || !d.Significant || d.P > 0.001 || d.Floor != 1 || math.Abs(c.Geomean-1.5) > 1e-9 {
		t.Errorf("%+v, geomean %v", d, c.Geomean)
	}
	if d.FloorToo || d.verdict() != "50 % slower" {
		t.Errorf("%q, floor too: %v", d.verdict(), d.FloorToo)
	}
	if d := compare(made(1, "soft"), made(1.0005, "soft")).Rows[0]; d.Significant {
		t.Errorf("half a per mille is significant: %+v", d)
	}
	c = compare(made(1, "soft", "asm"), made(1, "soft"))
	if len(c.Rows) != 1 || !slices.Equal(c.OnlyA, []string{"send/suite=1/size=256/members=2/provider=asm"}) {
		t.Errorf("%+v", c)
	}
}

func TestFloorToo(t *testing.T) {
	for _, c := range []struct {
		time, floor float64
		want        bool
	}{{1.2, 1.2, true}, {1.2, 1.1, true}, {1.2, 1.05, false}, {1.2, 0.8, false}, {0.5, 0.5, true}, {0.5, 1, false}} {
		d := benchDifference{Ratio: c.time, Floor: c.floor}
		if got := d.floorToo(); got != c.want {
			t.Errorf("time %v, floor %v: %v", c.time, c.floor, got)
		}
	}
	d := benchDifference{Ratio: 0.5, Floor: 0.5, FloorToo: true, Significant: true}
	if got := d.verdict(); got != "50 % faster, so is the floor" {
		t.Error(got)
	}
}

func TestSpread(t *testing.T) {
	s := spreadOf([]float64{5, 1, 3, 2, 4})
	if s.median != 3 || s.lo != 1 || s.hi != 5 {
		t.Errorf("%+v", s)
	}
	if s := spreadOf([]float64{7}); s.median != 7 || s.lo != 7 || s.hi != 7 || s.percent() != "±0 %" {
		t.Errorf("%+v", s)
	}
}

func TestBenchUsage(t *testing.T) {
	for _, args := range [][]string{{"extra"}, {"--op", "nonsense"}, {"--suite", "8"}, {"--suite", "65537"}, {"--size", "-1"}, {"--members", "1"},
		{"--rounds", "0"}, {"--plot", "out.png"}, {"--compare"}, {"--compare", "a"}, {"--time", "x"}} {
		if out, errs, code := hardmls(t, append([]string{"bench"}, args...)...); code != exitUsage || out != "" {
			t.Errorf("%v: exit %d, %q, %q", args, code, out, errs)
		}
	}
	dir := t.TempDir()
	for name, content := range map[string]string{"no": "", "no json": "x", "other": `{"schema":"hardmls.bench/2"}`, "empty": `{"schema":"hardmls.bench/1"}`,
		"times": `{"schema":"hardmls.bench/1","rows":[{"op":"send","samples":[{"ns":0,"floor_ns":1}]}]}`} {
		file := filepath.Join(dir, name)
		if name != "no" {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, errs, code := hardmls(t, "bench", "--load", file); code != exitError || !strings.Contains(errs, file) {
			t.Errorf("%s: exit %d, %s", name, code, errs)
		}
	}
	if _, errs, code := hardmls(t, append(quick, "--provider", "nonsense", "--op", "send")...); code != exitError || !strings.Contains(errs, "nonsense") {
		t.Errorf("unknown backend: exit %d, %s", code, errs)
	}
	if _, errs, code := hardmls(t, append(quick, "--op", "send", "--size", "64", "--plot", filepath.Join(dir, "x.svg"))...); code != exitError || !strings.Contains(errs, "nothing to plot") {
		t.Errorf("one point: exit %d, %s", code, errs)
	}
}
