package conformance

import (
	"errors"
	"fmt"

	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/ratchettree"
	"github.com/hardmls/hardmls/internal/schedule"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

func decodeTree(s provider.Suite, b []byte) (*ratchettree.Tree, error) {
	return ratchettree.Decode(s, b, 2*treemath.MaxLeaves-1)
}

type treeOperationsCase struct {
	Suite      provider.CipherSuite `json:"cipher_suite"`
	Before     hexBytes             `json:"tree_before"`
	Proposal   hexBytes
	Sender     treemath.LeafIndex `json:"proposal_sender"`
	HashBefore hexBytes           `json:"tree_hash_before"`
	After      hexBytes           `json:"tree_after"`
	HashAfter  hexBytes           `json:"tree_hash_after"`
}

func runTreeOperations(r *runner, c *treeOperationsCase) error {
	s, err := r.suite(c.Suite)
	if err != nil {
		return err
	}
	tree, err := decodeTree(s, c.Before)
	if err != nil {
		return err
	}
	p, err := proto.DecodeProposal(c.Proposal)
	if err != nil {
		return err
	}
	if err := same("tree_hash_before", tree.TreeHash(), c.HashBefore); err != nil {
		return err
	}
	edit := tree.Edit()
	switch p.Type {
	case proto.ProposalTypeAdd:
		edit.Add(&p.Add.LeafNode)
	case proto.ProposalTypeUpdate:
		edit.Update(c.Sender, p.Update)
	case proto.ProposalTypeRemove:
		edit.Remove(p.Remove)
	default:
		return fmt.Errorf("proposal type %d", p.Type)
	}
	after := edit.Finish()
	return all(
		same("tree_after", after.AppendRatchetTree(nil), c.After),
		same("tree_hash_after", after.TreeHash(), c.HashAfter),
		same("the tree before", tree.AppendRatchetTree(nil), c.Before))
}

type treeValidationCase struct {
	Suite       provider.CipherSuite `json:"cipher_suite"`
	Tree        hexBytes
	GroupID     hexBytes `json:"group_id"`
	Resolutions [][]treemath.NodeIndex
	Hashes      []hexBytes `json:"tree_hashes"`
}

func runTreeValidation(r *runner, c *treeValidationCase) error {
	s, err := r.suite(c.Suite)
	if err != nil {
		return err
	}
	tree, err := decodeTree(s, c.Tree)
	if err != nil {
		return err
	}
	if n := int(treemath.Width(tree.LeafCount())); n != len(c.Resolutions) || n != len(c.Hashes) {
		return fmt.Errorf("%d nodes, want %d", n, len(c.Resolutions))
	}
	for i, want := range c.Resolutions {
		got := tree.Resolution(nil, treemath.NodeIndex(i))
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("resolution of %d is %v, want %v", i, got, want)
		}
		if err := same(fmt.Sprintf("tree hash of %d", i), tree.NodeHash(treemath.NodeIndex(i)), c.Hashes[i]); err != nil {
			return err
		}
	}
	return all(tree.VerifyUniqueKeys(), tree.VerifyParentHashes(), tree.VerifyLeafSignatures(c.GroupID),
		same("encoding", tree.AppendRatchetTree(nil), c.Tree))
}

type treeKEMCase struct {
	Suite     provider.CipherSuite `json:"cipher_suite"`
	GroupID   hexBytes             `json:"group_id"`
	Epoch     uint64
	Confirmed hexBytes `json:"confirmed_transcript_hash"`
	Tree      hexBytes `json:"ratchet_tree"`
	Leaves    []struct {
		Index      treemath.LeafIndex
		Encryption hexBytes `json:"encryption_priv"`
		Signature  hexBytes `json:"signature_priv"`
		Secrets    []struct {
			Node   treemath.NodeIndex
			Secret hexBytes `json:"path_secret"`
		} `json:"path_secrets"`
	} `json:"leaves_private"`
	Paths []treeKEMPath `json:"update_paths"`
}

type treeKEMPath struct {
	Sender  treemath.LeafIndex
	Path    hexBytes    `json:"update_path"`
	Secrets []*hexBytes `json:"path_secrets"`
	Commit  hexBytes    `json:"commit_secret"`
	Hash    hexBytes    `json:"tree_hash_after"`
}

// treeKEM is a case with its members.
type treeKEM struct {
	*treeKEMCase
	r       *runner
	s       provider.Suite
	tree    *ratchettree.Tree
	members map[treemath.LeafIndex]*ratchettree.Private
	signers map[treemath.LeafIndex]provider.Signer
}

