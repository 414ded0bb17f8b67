package framing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
)

func TestRoundTrip(t *testing.T) {
	for name, w := range worlds(t) {
		t.Run(name, func(t *testing.T) {
			var s Sealer
			var o Opener
			var msg, out []byte
			for _, n := range lengths() {
				data, aad := counting(n), counting(n%70)
				msg = w.seal(&s, append(msg[:0], "before"...), data, aad, Padding{})
				if string(msg[:6]) != "before" {
					t.Fatalf("%d bytes: dst changed", n)
				}
				var err error
				out, err = w.open(&o, append(out[:0], "dst"...), msg[6:])
				if err != nil {
					t.Fatalf("%d bytes: %v", n, err)
				}
				if string(out[:3]) != "dst" || !bytes.Equal(out[3:], data) {
					t.Fatalf("%d bytes: content changed", n)
				}
				if !bytes.Equal(o.AuthenticatedData(), aad) || string(o.GroupID()) != "group" ||
					o.Epoch() != w.ep.Number() || o.ContentType() != proto.ContentTypeApplication {
					t.Fatalf("%d bytes: header changed", n)
				}
			}
		})
	}
}

func TestAuthenticatedDataLengths(t *testing.T) {
	w := newWorld(t)
	var s Sealer
	var o Opener
	for _, n := range []int{0, 1, 63, 64, 16383, 16384, 1 << 20} {
		aad := counting(n)
		out, err := w.open(&o, nil, w.seal(&s, nil, []byte("data"), aad, Padding{}))
		if err != nil || string(out) != "data" || !bytes.Equal(o.AuthenticatedData(), aad) {
			t.Errorf("%d bytes of authenticated data: %q, %v", n, out, err)
		}
	}
}

// A plain and a prepared secret give the same bytes.
func TestBoundIsPlain(t *testing.T) {
	ws := worlds(t)
	var a, b Sealer
	data := counting(100)
	if !bytes.Equal(ws["plain"].seal(&a, nil, data, nil, Padding{}), ws["bound"].seal(&b, nil, data, nil, Padding{})) {
		t.Error("the messages differ")
	}
}

// The message lands in dst's own memory if that has room, and behind the
// message nothing of what was signed remains.
func TestSealInPlace(t *testing.T) {
	w := newWorld(t)
	w.ep = NewEpoch(w.suite, w.ep.GroupID(), w.ep.Number(), counting(300), filled(32, 1), nil)
	data := counting(200)
	var s Sealer
	dst := spare(1000)
	msg := w.seal(&s, dst, data, []byte("aad"), Padding{})
	if &msg[0] != &dst[0] {
		t.Error("dst was reallocated")
	}
	if !bytes.Equal(msg[len(msg):cap(msg)], make([]byte, cap(msg)-len(msg))) {
		t.Error("bytes remain behind the message")
	}
	var o Opener
	into := spare(1000)
	out, err := w.open(&o, into, msg[8:])
	if err != nil {
		t.Fatal(err)
	}
	if &out[0] != &into[0] {
		t.Error("dst was reallocated")
	}
	if !bytes.Equal(out[len(out):cap(out)], make([]byte, cap(out)-len(out))) {
		t.Error("bytes remain behind the content")
	}
}

// The caller's content, authenticated data and message are only read.
func TestInputsUnchanged(t *testing.T) {
	w := newWorld(t)
	data, aad := counting(50), counting(20)
	var s Sealer
	var o Opener
	msg := w.seal(&s, nil, data, aad, PadToMultiple(64))
	kept := bytes.Clone(msg)
	if _, err := w.open(&o, nil, msg); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, counting(50)) || !bytes.Equal(aad, counting(20)) || !bytes.Equal(msg, kept) {
		t.Error("an input changed")
	}
}

