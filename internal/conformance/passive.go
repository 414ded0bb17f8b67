package conformance

import (
	"context"
	"fmt"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
)

type passiveCase struct {
	Suite provider.CipherSuite `json:"cipher_suite"`
	PSKs  []struct {
		ID  hexBytes `json:"psk_id"`
		PSK hexBytes `json:"psk"`
	} `json:"external_psks"`
	KeyPackage    hexBytes `json:"key_package"`
	Signature     hexBytes `json:"signature_priv"`
	Encryption    hexBytes `json:"encryption_priv"`
	Init          hexBytes `json:"init_priv"`
	Welcome       hexBytes
	Tree          hexBytes `json:"ratchet_tree"`
	Authenticator hexBytes `json:"initial_epoch_authenticator"`
	Epochs        []struct {
		Proposals     []hexBytes
		Commit        hexBytes
		Authenticator hexBytes `json:"epoch_authenticator"`
	}
}

// passiveConfig accepts whoever the vectors come from, and keeps what they use
// later.
func passiveConfig(id provider.CipherSuite) mls.Config {
	return mls.Config{
		Authenticator:  mls.AuthenticatorFunc(func(context.Context, mls.AuthRequest) error { return nil }),
		CipherSuite:    id,
		WireFormat:     mls.MixedPlaintext,
		SkipLifetime:   true,
		MaxLifetime:    -1,
		ResumptionPSKs: -1,
	}
}

// runPassive follows a group from its Welcome, as an application would.
func runPassive(r *runner, c *passiveCase) error {
	s, err := r.suite(c.Suite)
	if err != nil {
		return err
	}
	store := r.b.Store()
	p := provider.Bundle{Backend: r.b.Crypto, Store: store}
	cfg := passiveConfig(c.Suite)
	signer, err := r.b.ImportSigner(s, c.Signature)
	if err != nil {
		return err
	}
	if err := c.prepare(r, s, p); err != nil {
		return err
	}
	w, err := mls.OpenWelcome(r.ctx, p, c.Welcome, cfg)
	if err != nil {
		return fmt.Errorf("open welcome: %w", err)
	}
	var opts []mls.JoinOption
	if len(c.Tree) > 0 {
		opts = append(opts, mls.WithRatchetTree(c.Tree))
	}
	staged, err := w.Stage(r.ctx, signer, opts...)
	if err != nil {
		return fmt.Errorf("stage welcome: %w", err)
	}
	g, err := staged.Join(r.ctx)
	if err != nil {
		return fmt.Errorf("join: %w", err)
	}
	if err := same("initial_epoch_authenticator", g.EpochAuthenticator(), c.Authenticator); err != nil {
		return err
	}
	for i := range c.Epochs {
		if err := c.follow(r, g, i); err != nil {
			return fmt.Errorf("epoch %d: %w", i, err)
		}
	}
	return nil
}

// prepare stores the key package with its private keys, and the PSKs.
func (c *passiveCase) prepare(r *runner, s provider.Suite, p provider.Provider) error {
	_, initRef, err := r.b.ImportKey(s, c.Init)
	if err != nil {
		return err
	}
	_, leafRef, err := r.b.ImportKey(s, c.Encryption)
	if err != nil {
		return err
	}
	if _, err := mls.ImportKeyPackage(r.ctx, p, c.KeyPackage, initRef, leafRef, passiveConfig(c.Suite)); err != nil {
		return fmt.Errorf("import key package: %w", err)
	}
	for _, psk := range c.PSKs {
		if err := mls.PutPSK(r.ctx, p, psk.ID, psk.PSK); err != nil {
			return err
		}
	}
	return nil
}

// follow processes the proposals and the commit of one epoch.
func (c *passiveCase) follow(r *runner, g *mls.Group, i int) error {
	e := &c.Epochs[i]
	for k, msg := range e.Proposals {
		if _, err := g.Process(r.ctx, msg, mls.ProcessOptions{}); err != nil {
			return fmt.Errorf("proposal %d: %w", k, err)
		}
	}
	out, err := g.Process(r.ctx, e.Commit, mls.ProcessOptions{})
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	st, ok := out.(*mls.StagedCommit)
	if !ok {
		return fmt.Errorf("commit is a %T", out)
	}
	if err := g.Merge(r.ctx, st); err != nil {
		return fmt.Errorf("merge: %w", err)
	}
	return same("epoch_authenticator", g.EpochAuthenticator(), e.Authenticator)
}
