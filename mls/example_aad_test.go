package mls_test

import (
	"context"
	"fmt"

	"github.com/hardmls/hardmls/mls"
)

// Additional data is a message's own: everybody on the way can read it, nobody
// can change it.
func ExampleMessageOptions_aad() {
	ctx := context.Background()
	alice, bob := newPerson("alice"), newPerson("bob")
	groups := alice.create(ctx, bob)
	a, b := groups[0], groups[1]

	first := must(a.CreateMessage(ctx, []byte("one"), mls.MessageOptions{AAD: []byte("room 7")}))
	second := must(a.CreateMessage(ctx, []byte("two"), mls.MessageOptions{AAD: []byte("room 9")}))

	got := must(b.Process(ctx, first, mls.ProcessOptions{})).(*mls.ApplicationMessage)
	fmt.Printf("%s: %s\n", got.Info.AAD, got.Data)

	// OpenMessage appends to a buffer of the caller's. Its AAD lies in second.
	var info mls.MessageInfo
	buf := must(b.OpenMessage(ctx, make([]byte, 0, 1024), second, &info))
	fmt.Printf("%s: %s\n", info.AAD, buf)
	// Output:
	// room 7: one
	// room 9: two
}
