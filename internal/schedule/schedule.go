// Package schedule is the key schedule of RFC 9420 §8. Its types form a chain,
// Joiner → Welcome and Epoch, so that secrets can't be derived in a wrong order.
//
// Whoever gets a value from here owns its secrets and erases it. Values are not
// safe for concurrent use with their Erase, and otherwise immutable.
package schedule

import (
	"fmt"
	"io"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/provider"
)

// A Joiner is the joiner_secret of an epoch, from which a new member starts.
type Joiner struct {
	suite  provider.Suite
	secret *secret.Secret
}

// NewJoiner mixes the commit secret into the init secret of the epoch before, RFC
// 9420 §8. groupContext is the encoded GroupContext of the new epoch.
func NewJoiner(s provider.Suite, initSecret, commitSecret, groupContext []byte) *Joiner {
	j := &Joiner{suite: s, secret: secret.Zero(s.Params().Nh)}
	b := j.secret.Bytes()
	s.Extract(b, initSecret, commitSecret)
	labels.ExpandWithLabel(s, b, b, labels.LabelJoiner, groupContext)
	return j
}

// JoinerFrom takes a joiner_secret out of GroupSecrets; it is Nh bytes.
func JoinerFrom(s provider.Suite, joinerSecret []byte) *Joiner {
	return &Joiner{suite: s, secret: secret.New(joinerSecret)}
}

// Bytes returns the joiner_secret, which lives until Erase.
func (j *Joiner) Bytes() []byte { return j.secret.Bytes() }

// Erase forgets the secret. It is idempotent.
func (j *Joiner) Erase() { j.secret.Erase() }

// member mixes psk_secret in: the secret above welcome_secret and epoch_secret.
func (j *Joiner) member(pskSecret []byte) *secret.Secret {
	m := secret.Zero(j.suite.Params().Nh)
	j.suite.Extract(m.Bytes(), j.Bytes(), pskSecret)
	return m
}

// Welcome derives what encrypts the GroupInfo of a Welcome, RFC 9420 §12.4.3.1.
func (j *Joiner) Welcome(pskSecret []byte) *Welcome {
	s, p := j.suite, j.suite.Params()
	w := &Welcome{secret: secret.Zero(p.Nh), key: secret.Zero(p.Nk), nonce: secret.Zero(p.Nn)}
	m := j.member(pskSecret)
	defer m.Erase()
	labels.DeriveSecret(s, w.secret.Bytes(), m.Bytes(), labels.LabelWelcomeSecret)
	labels.ExpandWithLabel(s, w.key.Bytes(), w.secret.Bytes(), labels.LabelKey, nil)
	labels.ExpandWithLabel(s, w.nonce.Bytes(), w.secret.Bytes(), labels.LabelNonce, nil)
	return w
}

// Epoch derives the secrets of the epoch.
func (j *Joiner) Epoch(pskSecret, groupContext []byte) *Epoch {
	m := j.member(pskSecret)
	defer m.Erase()
	labels.ExpandWithLabel(j.suite, m.Bytes(), m.Bytes(), labels.LabelEpoch, groupContext)
	return EpochFrom(j.suite, m.Bytes())
}

// A Welcome is welcome_secret with the key and nonce derived from it.
type Welcome struct{ secret, key, nonce *secret.Secret }

// Secret returns welcome_secret, which lives until Erase.
func (w *Welcome) Secret() []byte { return w.secret.Bytes() }

// Key returns welcome_key, which lives until Erase.
func (w *Welcome) Key() []byte { return w.key.Bytes() }

// Nonce returns welcome_nonce, which lives until Erase.
func (w *Welcome) Nonce() []byte { return w.nonce.Bytes() }

// Erase forgets the secrets. It is idempotent.
func (w *Welcome) Erase() {
	w.secret.Erase()
	w.key.Erase()
	w.nonce.Erase()
}

