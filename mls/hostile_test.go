package mls_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
)

// trio returns alice, bob and carol in one group that alice made.
func trio(t testing.TB, cfg mls.Config) (alice, bob, carol *client) {
	t.Helper()
	alice, bob, carol = newClient(t, "alice", cfg), newClient(t, "bob", cfg), newClient(t, "carol", cfg)
	alice.create()
	alice.add(nil, bob, carol)
	return alice, bob, carol
}

// send encrypts text.
func (c *client) send(text string) []byte {
	c.t.Helper()
	msg, err := c.group.CreateMessage(c.t.Context(), []byte(text), mls.MessageOptions{AAD: []byte("aad")})
	if err != nil {
		c.t.Fatalf("%s: send: %v", c.name, err)
	}
	return msg
}

// propose makes a proposal.
func (c *client) propose(p mls.Proposal) []byte {
	c.t.Helper()
	msg, _, err := c.group.Propose(c.t.Context(), p, mls.ProposeOptions{})
	if err != nil {
		c.t.Fatalf("%s: propose: %v", c.name, err)
	}
	return msg
}

// state is what the client has stored, after what was received is written too.
func (c *client) state() map[string]string {
	c.t.Helper()
	if err := c.group.Flush(c.t.Context()); err != nil {
		c.t.Fatalf("%s: flush: %v", c.name, err)
	}
	out := make(map[string]string)
	for r, err := range c.store.Scan(c.t.Context(), provider.Key{}) {
		if err != nil {
			c.t.Fatal(err)
		}
		out[string(provider.AppendKey(nil, r.Key))] = string(r.Value)
	}
	version, err := c.store.Version(c.t.Context(), c.group.ID())
	if err != nil {
		c.t.Fatal(err)
	}
	out["version"] = fmt.Sprint(version)
	out["authenticator"] = string(c.group.EpochAuthenticator())
	out["pending"] = fmt.Sprint(len(c.group.PendingProposals()))
	return out
}

// unchanged fails the test if the state differs from before.
func (c *client) unchanged(before map[string]string, what string) {
	c.t.Helper()
	if !maps.Equal(before, c.state()) {
		c.t.Fatalf("%s: state changed by %s", c.name, what)
	}
}

// wantCheck reports an error that is not of that check.
func wantCheck(t testing.TB, err error, check mls.Check) {
	t.Helper()
	var v *mls.ValidationError
	if !errors.As(err, &v) || v.Check != check {
		t.Errorf("got %v, want %v", err, check)
	}
}

// kinds are messages of bob for the others, each in a group of its own.
var kinds = []struct {
	name string
	wire mls.WireFormatPolicy
	make func(bob *client) []byte
}{
	{"application", mls.PureCiphertext, func(bob *client) []byte { return bob.send("text") }},
	{"private proposal", mls.PureCiphertext, func(bob *client) []byte { return bob.propose(mls.UpdateProposal()) }},
	{"public proposal", mls.PurePlaintext, func(bob *client) []byte { return bob.propose(mls.RemoveProposal(0)) }},
	{"private commit", mls.PureCiphertext, func(bob *client) []byte { return bob.pendingCommit(mls.CommitOptions{}) }},
	{"public commit", mls.PurePlaintext, func(bob *client) []byte { return bob.pendingCommit(mls.CommitOptions{}) }},
}

// pendingCommit makes a commit and leaves it pending.
func (c *client) pendingCommit(opt mls.CommitOptions) []byte {
	c.t.Helper()
	b, err := c.group.Commit(c.t.Context(), opt)
	if err != nil {
		c.t.Fatalf("%s: commit: %v", c.name, err)
	}
	return b.Commit
}

// eachKind runs f on every kind of message; bob made msg, and carol may read it.
func eachKind(t *testing.T, f func(t *testing.T, carol *client, msg []byte)) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			_, bob, carol := trio(t, mls.Config{WireFormat: k.wire})
			f(t, carol, k.make(bob))
		})
	}
}

