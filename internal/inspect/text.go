package inspect

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// Style says how a report is printed.
type Style struct {
	All   bool                                 // everything, not just the beginning of long lists and bytes
	Paint func(status Status, s string) string // colours; nil: none
	Dim   func(s string) string
}

// What is printed of long things without Style.All.
const (
	maxElements = 8  // of a vector
	maxHex      = 32 // of bytes
	maxLines    = 96 // of a tree
	maxChecks   = 64
)

// Text prints the report for people. Received bytes are quoted or in hexadecimal.
func (r *Report) Text(out io.Writer, style Style) error {
	if style.Paint == nil {
		style.Paint = func(_ Status, s string) string { return s }
	}
	if style.Dim == nil {
		style.Dim = func(s string) string { return s }
	}
	w := bufio.NewWriter(out)
	p := printer{Writer: w, Report: r, Style: style}
	p.fields()
	p.tree()
	p.facts()
	p.checks()
	p.verdict()
	return w.Flush()
}

type printer struct {
	io.Writer
	*Report
	Style
	width int // of offsets and lengths
}

func (p *printer) printf(format string, args ...any) { fmt.Fprintf(p.Writer, format, args...) }

// fields prints offset, length, and the fields below one another.
func (p *printer) fields() {
	p.width = max(6, len(strconv.Itoa(len(p.Input))))
	p.printf("%s\n", p.Dim(fmt.Sprintf("%*s  %*s  field", p.width, "offset", p.width, "bytes")))
	p.field(&p.Root, 0)
}

func (p *printer) line(offset, length, depth int, text string) {
	p.printf("%*d  %*d  %s%s\n", p.width, offset, p.width, length, strings.Repeat("  ", depth), text)
}

func (p *printer) field(f *Field, depth int) {
	text := f.label()
	if f.Name == "" && depth == 0 {
		text = f.Type
	}
	fields := f.Fields
	kind := f.Kind
	if f.Broken {
		text += " " + p.mark(Failed)
		kind = Struct
	}
	switch kind {
	case Struct:
		if f.Name == "" && depth > 0 && !f.Broken {
			text += " " + f.Type
		}
	case Vector:
		text += "<V>"
		if len(fields) == 0 {
			text += " empty"
		} else if fields[0].Kind == Number {
			text += " " + p.numbers(f)
			fields = nil
		}
	case Optional:
		text += [...]string{" absent", " present"}[min(f.Number, 1)]
	case Number:
		text += " " + number(f)
	case Opaque:
		text += "<V>" + p.opaque(f)
	}
	p.line(f.Offset, f.Length, depth, text)
	shown := fields
	if f.Kind == Vector && !p.All && len(fields) > maxElements+1 {
		shown = fields[:maxElements]
	}
	for i := range shown {
		p.field(&shown[i], depth+1)
	}
	if n := len(fields) - len(shown) + f.Left; n > 0 {
		end := f.Offset + f.Length
		at := end
		if len(shown) < len(fields) {
			at = fields[len(shown)].Offset
		} else if len(fields) > 0 {
			at = fields[len(fields)-1].Offset + fields[len(fields)-1].Length
		}
		p.line(at, end-at, depth+1, "… "+plural(n, "more element"))
	}
}

// numbers lists the elements of a vector of numbers.
func (p *printer) numbers(f *Field) string {
	var list []string
	for i := range f.Fields {
		if i == 4*maxElements && !p.All {
			list = append(list, fmt.Sprintf("… %d more", len(f.Fields)-i+f.Left))
			break
		}
		e := f.Fields[i]
		if _, known := provider.ParamsOf(provider.CipherSuite(e.Number)); known && e.Type == "CipherSuite" {
			e.Text = "" // they are long
		}
		list = append(list, number(&e))
	}
	return strings.Join(list, ", ")
}

// number prints the name that a number has, and the number.
func number(f *Field) string {
	n := strconv.FormatUint(f.Number, 10)
	switch {
	case f.Text == "":
		return n
	case f.Type == "uint64":
		return n + " " + f.Text
	case f.Number > 0xFF:
		n = fmt.Sprintf("0x%04x", f.Number)
	}
	return f.Text + "(" + n + ")"
}

// opaque prints bytes whose content is not printed below.
func (p *printer) opaque(f *Field) string {
	if len(f.Fields) > 0 {
		return ""
	}
	b := f.Content(p.Input)
	switch {
	case len(b) == 0:
		return " empty"
	case f.Text != "" && printable(b):
		return " " + f.Text
	case len(b) > maxHex && !p.All:
		return " " + hex.EncodeToString(b[:maxHex/2]) + fmt.Sprintf("… %d bytes", len(b))
	}
	return " " + hex.EncodeToString(b)
}

// printable reports whether b reads better as text than in hexadecimal: at least
// three in four of its bytes are printable ASCII.
func printable(b []byte) bool {
	n := 0
	for _, c := range b {
		if c >= 0x20 && c < 0x7F {
			n++
		}
	}
	return 4*n >= 3*len(b)
}

