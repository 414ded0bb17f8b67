// Package plot draws line charts with a logarithmic axis of times, as SVG: what
// hardmls bench needs and no more. A plot is one file without scripts or fonts of
// its own, and its series differ in shape and lightness as well as colour.
package plot

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Chart is one set of axes. Charts of a plot stand below one another.
type Chart struct {
	Title  string
	X      string // what the horizontal axis is
	Y      string // what the times are of
	Names  bool   // X of points are positions of Labels, not a logarithmic scale
	Labels map[float64]string
	Series []Series
}

// A Series is a line and its markers, and below it what it is compared with:
// dashed, with hollow markers.
type Series struct {
	Name   string
	Style  int // colour and shape
	Points []Point
	Floor  []Point
}

// A Point is a time, in nanoseconds, with the range it was seen in.
type Point struct{ X, Y, Lo, Hi float64 }

// Sizes in pixels.
const (
	width     = 960
	left      = 104 // of the axes
	right     = 690 // end of the axes; the legend follows
	headRoom  = 64  // title of the plot
	chartTop  = 40  // title of a chart, above its axes
	chartAxes = 300
	chartFoot = 64 // labels of the horizontal axis
	footRoom  = 20
	legendRow = 19
	nameRoom  = 44 // beside the outermost of places that are names
)

// styles are told apart in grey, too, by lightness and shape.
var styles = []struct{ colour, shape string }{
	{"#111111", "circle"}, {"#d55e00", "square"}, {"#0072b2", "up"}, {"#009e73", "diamond"}, {"#9a5b8a", "down"},
	{"#b8860b", "circle"}, {"#444444", "square"}, {"#56a5d8", "up"}, {"#7a3b00", "diamond"}, {"#5b8c00", "down"},
}

// SVG draws the charts below a title and a line that says what was measured.
func SVG(title, subtitle string, charts []Chart) []byte {
	d := &drawing{}
	height := headRoom + len(charts)*(chartTop+chartAxes+chartFoot) + footRoom
	d.f(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`, width, height, width, height)
	d.f(`<rect width="%d" height="%d" fill="#ffffff"/>`, width, height)
	d.text(24, 32, "start", `font-size="19" font-weight="bold"`, title)
	d.text(24, 53, "start", `fill="#444444"`, subtitle)
	y := float64(headRoom)
	for i := range charts {
		d.chart(&charts[i], y+chartTop)
		y += chartTop + chartAxes + chartFoot
	}
	d.f(`</svg>`)
	return d.b.Bytes()
}

// HTML is SVG in a page, with a table as text below.
func HTML(title, subtitle string, charts []Chart, table string) []byte {
	var b bytes.Buffer
	b.WriteString("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>" + escape(title) + "</title>\n" +
		"<style>body{margin:2em;font-family:sans-serif}svg{max-width:100%;height:auto}pre{overflow-x:auto}</style>\n")
	b.Write(SVG(title, subtitle, charts))
	b.WriteString("<pre>" + escape(table) + "</pre>\n</html>\n")
	return b.Bytes()
}

type drawing struct{ b bytes.Buffer }

func (d *drawing) f(format string, args ...any) {
	fmt.Fprintf(&d.b, format, args...)
	d.b.WriteByte('\n')
}

func (d *drawing) text(x, y float64, anchor, attributes, s string) {
	d.f(`<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>`, x, y, anchor, attributes, escape(s))
}

func escape(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		panic(err) // a strings.Builder does not fail
	}
	return b.String()
}

// scale maps values to pixels.
type scale struct {
	lo, hi   float64 // in the logarithm, or plain
	from, to float64 // pixels
	plain    bool
}

func (s scale) at(v float64) float64 {
	if !s.plain {
		v = math.Log10(v)
	}
	if s.hi == s.lo {
		return (s.from + s.to) / 2
	}
	return s.from + (v-s.lo)/(s.hi-s.lo)*(s.to-s.from)
}

// chart draws one chart whose axes begin at top.
func (d *drawing) chart(c *Chart, top float64) {
	bottom := top + chartAxes
	xs, lo, hi := c.extent()
	x := scale{lo: math.Log10(xs[0]), hi: math.Log10(xs[len(xs)-1]), from: left + 28, to: right - 28}
	if c.Names {
		x.plain, x.lo, x.hi, x.from, x.to = true, xs[0], xs[len(xs)-1], left+nameRoom, right-nameRoom
	}
	y := timeScale(lo, hi, bottom, top)
	d.text(left, top-14, "start", `font-weight="bold" font-size="14"`, c.Title)
	d.timeAxis(y)
	d.f(`<rect x="%d" y="%.1f" width="%d" height="%d" fill="none" stroke="#888888"/>`, left, top, right-left, chartAxes)
	last := math.Inf(-1)
	for i, v := range xs {
		at := x.at(v)
		if c.Names && i > 0 {
			between := (at + x.at(xs[i-1])) / 2
			d.f(`<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#d4d4d4"/>`, between, between, top, bottom)
		}
		d.f(`<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#888888"/>`, at, at, bottom, bottom+5)
		label := c.Labels[v]
		if room := 3.6 * float64(len(label)); at-room > last { // else it would touch its neighbour
			d.text(at, bottom+20, "middle", "", label)
			last = at + room + 6
		}
	}
	d.text((left+right)/2, bottom+42, "middle", `fill="#444444"`, c.X)
	d.f(`<text transform="translate(20 %.1f) rotate(-90)" text-anchor="middle" fill="#444444">%s</text>`, (top+bottom)/2, escape(c.Y))
	for i := range c.Series {
		d.series(c, i, x, y)
	}
	d.legend(c, top)
}

