package mls_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
)

const parallelWorkers = 16

// TestParallelOpen lets 16 goroutines open the messages of one sender, at most six
// at a time, which a window of five holds in any order. Each message is delivered
// more than once, and opens exactly once.
func TestParallelOpen(t *testing.T) {
	for _, policy := range []mls.ReceivePolicy{mls.OnFlush, mls.EachMessage} {
		_, bob, carol := trio(t, mls.Config{Receive: policy, LeaseSize: 50})
		for batch := range 60 {
			var msgs [mls.DefaultOutOfOrder + 1][]byte
			var opened [len(msgs)]atomic.Int32
			for i := range msgs {
				msgs[i] = bob.send(fmt.Sprint(batch, i))
			}
			var wg sync.WaitGroup
			for w := range parallelWorkers {
				wg.Go(func() {
					i := w % len(msgs)
					got, err := carol.group.OpenMessage(t.Context(), nil, msgs[i], nil)
					switch {
					case err == nil && string(got) == fmt.Sprint(batch, i):
						opened[i].Add(1)
					case !errors.Is(err, mls.ErrSecretReuse):
						t.Errorf("message %d of batch %d: %q, %v", i, batch, got, err)
					}
				})
			}
			wg.Wait()
			for i := range opened {
				if n := opened[i].Load(); n != 1 {
					t.Fatalf("message %d of batch %d was opened %d times", i, batch, n)
				}
			}
		}
	}
}

// TestParallelInOrder takes messages in in order and finishes them in any: none is
// lost, however far one falls behind.
func TestParallelInOrder(t *testing.T) {
	_, bob, carol := trio(t, mls.Config{LeaseSize: 100})
	const messages = 400
	var msgs [messages][]byte
	for i := range msgs {
		msgs[i] = bob.send(fmt.Sprint(i))
	}
	var mu sync.Mutex
	next := 0
	var wg sync.WaitGroup
	for range parallelWorkers {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				if i >= messages {
					mu.Unlock()
					return
				}
				in, err := carol.group.Begin(msgs[i])
				mu.Unlock()
				if err != nil {
					t.Errorf("message %d: %v", i, err)
					return
				}
				out, err := in.Finish(t.Context(), mls.ProcessOptions{})
				if m, ok := out.(*mls.ApplicationMessage); !ok || string(m.Data) != fmt.Sprint(i) {
					t.Errorf("message %d: %v, %v", i, out, err)
				}
			}
		})
	}
	wg.Wait()
}

// TestParallelTampered lets damaged copies race with the genuine messages.
func TestParallelTampered(t *testing.T) {
	_, bob, carol := trio(t, mls.Config{LeaseSize: 100})
	for i := range 100 {
		msg := bob.send(fmt.Sprint(i))
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				bad := bytes.Clone(msg)
				bad[len(bad)-1-w] ^= 1
				if _, err := carol.group.OpenMessage(t.Context(), nil, bad, nil); err == nil {
					t.Error("took a damaged copy")
				}
			})
		}
		if got, err := carol.group.OpenMessage(t.Context(), nil, msg, nil); err != nil || string(got) != fmt.Sprint(i) {
			t.Errorf("message %d: %q, %v", i, got, err)
		}
		wg.Wait()
	}
}

// TestParallelSend: concurrent senders never use a generation twice, and leave
// none out.
func TestParallelSend(t *testing.T) {
	for _, lease := range []int{1, 7} {
		_, bob, carol := trio(t, mls.Config{LeaseSize: lease, OutOfOrder: 1000})
		const each = 20
		var wg sync.WaitGroup
		sent := make(chan []byte, parallelWorkers*each)
		for w := range parallelWorkers {
			wg.Go(func() {
				for i := range each {
					msg, err := bob.group.CreateMessage(t.Context(), fmt.Append(nil, w, i), mls.MessageOptions{})
					if err != nil {
						t.Errorf("send: %v", err)
						return
					}
					sent <- msg
				}
			})
		}
		wg.Wait()
		close(sent)
		seen := make(map[uint32]bool)
		for msg := range sent {
			var info mls.MessageInfo
			if _, err := carol.group.OpenMessage(t.Context(), nil, msg, &info); err != nil {
				t.Fatal(err)
			}
			if seen[info.Generation] || info.Generation >= parallelWorkers*each {
				t.Errorf("generation %d is used twice, or one was left out", info.Generation)
			}
			seen[info.Generation] = true
		}
	}
}

