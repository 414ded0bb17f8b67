package mls

import (
	"github.com/hardmls/hardmls/internal/framing"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/ratchettree"
	"github.com/hardmls/hardmls/internal/schedule"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/internal/secrettree"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// publicState is what an observer of a group knows of an epoch: RFC 9420 §8.1's
// GroupContext, the ratchet tree and the transcript. It is immutable and shared
// between the epoch and whatever is staged on it.
type publicState struct {
	suite        provider.Suite
	context      proto.GroupContext
	contextBytes []byte // encoding of context
	tree         *ratchettree.Tree
	interim      []byte // interim transcript hash
	tag          []byte // confirmation tag of the commit that began the epoch
}

// setContext sets the context to a copy of c: a decoded one borrows from its
// message, which can be megabytes that an epoch would keep in memory.
func (s *publicState) setContext(c *proto.GroupContext) {
	s.contextBytes = c.Append(nil)
	r := wire.NewReader(s.contextBytes)
	s.context.Decode(&r)
	if r.Err() != nil { // not one that a message could have
		s.context = *c
	}
}

// epoch is the current epoch of a group, or a staged next one, as a member sees
// it. It is immutable but for its messages.
type epoch struct {
	*publicState
	own      treemath.LeafIndex
	signer   provider.Signer
	private  *ratchettree.Private
	leafRef  provider.KeyRef // the own leaf's encryption key
	borrowed bool            // the leaf key belongs to a last-resort key package as well
	keys     *schedule.Epoch
	messages *messages
	life
}

// messages is the half of an epoch that protects messages, RFC 9420 §6.3 and §9.
// It outlives its epoch by Config.PastEpochs. Group.mu guards all but frames,
// which is immutable.
type messages struct {
	number  uint64
	own     treemath.LeafIndex
	context []byte // encoded GroupContext
	frames  *framing.Epoch
	secrets *secrettree.Tree

	inflight uint32 // application sends between frame and take
	leased   uint32 // first own application generation that is not reserved on disk
	void     uint32 // own application generations below it are never used, unless below leased
	life
}

// past is an epoch before the current one, kept to open late messages. replaced
// holds the signature keys of the leaves that the next epoch changed, as they
// were: nil for a blank one.
type past struct {
	*messages
	retired  int64 // when the commit that ended it was processed, in Unix seconds
	replaced map[treemath.LeafIndex][]byte
}

// life counts the operations that read a value without Group.mu, so that its
// secrets are erased when it is over and none is left. Group.mu guards it.
type life struct {
	users int
	gone  bool
}

func (l *life) acquire() { l.users++ }

// release reports whether the value is to be erased now.
func (l *life) release() bool {
	l.users--
	return l.gone && l.users == 0
}

// end reports whether the value is to be erased now.
func (l *life) end() bool {
	l.gone = true
	return l.users == 0
}

// ownedRef returns the reference of the own leaf's key if the epoch is the only
// one that needs it, else nil.
func (e *epoch) ownedRef() provider.KeyRef {
	if e.borrowed {
		return nil
	}
	return e.leafRef
}

func (e *epoch) number() uint64 { return e.context.Epoch }

// erase forgets the secrets of the epoch proper; messages go their own way. An
// epoch whose making failed may lack a half.
func (e *epoch) erase() {
	if e.private != nil {
		e.private.Erase()
	}
	if e.keys != nil {
		e.keys.Erase()
	}
	secret.Wipe(e.leafRef)
}

// eraseAll forgets both halves of an epoch that never was a group's current one.
func (e *epoch) eraseAll() {
	e.erase()
	if e.messages != nil {
		e.messages.erase()
	}
}

func (m *messages) erase() {
	m.frames.Erase()
	m.secrets.Erase()
}

// newMessages binds the message keys of an epoch, RFC 9420 §8.
func newMessages(pub *publicState, keys *schedule.Epoch, own treemath.LeafIndex, secrets *secrettree.Tree) *messages {
	return &messages{
		number:  pub.context.Epoch,
		own:     own,
		context: pub.contextBytes,
		frames: framing.NewEpoch(pub.suite, pub.context.GroupID, pub.context.Epoch, pub.contextBytes,
			keys.SenderData.Bytes(), keys.Membership.Bytes()),
		secrets: secrets,
	}
}

// replacedKeys returns the signature keys of before's leaves that differ in after.
func replacedKeys(before, after *ratchettree.Tree) map[treemath.LeafIndex][]byte {
	m := make(map[treemath.LeafIndex][]byte)
	for x := range after.Changed(before) {
		if x.IsLeaf() {
			m[x.Leaf()] = clone(before.SignatureKey(x.Leaf())) // not all of the leaf
		}
	}
	return m
}