func TestHandshakeRoundTrip(t *testing.T) {
	w := newWorld(t)
	remove := &proto.Proposal{Type: proto.ProposalTypeRemove, Remove: 3}
	for _, c := range []*proto.FramedContent{
		{ContentType: proto.ContentTypeProposal, Proposal: remove},
		{ContentType: proto.ContentTypeCommit, Commit: &proto.Commit{Proposals: proto.Proposals(proto.ProposalOrRef{Proposal: remove})}},
	} {
		c.GroupID, c.Epoch = w.ep.GroupID(), w.ep.Number()
		c.Sender = proto.Sender{Type: proto.SenderTypeMember, Leaf: testLeaf}
		c.AuthenticatedData = []byte("aad")
		ac, err := Sign(context.Background(), w.signer, c, proto.WireFormatPrivateMessage, w.ep.Context())
		if err != nil {
			t.Fatal(err)
		}
		if c.ContentType == proto.ContentTypeCommit {
			ac.Auth.ConfirmationTag = filled(w.suite.Params().Nh, 9)
		}
		dst := spare(500)
		msg, err := SealPrivate(dst, w.ep, ac, w.key, w.nonce, testGeneration, testGuard, PadToMultiple(32))
		if err != nil {
			t.Fatal(err)
		}
		var o Opener
		into := spare(2000)
		if err := w.decrypt(&o, into, msg[8:]); err != nil {
			t.Fatal(err)
		}
		got := o.Authenticated()
		wantUntouched(t, into)
		clear(msg)
		o.Wipe()
		if !bytes.Equal(got.Append(nil), ac.Append(nil)) {
			t.Errorf("content type %d: got %x, want %x", c.ContentType, got.Append(nil), ac.Append(nil))
		}
	}
}

