package mls

import (
	"context"
	"errors"
	"time"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proposal"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/provider"
)

// A KeyPackage is what a client publishes to be added to groups, RFC 9420 §10.
// A value of this type was validated: its signatures hold and its keys are well
// formed. Whose it is, the Authenticator decides when it is used.
type KeyPackage struct {
	wire *proto.KeyPackage
	ref  []byte
}

// Bytes returns the encoded MLSMessage of the key package, to publish.
func (kp *KeyPackage) Bytes() []byte {
	m := proto.MLSMessage{Version: proto.MLS10, WireFormat: proto.WireFormatKeyPackage, KeyPackage: kp.wire}
	return m.Append(nil)
}

// Ref returns the KeyPackageRef, RFC 9420 §5.2.
func (kp *KeyPackage) Ref() []byte { return clone(kp.ref) }

// CipherSuite returns the suite of the key package.
func (kp *KeyPackage) CipherSuite() provider.CipherSuite { return kp.wire.CipherSuite }

// Credential returns the credential that the key package claims.
func (kp *KeyPackage) Credential() Credential { return credentialOf(&kp.wire.LeafNode.Credential) }

// SignatureKey returns the signature key of the key package's leaf.
func (kp *KeyPackage) SignatureKey() []byte { return clone(kp.wire.LeafNode.SignatureKey) }

// LastResort reports whether joining does not use the key package up.
func (kp *KeyPackage) LastResort() bool { return isLastResort(kp.wire) }

func isLastResort(kp *proto.KeyPackage) bool {
	_, ok := kp.Extensions.Find(proto.ExtensionType(ExtensionLastResort))
	return ok
}

// Extensions returns the extensions of the key package; those of its leaf are
// the member's.
func (kp *KeyPackage) Extensions() []Extension { return extensionsOf(kp.wire.Extensions) }

// Lifetime returns the span in which the key package is valid.
func (kp *KeyPackage) Lifetime() (notBefore, notAfter time.Time) {
	l := kp.wire.LeafNode.Lifetime
	return time.Unix(int64(min(l.NotBefore, maxUnix)), 0), time.Unix(int64(min(l.NotAfter, maxUnix)), 0)
}

// maxUnix is the year 9999, the last that time.Time can be told about safely.
const maxUnix = 253402300799

// NewKeyPackage makes a key package for signer and credential, with fresh init
// and leaf keys, and stores its private half until a Welcome uses it up. cfg
// gives suite, lifetime, capabilities and leaf extensions. After an error nothing is
// left of it, but for one that wraps provider.ErrOutcomeUnknown: then its keys stay,
// as a record may name them.
func NewKeyPackage(ctx context.Context, p provider.Provider, signer provider.Signer, cred Credential, cfg Config) (*KeyPackage, error) {
	c, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	if p.Storage() == nil {
		return nil, errNoStorage
	}
	s, err := bindSuite(p.Crypto(), c.CipherSuite)
	if err != nil {
		return nil, err
	}
	keys := provider.KeysOf(p)
	initKey, initRef, err := keys.Generate(ctx, s, provider.InitKey)
	if err != nil {
		return nil, &KeyError{"generate", err}
	}
	defer initKey.Wipe()
	defer secret.Wipe(initRef)
	leaf, leafRef, err := c.newLeaf(ctx, p, s, signer, cred)
	if err != nil {
		discardKeys(ctx, keys, initRef)
		return nil, err
	}
	defer secret.Wipe(leafRef)
	kp, err := c.signKeyPackage(ctx, s, signer, leaf, initKey.Public())
	if err == nil {
		err = storeKeyPackage(ctx, p.Storage(), kp, initRef, leafRef)
	}
	if err != nil {
		if !errors.Is(err, provider.ErrOutcomeUnknown) { // else a record may name them
			discardKeys(ctx, keys, initRef, leafRef)
		}
		return nil, err
	}
	return kp, nil
}

