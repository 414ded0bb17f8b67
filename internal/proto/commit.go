package proto

import (
	"iter"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/wire"
)

// Types of ProposalOrRef, RFC 9420 §12.4.
const (
	proposalByValue     = 1
	proposalByReference = 2
)

// Append appends the encoding, RFC 9420 §12.4.
func (p *ProposalOrRef) Append(b []byte) []byte {
	if p.Proposal != nil {
		return p.Proposal.Append(append(b, proposalByValue))
	}
	return wire.AppendOpaque(append(b, proposalByReference), p.Reference)
}

// Decode reads a proposal or a reference.
func (p *ProposalOrRef) Decode(r *wire.Reader) {
	switch t := r.Uint8(); t {
	case proposalByValue:
		if p.Proposal == nil {
			p.Proposal = new(Proposal)
		}
		p.Proposal.Decode(r)
	case proposalByReference:
		p.Proposal, p.Reference = nil, r.Opaque()
	default:
		unknown(r, "ProposalOrRef type", uint64(t))
	}
}

// A ProposalList is the list of proposals of a Commit. It stays encoded, because a
// proposal of seven bytes takes 170 when it is decoded, and is decoded as it is
// gone through.
type ProposalList struct {
	content []byte
	n       int
}

// Proposals returns a list of proposals.
func Proposals(ps ...ProposalOrRef) ProposalList {
	var l ProposalList
	for i := range ps {
		l.Add(ps[i])
	}
	return l
}

// Add adds an entry to the end.
func (l *ProposalList) Add(p ProposalOrRef) {
	l.content = p.Append(l.content)
	l.n++
}

// Len returns how many entries there are.
func (l *ProposalList) Len() int { return l.n }

// All iterates over the entries, decoded, with their positions.
func (l *ProposalList) All() iter.Seq2[int, ProposalOrRef] {
	return func(yield func(int, ProposalOrRef) bool) {
		r := wire.NewReader(l.content)
		for i := range l.n {
			var p ProposalOrRef
			if p.Decode(&r); !yield(i, p) {
				return
			}
		}
	}
}

// decode reads a list, checks every entry and keeps none.
func (l *ProposalList) decode(r *wire.Reader) {
	outer := r.Enter()
	c := startCapture(r)
	var scratch Proposal
	for l.n = 0; !r.Empty(); l.n++ {
		if l.n == maxProposals {
			r.Fail(check.Errorf(check.V013, "commit of more than %d proposals", maxProposals))
			break
		}
		p := ProposalOrRef{Proposal: &scratch}
		p.Decode(r)
	}
	l.content = c.end(r)
	r.Leave(outer)
}

// Append appends the encoding, RFC 9420 §12.4.
func (c *Commit) Append(b []byte) []byte {
	b = wire.AppendOpaque(b, c.Proposals.content)
	b = appendOptional(b, c.Path != nil)
	if c.Path != nil {
		b = c.Path.Append(b)
	}
	return b
}

// Decode reads a commit.
func (c *Commit) Decode(r *wire.Reader) {
	c.Proposals.decode(r)
	if r.Optional() {
		c.Path = new(UpdatePath)
		c.Path.Decode(r)
	}
}

// DecodeCommit decodes a commit.
func DecodeCommit(b []byte) (*Commit, error) { return decodeAll(b, (*Commit).Decode) }

// Append appends the encoding, RFC 9420 §7.6.
func (p *UpdatePath) Append(b []byte) []byte {
	return appendList(p.LeafNode.Append(b), p.Nodes, func(b []byte, n *UpdatePathNode) []byte { return n.Append(b) })
}

// Decode reads an update path.
func (p *UpdatePath) Decode(r *wire.Reader) {
	p.LeafNode.Decode(r)
	outer, whole, list := r.Enter(), r.Len(), p.Nodes[:0]
	for !r.Empty() && grow(r, &list, whole, pathNodeList) {
		list[len(list)-1].Decode(r)
	}
	p.Nodes = leave(r, outer, list)
}

// DecodeUpdatePath decodes an update path.
func DecodeUpdatePath(b []byte) (*UpdatePath, error) { return decodeAll(b, (*UpdatePath).Decode) }

// Append appends the encoding, RFC 9420 §7.6.
func (n *UpdatePathNode) Append(b []byte) []byte {
	return appendList(wire.AppendOpaque(b, n.EncryptionKey), n.EncryptedPathSecret,
		func(b []byte, c *HPKECiphertext) []byte { return c.Append(b) })
}

// Decode reads a node of an update path.
func (n *UpdatePathNode) Decode(r *wire.Reader) {
	n.EncryptionKey = r.Opaque()
	outer, whole, list := r.Enter(), r.Len(), n.EncryptedPathSecret[:0]
	for !r.Empty() && grow(r, &list, whole, ciphertextList) {
		list[len(list)-1].Decode(r)
	}
	n.EncryptedPathSecret = leave(r, outer, list)
}

// Append appends the encoding, RFC 9420 §5.1.3.
func (c *HPKECiphertext) Append(b []byte) []byte {
	return wire.AppendOpaque(wire.AppendOpaque(b, c.KEMOutput), c.Ciphertext)
}

// Decode reads an HPKE ciphertext.
func (c *HPKECiphertext) Decode(r *wire.Reader) {
	c.KEMOutput = r.Opaque()
	c.Ciphertext = r.Opaque()
}
