package mls

import (
	"encoding/binary"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/ratchettree"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// A CommitSummary says what a commit changes, for people and applications. It
// holds nothing secret.
type CommitSummary struct {
	suite         provider.Suite
	before, after *ratchettree.Tree
	context       *proto.GroupContext // as it will be
	info          commitInfo
}

// commitInfo is what a commit changes, for people and applications.
type commitInfo struct {
	committer uint32
	external  bool
	added     []uint32
	removed   []uint32
	updated   []uint32
	psks      [][]byte      // encoded PreSharedKeyIDs
	custom    [][]byte      // stored forms of proposals of the application's own types
	reinit    *proto.ReInit // nil but for the last commit of a group
}

// summary describes a change whose commit was concluded.
func (c *change) summary() CommitSummary {
	s := CommitSummary{suite: c.base.suite, before: c.base.tree, after: c.tree, context: &c.next}
	i := &s.info
	i.committer, i.external, i.reinit = uint32(c.committer), c.external(), c.result.ReInit
	for _, a := range c.result.Added {
		i.added = append(i.added, uint32(a.Leaf))
	}
	i.removed = indices(c.result.Removed)
	i.updated = indices(c.result.Updated)
	if c.external() {
		i.added = append(i.added, uint32(c.committer))
	} else if c.path != nil {
		i.updated = append(i.updated, uint32(c.committer))
	}
	for _, id := range c.result.PSKs {
		i.psks = append(i.psks, id.Append(nil))
	}
	for j := range c.entries {
		if en := &c.entries[j]; uint16(en.Proposal.Type) > ProposalGroupContextExtensions {
			i.custom = append(i.custom, encodeProposal(en))
		}
	}
	return s
}

func indices(leaves []treemath.LeafIndex) []uint32 {
	out := make([]uint32, len(leaves))
	for i, l := range leaves {
		out[i] = uint32(l)
	}
	return out
}

// Epoch returns the number of the epoch that the commit begins.
func (s *CommitSummary) Epoch() uint64 { return s.context.Epoch }

// Committer returns the committer's leaf index in that epoch.
func (s *CommitSummary) Committer() uint32 { return s.info.committer }

// External reports whether the commit is one by which a new member joined.
func (s *CommitSummary) External() bool { return s.info.external }

// ReInit returns what the successor must be, if merging closes the group in
// favour of one.
func (s *CommitSummary) ReInit() (r ReInit, ok bool) {
	if s.info.reinit == nil {
		return r, false
	}
	return reInitOf(s.info.reinit), true
}

// Added returns the members that the commit adds: also the committer of an
// external one.
func (s *CommitSummary) Added() []Member { return s.members(s.info.added, true) }

// Updated returns the members whose leaves the commit renews, as they will be.
func (s *CommitSummary) Updated() []Member { return s.members(s.info.updated, true) }

// Removed returns the members that the commit removes, as they are.
func (s *CommitSummary) Removed() []Member { return s.members(s.info.removed, false) }

// PSKs returns the pre-shared keys that the commit mixes in.
func (s *CommitSummary) PSKs() []PSKID {
	var out []PSKID
	for _, b := range s.info.psks {
		var id proto.PreSharedKeyID
		r := wire.NewReader(b)
		id.Decode(&r)
		out = append(out, pskIDOf(&id))
	}
	return out
}

// Custom returns the committed proposals of the application's own types, in the
// order of the commit.
func (s *CommitSummary) Custom() []PendingProposal {
	var out []PendingProposal
	for _, b := range s.info.custom {
		if en, err := decodeProposal(b); err == nil { // always, or the summary had not been decoded
			out = append(out, pendingProposalOf(s.suite, &en))
		}
	}
	return out
}

// Extensions returns the extensions of the GroupContext as they will be.
func (s *CommitSummary) Extensions() []Extension { return extensionsOf(s.context.Extensions) }

func (s *CommitSummary) members(leaves []uint32, after bool) []Member {
	tree := s.before
	if after {
		tree = s.after
	}
	var out []Member
	for _, i := range leaves {
		if leaf := tree.Leaf(treemath.LeafIndex(i)); leaf != nil {
			out = append(out, memberOf(treemath.LeafIndex(i), leaf))
		}
	}
	return out
}

// encode and decode are the summary's form in a pending record.
func (i *commitInfo) encode() []byte {
	b := binary.BigEndian.AppendUint32(nil, i.committer)
	b = append(b, flag(i.external))
	b = appendReInit(b, i.reinit)
	for _, l := range [][]uint32{i.added, i.removed, i.updated} {
		var mark int
		b, mark = wire.BeginVector(b)
		for _, n := range l {
			b = binary.BigEndian.AppendUint32(b, n)
		}
		b = wire.EndVector(b, mark)
	}
	b, mark := wire.BeginVector(b)
	for _, p := range i.psks {
		b = wire.AppendOpaque(b, p)
	}
	b, mark = wire.BeginVector(wire.EndVector(b, mark))
	for _, p := range i.custom {
		b = wire.AppendOpaque(b, p)
	}
	return wire.EndVector(b, mark)
}

func (i *commitInfo) decode(b []byte) error {
	r := wire.NewReader(clone(b))
	i.committer = r.Uint32()
	i.external = r.Uint8() == 1
	i.reinit = decodeReInit(&r)
	for _, l := range []*[]uint32{&i.added, &i.removed, &i.updated} {
		v := r.Vector()
		for !v.Empty() && v.Err() == nil {
			*l = append(*l, v.Uint32())
		}
		r.Join(&v)
	}
	v := r.Vector()
	for !v.Empty() && v.Err() == nil {
		i.psks = append(i.psks, v.Opaque())
	}
	r.Join(&v)
	v = r.Vector()
	for !v.Empty() && v.Err() == nil {
		p := v.Opaque()
		if _, err := decodeProposal(p); err != nil {
			return err
		}
		i.custom = append(i.custom, p)
	}
	r.Join(&v)
	return r.Done()
}

func memberOf(i treemath.LeafIndex, leaf *proto.LeafNode) Member {
	return Member{
		Index:         uint32(i),
		Credential:    credentialOf(&leaf.Credential),
		SignatureKey:  clone(leaf.SignatureKey),
		EncryptionKey: clone(leaf.EncryptionKey),
		Extensions:    extensionsOf(leaf.Extensions),
	}
}