// extent returns the places on the horizontal axis, in order, and the shortest and
// longest time.
func (c *Chart) extent() (xs []float64, lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, s := range c.Series {
		for _, p := range slices.Concat(s.Points, s.Floor) {
			xs = append(xs, p.X)
			lo, hi = min(lo, p.Lo), max(hi, p.Hi)
		}
	}
	slices.Sort(xs)
	return slices.Compact(xs), lo, hi
}

// timeScale spans at least a decade, with some room at both ends.
func timeScale(lo, hi, bottom, top float64) scale {
	l, h := math.Log10(lo), math.Log10(hi)
	if room := 1 - (h - l); room > 0 {
		l, h = l-room/2, h+room/2
	}
	margin := 0.06 * (h - l)
	return scale{lo: l - margin, hi: h + margin, from: bottom, to: top}
}

// timeAxis draws grid and labels: powers of ten, and steps between if these are few.
func (d *drawing) timeAxis(y scale) {
	steps := []float64{1}
	if y.hi-y.lo < 3.2 {
		steps = []float64{1, 2, 5}
	}
	for e := math.Floor(y.lo); e <= y.hi; e++ {
		for _, s := range steps {
			v := s * math.Pow(10, e)
			if l := math.Log10(v); l < y.lo || l > y.hi {
				continue
			}
			at, grey := y.at(v), "#d4d4d4"
			if s != 1 {
				grey = "#ececec"
			}
			d.f(`<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="%s"/>`, left, right, at, at, grey)
			d.text(left-8, at+4.5, "end", "", Duration(v))
		}
	}
}

// Duration prints nanoseconds in a unit that suits them.
func Duration(ns float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
		if ns >= u.size*0.99995 {
			return digits(ns/u.size) + " " + u.name
		}
	}
	return digits(ns) + " ns"
}

