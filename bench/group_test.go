package bench

import (
	"context"
	"fmt"
	"testing"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
)

// BenchmarkKeyPackage makes and stores a key package.
func BenchmarkKeyPackage(b *testing.B) {
	b.Run(fmt.Sprintf("suite=%d/provider=%s", centre.suite, backend()), func(b *testing.B) {
		p, _, signer, cred := newClient(b, "alice")
		cfg := config(centre.suite)
		b.ReportAllocs()
		for b.Loop() {
			_, err := mls.NewKeyPackage(context.Background(), p, signer, cred, cfg)
			must(b, err)
		}
	})
}

// BenchmarkAdd makes a commit that adds one member, with a path, and its Welcome,
// which carries the whole ratchet tree.
func BenchmarkAdd(b *testing.B) {
	eachGroup(b, func(b *testing.B, p *pair, _ int) {
		ctx := context.Background()
		kp := newKeyPackages(b, 1)[0]
		for b.Loop() {
			_, err := p.alice.AddMembers(ctx, kp)
			must(b, err)
			b.StopTimer()
			must(b, p.alice.DiscardPending(ctx))
			b.StartTimer()
		}
	})
}

func newKeyPackages(tb testing.TB, n int) []*mls.KeyPackage {
	kps := make([]*mls.KeyPackage, n)
	for i := range kps {
		p, _, signer, cred := newClient(tb, fmt.Sprint("new ", i))
		var err error
		kps[i], err = mls.NewKeyPackage(context.Background(), p, signer, cred, config(centre.suite))
		must(tb, err)
	}
	return kps
}

// BenchmarkGroupOf makes a group and adds all others by one commit and one Welcome.
func BenchmarkGroupOf(b *testing.B) {
	for _, n := range groupSizes {
		b.Run(groupName("sparse", n), func(b *testing.B) {
			ctx := context.Background()
			kps := newKeyPackages(b, n-1)
			p, _, signer, cred := newClient(b, "alice")
			b.ReportAllocs()
			for b.Loop() {
				g, err := mls.NewGroup(ctx, p, signer, cred, config(centre.suite))
				must(b, err)
				_, err = g.AddMembers(ctx, kps...)
				must(b, err)
				must(b, g.MergePending(ctx))
				b.StopTimer()
				must(b, g.Delete(ctx))
				b.StartTimer()
			}
		})
	}
}

// invited is a client for whom a Welcome to a group waits.
type invited struct {
	provider provider.Provider
	signer   provider.Signer
	welcome  []byte
}

func newInvited(tb testing.TB, alice *mls.Group) invited {
	ctx := context.Background()
	p, _, signer, cred := newClient(tb, "carol")
	kp, err := mls.NewKeyPackage(ctx, p, signer, cred, config(centre.suite))
	must(tb, err)
	bundle, err := alice.AddMembers(ctx, kp)
	must(tb, err)
	must(tb, alice.DiscardPending(ctx))
	return invited{p, signer, bundle.Welcome}
}

func (i invited) stage(tb testing.TB) *mls.StagedWelcome {
	ctx := context.Background()
	w, err := mls.OpenWelcome(ctx, i.provider, i.welcome, config(centre.suite))
	must(tb, err)
	staged, err := w.Stage(ctx, i.signer)
	must(tb, err)
	return staged
}

// BenchmarkJoin joins a group by a Welcome with the tree in it, and stores it.
func BenchmarkJoin(b *testing.B) {
	eachGroup(b, func(b *testing.B, p *pair, _ int) {
		for b.Loop() {
			b.StopTimer()
			carol := newInvited(b, p.alice)
			b.StartTimer()
			_, err := carol.stage(b).Join(context.Background())
			must(b, err)
		}
	})
}

// BenchmarkSave stores a whole group, as the last step of a join.
func BenchmarkSave(b *testing.B) {
	eachGroup(b, func(b *testing.B, p *pair, _ int) {
		for b.Loop() {
			b.StopTimer()
			staged := newInvited(b, p.alice).stage(b)
			b.StartTimer()
			_, err := staged.Join(context.Background())
			must(b, err)
		}
	})
}

// BenchmarkLoad loads a stored group.
func BenchmarkLoad(b *testing.B) {
	eachGroup(b, func(b *testing.B, p *pair, _ int) {
		for b.Loop() {
			_, err := mls.LoadGroup(context.Background(), p.provider, p.alice.ID(), mls.Signers(p.signer), config(centre.suite))
			must(b, err)
		}
	})
}
