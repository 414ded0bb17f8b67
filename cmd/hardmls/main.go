// Command hardmls shows, checks and measures the Hardmls engine.
//
// Results go to stdout, progress and diagnostics to stderr. Exit codes: 0 success,
// 1 a check failed, 2 wrong usage, 3 anything else.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
	exitError  = 3
)

// errFailed is a check that ran and failed; what failed was printed already.
var errFailed = errors.New("a check failed")

// usageError is a mistake in the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Stdin, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes the command line and returns the exit code.
func run(ctx context.Context, stdin io.Reader, args []string, stdout, stderr io.Writer) int {
	out := newTerminal(stdout, stderr)
	root := &cobra.Command{
		Use:           "hardmls",
		Short:         "Messaging Layer Security (RFC 9420): demo, backends, bench, inspect, hsm, vectors",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().BoolVar(&out.json, "json", false, "print results as JSON")
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetArgs(args)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.Args = noArgs
	root.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	root.AddCommand(demoCommand(out), backendsCommand(out), vectorsCommand(out), inspectCommand(out), benchCommand(out), hsmCommand(out))
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFailed):
		return exitFailed
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "hardmls: %v\nRun 'hardmls --help' for usage.\n", err)
		return exitUsage
	}
	fmt.Fprintf(stderr, "hardmls: %v\n", err)
	return exitError
}

// noArgs refuses what stands behind a command that takes nothing.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("unknown command or argument %q", args[0])}
	}
	return nil
}
