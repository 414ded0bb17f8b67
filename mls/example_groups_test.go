package mls_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
)

// invite returns fresh key packages of people.
func invite(ctx context.Context, people ...*person) (kps []*mls.KeyPackage) {
	for _, p := range people {
		kps = append(kps, must(mls.NewKeyPackage(ctx, p.provider, p.signer, p.credential, p.config)))
	}
	return kps
}

// join joins by a Welcome.
func (p *person) join(ctx context.Context, welcome []byte) *mls.Group {
	return must(must(must(mls.OpenWelcome(ctx, p.provider, welcome, p.config)).Stage(ctx, p.signer)).Join(ctx))
}

// A group of several members in one step: no crash leaves one half made.
func ExampleNewGroupWithMembers() {
	ctx := context.Background()
	alice, bob, carol := newPerson("alice"), newPerson("bob"), newPerson("carol")
	g, welcome := must2(mls.NewGroupWithMembers(ctx, alice.provider, alice.signer, alice.credential, alice.config,
		invite(ctx, bob, carol)...))
	fmt.Println(g.MemberCount(), bob.join(ctx, welcome).MemberCount(), carol.join(ctx, welcome).Epoch())
	// Output:
	// 3 3 1
}

// Some members go on among themselves as well. The new group is tied to the old one:
// nobody from outside could have made it.
func ExampleGroup_Branch() {
	ctx := context.Background()
	alice, bob, carol := newPerson("alice"), newPerson("bob"), newPerson("carol")
	g := alice.create(ctx, bob, carol)[0]

	side, welcome := must2(g.Branch(ctx, mls.SuccessorOptions{
		Signer: alice.signer, Credential: alice.credential, Config: alice.config,
		KeyPackages: invite(ctx, carol),
	}))
	carols := carol.join(ctx, welcome)
	fmt.Println(g.MemberCount(), side.MemberCount(), carols.MemberCount())
	// Output:
	// 3 2 2
}

// A group moves to other parameters, here another id, by a successor that all
// members join.
func ExampleGroup_Successor() {
	ctx := context.Background()
	alice, bob := newPerson("alice"), newPerson("bob")
	groups := alice.create(ctx, bob)
	a, b := groups[0], groups[1]

	end := mls.ReInitProposal([]byte("v2"), provider.X25519_AES128GCM_SHA256_Ed25519, nil)
	bundle := must(a.Commit(ctx, mls.CommitOptions{Proposals: []mls.Proposal{end}}))
	check(a.MergePending(ctx))
	follow(ctx, b, bundle.Commit)
	_, err := b.CreateMessage(ctx, []byte("too late"), mls.MessageOptions{})
	fmt.Println(errors.Is(err, mls.ErrReInitialized))

	// Any member makes the successor, here Bob.
	next, welcome := must2(b.Successor(ctx, mls.SuccessorOptions{
		Signer: bob.signer, Credential: bob.credential, Config: bob.config,
		KeyPackages: invite(ctx, alice),
	}))
	fmt.Printf("%s %s\n", next.ID(), alice.join(ctx, welcome).ID())
	// Output:
	// true
	// v2 v2
}

// Two members merged different commits of one epoch: a fault of the delivery
// service. One side takes the other in again.
func ExampleGroup_ReAdd() {
	ctx := context.Background()
	alice, bob := newPerson("alice"), newPerson("bob")
	groups := alice.create(ctx, bob)
	a, b := groups[0], groups[1]
	must(a.SelfUpdate(ctx))
	must(b.SelfUpdate(ctx))
	check(a.MergePending(ctx))
	check(b.MergePending(ctx))

	_, err := a.Process(ctx, must(b.CreateMessage(ctx, []byte("?"), mls.MessageOptions{})), mls.ProcessOptions{})
	fmt.Println("a sign:", errors.Is(err, mls.ErrFork))
	info := must(b.GroupInfo(ctx, mls.GroupInfoOptions{NoRatchetTree: true}))
	fmt.Println("the proof:", must(a.CompareGroupInfo(info)) == mls.Forked)

	check(b.Delete(ctx))
	bundle := must(a.ReAdd(ctx, []uint32{a.OwnIndex()}, invite(ctx, bob)...))
	check(a.MergePending(ctx))
	fmt.Printf("%s\n", read(ctx, bob.join(ctx, bundle.Welcome), must(a.CreateMessage(ctx, []byte("welcome back"), mls.MessageOptions{}))))
	// Output:
	// a sign: true
	// the proof: true
	// welcome back
}

