package mls_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
	"github.com/hardmls/hardmls/storage/mem"
)

var updateGolden = flag.Bool("update", false, "write testdata/records anew")

// goldenConfig is that of everybody in the stored groups.
func goldenConfig() mls.Config {
	now := time.Unix(1_800_000_000, 0)
	return mls.Config{Now: func() time.Time { return now }, LeaseSize: 4, PastEpochs: 2}
}

// stored are states of alice's store, made by toy members with seeded randomness.
// Their records are the storage format: what this release writes, every later one
// reads.
var stored = map[string]func(w *world){
	// Two past epochs, messages received out of order, an Update and other
	// proposals pending, a commit of hers pending, a Welcome unsent, a PSK.
	"busy": func(w *world) {
		w.must(mls.PutPSK(w.Context(), w.alice.p, []byte("psk"), []byte("pre-shared")))
		b, err := w.alice.group.AddMembers(w.Context(), w.keyPackage(w.dave))
		w.must(err)
		(&commitOf{bundle: b}).deliver(w, w.dave)
		in := newInbox(w).(*inbox)
		w.must(in.readAll(w, w.alice))
		for range 2 {
			b, err = w.bob.group.SelfUpdate(w.Context())
			w.must(err)
			w.receive(b.Commit, w.alice, w.carol, w.dave)
			w.must(w.bob.group.MergePending(w.Context()))
		}
		_, err = w.alice.group.CreateMessage(w.Context(), []byte("x"), mls.MessageOptions{})
		w.must(err)
		msg, _, err := w.carol.group.Propose(w.Context(), mls.RemoveProposal(3), mls.ProposeOptions{})
		w.must(err)
		w.receive(msg, w.alice)
		_, _, err = w.alice.group.Propose(w.Context(), mls.UpdateProposal(), mls.ProposeOptions{})
		w.must(err)
		_, err = w.alice.group.Commit(w.Context(), mls.CommitOptions{GroupInfo: &mls.GroupInfoOptions{}})
		w.must(err)
		_, err = mls.NewKeyPackage(w.Context(), w.alice.p, w.alice.signer, mls.BasicCredential([]byte("alice")), w.alice.cfg)
		w.must(err)
	},
	// A key that could not be deleted has left its tombstone.
	"tombstone": func(w *world) {
		b, err := w.bob.group.SelfUpdate(w.Context())
		w.must(err)
		_, _, err = w.alice.group.Propose(w.Context(), mls.UpdateProposal(), mls.ProposeOptions{})
		w.must(err)
		w.alice.keys.FailFrom(0)
		w.receive(b.Commit, w.alice)
		w.alice.keys.Reset()
	},
	"re-initialised": func(w *world) {
		b, err := w.bob.group.Commit(w.Context(), mls.CommitOptions{Proposals: []mls.Proposal{
			mls.ReInitProposal([]byte("next"), providertest.Toy1, nil)}})
		w.must(err)
		w.receive(b.Commit, w.alice)
	},
	"evicted": func(w *world) {
		b, err := w.bob.group.RemoveMembers(w.Context(), w.alice.group.OwnIndex())
		w.must(err)
		w.receive(b.Commit, w.alice)
	},
}

// dump writes every record of a store as a line: group, epoch, kind, id, value.
func dump(t *testing.T, s provider.Storage) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, prefix := range []provider.Key{{Group: []byte("group")}, {}} {
		for rec, err := range s.Scan(t.Context(), prefix) {
			if err != nil {
				t.Fatal(err)
			}
			if len(prefix.Group) > 0 || len(rec.Key.Group) == 0 {
				k := rec.Key
				fmt.Fprintf(&b, "%q %d %d %x %x\n", k.Group, k.Epoch, k.Kind, k.ID, rec.Value)
			}
		}
	}
	return b.Bytes()
}

// undump is the store that dump wrote.
func undump(t *testing.T, text string) *mem.Store {
	t.Helper()
	b := &provider.Batch{Group: []byte("group")}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		var r provider.Record
		var group string
		if len(f) != 5 {
			t.Fatalf("line of %d fields", len(f))
		}
		if _, err := fmt.Sscanf(strings.Join(f[:3], " "), "%q %d %d", &group, &r.Key.Epoch, &r.Key.Kind); err != nil {
			t.Fatal(err)
		}
		r.Key.Group = []byte(group)
		var err error
		if r.Key.ID, err = hex.DecodeString(f[3]); err == nil {
			r.Value, err = hex.DecodeString(f[4])
		}
		if err != nil {
			t.Fatal(err)
		}
		b.Put = append(b.Put, r)
	}
	s := mem.New()
	if err := s.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return s
}

const goldenHead = "# Records of a store: group, epoch + 1, kind, id, value; made by go test ./mls -run GoldenRecords -update\n"

// TestGoldenRecords: the records are byte for byte those of the golden files, and a
// group that is loaded from those goes on.
func TestGoldenRecords(t *testing.T) {
	kinds := map[string]bool{}
	for name, make := range stored {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, goldenConfig())
			make(w)
			got := append([]byte(goldenHead), dump(t, w.alice.mem)...)
			file := filepath.Join("testdata", "records", name+".golden")
			if *updateGolden {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("records differ from %s; if the format changed on purpose, old stores need a migration", file)
			}
			for line := range strings.Lines(string(want)) {
				if f := strings.Fields(line); f[0] != "#" {
					kinds[f[2]] = true
				}
			}
			disk := w.onDisk(w.alice)
			w.alice.mem = undump(t, string(want))
			if got := w.onDisk(w.alice); got != disk {
				t.Errorf("the group of the golden file is\n%s\nnot\n%s", got, disk)
			}
		})
	}
	for kind := range 12 {
		if k := fmt.Sprint(kind + 1); !kinds[k] {
			t.Errorf("no golden record of kind %s", k)
		}
	}
	for _, k := range []string{"32", "33", "34"} {
		if !kinds[k] {
			t.Errorf("no golden record of kind %s", k)
		}
	}
}

// TestNewerRecords: a record of a version that this release does not know is
// refused, whichever it is, before anything is written.
func TestNewerRecords(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "records", "busy.golden"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimPrefix(string(text), goldenHead), "\n")
	w := newWorld(t, goldenConfig())
	for i, line := range lines[:len(lines)-1] {
		f := strings.Fields(line)
		if kind := f[2]; kind == "10" || kind == "11" || kind == "32" || kind == "33" {
			continue // read when they are needed
		}
		newer := append([]string(nil), lines...)
		v := strings.LastIndexByte(line, ' ') + 1
		newer[i] = line[:v] + "02" + line[v+2:]
		s := undump(t, strings.Join(newer, ""))
		before := dump(t, s)
		p := provider.Bundle{Backend: w.alice.p.Crypto(), Store: s}
		_, err := w.alice.load(t.Context(), p)
		var damaged *mls.RecordError
		if !errors.As(err, &damaged) {
			t.Errorf("record of kind %s, epoch %s: %v", f[2], f[1], err)
		}
		if !bytes.Equal(before, dump(t, s)) {
			t.Errorf("record of kind %s: refused, and the store changed", f[2])
		}
	}
}
