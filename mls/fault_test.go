package mls_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
	"github.com/hardmls/hardmls/storage/mem"
)

// These tests let every call of a store, a signer and the source of randomness
// fail once, in every flow, and look at what is left: the group in memory must
// be the group on disk, a failed call must have changed nothing, the call must
// succeed when it is tried again (by the same process or after a crash), and no
// generation may be used twice.

// An actor is a member whose surroundings can be made to fail.
type actor struct {
	name   string
	mem    *mem.Store
	store  *providertest.FaultStorage
	rand   *providertest.FaultRand
	signer *providertest.FaultSigner
	keys   *providertest.FaultKeys
	p      provider.Bundle
	cfg    mls.Config
	group  *mls.Group
}

// A world is a group of toy members and what was said in it.
type world struct {
	testing.TB
	alice, bob, carol, dave *actor // dave is not in the group at first
	sent                    map[sentMessage]bool
	crashed, unknown        bool
}

// A sentMessage is a key that was used.
type sentMessage struct {
	epoch      uint64
	sender     uint32
	generation uint32
}

func newActor(t testing.TB, seed uint64, name string, cfg mls.Config) *actor {
	t.Helper()
	a := &actor{name: name, mem: mem.New(), cfg: cfg}
	a.cfg.CipherSuite, a.cfg.Authenticator = providertest.Toy1, acceptAll
	a.cfg.TestingOnlyPrivateSuites = true
	a.cfg.ExternalCommits = mls.AcceptExternalCommits
	a.store = providertest.NewFaultStorage(a.mem)
	a.rand = &providertest.FaultRand{Inner: providertest.NewRand(seed)}
	crypto := providertest.ToyCrypto(a.rand)
	signer, err := crypto.NewSigner(providertest.Toy1)
	if err != nil {
		t.Fatal(err)
	}
	a.signer = &providertest.FaultSigner{Signer: signer}
	a.keys = providertest.NewFaultKeys(crypto.SoftwareKeys())
	a.p = provider.Bundle{Backend: crypto, Custody: []provider.Keys{a.keys}, Store: a.store}
	return a
}

