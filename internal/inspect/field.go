// Package inspect takes the structures of RFC 9420 apart for people: every field
// with its name, place and length, what can be verified without secrets, and for
// bytes that are not well formed the check that failed and where.
//
// It reads with the Reader that the engine decodes with, but along a
// transcription of the RFC's own structures (structs.go), because the engine's
// decoder keeps values and not places. A test and a fuzz target hold both to the
// same verdicts. Nothing here is used to process messages.
//
// Input is hostile: it is read in linear time, what is kept of it is bounded
// (MaxFields), and structures nest no deeper than RFC 9420 defines them.
package inspect

import "strconv"

// A Kind is a shape of field.
type Kind uint8

// The kinds of fields.
const (
	Struct   Kind = iota // Fields are its members
	Vector               // Fields are its elements
	Optional             // Number is 0 or 1, Fields are the members of the value
	Number               // Number, and Text if the number has a name
	Opaque               // bytes; Fields if the content is known
)

// String returns the name of the kind in JSON.
func (k Kind) String() string {
	return [...]string{"struct", "vector", "optional", "number", "opaque"}[k]
}

// A Field is one field of a decoded structure. What follows a failure is missing,
// and the fields around it end where it was.
type Field struct {
	Name   string // as in RFC 9420; "" for an element of a vector
	Type   string // as in RFC 9420
	Kind   Kind
	Broken bool  // it could not be read
	Prefix uint8 // bytes of the length prefix of a vector or opaque
	Index  int   // of an element of a vector
	Offset int   // in the input
	Length int   // in bytes, prefix included
	Number uint64
	Text   string // the name of a number, or what the bytes say; quoted where it is received
	Fields []Field
	Left   int // how many elements follow those in Fields, beyond MaxFields
}

// Content returns the bytes of f without its length prefix; input is what f was
// decoded from.
func (f *Field) Content(input []byte) []byte {
	return input[f.Offset+int(f.Prefix) : f.Offset+f.Length]
}

// Bytes returns the bytes of f.
func (f *Field) Bytes(input []byte) []byte { return input[f.Offset : f.Offset+f.Length] }

// find returns the member of f with that name, nil if it has none.
func (f *Field) find(name string) *Field {
	for i := range f.Fields {
		if f.Fields[i].Name == name {
			return &f.Fields[i]
		}
	}
	return nil
}

// label returns what f is called in a path.
func (f *Field) label() string {
	if f.Name == "" {
		return "[" + itoa(f.Index) + "]"
	}
	return f.Name
}

// join appends a label to a path: content.commit.proposals[3].proposal.
func join(path, label string) string {
	if path == "" || label[0] == '[' {
		return path + label
	}
	return path + "." + label
}

func itoa(n int) string { return strconv.Itoa(n) }
