package mls_test

import (
	"bytes"
	"context"
	"fmt"
)

// The members of an epoch share secrets for other uses, such as the key of a
// call or of a file.
func ExampleGroup_Export() {
	ctx := context.Background()
	alice, bob := newPerson("alice"), newPerson("bob")
	groups := alice.create(ctx, bob)

	var a, b [32]byte
	check(groups[0].Export(a[:], "example media key", []byte("call 1")))
	check(groups[1].Export(b[:], "example media key", []byte("call 1")))
	fmt.Println("same key:", bytes.Equal(a[:], b[:]))
	// Output:
	// same key: true
}
