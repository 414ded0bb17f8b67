package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/auto"
)

// chunk is how much of a file one application message carries.
const chunk = 64 << 10

func demoCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "demo [FILE...]",
		Short: "Three members share files in a group, one is removed, one crashes and comes back",
		Long: `Creates Alice, Bob and Carol with a delivery queue between them, in this process
and without a network; sends the given files (8 MiB of generated data without any)
as encrypted application messages of 64 KiB, each receiver proving the SHA-256;
renews keys; saves and reloads Bob in the middle; removes Carol and shows that she
can neither read nor send any more.`,
		RunE: func(cmd *cobra.Command, files []string) error {
			return runDemo(cmd.Context(), t, files, provider.X25519_AES128GCM_SHA256_Ed25519, nil)
		},
	}
}

// demoResult is what the demo shows, for --json.
type demoResult struct {
	Backend        string     `json:"backend"`
	Report         []string   `json:"report"`
	Epoch          uint64     `json:"epoch"`
	Files          []demoFile `json:"files"`
	CarolRead      string     `json:"carol_read_error"`
	CarolSend      string     `json:"carol_send_error"`
	Lost           int        `json:"messages_lost"`
	SendPerSec     int64      `json:"send_256B_per_second"`
	ReceivePerSec  int64      `json:"receive_256B_per_second"`
	BytesPerSend   float64    `json:"stored_bytes_per_message_sent"`
	CommitBytes    int        `json:"commit_bytes"`
	WelcomeBytes   int        `json:"welcome_bytes"`
	SecondsInTotal float64    `json:"seconds"`
}

type demoFile struct {
	Name     string   `json:"name"`
	Bytes    int64    `json:"bytes"`
	Messages int      `json:"messages"`
	SHA256   string   `json:"sha256"`
	Proved   []string `json:"proved_by"`
}

type demo struct {
	*terminal
	queue             *queue
	alice, bob, carol *member
	suite             provider.CipherSuite
	signer            provider.Signer // Alice's, or nil
	result            demoResult
}

// runDemo runs the demo in a suite. signer, if not nil, is Alice's.
func runDemo(ctx context.Context, t *terminal, files []string, suite provider.CipherSuite, signer provider.Signer) error {
	start := time.Now()
	for _, name := range files { // before anything is shown
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		f.Close()
	}
	crypto, report, err := auto.New(auto.Options{})
	if err != nil {
		return fmt.Errorf("choose a backend: %w", err)
	}
	d := &demo{terminal: t, queue: newQueue(), suite: suite, signer: signer}
	d.result.Backend = report.Backend
	d.result.Report = strings.Split(strings.TrimSpace(report.String()), "\n")
	d.line("backend", "%s", summary(report))
	for _, step := range []func(context.Context, provider.Crypto) error{d.gather, d.renew} {
		if err := step(ctx, crypto); err != nil {
			return err
		}
	}
	if err := d.share(ctx, files); err != nil {
		return err
	}
	if err := d.remove(ctx); err != nil {
		return err
	}
	if err := d.speed(ctx); err != nil {
		return err
	}
	d.result.Epoch = d.alice.group.Epoch()
	d.result.SecondsInTotal = time.Since(start).Seconds()
	if t.json {
		return t.encode(d.result)
	}
	d.line("next", "hardmls backends · hardmls vectors · make bench")
	return nil
}

// summary is the report in one line: the primitives of the default suite.
func summary(r provider.Report) string {
	var parts []string
	for _, c := range r.Choices {
		switch {
		case strings.HasPrefix(c.Primitive, "aead/aes128"), strings.HasPrefix(c.Primitive, "kdf/") && strings.Contains(c.Primitive, "256"),
			strings.HasPrefix(c.Primitive, "sig") && strings.Contains(strings.ToLower(c.Primitive), "ed25519"):
			parts = append(parts, c.Primitive+" "+c.Impl)
		}
	}
	return r.Backend + ": " + strings.Join(parts, " · ")
}