func runTreeKEM(r *runner, c *treeKEMCase) error {
	s, err := r.suite(c.Suite)
	if err != nil {
		return err
	}
	k := &treeKEM{treeKEMCase: c, r: r, s: s, members: make(map[treemath.LeafIndex]*ratchettree.Private),
		signers: make(map[treemath.LeafIndex]provider.Signer)}
	if k.tree, err = decodeTree(s, c.Tree); err != nil {
		return err
	}
	if err := k.join(); err != nil {
		return err
	}
	for i := range c.Paths {
		if err := k.follow(&c.Paths[i]); err != nil {
			return fmt.Errorf("path of %d: %w", c.Paths[i].Sender, err)
		}
		if err := k.renew(c.Paths[i].Sender); err != nil {
			return fmt.Errorf("new path of %d: %w", c.Paths[i].Sender, err)
		}
	}
	return nil
}

// join restores each member's own half, which checks that it fits the tree.
func (k *treeKEM) join() error {
	for _, l := range k.Leaves {
		key, _, err := k.r.b.ImportKey(k.s, l.Encryption)
		if err != nil {
			return err
		}
		if err := same("encryption key", key.Public(), k.tree.Leaf(l.Index).EncryptionKey); err != nil {
			return err
		}
		p := ratchettree.NewPrivate(l.Index, key)
		for _, n := range l.Secrets {
			if err := p.Restore(k.tree, n.Node, k.nodeSecret(n.Secret)); err != nil {
				return err
			}
		}
		k.members[l.Index] = p
		if k.signers[l.Index], err = k.r.b.ImportSigner(k.s, l.Signature); err != nil {
			return err
		}
	}
	return nil
}

func (k *treeKEM) nodeSecret(pathSecret []byte) []byte {
	out := make([]byte, k.s.Params().Nh)
	labels.DeriveSecret(k.s, out, pathSecret, labels.LabelNodeSecret)
	return out
}

// context is the GroupContext that paths of this case are encrypted under.
func (k *treeKEM) context(tree *ratchettree.Tree) []byte {
	gc := proto.GroupContext{Version: proto.MLS10, CipherSuite: k.Suite, GroupID: k.GroupID, Epoch: k.Epoch,
		TreeHash: tree.TreeHash(), ConfirmedTranscriptHash: k.Confirmed}
	return gc.Append(nil)
}

// follow lets every other member process a path of the vectors.
func (k *treeKEM) follow(v *treeKEMPath) error {
	path, err := proto.DecodeUpdatePath(v.Path)
	if err != nil {
		return err
	}
	edit := k.tree.Edit()
	if err := edit.ApplyPath(v.Sender, path, nil); err != nil {
		return err
	}
	after := edit.Finish()
	if err := all(same("tree hash", after.TreeHash(), v.Hash), after.VerifyParentHashes()); err != nil {
		return err
	}
	for own, p := range k.members {
		if own == v.Sender {
			continue
		}
		next, commit, err := after.OpenPath(k.r.ctx, p, v.Sender, path, k.context(after), nil)
		if err != nil {
			return fmt.Errorf("member %d: %w", own, err)
		}
		if int(own) >= len(v.Secrets) || v.Secrets[own] == nil {
			return fmt.Errorf("no path secret for member %d", own)
		}
		shared := treemath.CommonAncestor(own.Node(), v.Sender.Node())
		if err := all(same("commit secret", commit.Bytes(), v.Commit),
			k.has(next, shared, k.nodeSecret(*v.Secrets[own]))); err != nil {
			return fmt.Errorf("member %d: %w", own, err)
		}
		next.Erase()
	}
	return nil
}

// has checks the node secret that a member holds for a node.
func (k *treeKEM) has(p *ratchettree.Private, x treemath.NodeIndex, want []byte) error {
	err := fmt.Errorf("no secret of node %d", x)
	p.Secrets(func(y treemath.NodeIndex, s *secret.Secret) bool {
		if x != y {
			return true
		}
		err = same(fmt.Sprintf("secret of node %d", x), s.Bytes(), want)
		return false
	})
	return err
}

