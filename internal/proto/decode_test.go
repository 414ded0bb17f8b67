package proto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
)

// structures decode and encode again each outermost structure.
var structures = map[string]struct {
	again   func(b []byte) ([]byte, error)
	samples func() [][]byte
}{
	"MLSMessage": {again(DecodeMLSMessage, (*MLSMessage).Append), func() (list [][]byte) {
		for _, m := range sampleMessages() {
			list = append(list, m.Append(nil))
		}
		return list
	}},
	"KeyPackage":   {again(DecodeKeyPackage, (*KeyPackage).Append), one(func() []byte { k := sampleKeyPackage(); return k.Append(nil) })},
	"LeafNode":     {again(DecodeLeafNode, (*LeafNode).Append), one(func() []byte { l := sampleLeaf(LeafNodeSourceCommit); return l.Append(nil) })},
	"GroupInfo":    {again(DecodeGroupInfo, (*GroupInfo).Append), one(func() []byte { g := sampleGroupInfo(); return g.Append(nil) })},
	"GroupSecrets": {again(DecodeGroupSecrets, (*GroupSecrets).Append), one(func() []byte { return sampleGroupSecrets().Append(nil) })},
	"Commit":       {again(DecodeCommit, (*Commit).Append), one(func() []byte { return sampleCommit().Append(nil) })},
	"UpdatePath":   {again(DecodeUpdatePath, (*UpdatePath).Append), one(func() []byte { return samplePath().Append(nil) })},
	"Proposal": {again(DecodeProposal, (*Proposal).Append), func() (list [][]byte) {
		for _, p := range sampleProposals() {
			list = append(list, p.Append(nil))
		}
		return list
	}},
	"AuthenticatedContent": {again(DecodeAuthenticatedContent, (*AuthenticatedContent).Append), one(func() []byte {
		m := sampleMessages()[1].PublicMessage
		ac := AuthenticatedContent{WireFormat: WireFormatPublicMessage, Content: m.Content, Auth: m.Auth}
		return ac.Append(nil)
	})},
	"ratchet_tree": {func(b []byte) ([]byte, error) {
		tree, err := DecodeRatchetTree(b)
		return AppendRatchetTree(nil, tree.Nodes()), err
	}, one(func() []byte { return AppendRatchetTree(nil, sampleNodes()) })},
	"external_senders": {func(b []byte) ([]byte, error) {
		list, err := DecodeExternalSenders(b)
		return AppendExternalSenders(nil, list), err
	}, one(func() []byte {
		return AppendExternalSenders(nil, []ExternalSender{{SignatureKey: []byte("k"), Credential: Credential{Type: CredentialTypeBasic}}})
	})},
}

func again[T any](decode func([]byte) (*T, error), encode func(*T, []byte) []byte) func(b []byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		x, err := decode(b)
		if err != nil {
			if x != nil {
				return nil, errors.New("a value with an error")
			}
			return nil, err
		}
		return encode(x, nil), nil
	}
}

func one(f func() []byte) func() [][]byte { return func() [][]byte { return [][]byte{f()} } }

// typed reports whether err names a check.
func typed(err error) bool {
	var e *check.Error
	return errors.As(err, &e)
}