// newLeaf makes a leaf node of source key_package with a fresh encryption key.
func (c *config) newLeaf(ctx context.Context, p provider.Provider, s provider.Suite, signer provider.Signer, cred Credential) (*proto.LeafNode, provider.KeyRef, error) {
	if signer.Scheme() != s.Params().Signature {
		return nil, nil, public(check.Errorf(check.V043, "signer's scheme is %v, the suite's %v", signer.Scheme(), s.Params().Signature))
	}
	keys := provider.KeysOf(p)
	key, ref, err := keys.Generate(ctx, s, provider.LeafKey)
	if err != nil {
		return nil, nil, &KeyError{"generate", err}
	}
	defer key.Wipe()
	capabilities := c.wireCapabilities(p.Crypto().CipherSuites())
	g, err := c.drawGREASE(p.Crypto().Rand())
	if err != nil {
		discardKeys(ctx, keys, ref)
		return nil, nil, err
	}
	g.addTo(&capabilities)
	now := c.Now()
	leaf := &proto.LeafNode{
		EncryptionKey: clone(key.Public()),
		SignatureKey:  clone(signer.Public()),
		Credential:    cred.wire(),
		Capabilities:  capabilities,
		Source:        proto.LeafNodeSourceKeyPackage,
		Lifetime: proto.Lifetime{
			NotBefore: uint64(max(0, now.Add(-clockSkew).Unix())),
			NotAfter:  uint64(max(0, now.Add(c.Lifetime).Unix())),
		},
		Extensions: wireExtensions(c.LeafExtensions),
	}
	if err := signLeaf(ctx, s, signer, leaf, nil, 0); err != nil {
		discardKeys(ctx, keys, ref)
		return nil, nil, err
	}
	return leaf, ref, nil
}

// clockSkew is how far other clients' clocks may be behind, RFC 9420 §7.2.
const clockSkew = time.Hour

// signKeyPackage makes a key package of a signed leaf, RFC 9420 §10.
func (c *config) signKeyPackage(ctx context.Context, s provider.Suite, signer provider.Signer, leaf *proto.LeafNode, initKey []byte) (*KeyPackage, error) {
	kp := &proto.KeyPackage{
		Version:     proto.MLS10,
		CipherSuite: s.Params().ID,
		InitKey:     clone(initKey),
		LeafNode:    *leaf,
	}
	if c.LastResort {
		kp.Extensions = append(kp.Extensions, proto.Extension{Type: proto.ExtensionType(ExtensionLastResort)})
	}
	for _, t := range leaf.Capabilities.Extensions {
		if proto.IsGREASE(uint16(t)) { // it has to be listed there
			kp.Extensions = append(kp.Extensions, proto.Extension{Type: t})
		}
	}
	sig, err := labels.SignWithLabel(ctx, signer, nil, labels.LabelKeyPackageTBS, kp.AppendTBS(nil))
	if err != nil {
		return nil, &SignerError{err}
	}
	kp.Signature = sig
	kp.Raw = kp.Append(nil)
	return &KeyPackage{wire: kp, ref: labels.KeyPackageRef(s, kp.Raw)}, nil
}

// storeKeyPackage stores kp. If it returns provider.ErrOutcomeUnknown, the record may
// be there or not; else it is not there after an error.
func storeKeyPackage(ctx context.Context, store provider.Storage, kp *KeyPackage, initRef, leafRef provider.KeyRef) error {
	rec := keyPackageRecord{keyPackage: kp.wire.Raw, initRef: initRef, leafRef: leafRef}
	v := rec.encode()
	defer secret.Wipe(v) // the references may be the keys themselves
	err := store.Apply(ctx, &provider.Batch{Put: []provider.Record{{Key: keyPackageKey(kp.ref), Value: v}}})
	if errors.Is(err, provider.ErrOutcomeUnknown) {
		switch there, readErr := getRecord(ctx, store, keyPackageKey(kp.ref)); {
		case readErr != nil:
		case there != nil:
			secret.Wipe(there)
			return nil
		default:
			err = errLost
		}
	}
	if err != nil {
		return storageError("apply", err)
	}
	return nil
}

var errLost = errors.New("the batch was not applied")

func keyPackageKey(ref []byte) provider.Key { return provider.Key{Kind: kindKeyPackage, ID: ref} }

