//go:build unix

package mls_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
	"github.com/hardmls/hardmls/storage/bbolt"
)

// Alice and Bob live in one process that is killed at every batch in turn, before it
// or after it, and started again. Their stores are files, and so is the delivery
// service between them, whose lines are messages in hex.

const crashEnv = "HARDMLS_TEST_CRASH" // folder, number of the batch; before, after or lies

const crashMessages = 12

// ratchetKind is the kind of the records that reserve generations.
const ratchetKind = 5

// dyingStorage kills the process at the batch of a number.
type dyingStorage struct {
	provider.Storage
	left  *atomic.Int64
	after bool
	lies  bool // leaves out the records that reserve generations
}

func (s *dyingStorage) Apply(ctx context.Context, b *provider.Batch) error {
	last := s.left.Add(-1) == 0
	if last && !s.after {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	if s.lies && len(b.Put) == 1 && b.Put[0].Key.Kind == ratchetKind {
		b = &provider.Batch{Group: b.Group, Expect: b.Expect}
	}
	err := s.Storage.Apply(ctx, b)
	if last {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return err
}

// mortal is a member of the process that dies.
type mortal struct {
	t      *testing.T
	dir    string
	name   string
	p      provider.Provider
	signer provider.Signer
	cred   mls.Credential
	cfg    mls.Config
	group  *mls.Group
}

// newMortal makes or finds a member: its signature key comes from a seed.
func newMortal(t *testing.T, dir, name string, seed uint64, left *atomic.Int64, mode string) *mortal {
	s, err := bbolt.Open(filepath.Join(dir, name), bbolt.Options{TestingOnlyNoSync: true}) // the system survives
	if err != nil {
		t.Fatal(err)
	}
	signer, err := providertest.ToyCrypto(providertest.NewRand(seed)).NewSigner(providertest.Toy1)
	if err != nil {
		t.Fatal(err)
	}
	crypto := providertest.ToyCrypto(providertest.NewRand(uint64(os.Getpid()) + seed)) // other keys after each start
	m := &mortal{t: t, dir: dir, name: name, signer: signer, cred: mls.BasicCredential([]byte(name)),
		p: provider.Bundle{Backend: crypto, Store: &dyingStorage{s, left, mode == "after", mode == "lies"}}}
	m.cfg = mls.Config{Authenticator: acceptAll, CipherSuite: providertest.Toy1, TestingOnlyPrivateSuites: true, LeaseSize: 4, GroupID: []byte("group")}
	m.group, err = mls.LoadGroup(t.Context(), m.p, []byte("group"), mls.Signers(m.signer), m.cfg)
	if err != nil && !errors.Is(err, mls.ErrGroupNotFound) {
		t.Fatal(err)
	}
	return m
}

// lines reads the delivery service.
func lines(t *testing.T, dir, name string) (out [][]byte) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		b, err := hex.DecodeString(in.Text())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

func publish(t *testing.T, dir, name string, msg []byte) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(f, "%x\n", msg); err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// TestCrashProcess is the process that is killed: it goes on from wherever the last
// one was, until all is done.
func TestCrashProcess(t *testing.T) {
	var dir, mode string
	var at int64
	if _, err := fmt.Sscan(os.Getenv(crashEnv), &dir, &at, &mode); err != nil {
		t.Skip("run by TestCrash")
	}
	left := new(atomic.Int64)
	left.Store(at)
	alice := newMortal(t, dir, "alice", 1, left, mode)
	bob := newMortal(t, dir, "bob", 2, left, mode)
	alice.found(bob)
	for round := 0; ; round++ {
		if round > 10*crashMessages {
			t.Fatal("it comes to no end")
		}
		alice.catchUp()
		bob.catchUp()
		if alice.group.Epoch() == 3 && bob.group.Epoch() == 3 && len(said(t, dir)) >= crashMessages {
			break
		}
		alice.goOn()
	}
	bob.catchUp()
	if !bytes.Equal(alice.group.EpochAuthenticator(), bob.group.EpochAuthenticator()) {
		t.Fatal("the members disagree")
	}
	fmt.Println("crash: done")
}

// found brings both into the group.
func (m *mortal) found(bob *mortal) {
	t, ctx := m.t, m.t.Context()
	if m.group == nil {
		g, err := mls.NewGroup(ctx, m.p, m.signer, m.cred, m.cfg)
		if err != nil {
			t.Fatal(err)
		}
		m.group = g
	}
	m.resend()
	if bob.group == nil && m.group.Epoch() == 0 {
		kp, err := mls.NewKeyPackage(ctx, bob.p, bob.signer, bob.cred, bob.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.group.AddMembers(ctx, kp); err != nil {
			t.Fatal(err)
		}
		m.resend()
	}
	if bob.group != nil {
		return
	}
	for _, welcome := range lines(t, m.dir, "welcomes") {
		w, err := mls.OpenWelcome(ctx, bob.p, welcome, bob.cfg)
		if errors.Is(err, mls.ErrNoKeyPackage) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		sw, err := w.Stage(ctx, bob.signer)
		if err != nil {
			t.Fatal(err)
		}
		if bob.group, err = sw.Join(ctx); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatal("bob's welcome was lost")
}

// resend does what a member does after a restart: it sends its pending commit again,
// merges it, and sends the Welcomes that it owes.
func (m *mortal) resend() {
	t, ctx := m.t, m.t.Context()
	if b, err := m.group.Pending(); err == nil {
		publish(t, m.dir, "queue", b.Commit)
		if err := m.group.MergePending(ctx); err != nil {
			t.Fatal(err)
		}
	}
	out, err := m.group.Outbox(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range out {
		publish(t, m.dir, "welcomes", o.Welcome)
		if err := m.group.Sent(ctx, o.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// goOn sends messages, with two commits between them.
func (m *mortal) goOn() {
	t, ctx := m.t, m.t.Context()
	n := len(said(t, m.dir))
	if epoch := uint64(1 + n*3/crashMessages); epoch <= 3 && m.group.Epoch() < epoch {
		if _, err := m.group.SelfUpdate(ctx); err != nil {
			t.Fatal(err)
		}
		m.resend()
		return
	}
	var info mls.MessageInfo
	msg, err := m.group.CreateMessage(ctx, fmt.Appendf(nil, "message %d", n), mls.MessageOptions{Info: &info})
	if err != nil {
		t.Fatal(err)
	}
	publish(t, m.dir, "said", fmt.Appendf(nil, "%d %d", info.Epoch, info.Generation))
	publish(t, m.dir, "queue", msg)
}

func said(t *testing.T, dir string) [][]byte { return lines(t, dir, "said") }

// catchUp reads what waits in the queue, from the stored cursor on.
func (m *mortal) catchUp() {
	t, ctx := m.t, m.t.Context()
	at := 0
	if c := m.group.Delivered(); len(c) > 0 {
		at = int(c[0])
	}
	for i, msg := range lines(t, m.dir, "queue") {
		if i < at {
			continue
		}
		out, err := m.group.Process(ctx, msg, mls.ProcessOptions{Cursor: []byte{byte(i + 1)}})
		switch {
		case errors.Is(err, mls.ErrEpochGone):
			continue // of before bob's time; what he should have read is counted in the end
		case err != nil:
			t.Fatalf("%s: message %d: %v", m.name, i, err)
		}
		switch out := out.(type) {
		case *mls.ApplicationMessage:
			publish(t, m.dir, "heard", out.Data)
		case *mls.StagedCommit:
			if err := m.group.Merge(ctx, out); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := m.group.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestCrash kills the process at every batch and looks at what the next one makes of
// it: no generation is used twice, no commit, Welcome or message is lost.
func TestCrash(t *testing.T) {
	if testing.Short() {
		t.Skip("starts hundreds of processes")
	}
	for _, mode := range []string{"before", "after"} {
		kills, twice, lost := crashes(t, mode)
		if kills < 15 || twice > 0 || lost > 0 {
			t.Errorf("%d kills %s a batch: %d generations used twice, %d messages lost", kills, mode, twice, lost)
		}
		t.Logf("%d kills %s a batch", kills, mode)
	}
}

// TestCrashControl: the same with a store that does not keep what reserves generations
// shows that the test would see it.
func TestCrashControl(t *testing.T) {
	if testing.Short() {
		t.Skip("starts hundreds of processes")
	}
	if kills, twice, _ := crashes(t, "lies"); twice == 0 {
		t.Errorf("%d kills of a group whose store lies, and no generation twice", kills)
	}
}

// crashes kills the process at each of its batches.
func crashes(t *testing.T, mode string) (kills, twice, lost int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	start := func(dir string, at int) string {
		cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestCrashProcess$")
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", crashEnv, dir, at, mode))
		out, _ := cmd.CombinedOutput() // it was killed, or says why not
		return string(out)
	}
	const done = "crash: done"
	for at := 1; at < 200; at++ {
		dir := t.TempDir()
		killed := !strings.Contains(start(dir, at), done)
		if killed {
			kills++
			start(dir, at) // killed once more at the same distance, then left alone
			if out := start(dir, 0); !strings.Contains(out, done) {
				if mode == "lies" {
					continue // no wonder
				}
				t.Fatalf("%s batch %d: the next process fails:\n%s", mode, at, out)
			}
		}
		seen, heard := map[string]bool{}, map[string]bool{}
		for _, l := range said(t, dir) {
			if seen[string(l)] {
				twice++
			}
			seen[string(l)] = true
		}
		for _, l := range lines(t, dir, "heard") {
			heard[string(l)] = true
		}
		for n := range crashMessages {
			if !heard[fmt.Sprintf("message %d", n)] {
				lost++
			}
		}
		if !killed {
			return kills, twice, lost
		}
	}
	t.Fatalf("%s: the process never gets to its end", mode)
	return
}
