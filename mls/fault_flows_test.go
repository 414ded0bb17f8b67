package mls_test

import (
	"errors"
	"fmt"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
)

func nothing(*world) any { return nil }

func dave(w *world) *actor { return w.dave }

// commitOf is a commit on its way.
type commitOf struct {
	bundle *mls.CommitBundle
	opt    mls.CommitOptions
}

// deliver brings alice's pending commit to the others and merges it.
func (c *commitOf) deliver(w *world, added ...*actor) {
	w.Helper()
	w.receive(c.bundle.Commit, w.bob, w.carol)
	w.must(w.alice.group.MergePending(w.Context()))
	for _, a := range added {
		w.must(a.join(w.Context(), c.bundle.Welcome))
	}
	w.agree(append([]*actor{w.alice, w.bob, w.carol}, added...)...)
}

func commitOp(w *world, a *actor, x any) (err error) {
	c := x.(*commitOf)
	c.bundle, err = a.group.Commit(w.Context(), c.opt)
	return err
}

func commitHappened(w *world, a *actor, x any) bool {
	b, err := a.group.Pending()
	x.(*commitOf).bundle = b
	return err == nil
}

// inbox is messages of bob that alice is to read once each.
type inbox struct {
	messages [][]byte
	read     map[int]bool
	again    bool // after a crash delivery begins anew
}

func newInbox(w *world) any {
	in := &inbox{read: map[int]bool{}}
	for range 4 {
		msg, err := w.send(w.bob)
		w.must(err)
		in.messages = append(in.messages, msg)
	}
	return in
}

// readAll reads what was not read yet. Out of order, so that windows matter.
func (in *inbox) readAll(w *world, a *actor) error {
	for _, i := range []int{2, 0, 3, 1} {
		if in.read[i] {
			continue
		}
		out, err := a.group.Process(w.Context(), in.messages[i], mls.ProcessOptions{Cursor: []byte{byte(i)}})
		if err != nil {
			return err
		}
		d, duplicate := out.(*mls.Duplicate)
		if duplicate && in.again && d.Reason == mls.Replay {
			in.read[i] = true
			continue
		}
		if m, ok := out.(*mls.ApplicationMessage); !ok || string(m.Data) != "from bob" {
			return fmt.Errorf("message %d comes as %T", i, out)
		}
		in.read[i] = true
	}
	return a.group.Flush(w.Context())
}

// deliverAgain is what a queue does that got no acknowledgement.
func deliverAgain(w *world, _ *actor, x any) bool {
	if in := x.(*inbox); w.crashed {
		in.again = true
		clear(in.read)
	}
	return false
}

// readTwice checks that nothing that was read can be read again.
func (in *inbox) readTwice(w *world, a *actor) {
	w.Helper()
	if len(in.read) != len(in.messages) {
		w.Errorf("read %v of %d messages", in.read, len(in.messages))
	}
	for i, msg := range in.messages {
		out, err := a.group.Process(w.Context(), msg, mls.ProcessOptions{})
		if d, ok := out.(*mls.Duplicate); err != nil || !ok || d.Reason != mls.Replay {
			w.Errorf("message %d comes again as %T, %v", i, out, err)
		}
	}
}

// groupFrom is a group that a newborn may have got although its call failed.
func groupFrom(w *world, a *actor, _ any) bool {
	g, err := a.load(w.Context(), a.p)
	if errors.Is(err, mls.ErrGroupNotFound) {
		return false
	}
	w.must(err)
	a.group = g
	return true
}

