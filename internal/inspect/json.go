package inspect

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/treemath"
)

// Schema is the value of "schema" in JSON. Members may be added under one number;
// nothing is renamed or removed.
const Schema = "hardmls.inspect/1"

// The JSON form of a report.
type (
	jsonReport struct {
		Schema   string        `json:"schema"`
		Type     string        `json:"type"`
		Guessed  bool          `json:"guessed"`
		Also     []string      `json:"also_well_formed_as,omitempty"`
		Bytes    int           `json:"bytes"`
		Valid    bool          `json:"valid"`
		Error    *jsonError    `json:"error,omitempty"` // only if not well-formed
		Verdicts []jsonVerdict `json:"checks"`
		Facts    []jsonFact    `json:"facts"`
		Tree     *jsonTree     `json:"tree,omitempty"`
		Root     *jsonField    `json:"root"`
	}
	jsonError struct {
		Check   string `json:"check"`
		Section string `json:"rfc9420_section"`
		Offset  int    `json:"offset"`
		Path    string `json:"path"`
		Reason  string `json:"reason"`
	}
	jsonVerdict struct {
		Check   string `json:"check"`
		Section string `json:"rfc9420_section"`
		Status  string `json:"status"` // pass, fail, unknown or warning
		Offset  int    `json:"offset"`
		Path    string `json:"path"`
		What    string `json:"what,omitempty"`
		Reason  string `json:"reason,omitempty"`
	}
	jsonFact struct {
		Name   string `json:"name"`
		Offset int    `json:"offset"`
		Hex    string `json:"hex"`
	}
	jsonTree struct {
		Leaves  uint32     `json:"leaves"`
		Members int        `json:"members"`
		Hash    string     `json:"tree_hash,omitempty"`
		Nodes   []jsonNode `json:"nodes"` // those that are not blank
	}
	jsonNode struct {
		Index    int      `json:"index"`
		Leaf     *int     `json:"leaf,omitempty"`
		Member   string   `json:"member,omitempty"`
		Source   string   `json:"leaf_node_source,omitempty"`
		Signed   string   `json:"signature,omitempty"`
		Unmerged []uint32 `json:"unmerged_leaves,omitempty"`
	}
	jsonField struct {
		Name   string       `json:"name,omitempty"` // none: an element of a vector
		Type   string       `json:"type"`
		Kind   string       `json:"kind"`
		Offset int          `json:"offset"`
		Length int          `json:"length"`
		Prefix int          `json:"prefix,omitempty"` // bytes of the length prefix in it
		Number json.Number  `json:"number,omitempty"`
		Text   string       `json:"text,omitempty"`
		Hex    *string      `json:"hex,omitempty"`
		Fields []*jsonField `json:"fields,omitempty"`
		Left   int          `json:"fields_left_out,omitempty"`
		Broken bool         `json:"broken,omitempty"` // could not be read
	}
)

// JSON returns the report as JSON in ASCII characters alone, with a line feed at
// the end.
func (r *Report) JSON() ([]byte, error) {
	j := jsonReport{Schema: Schema, Type: r.Type, Guessed: r.Guessed, Also: r.Also, Bytes: len(r.Input), Valid: r.Valid(),
		Verdicts: []jsonVerdict{}, Facts: []jsonFact{}, Root: r.jsonField(&r.Root)}
	if p := r.Problem; p != nil {
		id := p.CheckID()
		j.Error = &jsonError{checkName(id), id.Section(), p.Offset, p.Path, p.Reason()}
	}
	for _, v := range r.Verdicts {
		j.Verdicts = append(j.Verdicts, jsonVerdict{checkName(v.Check), v.Check.Section(), v.Status.String(), v.Offset, v.Path, v.What, v.Reason})
	}
	for _, f := range r.Facts {
		j.Facts = append(j.Facts, jsonFact{f.Name, f.Offset, hex.EncodeToString(f.Value)})
	}
	if r.Tree != nil {
		j.Tree = r.Tree.json()
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(j); err != nil {
		return nil, err
	}
	return ascii(b.Bytes()), nil
}

func checkName(id check.ID) string {
	if id == 0 {
		return ""
	}
	return id.String()
}

func (r *Report) jsonField(f *Field) *jsonField {
	j := &jsonField{Name: f.Name, Type: f.Type, Kind: f.Kind.String(), Offset: f.Offset, Length: f.Length,
		Prefix: int(f.Prefix), Text: f.Text, Left: f.Left, Broken: f.Broken}
	switch f.Kind {
	case Number, Optional:
		j.Number = json.Number(strconv.FormatUint(f.Number, 10))
	case Opaque:
		if len(f.Fields) == 0 && !f.Broken {
			s := hex.EncodeToString(f.Content(r.Input))
			j.Hex = &s
		}
	}
	for i := range f.Fields {
		j.Fields = append(j.Fields, r.jsonField(&f.Fields[i]))
	}
	return j
}

func (t *Tree) json() *jsonTree {
	j := &jsonTree{Leaves: t.Leaves, Members: t.Members, Hash: hex.EncodeToString(t.Hash), Nodes: []jsonNode{}}
	for i := range t.nodes {
		n := t.Node(treemath.NodeIndex(i))
		if n.Blank {
			continue
		}
		node := jsonNode{Index: i}
		if i%2 == 0 {
			leaf := i / 2
			node.Leaf, node.Member, node.Source, node.Signed = &leaf, n.Member, n.Source, n.Signed.String()
		}
		for _, l := range n.Unmerged {
			node.Unmerged = append(node.Unmerged, uint32(l))
		}
		j.Nodes = append(j.Nodes, node)
	}
	return j
}

// ascii escapes what is not ASCII in JSON: all that a terminal might take for
// something else. encoding/json has escaped control characters but for DEL.
func ascii(b []byte) []byte {
	var out []byte
	for len(b) > 0 {
		c, n := utf8.DecodeRune(b)
		switch {
		case c >= 0x10000:
			c -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xD800+c>>10, 0xDC00+c&0x3FF)
		case c >= 0x7F:
			out = fmt.Appendf(out, `\u%04x`, c)
		default:
			out = append(out, byte(c))
		}
		b = b[n:]
	}
	return out
}
