package inspect

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/auto"
	"github.com/hardmls/hardmls/testvectors"
)

var write = flag.Bool("update", false, "write the golden files anew")

// hexBytes is a byte string in the vectors.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// fixtures are messages of one group, made by this module: Alice adds four members
// and removes one. The identity of one is not fit for a terminal.
var fixtures = []string{"key-package", "welcome", "commit", "group-info", "ratchet-tree", "private-message"}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	b, encoding, err := Decode(text, "")
	if err != nil || encoding != "hex" {
		t.Fatalf("%s: %s, %v", name, encoding, err)
	}
	return b
}

var backend = sync.OnceValue(func() provider.Crypto {
	c, _, err := auto.New(auto.Options{})
	if err != nil {
		panic(err)
	}
	return c
})

func inspected(t testing.TB, b []byte, opt Options) *Report {
	t.Helper()
	opt.Crypto = backend()
	if opt.Now.IsZero() {
		opt.Now = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	}
	r, err := Inspect(b, opt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func text(t testing.TB, r *Report, all bool) string {
	t.Helper()
	var b strings.Builder
	if err := r.Text(&b, Style{All: all}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// golden compares got with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *write {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not\n%s", file, got)
	}
}

func TestGolden(t *testing.T) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			r := inspected(t, fixture(t, name), Options{})
			if !r.Valid() {
				t.Error("invalid")
			}
			golden(t, name+".txt", text(t, r, false))
		})
	}
	t.Run("json", func(t *testing.T) {
		b, err := inspected(t, fixture(t, "key-package"), Options{}).JSON()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "key-package.json", string(b))
	})
	t.Run("json of a tree", func(t *testing.T) {
		b, err := inspected(t, fixture(t, "ratchet-tree"), Options{}).JSON()
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(b, &members); err != nil {
			t.Fatal(err)
		}
		delete(members, "root") // as long as the text
		b, err = json.MarshalIndent(members, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "ratchet-tree.json", string(b)+"\n")
	})
	t.Run("transcript", func(t *testing.T) {
		var cases []struct {
			AuthenticatedContent hexBytes `json:"authenticated_content"`
		}
		testvectors.Own(t, "transcript-hashes.json", &cases)
		for _, c := range cases {
			agree(t, c.AuthenticatedContent, typeOf(t, "AuthenticatedContent"))
		}
		r := inspected(t, cases[0].AuthenticatedContent, Options{As: "AuthenticatedContent"})
		golden(t, "transcript.txt", text(t, r, true))
	})
}

// expect looks for the verdict of a check.
func expect(t *testing.T, r *Report, id check.ID, want Status) {
	t.Helper()
	for _, v := range r.Verdicts {
		if v.Check == id && v.Status == want {
			return
		}
	}
	t.Errorf("no %s %v in %+v, %+v", want, id, r.Verdicts, r.Problem)
}

// TestVerdicts: a change that keeps a message well-formed fails the check that is
// there for it, and the report is invalid.
func TestVerdicts(t *testing.T) {
	field := func(b []byte, path ...string) []byte {
		t.Helper()
		r := inspected(t, b, Options{})
		f := &r.Root
		for _, name := range path {
			var next *Field
			for i := range f.Fields {
				if f.Fields[i].label() == name {
					next = &f.Fields[i]
				}
			}
			if f = next; f == nil {
				t.Fatalf("no %s in %v", name, path)
			}
		}
		return f.Content(b)
	}
	for _, c := range []struct {
		name  string
		from  string
		path  []string
		check check.ID
	}{
		{"key package signature", "key-package", []string{"key_package", "signature"}, check.V062},
		{"leaf signature", "key-package", []string{"key_package", "leaf_node", "signature"}, check.V044},
		{"lists", "key-package", []string{"key_package", "leaf_node", "capabilities", "credentials", "[0]"}, check.V025},
		{"suite", "key-package", []string{"key_package", "cipher_suite"}, check.V011},
		{"path leaf", "commit", []string{"public_message", "content", "commit", "path", "leaf_node", "signature"}, check.V044},
		{"group id", "commit", []string{"public_message", "content", "group_id"}, check.V044},
		{"tree hash", "group-info", []string{"group_info", "group_context", "tree_hash"}, check.V120},
		{"signer", "group-info", []string{"group_info", "signature"}, check.V194},
		{"blank signer", "group-info", []string{"group_info", "signer"}, check.V194},
		{"tree", "group-info", []string{"group_info", "extensions", "[0]", "extension_data", "ratchet_tree", "[2]", "leaf_node", "signature"}, check.V044},
		{"parent", "ratchet-tree", []string{"ratchet_tree", "[1]", "parent_node", "encryption_key"}, check.V122},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := bytes.Clone(fixture(t, c.from))
			part := field(b, c.path...)
			part[len(part)-1] ^= 3
			r := inspected(t, b, Options{As: inspected(t, fixture(t, c.from), Options{}).Type})
			expect(t, r, c.check, Failed)
			if r.Valid() || r.Problem != nil || !strings.Contains(text(t, r, false), "✗ well-formed but invalid") {
				t.Errorf("valid %v, problem %v", r.Valid(), r.Problem)
			}
		})
	}
}

