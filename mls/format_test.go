package mls_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/hardmls/hardmls/mls"
)

// TestNothingSecretIsPrinted prints every type that reaches a secret in every way
// fmt, slog and json know, and looks for the secrets of the epoch.
func TestNothingSecretIsPrinted(t *testing.T) {
	alice, bob, carol := newClient(t, "alice", mls.Config{}), newClient(t, "bob", mls.Config{}), newClient(t, "carol", mls.Config{})
	alice.create()
	b, err := alice.group.AddMembers(t.Context(), bob.keyPackage())
	if err != nil {
		t.Fatal(err)
	}
	pending := alice.group.StagedPending()
	if err := alice.group.MergePending(t.Context()); err != nil {
		t.Fatal(err)
	}
	w, err := mls.OpenWelcome(t.Context(), bob.p, b.Welcome, bob.cfg)
	if err != nil {
		t.Fatal(err)
	}
	opened := fmt.Sprintf("%v %+v %#v", w, w, w)
	staged, err := w.Stage(t.Context(), bob.signer)
	if err != nil {
		t.Fatal(err)
	}
	gi, err := alice.group.GroupInfo(t.Context(), mls.GroupInfoOptions{ExternalPub: true})
	if err != nil {
		t.Fatal(err)
	}
	x, err := mls.JoinExternal(t.Context(), carol.p, gi, carol.signer, carol.cred, carol.cfg, mls.ExternalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	resumption := make([]byte, 32)
	if err := alice.group.ResumptionPSK(resumption); err != nil {
		t.Fatal(err)
	}
	secrets := [][]byte{resumption, alice.group.EpochAuthenticator(), x.EpochAuthenticator(), staged.EpochAuthenticator(), []byte("plaintext")}
	message := &mls.ApplicationMessage{Data: []byte("plaintext")}
	type hidden struct{ v any }
	var out strings.Builder
	out.WriteString(opened)
	log := slog.New(slog.NewTextHandler(&out, nil))
	for _, v := range []any{alice.group, pending, staged, x, message} {
		_, data := v.(*mls.ApplicationMessage) // whose Data is there to be used
		for i, in := range []any{v, []any{v}, map[string]any{"k": v}, hidden{v}} {
			if data && i == 3 {
				continue // fmt can't ask an unexported field how to print it
			}
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				fmt.Fprintf(&out, verb+"\n", in)
			}
		}
		log.Info("value", "v", v)
		if !data {
			j, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			out.Write(j)
		}
	}
	text := strings.ToLower(out.String())
	for i, s := range secrets {
		for _, form := range []string{string(s), fmt.Sprintf("%x", s), strings.Trim(fmt.Sprint(s), "[]"), strings.ToLower(strings.Trim(fmt.Sprintf("%#v", s), "[]byte{}"))} {
			if bytes.Contains([]byte(text), []byte(form)) {
				t.Errorf("secret %d was printed as %.20q", i, form)
			}
		}
	}
}