// What is signed is the SignContent of RFC 9420, whoever builds it.
func TestToSign(t *testing.T) {
	w := newWorld(t)
	for _, n := range []int{0, 1, 62, 63, 64, 16383, 16384} {
		data, aad := counting(n), counting(n/2)
		c := proto.FramedContent{
			GroupID: w.ep.GroupID(), Epoch: w.ep.Number(),
			Sender:            proto.Sender{Type: proto.SenderTypeMember, Leaf: testLeaf},
			AuthenticatedData: aad, ContentType: proto.ContentTypeApplication, ApplicationData: data,
		}
		want := labels.AppendSignContent(nil, labels.LabelFramedContentTBS,
			c.AppendTBS(nil, proto.WireFormatPrivateMessage, w.ep.Context()))
		var s Sealer
		if err := s.Begin(nil, w.ep, testLeaf, c.ContentType, data, aad, Padding{}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(s.ToSign(), want) {
			t.Errorf("%d bytes: sender signs other bytes", n)
		}
		if err := s.Sign(context.Background(), w.signer); err != nil {
			t.Fatal(err)
		}
		var o Opener
		if err := w.decrypt(&o, nil, s.Finish(w.key, w.nonce, testGeneration, testGuard)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(o.signed.of(o.buf), want) {
			t.Errorf("%d bytes: receiver verifies other bytes", n)
		}
	}
}

func TestBareMessage(t *testing.T) {
	w := newWorld(t)
	var s Sealer
	var o Opener
	msg := w.seal(&s, nil, []byte("data"), nil, Padding{})
	if err := o.ParseBare(msg[4:]); err != nil {
		t.Fatal(err)
	}
	if _, _, err := o.SenderData(w.ep); err != nil {
		t.Error(err)
	}
}

// Each byte of a message matters, a tampered copy leaves nothing behind, and
// the genuine message opens afterwards.
func TestTampered(t *testing.T) {
	w := newWorld(t)
	var s Sealer
	var o Opener
	msg := w.seal(&s, nil, counting(60), []byte("aad"), PadToMultiple(50))
	bad := bytes.Clone(msg)
	for i := range msg {
		for _, bit := range []byte{1, 0x80} {
			bad[i] ^= bit
			dst := spare(2000)
			if _, err := w.open(&o, dst, bad); err == nil {
				t.Errorf("byte %d: accepted", i)
			}
			wantUntouched(t, dst)
			bad[i] = msg[i]
		}
	}
	for n := range msg {
		if _, err := w.open(&o, nil, msg[:n]); err == nil {
			t.Errorf("cut to %d bytes: accepted", n)
		}
	}
	if _, err := w.open(&o, nil, append(bad, 0)); err == nil {
		t.Error("a byte more: accepted")
	}
	if out, err := w.open(&o, nil, msg); err != nil || !bytes.Equal(out, counting(60)) {
		t.Errorf("the genuine message: %v", err)
	}
}

func TestPadding(t *testing.T) {
	w := newToyWorld(t, providertest.Toy2)
	var s Sealer
	var o Opener
	for _, p := range []Padding{
		{}, PadToMultiple(-1), PadToMultiple(1), PadToMultiple(16), PadToMultiple(1000), PadToMultiple(1 << 17),
		PadToBuckets(256, 128, 1024), PadToBuckets(-5, 0), {Buckets: []int{300}, Multiple: 100},
	} {
		for _, n := range []int{0, 1, 15, 16, 100, 200, 900, 1100} {
			msg := w.seal(&s, nil, counting(n), nil, p)
			if out, err := w.open(&o, nil, msg); err != nil || !bytes.Equal(out, counting(n)) {
				t.Fatalf("%+v, %d bytes: %v", p, n, err)
			}
			if err := o.Parse(msg); err != nil {
				t.Fatal(err)
			}
			got := len(o.ciphertext)
			ok := p.Multiple < 2 || got%p.Multiple == 0
			for _, b := range p.Buckets {
				ok = ok || got == b
			}
			if !ok {
				t.Errorf("%+v, %d bytes: ciphertext of %d", p, n, got)
			}
		}
	}
}

func TestPadded(t *testing.T) {
	for _, c := range []struct {
		p       Padding
		n, want uint64
	}{
		{Padding{}, 0, 0},
		{Padding{}, 77, 77},
		{PadToMultiple(32), 0, 0},
		{PadToMultiple(32), 1, 32},
		{PadToMultiple(32), 32, 32},
		{PadToMultiple(32), 33, 64},
		{PadToBuckets(256, 128, 1024), 100, 128},
		{PadToBuckets(256, 128, 1024), 128, 128},
		{PadToBuckets(256, 128, 1024), 129, 256},
		{PadToBuckets(256, 128, 1024), 1025, 1025},
		{Padding{Buckets: []int{300}, Multiple: 100}, 250, 300},
		{Padding{Buckets: []int{300}, Multiple: 100}, 301, 400},
	} {
		if got := c.p.padded(c.n); got != c.want {
			t.Errorf("%+v pads %d to %d, not %d", c.p, c.n, got, c.want)
		}
	}
}

// Keys and nonces do not outlive the message they are for.
func TestKeysAreWiped(t *testing.T) {
	w := newWorld(t)
	var s Sealer
	var o Opener
	msg := w.seal(&s, nil, []byte("data"), nil, Padding{})
	if s.nonce != [provider.MaxNn]byte{} || s.keys.key != [provider.MaxNk]byte{} || s.keys.nonce != [provider.MaxNn]byte{} {
		t.Error("the Sealer remembers a key")
	}
	if err := w.decrypt(&o, nil, msg); err != nil {
		t.Fatal(err)
	}
	if o.nonce != [provider.MaxNn]byte{} || o.keys.key != [provider.MaxNk]byte{} || o.keys.nonce != [provider.MaxNn]byte{} ||
		o.opening != [senderDataLen + provider.MaxNt]byte{} {
		t.Error("the Opener remembers a key")
	}
	o.Wipe()
	if o.guard != [guardLen]byte{} || o.aad != nil || o.buf != nil {
		t.Error("the wiped Opener remembers a message")
	}
}

func TestAbortClears(t *testing.T) {
	w := newWorld(t)
	failing := providertest.FailingSigner(w.signer, 0)
	dst := spare(2000)
	var s Sealer
	begin := func() {
		t.Helper()
		if err := s.Begin(dst, w.ep, testLeaf, proto.ContentTypeApplication, counting(100), nil, Padding{}); err != nil {
			t.Fatal(err)
		}
	}
	begin()
	if err := s.Sign(context.Background(), failing); err == nil {
		t.Fatal("the failing signer signed")
	}
	s.Abort()
	wantUntouched(t, dst)

	begin()
	if err := s.Sign(context.Background(), w.signer); err != nil {
		t.Fatal(err)
	}
	s.Wipe()
	wantUntouched(t, dst)
	s.Abort()

	var o Opener
	msg := w.seal(new(Sealer), nil, counting(100), nil, Padding{})
	if err := w.decrypt(&o, dst, msg); err != nil {
		t.Fatal(err)
	}
	o.Wipe()
	wantUntouched(t, dst)
}

func TestOutOfOrderPanics(t *testing.T) {
	w := newWorld(t)
	msg := w.seal(new(Sealer), nil, []byte("data"), nil, Padding{})
	for name, f := range map[string]func(){
		"ToSign":        func() { new(Sealer).ToSign() },
		"SetAuth":       func() { new(Sealer).SetAuth(nil, nil) },
		"Finish":        func() { new(Sealer).Finish(w.key, w.nonce, 0, testGuard) },
		"SenderData":    func() { new(Opener).SenderData(w.ep) },
		"Open":          func() { new(Opener).Open(nil, w.ep, w.key, w.nonce) },
		"Verify":        func() { new(Opener).Verify(nil) },
		"Content":       func() { new(Opener).Content() },
		"Authenticated": func() { new(Opener).Authenticated() },
		"handshake": func() {
			var o Opener
			if err := w.decrypt(&o, nil, msg); err != nil {
				t.Error(err)
			}
			o.Authenticated()
		},
		"application": func() {
			var o Opener
			if err := w.decrypt(&o, nil, w.proposal()); err != nil {
				t.Error(err)
			}
			o.Content()
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", name)
				}
			}()
			f()
		}()
	}
}

