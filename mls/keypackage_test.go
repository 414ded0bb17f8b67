package mls_test

import (
	"errors"
	"testing"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
	"github.com/hardmls/hardmls/storage/mem"
)

// TestKeyPackageOfUnknownOutcome: keys that a stored key package may name are not
// deleted, and those of one that is not there are.
func TestKeyPackageOfUnknownOutcome(t *testing.T) {
	for name, tc := range map[string]struct {
		fault   providertest.StorageFault
		unread  bool // the store can't be read after it
		records int
		keys    int
	}{
		"applied":         {providertest.FailUnknownApplied, false, 1, 2},
		"applied, unread": {providertest.FailUnknownApplied, true, 1, 2},
		"lost":            {providertest.FailUnknownLost, false, 0, 0},
		"lost, unread":    {providertest.FailUnknownLost, true, 0, 2},
		"failed":          {providertest.FailBefore, false, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a := newClient(t, "alice", mls.Config{})
			records := a.store.(*mem.Store)
			store, keys := a.faulty()
			store.Fault = tc.fault
			store.FailAt(0)
			if tc.unread {
				store.FailAt(0, 1)
			}
			kp, err := mls.NewKeyPackage(t.Context(), a.p, a.signer, a.cred, a.cfg)
			if ok := name == "applied"; (err == nil) != ok || (kp != nil) != ok || tc.unread != errors.Is(err, provider.ErrOutcomeUnknown) {
				t.Errorf("got %v", err)
			}
			if records.Len() != tc.records || keys.Live() != tc.keys {
				t.Errorf("%d records and %d keys, want %d and %d", records.Len(), keys.Live(), tc.records, tc.keys)
			}
		})
	}
}

// TestDeleteKeyPackageAgain: a key that could not be deleted is tried again, by the
// next call or when a group is loaded, and nothing is left then.
func TestDeleteKeyPackageAgain(t *testing.T) {
	ctx := t.Context()
	for name, again := range map[string]func(a *client, ref []byte) error{
		"call": func(a *client, ref []byte) error { return mls.DeleteKeyPackage(ctx, a.p, ref) },
		"load": func(a *client, _ []byte) error { a.reload(); return nil },
	} {
		for at := range 2 {
			t.Run(name, func(t *testing.T) {
				a := newClient(t, "alice", mls.Config{})
				records := a.store.(*mem.Store)
				_, keys := a.faulty()
				a.create()
				before, held := records.Len(), keys.Live()
				ref := a.keyPackage().Ref()
				keys.FailAt(at)
				var e *mls.KeyError
				if err := mls.DeleteKeyPackage(ctx, a.p, ref); !errors.As(err, &e) {
					t.Errorf("got %v", err)
				}
				keys.FailAt()
				if n := records.Len(); n != before+1 {
					t.Errorf("%d records more, want a tombstone", n-before)
				}
				if err := again(a, ref); err != nil {
					t.Fatal(err)
				}
				if records.Len() != before || keys.Live() != held {
					t.Errorf("%d records and %d keys are left", records.Len()-before, keys.Live()-held)
				}
			})
		}
	}
}

// TestDeleteKeyPackageLeavesNothing: with keys that are their own references too.
func TestDeleteKeyPackageLeavesNothing(t *testing.T) {
	for name, custody := range map[string]bool{"software": false, "custody": true} {
		a := newClient(t, "alice", mls.Config{})
		records := a.store.(*mem.Store)
		if custody {
			a.faulty()
		}
		ref := a.keyPackage().Ref()
		for range 2 {
			if err := mls.DeleteKeyPackage(t.Context(), a.p, ref); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if n := records.Len(); n != 0 {
				t.Errorf("%s: %d records are left", name, n)
			}
		}
	}
}
