package proto

import "github.com/hardmls/hardmls/internal/wire"

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
		p.Proposal = new(Proposal)
		p.Proposal.Decode(r)
	case proposalByReference:
		p.Reference = r.Opaque()
	default:
		unknown(r, "ProposalOrRef type", uint64(t))
	}
}

// Append appends the encoding, RFC 9420 §12.4.
func (c *Commit) Append(b []byte) []byte {
	b = appendList(b, c.Proposals, func(b []byte, p *ProposalOrRef) []byte { return p.Append(b) })
	b = appendOptional(b, c.Path != nil)
	if c.Path != nil {
		b = c.Path.Append(b)
	}
	return b
}

// Decode reads a commit.
func (c *Commit) Decode(r *wire.Reader) {
	c.Proposals = decodeList(r, maxProposals, 2, func(r *wire.Reader, p *ProposalOrRef) { p.Decode(r) })
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
	p.Nodes = decodeList(r, maxPathNodes, 2, func(r *wire.Reader, n *UpdatePathNode) { n.Decode(r) })
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
	n.EncryptedPathSecret = decodeList(r, maxMembers, 2, func(r *wire.Reader, c *HPKECiphertext) { c.Decode(r) })
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