// A delivery service follows a group without any secret, and lets only valid
// commits through.
func ExamplePublicGroup() {
	ctx := context.Background()
	alice, bob, service := newPerson("alice"), newPerson("bob"), newPerson("service")
	alice.config.WireFormat = mls.PurePlaintext
	a := alice.create(ctx)[0]
	info := must(a.GroupInfo(ctx, mls.GroupInfoOptions{}))
	group := must(mls.NewPublicGroup(ctx, service.provider.Crypto(), info, service.config))

	late := must(a.SelfUpdate(ctx))
	check(a.DiscardPending(ctx))
	bundle := must(a.AddMembers(ctx, invite(ctx, bob)...))
	commit := must(group.Process(ctx, bundle.Commit)).(*mls.PublicCommit)
	for _, m := range commit.Added() {
		fmt.Printf("adds %s\n", m.Credential.Identity)
	}
	check(group.Merge(commit))
	fmt.Println("epoch", group.Epoch())

	// A commit of the epoch that is over comes too late.
	err := group.ValidateCommit(ctx, late.Commit)
	fmt.Println(errors.Is(err, mls.ErrEpoch))
	// Output:
	// adds bob
	// epoch 1
	// true
}

// A server that the group lists proposes to remove a member; a member commits it.
func ExampleProposeAsExternalSender() {
	ctx := context.Background()
	alice, bob, server := newPerson("alice"), newPerson("bob"), newPerson("server")
	alice.config.WireFormat = mls.MixedCiphertext
	alice.config.Extensions = []mls.Extension{mls.ExternalSendersExtension(
		mls.ExternalSender{SignatureKey: server.signer.Public(), Credential: server.credential})}
	a := alice.create(ctx, bob)[0]

	to := mls.OutsideProposal{GroupID: a.ID(), Epoch: a.Epoch()}
	msg := must(mls.ProposeAsExternalSender(ctx, server.provider.Crypto(), a.CipherSuite(), server.signer, 0, to, mls.RemoveProposal(1)))
	got := must(a.Process(ctx, msg, mls.ProcessOptions{})).(*mls.ReceivedProposal)
	fmt.Println(got.External, got.Target)
	must(a.CommitToPendingProposals(ctx))
	check(a.MergePending(ctx))
	fmt.Println(a.MemberCount())
	// Output:
	// true 1
	// 1
}

// A client asks to be added; the application of who receives the question decides.
func ExampleProposeToJoin() {
	ctx := context.Background()
	alice, bob := newPerson("alice"), newPerson("bob")
	alice.config.WireFormat = mls.MixedCiphertext
	alice.config.AllowNewMember = func(kp *mls.KeyPackage) bool { return string(kp.Credential().Identity) == "bob" }
	a := alice.create(ctx)[0]

	to := mls.OutsideProposal{GroupID: a.ID(), Epoch: a.Epoch()}
	ask := must(mls.ProposeToJoin(ctx, bob.provider.Crypto(), bob.signer, invite(ctx, bob)[0], to))
	must(a.Process(ctx, ask, mls.ProcessOptions{}))
	bundle := must(a.CommitToPendingProposals(ctx))
	check(a.MergePending(ctx))
	fmt.Println(bob.join(ctx, bundle.Welcome).MemberCount())
	// Output:
	// 2
}