// refuse hands a damaged message to c in every way: an error, and no change.
func (c *client) refuse(msg []byte, what string) {
	c.t.Helper()
	out, err := c.group.Process(c.t.Context(), msg, mls.ProcessOptions{})
	if d, ok := out.(*mls.Duplicate); err == nil && (!ok || d.Reason != mls.OwnEcho) {
		c.t.Fatalf("%s: Process took it: %T", what, out)
	}
	dst := []byte("kept")
	got, err := c.group.OpenMessage(c.t.Context(), dst, msg, new(mls.MessageInfo))
	if err == nil || !bytes.Equal(got, dst) {
		c.t.Fatalf("%s: OpenMessage: %q, %v", what, got, err)
	}
}

// accept hands the genuine message to c.
func (c *client) accept(msg []byte) {
	c.t.Helper()
	switch out := c.process(msg).(type) {
	case *mls.ApplicationMessage, *mls.ReceivedProposal, *mls.StagedCommit:
	default:
		c.t.Fatalf("the genuine message is %T", out)
	}
}

// TestV094 delivers tampered copies first, one for every byte: nothing changes, and
// the genuine message is accepted then, also after a reload.
func TestV094(t *testing.T) {
	eachKind(t, func(t *testing.T, carol *client, msg []byte) {
		before := carol.state()
		for i := range msg {
			bad := bytes.Clone(msg)
			bad[i] ^= 1 << (i % 8)
			carol.refuse(bad, fmt.Sprintf("byte %d", i))
		}
		carol.unchanged(before, "tampered copies")
		carol.reload()
		carol.unchanged(before, "reload")
		carol.refuse(append(bytes.Clone(msg), 0), "a byte too many")
		carol.accept(msg)
	})
}

// TestV094Open is the same for OpenMessage.
func TestV094Open(t *testing.T) {
	_, bob, carol := trio(t, mls.Config{})
	for g := range 3 {
		msg := bob.send("text")
		for i := range msg {
			bad := bytes.Clone(msg)
			bad[i] ^= 0x80
			carol.refuse(bad, fmt.Sprintf("byte %d", i))
		}
		var info mls.MessageInfo
		got, err := carol.group.OpenMessage(t.Context(), []byte("head "), msg, &info)
		if err != nil || string(got) != "head text" || info.Generation != uint32(g) || string(info.AAD) != "aad" {
			t.Fatalf("%q, %+v, %v", got, info, err)
		}
	}
}

// TestTruncated delivers every beginning of every kind of message.
func TestTruncated(t *testing.T) {
	eachKind(t, func(t *testing.T, carol *client, msg []byte) {
		before := carol.state()
		for n := range msg {
			carol.refuse(msg[:n:n], fmt.Sprintf("%d bytes", n))
		}
		carol.unchanged(before, "truncated copies")
		carol.accept(msg)
	})
	t.Run("others", func(t *testing.T) {
		alice, _, _ := trio(t, mls.Config{})
		dave := newClient(t, "dave", mls.Config{})
		kp := dave.keyPackage()
		for n := range kp.Bytes() {
			if _, err := mls.ParseKeyPackage(dave.p.Crypto(), kp.Bytes()[:n:n], dave.cfg); err == nil {
				t.Errorf("key package of %d bytes", n)
			}
		}
		b, err := alice.group.AddMembers(t.Context(), kp)
		if err != nil {
			t.Fatal(err)
		}
		for n := range b.Welcome {
			if _, err := mls.OpenWelcome(t.Context(), dave.p, b.Welcome[:n:n], dave.cfg); err == nil {
				t.Errorf("welcome of %d bytes", n)
			}
		}
		if err := alice.group.MergePending(t.Context()); err != nil {
			t.Fatal(err)
		}
		gi, err := alice.group.GroupInfo(t.Context(), mls.GroupInfoOptions{ExternalPub: true})
		if err != nil {
			t.Fatal(err)
		}
		eve := newClient(t, "eve", mls.Config{})
		for n := range gi {
			if _, err := mls.JoinExternal(t.Context(), eve.p, gi[:n:n], eve.signer, eve.cred, eve.cfg, mls.ExternalOptions{}); err == nil {
				t.Errorf("group info of %d bytes", n)
			}
		}
		dave.join(b.Welcome)
	})
}

