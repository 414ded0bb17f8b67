package mls_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/hardmls/hardmls/mls"
)

// While a proposal waits, application data is refused: the next commit has to
// come first, RFC 9420 §12.4.
func ExampleGroup_pendingProposal() {
	ctx := context.Background()
	alice, bob := newPerson("alice"), newPerson("bob")
	groups := alice.create(ctx, bob)
	a, b := groups[0], groups[1]

	proposal, _ := must2(b.Propose(ctx, mls.UpdateProposal(), mls.ProposeOptions{}))
	must(a.Process(ctx, proposal, mls.ProcessOptions{}))

	_, err := a.CreateMessage(ctx, []byte("hello"), mls.MessageOptions{})
	fmt.Println(errors.Is(err, mls.ErrPendingProposal), len(a.PendingProposals()))

	bundle := must(a.CommitToPendingProposals(ctx))
	follow(ctx, b, bundle.Commit)
	check(a.MergePending(ctx))

	message := must(a.CreateMessage(ctx, []byte("hello"), mls.MessageOptions{}))
	fmt.Printf("%s\n", read(ctx, b, message))
	// Output:
	// true 1
	// hello
}

// Who was removed may look at the group and delete it, nothing else.
func ExampleGroup_eviction() {
	ctx := context.Background()
	alice, bob := newPerson("alice"), newPerson("bob")
	groups := alice.create(ctx, bob)
	a, b := groups[0], groups[1]

	bundle := must(a.RemoveMembers(ctx, b.OwnIndex()))
	check(a.MergePending(ctx))

	staged := must(b.Process(ctx, bundle.Commit, mls.ProcessOptions{})).(*mls.StagedCommit)
	fmt.Println("removes me:", staged.SelfRemoved())
	check(b.Merge(ctx, staged))

	_, err := b.CreateMessage(ctx, []byte("am I still here?"), mls.MessageOptions{})
	fmt.Println(errors.Is(err, mls.ErrUseAfterEviction), "active:", b.IsActive())
	check(b.Delete(ctx))
	// Output:
	// removes me: true
	// true active: false
}
