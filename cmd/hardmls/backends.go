package main

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hardmls/hardmls/internal/asm/cpu"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/auto"
	"github.com/hardmls/hardmls/provider/soft"
)

func backendsCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "backends",
		Short: "Show what was chosen for each primitive, why, and how fast it is here",
		Long: `Shows the machine, what each primitive is done with and why, whether its known
answer came out right, and how fast it is. HARDMLS_PROVIDER restricts the choice of
backends (HARDMLS_PROVIDER=soft), HARDMLS_CPU takes features away from their kernels
(HARDMLS_CPU=-vaes,-avx512).`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runBackends(cmd.Context(), t) },
	}
}

// backendsResult is what backends shows, for --json.
type backendsResult struct {
	OS       string      `json:"os"`
	Arch     string      `json:"arch"`
	CPUs     int         `json:"cpus"`
	Features []string    `json:"cpu_features"` // those that a kernel may use: HARDMLS_CPU takes some away
	Go       string      `json:"go"`
	Backend  string      `json:"backend"`
	Choices  []choiceRow `json:"choices"`
	Notes    []string    `json:"notes"`
	AEAD     []aeadRow   `json:"aead"`
	Suites   []suiteRow  `json:"suites"`
}

type choiceRow struct {
	Primitive string `json:"primitive"`
	Impl      string `json:"implementation"`
	Reason    string `json:"reason,omitempty"`
	Skipped   string `json:"skipped,omitempty"`
	SelfTest  string `json:"self_test"`
}

type aeadRow struct {
	AEAD     string  `json:"aead"`
	Size     int     `json:"bytes"`
	SealNS   int64   `json:"seal_ns"`
	OpenNS   int64   `json:"open_ns"`
	SealMBps float64 `json:"seal_mb_per_second"`
}

type suiteRow struct {
	Suite      uint16  `json:"suite"`
	Name       string  `json:"name"`
	SignUS     float64 `json:"sign_us"`
	VerifyUS   float64 `json:"verify_us"`
	HPKESealUS float64 `json:"hpke_seal_us"`
	HPKEOpenUS float64 `json:"hpke_open_us"`
}

func runBackends(ctx context.Context, t *terminal) error {
	crypto, report, err := auto.New(auto.Options{})
	if err != nil {
		return fmt.Errorf("choose a backend: %w", err)
	}
	res := backendsResult{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Features: cpuFeatures(), Go: runtime.Version(),
		Backend: report.Backend, Notes: report.Notes}
	failed := false
	for _, c := range report.Choices {
		row := choiceRow{c.Primitive, c.Impl, c.Reason, c.Skipped, "ok"}
		if c.SelfTest != nil {
			row.SelfTest, failed = c.SelfTest.Error(), true
		}
		res.Choices = append(res.Choices, row)
	}
	if err := measure(ctx, crypto, &res); err != nil {
		return err
	}
	if t.json {
		err = t.encode(res)
	} else {
		printBackends(t, &res)
	}
	if err == nil && failed {
		err = errFailed
	}
	return err
}

// cpuFeatures names the instruction sets that kernels may use. What HARDMLS_CPU says
// was read before: it has no error here.
func cpuFeatures() []string {
	f, _ := cpu.Usable()
	return strings.Fields(f.String())
}

// measure fills in the speeds. It takes a few seconds.
func measure(ctx context.Context, crypto provider.Crypto, res *backendsResult) error {
	for _, id := range []provider.CipherSuite{1, 7, 3} { // one for each AEAD
		s, err := crypto.Suite(id)
		if err != nil {
			continue
		}
		for _, size := range []int{64, 1 << 10, 16 << 10} {
			res.AEAD = append(res.AEAD, measureAEAD(s, size))
		}
	}
	for _, id := range crypto.CipherSuites() {
		if err := ctx.Err(); err != nil {
			return err
		}
		s, err := crypto.Suite(id)
		if err != nil {
			return err
		}
		row, err := measureSuite(ctx, crypto, s)
		if err != nil {
			return err
		}
		res.Suites = append(res.Suites, row)
	}
	return nil
}

// timed returns how long f takes: the best of three rounds of a few milliseconds.
func timed(f func()) time.Duration {
	best := time.Duration(1<<63 - 1)
	for range 3 {
		n := 0
		start := time.Now()
		for time.Since(start) < 20*time.Millisecond {
			f()
			n++
		}
		best = min(best, time.Since(start)/time.Duration(n))
	}
	return best
}

