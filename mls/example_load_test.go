package mls_test

import (
	"context"
	"fmt"

	"github.com/hardmls/hardmls/mls"
)

// A group outlives its process: everything but the signature key is in the
// store.
func ExampleLoadGroup() {
	ctx := context.Background()
	alice, bob := newPerson("alice"), newPerson("bob")
	groups := alice.create(ctx, bob)
	a, b := groups[0], groups[1]
	id := b.ID()

	// The cursor is the place in the delivery queue behind the message.
	first := must(a.CreateMessage(ctx, []byte("before"), mls.MessageOptions{}))
	must(b.Process(ctx, first, mls.ProcessOptions{Cursor: []byte("17")}))
	check(b.Close(ctx))

	b = must(mls.LoadGroup(ctx, bob.provider, id, mls.Signers(bob.signer), bob.config))
	fmt.Printf("go on behind %s\n", b.Delivered())
	second := must(a.CreateMessage(ctx, []byte("after"), mls.MessageOptions{}))
	fmt.Printf("%s\n", read(ctx, b, second))
	// Output:
	// go on behind 17
	// after
}