// gather creates the group and lets Bob and Carol in.
func (d *demo) gather(ctx context.Context, crypto provider.Crypto) error {
	for _, m := range []struct {
		name string
		at   **member
	}{{"alice", &d.alice}, {"bob", &d.bob}, {"carol", &d.carol}} {
		var err error
		if *m.at, err = newMember(crypto, d.suite, m.name, d.queue); err != nil {
			return err
		}
	}
	if d.signer != nil {
		d.alice.signer = d.signer
	}
	if err := d.alice.create(ctx); err != nil {
		return err
	}
	d.line(d.epoch(), "alice created group %x…", d.alice.group.ID()[:4])
	bundle, err := d.alice.add(ctx, d.bob, d.carol)
	if err != nil {
		return err
	}
	d.result.CommitBytes, d.result.WelcomeBytes = len(bundle.Commit), len(bundle.Welcome)
	d.line(d.epoch(), "+ bob + carol      commit %s   welcome %s", bytesOf(int64(len(bundle.Commit))), bytesOf(int64(len(bundle.Welcome))))
	return nil
}

// renew lets Bob commit fresh keys.
func (d *demo) renew(ctx context.Context, _ provider.Crypto) error {
	bundle, err := d.bob.commit(ctx, mls.CommitOptions{})
	if err != nil {
		return err
	}
	if err := d.deliver(ctx); err != nil {
		return err
	}
	d.line(d.epoch(), "bob renewed his keys   commit %s", bytesOf(int64(len(bundle.Commit))))
	return nil
}

