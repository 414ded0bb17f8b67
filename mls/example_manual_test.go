package mls_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hardmls/hardmls/mls"
)

// Key packages: one for each group that adds this client, and one of last resort
// for when all others are used up.
func ExampleNewKeyPackage() {
	ctx := context.Background()
	bob := newPerson("bob")
	bob.config.Lifetime = 30 * 24 * time.Hour
	single := must(mls.NewKeyPackage(ctx, bob.provider, bob.signer, bob.credential, bob.config))
	bob.config.LastResort = true
	last := must(mls.NewKeyPackage(ctx, bob.provider, bob.signer, bob.credential, bob.config))
	fmt.Println(single.LastResort(), last.LastResort())

	// One that is not wanted any more goes with its private keys.
	check(mls.DeleteKeyPackage(ctx, bob.provider, single.Ref()))
	// Output:
	// false true
}

// What a group demands of its members, and what this client can, is configuration.
func ExampleConfig() {
	ctx := context.Background()
	const votes = 0xF301 // a proposal type of the application's own
	alice, bob := newPerson("alice"), newPerson("bob")
	alice.config.Capabilities.Proposals = []uint16{votes}
	alice.config.Extensions = []mls.Extension{
		mls.RequiredCapabilitiesExtension(mls.RequiredCapabilities{Proposals: []uint16{votes}}),
	}
	alice.config.LeafExtensions = []mls.Extension{mls.ApplicationIDExtension([]byte("alice's laptop"))}
	alice.config.Padding = mls.Padding{Multiple: 256}
	alice.config.PastEpochs, alice.config.PastEpochAge = 5, time.Hour
	g := alice.create(ctx)[0]

	me, _ := g.Member(g.OwnIndex())
	id, _ := mls.ApplicationID(me.Extensions)
	fmt.Printf("%s\n", id)

	// Bob does not know about votes.
	kp := must(mls.NewKeyPackage(ctx, bob.provider, bob.signer, bob.credential, bob.config))
	_, err := g.AddMembers(ctx, kp)
	var refused *mls.ValidationError
	fmt.Println(errors.As(err, &refused), refused.Check)
	// Output:
	// alice's laptop
	// true V026
}

// Who leaves proposes its own removal; another member commits it.
func ExampleGroup_Leave() {
	ctx := context.Background()
	groups := newPerson("alice").create(ctx, newPerson("bob"))
	a, b := groups[0], groups[1]

	goodbye, _ := must2(b.Leave(ctx, mls.ProposeOptions{}))
	must(a.Process(ctx, goodbye, mls.ProcessOptions{}))
	bundle := must(a.CommitToPendingProposals(ctx))
	check(a.MergePending(ctx))
	follow(ctx, b, bundle.Commit)
	fmt.Println(b.IsActive(), a.MemberCount())
	// Output:
	// false 1
}

// A client that lost its keys is swapped for its new self in one commit.
func ExampleGroup_SwapMembers() {
	ctx := context.Background()
	a := newPerson("alice").create(ctx, newPerson("bob"))[0]

	again := newPerson("bob") // a new device, a new key
	kp := must(mls.NewKeyPackage(ctx, again.provider, again.signer, again.credential, again.config))
	bundle := must(a.SwapMembers(ctx, []uint32{1}, kp))
	check(a.MergePending(ctx))
	g := must(must(must(mls.OpenWelcome(ctx, again.provider, bundle.Welcome, again.config)).Stage(ctx, again.signer)).Join(ctx))
	fmt.Println(g.MemberCount(), g.OwnIndex())
	// Output:
	// 2 1
}

// A signature key is renewed with a commit. The others' Authenticator is asked
// whether the new key may take the place of the old one.
func ExampleGroup_Commit_newSigner() {
	ctx := context.Background()
	alice := newPerson("alice")
	groups := alice.create(ctx, newPerson("bob"))
	a, b := groups[0], groups[1]

	next := newPerson("alice") // also tells the directory about the new key
	bundle := must(a.Commit(ctx, mls.CommitOptions{Signer: next.signer}))
	check(a.MergePending(ctx))
	follow(ctx, b, bundle.Commit)
	m, _ := b.Member(0)
	fmt.Println(string(m.SignatureKey) == string(next.signer.Public()))
	// Output:
	// true
}

