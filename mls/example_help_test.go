package mls_test

import (
	"context"

	"github.com/hardmls/hardmls/mls"
)

// check stands for an application's handling of errors.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must[T any](v T, err error) T { check(err); return v }

func must2[T, U any](v T, u U, err error) (T, U) { check(err); return v, u }

// create makes a group of p and others, as Example does step by step, and
// returns each one's view of it.
func (p *person) create(ctx context.Context, others ...*person) []*mls.Group {
	groups := []*mls.Group{must(mls.NewGroup(ctx, p.provider, p.signer, p.credential, p.config))}
	if len(others) == 0 {
		return groups
	}
	var kps []*mls.KeyPackage
	for _, o := range others {
		kps = append(kps, must(mls.NewKeyPackage(ctx, o.provider, o.signer, o.credential, o.config)))
	}
	bundle := must(groups[0].AddMembers(ctx, kps...))
	check(groups[0].MergePending(ctx))
	for _, o := range others {
		welcome := must(mls.OpenWelcome(ctx, o.provider, bundle.Welcome, o.config))
		groups = append(groups, must(must(welcome.Stage(ctx, o.signer)).Join(ctx)))
	}
	return groups
}

// follow merges a commit of another member.
func follow(ctx context.Context, g *mls.Group, commit []byte) {
	check(g.Merge(ctx, must(g.Process(ctx, commit, mls.ProcessOptions{})).(*mls.StagedCommit)))
}

// read returns the application data of a message.
func read(ctx context.Context, g *mls.Group, message []byte) []byte {
	return must(g.Process(ctx, message, mls.ProcessOptions{})).(*mls.ApplicationMessage).Data
}
