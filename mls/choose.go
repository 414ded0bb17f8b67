package mls

import (
	"context"
	"errors"
	"slices"

	"github.com/hardmls/hardmls/internal/proposal"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/secret"
)

// choices is how often a commit is tried with fewer pending proposals; after that
// it is made without any.
const choices = 4

// choose applies what is committed on base: opt's proposals, and of the stored ones
// those that go with them. It returns the secret of the PSKs as well.
//
// A stored one that this client can't commit is left out, so that its sender keeps
// nobody from committing, or from removing it: a PSK that this client does not
// have, a credential that its Authenticator refuses.
func (g *Group) choose(ctx context.Context, env *proposal.Env, base *epoch, stored []storedProposal, opt *CommitOptions) (*change, *secret.Secret, error) {
	all, err := g.candidates(base, stored, opt)
	if err != nil {
		return nil, nil, err
	}
	for round := 1; ; round++ {
		c := &change{base: base.publicState, sender: memberSender(base.own), committer: base.own}
		c.entries = env.Select(all, c.sender)
		if err := env.ValidateList(c.entries, c.sender); err != nil {
			return nil, nil, err
		}
		if err := c.apply(env); err != nil {
			return nil, nil, err
		}
		psk, unfit, err := g.tryChange(ctx, c)
		if err != nil {
			return nil, nil, err
		}
		if psk != nil {
			c.inlineOwn()
			return c, psk, nil
		}
		all = slices.DeleteFunc(all, func(en proposal.Entry) bool {
			return en.Ref != nil && (unfit[string(en.Ref)] || round == choices)
		})
	}
}

// candidates lists what may be committed: pending proposals first, then opt's.
func (g *Group) candidates(base *epoch, stored []storedProposal, opt *CommitOptions) ([]proposal.Entry, error) {
	var all []proposal.Entry
	if !opt.WithoutPending {
		for i := range stored {
			if p := &stored[i].Entry; opt.Filter == nil || opt.Filter(pendingProposalOf(g.suite, p)) {
				all = append(all, *p)
			}
		}
	}
	for _, p := range opt.Proposals {
		if p.wire == nil {
			return nil, errUpdateByValue
		}
		w := p.wire
		if w.Type == proto.ProposalTypePSK {
			var err error
			if w, err = withNonce(g.crypto.Rand(), g.suite, w); err != nil {
				return nil, err
			}
		}
		// A KeyPackage is verified when it is made or parsed.
		all = append(all, proposal.Entry{Proposal: w, Sender: memberSender(base.own), Verified: w.Type == proto.ProposalTypeAdd})
	}
	return all, nil
}

var errUpdateByValue = errors.New("mls: a commit renews the own leaf by its path; an Update can't be committed by its sender")

// tryChange looks up the PSKs of c and authenticates its credentials. If that fails
// for stored proposals only, it returns no secret, but their references.
func (g *Group) tryChange(ctx context.Context, c *change) (psk *secret.Secret, unfit map[string]bool, err error) {
	unfit = make(map[string]bool)
	drop := func(en *proposal.Entry, why error) error {
		if en.Ref == nil {
			return why
		}
		unfit[string(en.Ref)] = true
		return nil
	}
	psk, err = g.pskSecret(ctx, c.result.PSKs)
	defer func() {
		if err != nil || len(unfit) > 0 {
			psk.Erase()
			psk = nil
		}
	}()
	var missing *PSKError
	if err != nil && !errors.As(err, &missing) {
		return nil, nil, err
	}
	for i := range c.entries {
		en := &c.entries[i]
		if missing == nil || en.Proposal.Type != proto.ProposalTypePSK {
			continue
		}
		one, lacks := g.pskSecret(ctx, []*proto.PreSharedKeyID{en.Proposal.PSK})
		one.Erase()
		if lacks != nil {
			if err := drop(en, err); err != nil {
				return nil, nil, err
			}
		}
	}
	refusals, err := askAuthenticator(ctx, &g.cfg, g.id, c.result.NewCredentials)
	for i, refusal := range refusals {
		if refusal != nil && err == nil {
			err = drop(&c.entries[c.result.NewCredentials[i].Proposal], refusal)
		}
	}
	return psk, unfit, err
}

// inlineOwn turns the committer's own stored proposals into ones by value: if it
// stopped between storing and sending one, nobody else knows the reference.
func (c *change) inlineOwn() {
	for i := range c.entries {
		if c.entries[i].Sender == c.sender {
			c.entries[i].Ref = nil
		}
	}
}