func wantCheck(t *testing.T, what string, err error, want check.ID) {
	t.Helper()
	var e *check.Error
	if !errors.As(err, &e) || e.Check != want {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// TestV010_DecodeEncodeIsIdentity, and every prefix and every extension of a
// structure is a typed error.
func TestV010_DecodeEncodeIsIdentity(t *testing.T) {
	for name, s := range structures {
		for i, b := range s.samples() {
			what := fmt.Sprintf("%s %d", name, i)
			enc, err := s.again(b)
			if err != nil || !bytes.Equal(enc, b) {
				t.Fatalf("%s: %v: %x, want %x", what, err, enc, b)
			}
			for n := range b {
				if _, err := s.again(b[:n]); !typed(err) {
					t.Errorf("%s cut to %d bytes: %v", what, n, err)
				}
			}
			if _, err := s.again(append(bytes.Clone(b), 0)); !typed(err) {
				t.Errorf("%s with a byte behind it: %v", what, err)
			}
		}
	}
}

// TestNoByteMakesItPanic changes every byte of every sample: each bit, and the
// values that lengths and presence octets turn on.
func TestNoByteMakesItPanic(t *testing.T) {
	for name, s := range structures {
		for _, b := range s.samples() {
			b = bytes.Clone(b)
			for i := range b {
				old := b[i]
				for _, v := range []byte{0, 1, 2, 0x3f, 0x40, 0x80, 0xc0, 0xff, old ^ 1, old ^ 2, old ^ 4, old ^ 8, old ^ 16, old ^ 32, old ^ 64, old ^ 128} {
					b[i] = v
					enc, err := s.again(b)
					if err == nil && !bytes.Equal(enc, b) {
						t.Fatalf("%s: byte %d = %#x: decode and encode differ", name, i, v)
					}
					if err != nil && !typed(err) {
						t.Fatalf("%s: byte %d = %#x: %v", name, i, v, err)
					}
				}
				b[i] = old
			}
		}
	}
}

func TestV005_BytesBehindMessage(t *testing.T) {
	_, err := DecodeMLSMessage(append(sampleMessages()[3].Append(nil), 0))
	wantCheck(t, "trailing byte", err, check.V005)
}

func TestV006_BytesInExtension(t *testing.T) {
	for _, e := range sampleContext().Extensions {
		e.Data = append(bytes.Clone(e.Data), 0)
		wantCheck(t, fmt.Sprint("extension ", e.Type), Extensions{e}.CheckPlace(PlaceGroupContext), check.V006)
	}
	wantCheck(t, "external_pub", Extensions{{Type: ExtensionTypeExternalPub, Data: []byte{0, 0}}}.CheckPlace(PlaceGroupInfo), check.V006)
	_, err := DecodeRatchetTree(append(AppendRatchetTree(nil, sampleNodes()), 0))
	wantCheck(t, "ratchet_tree", err, check.V006)
}

func TestV007_Version(t *testing.T) {
	for _, m := range sampleMessages() {
		for _, v := range []uint16{0, 2, 0xffff} {
			b := m.Append(nil)
			binary.BigEndian.PutUint16(b, v)
			_, err := DecodeMLSMessage(b)
			wantCheck(t, "message", err, check.V007)
		}
	}
	k := sampleKeyPackage()
	b := k.Append(nil)
	b[1] = 2
	_, err := DecodeKeyPackage(b)
	wantCheck(t, "key package", err, check.V007)
	c := sampleContext()
	b = c.Append(nil)
	b[1] = 0
	r := wire.NewReader(b)
	c.Decode(&r)
	wantCheck(t, "group context", r.Err(), check.V007)
}

func TestV008_WireFormat(t *testing.T) {
	for _, v := range []uint16{0, 6, 0xf000} {
		b := sampleMessages()[0].Append(nil)
		binary.BigEndian.PutUint16(b[2:], v)
		_, err := DecodeMLSMessage(b)
		wantCheck(t, "message", err, check.V008)
	}
}

// TestV009_Enums tries every value of each enumeration.
func TestV009_Enums(t *testing.T) {
	for name, c := range map[string]struct {
		valid  func(v int) bool
		decode func(r *wire.Reader)
		before []byte // what stands before the value
	}{
		"sender type":      {func(v int) bool { return 1 <= v && v <= 4 }, func(r *wire.Reader) { new(Sender).Decode(r) }, nil},
		"node type":        {func(v int) bool { return v == 1 || v == 2 }, func(r *wire.Reader) { new(Node).Decode(r) }, []byte{1}},
		"PSK type":         {func(v int) bool { return v == 1 || v == 2 }, func(r *wire.Reader) { new(PreSharedKeyID).Decode(r) }, nil},
		"PSK usage":        {func(v int) bool { return 1 <= v && v <= 3 }, func(r *wire.Reader) { new(PreSharedKeyID).Decode(r) }, []byte{2}},
		"ProposalOrRef":    {func(v int) bool { return v == 1 || v == 2 }, func(r *wire.Reader) { new(ProposalOrRef).Decode(r) }, nil},
		"content type":     {func(v int) bool { return 1 <= v && v <= 3 }, func(r *wire.Reader) { new(FramedContent).Decode(r) }, append(make([]byte, 9), 3, 0)},
		"leaf node source": {func(v int) bool { return 1 <= v && v <= 3 }, func(r *wire.Reader) { new(LeafNode).Decode(r) }, []byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0}},
	} {
		for v := range 256 {
			r := wire.NewReader(append(append(bytes.Clone(c.before), byte(v)), make([]byte, 300)...))
			c.decode(&r)
			if c.valid(v) {
				var e *check.Error
				if errors.As(r.Err(), &e) && e.Check == check.V009 && name != "PSK type" && name != "node type" && name != "ProposalOrRef" && name != "content type" {
					t.Errorf("%s %d: %v", name, v, r.Err())
				}
				continue
			}
			wantCheck(t, fmt.Sprintf("%s %d", name, v), r.Err(), check.V009)
		}
	}
	_, err := DecodeProposal([]byte{0, 0, 0})
	wantCheck(t, "proposal type 0", err, check.V009)
}

// TestV013_Bounds: lists are bounded.
func TestV013_Bounds(t *testing.T) {
	many := func(n int, element []byte) []byte { return wire.AppendOpaque(nil, bytes.Repeat(element, n)) }
	extensions := func(b []byte) error { r := wire.NewReader(b); new(Extensions).Decode(&r); return r.Done() }
	commit := func(b []byte) error { _, err := DecodeCommit(b); return err }
	for name, c := range map[string]struct {
		in     []byte
		decode func(b []byte) error
		want   check.ID
	}{
		"extensions":     {many(maxExtensions+1, []byte{0, 9, 0}), extensions, check.V013},
		"proposals":      {append(many(maxProposals+1, []byte{1, 0, 3, 0, 0, 0, 0}), 0), commit, check.V013},
		"references":     {append(many(maxProposals+1, []byte{2, 0}), 0), commit, check.V013},
		"certificates":   {append([]byte{0, 2}, many(maxCertificates+1, []byte{0})...), func(b []byte) error { r := wire.NewReader(b); new(Credential).Decode(&r); return r.Done() }, check.V013},
		"path nodes":     {append(sampleLeaf(LeafNodeSourceCommit).Raw, many(maxPathNodes+1, []byte{0, 0})...), func(b []byte) error { _, err := DecodeUpdatePath(b); return err }, check.V013},
		"PSKs":           {append([]byte{0, 0}, many(maxPSKs+1, []byte{1, 0, 0})...), func(b []byte) error { _, err := DecodeGroupSecrets(b); return err }, check.V013},
		"senders":        {many(maxSenders+1, []byte{0, 0, 1, 0}), func(b []byte) error { _, err := DecodeExternalSenders(b); return err }, check.V013},
		"capabilities":   {many(maxCapabilities+1, []byte{0, 1}), func(b []byte) error { r := wire.NewReader(b); new(Capabilities).Decode(&r); return r.Done() }, check.V013},
		"a header alone": {[]byte{0xbf, 0xff, 0xff, 0xff}, commit, check.V004},
		"blank nodes":    {many(1_000_000, []byte{0}), func(b []byte) error { _, err := DecodeRatchetTree(b); return err }, check.V016},
	} {
		wantCheck(t, name, c.decode(c.in), c.want)
	}
}

// TestDecodeHeader routes every sample, and allocates nothing.
func TestDecodeHeader(t *testing.T) {
	for _, m := range sampleMessages() {
		b := m.Append(nil)
		h, err := DecodeHeader(b)
		if err != nil || h.WireFormat != m.WireFormat {
			t.Fatalf("%+v, %v", h, err)
		}
		if m.PublicMessage != nil || m.PrivateMessage != nil {
			if string(h.GroupID) != "group" || h.Epoch != 7 {
				t.Errorf("%+v", h)
			}
		}
		if n := testing.AllocsPerRun(100, func() { DecodeHeader(b) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

func TestV014_UnmergedLeaves(t *testing.T) {
	for _, list := range [][]treemath.LeafIndex{{1, 0}, {1, 1}, {0, 2, 1}} {
		p := ParentNode{UnmergedLeaves: list}
		r := wire.NewReader(p.Append(nil))
		p.Decode(&r)
		wantCheck(t, fmt.Sprint(list), r.Done(), check.V014)
	}
}

func TestV015_NodeTypes(t *testing.T) {
	nodes := sampleNodes()
	for _, bad := range [][]Node{{nodes[1]}, {nodes[0], nodes[0], nodes[0]}} {
		_, err := DecodeRatchetTree(AppendRatchetTree(nil, bad))
		wantCheck(t, "swapped", err, check.V015)
	}
}

func TestV016_LastNode(t *testing.T) {
	whole := AppendRatchetTree(nil, sampleNodes())
	blank := wire.AppendOpaque(nil, append(bytes.Clone(whole[2:]), 0))
	for _, b := range [][]byte{{0}, {1, 0}, blank} {
		_, err := DecodeRatchetTree(b)
		wantCheck(t, fmt.Sprintf("%d bytes", len(b)), err, check.V016)
	}
}

func TestV017_LeafIndices(t *testing.T) {
	for _, i := range []uint32{treemath.MaxLeaves, 1 << 31, 1<<32 - 1} {
		p := ParentNode{UnmergedLeaves: []treemath.LeafIndex{treemath.LeafIndex(i)}}
		r := wire.NewReader(p.Append(nil))
		p.Decode(&r)
		wantCheck(t, fmt.Sprint(i), r.Done(), check.V017)
	}
}

func TestV020_DuplicateExtensions(t *testing.T) {
	for _, n := range []int{2, 16, 17, 1000} {
		es := make(Extensions, n)
		for i := range es {
			es[i].Type = ExtensionType(i)
		}
		r := wire.NewReader(es.Append(nil))
		if new(Extensions).Decode(&r); r.Done() != nil {
			t.Fatalf("%d different: %v", n, r.Err())
		}
		es[n-1].Type = 0
		r = wire.NewReader(es.Append(nil))
		new(Extensions).Decode(&r)
		wantCheck(t, fmt.Sprintf("%d with a duplicate", n), r.Err(), check.V020)
	}
}

func TestV021_UnknownExtensionsAreKept(t *testing.T) {
	k := sampleKeyPackage()
	got, err := DecodeKeyPackage(k.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	if data, ok := got.Extensions.Find(0x3A3A); !ok || string(data) != "kept" {
		t.Errorf("%q, %v", data, ok)
	}
}

func TestV022_UnknownCapabilitiesAreKept(t *testing.T) {
	l := sampleLeaf(LeafNodeSourceUpdate)
	got, err := DecodeLeafNode(l.Append(nil))
	if err != nil || len(got.Capabilities.CipherSuites) != 2 || got.Capabilities.Proposals[0] != 0xF000 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestV029_GREASE(t *testing.T) {
	for v := range 1 << 16 {
		want := v&0x0f0f == 0x0a0a && v>>12 == v>>4&0xf && v != 0xfafa
		if IsGREASE(uint16(v)) != want {
			t.Fatalf("IsGREASE(%#04x) = %v", v, !want)
		}
	}
	_, err := DecodeProposal([]byte{0x1a, 0x1a, 0})
	wantCheck(t, "proposal", err, check.V029)
	_, err = DecodeLeafNode(append([]byte{0, 0, 0x0a, 0x0a}, make([]byte, 20)...))
	wantCheck(t, "credential", err, check.V029)
}

func TestV030_Places(t *testing.T) {
	data := map[ExtensionType][]byte{
		ExtensionTypeApplicationID:        {0},
		ExtensionTypeRatchetTree:          {0},
		ExtensionTypeRequiredCapabilities: {0, 0, 0},
		ExtensionTypeExternalPub:          {0},
		ExtensionTypeExternalSenders:      {0},
	}
	for typ, allowed := range places {
		for _, p := range []Place{PlaceKeyPackage, PlaceLeafNode, PlaceGroupContext, PlaceGroupInfo} {
			err := Extensions{{Type: typ, Data: data[typ]}}.CheckPlace(p)
			if p&allowed != 0 && err != nil {
				t.Errorf("extension %d in its place: %v", typ, err)
			}
			if p&allowed == 0 {
				wantCheck(t, fmt.Sprintf("extension %d in place %d", typ, p), err, check.V030)
			}
		}
	}
}
