package mls_test

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
)

// A member in another process takes commands on its standard input, one a line, and
// answers each with one line: bytes in hex, or "error" and why.

const memberEnv = "HARDMLS_TEST_MEMBER"

// TestMemberProcess is the other process.
func TestMemberProcess(t *testing.T) {
	name := os.Getenv(memberEnv)
	if name == "" {
		t.Skip("run by TestSuccessorsAcrossProcesses")
	}
	c := map[provider.CipherSuite]*client{suite1: newClient(t, name, mls.Config{CipherSuite: suite1})}
	c[suite2] = c[suite1].inSuite(suite2)
	groups := map[string]*mls.Group{}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		out, err := obey(t, c, groups, strings.Fields(in.Text()))
		if err != nil {
			fmt.Println("member: error", err)
			continue
		}
		fmt.Printf("member: %x\n", out)
	}
}

// obey does what a line says.
func obey(t *testing.T, c map[provider.CipherSuite]*client, groups map[string]*mls.Group, line []string) ([]byte, error) {
	var suite provider.CipherSuite
	if _, err := fmt.Sscan(line[1], (*uint16)(&suite)); err != nil {
		return nil, err
	}
	me, name := c[suite], line[2]
	args := make([][]byte, len(line)-3)
	for i, s := range line[3:] {
		b, err := hex.DecodeString(s)
		if err != nil {
			return nil, err
		}
		args[i] = b
	}
	switch g := groups[name]; line[0] {
	case "key-package":
		return me.keyPackage().Bytes(), nil
	case "join":
		w, err := mls.OpenWelcome(t.Context(), me.p, args[0], me.cfg)
		if err != nil {
			return nil, err
		}
		sw, err := w.Stage(t.Context(), me.signer)
		if err != nil {
			return nil, err
		}
		groups[name], err = sw.Join(t.Context())
		return nil, err
	case "commit":
		out, err := g.Process(t.Context(), args[0], mls.ProcessOptions{})
		if err != nil {
			return nil, err
		}
		return nil, g.Merge(t.Context(), out.(*mls.StagedCommit))
	case "authenticator":
		return g.EpochAuthenticator(), nil
	case "successor", "branch":
		kp, err := mls.ParseKeyPackage(me.p.Crypto(), args[0], me.cfg)
		if err != nil {
			return nil, err
		}
		opt := mls.SuccessorOptions{Signer: me.signer, Credential: me.cred, Config: me.cfg, KeyPackages: []*mls.KeyPackage{kp}}
		goOn := g.Successor
		if line[0] == "branch" {
			goOn = g.Branch
		}
		next, welcome, err := goOn(t.Context(), opt)
		groups[name+"'"] = next
		return welcome, err
	}
	return nil, fmt.Errorf("unknown command %q", line[0])
}

// process is a member in another process.
type process struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

func startMember(t *testing.T, name string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestMemberProcess$")
	cmd.Env = append(os.Environ(), memberEnv+"="+name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	s := bufio.NewScanner(out)
	s.Buffer(nil, 1<<20)
	return &process{t, in, s}
}

func (p *process) ask(command string, suite provider.CipherSuite, group string, args ...[]byte) []byte {
	p.t.Helper()
	line := fmt.Sprintf("%s %d %s", command, suite, group)
	for _, a := range args {
		line += " " + hex.EncodeToString(a)
	}
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		p.t.Fatal(err)
	}
	for p.out.Scan() {
		if answer, ok := strings.CutPrefix(p.out.Text(), "member: "); ok {
			b, err := hex.DecodeString(answer)
			if err != nil {
				p.t.Fatalf("%s: %s", command, answer)
			}
			return b
		}
	}
	p.t.Fatalf("%s: the other process is gone: %v", command, p.out.Err())
	return nil
}

// TestSuccessorsAcrossProcesses: a branch and a re-init between two processes that
// exchange nothing but bytes, each made by the one and joined by the other.
func TestSuccessorsAcrossProcesses(t *testing.T) {
	ctx := t.Context()
	alice := newClient(t, "alice", mls.Config{})
	bob := startMember(t, "bob")
	parse := func(c *client, suite provider.CipherSuite) *mls.KeyPackage {
		t.Helper()
		kp, err := mls.ParseKeyPackage(c.p.Crypto(), bob.ask("key-package", suite, "-"), c.cfg)
		if err != nil {
			t.Fatal(err)
		}
		return kp
	}
	same := func(g *mls.Group, suite provider.CipherSuite, name string) {
		t.Helper()
		if got := bob.ask("authenticator", suite, name); string(got) != string(g.EpochAuthenticator()) {
			t.Errorf("%s: the processes disagree on the epoch", name)
		}
	}
	alice.create()
	b := alice.commit(mls.CommitOptions{Proposals: []mls.Proposal{mls.AddProposal(parse(alice, suite1))}}, nil)
	bob.ask("join", suite1, "main", b.Welcome)
	same(alice.group, suite1, "main")

	a := alice.inSuite(suite1) // bob's branch
	a.join(bob.ask("branch", suite1, "main", a.keyPackage().Bytes()))
	same(a.group, suite1, "main'")

	opt := a.goOn() // a branch of the branch, by alice
	opt.KeyPackages = []*mls.KeyPackage{parse(a, suite1)}
	g, welcome, err := a.group.Branch(ctx, opt)
	if err != nil {
		t.Fatal(err)
	}
	bob.ask("join", suite1, "twig", welcome)
	same(g, suite1, "twig")

	b = alice.commit(mls.CommitOptions{Proposals: []mls.Proposal{mls.ReInitProposal([]byte("next"), suite2, nil)}}, nil)
	bob.ask("commit", suite1, "main", b.Commit)
	a = alice.inSuite(suite2)
	opt = a.goOn()
	opt.KeyPackages = []*mls.KeyPackage{parse(a, suite2)}
	if g, welcome, err = alice.group.Successor(ctx, opt); err != nil {
		t.Fatal(err)
	}
	bob.ask("join", suite2, "next", welcome)
	same(g, suite2, "next")
}
