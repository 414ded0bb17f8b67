package inspect

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/testvectors"
)

// decoders are the engine's decoders by type.
var decoders = map[string]func(b []byte) error{
	"MLSMessage":             func(b []byte) error { _, err := proto.DecodeMLSMessage(b); return err },
	"KeyPackage":             func(b []byte) error { _, err := proto.DecodeKeyPackage(b); return err },
	"GroupInfo":              func(b []byte) error { _, err := proto.DecodeGroupInfo(b); return err },
	"Welcome":                func(b []byte) error { return decode(b, new(proto.Welcome).Decode) },
	"RatchetTree":            func(b []byte) error { _, err := proto.DecodeRatchetTree(b); return err },
	"LeafNode":               func(b []byte) error { _, err := proto.DecodeLeafNode(b); return err },
	"GroupContext":           func(b []byte) error { return decode(b, new(proto.GroupContext).Decode) },
	"AuthenticatedContent":   func(b []byte) error { _, err := proto.DecodeAuthenticatedContent(b); return err },
	"Commit":                 func(b []byte) error { _, err := proto.DecodeCommit(b); return err },
	"Proposal":               func(b []byte) error { _, err := proto.DecodeProposal(b); return err },
	"PublicMessage":          func(b []byte) error { return decode(b, new(proto.PublicMessage).Decode) },
	"PrivateMessage":         func(b []byte) error { return decode(b, new(proto.PrivateMessage).Decode) },
	"UpdatePath":             func(b []byte) error { _, err := proto.DecodeUpdatePath(b); return err },
	"ParentNode":             func(b []byte) error { return decode(b, new(proto.ParentNode).Decode) },
	"PreSharedKeyID":         func(b []byte) error { return decode(b, new(proto.PreSharedKeyID).Decode) },
	"Add":                    decodeContent(proto.ProposalTypeAdd),
	"Update":                 decodeContent(proto.ProposalTypeUpdate),
	"Remove":                 decodeContent(proto.ProposalTypeRemove),
	"PreSharedKey":           decodeContent(proto.ProposalTypePSK),
	"ReInit":                 decodeContent(proto.ProposalTypeReInit),
	"ExternalInit":           decodeContent(proto.ProposalTypeExternalInit),
	"GroupContextExtensions": decodeContent(proto.ProposalTypeGroupContextExtensions),
	"RequiredCapabilities":   func(b []byte) error { return decode(b, new(proto.RequiredCapabilities).Decode) },
	"ExternalSenders":        func(b []byte) error { _, err := proto.DecodeExternalSenders(b); return err },
}

func decode(b []byte, f func(r *wire.Reader)) error {
	r := wire.NewReader(b)
	f(&r)
	return r.Done()
}

// decodeContent decodes the content of a proposal.
func decodeContent(t proto.ProposalType) func(b []byte) error {
	return func(b []byte) error {
		_, err := proto.DecodeProposal(append([]byte{byte(t >> 8), byte(t)}, b...))
		return err
	}
}

func checkOf(err error) check.ID {
	var e *check.Error
	if errors.As(err, &e) {
		return e.Check
	}
	return 0
}

// agree holds inspection and decoder to one verdict on b, and the fields to their
// places. It returns whether b is well-formed.
func agree(t testing.TB, b []byte, typ *aType) bool {
	t.Helper()
	var inside []Problem
	root, problem := walk(b, typ, &inside, true)
	_, quick := walk(b, typ, nil, false)
	err := decoders[typ.name](b)
	switch {
	case problem == nil && checkOf(err) == check.V013: // lists too dense for the engine: there is nothing to see
		return false
	case (problem == nil) != (err == nil):
		t.Fatalf("%s %x: inspected %v, decoded %v", typ.name, b, problem, err)
	case (problem == nil) != (quick == nil):
		t.Fatalf("%s %x: inspected %v, without keeping fields %v", typ.name, b, problem, quick)
	case err == nil:
		if root.Length != len(b) {
			t.Fatalf("%s %x: %d of %d bytes", typ.name, b, root.Length, len(b))
		}
		tiles(t, b, &root, typ.name, true)
		return true
	}
	// Bytes behind the content of an extension are V006 to who decodes it there,
	// V005 to who inspects it alone.
	got, want := problem.CheckID(), checkOf(err)
	if got != want && !(got == check.V005 && want == check.V006) {
		t.Fatalf("%s %x: inspected %v at %d %s, decoded %v", typ.name, b, got, problem.Offset, problem.Path, err)
	}
	if problem.Offset < 0 || problem.Offset > len(b) || quick.Offset != problem.Offset || quick.Path == "" != (problem.Path == "") {
		t.Fatalf("%s %x: offset %d, %d", typ.name, b, problem.Offset, quick.Offset)
	}
	for _, p := range append(inside, *problem) {
		if p.Offset > len(b) || p.Reason() == "" {
			t.Fatalf("%s %x: %+v", typ.name, b, p)
		}
	}
	return false
}