// newWorld returns a group of alice, bob and carol, and dave beside it.
func newWorld(t testing.TB, cfg mls.Config) *world {
	t.Helper()
	w := &world{TB: t, sent: map[sentMessage]bool{}}
	w.alice, w.bob, w.carol, w.dave = newActor(t, 1, "alice", cfg), newActor(t, 2, "bob", cfg), newActor(t, 3, "carol", cfg), newActor(t, 4, "dave", cfg)
	w.must(w.alice.create(t.Context(), []byte("group")))
	b, err := w.alice.group.AddMembers(t.Context(), w.keyPackage(w.bob), w.keyPackage(w.carol))
	w.must(err)
	w.must(w.alice.group.MergePending(t.Context()))
	w.must(w.bob.join(t.Context(), b.Welcome))
	w.must(w.carol.join(t.Context(), b.Welcome))
	out, err := w.alice.group.Outbox(t.Context())
	w.must(err)
	for _, o := range out {
		w.must(w.alice.group.Sent(t.Context(), o.ID))
	}
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (a *actor) create(ctx context.Context, id []byte) (err error) {
	cfg := a.cfg
	cfg.GroupID = id
	a.group, err = mls.NewGroup(ctx, a.p, a.signer, mls.BasicCredential([]byte(a.name)), cfg)
	return err
}

func (w *world) keyPackage(a *actor) *mls.KeyPackage {
	w.Helper()
	kp, err := mls.NewKeyPackage(w.Context(), a.p, a.signer, mls.BasicCredential([]byte(a.name)), a.cfg)
	w.must(err)
	return w.parsed(a, kp)
}

func (w *world) parsed(a *actor, kp *mls.KeyPackage) *mls.KeyPackage {
	w.Helper()
	parsed, err := mls.ParseKeyPackage(w.alice.p.Crypto(), kp.Bytes(), a.cfg)
	w.must(err)
	return parsed
}

func (a *actor) join(ctx context.Context, welcome []byte) error {
	w, err := mls.OpenWelcome(ctx, a.p, welcome, a.cfg)
	if err != nil {
		return err
	}
	sw, err := w.Stage(ctx, a.signer)
	if err != nil {
		return err
	}
	g, err := sw.Join(ctx)
	if err != nil {
		sw.Discard()
		return err
	}
	a.group = g
	return nil
}

func (a *actor) load(ctx context.Context, p provider.Provider) (*mls.Group, error) {
	return mls.LoadGroup(ctx, p, []byte("group"), mls.Signers(a.signer), a.cfg)
}

// receive processes a handshake message and merges a commit.
func (a *actor) receive(ctx context.Context, msg []byte) error {
	out, err := a.group.Process(ctx, msg, mls.ProcessOptions{})
	if err != nil {
		return err
	}
	if st, ok := out.(*mls.StagedCommit); ok {
		if err := a.group.Merge(ctx, st); err != nil {
			st.Discard()
			return err
		}
	}
	return nil
}

func (w *world) receive(msg []byte, by ...*actor) {
	w.Helper()
	for _, a := range by {
		if err := a.receive(w.Context(), msg); err != nil {
			w.Fatalf("%s: %v", a.name, err)
		}
	}
}

// send sends a message of a and watches its generation.
func (w *world) send(a *actor) ([]byte, error) {
	var info mls.MessageInfo
	msg, err := a.group.CreateMessage(w.Context(), []byte("from "+a.name), mls.MessageOptions{Info: &info})
	if err == nil {
		used := sentMessage{info.Epoch, info.Sender, info.Generation}
		if w.sent[used] {
			w.Errorf("generation used twice: %+v", used)
		}
		w.sent[used] = true
	}
	return msg, err
}

// agree checks that the members are in one epoch and read each other.
func (w *world) agree(all ...*actor) {
	w.Helper()
	for _, a := range all {
		if !bytes.Equal(a.group.EpochAuthenticator(), all[0].group.EpochAuthenticator()) {
			w.Fatalf("%s and %s disagree", a.name, all[0].name)
		}
	}
	for _, from := range all {
		for range 2 {
			msg, err := w.send(from)
			if err != nil {
				w.Fatalf("%s: send: %v", from.name, err)
			}
			w.read(msg, from, all...)
		}
	}
}

func (w *world) read(msg []byte, from *actor, all ...*actor) {
	w.Helper()
	for _, to := range all {
		if to == from {
			continue
		}
		out, err := to.group.Process(w.Context(), msg, mls.ProcessOptions{})
		if m, ok := out.(*mls.ApplicationMessage); err != nil || !ok || string(m.Data) != "from "+from.name {
			w.Fatalf("%s reads %v, %v from %s", to.name, out, err, from.name)
		}
	}
}

// stateOf is everything about a group that a member can see.
func stateOf(ctx context.Context, g *mls.Group) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "epoch %d active %v own %d\n", g.Epoch(), g.IsActive(), g.OwnIndex())
	if !g.IsActive() {
		return b.String()
	}
	fmt.Fprintf(&b, "authenticator %x\ntree %x\ntag %x\n", g.EpochAuthenticator(), g.TreeHash(), g.ConfirmationTag())
	out := make([]byte, 16)
	err := g.Export(out, "label", nil)
	fmt.Fprintf(&b, "exporter %x %v\n", out, err)
	err = g.ResumptionPSK(out)
	fmt.Fprintf(&b, "resumption PSK of a wrong length %v\n", err)
	fmt.Fprintf(&b, "members %d\n", g.MemberCount())
	for _, p := range g.PendingProposals() {
		fmt.Fprintf(&b, "proposal %x\n", p.Ref)
	}
	pending, err := g.Pending()
	if err != nil {
		fmt.Fprintf(&b, "pending: %v\n", err)
	} else {
		fmt.Fprintf(&b, "pending %x %x %x\n", pending.Commit, pending.Welcome, pending.GroupInfo)
		staged := g.StagedPending()
		fmt.Fprintf(&b, "staged %d %x added %d removed %d\n", staged.Epoch(), staged.EpochAuthenticator(), len(staged.Added()), len(staged.Removed()))
	}
	outbox, err := g.Outbox(ctx)
	fmt.Fprintf(&b, "outbox %x %v\n", outbox, err)
	return b.String()
}

// onDisk is the state of the group that a crash now would leave.
func (w *world) onDisk(a *actor) string {
	w.Helper()
	p := provider.Bundle{Backend: providertest.ToyCrypto(providertest.NewRand(99)), Store: a.mem.Clone()}
	g, err := a.load(w.Context(), p)
	if err != nil {
		w.Fatalf("%s: the group on disk does not load: %v", a.name, err)
	}
	return stateOf(w.Context(), g)
}

// crash forgets what a has in memory.
func (w *world) crash(a *actor) {
	w.Helper()
	g, err := a.load(w.Context(), a.p)
	w.must(err)
	a.group, w.crashed = g, true
}

// A fault makes call i of something fail.
type fault struct {
	name  string
	arm   func(a *actor, i int)
	calls func(a *actor) int
	// needed says that nothing can succeed without the call. Used keys are
	// swept once more later, so calls for that may fail.
	needed bool
}

func storageFault(name string, f providertest.StorageFault, arm func(s *providertest.FaultStorage, i int)) fault {
	return fault{name,
		func(a *actor, i int) { a.store.Fault = f; arm(a.store, i) },
		func(a *actor) int { return a.store.Calls() }, false}
}