func TestV007_Version(t *testing.T) {
	w := newWorld(t)
	msg := w.seal(new(Sealer), nil, nil, nil, Padding{})
	for _, v := range []byte{0, 2, 0xff} {
		msg[1] = v
		wantCheck(t, new(Opener).Parse(msg), check.V007)
	}
}

func TestV008_WireFormat(t *testing.T) {
	w := newWorld(t)
	msg := w.seal(new(Sealer), nil, nil, nil, Padding{})
	for _, f := range []byte{0, 6, 0xff} {
		msg[3] = f
		wantCheck(t, new(Opener).Parse(msg), check.V008)
	}
	for _, f := range []byte{1, 3, 4, 5} {
		msg[3] = f
		if err := new(Opener).Parse(msg); !errors.Is(err, ErrNotPrivate) {
			t.Errorf("wire format %d: %v", f, err)
		}
	}
}

func TestV009_ContentType(t *testing.T) {
	w := newWorld(t)
	msg := w.seal(new(Sealer), nil, nil, nil, Padding{})
	at := len(w.ep.header)
	for v := range 256 {
		if v >= 1 && v <= 3 {
			continue
		}
		msg[at] = byte(v)
		wantCheck(t, new(Opener).Parse(msg), check.V009)
	}
}

func TestV070_Group(t *testing.T) {
	w := newWorld(t)
	other := NewEpoch(w.suite, []byte("grouq"), w.ep.Number(), w.ep.Context(), filled(32, 1), nil)
	var o Opener
	if err := o.Parse(w.seal(new(Sealer), nil, nil, nil, Padding{})); err != nil {
		t.Fatal(err)
	}
	_, _, err := o.SenderData(other)
	wantCheck(t, err, check.V070)
}