// TestV092 refuses replays, and what is older than the window.
func TestV092(t *testing.T) {
	_, bob, carol := trio(t, mls.Config{})
	var msgs [][]byte
	for g := range 8 {
		msgs = append(msgs, bob.send(fmt.Sprint(g)))
	}
	open := func(g int) error {
		_, err := carol.group.OpenMessage(t.Context(), nil, msgs[g], nil)
		return err
	}
	for _, g := range []int{7, 2, 4} {
		if err := open(g); err != nil {
			t.Fatalf("generation %d: %v", g, err)
		}
	}
	before := carol.state()
	for _, reload := range []bool{false, true} {
		if reload {
			carol.reload()
		}
		for _, g := range []int{7, 2, 4} {
			if err := open(g); !errors.Is(err, mls.ErrSecretReuse) || !errors.Is(err, mls.ErrRatchet) {
				t.Errorf("replay of %d: %v", g, err)
			}
			if d, ok := carol.process(msgs[g]).(*mls.Duplicate); !ok || d.Reason != mls.Replay {
				t.Errorf("replay of %d is %v to Process", g, d)
			}
		}
		for _, g := range []int{0, 1} {
			if err := open(g); !errors.Is(err, mls.ErrTooDistantInThePast) {
				t.Errorf("generation %d: %v", g, err)
			}
		}
	}
	carol.unchanged(before, "replays")
	for _, g := range []int{3, 6, 5} {
		if err := open(g); err != nil {
			t.Errorf("generation %d, late: %v", g, err)
		}
	}
}

// TestV093 refuses generations far ahead, fast, and takes those just in reach.
func TestV093(t *testing.T) {
	_, bob, carol := trio(t, mls.Config{LeaseSize: 100})
	var msgs [][]byte
	for range mls.DefaultForward + 2 {
		msgs = append(msgs, bob.send("x"))
	}
	before, began := carol.state(), time.Now()
	if _, err := carol.group.OpenMessage(t.Context(), nil, msgs[mls.DefaultForward+1], nil); !errors.Is(err, mls.ErrTooDistantInTheFuture) {
		t.Errorf("too far: %v", err)
	}
	if d := time.Since(began); d > 100*time.Millisecond {
		t.Errorf("a refusal took %v", d)
	}
	carol.unchanged(before, "a generation too far ahead")
	if _, err := carol.group.OpenMessage(t.Context(), nil, msgs[mls.DefaultForward], nil); err != nil {
		t.Errorf("just in reach: %v", err)
	}
	if _, err := carol.group.OpenMessage(t.Context(), nil, msgs[mls.DefaultForward+1], nil); err != nil {
		t.Errorf("in reach now: %v", err)
	}
}

// TestV070 refuses messages of another group, V071 those of another epoch.
func TestV070V071(t *testing.T) {
	for _, wire := range []mls.WireFormatPolicy{mls.PureCiphertext, mls.PurePlaintext} {
		alice, bob, carol := trio(t, mls.Config{WireFormat: wire})
		_, other, _ := trio(t, mls.Config{WireFormat: wire})
		process := func(c *client, msg []byte) error {
			_, err := c.group.Process(t.Context(), msg, mls.ProcessOptions{})
			return err
		}
		wantCheck(t, process(carol, other.send("x")), 70)
		wantCheck(t, process(carol, other.propose(mls.UpdateProposal())), 70)
		wantCheck(t, process(carol, other.pendingCommit(mls.CommitOptions{})), 70)

		late := bob.send("late")
		lateProposal := bob.propose(mls.UpdateProposal())
		alice.commit(mls.CommitOptions{}, []*client{bob}) // carol does not know yet
		wantCheck(t, process(carol, alice.send("early")), 71)
		early := alice.pendingCommit(mls.CommitOptions{})
		wantCheck(t, process(carol, early), 71)
		wantCheck(t, process(alice, lateProposal), 71)
		if err := process(alice, late); err != nil {
			t.Errorf("late application message: %v", err)
		}
	}
}