// digits prints three digits.
func digits(v float64) string {
	var s string
	switch {
	case v >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 9.995:
		s = fmt.Sprintf("%.1f", v)
	default:
		s = fmt.Sprintf("%.2f", v)
	}
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

// series draws series i of a chart, its floor first. Where places are names, series
// stand beside one another.
func (d *drawing) series(c *Chart, i int, x, y scale) {
	s := &c.Series[i]
	colour := styles[s.Style%len(styles)].colour
	shift := 0.0
	if c.Names && len(c.Series) > 1 {
		shift = 54 * (float64(i)/float64(len(c.Series)-1) - 0.5)
	}
	if !c.Names {
		d.line(s.Floor, x, y, fmt.Sprintf(`stroke="%s" stroke-width="1.2" stroke-dasharray="5 4"`, colour))
		d.line(s.Points, x, y, fmt.Sprintf(`stroke="%s" stroke-width="1.8"`, colour))
	}
	for _, p := range s.Floor {
		d.marker(x.at(p.X)+shift, y.at(p.Y), s.Style, true)
	}
	for _, p := range s.Points {
		at := x.at(p.X) + shift
		if y.at(p.Lo)-y.at(p.Hi) > 8 {
			d.f(`<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="%s"/>`, at, at, y.at(p.Lo), y.at(p.Hi), colour)
		}
		d.marker(at, y.at(p.Y), s.Style, false)
	}
}

func (d *drawing) line(points []Point, x, y scale, attributes string) {
	var at []string
	for _, p := range points {
		at = append(at, fmt.Sprintf("%.1f,%.1f", x.at(p.X), y.at(p.Y)))
	}
	d.f(`<polyline points="%s" fill="none" %s/>`, strings.Join(at, " "), attributes)
}

// marker draws the shape of a style; a hollow one is larger, so that it shows
// around a full one in the same place.
func (d *drawing) marker(x, y float64, style int, hollow bool) {
	st := styles[style%len(styles)]
	r, fill := 3.7, st.colour
	if hollow {
		r, fill = 5.2, "#ffffff"
	}
	attributes := fmt.Sprintf(`fill="%s" stroke="%s" stroke-width="1.2"`, fill, st.colour)
	switch st.shape {
	case "circle":
		d.f(`<circle cx="%.1f" cy="%.1f" r="%.1f" %s/>`, x, y, r, attributes)
	case "square":
		d.f(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" %s/>`, x-0.9*r, y-0.9*r, 1.8*r, 1.8*r, attributes)
	case "up":
		d.f(`<path d="M%.1f %.1fL%.1f %.1fH%.1fz" %s/>`, x, y-1.25*r, x+1.2*r, y+0.9*r, x-1.2*r, attributes)
	case "down":
		d.f(`<path d="M%.1f %.1fL%.1f %.1fH%.1fz" %s/>`, x, y+1.25*r, x+1.2*r, y-0.9*r, x-1.2*r, attributes)
	default:
		d.f(`<path d="M%.1f %.1fL%.1f %.1fL%.1f %.1fL%.1f %.1fz" %s/>`, x, y-1.3*r, x+1.3*r, y, x, y+1.3*r, x-1.3*r, y, attributes)
	}
}

// legend lists the series on the right, those that end highest first, and says
// what dashed lines and hollow markers are.
func (d *drawing) legend(c *Chart, top float64) {
	order := make([]int, len(c.Series))
	for i := range order {
		order[i] = i
	}
	last := func(i int) float64 { return c.Series[i].Points[len(c.Series[i].Points)-1].Y }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(last(b), last(a)) })
	y := top + 10
	for _, i := range order {
		if !c.Names {
			d.f(`<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="%s" stroke-width="1.8"/>`, right+16, right+44, y, y, styles[c.Series[i].Style%len(styles)].colour)
		}
		d.marker(right+30, y, c.Series[i].Style, false)
		d.text(right+54, y+4.5, "start", "", c.Series[i].Name)
		y += legendRow
	}
	y += 4
	if !c.Names {
		d.f(`<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#111111" stroke-width="1.2" stroke-dasharray="5 4"/>`, right+16, right+44, y, y)
	}
	d.marker(right+30, y, 0, true)
	d.text(right+54, y+4.5, "start", `fill="#444444"`, "floor of each")
}
