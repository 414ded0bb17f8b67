package bench

import (
	"context"
	"testing"

	"github.com/hardmls/hardmls/mls"
)

// capacity is enough for any message of the benchmarks.
func (s setup) capacity() int { return s.size + 4096 }

func BenchmarkAppendMessage(b *testing.B) {
	for _, s := range axes() {
		b.Run(s.name(), func(b *testing.B) {
			p := newPair(b, sends, s)
			alice := p.alice
			if s.null {
				alice = makePair(b, s).withNullSigner(b)
			}
			ctx := context.Background()
			plaintext := make([]byte, s.size)
			dst := make([]byte, 0, s.capacity())
			b.SetBytes(int64(s.size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := alice.AppendMessage(ctx, dst, plaintext, mls.MessageOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpenMessage(b *testing.B) {
	for _, s := range axes() {
		if s.null {
			continue
		}
		b.Run(s.name(), func(b *testing.B) {
			p := newPair(b, receives, s)
			dst := make([]byte, 0, s.capacity())
			receive(b, p, s, func(msg []byte) error {
				_, err := p.bob.OpenMessage(context.Background(), dst, msg, nil)
				return err
			})
		})
	}
}

func BenchmarkProcess(b *testing.B) {
	for _, s := range axes() {
		if s.null {
			continue
		}
		b.Run(s.name(), func(b *testing.B) {
			p := newPair(b, receives, s)
			receive(b, p, s, func(msg []byte) error {
				_, err := p.bob.Process(context.Background(), msg, mls.ProcessOptions{})
				return err
			})
		})
	}
}

// batch is how many messages are made, outside the clock, to be received.
const batch = 64

// receive times open on fresh messages: each opens once only.
func receive(b *testing.B, p *pair, s setup, open func(msg []byte) error) {
	ctx := context.Background()
	plaintext := make([]byte, s.size)
	msgs := make([][]byte, batch)
	for i := range msgs {
		msgs[i] = make([]byte, 0, s.capacity())
	}
	n := batch
	b.SetBytes(int64(s.size))
	b.ReportAllocs()
	for b.Loop() {
		if n == batch {
			b.StopTimer()
			for i := range msgs {
				var err error
				if msgs[i], err = p.alice.AppendMessage(ctx, msgs[i][:0], plaintext, mls.MessageOptions{}); err != nil {
					b.Fatal(err)
				}
			}
			n = 0
			b.StartTimer()
		}
		if err := open(msgs[n]); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

// BenchmarkFloorAppendMessage is the floor of BenchmarkAppendMessage.
func BenchmarkFloorAppendMessage(b *testing.B) {
	for _, s := range axes() {
		if s.members != centre.members {
			continue // the floor does not know the group's size
		}
		b.Run(s.name(), func(b *testing.B) {
			f := newFloor(b, s)
			b.SetBytes(int64(s.size))
			b.ReportAllocs()
			for b.Loop() {
				f.send(b)
			}
		})
	}
}

// BenchmarkFloorOpenMessage is the floor of BenchmarkOpenMessage and
// BenchmarkProcess.
func BenchmarkFloorOpenMessage(b *testing.B) {
	for _, s := range axes() {
		if s.members != centre.members || s.null {
			continue
		}
		b.Run(s.name(), func(b *testing.B) {
			f := newFloor(b, s)
			f.send(b)
			b.SetBytes(int64(s.size))
			b.ReportAllocs()
			for b.Loop() {
				f.receive(b)
			}
		})
	}
}