// An Epoch holds the secrets of one epoch, RFC 9420 §8. The fields are nil, or
// erased, where a secret was consumed or not restored.
type Epoch struct {
	suite provider.Suite

	SenderData    *secret.Secret // sender_data_secret
	Encryption    *secret.Secret // encryption_secret
	Exporter      *secret.Secret // exporter_secret
	External      *secret.Secret // external_secret
	Confirmation  *secret.Secret // confirmation_key
	Membership    *secret.Secret // membership_key
	Resumption    *secret.Secret // resumption_psk
	Authenticator *secret.Secret // epoch_authenticator
	Init          *secret.Secret // init_secret
}

// EpochFrom derives the secrets below an epoch_secret of Nh bytes, which is not
// kept: a random one begins a group, RFC 9420 §11.
func EpochFrom(s provider.Suite, epochSecret []byte) *Epoch {
	derive := func(label string) *secret.Secret {
		out := secret.Zero(s.Params().Nh)
		labels.DeriveSecret(s, out.Bytes(), epochSecret, label)
		return out
	}
	return &Epoch{
		suite:         s,
		SenderData:    derive(labels.LabelSenderData),
		Encryption:    derive(labels.LabelEncryption),
		Exporter:      derive(labels.LabelExporter),
		External:      derive(labels.LabelExternal),
		Confirmation:  derive(labels.LabelConfirm),
		Membership:    derive(labels.LabelMembership),
		Resumption:    derive(labels.LabelResumption),
		Authenticator: derive(labels.LabelAuthentication),
		Init:          derive(labels.LabelInit),
	}
}

// Restore rebuilds an epoch from its stored secrets, copies of which it keeps. The
// encryption secret and the confirmation key are not among them: they are used
// when the epoch begins.
func Restore(s provider.Suite, senderData, membership, exporter, external, resumption, authenticator, init []byte) *Epoch {
	return &Epoch{
		suite:         s,
		SenderData:    secret.New(senderData),
		Membership:    secret.New(membership),
		Exporter:      secret.New(exporter),
		External:      secret.New(external),
		Resumption:    secret.New(resumption),
		Authenticator: secret.New(authenticator),
		Init:          secret.New(init),
	}
}

// Erase forgets every secret. It is idempotent.
func (e *Epoch) Erase() {
	for _, s := range []*secret.Secret{e.SenderData, e.Encryption, e.Exporter, e.External,
		e.Confirmation, e.Membership, e.Resumption, e.Authenticator, e.Init} {
		s.Erase()
	}
}

// Format prints no secret, whatever the verb.
func (e *Epoch) Format(f fmt.State, _ rune) { io.WriteString(f, "schedule.Epoch(redacted)") }

// ConfirmationTag returns the MAC of a confirmed transcript hash, RFC 9420 §8.1,
// and erases the confirmation key, which makes one tag only.
func (e *Epoch) ConfirmationTag(confirmedTranscriptHash []byte) []byte {
	tag := make([]byte, e.suite.Params().Nh)
	e.suite.MAC(tag, e.Confirmation.Bytes(), confirmedTranscriptHash)
	e.Confirmation.Erase()
	return tag
}

// Export is MLS-Exporter, RFC 9420 §8.5: it fills out, at most 255·Nh bytes (V221).
func (e *Epoch) Export(out []byte, label string, context []byte) error {
	p := e.suite.Params()
	if len(out) > 255*p.Nh {
		return check.Errorf(check.V221, "exporter asked for %d bytes, at most %d", len(out), 255*p.Nh)
	}
	if len(label) > maxLabel {
		return check.Errorf(check.V221, "exporter label of %d bytes", len(label))
	}
	derived := secret.Zero(p.Nh)
	defer derived.Erase()
	labels.DeriveSecret(e.suite, derived.Bytes(), e.Exporter.Bytes(), label)
	hash := make([]byte, p.Nh)
	e.suite.Hash(hash, context)
	labels.ExpandWithLabel(e.suite, out, derived.Bytes(), labels.LabelExported, hash)
	return nil
}

// maxLabel bounds the label of an exporter.
const maxLabel = 1 << 16

// ExternalKey derives the key pair that external commits encapsulate to, RFC 9420
// §8. The caller wipes it.
func (e *Epoch) ExternalKey() (provider.DecryptionKey, error) {
	return e.suite.HPKE().DeriveKey(e.External.Bytes())
}
