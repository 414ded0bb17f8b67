package mls_test

import (
	"errors"
	"testing"

	"github.com/hardmls/hardmls/mls"
)

// fork returns three members of one group: alice and bob merged one commit, carol
// another one of the same epoch.
func fork(t *testing.T, cfg mls.Config) (alice, bob, carol *client) {
	t.Helper()
	alice, bob, carol = newClient(t, "alice", cfg), newClient(t, "bob", cfg), newClient(t, "carol", cfg)
	alice.create()
	alice.add(nil, bob, carol)
	if _, err := carol.group.Commit(t.Context(), mls.CommitOptions{}); err != nil {
		t.Fatal(err)
	}
	alice.commit(mls.CommitOptions{}, []*client{bob})
	if err := carol.group.MergePending(t.Context()); err != nil {
		t.Fatal(err)
	}
	return alice, bob, carol
}

func (c *client) groupInfo() []byte {
	c.t.Helper()
	gi, err := c.group.GroupInfo(c.t.Context(), mls.GroupInfoOptions{NoRatchetTree: true})
	if err != nil {
		c.t.Fatal(err)
	}
	return gi
}

// compares checks how c finds a GroupInfo.
func (c *client) compares(gi []byte, want mls.History) {
	c.t.Helper()
	if got, err := c.group.CompareGroupInfo(gi); err != nil || got != want {
		c.t.Errorf("%s: history %d, %v, want %d", c.name, got, err, want)
	}
}

// TestForkIsDetected: the first message that crosses a fork is told apart from one
// that this epoch's members made and that was tampered with, and a GroupInfo of
// the other side proves it.
func TestForkIsDetected(t *testing.T) {
	for name, wire := range map[string]mls.WireFormatPolicy{"private": mls.PureCiphertext, "public": mls.PurePlaintext} {
		t.Run(name, func(t *testing.T) {
			alice, bob, carol := fork(t, mls.Config{WireFormat: wire})
			before := alice.state()
			for what, msg := range map[string][]byte{"message": carol.send("hello"), "proposal": carol.propose(mls.UpdateProposal())} {
				_, err := alice.group.Process(t.Context(), msg, mls.ProcessOptions{})
				if !errors.Is(err, mls.ErrFork) || !errors.Is(err, mls.ErrDecrypt) {
					t.Errorf("%s across the fork: %v", what, err)
				}
			}
			alice.unchanged(before, "fork")
			tampered := bob.send("hello")
			tampered[len(tampered)-1] ^= 1
			if _, err := alice.group.Process(t.Context(), tampered, mls.ProcessOptions{}); !errors.Is(err, mls.ErrDecrypt) || errors.Is(err, mls.ErrFork) {
				t.Errorf("tampered message of this side: %v", err)
			}
			alice.compares(bob.groupInfo(), mls.SameHistory)
			alice.compares(carol.groupInfo(), mls.Forked)
			carol.compares(alice.groupInfo(), mls.Forked)
		})
	}
}

// TestCompareGroupInfo: epochs before and after, and GroupInfos that prove nothing.
func TestCompareGroupInfo(t *testing.T) {
	alice, bob, other := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{PastEpochs: 1}), newClient(t, "other", mls.Config{})
	alice.create()
	alice.add(nil, bob)
	first := alice.groupInfo()
	bob.compares(first, mls.SameHistory)
	alice.commit(mls.CommitOptions{}, []*client{bob})
	bob.compares(first, mls.SameHistory) // a past epoch that is kept
	alice.commit(mls.CommitOptions{}, []*client{bob})
	bob.compares(first, mls.EarlierEpoch)
	alice.commit(mls.CommitOptions{}, nil)
	bob.compares(alice.groupInfo(), mls.LaterEpoch)

	other.cfg.GroupID = alice.group.ID()
	other.create()
	if _, err := bob.group.CompareGroupInfo(other.groupInfo()); !errors.Is(err, mls.ErrGroupInfo) && !errors.Is(err, mls.ErrWelcome) {
		t.Errorf("group info of a stranger: %v", err)
	}
	other.cfg.GroupID = nil
	other.create()
	if _, err := bob.group.CompareGroupInfo(other.groupInfo()); !errors.Is(err, mls.ErrGroup) {
		t.Errorf("group info of another group: %v", err)
	}
	if _, err := bob.group.CompareGroupInfo(alice.send("x")); !errors.Is(err, mls.ErrUnsupported) {
		t.Errorf("no group info: %v", err)
	}
}

// TestReAdd: one side takes the members of the other in again.
func TestReAdd(t *testing.T) {
	ctx := t.Context()
	alice, bob, carol := fork(t, mls.Config{})
	own := []uint32{alice.group.OwnIndex(), bob.group.OwnIndex()}
	other := alice.group.OtherPartition(own...)
	if len(other) != 1 || string(other[0].Credential.Identity) != "carol" {
		t.Fatalf("other partition: %v", other)
	}
	if err := carol.group.Delete(ctx); err != nil {
		t.Fatal(err)
	}
	kp, wrong := carol.keyPackage(), newClient(t, "mallory", mls.Config{}).keyPackage()
	for name, kps := range map[string][]*mls.KeyPackage{"none": nil, "another's": {wrong}, "too many": {kp, wrong}} {
		if _, err := alice.group.ReAdd(ctx, own, kps...); !errors.Is(err, mls.ErrPartition) {
			t.Errorf("key packages, %s: %v", name, err)
		}
	}
	if _, err := alice.group.ReAdd(ctx, own[1:], kp); !errors.Is(err, mls.ErrPartition) {
		t.Errorf("without oneself: %v", err)
	}
	b, err := alice.group.ReAdd(ctx, own, kp)
	if err != nil {
		t.Fatal(err)
	}
	bob.process(b.Commit)
	if err := alice.group.MergePending(ctx); err != nil {
		t.Fatal(err)
	}
	carol.join(b.Welcome)
	agree(t, alice, bob, carol)
}

// TestReboot: the members go on in a new group with the rules of the old one.
func TestReboot(t *testing.T) {
	ctx := t.Context()
	alice, bob, carol := fork(t, mls.Config{Extensions: []mls.Extension{
		mls.RequiredCapabilitiesExtension(mls.RequiredCapabilities{Credentials: []mls.CredentialType{mls.CredentialBasic}})}})
	opt := alice.goOn(bob, carol)
	opt.Config.Extensions = nil
	next, welcome, err := alice.group.Reboot(ctx, opt)
	if err != nil {
		t.Fatal(err)
	}
	if string(next.ID()) == string(alice.group.ID()) {
		t.Error("the same group id")
	}
	if es := next.Extensions(); len(es) != 1 || es[0].Type != mls.ExtensionRequiredCapabilities {
		t.Errorf("extensions %v", es)
	}
	alice.group = next
	bob.join(welcome)
	carol.join(welcome)
	agree(t, alice, bob, carol)
}
