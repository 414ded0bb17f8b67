package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

func sample() []Chart {
	return []Chart{
		{Title: "by size <&>", X: "bytes", Labels: map[float64]string{64: "64 B", 1024: "1 KiB"}, Series: []Series{
			{Name: "send", Points: []Point{{64, 1e4, 9e3, 2e4}, {1024, 2e4, 2e4, 2e4}},
				Floor: []Point{{64, 5e3, 5e3, 5e3}, {1024, 1e4, 1e4, 1e4}}},
			{Name: "receive", Points: []Point{{64, 2e4, 2e4, 2e4}, {1024, 3e4, 3e4, 3e4}}},
		}},
		{Title: "one point", Names: true, Labels: map[float64]string{1: "suite 1"}, Series: []Series{{Name: "x", Points: []Point{{1, 3, 3, 3}}}}},
	}
}

// wellFormed reads s to its end as XML.
func wellFormed(t *testing.T, s string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(s)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, s)
		}
	}
}

func TestSVG(t *testing.T) {
	s := string(SVG("title", "machine", sample()))
	wellFormed(t, s)
	for _, want := range []string{"by size &lt;&amp;&gt;", "1 KiB", ">10 µs<", ">receive<", "stroke-dasharray", "suite 1"} {
		if !strings.Contains(s, want) {
			t.Errorf("no %q in\n%s", want, s)
		}
	}
	for _, bad := range []string{"NaN", "Inf", "<by size"} {
		if strings.Contains(s, bad) {
			t.Errorf("%q in\n%s", bad, s)
		}
	}
}

func TestHTML(t *testing.T) {
	s := string(HTML("a < b", "machine", sample(), "op  <time>"))
	if !strings.Contains(s, "<title>a &lt; b</title>") || !strings.Contains(s, "op  &lt;time&gt;") || strings.Contains(s, "<script") {
		t.Error(s)
	}
}

// TestScale: a decade up is as far everywhere, and the ends keep off the frame.
func TestScale(t *testing.T) {
	y := timeScale(1e3, 1e6, 300, 0)
	if a, b := y.at(1e3)-y.at(1e4), y.at(1e5)-y.at(1e6); math.Abs(a-b) > 1e-9 || a <= 0 {
		t.Errorf("decades of %v and %v", a, b)
	}
	if y.at(1e3) >= 300 || y.at(1e6) <= 0 {
		t.Errorf("from %v to %v", y.at(1e3), y.at(1e6))
	}
	if one := (scale{lo: 2, hi: 2, from: 0, to: 10}); one.at(100) != 5 {
		t.Errorf("a single place at %v", one.at(100))
	}
}

func TestDuration(t *testing.T) {
	for ns, want := range map[float64]string{0.5: "0.5 ns", 999: "999 ns", 1e3: "1 µs", 1234: "1.23 µs", 20e3: "20 µs", 99_960: "100 µs", 123_456: "123 µs", 1e6: "1 ms", 1.5e9: "1.5 s"} {
		if got := Duration(ns); got != want {
			t.Errorf("Duration(%v) = %q, want %q", ns, got, want)
		}
	}
}
