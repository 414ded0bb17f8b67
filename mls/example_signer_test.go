package mls_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"fmt"
	"sync/atomic"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
)

// An auditedSigner signs with the key of another Signer and counts.
type auditedSigner struct {
	provider.Signer
	signatures atomic.Int64
}

func (s *auditedSigner) Sign(ctx context.Context, dst, msg []byte) ([]byte, error) {
	s.signatures.Add(1)
	return s.Signer.Sign(ctx, dst, msg)
}

// A signature key is an interface: anything that implements crypto.Signer, such
// as a token's key, becomes one by soft.SignerFrom, and a type of one's own can
// stand before it.
func Example_signer() {
	ctx := context.Background()
	_, private := must2(ed25519.GenerateKey(nil))
	var key crypto.Signer = private // a token's key would do

	alice := newPerson("alice")
	signer := &auditedSigner{Signer: must(soft.SignerFrom(key))}
	alice.signer, directory["alice"] = signer, signer.Public()

	g := alice.create(ctx)[0]
	before := signer.signatures.Load()
	must(g.CreateMessage(ctx, []byte("signed by the key"), mls.MessageOptions{}))
	fmt.Println("signatures of a message:", signer.signatures.Load()-before)
	// Output:
	// signatures of a message: 1
}