// TestV073 holds every policy against every wire format of handshake messages.
func TestV073(t *testing.T) {
	accepts := map[mls.WireFormatPolicy][2]bool{ // private, public
		mls.PureCiphertext: {true, false}, mls.PurePlaintext: {false, true},
		mls.MixedCiphertext: {true, true}, mls.MixedPlaintext: {true, true},
	}
	for reader, ok := range accepts {
		for k, sender := range []mls.WireFormatPolicy{mls.PureCiphertext, mls.PurePlaintext} {
			alice, bob := newClient(t, "alice", mls.Config{WireFormat: reader}), newClient(t, "bob", mls.Config{WireFormat: sender})
			alice.create()
			alice.add(nil, bob)
			msg := bob.propose(mls.UpdateProposal())
			before := alice.state()
			_, err := alice.group.Process(t.Context(), msg, mls.ProcessOptions{})
			if ok[k] {
				if err != nil {
					t.Errorf("policy %d, sender %d: %v", reader, sender, err)
				}
				continue
			}
			wantCheck(t, err, 73)
			alice.unchanged(before, "a message of the wrong wire format")
		}
	}
}

// TestV112 bounds the proposals that are stored.
func TestV112(t *testing.T) {
	_, bob, carol := trio(t, mls.Config{MaxProposals: 3})
	var err error
	for i := range 4 {
		var msg []byte
		if msg, _, err = bob.group.Propose(t.Context(), mls.RemoveProposal(0), mls.ProposeOptions{AAD: []byte{byte(i)}}); err != nil {
			break
		}
		carol.process(msg)
	}
	wantCheck(t, err, 112)
	if n := len(carol.group.PendingProposals()); n != 3 {
		t.Errorf("%d proposals stored, want 3", n)
	}
}

// TestTooLong refuses a long plaintext without spending a generation.
func TestTooLong(t *testing.T) {
	_, bob, carol := trio(t, mls.Config{MaxMessage: 100})
	before := bob.state()
	for range 3 {
		if _, err := bob.group.CreateMessage(t.Context(), make([]byte, 101), mls.MessageOptions{}); !errors.Is(err, mls.ErrMessageTooLong) {
			t.Errorf("got %v", err)
		}
	}
	bob.unchanged(before, "refused messages")
	for g := range uint32(2) {
		msg, err := bob.group.CreateMessage(t.Context(), make([]byte, 100), mls.MessageOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var info mls.MessageInfo
		if _, err := carol.group.OpenMessage(t.Context(), nil, msg, &info); err != nil || info.Generation != g {
			t.Errorf("generation %d, want %d: %v", info.Generation, g, err)
		}
	}
}

// TestWrongWelcome: a Welcome for another client, or a damaged one, spends nothing.
func TestWrongWelcome(t *testing.T) {
	alice, _, _ := trio(t, mls.Config{})
	dave, eve := newClient(t, "dave", mls.Config{}), newClient(t, "eve", mls.Config{})
	eve.keyPackage()
	b, err := alice.group.AddMembers(t.Context(), dave.keyPackage())
	if err != nil {
		t.Fatal(err)
	}
	if err := alice.group.MergePending(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := mls.OpenWelcome(t.Context(), eve.p, b.Welcome, eve.cfg); !errors.Is(err, mls.ErrNoKeyPackage) {
		t.Errorf("another client's welcome: %v", err)
	}
	join := func(welcome []byte) error {
		w, err := mls.OpenWelcome(t.Context(), dave.p, welcome, dave.cfg)
		if err != nil {
			return err
		}
		defer w.Close()
		sw, err := w.Stage(t.Context(), dave.signer)
		if err != nil {
			return err
		}
		sw.Discard()
		return nil
	}
	opaque := 0
	for i := range b.Welcome {
		bad := bytes.Clone(b.Welcome)
		bad[i] ^= 1 << (i % 8)
		switch err := join(bad); {
		case err == nil:
			t.Fatalf("byte %d: taken", i)
		case errors.Is(err, mls.ErrDecrypt):
			opaque++
		}
	}
	if opaque < len(b.Welcome)/2 {
		t.Errorf("only %d of %d tampered copies are ErrDecrypt", opaque, len(b.Welcome))
	}
	if err := join(b.Welcome); err != nil {
		t.Errorf("a try that is discarded: %v", err)
	}
	dave.join(b.Welcome)
	agree(t, alice, dave)
	if _, err := mls.OpenWelcome(t.Context(), dave.p, b.Welcome, dave.cfg); !errors.Is(err, mls.ErrNoKeyPackage) {
		t.Errorf("the welcome of a used key package: %v", err)
	}
}