var faults = []fault{
	storageFault("store", providertest.FailBefore, func(s *providertest.FaultStorage, i int) { s.FailAt(i) }),
	storageFault("store from now on", providertest.FailBefore, func(s *providertest.FaultStorage, i int) { s.FailFrom(i) }),
	storageFault("acknowledgement lost", providertest.FailUnknownApplied, func(s *providertest.FaultStorage, i int) { s.FailAt(i) }),
	storageFault("batch lost", providertest.FailUnknownLost, func(s *providertest.FaultStorage, i int) { s.FailAt(i) }),
	{"signer", func(a *actor, i int) { a.signer.FailAt(i) }, func(a *actor) int { return a.signer.Calls() }, true},
	{"custody", func(a *actor, i int) { a.keys.FailAt(i) }, func(a *actor) int { return a.keys.Calls() }, false},
	{"randomness", func(a *actor, i int) { a.rand.FailAt(i) }, func(a *actor) int { return a.rand.Calls() }, true},
}

func (a *actor) heal() {
	a.store.Reset()
	a.signer.Reset()
	a.rand.Reset()
	a.keys.Reset()
}

// A flow is an operation of one member under faults.
type flow struct {
	name    string
	cfg     mls.Config
	subject func(w *world) *actor // nil: alice
	newborn bool                  // the subject has no group before
	setup   func(w *world) any
	// op may be tried again after an error, with the same x from setup.
	op func(w *world, a *actor, x any) error
	// happened reports whether op took effect although it failed, and picks
	// up what it would have returned.
	happened func(w *world, a *actor, x any) bool
	// finish goes on as if op had never failed.
	finish func(w *world, a *actor, x any)
}

func TestFaults(t *testing.T) {
	for _, f := range flows {
		for _, x := range faults {
			t.Run(f.name+"/"+x.name, func(t *testing.T) { f.sweep(t, x) })
		}
		f.cfg.LeaseSize = 8
		f.cfg.WireFormat = mls.MixedPlaintext
		for _, x := range faults {
			t.Run(f.name+" with a lease, in public/"+x.name, func(t *testing.T) { f.sweep(t, x) })
		}
	}
}

// sweep lets every call fail in turn.
func (f *flow) sweep(t *testing.T, x fault) {
	for i := 0; ; i++ {
		fired := f.run(t, x, i, false)
		if !t.Failed() {
			f.run(t, x, i, true)
		}
		if t.Failed() {
			t.Fatalf("at call %d", i)
		}
		if !fired {
			break
		}
		if i > 500 {
			t.Fatal("there is no end of calls")
		}
	}
}

// run tries the flow with call i failing; with crash, a new process goes on
// after the failure, and another after the success. It reports whether there was
// a call i.
func (f *flow) run(t *testing.T, bad fault, i int, crash bool) bool {
	w := newWorld(t, f.cfg)
	x := f.setup(w)
	a := w.alice
	if f.subject != nil {
		a = f.subject(w)
	}
	before := ""
	if !f.newborn {
		before = stateOf(t.Context(), a.group)
	}
	bad.arm(a, i)
	err := f.op(w, a, x)
	fired := bad.calls(a) > i
	a.heal()
	if err != nil && !fired {
		t.Errorf("%v without a fault", err)
		return fired
	}
	if err == nil && fired && bad.needed {
		t.Error("the call succeeds without what it needs")
	}
	if err != nil {
		f.afterError(w, a, x, err, before, crash)
	}
	if !t.Failed() && a.group != nil {
		w.compare(a, "after success")
		if crash {
			w.crash(a)
		}
	}
	if !t.Failed() {
		f.finish(w, a, x)
	}
	if !t.Failed() && a.group != nil && a.group.IsActive() {
		w.crash(a) // sweeps what could not be deleted before
		// A key whose batch may be on disk or not is left alone.
		if n := a.keys.Live(); n != 1 && !w.unknown {
			t.Errorf("%d private keys are left, want that of the leaf", n)
		}
	}
	return fired
}

// afterError checks what a failure left and tries again.
func (f *flow) afterError(w *world, a *actor, x any, err error, before string, crash bool) {
	unknown := errors.Is(err, provider.ErrOutcomeUnknown)
	w.unknown = unknown
	switch {
	case !f.newborn:
		if unknown {
			w.must(a.group.Flush(w.Context())) // finds out
		} else if now := stateOf(w.Context(), a.group); now != before {
			w.Errorf("a failed call (%v) changed the group\nfrom %s\nto   %s", err, before, now)
		}
		w.compare(a, "after "+err.Error())
		if crash {
			w.crash(a)
		}
	case a.group != nil:
		w.Error("a failed call gave a group")
	}
	if w.Failed() {
		return
	}
	if (unknown || crash) && f.happened != nil && f.happened(w, a, x) {
		return
	}
	if err := f.op(w, a, x); err != nil {
		w.Errorf("the second try, after %v: %v", err, err)
	}
}

// compare checks that memory is what is on disk.
func (w *world) compare(a *actor, when string) {
	w.Helper()
	if now, disk := stateOf(w.Context(), a.group), w.onDisk(a); now != disk {
		w.Errorf("%s memory is not what is on disk\nmemory %s\ndisk   %s", when, now, disk)
	}
}
