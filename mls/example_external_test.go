package mls_test

import (
	"context"
	"fmt"

	"github.com/hardmls/hardmls/mls"
)

// A client that has a GroupInfo joins without being added.
func ExampleJoinExternal() {
	ctx := context.Background()
	alice, carol := newPerson("alice"), newPerson("carol")
	alice.config.ExternalCommits = mls.AcceptExternalJoins // nobody may by default
	a := alice.create(ctx)[0]
	info := must(a.GroupInfo(ctx, mls.GroupInfoOptions{ExternalPub: true}))

	join := must(mls.JoinExternal(ctx, carol.provider, info, carol.signer, carol.credential, carol.config, mls.ExternalOptions{}))

	// The members' Authenticator is asked about Carol when the commit is staged.
	staged := must(a.Process(ctx, join.Commit(), mls.ProcessOptions{})).(*mls.StagedCommit)
	fmt.Println("external:", staged.External())
	check(a.Merge(ctx, staged))
	newcomer, _ := a.Member(staged.Committer())
	fmt.Printf("joined: %s\n", newcomer.Credential.Identity)

	// Carol has her group once the delivery service has accepted the commit.
	c := must(join.Merge(ctx))
	fmt.Println("members:", c.MemberCount())
	// Output:
	// external: true
	// joined: carol
	// members: 2
}