func measureAEAD(s provider.Suite, size int) aeadRow {
	p := s.Params()
	key, nonce, plain := make([]byte, p.Nk), make([]byte, p.Nn), make([]byte, size)
	buf := make([]byte, 0, size+p.Nt)
	sealed := s.Seal(nil, key, nonce, plain, nil)
	open := make([]byte, 0, size)
	seal := timed(func() { s.Seal(buf, key, nonce, plain, nil) })
	opened := timed(func() { s.Open(open, key, nonce, sealed, nil) })
	return aeadRow{AEAD: aeadName(p.AEAD), Size: size, SealNS: seal.Nanoseconds(), OpenNS: opened.Nanoseconds(),
		SealMBps: float64(size) / 1e6 / seal.Seconds()}
}

func aeadName(id uint16) string {
	switch id {
	case provider.AEAD_AES128GCM:
		return "AES-128-GCM"
	case provider.AEAD_AES256GCM:
		return "AES-256-GCM"
	}
	return "ChaCha20-Poly1305"
}

func measureSuite(ctx context.Context, crypto provider.Crypto, s provider.Suite) (suiteRow, error) {
	p := s.Params()
	row := suiteRow{Suite: uint16(p.ID), Name: p.Name}
	signer, err := soft.NewSigner(crypto, s)
	if err != nil {
		return row, err
	}
	msg := make([]byte, 256)
	sig, err := signer.Sign(ctx, nil, msg)
	if err != nil {
		return row, err
	}
	key, _, err := crypto.SoftwareKeys().Generate(ctx, s, provider.LeafKey)
	if err != nil {
		return row, err
	}
	defer key.Wipe()
	job := []provider.SealJob{{Pub: key.Public(), Plaintext: msg[:p.Nh], Enc: make([]byte, p.Nenc), CT: make([]byte, p.Nh+p.Nt)}}
	if err := s.HPKE().SealMany(nil, nil, job); err != nil {
		return row, err
	}
	enc, ct := append([]byte(nil), job[0].Enc...), append([]byte(nil), job[0].CT...)
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	buf := make([]byte, 0, p.SigMax)
	row.SignUS = us(timed(func() { signer.Sign(ctx, buf, msg) }))
	row.VerifyUS = us(timed(func() { s.Verify(signer.Public(), msg, sig) }))
	row.HPKESealUS = us(timed(func() { s.HPKE().SealMany(nil, nil, job) }))
	row.HPKEOpenUS = us(timed(func() { s.HPKE().Open(ctx, nil, key, enc, nil, nil, ct) }))
	return row, nil
}

func printBackends(t *terminal, res *backendsResult) {
	t.line("machine", "%s/%s, %d CPUs, %s", res.OS, res.Arch, res.CPUs, res.Go)
	t.line("cpu", "%s", strings.Join(res.Features, " "))
	t.line("backend", "%s", res.Backend)
	fmt.Fprintln(t.out)
	rows := [][]string{{"primitive", "done with", "self-test", "why"}}
	for _, c := range res.Choices {
		why := c.Reason
		if c.Skipped != "" {
			why += "  skipped: " + c.Skipped
		}
		rows = append(rows, []string{c.Primitive, c.Impl, c.SelfTest, why})
	}
	t.table(rows)
	fmt.Fprintln(t.out)
	rows = [][]string{{"AEAD, a fresh key each", "bytes", "seal ns", "open ns", "seal MB/s"}}
	for _, a := range res.AEAD {
		rows = append(rows, []string{a.AEAD, thousands(int64(a.Size)), thousands(a.SealNS), thousands(a.OpenNS), thousands(int64(a.SealMBps))})
	}
	t.table(rows, 1, 2, 3, 4)
	fmt.Fprintln(t.out)
	rows = [][]string{{"suite", "sign µs", "verify µs", "HPKE seal µs", "HPKE open µs", "name"}}
	for _, s := range res.Suites {
		f := func(v float64) string { return fmt.Sprintf("%.1f", v) }
		rows = append(rows, []string{strconv.Itoa(int(s.Suite)), f(s.SignUS), f(s.VerifyUS), f(s.HPKESealUS), f(s.HPKEOpenUS), s.Name})
	}
	t.table(rows, 1, 2, 3, 4)
	for _, n := range res.Notes {
		t.line("note", "%s", n)
	}
}