// TestVerdictsInPlace: a failed check names where, in the offsets of the input.
func TestVerdictsInPlace(t *testing.T) {
	tree := fixture(t, "ratchet-tree")
	r := inspected(t, tree, Options{GroupID: []byte("book club")})
	for x := treemath.NodeIndex(0); int(x) < r.Tree.Width(); x += 2 {
		if n := r.Tree.Node(x); !n.Blank && n.Signed != Passed {
			t.Errorf("node %d: %v", x, n.Signed)
		}
	}
	expect(t, inspected(t, tree, Options{}), check.V045, Unknown)
	expect(t, inspected(t, tree, Options{GroupID: []byte("another")}), check.V044, Failed)

	// A signature of the fourth member is damaged.
	decoded, err := proto.DecodeRatchetTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	nodes := decoded.Nodes()
	b := bytes.Clone(tree)
	at := bytes.Index(b, nodes[8].Leaf.Signature)
	b[at] ^= 1
	r = inspected(t, b, Options{})
	if r.Tree.Node(8).Signed != Failed || r.Tree.Node(2).Signed != Passed {
		t.Errorf("leaf 4 %v, leaf 1 %v", r.Tree.Node(8).Signed, r.Tree.Node(2).Signed)
	}

	// The content of an extension is damaged: the structure around it is
	// well-formed, the place is the one inside.
	info := bytes.Clone(fixture(t, "group-info"))
	at = bytes.Index(info, tree) + 2 // the presence octet of the first node
	info[at] = 7
	r = inspected(t, info, Options{})
	expect(t, r, check.V001, Failed)
	if v := r.Verdicts[0]; v.Offset != at || v.Path != "group_info.extensions[0].extension_data.ratchet_tree[0]" || r.Problem != nil {
		t.Errorf("%+v, want offset %d", v, at)
	}
}

func TestLifetime(t *testing.T) {
	b := fixture(t, "key-package")
	for _, c := range []struct {
		now  time.Time
		want Status
	}{
		{time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), Passed},
		{time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), Warning},
		{time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC), Warning},
	} {
		r := inspected(t, b, Options{Now: c.now})
		expect(t, r, check.V048, c.want)
		if !r.Valid() {
			t.Error("a lifetime makes a key package invalid")
		}
	}
}

// TestExtensionPlaces: extensions of RFC 9420 in the wrong place, and GREASE in a
// group context, are found where they stand.
func TestExtensionPlaces(t *testing.T) {
	context := func(es proto.Extensions) []byte {
		return (&proto.GroupContext{Version: proto.MLS10, CipherSuite: 1, Extensions: es}).Append(nil)
	}
	for _, c := range []struct {
		es    proto.Extensions
		check check.ID
	}{
		{proto.Extensions{{Type: proto.ExtensionTypeRatchetTree}}, check.V030},
		{proto.Extensions{{Type: 0x0A0A}}, check.V029},
		{proto.Extensions{{Type: proto.ExtensionTypeRequiredCapabilities, Data: []byte{0, 0, 0, 0}}}, check.V006},
		{proto.Extensions{{Type: proto.ExtensionTypeExternalSenders, Data: []byte{1}}}, check.V004},
	} {
		r := inspected(t, context(c.es), Options{As: "GroupContext"})
		expect(t, r, c.check, Failed)
		if r.Problem != nil || r.Verdicts[0].Path != "extensions[0]" && !strings.HasPrefix(r.Verdicts[0].Path, "extensions[0].extension_data") {
			t.Errorf("%+v", r.Verdicts)
		}
	}
	r := inspected(t, context(proto.Extensions{{Type: 0xF001}, {Type: 0xF001}}), Options{As: "groupcontext"})
	if r.Problem == nil || r.Problem.CheckID() != check.V020 || r.Problem.Path != "extensions" {
		t.Errorf("%+v", r.Problem)
	}
}

