package mls_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/hardmls/hardmls/mls"
)

// A client sends a commit and never hears whether it arrived. It sends the same
// bytes again, and learns from the echo that it was accepted.
func ExampleGroup_Pending() {
	ctx := context.Background()
	alice, bob := newPerson("alice"), newPerson("bob")
	g := alice.create(ctx)[0]

	kp := must(mls.NewKeyPackage(ctx, bob.provider, bob.signer, bob.credential, bob.config))
	lost := must(g.AddMembers(ctx, kp))

	// The process starts anew: the pending commit comes back with the group.
	check(g.Close(ctx))
	g = must(mls.LoadGroup(ctx, alice.provider, g.ID(), mls.Signers(alice.signer), alice.config))
	again := must(g.Pending())
	fmt.Println("same bytes:", bytes.Equal(again.Commit, lost.Commit))

	// The delivery service hands the commit to everybody, its sender too.
	switch must(g.Process(ctx, again.Commit, mls.ProcessOptions{})).(type) {
	case *mls.OwnPendingCommit:
		check(g.MergePending(ctx))
	}

	// The Welcome waits in the outbox until it is known to be sent.
	for _, out := range must(g.Outbox(ctx)) {
		fmt.Println("welcome is the same:", bytes.Equal(out.Welcome, lost.Welcome))
		check(g.Sent(ctx, out.ID))
	}
	fmt.Println("epoch:", g.Epoch(), "outbox:", len(must(g.Outbox(ctx))))
	// Output:
	// same bytes: true
	// welcome is the same: true
	// epoch: 1 outbox: 0
}
