package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// terminal is where a command prints: results on out, progress on err.
type terminal struct {
	out, err io.Writer
	json     bool
	color    bool // out is a terminal and NO_COLOR is not set
	progress bool // err is a terminal
}

func newTerminal(out, err io.Writer) *terminal {
	return &terminal{
		out: out, err: err,
		color:    isTerminal(out) && os.Getenv("NO_COLOR") == "",
		progress: isTerminal(err),
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// line prints a result line: a dim label of fixed width, then text. With --json
// nothing is printed.
func (t *terminal) line(label, format string, args ...any) {
	if !t.json {
		fmt.Fprintf(t.out, "%s %s\n", t.dim(pad(label, 9)), fmt.Sprintf(format, args...))
	}
}

// encode prints v as indented JSON.
func (t *terminal) encode(v any) error {
	e := json.NewEncoder(t.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (t *terminal) paint(code, s string) string {
	if !t.color {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (t *terminal) dim(s string) string   { return t.paint("2", s) }
func (t *terminal) green(s string) string { return t.paint("32", s) }
func (t *terminal) red(s string) string   { return t.paint("31", s) }

// table prints rows in columns; the first row is the head. Columns whose cells
// are all numbers are the caller's to align.
func (t *terminal) table(rows [][]string, right ...int) {
	if len(rows) == 0 {
		return
	}
	width := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, c := range r {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	isRight := make(map[int]bool)
	for _, i := range right {
		isRight[i] = true
	}
	for n, r := range rows {
		var b strings.Builder
		for i, c := range r {
			gap := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c))
			switch {
			case isRight[i]:
				b.WriteString(gap + c)
			case i == len(r)-1:
				b.WriteString(c)
			default:
				b.WriteString(c + gap)
			}
			if i < len(r)-1 {
				b.WriteString("  ")
			}
		}
		s := strings.TrimRight(b.String(), " ")
		if n == 0 {
			s = t.dim(s)
		}
		fmt.Fprintln(t.out, s)
	}
}

func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-utf8.RuneCountInString(s)))
}

// thousands prints n with separators, as in 1,214.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// bytesOf prints a size for people.
func bytesOf(n int64) string {
	switch {
	case n < 10_000:
		return thousands(n) + " B"
	case n < 1_000_000:
		return fmt.Sprintf("%.1f KB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