// renew makes a path of our own that every other member processes.
func (k *treeKEM) renew(sender treemath.LeafIndex) error {
	leafKey, _, err := k.r.b.Crypto.SoftwareKeys().Generate(k.r.ctx, k.s, provider.LeafKey)
	if err != nil {
		return err
	}
	pathSecret := make([]byte, k.s.Params().Nh)
	if _, err := k.r.b.Crypto.Rand().Read(pathSecret); err != nil {
		return err
	}
	edit := k.tree.Edit()
	path, err := edit.BeginPath(sender, pathSecret, func(parentHash []byte) (*proto.LeafNode, error) {
		leaf := *k.tree.Leaf(sender)
		leaf.Raw, leaf.EncryptionKey = nil, leafKey.Public()
		leaf.Source, leaf.Lifetime, leaf.ParentHash = proto.LeafNodeSourceCommit, proto.Lifetime{}, parentHash
		sig, err := labels.SignWithLabel(k.r.ctx, k.signers[sender], nil, labels.LabelLeafNodeTBS, leaf.AppendTBS(nil, k.GroupID, sender))
		leaf.Signature = sig
		leaf.Raw = leaf.Append(nil)
		return &leaf, err
	})
	if err != nil {
		return err
	}
	defer path.Erase()
	after := edit.Finish()
	sealed, err := path.Seal(k.context(after), nil)
	if err != nil {
		return err
	}
	if sealed, err = proto.DecodeUpdatePath(sealed.Append(nil)); err != nil {
		return err
	}
	received := k.tree.Edit()
	if err := received.ApplyPath(sender, sealed, nil); err != nil {
		return err
	}
	theirs := received.Finish()
	if err := all(same("tree hash", theirs.TreeHash(), after.TreeHash()), theirs.VerifyParentHashes()); err != nil {
		return err
	}
	want := path.CommitSecret()
	defer want.Erase()
	for own, p := range k.members {
		if own == sender {
			continue
		}
		next, commit, err := theirs.OpenPath(k.r.ctx, p, sender, sealed, k.context(theirs), nil)
		if err != nil {
			return fmt.Errorf("member %d: %w", own, err)
		}
		next.Erase()
		if !commit.Equal(want) {
			return fmt.Errorf("member %d has another commit secret", own)
		}
	}
	return nil
}

type welcomeCase struct {
	Suite      provider.CipherSuite `json:"cipher_suite"`
	InitPriv   hexBytes             `json:"init_priv"`
	SignerPub  hexBytes             `json:"signer_pub"`
	KeyPackage hexBytes             `json:"key_package"`
	Welcome    hexBytes
}

func runWelcome(r *runner, c *welcomeCase) error {
	s, err := r.suite(c.Suite)
	if err != nil {
		return err
	}
	kp, err := proto.DecodeMLSMessage(c.KeyPackage)
	if err != nil {
		return err
	}
	m, err := proto.DecodeMLSMessage(c.Welcome)
	if err != nil {
		return err
	}
	if kp.KeyPackage == nil || m.Welcome == nil {
		return errors.New("not a key package and a welcome")
	}
	gs, err := openWelcome(r, s, c, kp.KeyPackage, m.Welcome)
	if err != nil {
		return err
	}
	joiner, psk := schedule.JoinerFrom(s, gs.JoinerSecret), schedule.PSKSecret(s, nil)
	w := joiner.Welcome(psk.Bytes())
	raw, err := s.Open(nil, w.Key(), w.Nonce(), m.Welcome.EncryptedGroupInfo, nil)
	if err != nil {
		return err
	}
	gi, err := proto.DecodeGroupInfo(raw)
	if err != nil {
		return err
	}
	keys := joiner.Epoch(psk.Bytes(), gi.GroupContext.Append(nil))
	return all(
		labels.VerifyWithLabel(s, c.SignerPub, labels.LabelGroupInfoTBS, gi.AppendTBS(nil), gi.Signature),
		same("confirmation_tag", keys.ConfirmationTag(gi.GroupContext.ConfirmedTranscriptHash), gi.ConfirmationTag))
}

// openWelcome decrypts the part of a Welcome that is for a key package.
func openWelcome(r *runner, s provider.Suite, c *welcomeCase, kp *proto.KeyPackage, w *proto.Welcome) (*proto.GroupSecrets, error) {
	key, _, err := r.b.ImportKey(s, c.InitPriv)
	if err != nil {
		return nil, err
	}
	ref := labels.KeyPackageRef(s, kp.Raw)
	for i := range w.Secrets {
		if string(w.Secrets[i].NewMember) != string(ref) {
			continue
		}
		ct := &w.Secrets[i].EncryptedGroupSecrets
		info := labels.AppendEncryptContext(nil, labels.LabelWelcome, w.EncryptedGroupInfo)
		b, err := s.HPKE().Open(r.ctx, nil, key, ct.KEMOutput, info, nil, ct.Ciphertext)
		if err != nil {
			return nil, err
		}
		return proto.DecodeGroupSecrets(b)
	}
	return nil, errors.New("no entry for the key package")
}