// harmless checks that nothing but printable ASCII and our own signs reaches a
// terminal, and that JSON is JSON.
func harmless(t testing.TB, r *Report) {
	t.Helper()
	for _, all := range []bool{false, true} {
		for _, c := range text(t, r, all) {
			if c != '\n' && (c < 0x20 || c > 0x7E) && !strings.ContainsRune("…✓✗?!§│├└─", c) {
				t.Fatalf("%q in text", c)
			}
		}
	}
	b, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range b {
		if c != '\n' && (c < 0x20 || c > 0x7E) {
			t.Fatalf("%q in JSON", c)
		}
	}
	if !json.Valid(b) {
		t.Fatalf("no JSON: %s", b)
	}
}

// TestHarmless: identities, group ids and certificates cannot write to a terminal.
func TestHarmless(t *testing.T) {
	evil := "\x1b]0;owned\x07\u202e\u2066\u200b\u009b2J\xff\x9b\r\bаdmin\u0301 \U000e0041"
	for _, c := range evil {
		if unicode.IsPrint(c) && c < 0x80 {
			continue
		}
		if strings.ContainsRune(Quote([]byte(evil)), c) {
			t.Errorf("%q is not quoted", c)
		}
	}
	leaf := proto.LeafNode{Credential: proto.Credential{Type: 1, Identity: []byte(evil)}, Source: proto.LeafNodeSourceUpdate,
		Extensions: proto.Extensions{{Type: proto.ExtensionTypeApplicationID, Data: wire.AppendOpaque(nil, []byte(evil))}}}
	tree := proto.AppendRatchetTree(nil, []proto.Node{{Leaf: &leaf}})
	r := inspected(t, tree, Options{As: "RatchetTree"})
	harmless(t, r)
	if s := text(t, r, false); !strings.Contains(s, `\x1b]0;owned\a\u202e`) {
		t.Errorf("the identity is not shown:\n%s", s)
	}
	leaf = proto.LeafNode{Credential: proto.Credential{Type: 2, Certificates: [][]byte{[]byte(evil)}}, Source: proto.LeafNodeSourceUpdate}
	harmless(t, inspected(t, proto.AppendRatchetTree(nil, []proto.Node{{Leaf: &leaf}}), Options{As: "RatchetTree"}))
}

// TestLongTree: the drawing of a long tree is short, and whole on request.
func TestLongTree(t *testing.T) {
	nodes := make([]proto.Node, 2*5000-1)
	for i := 0; i < len(nodes); i += 2 {
		nodes[i].Leaf = &proto.LeafNode{Credential: proto.Credential{Type: 1, Identity: []byte("m")}, Source: proto.LeafNodeSourceUpdate}
	}
	r := inspected(t, proto.AppendRatchetTree(nil, nodes), Options{As: "RatchetTree"})
	if n := strings.Count(text(t, r, false), "\n"); n > 400 {
		t.Errorf("%d lines", n)
	}
	if n := strings.Count(text(t, r, true), " leaf "); n < 5000 {
		t.Errorf("%d leaves with Style.All", n)
	}
}

func TestOptions(t *testing.T) {
	if _, err := Inspect(nil, Options{As: "nonsense"}); err == nil || !strings.Contains(err.Error(), "RatchetTree") {
		t.Errorf("unknown type: %v", err)
	}
	if _, err := Inspect(make([]byte, MaxInput+1), Options{}); err == nil {
		t.Error("more than MaxInput is read")
	}
	r := inspected(t, fixture(t, "key-package"), Options{As: "keypackage"})
	if r.Problem == nil || r.Guessed {
		t.Errorf("an MLSMessage read as KeyPackage: %+v", r.Problem)
	}
}