// share sends the files, with Bob crashing in the middle of the first.
func (d *demo) share(ctx context.Context, files []string) error {
	if len(files) == 0 {
		data := make([]byte, 8<<20)
		rand.NewChaCha8([32]byte{1}).Read(data)
		return d.shareOne(ctx, "generated data", bytes.NewReader(data), true)
	}
	for i, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		err = d.shareOne(ctx, filepath.Base(name), f, i == 0)
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (d *demo) shareOne(ctx context.Context, name string, r io.Reader, crash bool) error {
	hash := sha256.New()
	file := demoFile{Name: name}
	for _, m := range []*member{d.bob, d.carol} {
		m.received.Reset()
	}
	buf := make([]byte, chunk)
	for {
		n, err := io.ReadFull(r, buf)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		last := err != nil
		if n > 0 || file.Messages == 0 {
			hash.Write(buf[:n])
			if err := d.alice.send(ctx, buf[:n], fmt.Appendf(nil, "%s #%d", name, file.Messages)); err != nil {
				return err
			}
			file.Messages++
			file.Bytes += int64(n)
		}
		if file.Messages%64 == 0 || last {
			if crash {
				if err := d.crashBob(ctx); err != nil {
					return err
				}
				crash = false
			}
			if err := d.deliver(ctx); err != nil {
				return err
			}
			d.progressf("%s: %s sent", name, bytesOf(file.Bytes))
		}
		if last {
			break
		}
	}
	d.progressf("")
	sum := hash.Sum(nil)
	file.SHA256 = fmt.Sprintf("%x", sum)
	marks := ""
	for _, m := range []*member{d.bob, d.carol} {
		if got := m.received.Sum(nil); !bytes.Equal(got, sum) {
			return fmt.Errorf("%s received SHA-256 %x of %s, sent was %x", m.name, got, name, sum)
		}
		file.Proved = append(file.Proved, m.name)
		marks += fmt.Sprintf("   %s %s sha256 %x…", m.name, d.green("✓"), sum[:4])
	}
	d.result.Files = append(d.result.Files, file)
	d.line("alice → *", "%s %s in %s%s", name, bytesOf(file.Bytes), plural(file.Messages, "message"), marks)
	return nil
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return thousands(int64(n)) + " " + what + "s"
}

// crashBob drops Bob from memory with messages waiting, and loads him again.
func (d *demo) crashBob(ctx context.Context) error {
	waiting := d.queue.len(d.bob.name)
	half := waiting / 2
	if err := d.bob.receive(ctx, half); err != nil {
		return err
	}
	if err := d.bob.group.Flush(ctx); err != nil {
		return err
	}
	if err := d.bob.reload(ctx); err != nil {
		return err
	}
	if err := d.bob.receive(ctx, waiting-half); err != nil {
		return err
	}
	d.result.Lost = d.queue.len(d.bob.name)
	d.line("bob", "saved, dropped from memory and reloaded with %s waiting: epoch %d, %d lost",
		plural(waiting-half, "message"), d.bob.group.Epoch(), d.result.Lost)
	return nil
}

// remove takes Carol out and shows what she can still do: nothing.
func (d *demo) remove(ctx context.Context) error {
	bundle, err := d.alice.commit(ctx, mls.CommitOptions{Proposals: []mls.Proposal{mls.RemoveProposal(d.carol.group.OwnIndex())}})
	if err != nil {
		return err
	}
	if err := d.deliver(ctx); err != nil {
		return err
	}
	msg, err := d.alice.group.CreateMessage(ctx, []byte("without carol"), mls.MessageOptions{})
	if err != nil {
		return err
	}
	if _, err := d.bob.group.OpenMessage(ctx, nil, msg, nil); err != nil {
		return fmt.Errorf("bob can't read the new epoch: %w", err)
	}
	_, readErr := d.carol.group.OpenMessage(ctx, nil, msg, nil)
	_, sendErr := d.carol.group.CreateMessage(ctx, []byte("let me in"), mls.MessageOptions{})
	if !errors.Is(readErr, mls.ErrUseAfterEviction) || !errors.Is(sendErr, mls.ErrUseAfterEviction) {
		return fmt.Errorf("carol was removed, but her read gave %v and her send %v", readErr, sendErr)
	}
	d.result.CarolRead, d.result.CarolSend = readErr.Error(), sendErr.Error()
	d.line(d.epoch(), "− carol            commit %s   bob %s reads on", bytesOf(int64(len(bundle.Commit))), d.green("✓"))
	d.line("carol", "reads epoch %d: %s; sends: %s (ErrUseAfterEviction)", d.alice.group.Epoch(), d.red(readErr.Error()), d.red(sendErr.Error()))
	return nil
}

// deliver hands every waiting message to its receiver.
func (d *demo) deliver(ctx context.Context) error {
	for _, m := range []*member{d.alice, d.bob, d.carol} {
		if m.group == nil || !m.group.IsActive() {
			d.queue.drop(m.name)
			continue
		}
		if err := m.receive(ctx, d.queue.len(m.name)); err != nil {
			return err
		}
	}
	return nil
}

// speed times small messages between Alice and Bob.
func (d *demo) speed(ctx context.Context) error {
	const size, rounds = 256, 5
	round := 2000
	if d.signer != nil {
		round = 100 // a token takes its time
	}
	text := make([]byte, size)
	var sending, receiving time.Duration
	buf := make([]byte, 0, 4096)
	msgs := make([][]byte, round)
	for i := range msgs {
		msgs[i] = make([]byte, 0, 1024)
	}
	before := d.alice.store.Stats()
	for range rounds {
		start := time.Now()
		for i := range msgs {
			var err error
			if msgs[i], err = d.alice.group.AppendMessage(ctx, msgs[i][:0], text, mls.MessageOptions{}); err != nil {
				return err
			}
		}
		sending += time.Since(start)
		start = time.Now()
		for _, m := range msgs {
			if _, err := d.bob.group.OpenMessage(ctx, buf[:0], m, nil); err != nil {
				return err
			}
		}
		receiving += time.Since(start)
	}
	n := float64(round * rounds)
	d.result.SendPerSec = int64(n / sending.Seconds())
	d.result.ReceivePerSec = int64(n / receiving.Seconds())
	d.result.BytesPerSend = float64(d.alice.store.Stats().Bytes()-before.Bytes()) / n
	if d.json {
		return nil
	}
	top := max(d.result.SendPerSec, d.result.ReceivePerSec)
	d.table([][]string{
		{"256 B", "", "per second", "stored per message"},
		{"send", bar(d.result.SendPerSec, top), thousands(d.result.SendPerSec), fmt.Sprintf("%.0f B", d.result.BytesPerSend)},
		{"receive", bar(d.result.ReceivePerSec, top), thousands(d.result.ReceivePerSec), "with the next batch"},
	}, 2)
	return nil
}

func bar(n, top int64) string { return strings.Repeat("▇", int(n*20/max(1, top))) }

func (d *demo) epoch() string { return fmt.Sprintf("epoch %d", d.alice.group.Epoch()) }

// progressf overwrites the progress line; an empty format clears it.
func (t *terminal) progressf(format string, args ...any) {
	if t.progress {
		fmt.Fprintf(t.err, "\r\x1b[K"+format, args...)
	}
}
