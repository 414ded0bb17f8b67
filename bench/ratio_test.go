package bench

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/hardmls/hardmls/mls"
)

// BenchmarkAgainstFloor takes turns with the floor, round by round, so that a
// machine that is busy for a while is so for both: "x-floor" is the median of the
// rounds' ratios, "ns/message" that of the engine's times.
func BenchmarkAgainstFloor(b *testing.B) {
	ctx := context.Background()
	for _, null := range []bool{false, true} {
		s := centre
		s.null = null
		b.Run("AppendMessage/"+s.name(), func(b *testing.B) {
			p := makePair(b, s)
			alice := p.alice
			if s.null {
				alice = p.withNullSigner(b)
			}
			plaintext, dst := make([]byte, s.size), make([]byte, 0, s.capacity())
			f := newFloor(b, s)
			against(b, nil, func() {
				_, err := alice.AppendMessage(ctx, dst, plaintext, mls.MessageOptions{})
				must(b, err)
			}, func() { f.send(b) })
		})
	}
	s := centre
	b.Run("OpenMessage/"+s.name(), func(b *testing.B) {
		p := makePair(b, s)
		plaintext, dst := make([]byte, s.size), make([]byte, 0, s.capacity())
		var msgs [][]byte
		f := newFloor(b, s)
		f.send(b)
		against(b, func() {
			msgs = msgs[:0]
			for range round {
				msg, err := p.alice.CreateMessage(ctx, plaintext, mls.MessageOptions{})
				must(b, err)
				msgs = append(msgs, msg)
			}
		}, func() {
			last := len(msgs) - 1
			_, err := p.bob.OpenMessage(ctx, dst, msgs[0], nil)
			must(b, err)
			copy(msgs, msgs[1:])
			msgs = msgs[:last]
		}, func() { f.receive(b) })
	})
}

// round is how many messages are timed in a row.
const round = 64

func against(b *testing.B, prepare, engine, floor func()) {
	var ratios, times []float64
	for b.Loop() {
		if prepare != nil {
			prepare()
		}
		e, _, r := turns(1, engine, floor)
		ratios, times = append(ratios, r), append(times, e)
	}
	b.ReportMetric(median(ratios), "x-floor")
	b.ReportMetric(median(times), "ns/message")
	b.ReportMetric(0, "ns/op")
}

// turns times rounds of f and g in turns and returns the medians of the times of a
// call, and of the rounds' ratios.
func turns(rounds int, f, g func()) (fs, gs, ratio float64) {
	timed := func(f func()) float64 {
		start := time.Now()
		for range round {
			f()
		}
		return float64(time.Since(start).Nanoseconds()) / round
	}
	var ft, gt, ratios []float64
	for range rounds {
		a, b := timed(f), timed(g)
		ft, gt, ratios = append(ft, a), append(gt, b), append(ratios, a/b)
	}
	return median(ft), median(gt), median(ratios)
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
