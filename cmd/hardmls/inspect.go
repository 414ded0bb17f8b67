package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hardmls/hardmls/internal/inspect"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/auto"
)

// inspectFlags are the flags of inspect.
type inspectFlags struct {
	as, encoding, groupID string
	suite                 uint16
	all                   bool
}

func inspectCommand(t *terminal) *cobra.Command {
	var flags inspectFlags
	c := &cobra.Command{
		Use:   "inspect FILE|-",
		Short: "Take a message, key package, group info or ratchet tree apart and check it",
		Long: `Shows every field of an encoded structure of RFC 9420 with its offset and length,
draws ratchet trees, verifies what can be verified without secrets, and says which
check fails and where. FILE, or standard input for -, holds the bytes themselves, or
hexadecimal or base64 text.

Types for --as: ` + wrapped(inspect.Types(), 80, 16) + `.

Exit code 0 if the input is well-formed and no check fails, 1 otherwise.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("inspect takes one file, or - for standard input")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runInspect(cmd.InOrStdin(), t, args[0], &flags) },
	}
	f := c.Flags()
	f.StringVar(&flags.as, "as", "", "type of the structure (default: the likeliest)")
	f.StringVar(&flags.encoding, "encoding", "", "raw, hex or base64 (default: what it looks like)")
	f.Uint16Var(&flags.suite, "suite", 0, "ciphersuite (default: the one that is named, or that fits the keys)")
	f.StringVar(&flags.groupID, "group-id", "", "group id in hexadecimal, for the signatures of a tree on its own")
	f.BoolVar(&flags.all, "all", false, "print long lists, bytes and trees to their end")
	return c
}

// wrapped joins words with commas in lines of a width, the first of which begins at
// column first.
func wrapped(words []string, width, first int) string {
	var b strings.Builder
	at := first
	for i, w := range words {
		if i > 0 {
			b.WriteString(",")
			if at+len(w)+3 > width {
				b.WriteString("\n")
				at = 0
			} else {
				b.WriteString(" ")
				at += 2
			}
		}
		b.WriteString(w)
		at += len(w)
	}
	return b.String()
}

func runInspect(stdin io.Reader, t *terminal, name string, flags *inspectFlags) error {
	opt := inspect.Options{As: flags.as, Suite: provider.CipherSuite(flags.suite), Now: time.Now()}
	if err := flags.check(&opt); err != nil {
		return usageError{err}
	}
	text, err := readInput(stdin, name)
	if err != nil {
		return err
	}
	data, encoding, err := inspect.Decode(text, flags.encoding)
	if err != nil {
		return fmt.Errorf("input is not %s: %w", encoding, err)
	}
	if opt.Crypto, _, err = auto.New(auto.Options{}); err != nil {
		return fmt.Errorf("choose a backend: %w", err)
	}
	report, err := inspect.Inspect(data, opt)
	if err != nil {
		return err
	}
	if err := printReport(t, report, flags.all); err != nil {
		return err
	}
	if !report.Valid() {
		return errFailed
	}
	return nil
}

// check checks the flags before anything is read.
func (f *inspectFlags) check(opt *inspect.Options) error {
	if f.as != "" && !containsFold(inspect.Types(), f.as) {
		return fmt.Errorf("unknown type %q: %s", f.as, strings.Join(inspect.Types(), ", "))
	}
	if f.encoding != "" && !containsFold(inspect.Encodings, f.encoding) {
		return fmt.Errorf("unknown encoding %q: %s", f.encoding, strings.Join(inspect.Encodings, ", "))
	}
	if _, known := provider.ParamsOf(opt.Suite); opt.Suite != 0 && !known {
		return fmt.Errorf("unknown suite %d", opt.Suite)
	}
	var err error
	if opt.GroupID, err = hex.DecodeString(f.groupID); err != nil {
		return fmt.Errorf("group id: %w", err)
	}
	if f.groupID == "" {
		opt.GroupID = nil
	}
	return nil
}

func containsFold(list []string, s string) bool {
	for _, l := range list {
		if strings.EqualFold(l, s) {
			return true
		}
	}
	return false
}

// readInput reads a file, or standard input for "-", of at most the size that its
// hexadecimal form may have.
func readInput(stdin io.Reader, name string) ([]byte, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	const limit = 2*inspect.MaxInput + inspect.MaxInput/8 // line feeds
	b, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err == nil && len(b) > limit {
		err = fmt.Errorf("input of more than %s", bytesOf(limit))
	}
	return b, err
}

func printReport(t *terminal, r *inspect.Report, all bool) error {
	if t.json {
		b, err := r.JSON()
		if err == nil {
			_, err = t.out.Write(b)
		}
		return err
	}
	return r.Text(t.out, inspect.Style{All: all, Dim: t.dim, Paint: func(s inspect.Status, text string) string {
		switch s {
		case inspect.Passed:
			return t.green(text)
		case inspect.Failed:
			return t.red(text)
		}
		return text
	}})
}