// tiles checks that the fields in f fill it without gap, if it is sound: the
// content of an extension may be damaged in a well-formed structure.
func tiles(t testing.TB, b []byte, f *Field, path string, sound bool) {
	t.Helper()
	at, end := f.Offset+int(f.Prefix), f.Offset+f.Length
	switch {
	case end > len(b):
		t.Fatalf("%s ends at %d, the input at %d", path, end, len(b))
	case f.Kind == Optional:
		at++
	case f.Kind == Number || f.Kind == Opaque && len(f.Fields) == 0:
		return
	case f.Broken && sound:
		t.Fatalf("%s is broken in a well-formed input", path)
	}
	for i := range f.Fields {
		c := &f.Fields[i]
		if c.Offset != at {
			t.Fatalf("%s.%s at %d, want %d", path, c.label(), c.Offset, at)
		}
		tiles(t, b, c, join(path, c.label()), sound && f.Kind != Opaque)
		at += c.Length
	}
	if at != end && f.Left == 0 && f.Kind != Opaque && sound {
		t.Fatalf("%s: its fields end at %d, it at %d", path, at, end)
	}
}

func typeOf(t testing.TB, name string) *aType {
	t.Helper()
	typ, err := new(Report).choose(name)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

// official returns samples of the official vectors, by type.
func official(t testing.TB) map[string][][]byte {
	t.Helper()
	var messages []map[string]hexBytes
	testvectors.MLS(t, "messages.json", &messages)
	samples := map[string][][]byte{}
	for _, m := range messages {
		for name, b := range m {
			typ := messageTypes[name]
			if typ == "" && name != "group_secrets" { // not read: they are secret
				t.Fatalf("messages.json has %s", name)
			}
			samples[typ] = append(samples[typ], b)
		}
	}
	delete(samples, "")
	var trees []struct{ Tree hexBytes }
	testvectors.MLS(t, "tree-validation.json", &trees)
	for _, tree := range trees {
		samples["RatchetTree"] = append(samples["RatchetTree"], tree.Tree)
	}
	return samples
}

// messageTypes are the types of the entries of messages.json.
var messageTypes = map[string]string{
	"mls_welcome": "MLSMessage", "mls_group_info": "MLSMessage", "mls_key_package": "MLSMessage",
	"public_message_application": "MLSMessage", "public_message_proposal": "MLSMessage", "public_message_commit": "MLSMessage",
	"private_message": "MLSMessage", "ratchet_tree": "RatchetTree", "commit": "Commit",
	"add_proposal": "Add", "update_proposal": "Update", "remove_proposal": "Remove", "pre_shared_key_proposal": "PreSharedKey",
	"re_init_proposal": "ReInit", "external_init_proposal": "ExternalInit", "group_context_extensions_proposal": "GroupContextExtensions",
}

func TestOfficialMessages(t *testing.T) {
	n := 0
	for name, list := range official(t) {
		for _, b := range list {
			if !agree(t, b, typeOf(t, name)) {
				t.Errorf("%s %x is refused", name, b)
			}
			n++
		}
	}
	if n < 16*300 {
		t.Errorf("%d messages, want 16 × 300 at least", n)
	}
}

// TestGuess: the types that are guessed at all are recognised, whole or cut short
// behind their first fields.
func TestGuess(t *testing.T) {
	for name, list := range official(t) {
		switch name {
		case "MLSMessage", "RatchetTree", "Commit":
		default:
			continue
		}
		for _, b := range list {
			r := &Report{Input: b}
			if typ, _ := r.choose(""); typ.name != name {
				t.Errorf("%s %x taken for %s", name, b, typ.name)
			}
			if name != "MLSMessage" {
				continue
			}
			for _, n := range []int{len(b) / 2, len(b) - 1} {
				r := &Report{Input: b[:n]}
				if typ, _ := r.choose(""); typ.name != name {
					t.Errorf("%d bytes of %s %x taken for %s", n, name, b, typ.name)
				}
			}
		}
	}
}

// TestCutShort: every beginning of a message is refused where it ends, with the
// decoder's check.
func TestCutShort(t *testing.T) {
	for name, list := range official(t) {
		typ := typeOf(t, name)
		for _, b := range list[:min(len(list), 12)] {
			for n := range min(len(b), 2000) {
				if agree(t, b[:n], typ) {
					t.Fatalf("%d of %d bytes of a %s are well-formed", n, len(b), name)
				}
			}
		}
	}
}

// TestDamaged: inspection and decoder agree on damaged messages.
func TestDamaged(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 420))
	for name, list := range official(t) {
		typ := typeOf(t, name)
		for range 3000 {
			b := append([]byte(nil), list[random.IntN(len(list))]...)
			if len(b) == 0 || len(b) > 4000 {
				continue
			}
			for range 1 + random.IntN(3) {
				switch at := random.IntN(len(b)); random.IntN(3) {
				case 0:
					b[at] = byte(random.Uint32())
				case 1:
					b[at] ^= 1 << random.IntN(8)
				default:
					b = append(b[:at], b[min(len(b), at+random.IntN(3)):]...)
					b = append(b, make([]byte, 1)...)
				}
			}
			agree(t, b, typ)
		}
	}
}