// tree draws the ratchet tree, the root on top, blank subtrees in one line.
func (p *printer) tree() {
	t := p.Tree
	if t == nil {
		return
	}
	p.printf("\n%s\n", p.Dim(fmt.Sprintf("ratchet tree of width %d, %s", t.Width(), plural(t.Members, "member"))))
	d := drawing{printer: p, left: maxLines}
	if p.All {
		d.left = t.Width()
	}
	d.node(treemath.Root(t.Leaves), "", "")
}

type drawing struct {
	*printer
	left int // lines that may still be drawn
}

// node draws the subtree of x: first stands before its line, rest before those of
// its children.
func (d *drawing) node(x treemath.NodeIndex, first, rest string) {
	n := d.Tree.Node(x)
	members, blanks := d.Tree.below(x)
	switch {
	case x.IsLeaf():
		d.printf("%s%d %s\n", first, x, d.leaf(x, n))
		d.left--
	case members == 0:
		d.printf("%s%d %s\n", first, x, d.Dim(fmt.Sprintf("blank, and so are its %d leaves", blanks)))
		d.left--
	case d.left <= 0:
		d.printf("%s%d … %s, %d blank\n", first, x, plural(members, "member"), blanks)
	default:
		text := "parent"
		if n.Blank {
			text = d.Dim("blank")
		}
		if len(n.Unmerged) > 0 {
			text += " unmerged"
			for i, l := range n.Unmerged {
				if i == maxElements && !d.All {
					text += fmt.Sprintf(" … %d more", len(n.Unmerged)-i)
					break
				}
				text += " " + strconv.Itoa(int(l))
			}
		}
		d.printf("%s%d %s\n", first, x, text)
		d.left--
		d.node(treemath.Left(x), rest+"├─ ", rest+"│  ")
		d.node(treemath.Right(x), rest+"└─ ", rest+"   ")
	}
}

func (d *drawing) leaf(x treemath.NodeIndex, n Node) string {
	text := fmt.Sprintf("leaf %d ", x.Leaf())
	if n.Blank {
		return d.Dim(text + "blank")
	}
	return text + n.Member + " " + n.Source + " " + d.mark(n.Signed)
}

func (p *printer) facts() {
	if len(p.Facts) == 0 {
		return
	}
	p.printf("\n")
	for i, f := range p.Facts {
		if i == maxChecks && !p.All {
			p.printf("… %d more\n", len(p.Facts)-i)
			return
		}
		p.printf("%s %s\n", p.Dim(fmt.Sprintf("%s (of byte %d on)", f.Name, f.Offset)), hex.EncodeToString(f.Value))
	}
}

func (p *printer) mark(s Status) string {
	return p.Paint(s, [...]string{"✓", "✗", "?", "!"}[s])
}

func (p *printer) checks() {
	if len(p.Verdicts) == 0 {
		return
	}
	p.printf("\n")
	for i, v := range p.Verdicts {
		if i == maxChecks && !p.All {
			p.printf("… %d more\n", len(p.Verdicts)-i)
			return
		}
		text := v.What
		if v.Reason != "" {
			if text != "" {
				text += ": "
			}
			text += v.Reason
		}
		p.printf("%s %s %s\n", p.mark(v.Status), p.Dim(v.Check.String()), text)
	}
}

// verdict prints the last line.
func (p *printer) verdict() {
	p.printf("\n")
	count := map[Status]int{}
	var failed *Verdict
	for i, v := range p.Verdicts {
		if count[v.Status]++; v.Status == Failed && failed == nil {
			failed = &p.Verdicts[i]
		}
	}
	what := p.Type
	if len(p.Also) > 0 {
		what += " (also well-formed as " + strings.Join(p.Also, ", ") + "; --as chooses)"
	}
	switch {
	case p.Problem != nil:
		if p.Guessed {
			what += " (the likeliest type; --as chooses another)"
		}
		p.printf("%s: %s\n", p.Paint(Failed, "✗ not a well-formed "+what), place(p.Problem.CheckID(), p.Problem.Offset, p.Problem.Path, p.Problem.Reason()))
	case failed != nil:
		reason := failed.Reason
		if failed.What != "" {
			reason = failed.What + ": " + reason
		}
		p.printf("%s: %s\n", p.Paint(Failed, "✗ well-formed but invalid "+what), place(failed.Check, failed.Offset, failed.Path, reason))
	default:
		p.printf("%s: %d checked, %d unknown, %s\n", p.Paint(Passed, "✓ well-formed "+what),
			count[Passed], count[Unknown], plural(count[Warning], "warning"))
	}
}

// place says which check failed and where.
func place(id check.ID, offset int, path, reason string) string {
	s := id.String()
	if section := id.Section(); section != "" {
		s += ", RFC 9420 §" + section
	}
	s += fmt.Sprintf(", at byte %d", offset)
	if path != "" {
		s += ", " + path
	}
	return s + ": " + reason
}