func TestV071_Epoch(t *testing.T) {
	w := newWorld(t)
	for _, number := range []uint64{0, w.ep.Number() - 1, w.ep.Number() + 1, 1<<64 - 1} {
		other := NewEpoch(w.suite, w.ep.GroupID(), number, w.ep.Context(), filled(32, 1), nil)
		var o Opener
		if err := o.Parse(w.seal(new(Sealer), nil, nil, nil, Padding{})); err != nil {
			t.Fatal(err)
		}
		_, _, err := o.SenderData(other)
		wantCheck(t, err, check.V071)
	}
}

func TestV074_PrivateSignature(t *testing.T) {
	w := newWorld(t)
	sign := func(b []byte) []byte {
		sig, err := w.signer.Sign(context.Background(), nil, b)
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	for name, forge := range map[string]func(tbs []byte) []byte{
		"other context":     func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"other wire format": func(b []byte) []byte { b[len(signLabel)+2+3] = 1; return b },
		"other label":       func(b []byte) []byte { b[len(signLabel)-1] ^= 1; return b },
		"other sender":      func(b []byte) []byte { b[len(signLabel)+2+len(w.ep.header)+4] ^= 1; return b },
	} {
		var s Sealer
		if err := s.Begin(nil, w.ep, testLeaf, proto.ContentTypeApplication, counting(100), nil, Padding{}); err != nil {
			t.Fatal(err)
		}
		if err := s.SetAuth(sign(forge(bytes.Clone(s.ToSign()))), nil); err != nil {
			t.Fatal(err)
		}
		dst := spare(1000)
		_, err := w.open(new(Opener), dst, s.Finish(w.key, w.nonce, testGeneration, testGuard))
		if err != check.ErrAuth {
			t.Errorf("%s: %v", name, err)
		}
		wantUntouched(t, dst)
	}
}

func TestV012_SignatureLength(t *testing.T) {
	w := newWorld(t)
	for _, n := range []int{0, w.suite.Params().SigMax + 1, 1000} {
		var s Sealer
		if err := s.Begin(spare(1000), w.ep, testLeaf, proto.ContentTypeApplication, nil, nil, Padding{}); err != nil {
			t.Fatal(err)
		}
		if err := s.SetAuth(make([]byte, n), nil); !errors.Is(err, check.ErrProvider) {
			t.Errorf("sending a signature of %d bytes: %v", n, err)
		}
		s.Abort()
		// The receiver of one that was sent all the same.
		msg := w.frank(nil, proto.ContentTypeApplication, func(b []byte) []byte {
			return appendOpaques(b, nil, make([]byte, n))
		})
		_, err := w.open(new(Opener), nil, msg)
		wantCheck(t, err, check.V012)
	}
}

// A valid signature does not become one by more bytes behind it.
func TestV012_LongerSignature(t *testing.T) {
	for name, w := range softWorlds(t) {
		p := w.suite.Params()
		for range 200 {
			var s Sealer
			if err := s.Begin(nil, w.ep, testLeaf, proto.ContentTypeApplication, []byte("data"), nil, Padding{}); err != nil {
				t.Fatal(err)
			}
			sig, err := w.signer.Sign(context.Background(), nil, s.ToSign())
			if err != nil {
				t.Fatal(err)
			}
			if len(sig) != p.SigMax {
				continue // ECDSA's vary
			}
			for _, more := range []int{0, 1, provider.MaxSigMax} {
				msg := w.frank(nil, proto.ContentTypeApplication, func(b []byte) []byte {
					return appendOpaques(b, []byte("data"), append(bytes.Clone(sig), make([]byte, more)...))
				})
				if _, err := w.open(new(Opener), nil, msg); (err == nil) != (more == 0) {
					t.Errorf("%s: signature with %d bytes more: %v", name, more, err)
				}
			}
			break
		}
	}
}

func TestV082_PrivateConfirmationTag(t *testing.T) {
	w := newWorld(t)
	nh := w.suite.Params().Nh
	commit := (&proto.Commit{}).Append(nil)
	for _, n := range []int{0, 1, nh - 1, nh + 1, 2 * nh} {
		var s Sealer
		if err := s.Begin(nil, w.ep, testLeaf, proto.ContentTypeCommit, commit, nil, Padding{}); err != nil {
			t.Fatal(err)
		}
		wantCheck(t, s.SetAuth(filled(64, 1), make([]byte, n)), check.V082)
		msg := w.frank(nil, proto.ContentTypeCommit, func(b []byte) []byte {
			return appendOpaques(append(b, commit...), filled(64, 1), make([]byte, n))
		})
		_, err := w.open(new(Opener), nil, msg)
		wantCheck(t, err, check.V082)
	}
	// A tag that does not belong there is padding that is not zero.
	remove := (&proto.Proposal{Type: proto.ProposalTypeRemove}).Append(nil)
	msg := w.frank(nil, proto.ContentTypeProposal, func(b []byte) []byte {
		return appendOpaques(append(b, remove...), filled(64, 1), filled(nh, 1))
	})
	_, err := w.open(new(Opener), nil, msg)
	wantCheck(t, err, check.V084)
}

func TestV084_Padding(t *testing.T) {
	w := newWorld(t)
	for _, n := range []int{1, 7, 8, 9, 100} {
		for at := range n {
			padding := make([]byte, n)
			padding[at] = 1 << (at % 8)
			dst := spare(1000)
			msg := w.frank(nil, proto.ContentTypeApplication, func(b []byte) []byte {
				return append(appendOpaques(b, []byte("data"), filled(64, 1)), padding...)
			})
			_, err := w.open(new(Opener), dst, msg)
			wantCheck(t, err, check.V084)
			wantUntouched(t, dst)
		}
	}
}

// What a member encrypts that is no PrivateMessageContent is malformed, whatever
// it is.
func TestV009_InnerContent(t *testing.T) {
	w := newWorld(t)
	full := appendOpaques(nil, []byte("data"), filled(64, 1))
	for n := range full {
		for ct := proto.ContentTypeApplication; ct <= proto.ContentTypeCommit; ct++ {
			dst := spare(1000)
			_, err := w.open(new(Opener), dst, w.frank(nil, ct, func(b []byte) []byte { return append(b, full[:n]...) }))
			if err == nil {
				t.Errorf("content type %d cut to %d bytes: accepted", ct, n)
			}
			wantUntouched(t, dst)
		}
	}
}

func TestV085_KeyAndHeader(t *testing.T) {
	w := newWorld(t)
	msg := w.seal(new(Sealer), nil, counting(60), []byte("aad"), Padding{})
	for name, change := range map[string]func(w *world){
		"key":   func(w *world) { w.key = filled(len(w.key), 8) },
		"nonce": func(w *world) { w.nonce = filled(len(w.nonce), 8) },
	} {
		other := *w
		change(&other)
		dst := spare(1000)
		_, err := other.open(new(Opener), dst, msg)
		if err != check.ErrAuth {
			t.Errorf("other %s: %v", name, err)
		}
		wantUntouched(t, dst)
	}
	if _, err := w.open(new(Opener), nil, msg); err != nil {
		t.Error(err)
	}
}

func TestV086_ShortCiphertext(t *testing.T) {
	w := newWorld(t)
	p := w.suite.Params()
	for _, n := range []int{0, 1, p.Nt - 1, p.Nt, p.Nh - 1, p.Nh} {
		ciphertext := counting(n)
		// Sender data that open, so that the content is tried.
		_, err := w.open(new(Opener), nil, w.enclose(proto.ContentTypeApplication, ciphertext))
		if err == nil || (n < p.Nt && err != check.ErrAuth) {
			t.Errorf("ciphertext of %d bytes: %v", n, err)
		}
		// Sender data of every length.
		for m := range 2 * (senderDataLen + p.Nt) {
			var o Opener
			b := append(bytes.Clone(w.ep.header), byte(proto.ContentTypeApplication), 0)
			if err := o.Parse(appendOpaques(b, counting(m), ciphertext)); err != nil {
				t.Fatal(err)
			}
			_, _, err := o.SenderData(w.ep)
			wantCheck(t, err, check.V086)
		}
	}
}

func TestV096_TooLong(t *testing.T) {
	w := newWorld(t)
	var s Sealer
	dst := spare(1000)
	for _, pad := range []Padding{PadToMultiple(1 << 30), PadToMultiple(1<<31 - 1)} {
		err := s.Begin(dst, w.ep, testLeaf, proto.ContentTypeApplication, counting(10), nil, pad)
		wantCheck(t, err, check.V096)
		wantUntouched(t, dst)
	}
	const most = 1<<30 - 1
	for _, n := range [][2]int{{most, 0}, {0, most}, {most + 1, 0}, {0, most + 1}, {most / 2, most/2 + 2}, {most, most}, {1<<31 - 1, 1<<31 - 1}} {
		for ct := proto.ContentTypeApplication; ct <= proto.ContentTypeCommit; ct++ {
			_, err := w.ep.sizes(ct, n[0], n[1], Padding{})
			wantCheck(t, err, check.V096)
		}
	}
	if _, err := w.ep.sizes(proto.ContentTypeApplication, most-500, 0, Padding{}); err != nil {
		t.Error(err)
	}
	if _, err := reserve(dst, 1<<63); err == nil {
		t.Error("reserve accepted 2^63 bytes")
	}
	if strconv.IntSize == 32 {
		return // no room for what follows
	}
	// A message that is short enough, whose FramedContentTBS is not.
	o := Opener{ep: w.ep, aad: make([]byte, most)}
	wantCheck(t, o.rebuild(span{0, 1}), check.V096)
}

func TestBeginSignedRefuses(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[check.ID]func(ac *proto.AuthenticatedContent){
		check.V070: func(ac *proto.AuthenticatedContent) { ac.Content.GroupID = []byte("other") },
		check.V071: func(ac *proto.AuthenticatedContent) { ac.Content.Epoch++ },
		check.V073: func(ac *proto.AuthenticatedContent) { ac.WireFormat = proto.WireFormatPublicMessage },
		check.V078: func(ac *proto.AuthenticatedContent) { ac.Content.Sender.Type = proto.SenderTypeExternal },
		check.V082: func(ac *proto.AuthenticatedContent) { ac.Auth.ConfirmationTag = filled(32, 1) },
	} {
		ac := &proto.AuthenticatedContent{
			WireFormat: proto.WireFormatPrivateMessage,
			Content: proto.FramedContent{
				GroupID: w.ep.GroupID(), Epoch: w.ep.Number(),
				Sender:      proto.Sender{Type: proto.SenderTypeMember},
				ContentType: proto.ContentTypeProposal,
				Proposal:    &proto.Proposal{Type: proto.ProposalTypeRemove},
			},
			Auth: proto.FramedContentAuthData{Signature: filled(64, 1)},
		}
		change(ac)
		dst := spare(1000)
		out, err := SealPrivate(dst, w.ep, ac, w.key, w.nonce, 0, testGuard, Padding{})
		wantCheck(t, err, name)
		wantUntouched(t, out)
	}
}

func TestEraseWipes(t *testing.T) {
	for name, w := range worlds(t) {
		plain := w.ep.senderData.plain.Bytes()
		w.ep.Erase()
		if b, ok := w.ep.senderData.bound.(*testBound); ok {
			plain = b.secret
		}
		if !bytes.Equal(plain, make([]byte, len(plain))) || len(plain) == 0 {
			t.Errorf("%s: sender_data_secret remains", name)
		}
	}
	(*Epoch)(nil).Erase()
}

// An erased epoch, whose secrets are empty, fails closed.
func TestErasedEpochIsUseless(t *testing.T) {
	w := newWorld(t)
	msg := w.seal(new(Sealer), nil, []byte("data"), nil, Padding{})
	_, public := w.public(w.publicContent(member, proto.ContentTypeProposal))
	ac, err := w.openPublic(parsePublic(t, public))
	if err != nil {
		t.Fatal(err)
	}
	w.ep.Erase()
	_, err = w.open(new(Opener), nil, msg)
	wantCheck(t, err, check.V086)
	_, err = OpenPublic(w.ep, parsePublic(t, public))
	wantCheck(t, err, check.V071)
	_, err = SealPublic(nil, w.ep, ac)
	wantCheck(t, err, check.V071)
	defer func() {
		if recover() == nil {
			t.Error("a message was sealed in an erased epoch")
		}
	}()
	w.seal(new(Sealer), nil, []byte("data"), nil, Padding{})
}

// An epoch serves any number of goroutines at once, each with a scratch.
func TestConcurrentUse(t *testing.T) {
	for _, w := range worlds(t) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				var s Sealer
				var o Opener
				data := counting(100 + i)
				for range 50 {
					out, err := w.open(&o, nil, w.seal(&s, nil, data, nil, Padding{}))
					if err != nil || !bytes.Equal(out, data) {
						t.Errorf("goroutine %d: %v", i, err)
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestScratchPrintsNothing(t *testing.T) {
	w := newWorld(t)
	var s Sealer
	var o Opener
	data := []byte("a plaintext that nobody may see")
	msg := w.seal(new(Sealer), nil, data, nil, Padding{})
	if err := w.decrypt(&o, nil, msg); err != nil {
		t.Fatal(err)
	}
	if err := s.Begin(nil, w.ep, testLeaf, proto.ContentTypeApplication, data, nil, Padding{}); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		for _, x := range []any{&s, &o, []*Sealer{&s}, []*Opener{&o}} {
			// The type's name and brackets, at most, stand around it.
			if got := fmt.Sprintf(verb, x); !strings.Contains(got, redacted) || len(got) > 50 {
				t.Errorf("%s prints %q", verb, got)
			}
		}
	}
}

// No verb prints a secret.
func TestEpochPrintsNoSecret(t *testing.T) {
	w := newWorld(t)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		for _, x := range []any{w.ep, *w.ep} {
			got := fmt.Sprintf(verb, x)
			for _, bad := range []string{"1, 1, 1, 1", "1 1 1 1", "01010101", "0x1, 0x1, 0x1", "\x01\x01\x01"} {
				if bytes.Contains([]byte(got), []byte(bad)) {
					t.Errorf("%s prints a secret", verb)
				}
			}
		}
	}
}

// frank is a lying member: it encrypts what inner appends, without checks.
func (w *world) frank(dst []byte, ct proto.ContentType, inner func(b []byte) []byte) []byte {
	ad := append(bytes.Clone(w.ep.header[headerAAD:]), byte(ct), 0)
	var nonce [provider.MaxNn]byte
	ciphertext := w.suite.Seal(nil, w.key, guarded(&nonce, w.nonce, testGuard), inner(nil), ad)
	return append(dst, w.enclose(ct, ciphertext)...)
}

// enclose puts genuine sender data and a header around a ciphertext.
func (w *world) enclose(ct proto.ContentType, ciphertext []byte) []byte {
	b := append(bytes.Clone(w.ep.header), byte(ct))
	ad := bytes.Clone(b[headerAAD:])
	sender := make([]byte, senderDataLen+w.suite.Params().Nt)
	var keys senderDataKeys
	keys.seal(w.ep, sender, testLeaf, testGeneration, testGuard, ad, ciphertext)
	return appendOpaques(append(b, 0), sender, ciphertext)
}

// proposal is a proposal in a PrivateMessage.
func (w *world) proposal() []byte {
	w.t.Helper()
	var s Sealer
	remove := (&proto.Proposal{Type: proto.ProposalTypeRemove}).Append(nil)
	if err := s.Begin(nil, w.ep, testLeaf, proto.ContentTypeProposal, remove, nil, Padding{}); err != nil {
		w.t.Fatal(err)
	}
	if err := s.Sign(context.Background(), w.signer); err != nil {
		w.t.Fatal(err)
	}
	return s.Finish(w.key, w.nonce, testGeneration, testGuard)
}
