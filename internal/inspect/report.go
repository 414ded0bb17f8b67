package inspect

import (
	"fmt"
	"strings"
	"time"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// MaxInput is the longest input that is accepted: the ratchet tree of about 50,000
// members.
const MaxInput = 16 << 20

// Options say how input is read.
type Options struct {
	// As is the type to read, one of Types; "" finds it out.
	As string
	// Suite is for structures that do not name theirs; 0 takes it from the
	// length of signature keys where there are any.
	Suite provider.CipherSuite
	// GroupID is for a ratchet tree or a leaf on its own: signatures of leaves
	// that did not come with a key package cover it. Optional.
	GroupID []byte
	// Crypto verifies.
	Crypto provider.Crypto
	// Now is the time that lifetimes are compared with.
	Now time.Time
}

// A Report is what is known of an input.
type Report struct {
	Input    []byte
	Type     string   // one of Types
	Guessed  bool     // the type was found out
	Also     []string // other types that the input would be well-formed as
	Root     Field
	Problem  *Problem // why the input is not well-formed, nil if it is
	Verdicts []Verdict
	Facts    []Fact
	Tree     *Tree // of a ratchet tree, or of a GroupInfo that holds one
}

// A Fact is a value that follows from the input and does not stand in it.
type Fact struct {
	Name   string
	Offset int // of what it is computed over
	Value  []byte
}

// A Status is the outcome of a check.
type Status uint8

// The outcomes.
const (
	Passed  Status = iota
	Failed         // the engine would refuse the input
	Unknown        // the check needs what is not in the input
	Warning        // a check that the application may switch off
)

// String returns the status in JSON.
func (s Status) String() string {
	return [...]string{"pass", "fail", "unknown", "warning"}[s]
}

// A Verdict is the outcome of one check on well-formed input.
type Verdict struct {
	Check  check.ID
	Status Status
	Offset int
	Path   string
	What   string // what holds if it passes
	Reason string // why it does not pass
}

// Valid reports whether the input is well-formed and no check failed.
func (r *Report) Valid() bool {
	if r.Problem != nil {
		return false
	}
	for _, v := range r.Verdicts {
		if v.Status == Failed {
			return false
		}
	}
	return true
}

// aType is a structure that can be asked for.
type aType struct {
	name      string
	guess     bool // long and regular enough to be told from others
	versioned bool // begins with a ProtocolVersion
	members   func(w *walker)
}

// types are what can be read, the likeliest first.
var types = []aType{
	{"MLSMessage", true, true, mlsMessage},
	{"KeyPackage", true, true, keyPackage},
	{"GroupInfo", true, true, groupInfo},
	{"Welcome", true, false, welcome},
	{"RatchetTree", true, false, ratchetTree},
	{"LeafNode", true, false, leafNode},
	{"GroupContext", true, true, groupContext},
	{"AuthenticatedContent", true, false, authenticatedContent},
	{"Commit", true, false, commit},
	{"Proposal", true, false, aProposal},
	{"PublicMessage", false, false, publicMessage},
	{"PrivateMessage", false, false, privateMessage},
	{"UpdatePath", false, false, updatePath},
	{"ParentNode", false, false, parentNode},
	{"PreSharedKeyID", false, false, preSharedKeyID},
	{"Add", false, false, add},
	{"Update", false, false, update},
	{"Remove", false, false, remove},
	{"PreSharedKey", false, false, preSharedKey},
	{"ReInit", false, false, reInit},
	{"ExternalInit", false, false, externalInit},
	{"GroupContextExtensions", false, false, groupContextExtensions},
	{"RequiredCapabilities", false, false, requiredCapabilities},
	{"ExternalSenders", false, false, externalSenders},
}

// Types returns the names of the structures that can be read.
func Types() []string {
	names := make([]string, len(types))
	for i := range types {
		names[i] = types[i].name
	}
	return names
}

// Inspect takes input apart. The error is for options that make no sense, such as
// an unknown type; what is wrong with the input stands in the report.
func Inspect(input []byte, opt Options) (*Report, error) {
	if len(input) > MaxInput {
		return nil, fmt.Errorf("input of %d bytes, at most %d are read", len(input), MaxInput)
	}
	r := &Report{Input: input}
	t, err := r.choose(opt.As)
	if err != nil {
		return nil, err
	}
	r.Type = t.name
	var inside []Problem
	r.Root, r.Problem = walk(input, t, &inside, true)
	for _, p := range inside {
		r.Verdicts = append(r.Verdicts, p.verdict())
	}
	if r.Problem == nil {
		r.verify(&opt)
	}
	return r, nil
}

// walk reads input as t. Without keep only the problem counts.
func walk(input []byte, t *aType, inside *[]Problem, keep bool) (Field, *Problem) {
	root := Field{Type: t.name}
	w := walker{r: wire.NewReader(input), trail: []*Field{&root}, budget: MaxFields, keep: keep, inside: inside}
	t.members(&w)
	w.end(check.V005)
	root.Length = w.r.Offset()
	return root, w.failed
}

// choose returns the type called name, or the one that the input most likely is:
// the first that it is well-formed as, or else the one that it is for the longest.
func (r *Report) choose(name string) (*aType, error) {
	if name != "" {
		for i := range types {
			if strings.EqualFold(types[i].name, name) {
				return &types[i], nil
			}
		}
		return nil, fmt.Errorf("unknown type %q, known are %s", name, strings.Join(Types(), ", "))
	}
	r.Guessed = true
	var fits, best *aType
	furthest := -1
	for i := range types {
		t := &types[i]
		if !t.guess {
			continue
		}
		_, p := walk(r.Input, t, nil, false)
		switch {
		case p == nil && fits == nil:
			fits = t
		case p == nil:
			r.Also = append(r.Also, t.name)
		default:
			if far := p.likelihood(t, len(r.Input)); far > furthest {
				best, furthest = t, far
			}
		}
	}
	if fits != nil {
		return fits, nil
	}
	return best, nil
}

// likelihood orders the types that an input of n bytes is not well-formed as: by
// how far they were read, after those whose version is right, after an MLSMessage
// that is just cut short.
func (p *Problem) likelihood(t *aType, n int) int {
	switch {
	case t.name == "MLSMessage" && p.Offset >= 4 && p.CheckID() == check.V004:
		return 2*n + p.Offset
	case t.versioned && p.Offset >= 2:
		return n + p.Offset
	}
	return p.Offset
}