// Proposals of types that RFC 9420 does not know mean what the application makes of
// them; the engine carries them to every member, in the order of the commit.
func ExampleCustomProposal() {
	ctx := context.Background()
	const votes = 0xF301
	alice, bob := newPerson("alice"), newPerson("bob")
	alice.config.Capabilities.Proposals = []uint16{votes}
	bob.config.Capabilities.Proposals = []uint16{votes}
	groups := alice.create(ctx, bob)
	a, b := groups[0], groups[1]

	bundle := must(a.Commit(ctx, mls.CommitOptions{Proposals: []mls.Proposal{mls.CustomProposal(votes, []byte("aye"))}}))
	staged := must(b.Process(ctx, bundle.Commit, mls.ProcessOptions{})).(*mls.StagedCommit)
	for _, p := range staged.Custom() {
		fmt.Printf("member %d: %s\n", p.Sender, p.Custom)
	}
	check(b.Merge(ctx, staged))
	// Output:
	// member 0: aye
}

// A commit that the delivery service refused is discarded; one of another member
// that this application does not want is as well, and then the group does not go
// along with the others.
func ExampleGroup_DiscardPending() {
	ctx := context.Background()
	groups := newPerson("alice").create(ctx, newPerson("bob"))
	a, b := groups[0], groups[1]

	must(a.SelfUpdate(ctx)) // too late: Bob was faster
	winner := must(b.SelfUpdate(ctx))
	check(b.MergePending(ctx))
	check(a.DiscardPending(ctx))
	follow(ctx, a, winner.Commit)
	fmt.Println(a.Epoch(), b.Epoch())
	// Output:
	// 2 2
}

// A commit brings only those pending proposals that the filter lets through.
func ExampleGroup_Commit_filter() {
	ctx := context.Background()
	groups := newPerson("alice").create(ctx, newPerson("bob"), newPerson("carol"))
	a, b, c := groups[0], groups[1], groups[2]
	removal, _ := must2(b.Propose(ctx, mls.RemoveProposal(c.OwnIndex()), mls.ProposeOptions{}))
	must(a.Process(ctx, removal, mls.ProcessOptions{}))

	must(a.Commit(ctx, mls.CommitOptions{Filter: func(p mls.PendingProposal) bool {
		return p.Type != mls.ProposalRemove
	}}))
	check(a.MergePending(ctx))
	fmt.Println(a.MemberCount())
	// Output:
	// 3
}

// The application decides about credentials; without an answer there is no group.
func ExampleAuthenticator() {
	ctx := context.Background()
	alice, mallory := newPerson("alice"), newPerson("mallory")
	g := alice.create(ctx)[0]
	mallory.credential = mls.BasicCredential([]byte("bob")) // whose key is another
	directory["bob"] = []byte("bob's key")
	kp := must(mls.NewKeyPackage(ctx, mallory.provider, mallory.signer, mallory.credential, mallory.config))
	_, err := g.AddMembers(ctx, kp)
	fmt.Println(errors.Is(err, mls.ErrCredential))
	// Output:
	// true
}

// A secret that the members share from elsewhere goes into the next epoch's keys.
func ExamplePutPSK() {
	ctx := context.Background()
	alice, bob := newPerson("alice"), newPerson("bob")
	groups := alice.create(ctx, bob)
	a, b := groups[0], groups[1]
	for _, p := range []*person{alice, bob} {
		check(mls.PutPSK(ctx, p.provider, []byte("from the meeting"), []byte("correct horse battery staple")))
	}
	psk := mls.PSKProposal(mls.ExternalPSK([]byte("from the meeting")))
	bundle := must(a.Commit(ctx, mls.CommitOptions{Proposals: []mls.Proposal{psk}}))
	check(a.MergePending(ctx))
	follow(ctx, b, bundle.Commit)
	fmt.Println(string(a.EpochAuthenticator()) == string(b.EpochAuthenticator()))
	// Output:
	// true
}

// Late messages can be read as long as their epoch is kept. An application that
// wants them gone at once says so.
func ExampleGroup_ForgetPastEpochs() {
	ctx := context.Background()
	groups := newPerson("alice").create(ctx, newPerson("bob"))
	a, b := groups[0], groups[1]
	late := must(a.CreateMessage(ctx, []byte("late"), mls.MessageOptions{}))
	tooLate := must(a.CreateMessage(ctx, []byte("too late"), mls.MessageOptions{}))
	bundle := must(a.SelfUpdate(ctx))
	follow(ctx, b, bundle.Commit)

	fmt.Printf("%s\n", read(ctx, b, late))
	check(b.ForgetPastEpochs(ctx))
	_, err := b.Process(ctx, tooLate, mls.ProcessOptions{})
	fmt.Println(errors.Is(err, mls.ErrEpochGone))
	// Output:
	// late
	// true
}
