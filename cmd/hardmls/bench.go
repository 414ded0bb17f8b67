package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hardmls/hardmls/bench/workload"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/auto"
)

// benchFlags are the flags of bench.
type benchFlags struct {
	ops, providers       []string
	suites               []uint
	sizes, members       []int
	rounds               int
	each                 time.Duration
	save, load, plotFile string
	compare              bool
}

func benchCommand(t *terminal) *cobra.Command {
	var flags benchFlags
	c := &cobra.Command{
		Use:   "bench [flags] [--compare A.json B.json]",
		Short: "Measure the engine beside its floors; save, plot and compare runs",
		Long: `Times operations in turns with their floors: the same cryptography done bare, with
the same backend. A ratio of 1 means that the engine adds nothing. Times are medians
over the rounds, with the confidence interval of 95 %.

Without flags for axes one of suite, size and members moves at a time, from suite 1,
256 bytes and 2 members. With them, all combinations are measured.

` + benchOps() + `
Exit code 0, also if --compare finds differences.`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case flags.compare && len(args) != 2:
				return usageError{fmt.Errorf("--compare takes two files that --save wrote")}
			case !flags.compare && len(args) > 0:
				return usageError{fmt.Errorf("unknown argument %q", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if flags.compare {
				return compareRuns(t, args[0], args[1])
			}
			return runBench(cmd.Context(), t, &flags)
		},
	}
	f := c.Flags()
	f.StringSliceVar(&flags.ops, "op", nil, "operations (default: all)")
	f.UintSliceVar(&flags.suites, "suite", nil, "ciphersuites, as in 1,2,7")
	f.IntSliceVar(&flags.sizes, "size", nil, "bytes of plaintext")
	f.IntSliceVar(&flags.members, "members", nil, "members of the group")
	f.StringSliceVar(&flags.providers, "provider", nil, "backends, as in HARDMLS_PROVIDER (default: the one that is chosen here)")
	f.IntVar(&flags.rounds, "rounds", 10, "measurements of each")
	f.DurationVar(&flags.each, "time", 10*time.Millisecond, "how long a round takes, about")
	f.StringVar(&flags.save, "save", "", "write the run to this file, as JSON")
	f.StringVar(&flags.load, "load", "", "show or plot the run in this file instead of measuring")
	f.StringVar(&flags.plotFile, "plot", "", "draw the run to this file, .svg or .html")
	f.BoolVar(&flags.compare, "compare", false, "compare two saved runs")
	return c
}

// benchOps lists the operations for the help.
func benchOps() string {
	var b strings.Builder
	for _, w := range workload.All {
		fmt.Fprintf(&b, "  %-18s %s\n  %-18s floor: %s\n", w.Name, w.What, "", w.Floor)
	}
	return b.String()
}

// check refuses flags that make no sense before anything is measured.
func (f *benchFlags) check() error {
	for _, op := range f.ops {
		if _, ok := workload.Find(op); !ok {
			return fmt.Errorf("unknown operation %q", op)
		}
	}
	for _, id := range f.suites {
		if _, ok := provider.ParamsOf(provider.CipherSuite(min(id, 1<<16-1))); !ok {
			return fmt.Errorf("unknown suite %d", id)
		}
	}
	for _, n := range f.sizes {
		if n < 0 || n > 1<<26 {
			return fmt.Errorf("a size of %d bytes is not measured", n)
		}
	}
	for _, n := range f.members {
		if n < 2 || n > 100_000 {
			return fmt.Errorf("a group of %d members is not measured", n)
		}
	}
	if f.rounds < 1 || f.rounds > 10_000 || f.each < 0 || f.each > time.Hour {
		return fmt.Errorf("%d rounds of %v are not measured", f.rounds, f.each)
	}
	if f.plotFile != "" && !strings.HasSuffix(f.plotFile, ".svg") && !strings.HasSuffix(f.plotFile, ".html") {
		return fmt.Errorf("--plot writes .svg or .html, not %s", f.plotFile)
	}
	return nil
}

// centre is where the axes cross.
var centre = benchKey{Suite: 1, Size: 256, Members: 2}

// jobs are what is measured for each backend, without duplicates.
func (f *benchFlags) jobs() (jobs []benchKey) {
	add := func(k benchKey, w *workload.Workload) {
		k.Op = w.Name
		if w.Axes&workload.Size == 0 {
			k.Size = 0
		}
		if w.Axes&workload.Members == 0 {
			k.Members = 0
		}
		if !slices.Contains(jobs, k) {
			jobs = append(jobs, k)
		}
	}
	for i := range workload.All {
		w := &workload.All[i]
		if len(f.ops) > 0 && !slices.Contains(f.ops, w.Name) {
			continue
		}
		for _, k := range f.points(w) {
			add(k, w)
		}
	}
	return jobs
}

// points are the places on the axes where a workload is measured.
func (f *benchFlags) points(w *workload.Workload) (points []benchKey) {
	if len(f.suites)+len(f.sizes)+len(f.members) > 0 {
		for _, suite := range orCentre(f.suites, uint(centre.Suite)) {
			for _, size := range orCentre(f.sizes, centre.Size) {
				for _, members := range orCentre(f.members, centre.Members) {
					points = append(points, benchKey{Suite: uint16(suite), Size: size, Members: members})
				}
			}
		}
		return points
	}
	points = append(points, centre)
	for _, size := range []int{64, 1350, 8 << 10, 64 << 10} {
		points = append(points, benchKey{Suite: centre.Suite, Size: size, Members: centre.Members})
	}
	for _, members := range []int{10, 100, 1000} {
		points = append(points, benchKey{Suite: centre.Suite, Size: centre.Size, Members: members})
	}
	for _, suite := range []uint16{2, 3, 4, 5, 6, 7} {
		points = append(points, benchKey{Suite: suite, Size: centre.Size, Members: centre.Members})
	}
	return points
}

func orCentre[T any](list []T, centre T) []T {
	if len(list) == 0 {
		return []T{centre}
	}
	return list
}

func runBench(ctx context.Context, t *terminal, f *benchFlags) error {
	if err := f.check(); err != nil {
		return usageError{err}
	}
	run, err := f.run(ctx, t)
	if err != nil {
		return err
	}
	if f.save != "" {
		if err := run.save(f.save); err != nil {
			return err
		}
	}
	if t.json {
		err = t.encode(run)
	} else {
		run.print(t)
	}
	if err == nil && f.plotFile != "" {
		err = run.plot(f.plotFile)
	}
	return err
}

// run measures, or loads a run.
func (f *benchFlags) run(ctx context.Context, t *terminal) (*benchRun, error) {
	if f.load != "" {
		return loadRun(f.load)
	}
	backends, err := f.backends()
	if err != nil {
		return nil, err
	}
	jobs := f.jobs()
	run := &benchRun{Schema: benchSchema, Date: time.Now().UTC().Truncate(time.Second), Go: runtime.Version(), OS: runtime.GOOS,
		Arch: runtime.GOARCH, CPUs: runtime.GOMAXPROCS(0), Features: cpuFeatures(), Rounds: f.rounds, Round: f.each.String()}
	bar := newBar(t, "bench ", len(jobs)*len(backends))
	defer bar.close()
	for _, crypto := range backends {
		report := crypto.Report()
		run.Providers = append(run.Providers, report.Backend)
		for _, key := range jobs {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			key.Provider = report.Backend
			res, err := measureOne(crypto, key, f)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			run.Rows = append(run.Rows, benchRow{benchKey: key, Result: *res})
			bar.advance(1)
		}
	}
	return run, nil
}

func measureOne(crypto provider.Crypto, key benchKey, f *benchFlags) (*workload.Result, error) {
	w, _ := workload.Find(key.Op)
	s := workload.Setup{Crypto: crypto, Suite: provider.CipherSuite(key.Suite), Size: key.Size, Members: max(2, key.Members)}
	r, err := w.Start(s)
	if err != nil {
		return nil, err
	}
	return r.Measure(f.rounds, f.each)
}

// backends are those that --provider names. The environment variable is how one is
// chosen, here as everywhere.
func (f *benchFlags) backends() (list []provider.Crypto, err error) {
	if len(f.providers) == 0 {
		c, _, err := auto.New(auto.Options{})
		return []provider.Crypto{c}, err
	}
	old, was := os.LookupEnv(auto.Env)
	defer func() {
		if !was {
			os.Unsetenv(auto.Env)
		} else {
			os.Setenv(auto.Env, old)
		}
	}()
	for _, name := range f.providers {
		if err := os.Setenv(auto.Env, name); err != nil {
			return nil, err
		}
		c, _, err := auto.New(auto.Options{})
		if err != nil {
			return nil, fmt.Errorf("choose backend %q: %w", name, err)
		}
		list = append(list, c)
	}
	return list, nil
}

// String names a key as benchmarks are named.
func (k benchKey) String() string {
	s := k.Op + "/suite=" + strconv.Itoa(int(k.Suite))
	if k.Size > 0 {
		s += "/size=" + strconv.Itoa(k.Size)
	}
	if k.Members > 0 {
		s += "/members=" + strconv.Itoa(k.Members)
	}
	if k.Provider != "" {
		s += "/provider=" + k.Provider
	}
	return s
}
