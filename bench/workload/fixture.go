// Package workload is what Hardmls is measured with: operations of package mls on
// groups that are made for it, each beside its floor, and a way to time the two in
// turns. The benchmarks of package bench and the command hardmls bench share it.
//
// A floor is the same work done bare: the primitives of the same backend, called
// in order on buffers made before, with keys parsed and HMAC states shared.
package workload

import (
	"context"
	"fmt"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
	"github.com/hardmls/hardmls/storage/mem"
)

// A Setup is what one measurement runs on.
type Setup struct {
	Crypto  provider.Crypto
	Suite   provider.CipherSuite
	Size    int // of a message's plaintext, in bytes
	Members int
	Null    bool // a signer that signs nothing: what an HSM deployment pays itself
}

// accept is the Authenticator of all groups here.
var accept = mls.AuthenticatorFunc(func(context.Context, mls.AuthRequest) error { return nil })

// Config is the configuration of a group that is measured.
func Config(id provider.CipherSuite) mls.Config {
	return mls.Config{
		Authenticator: accept,
		CipherSuite:   id,
		LeaseSize:     100, // what a send costs without its batch
		PastEpochs:    -1,  // nothing is dropped while timing
		OutOfOrder:    mls.DefaultOutOfOrder,
	}
}

// NullSigner returns a constant in no time, for what a send costs beside the
// signature. Nobody can verify it.
type NullSigner struct{ provider.Signer }

// Sign implements provider.Signer.
func (s NullSigner) Sign(_ context.Context, dst, _ []byte) ([]byte, error) {
	return append(dst, zero64[:]...), nil
}

var zero64 [64]byte

// A Client is who can be in a group.
type Client struct {
	Provider   provider.Provider
	Store      *mem.Store
	Signer     provider.Signer
	Credential mls.Credential
}

// NewClient makes a client with a store and a signature key.
func NewClient(crypto provider.Crypto, id provider.CipherSuite, name string) (*Client, error) {
	s, err := crypto.Suite(id)
	if err != nil {
		return nil, err
	}
	signer, err := soft.NewSigner(crypto, s)
	if err != nil {
		return nil, err
	}
	store := mem.New()
	return &Client{provider.Bundle{Backend: crypto, Store: store}, store, signer, mls.BasicCredential([]byte(name))}, nil
}

// keyPackages makes the key packages of Bob and of members that exist as leaves
// only: so many that Alice and they are n.
func keyPackages(crypto provider.Crypto, cfg *mls.Config, bob *Client, n int) ([]*mls.KeyPackage, error) {
	var kps []*mls.KeyPackage
	for i := range n - 1 {
		c := bob
		if i > 0 {
			var err error
			if c, err = NewClient(crypto, cfg.CipherSuite, fmt.Sprint("member ", i+1)); err != nil {
				return nil, err
			}
		}
		kp, err := mls.NewKeyPackage(context.Background(), c.Provider, c.Signer, c.Credential, *cfg)
		if err != nil {
			return nil, err
		}
		kps = append(kps, kp)
	}
	return kps, nil
}

// A Pair is a sender and a receiver in a group.
type Pair struct {
	Alice, Bob *mls.Group
	AliceIs    *Client
	BobIs      *Client
	Welcome    []byte // that Bob joined with
}

// NewPair makes a group of s.Members. The members beside Alice and Bob exist as
// leaves only: added by one commit, never joined.
func NewPair(s Setup, cfg mls.Config) (*Pair, error) {
	p, err := invite(s, cfg)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	staged, err := stage(ctx, p, cfg)
	if err != nil {
		return nil, err
	}
	p.Bob, err = staged.Join(ctx)
	return p, err
}

// invite is NewPair before Bob joins.
func invite(s Setup, cfg mls.Config) (*Pair, error) {
	ctx := context.Background()
	a, err := NewClient(s.Crypto, s.Suite, "alice")
	if err != nil {
		return nil, err
	}
	b, err := NewClient(s.Crypto, s.Suite, "bob")
	if err != nil {
		return nil, err
	}
	p := &Pair{AliceIs: a, BobIs: b}
	if p.Alice, err = mls.NewGroup(ctx, a.Provider, a.Signer, a.Credential, cfg); err != nil {
		return nil, err
	}
	kps, err := keyPackages(s.Crypto, &cfg, b, s.Members)
	if err != nil {
		return nil, err
	}
	bundle, err := p.Alice.AddMembers(ctx, kps...)
	if err != nil {
		return nil, err
	}
	p.Welcome = bundle.Welcome
	return p, p.Alice.MergePending(ctx)
}

// stage opens Bob's Welcome up to the point where he may join.
func stage(ctx context.Context, p *Pair, cfg mls.Config) (*mls.StagedWelcome, error) {
	w, err := mls.OpenWelcome(ctx, p.BobIs.Provider, p.Welcome, cfg)
	if err != nil {
		return nil, err
	}
	return w.Stage(ctx, p.BobIs.Signer)
}

// WithNullSigner loads Alice again, with a signer that signs nothing. Where the two
// write, one fences the other.
func (p *Pair) WithNullSigner(cfg mls.Config) (*mls.Group, error) {
	return mls.LoadGroup(context.Background(), p.AliceIs.Provider, p.Alice.ID(), mls.Signers(NullSigner{p.AliceIs.Signer}), cfg)
}