// TestParallelEverything sends, receives, commits and flushes at once: whatever
// happens, the group goes on and agrees afterwards. Run it with -race.
func TestParallelEverything(t *testing.T) {
	alice, bob, carol := trio(t, mls.Config{PastEpochs: 5})
	all := []*client{alice, bob, carol}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, from := range []*client{alice, bob} {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				msg, err := from.group.CreateMessage(t.Context(), fmt.Append(nil, i), mls.MessageOptions{})
				if err != nil {
					if !errors.Is(err, mls.ErrEpochChanged) {
						t.Errorf("%s: send: %v", from.name, err)
					}
					continue
				}
				for _, to := range all {
					if to == from {
						continue
					}
					if _, err := to.group.OpenMessage(t.Context(), nil, msg, nil); err != nil && !errors.Is(err, mls.ErrEpochGone) && !errors.Is(err, mls.ErrEpoch) {
						t.Errorf("%s opens: %v", to.name, err)
					}
				}
				_ = from.group.Flush(t.Context())
				_ = from.group.EpochAuthenticator()
				_ = from.group.PendingProposals()
			}
		})
	}
	for range 15 {
		carol.commit(mls.CommitOptions{}, []*client{alice, bob})
	}
	close(stop)
	wg.Wait()
	agree(t, all...)
	for _, c := range all {
		c.reload()
	}
	agree(t, all...)
}

// slowCrypto is a backend whose MAC and hash of long input can be watched.
type slowCrypto struct {
	provider.Crypto
	long   func(what string)
	hashes atomic.Int32
}

type slowSuite struct {
	provider.Suite
	crypto *slowCrypto
}

func (c *slowCrypto) Suite(id provider.CipherSuite) (provider.Suite, error) {
	s, err := c.Crypto.Suite(id)
	return &slowSuite{s, c}, err
}

func (s *slowSuite) Upgrades() *provider.Upgrades { return new(provider.Upgrades) }

func (s *slowSuite) watch(what string, input []byte) {
	if len(input) > 1<<16 && s.crypto.long != nil {
		s.crypto.long(what)
	}
}

func (s *slowSuite) MAC(out, key, msg []byte) {
	s.watch("MAC", msg)
	s.Suite.MAC(out, key, msg)
}

func (s *slowSuite) Hash(out, msg []byte) {
	s.crypto.hashes.Add(1)
	s.watch("hash", msg)
	s.Suite.Hash(out, msg)
}

// TestLongMessagesHoldNoLock: what is computed over a long PublicMessage, by anybody,
// keeps no other call of the group waiting.
func TestLongMessagesHoldNoLock(t *testing.T) {
	alice, bob := newClient(t, "alice", mls.Config{WireFormat: mls.PurePlaintext}), newClient(t, "bob", mls.Config{WireFormat: mls.PurePlaintext})
	slow := &slowCrypto{Crypto: bob.p.Crypto()}
	bob.p = provider.Bundle{Backend: slow, Store: bob.store}
	alice.create()
	alice.add(nil, bob)
	seen := make(map[string]bool)
	slow.long = func(what string) {
		seen[what] = true
		free := make(chan struct{})
		go func() { bob.group.Epoch(); close(free) }()
		select {
		case <-free:
		case <-time.After(5 * time.Second):
			t.Errorf("the group is locked during the %s of a long message", what)
		}
	}
	b := alice.commit(mls.CommitOptions{AAD: make([]byte, 1<<17)}, []*client{bob})
	bob.duplicate(b.Commit, mls.AlreadyMerged)
	if !seen["MAC"] || !seen["hash"] {
		t.Errorf("seen: %v", seen)
	}
	agree(t, alice, bob)
}