var flows = []flow{
	{
		name:  "send",
		setup: nothing,
		op: func(w *world, a *actor, _ any) error {
			msg, err := w.send(a)
			if err == nil {
				w.read(msg, a, w.bob, w.carol)
			}
			return err
		},
		finish: func(w *world, a *actor, _ any) { w.agree(w.alice, w.bob, w.carol) },
	},
	{
		name:     "receive",
		setup:    newInbox,
		op:       func(w *world, a *actor, x any) error { return x.(*inbox).readAll(w, a) },
		happened: deliverAgain,
		finish:   func(w *world, a *actor, x any) { x.(*inbox).readTwice(w, a); w.agree(w.alice, w.bob, w.carol) },
	},
	{
		name:     "receive and write each message",
		cfg:      mls.Config{Receive: mls.EachMessage},
		setup:    newInbox,
		op:       func(w *world, a *actor, x any) error { return x.(*inbox).readAll(w, a) },
		happened: deliverAgain,
		finish:   func(w *world, a *actor, x any) { x.(*inbox).readTwice(w, a); w.agree(w.alice, w.bob, w.carol) },
	},
	{
		name:     "commit",
		setup:    func(w *world) any { return &commitOf{opt: mls.CommitOptions{GroupInfo: &mls.GroupInfoOptions{}}} },
		op:       commitOp,
		happened: commitHappened,
		finish:   func(w *world, _ *actor, x any) { x.(*commitOf).deliver(w) },
	},
	{
		name: "commit an add in public",
		cfg:  mls.Config{WireFormat: mls.PurePlaintext},
		setup: func(w *world) any {
			return &commitOf{opt: mls.CommitOptions{Proposals: []mls.Proposal{mls.AddProposal(w.keyPackage(w.dave))}}}
		},
		op:       commitOp,
		happened: commitHappened,
		finish:   func(w *world, _ *actor, x any) { x.(*commitOf).deliver(w, w.dave) },
	},
	{
		name: "commit what is pending",
		setup: func(w *world) any {
			msg, _, err := w.bob.group.Propose(w.Context(), mls.UpdateProposal(), mls.ProposeOptions{})
			w.must(err)
			w.receive(msg, w.alice, w.carol)
			return &commitOf{}
		},
		op:       commitOp,
		happened: commitHappened,
		finish:   func(w *world, _ *actor, x any) { x.(*commitOf).deliver(w) },
	},
	{
		name: "merge the pending commit",
		setup: func(w *world) any {
			b, err := w.alice.group.AddMembers(w.Context(), w.keyPackage(w.dave))
			w.must(err)
			w.receive(b.Commit, w.bob, w.carol)
			return b
		},
		op:       func(w *world, a *actor, _ any) error { return a.group.MergePending(w.Context()) },
		happened: func(w *world, a *actor, x any) bool { _, err := a.group.Pending(); return err != nil },
		finish: func(w *world, a *actor, x any) {
			out, err := a.group.Outbox(w.Context())
			if err != nil || len(out) != 1 {
				w.Fatalf("outbox: %d, %v", len(out), err)
			}
			w.must(w.dave.join(w.Context(), out[0].Welcome))
			w.agree(w.alice, w.bob, w.carol, w.dave)
		},
	},
	{
		name: "discard the pending commit",
		setup: func(w *world) any {
			_, err := w.alice.group.SelfUpdate(w.Context())
			w.must(err)
			return nil
		},
		op:       func(w *world, a *actor, _ any) error { return a.group.DiscardPending(w.Context()) },
		happened: func(w *world, a *actor, x any) bool { _, err := a.group.Pending(); return err != nil },
		finish: func(w *world, a *actor, _ any) {
			w.agree(w.alice, w.bob, w.carol)
			b, err := a.group.SelfUpdate(w.Context())
			w.must(err)
			(&commitOf{bundle: b}).deliver(w)
		},
	},
	{
		name: "mark a welcome as sent",
		setup: func(w *world) any {
			b, err := w.alice.group.AddMembers(w.Context(), w.keyPackage(w.dave))
			w.must(err)
			(&commitOf{bundle: b}).deliver(w, w.dave)
			return nil
		},
		op: func(w *world, a *actor, _ any) error {
			out, err := a.group.Outbox(w.Context())
			if err != nil || len(out) == 0 {
				return err
			}
			return a.group.Sent(w.Context(), out[0].ID)
		},
		finish: func(w *world, a *actor, _ any) {
			if out, err := a.group.Outbox(w.Context()); err != nil || len(out) != 0 {
				w.Errorf("outbox: %d, %v", len(out), err)
			}
			w.agree(w.alice, w.bob, w.carol, w.dave)
		},
	},
	{
		name:  "propose an update",
		setup: func(w *world) any { return new([]byte) },
		op: func(w *world, a *actor, x any) error {
			msg, _, err := a.group.Propose(w.Context(), mls.UpdateProposal(), mls.ProposeOptions{})
			*x.(*[]byte) = msg
			return err
		},
		// The message is lost, so the proposal is cleared and made again.
		happened: func(w *world, a *actor, _ any) bool {
			if a.group.HasPendingProposals() {
				w.must(a.group.ClearProposals(w.Context()))
			}
			return false
		},
		finish: func(w *world, a *actor, x any) {
			w.receive(*x.(*[]byte), w.bob, w.carol)
			b, err := w.bob.group.CommitToPendingProposals(w.Context())
			w.must(err)
			w.receive(b.Commit, w.alice, w.carol)
			w.must(w.bob.group.MergePending(w.Context()))
			w.agree(w.alice, w.bob, w.carol)
		},
	},
	{
		name: "receive a proposal",
		setup: func(w *world) any {
			msg, _, err := w.bob.group.Propose(w.Context(), mls.UpdateProposal(), mls.ProposeOptions{})
			w.must(err)
			w.receive(msg, w.carol)
			return msg
		},
		op: func(w *world, a *actor, x any) error { return a.receive(w.Context(), x.([]byte)) },
		finish: func(w *world, a *actor, _ any) {
			if n := len(a.group.PendingProposals()); n != 1 {
				w.Errorf("%d proposals are pending", n)
			}
			b, err := a.group.CommitToPendingProposals(w.Context())
			w.must(err)
			(&commitOf{bundle: b}).deliver(w)
		},
	},
	{
		name: "clear proposals",
		setup: func(w *world) any {
			msg, _, err := w.alice.group.Propose(w.Context(), mls.UpdateProposal(), mls.ProposeOptions{})
			w.must(err)
			w.receive(msg, w.bob, w.carol)
			return nil
		},
		op: func(w *world, a *actor, _ any) error { return a.group.ClearProposals(w.Context()) },
		finish: func(w *world, a *actor, _ any) {
			if a.group.HasPendingProposals() {
				w.Error("proposals are left")
			}
			b, err := a.group.SelfUpdate(w.Context())
			w.must(err)
			(&commitOf{bundle: b}).deliver(w)
		},
	},
	{
		name: "receive a commit",
		setup: func(w *world) any {
			b, err := w.bob.group.SelfUpdate(w.Context())
			w.must(err)
			return b.Commit
		},
		op:       func(w *world, a *actor, x any) error { return a.receive(w.Context(), x.([]byte)) },
		happened: func(w *world, a *actor, _ any) bool { return a.group.Epoch() == w.bob.group.Epoch()+1 },
		finish: func(w *world, a *actor, x any) {
			w.receive(x.([]byte), w.carol)
			w.must(w.bob.group.MergePending(w.Context()))
			w.agree(w.alice, w.bob, w.carol)
		},
	},
	{
		name: "receive a commit that wins over the own one",
		setup: func(w *world) any {
			_, err := w.alice.group.AddMembers(w.Context(), w.keyPackage(w.dave))
			w.must(err)
			b, err := w.bob.group.SelfUpdate(w.Context())
			w.must(err)
			return b.Commit
		},
		op:       func(w *world, a *actor, x any) error { return a.receive(w.Context(), x.([]byte)) },
		happened: func(w *world, a *actor, _ any) bool { return a.group.Epoch() == w.bob.group.Epoch()+1 },
		finish: func(w *world, a *actor, x any) {
			w.receive(x.([]byte), w.carol)
			w.must(w.bob.group.MergePending(w.Context()))
			w.agree(w.alice, w.bob, w.carol)
			if out, err := a.group.Outbox(w.Context()); err != nil || len(out) != 0 {
				w.Errorf("the lost commit's welcome is in the outbox: %d, %v", len(out), err)
			}
		},
	},
	{
		name: "receive the own removal",
		setup: func(w *world) any {
			b, err := w.bob.group.RemoveMembers(w.Context(), w.alice.group.OwnIndex())
			w.must(err)
			return b.Commit
		},
		op:       func(w *world, a *actor, x any) error { return a.receive(w.Context(), x.([]byte)) },
		happened: func(w *world, a *actor, _ any) bool { return !a.group.IsActive() },
		finish: func(w *world, a *actor, x any) {
			w.receive(x.([]byte), w.carol)
			w.must(w.bob.group.MergePending(w.Context()))
			w.agree(w.bob, w.carol)
			if _, err := w.send(a); !errors.Is(err, mls.ErrUseAfterEviction) {
				w.Errorf("a removed member sends: %v", err)
			}
		},
	},
	{
		name:  "make a group info",
		setup: func(w *world) any { return new([]byte) },
		op: func(w *world, a *actor, x any) (err error) {
			*x.(*[]byte), err = a.group.GroupInfo(w.Context(), mls.GroupInfoOptions{ExternalPub: true})
			return err
		},
		finish: func(w *world, a *actor, x any) {
			w.must(joinExternally(w, *x.(*[]byte)))
			w.agree(w.alice, w.bob, w.carol, w.dave)
		},
	},
	{
		name:  "load",
		setup: nothing,
		op: func(w *world, a *actor, _ any) error {
			g, err := a.load(w.Context(), a.p)
			if err == nil {
				a.group = g
			}
			return err
		},
		finish: func(w *world, _ *actor, _ any) { w.agree(w.alice, w.bob, w.carol) },
	},
	{
		name:    "create",
		subject: dave,
		newborn: true,
		setup:   nothing,
		op:      func(w *world, a *actor, _ any) error { return a.create(w.Context(), []byte("group")) },

		happened: groupFrom,
		finish: func(w *world, a *actor, _ any) {
			if v, err := a.mem.Version(w.Context(), []byte("group")); v == 0 || err != nil {
				w.Errorf("version %d, %v", v, err)
			}
			w.agree(a)
		},
	},
	{
		name:    "create with members",
		subject: dave,
		newborn: true,
		setup: func(w *world) any {
			return []*mls.KeyPackage{w.keyPackage(w.alice), w.keyPackage(w.bob)}
		},
		op: func(w *world, a *actor, x any) (err error) {
			cfg := a.cfg
			cfg.GroupID = []byte("group")
			a.group, _, err = mls.NewGroupWithMembers(w.Context(), a.p, a.signer, mls.BasicCredential([]byte(a.name)), cfg, x.([]*mls.KeyPackage)...)
			return err
		},
		happened: groupFrom,
		finish: func(w *world, a *actor, _ any) {
			out, err := a.group.Outbox(w.Context())
			if err != nil || len(out) != 1 || a.group.Epoch() != 1 || a.group.MemberCount() != 3 {
				w.Errorf("outbox of %d, %v; epoch %d with %d members", len(out), err, a.group.Epoch(), a.group.MemberCount())
			}
		},
	},
	{
		name:    "make a key package",
		subject: dave,
		newborn: true,
		setup:   func(w *world) any { return new(mls.KeyPackage) },
		op: func(w *world, a *actor, x any) error {
			kp, err := mls.NewKeyPackage(w.Context(), a.p, a.signer, mls.BasicCredential([]byte(a.name)), a.cfg)
			if err == nil {
				*x.(*mls.KeyPackage) = *kp
			} else if n := a.mem.Len(); n != 0 && !errors.Is(err, provider.ErrOutcomeUnknown) {
				w.Errorf("a failed key package leaves %d records", n)
			}
			return err
		},
		finish: func(w *world, a *actor, x any) {
			b, err := w.alice.group.AddMembers(w.Context(), w.parsed(a, x.(*mls.KeyPackage)))
			w.must(err)
			(&commitOf{bundle: b}).deliver(w, a)
		},
	},
	{
		name:    "join",
		subject: dave,
		newborn: true,
		setup: func(w *world) any {
			b, err := w.alice.group.AddMembers(w.Context(), w.keyPackage(w.dave))
			w.must(err)
			(&commitOf{bundle: b}).deliver(w)
			return b.Welcome
		},
		op:       func(w *world, a *actor, x any) error { return a.join(w.Context(), x.([]byte)) },
		happened: groupFrom,
		finish: func(w *world, a *actor, x any) {
			w.agree(w.alice, w.bob, w.carol, w.dave)
			if _, err := mls.OpenWelcome(w.Context(), a.p, x.([]byte), a.cfg); !errors.Is(err, mls.ErrNoKeyPackage) {
				w.Errorf("the key package joins twice: %v", err)
			}
		},
	},
	{
		name:    "join externally",
		subject: dave,
		newborn: true,
		setup: func(w *world) any {
			gi, err := w.alice.group.GroupInfo(w.Context(), mls.GroupInfoOptions{ExternalPub: true})
			w.must(err)
			return gi
		},
		op:       func(w *world, a *actor, x any) error { return joinExternally(w, x.([]byte)) },
		happened: groupFrom,
		finish:   func(w *world, _ *actor, _ any) { w.agree(w.alice, w.bob, w.carol, w.dave) },
	},
	{
		name: "commit a pre-shared key",
		setup: func(w *world) any {
			for _, a := range []*actor{w.alice, w.bob, w.carol} {
				w.must(mls.PutPSK(w.Context(), a.p, []byte("id"), []byte("secret")))
			}
			return &commitOf{opt: mls.CommitOptions{Proposals: []mls.Proposal{mls.PSKProposal(mls.ExternalPSK([]byte("id")))}}}
		},
		op:       commitOp,
		happened: commitHappened,
		finish:   func(w *world, _ *actor, x any) { x.(*commitOf).deliver(w) },
	},
	{
		name: "delete",
		setup: func(w *world) any {
			_, err := w.alice.group.SelfUpdate(w.Context()) // two leaf keys
			w.must(err)
			return nil
		},
		op: func(w *world, a *actor, _ any) error {
			if err := a.group.Delete(w.Context()); err != nil {
				return err
			}
			a.group = nil
			return nil
		},
		happened: func(w *world, a *actor, _ any) bool {
			v, err := a.mem.Version(w.Context(), []byte("group"))
			w.must(err)
			return v == 0
		},
		finish: func(w *world, a *actor, _ any) {
			a.group = nil
			if _, err := a.load(w.Context(), a.p); !errors.Is(err, mls.ErrGroupNotFound) {
				w.Errorf("a deleted group loads: %v", err)
			}
			for r, err := range a.mem.Scan(w.Context(), provider.Key{Group: []byte("group")}) {
				w.Errorf("a deleted group leaves record %d, %v", r.Key.Kind, err)
			}
			w.must(a.create(w.Context(), []byte("group"))) // and sweeps keys
			w.agree(a)
		},
	},
	{
		name: "close",
		setup: func(w *world) any {
			in := newInbox(w)
			w.must(in.(*inbox).readAll(w, w.alice))
			return in
		},
		op: func(w *world, a *actor, _ any) error {
			if err := a.group.Close(w.Context()); err != nil {
				return err
			}
			g, err := a.load(w.Context(), provider.Bundle{Backend: a.p.Backend, Store: a.mem})
			a.group = g
			return err
		},
		finish: func(w *world, a *actor, x any) { x.(*inbox).readTwice(w, a); w.agree(w.alice, w.bob, w.carol) },
	},
}

// joinExternally lets dave join; the others accept his commit only if he has it
// stored.
func joinExternally(w *world, groupInfo []byte) error {
	a := w.dave
	x, err := mls.JoinExternal(w.Context(), a.p, groupInfo, a.signer, mls.BasicCredential([]byte(a.name)), a.cfg, mls.ExternalOptions{})
	if err != nil {
		return err
	}
	g, err := x.Merge(w.Context())
	if err != nil {
		// The group is in dave's store, or it isn't.
		if !errors.Is(err, provider.ErrOutcomeUnknown) {
			w.must(x.Discard(w.Context()))
			return err
		}
		if v, verr := a.mem.Version(w.Context(), []byte("group")); verr == nil && v > 0 {
			w.receive(x.Commit(), w.alice, w.bob, w.carol)
		}
		return err
	}
	w.receive(x.Commit(), w.alice, w.bob, w.carol)
	a.group = g
	return nil
}
