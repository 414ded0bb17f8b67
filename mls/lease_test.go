package mls_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/hardmls/hardmls/mls"
)

// TestV090 reloads a sender at random moments, as after a crash, amid sends,
// receives, proposals, flushes and commits: no generation is ever used twice.
func TestV090(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 4))
		cfg := mls.Config{LeaseSize: []int{1, 7, 50}[rng.IntN(3)], OutOfOrder: 1000}
		if rng.IntN(2) == 0 {
			cfg.Receive = mls.EachMessage
		}
		alice, bob, carol := trio(t, cfg)
		all := []*client{alice, bob, carol}
		used := make(map[string]bool)
		for range 60 {
			switch rng.IntN(7) {
			case 0:
				bob.reload() // without Flush or Close
			case 1:
				if err := bob.group.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			case 2:
				bob.process(alice.send("x"))
			case 3:
				if rng.IntN(3) == 0 {
					p := bob.propose(mls.UpdateProposal())
					alice.process(p)
					carol.process(p)
					bob.reload()
					carol.commit(mls.CommitOptions{}, []*client{alice, bob})
				} else {
					from := rng.IntN(3)
					others := append(append([]*client(nil), all[:from]...), all[from+1:]...)
					all[from].commit(mls.CommitOptions{}, others)
				}
			default:
				var sent mls.MessageInfo
				if _, err := bob.group.CreateMessage(t.Context(), []byte("x"), mls.MessageOptions{Info: &sent}); err != nil {
					t.Fatal(err)
				}
				id := fmt.Sprint(sent.Epoch, sent.Generation)
				if used[id] {
					t.Fatalf("seed %d, lease %d: epoch %d, generation %d is used twice", seed, cfg.LeaseSize, sent.Epoch, sent.Generation)
				}
				used[id] = true
			}
		}
	}
}
