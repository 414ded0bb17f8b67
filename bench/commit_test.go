package bench

import (
	"context"
	"fmt"
	"testing"

	"github.com/hardmls/hardmls/mls"
)

// groupSizes are the members of the groups of the benchmarks below.
var groupSizes = []int{100, 1000, 10000}

func groupName(tree string, members int) string {
	return fmt.Sprintf("suite=%d/tree=%s/members=%d/provider=%s", centre.suite, tree, members, backend())
}

// trees are the two ends between which groups are: nobody but one has committed
// yet, or everybody.
var trees = []struct {
	name string
	make func(testing.TB, int) *pair
}{
	{"full", newFullGroup},
	{"sparse", func(tb testing.TB, n int) *pair { return newPair(tb, sparse, setup{suite: centre.suite, members: n}) }},
}

func eachGroup(b *testing.B, run func(b *testing.B, p *pair, members int)) {
	for _, t := range trees {
		for _, n := range groupSizes {
			b.Run(groupName(t.name, n), func(b *testing.B) {
				if t.name == "sparse" && n > 1000 {
					b.Skip("every commit has 10,000 ciphertexts: see GroupOf")
				}
				p := t.make(b, n)
				b.ReportAllocs()
				run(b, p, n)
			})
		}
	}
}

// BenchmarkCommitCreate makes a commit with a path and stores it as pending.
func BenchmarkCommitCreate(b *testing.B) {
	eachGroup(b, func(b *testing.B, p *pair, _ int) {
		ctx := context.Background()
		for b.Loop() {
			_, err := p.alice.SelfUpdate(ctx)
			must(b, err)
			b.StopTimer()
			must(b, p.alice.DiscardPending(ctx))
			b.StartTimer()
		}
	})
}

// BenchmarkCommitMerge makes one's own pending commit the current epoch.
func BenchmarkCommitMerge(b *testing.B) {
	eachGroup(b, func(b *testing.B, p *pair, _ int) {
		ctx := context.Background()
		for b.Loop() {
			b.StopTimer()
			bundle, err := p.alice.SelfUpdate(ctx)
			must(b, err)
			b.StartTimer()
			must(b, p.alice.MergePending(ctx))
			b.StopTimer()
			process(b, p.bob, bundle.Commit)
			b.StartTimer()
		}
	})
}

// BenchmarkCommitProcess takes a commit with a path in, and merges it. Bob stands
// next to Alice, so he derives the key of every node of her path but one.
func BenchmarkCommitProcess(b *testing.B) {
	eachGroup(b, func(b *testing.B, p *pair, _ int) {
		ctx := context.Background()
		for b.Loop() {
			b.StopTimer()
			bundle, err := p.alice.SelfUpdate(ctx)
			must(b, err)
			must(b, p.alice.MergePending(ctx))
			b.StartTimer()
			process(b, p.bob, bundle.Commit)
		}
	})
}

func process(tb testing.TB, g *mls.Group, msg []byte) {
	in, err := g.Process(context.Background(), msg, mls.ProcessOptions{})
	must(tb, err)
	must(tb, g.Merge(context.Background(), in.(*mls.StagedCommit)))
}
