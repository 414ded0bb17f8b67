package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
	"github.com/hardmls/hardmls/storage/mem"
)

// queue is a delivery service in memory: an ordered queue per member.
type queue struct{ waiting map[string][][]byte }

func newQueue() *queue { return &queue{make(map[string][][]byte)} }

// publish queues msg for everybody but the sender.
func (q *queue) publish(from string, msg []byte) {
	for name := range q.waiting {
		if name != from {
			q.waiting[name] = append(q.waiting[name], msg)
		}
	}
}

func (q *queue) join(name string)    { q.waiting[name] = nil }
func (q *queue) len(name string) int { return len(q.waiting[name]) }
func (q *queue) drop(name string)    { delete(q.waiting, name) }

func (q *queue) next(name string) []byte {
	msg := q.waiting[name][0]
	q.waiting[name] = q.waiting[name][1:]
	return msg
}

// member is one client of the demo, with a store of its own.
type member struct {
	name     string
	p        provider.Provider
	store    *mem.Store
	signer   provider.Signer
	cfg      mls.Config
	group    *mls.Group
	queue    *queue
	received hash.Hash
}

// trustAll accepts every credential: the members of the demo know each other.
var trustAll = mls.AuthenticatorFunc(func(context.Context, mls.AuthRequest) error { return nil })

func newMember(crypto provider.Crypto, id provider.CipherSuite, name string, q *queue) (*member, error) {
	suite, err := crypto.Suite(id)
	if err != nil {
		return nil, err
	}
	signer, err := soft.NewSigner(crypto, suite)
	if err != nil {
		return nil, err
	}
	store := mem.New()
	return &member{
		name: name, store: store, signer: signer, queue: q, received: sha256.New(),
		p:   provider.Bundle{Backend: crypto, Store: store},
		cfg: mls.Config{Authenticator: trustAll, CipherSuite: id, LeaseSize: 1},
	}, nil
}

func (m *member) fail(what string, err error) error {
	return fmt.Errorf("%s: %s: %w", m.name, what, err)
}

func (m *member) create(ctx context.Context) (err error) {
	if m.group, err = mls.NewGroup(ctx, m.p, m.signer, mls.BasicCredential([]byte(m.name)), m.cfg); err != nil {
		return m.fail("create group", err)
	}
	m.queue.join(m.name)
	return nil
}

// add lets others into the group: key packages, commit, Welcome.
func (m *member) add(ctx context.Context, others ...*member) (*mls.CommitBundle, error) {
	var opt mls.CommitOptions
	for _, o := range others {
		kp, err := mls.NewKeyPackage(ctx, o.p, o.signer, mls.BasicCredential([]byte(o.name)), o.cfg)
		if err != nil {
			return nil, o.fail("key package", err)
		}
		opt.Proposals = append(opt.Proposals, mls.AddProposal(kp))
	}
	bundle, err := m.commit(ctx, opt)
	if err != nil {
		return nil, err
	}
	for _, o := range others {
		if err := o.join(ctx, bundle.Welcome); err != nil {
			return nil, err
		}
	}
	return bundle, nil
}

func (m *member) join(ctx context.Context, welcome []byte) error {
	w, err := mls.OpenWelcome(ctx, m.p, welcome, m.cfg)
	if err != nil {
		return m.fail("open welcome", err)
	}
	staged, err := w.Stage(ctx, m.signer)
	if err != nil {
		return m.fail("verify welcome", err)
	}
	if m.group, err = staged.Join(ctx); err != nil {
		return m.fail("join", err)
	}
	m.queue.join(m.name)
	return nil
}

// commit makes a commit, publishes it, and merges it: the queue accepts all.
func (m *member) commit(ctx context.Context, opt mls.CommitOptions) (*mls.CommitBundle, error) {
	bundle, err := m.group.Commit(ctx, opt)
	if err != nil {
		return nil, m.fail("commit", err)
	}
	m.queue.publish(m.name, bundle.Commit)
	if err := m.group.MergePending(ctx); err != nil {
		return nil, m.fail("merge commit", err)
	}
	return bundle, nil
}

func (m *member) send(ctx context.Context, data, aad []byte) error {
	msg, err := m.group.CreateMessage(ctx, data, mls.MessageOptions{AAD: aad})
	if err != nil {
		return m.fail("send", err)
	}
	m.queue.publish(m.name, msg)
	return nil
}

// receive handles the next n waiting messages.
func (m *member) receive(ctx context.Context, n int) error {
	for range n {
		out, err := m.group.Process(ctx, m.queue.next(m.name), mls.ProcessOptions{})
		if err != nil {
			return m.fail("receive", err)
		}
		switch out := out.(type) {
		case *mls.ApplicationMessage:
			m.received.Write(out.Data)
		case *mls.StagedCommit:
			if err := m.group.Merge(ctx, out); err != nil {
				return m.fail("merge", err)
			}
		}
	}
	return nil
}

// reload forgets the group in memory and loads it from the store.
func (m *member) reload(ctx context.Context) error {
	id := m.group.ID()
	if err := m.group.Close(ctx); err != nil {
		return m.fail("save", err)
	}
	g, err := mls.LoadGroup(ctx, m.p, id, mls.Signers(m.signer), m.cfg)
	if err != nil {
		return m.fail("load", err)
	}
	m.group = g
	return nil
}