// ParseKeyPackage decodes and validates a key package, RFC 9420 §10.1: an
// MLSMessage, as NewKeyPackage's Bytes. cfg gives the clock.
func ParseKeyPackage(c provider.Crypto, msg []byte, cfg Config) (*KeyPackage, error) {
	rc, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	m, err := rc.decode(msg)
	if err != nil {
		return nil, public(err)
	}
	if m.KeyPackage == nil {
		return nil, public(check.As(check.V008, check.ClassUnsupported, "not a key package"))
	}
	s, err := bindSuite(c, m.KeyPackage.CipherSuite)
	if err != nil {
		return nil, err
	}
	if err := proposal.ValidateKeyPackage(s, m.KeyPackage, rc.policy(s)); err != nil {
		return nil, public(err)
	}
	return &KeyPackage{wire: m.KeyPackage, ref: labels.KeyPackageRef(s, m.KeyPackage.Raw)}, nil
}

// ImportKeyPackage validates a key package of this client as ParseKeyPackage does
// and stores it, for migration: its private keys exist already, and the references
// name them.
func ImportKeyPackage(ctx context.Context, p provider.Provider, msg []byte, initRef, leafRef provider.KeyRef, cfg Config) (*KeyPackage, error) {
	kp, err := ParseKeyPackage(p.Crypto(), msg, cfg)
	if err != nil {
		return nil, err
	}
	s, err := bindSuite(p.Crypto(), kp.CipherSuite())
	if err != nil {
		return nil, err
	}
	for _, k := range []struct {
		ref provider.KeyRef
		pub []byte
	}{{initRef, kp.wire.InitKey}, {leafRef, kp.wire.LeafNode.EncryptionKey}} {
		key, err := provider.KeysOf(p).Load(ctx, s, k.ref)
		if err != nil {
			return nil, &KeyError{"load", err}
		}
		same := string(key.Public()) == string(k.pub)
		key.Wipe()
		if !same {
			return nil, public(check.Errorf(check.V061, "private key does not fit the key package"))
		}
	}
	return kp, storeKeyPackage(ctx, p.Storage(), kp, initRef, leafRef)
}

// DeleteKeyPackage forgets a key package that was not used, with its private
// keys. One that is not stored is no error. A key that can't be deleted now
// (*KeyError) leaves a tombstone: it is tried again when a group of this store is
// loaded, and by the next DeleteKeyPackage.
func DeleteKeyPackage(ctx context.Context, p provider.Provider, ref []byte) error {
	keys, store := provider.KeysOf(p), p.Storage()
	v, err := getRecord(ctx, store, keyPackageKey(ref))
	if err != nil {
		return err
	}
	if v == nil {
		return sweepTombstones(ctx, keys, store)
	}
	defer secret.Wipe(v)
	var rec keyPackageRecord
	if err := rec.decode(v); err != nil {
		return &RecordError{"key package", err}
	}
	b := &provider.Batch{Delete: []provider.Key{keyPackageKey(ref)}}
	refs := []provider.KeyRef{rec.initRef, rec.leafRef}
	tombstone := func(i int) provider.Key { return provider.Key{Kind: kindTombstone, ID: append(clone(ref), byte(i))} }
	for i, r := range refs {
		if !provider.IsSelfContained(keys, r) {
			b.Put = append(b.Put, provider.Record{Key: tombstone(i), Value: append(newRecord(), r...)})
		}
	}
	if err := store.Apply(ctx, b); err != nil {
		return storageError("apply", err)
	}
	swept := new(provider.Batch)
	for i, r := range refs {
		if deleteErr := keys.Delete(ctx, r); deleteErr != nil {
			err = &KeyError{"delete", deleteErr}
		} else if !provider.IsSelfContained(keys, r) {
			swept.Delete = append(swept.Delete, tombstone(i))
		}
	}
	if len(swept.Delete) > 0 {
		if applyErr := store.Apply(ctx, swept); applyErr != nil && err == nil {
			err = storageError("apply", applyErr)
		}
	}
	return err
}
