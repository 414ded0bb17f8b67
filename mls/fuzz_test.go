package mls_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
	"github.com/hardmls/hardmls/provider/soft"
	"github.com/hardmls/hardmls/storage/mem"
)

// again returns the client as its store has it, on a copy of the store.
func (c *client) again(t testing.TB) *client {
	t.Helper()
	d := *c
	d.t, d.store = t, c.store.(*mem.Store).Clone()
	d.p = provider.Bundle{Backend: c.p.Crypto(), Store: d.store}
	d.reload()
	return &d
}

// seededTrio is a trio whose randomness follows from its names: the processes of a
// fuzzing run each build the same groups, so that one's messages are another's.
func seededTrio(t testing.TB, cfg mls.Config) (alice, bob, carol *client) {
	t.Helper()
	alice, bob, carol = seeded(t, "alice", cfg), seeded(t, "bob", cfg), seeded(t, "carol", cfg)
	alice.create()
	alice.add(nil, bob, carol)
	return alice, bob, carol
}

func seeded(t testing.TB, name string, cfg mls.Config) *client {
	t.Helper()
	return seededOn(t, name, cfg, func(r io.Reader) (provider.Crypto, error) { return soft.New(soft.Options{Rand: r}), nil })
}

// seededOn is seeded on a backend.
func seededOn(t testing.TB, name string, cfg mls.Config, open func(io.Reader) (provider.Crypto, error)) *client {
	t.Helper()
	cfg.Now = func() time.Time { return time.Unix(1_700_000_000, 0) }
	c := newClient(t, name, cfg)
	crypto, err := open(providertest.NewRand(uint64(name[0]) + uint64(cfg.WireFormat)<<8))
	if err != nil {
		t.Fatal(err)
	}
	suite, err := crypto.Suite(c.cfg.CipherSuite)
	if err != nil {
		t.Fatal(err)
	}
	if c.signer, err = soft.NewSigner(crypto, suite); err != nil {
		t.Fatal(err)
	}
	c.p = provider.Bundle{Backend: crypto, Store: c.store}
	return c
}

// TestSeededTrio: two of them speak with the same bytes.
func TestSeededTrio(t *testing.T) {
	var sent [2][]byte
	for i := range sent {
		_, bob, _ := seededTrio(t, mls.Config{})
		sent[i] = bob.pendingCommit(mls.CommitOptions{})
	}
	if !bytes.Equal(sent[0], sent[1]) {
		t.Error("the fuzz targets are not repeatable")
	}
}

// FuzzProcess delivers anything to a member of a live group: no panic, no broken
// invariant, and after an error the genuine messages are accepted as before.
func FuzzProcess(f *testing.F) {
	type live struct {
		reader  *client
		genuine [][]byte
	}
	var groups []live
	for _, wire := range []mls.WireFormatPolicy{mls.MixedCiphertext, mls.MixedPlaintext} {
		alice, bob, carol := seededTrio(f, mls.Config{WireFormat: wire, ExternalCommits: mls.AcceptExternalCommits})
		dave := seeded(f, "dave", mls.Config{})
		l := live{reader: carol, genuine: [][]byte{bob.send("text"), bob.propose(mls.UpdateProposal())}}
		l.genuine = append(l.genuine,
			alice.pendingCommit(mls.CommitOptions{Proposals: []mls.Proposal{mls.AddProposal(dave.keyPackage()), mls.RemoveProposal(1)}}))
		groups = append(groups, l)
		for i, msg := range l.genuine {
			f.Add(uint8(len(groups)-1), uint8(i), msg)
			f.Add(uint8(len(groups)-1), uint8(i), msg[:len(msg)-1])
		}
	}
	f.Fuzz(func(t *testing.T, which, then uint8, msg []byte) {
		l := groups[int(which)%len(groups)]
		c := l.reader.again(t)
		before := c.state()
		out, err := c.group.Process(t.Context(), msg, mls.ProcessOptions{})
		var broken *mls.InternalError
		if errors.As(err, &broken) {
			t.Fatal(err)
		}
		if err == nil {
			if st, ok := out.(*mls.StagedCommit); ok {
				if err := c.group.Merge(t.Context(), st); err != nil {
					t.Errorf("merge: %v", err)
				}
			}
			return
		}
		c.unchanged(before, "a message that was refused")
		c.accept(l.genuine[int(then)%len(l.genuine)])
	})
}

// FuzzJoin opens anything as a Welcome, a GroupInfo and a key package.
func FuzzJoin(f *testing.F) {
	alice, _, _ := seededTrio(f, mls.Config{})
	dave := seeded(f, "dave", mls.Config{})
	kp := dave.keyPackage()
	b, err := alice.group.Commit(f.Context(), mls.CommitOptions{Proposals: []mls.Proposal{mls.AddProposal(kp)}, GroupInfo: &mls.GroupInfoOptions{ExternalPub: true}})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{kp.Bytes(), b.Welcome, b.GroupInfo} {
		f.Add(seed)
		f.Add(seed[:len(seed)/2])
	}
	store := dave.store.(*mem.Store)
	f.Fuzz(func(t *testing.T, data []byte) {
		p := provider.Bundle{Backend: dave.p.Crypto(), Store: store.Clone()}
		_, _ = mls.ParseKeyPackage(p.Crypto(), data, dave.cfg)
		var broken *mls.InternalError
		if x, err := mls.JoinExternal(t.Context(), p, data, dave.signer, dave.cred, dave.cfg, mls.ExternalOptions{}); errors.As(err, &broken) {
			t.Error(err)
		} else if err == nil {
			_ = x.Commit()
		}
		w, err := mls.OpenWelcome(t.Context(), p, data, dave.cfg)
		if errors.As(err, &broken) {
			t.Error(err)
		}
		if err != nil {
			return
		}
		sw, err := w.Stage(t.Context(), dave.signer)
		if err != nil {
			return
		}
		if _, err := sw.Join(t.Context()); err != nil {
			t.Errorf("join: %v", err)
		}
	})
}
