package mls_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/asm"
	"github.com/hardmls/hardmls/provider/soft"
)

// openers make the two backends, asm last.
var openers = []func(io.Reader) (provider.Crypto, error){
	func(r io.Reader) (provider.Crypto, error) { return soft.New(soft.Options{Rand: r}), nil },
	func(r io.Reader) (provider.Crypto, error) { return asm.New(asm.Options{Rand: r}) },
}

func needAsm(t testing.TB) {
	t.Helper()
	if _, err := asm.New(asm.Options{}); errors.Is(err, asm.ErrNoKernel) {
		t.Skip(err)
	}
}

// pairOn makes Alice and Bob on a backend each, with randomness that follows from
// their names.
func pairOn(t testing.TB, id provider.CipherSuite, alices, bobs func(io.Reader) (provider.Crypto, error)) (alice, bob *client) {
	t.Helper()
	cfg := mls.Config{CipherSuite: id}
	alice, bob = seededOn(t, "alice", cfg, alices), seededOn(t, "bob", cfg, bobs)
	alice.create()
	alice.add(nil, bob)
	return alice, bob
}

// TestBackendsAgree: a conversation on one backend is the same, byte for byte, on
// the other, where signatures are not hedged with randomness of their own.
func TestBackendsAgree(t *testing.T) {
	needAsm(t)
	for _, id := range []provider.CipherSuite{1, 3, 4} {
		t.Run(id.String(), func(t *testing.T) {
			t.Parallel()
			var said [2][][]byte
			for i, open := range openers {
				alice, bob := pairOn(t, id, open, open)
				said[i] = converse(t, alice, bob)
			}
			if len(said[0]) != len(said[1]) {
				t.Fatalf("%d and %d messages", len(said[0]), len(said[1]))
			}
			for n := range said[0] {
				if !bytes.Equal(said[0][n], said[1][n]) {
					t.Errorf("message %d differs", n)
				}
			}
		})
	}
}

// TestBackendsTalk: members on different backends are in one group.
func TestBackendsTalk(t *testing.T) {
	needAsm(t)
	for _, id := range provider.CipherSuites() {
		t.Run(id.String(), func(t *testing.T) {
			t.Parallel()
			for i := range openers {
				alice, bob := pairOn(t, id, openers[i], openers[1-i])
				converse(t, alice, bob)
			}
		})
	}
}

// converse exchanges messages of many lengths and commits, and returns them.
func converse(t *testing.T, alice, bob *client) (said [][]byte) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 3 {
		for _, n := range []int{0, 1, 15, 16, 17, 100, 256, 1023, 1 + r.IntN(5000)} {
			text, aad := bytes.Repeat([]byte{byte(round + n)}, n), make([]byte, r.IntN(100))
			msg, err := alice.group.CreateMessage(t.Context(), text, mls.MessageOptions{AAD: aad})
			if err != nil {
				t.Fatal(err)
			}
			said = append(said, msg)
			got, err := bob.group.OpenMessage(t.Context(), nil, msg, nil)
			if err != nil || !bytes.Equal(got, text) {
				t.Fatalf("%d bytes: %v", n, err)
			}
		}
		said = append(said, alice.commit(mls.CommitOptions{}, []*client{bob}).Commit)
		alice, bob = bob, alice
	}
	return said
}

// FuzzBackends compares the messages of two groups that differ in their backends, and
// what becomes of a message with one byte changed.
func FuzzBackends(f *testing.F) {
	needAsm(f)
	var alices, bobs [2]*client
	for i, open := range openers {
		alices[i], bobs[i] = pairOn(f, provider.X25519_AES128GCM_SHA256_Ed25519, open, open)
	}
	f.Add([]byte("hello"), []byte("additional"), uint16(1000), byte(0))
	f.Add(make([]byte, 1100), []byte{}, uint16(70), byte(1))
	f.Add([]byte{}, make([]byte, 300), uint16(20), byte(0x80))
	f.Fuzz(func(t *testing.T, text, aad []byte, at uint16, change byte) {
		var msgs [2][]byte
		for i, alice := range alices {
			var err error
			if msgs[i], err = alice.again(t).group.CreateMessage(t.Context(), text, mls.MessageOptions{AAD: aad}); err != nil {
				t.Skip(err) // more than a message may hold
			}
		}
		if !bytes.Equal(msgs[0], msgs[1]) {
			t.Fatal("the backends make different messages")
		}
		msg := msgs[0]
		msg[int(at)%len(msg)] ^= change
		var texts [2][]byte
		var errs [2]error
		for i, bob := range bobs {
			texts[i], errs[i] = bob.again(t).group.OpenMessage(t.Context(), nil, msg, nil)
		}
		if (errs[0] == nil) != (errs[1] == nil) || errs[0] != nil && errs[0].Error() != errs[1].Error() {
			t.Fatalf("errors differ: %v and %v", errs[0], errs[1])
		}
		if change == 0 && errs[0] != nil {
			t.Fatal(errs[0])
		}
		if errs[0] == nil && (!bytes.Equal(texts[0], text) || !bytes.Equal(texts[1], text)) {
			t.Fatal("another text")
		}
	})
}
