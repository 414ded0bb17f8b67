package bench

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hardmls/hardmls/bench/workload"
)

// BenchmarkGroupToFloor times operations on groups in turns with their floors, so
// that one run's ratio means something on a busy machine. What each floor is,
// package workload says.
func BenchmarkGroupToFloor(b *testing.B) {
	for _, w := range workload.All {
		switch w.Name {
		case "send", "send-unsigned", "receive": // see BenchmarkToFloor
			continue
		}
		for _, n := range groupSizes {
			s := centre
			s.members = n
			if w.Axes&workload.Members == 0 {
				if n > groupSizes[0] {
					break
				}
				s.members = 2
			}
			b.Run(fmt.Sprintf("suite=%d/op=%s/members=%d/provider=%s", s.suite, w.Name, s.members, backend()), func(b *testing.B) {
				if w.Name == "commit-sparse" && n > 1000 {
					b.Skip("every commit has 10,000 ciphertexts: see create")
				}
				run, err := w.Start(s.of())
				must(b, err)
				for measured := false; b.Loop(); measured = true {
					if measured { // Measure has rounds of its own
						continue
					}
					res, err := run.Measure(5, 50*time.Millisecond)
					must(b, err)
					b.ReportMetric(middle(res.Ratios()), "x-floor")
					b.ReportMetric(middle(res.Times()), "ns/call")
					b.ReportMetric(res.Allocs, "allocs/call")
					b.ReportMetric(res.Bytes, "B/call")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

func middle(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
