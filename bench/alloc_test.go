package bench

import (
	"context"
	"testing"

	"github.com/hardmls/hardmls/mls"
)

// allocsPerMessage is what the two AEADs of one message in suite 1 allocate, in
// AppendMessage and in OpenMessage alike: in the standard library a cipher.Block and
// a cipher.AEAD each, in assembly nothing. The engine adds nothing.
func allocsPerMessage(s setup) float64 {
	for _, c := range s.crypto().Report().Choices {
		if c.Primitive == "aead/aes128gcm" && c.Impl == "crypto/aes" {
			return 4
		}
	}
	return 0
}

// allocsProcess is what Process allocates on top: the plaintext, the result, the
// Incoming.
const allocsProcess = 3

// window is how many messages one lease covers here; storing it is not counted.
const window = 50

// TestAllocations holds the message path to what its AEAD allocates.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	chosen, plain := centre, centre
	plain.soft = true
	for _, s := range []setup{chosen, plain} {
		t.Run(s.name(), func(t *testing.T) { checkAllocations(t, s, allocsPerMessage(s)) })
	}
}

func checkAllocations(t *testing.T, s setup, allocsPerMessage float64) {
	ctx := context.Background()
	p := makePair(t, s)
	plaintext := make([]byte, centre.size)
	dst := make([]byte, 0, centre.capacity())
	msgs := make([][]byte, 0, 2*window+8)
	create := func() {
		msg, err := p.alice.AppendMessage(ctx, make([]byte, 0, centre.capacity()), plaintext, mls.MessageOptions{})
		must(t, err)
		msgs = append(msgs, msg)
	}
	for range cap(msgs) {
		create()
	}
	next := 0
	take := func() []byte { next++; return msgs[next-1] }
	for range 2 { // scratch, path to the leaf
		_, err := p.bob.OpenMessage(ctx, dst, take(), nil)
		must(t, err)
		_, err = p.bob.Process(ctx, take(), mls.ProcessOptions{})
		must(t, err)
	}
	check := func(name string, want float64, f func()) {
		if got := testing.AllocsPerRun(window-1, f); got != want {
			t.Errorf("%s: %v allocations, want %v", name, got, want)
		}
	}
	check("OpenMessage", allocsPerMessage, func() {
		if _, err := p.bob.OpenMessage(ctx, dst, take(), nil); err != nil {
			t.Fatal(err)
		}
	})
	check("Process", allocsPerMessage+allocsProcess, func() {
		if _, err := p.bob.Process(ctx, take(), mls.ProcessOptions{}); err != nil {
			t.Fatal(err)
		}
	})
	// A lease of 100 was taken for the messages above: there are enough left.
	send := func() {
		if _, err := p.alice.AppendMessage(ctx, dst, plaintext, mls.MessageOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	check("AppendMessage", allocsPerMessage, send)

	// A lease of 1, the default: each message has a batch of its own.
	cfg := config(centre.suite)
	cfg.LeaseSize = 1
	strict, err := mls.LoadGroup(ctx, p.provider, p.alice.ID(), mls.Signers(p.signer), cfg)
	must(t, err)
	p.alice = strict
	send()
	check("AppendMessage with a lease of 1", allocsPerMessage, send)
}

// TestLargeMessage bounds what sending 1 MiB into a new slice allocates: little
// more than the message.
func TestLargeMessage(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const size, limit = 1 << 20, 1_100_000
	p := makePair(t, centre)
	plaintext := make([]byte, size)
	r := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := p.alice.CreateMessage(context.Background(), plaintext, mls.MessageOptions{})
			must(b, err)
		}
	})
	if got := r.AllocedBytesPerOp(); got > limit {
		t.Errorf("%d bytes allocated for a message of %d, want at most %d", got, size, limit)
	}
}
