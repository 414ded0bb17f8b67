package mls_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
)

// countedKeys counts the private keys in memory: handed out and not yet wiped.
type countedKeys struct {
	provider.Keys
	mu   sync.Mutex
	live int
}

type countedKey struct {
	provider.DecryptionKey
	keys  *countedKeys
	wiped bool
}

func (k *countedKeys) count(key provider.DecryptionKey) provider.DecryptionKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.live++
	return &countedKey{DecryptionKey: key, keys: k}
}

func (k *countedKeys) Generate(ctx context.Context, s provider.Suite, use provider.KeyUse) (provider.DecryptionKey, provider.KeyRef, error) {
	key, ref, err := k.Keys.Generate(ctx, s, use)
	if err != nil {
		return nil, nil, err
	}
	return k.count(key), ref, nil
}

func (k *countedKeys) Load(ctx context.Context, s provider.Suite, ref provider.KeyRef) (provider.DecryptionKey, error) {
	key, err := k.Keys.Load(ctx, s, ref)
	if err != nil {
		return nil, err
	}
	return k.count(key), nil
}

func (k *countedKey) Wipe() {
	k.keys.mu.Lock()
	defer k.keys.mu.Unlock()
	if !k.wiped {
		k.wiped = true
		k.keys.live--
	}
	k.DecryptionKey.Wipe()
}

// counted gives the client a custody that counts.
func (c *client) counted() *countedKeys {
	keys := &countedKeys{Keys: provider.KeysOf(c.p)}
	c.p = provider.Bundle{Backend: c.p.Crypto(), Store: c.store, Custody: []provider.Keys{keys}}
	return keys
}

func (k *countedKeys) want(t *testing.T, n int, when string) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.live != n {
		t.Errorf("%s: %d leaf and init keys in memory, want %d", when, k.live, n)
	}
}

// TestLeafKeysAreWiped: whatever a group goes through, the one leaf key in memory
// is that of the current epoch, and none is once the group is closed.
func TestLeafKeysAreWiped(t *testing.T) {
	ctx := t.Context()
	alice, bob, carol := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{}), newClient(t, "carol", mls.Config{})
	keys := bob.counted()
	alice.create()
	alice.add(nil, bob)
	keys.want(t, 1, "after joining")

	for _, omit := range []bool{false, true} {
		msg, _, err := bob.group.Propose(ctx, mls.UpdateProposal(), mls.ProposeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		alice.process(msg)
		alice.commit(mls.CommitOptions{OmitPath: omit}, []*client{bob})
		keys.want(t, 1, "after an own update was committed")
	}
	b, err := alice.group.Commit(ctx, mls.CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := bob.group.Process(ctx, b.Commit, mls.ProcessOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out.(*mls.StagedCommit).Discard()
	keys.want(t, 1, "after discarding a staged commit")

	if _, err := bob.group.Commit(ctx, mls.CommitOptions{}); err != nil {
		t.Fatal(err)
	}
	keys.want(t, 2, "with a pending commit")
	bob.process(b.Commit)
	if err := alice.group.MergePending(ctx); err != nil {
		t.Fatal(err)
	}
	keys.want(t, 1, "after another commit won")

	bob.signer = failingSigner{bob.signer}
	if _, err := bob.group.Commit(ctx, mls.CommitOptions{Signer: bob.signer}); err == nil {
		t.Fatal("commit with a failing signer")
	}
	keys.want(t, 1, "after a failed commit")

	gi, err := alice.group.GroupInfo(ctx, mls.GroupInfoOptions{ExternalPub: true})
	if err != nil {
		t.Fatal(err)
	}
	joins := carol.counted()
	if _, err := mls.JoinExternal(ctx, carol.p, gi, failingSigner{carol.signer}, carol.cred, carol.cfg, mls.ExternalOptions{}); err == nil {
		t.Fatal("external join with a failing signer")
	}
	joins.want(t, 0, "after a failed external join")
	x, err := mls.JoinExternal(ctx, carol.p, gi, carol.signer, carol.cred, carol.cfg, mls.ExternalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	joins.want(t, 1, "with an external join")
	if err := x.Discard(ctx); err != nil {
		t.Fatal(err)
	}
	joins.want(t, 0, "after discarding an external join")

	if err := bob.group.Close(ctx); err != nil {
		t.Fatal(err)
	}
	keys.want(t, 0, "after Close")
}

type failingSigner struct{ provider.Signer }

func (failingSigner) Sign(context.Context, []byte, []byte) ([]byte, error) {
	return nil, errors.New("token is gone")
}

// blockingStorage holds the next Apply back until it is released.
type blockingStorage struct {
	provider.Storage
	begun, release chan struct{}
}

func (s *blockingStorage) Apply(ctx context.Context, b *provider.Batch) error {
	if s.begun != nil {
		close(s.begun)
		s.begun = nil
		<-s.release
	}
	return s.Storage.Apply(ctx, b)
}

// TestDiscardWhileMerging: a staged commit that is being merged can't be pulled
// away from under the merge, and a second merge of it finds it used.
func TestDiscardWhileMerging(t *testing.T) {
	ctx := t.Context()
	alice, bob := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{})
	slow := &blockingStorage{Storage: bob.store}
	bob.p = provider.Bundle{Backend: bob.p.Crypto(), Store: slow}
	alice.create()
	alice.add(nil, bob)
	b, err := alice.group.Commit(ctx, mls.CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := bob.group.Process(ctx, b.Commit, mls.ProcessOptions{})
	if err != nil {
		t.Fatal(err)
	}
	st := out.(*mls.StagedCommit)
	begun := make(chan struct{})
	slow.begun, slow.release = begun, make(chan struct{})
	merged := make(chan error)
	go func() { merged <- bob.group.Merge(ctx, st) }()
	<-begun
	st.Discard()
	close(slow.release)
	if err := <-merged; err != nil {
		t.Fatal(err)
	}
	if err := bob.group.Merge(ctx, st); !errors.Is(err, mls.ErrStagedUsed) {
		t.Errorf("second merge: %v, want ErrStagedUsed", err)
	}
	if err := alice.group.MergePending(ctx); err != nil {
		t.Fatal(err)
	}
	agree(t, alice, bob)
	bob.reload()
	agree(t, alice, bob)
}
