package mls

import (
	"context"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// read runs f on the current epoch under mu. A group may have none: this client
// was removed, or the group is closed or fenced.
func (g *Group) read(f func(e *epoch)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.failed != nil:
		return g.failed
	case g.cur == nil:
		return ErrUseAfterEviction
	}
	f(g.cur)
	return nil
}

// ID returns the group id.
func (g *Group) ID() []byte { return clone(g.id) }

// CipherSuite returns the group's suite.
func (g *Group) CipherSuite() provider.CipherSuite { return g.suite.Params().ID }

// Epoch returns the number of the current epoch, or that in which this client was
// removed.
func (g *Group) Epoch() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.head.epoch
}

// IsActive reports whether this client is a member and the group goes on.
func (g *Group) IsActive() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.check() == nil
}

// OwnIndex returns the own leaf index.
func (g *Group) OwnIndex() uint32 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.head.own
}

// Members returns the members in the order of their leaves, nil after eviction.
func (g *Group) Members() (ms []Member) {
	g.read(func(e *epoch) { ms = e.members() })
	return ms
}

// MemberCount returns the number of members.
func (g *Group) MemberCount() (n int) {
	g.read(func(e *epoch) { n = e.tree.MemberCount() })
	return n
}

// Member returns the member at a leaf index.
func (g *Group) Member(leaf uint32) (m Member, ok bool) {
	g.read(func(e *epoch) { m, ok = e.member(leaf) })
	return m, ok
}

// Extensions returns the extensions of the GroupContext.
func (g *Group) Extensions() (es []Extension) {
	g.read(func(e *epoch) { es = extensionsOf(e.context.Extensions) })
	return es
}

// TreeHash returns the tree hash of the epoch, RFC 9420 §7.8.
func (g *Group) TreeHash() (h []byte) {
	g.read(func(e *epoch) { h = clone(e.context.TreeHash) })
	return h
}

// ConfirmationTag returns the tag of the commit that began the epoch.
func (g *Group) ConfirmationTag() (tag []byte) {
	g.read(func(e *epoch) { tag = clone(e.tag) })
	return tag
}

// EpochAuthenticator returns a value that members who agree on the epoch share
// and nobody else can make, RFC 9420 §8.7. It is Nh bytes.
func (g *Group) EpochAuthenticator() (a []byte) {
	g.read(func(e *epoch) { a = clone(e.keys.Authenticator.Bytes()) })
	return a
}

// Export fills out with a secret of the epoch for an application's own use, RFC
// 9420 §8.5. out may be up to 255·Nh bytes (V221).
func (g *Group) Export(out []byte, label string, context []byte) error {
	var failed error
	if err := g.read(func(e *epoch) { failed = e.keys.Export(out, label, context) }); err != nil {
		return err
	}
	return public(failed)
}

// ResumptionPSK fills out (Nh bytes) with the resumption secret of the current
// epoch, RFC 9420 §8.6. Groups of the same store find it by themselves.
func (g *Group) ResumptionPSK(out []byte) error {
	if len(out) != g.suite.Params().Nh {
		return public(check.Errorf(check.V221, "resumption PSK is %d bytes", g.suite.Params().Nh))
	}
	return g.read(func(e *epoch) { copy(out, e.keys.Resumption.Bytes()) })
}

// RatchetTree returns the encoded ratchet tree, for joiners of a group whose
// GroupInfo does not carry it (Config.NoRatchetTree), RFC 9420 §12.4.3.3.
func (g *Group) RatchetTree() (tree []byte) {
	g.read(func(e *epoch) { tree = e.tree.AppendRatchetTree(nil) })
	return tree
}

// GroupInfoOptions say what a GroupInfo carries.
type GroupInfoOptions struct {
	// ExternalPub adds the external public key, which lets anybody who has
	// the GroupInfo join by external commit (RFC 9420 §12.4.3.2): give it out
	// with care.
	ExternalPub bool
	// NoRatchetTree leaves the ratchet tree out; see Group.RatchetTree.
	NoRatchetTree bool
}

// GroupInfo signs a GroupInfo of the current epoch and returns its MLSMessage.
//
// Errors: ErrUseAfterEviction, ErrReInitialized, *SignerError, *RandomError.
func (g *Group) GroupInfo(ctx context.Context, opt GroupInfoOptions) ([]byte, error) {
	e, done, err := g.current()
	if err != nil {
		return nil, err
	}
	defer done()
	gi, err := g.signGroupInfo(ctx, e, opt)
	if err != nil {
		return nil, err
	}
	m := proto.MLSMessage{Version: proto.MLS10, WireFormat: proto.WireFormatGroupInfo, GroupInfo: gi}
	return m.Append(nil), nil
}

// signGroupInfo makes the GroupInfo of an epoch, RFC 9420 §12.4.3.
func (g *Group) signGroupInfo(ctx context.Context, e *epoch, opt GroupInfoOptions) (*proto.GroupInfo, error) {
	gi := &proto.GroupInfo{GroupContext: e.context, ConfirmationTag: e.tag, Signer: e.own}
	if !opt.NoRatchetTree {
		gi.Extensions = append(gi.Extensions, proto.Extension{Type: proto.ExtensionTypeRatchetTree, Data: e.tree.AppendRatchetTree(nil)})
	}
	if opt.ExternalPub {
		key, err := e.keys.ExternalKey()
		if err != nil {
			return nil, &InternalError{err}
		}
		gi.Extensions = append(gi.Extensions, proto.Extension{Type: proto.ExtensionTypeExternalPub, Data: wire.AppendOpaque(nil, key.Public())})
		key.Wipe()
	}
	reserved, err := g.cfg.drawGREASE(g.crypto.Rand())
	if err != nil {
		return nil, err
	}
	gi.Extensions = reserved.extend(gi.Extensions)
	sig, err := labels.SignWithLabel(ctx, e.signer, nil, labels.LabelGroupInfoTBS, gi.AppendTBS(nil))
	if err != nil {
		return nil, &SignerError{err}
	}
	gi.Signature = sig
	gi.Raw = gi.Append(nil)
	return gi, nil
}
