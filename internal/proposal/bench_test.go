package proposal

import (
	"fmt"
	"testing"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/provider"
)

// BenchmarkValidateAdds shows that the time per Add does not depend on how many
// there are.
func BenchmarkValidateAdds(b *testing.B) {
	w := newWorld(b, 2)
	var entries []Entry
	for i := range 10_000 {
		kp, _ := w.keyPackage(fmt.Sprintf("new %d", i))
		entries = append(entries, w.by(0, add(kp)))
	}
	for _, n := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprintf("adds=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := w.validate(0, entries[:n]...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/add")
		})
	}
}

// batchSuite offers batch verification and counts what it is given.
type batchSuite struct {
	provider.Suite
	jobs chan int
}

func (s batchSuite) Upgrades() *provider.Upgrades { return &provider.Upgrades{Verify: s} }

func (s batchSuite) VerifyMany(jobs []provider.VerifyJob) {
	s.jobs <- len(jobs)
	for i := range jobs {
		jobs[i].Err = s.Verify(jobs[i].Pub, jobs[i].Msg, jobs[i].Sig)
	}
}

// TestBatchVerification shows that signatures go through the suite's batch
// verifier, all of them, and that a bad one is found there.
func TestBatchVerification(t *testing.T) {
	w := newWorld(t, 2)
	s := batchSuite{w.suite, make(chan int, 100)}
	w.env.Suite = s
	var entries []Entry
	for i := range 100 {
		entries = append(entries, w.adds(fmt.Sprint(i)))
	}
	accept(t, w.validate(0, entries...))
	close(s.jobs)
	sum, calls := 0, 0
	for n := range s.jobs {
		sum, calls = sum+n, calls+1
	}
	if sum != 200 || calls > 4 {
		t.Errorf("%d signatures in %d calls", sum, calls)
	}
	s.jobs = make(chan int, 100)
	w.env.Suite = s
	entries[77].Proposal.Add.LeafNode.Credential = proto.Credential{Type: proto.CredentialTypeBasic, Identity: []byte("eve")}
	entries[77].Proposal.Add.LeafNode.Raw = nil
	refuse(t, w.validate(0, entries...), 44)
}
