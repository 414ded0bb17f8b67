package framing

import (
	"bytes"
	"testing"

	"github.com/hardmls/hardmls/internal/proto"
)

// FuzzOpen: whatever arrives, nothing panics, nothing is left behind dst, and
// only what the member sent opens.
func FuzzOpen(f *testing.F) {
	w := newWorld(f)
	data := counting(40)
	genuine := w.seal(new(Sealer), nil, data, []byte("aad"), Padding{})
	f.Add(genuine)
	f.Add(genuine[:len(genuine)-1])
	f.Add(w.frank(nil, proto.ContentTypeProposal, func(b []byte) []byte { return append(b, 0, 3, 0, 0, 0, 1, 0) }))
	f.Add(w.enclose(proto.ContentTypeCommit, nil))
	f.Fuzz(func(t *testing.T, msg []byte) {
		kept := bytes.Clone(msg)
		sameHeader(t, msg)
		dst := spare(512)
		var o Opener
		err := w.decrypt(&o, dst, msg)
		if !bytes.Equal(msg, kept) {
			t.Fatal("the message was written to")
		}
		if err != nil {
			wantUntouched(t, dst)
			return
		}
		if !bytes.Equal(msg, genuine) {
			t.Fatalf("%x opened", msg)
		}
		if got := o.Content(); !bytes.Equal(got[8:], data) {
			t.Fatal("the content changed")
		}
	})
}

// sameHeader fails unless Parse and package proto read the same message.
func sameHeader(t *testing.T, msg []byte) {
	t.Helper()
	var o Opener
	err := o.Parse(msg)
	m, want := proto.DecodeMLSMessage(msg)
	if want == nil && m.WireFormat != proto.WireFormatPrivateMessage {
		want = ErrNotPrivate
	}
	if (err == nil) != (want == nil) {
		t.Fatalf("Parse: %v, proto: %v", err, want)
	}
	if err != nil {
		return
	}
	p := m.PrivateMessage
	if !bytes.Equal(o.GroupID(), p.GroupID) || o.Epoch() != p.Epoch || o.ContentType() != p.ContentType ||
		!bytes.Equal(o.AuthenticatedData(), p.AuthenticatedData) ||
		!bytes.Equal(o.encrypted, p.EncryptedSenderData) || !bytes.Equal(o.ciphertext, p.Ciphertext) {
		t.Fatal("Parse and proto read different headers")
	}
}

// FuzzInner feeds the Opener what a lying member encrypted.
func FuzzInner(f *testing.F) {
	w := newWorld(f)
	f.Add(uint8(1), appendOpaques(nil, []byte("data"), filled(64, 1)))
	f.Add(uint8(2), []byte{0, 3, 0, 0, 0, 1, 1, 1, 0})
	f.Add(uint8(3), []byte{0, 0, 1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, ct uint8, inner []byte) {
		msg := w.frank(nil, 1+proto.ContentType(ct%3), func(b []byte) []byte { return append(b, inner...) })
		dst := spare(512)
		if err := w.decrypt(new(Opener), dst, msg); err == nil {
			t.Fatal("accepted without a signature")
		}
		wantUntouched(t, dst)
	})
}