// FuzzAgree: inspection and decoder agree on anything, and a report of it can be
// printed.
func FuzzAgree(f *testing.F) {
	for i := range types {
		f.Add(uint8(i), []byte{0, 1, 0, 1})
	}
	for _, name := range fixtures {
		f.Add(uint8(0), fixture(f, name))
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		typ := &types[int(which)%len(types)]
		agree(t, b, typ)
		r := inspected(t, b, Options{As: typ.name})
		harmless(t, r)
	})
}

// TestBounds: lists are as long as the decoder has them, V013.
func TestBounds(t *testing.T) {
	for _, c := range []struct {
		typ     string
		element []byte
		n       int
		wrap    func(list []byte) []byte
	}{
		{"Commit", []byte{2, 0}, maxProposals, func(l []byte) []byte { return append(l, 0) }},
		{"GroupContextExtensions", nil, maxExtensions, nil},
		{"RequiredCapabilities", []byte{0, 1}, maxCapabilities, func(l []byte) []byte { return append(l, 0, 0) }},
		{"ExternalSenders", append(wire.AppendOpaque(nil, make([]byte, 32)), 0, 1, 0), maxSenders, nil},
	} {
		for _, n := range []int{c.n, c.n + 1} {
			var body []byte
			for i := range n {
				if c.element == nil {
					body = append(body, byte(i>>8), byte(i), 0)
				}
				body = append(body, c.element...)
			}
			b := wire.AppendOpaque(nil, body)
			if c.wrap != nil {
				b = c.wrap(b)
			}
			if got := agree(t, b, typeOf(t, c.typ)); got != (n == c.n) {
				t.Errorf("%s of %d elements: well-formed %v", c.typ, n, got)
			}
		}
	}
	for n := maxCertificates; n <= maxCertificates+1; n++ {
		list := wire.AppendOpaque([]byte{0, 2}, make([]byte, n))
		b := wire.AppendOpaque(nil, append([]byte{0}, list...))
		if got := agree(t, b, typeOf(t, "ExternalSenders")); got != (n == maxCertificates) {
			t.Errorf("%d certificates: well-formed %v", n, got)
		}
	}
	leaf := (&proto.LeafNode{Credential: proto.Credential{Type: 1}, Source: proto.LeafNodeSourceUpdate}).Append(nil)
	for n := maxPathNodes; n <= maxPathNodes+1; n++ {
		b := wire.AppendOpaque(append([]byte(nil), leaf...), make([]byte, 2*n))
		if got := agree(t, b, typeOf(t, "UpdatePath")); got != (n == maxPathNodes) {
			t.Errorf("%d path nodes: well-formed %v", n, got)
		}
	}
}

// TestMaxFields: what is beyond the fields that are kept is counted and checked.
func TestMaxFields(t *testing.T) {
	body := make([]byte, MaxFields+10)
	body[len(body)-1] = 1
	body = append(body, 2, 0, 0, 0) // a parent node, at an odd index
	b := wire.AppendOpaque(nil, body)
	root, problem := walk(b, typeOf(t, "RatchetTree"), nil, true)
	if problem != nil {
		t.Fatal(problem)
	}
	tree := root.find("ratchet_tree")
	if len(tree.Fields) != MaxFields-1 || tree.Left != 11 {
		t.Errorf("%d elements kept, %d left out", len(tree.Fields), tree.Left)
	}
	body[len(body)-4] = 3
	if _, problem := walk(wire.AppendOpaque(nil, body), typeOf(t, "RatchetTree"), nil, true); problem == nil || problem.CheckID() != check.V009 {
		t.Errorf("a wrong node beyond: %v", problem)
	}
}

func TestDecode(t *testing.T) {
	for _, c := range []struct{ in, encoding, found, want string }{
		{"0001 0002\n", "", "hex", "\x00\x01\x00\x02"},
		{"0x0001FF", "", "hex", "\x00\x01\xff"},
		{"AAEA/g==", "", "base64", "\x00\x01\x00\xfe"},
		{"AAEA_g", "", "base64", "\x00\x01\x00\xfe"},
		{"\x00\x01", "", "raw", "\x00\x01"},
		{"", "", "raw", ""},
		{"abcd", "base64", "base64", "\x69\xb7\x1d"},
		{"abcd", "raw", "raw", "abcd"},
	} {
		got, found, err := Decode([]byte(c.in), c.encoding)
		if err != nil || found != c.found || string(got) != c.want {
			t.Errorf("Decode(%q, %q) = %q, %s, %v", c.in, c.encoding, got, found, err)
		}
	}
	for _, c := range [][2]string{{"xyz", "hex"}, {"000", "hex"}, {"A", "base64"}, {"00", "morse"}, {"00010", ""}} {
		if _, _, err := Decode([]byte(c[0]), c[1]); err == nil {
			t.Errorf("Decode(%q, %q) succeeds", c[0], c[1])
		}
	}
}
