package ratchettree

import (
	"bytes"
	"context"
	"testing"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// spySuite remembers what its HPKE hands out: keys, whether they were wiped, and
// plaintexts.
type spySuite struct {
	provider.Suite
	spy *spyHPKE
}

func (s spySuite) HPKE() provider.HPKE { return s.spy }

type spyHPKE struct {
	provider.HPKE
	keys   []*spyKey
	opened [][]byte
}

type spyKey struct {
	provider.DecryptionKey
	wiped bool
}

func (k *spyKey) Wipe() {
	k.wiped = true
	k.DecryptionKey.Wipe()
}

func (h *spyHPKE) DeriveKey(ikm []byte) (provider.DecryptionKey, error) {
	key, err := h.HPKE.DeriveKey(ikm)
	if err != nil {
		return nil, err
	}
	k := &spyKey{DecryptionKey: key}
	h.keys = append(h.keys, k)
	return k, nil
}

func (h *spyHPKE) Open(ctx context.Context, dst []byte, key provider.DecryptionKey, enc, info, ad, ct []byte) ([]byte, error) {
	if k, ok := key.(*spyKey); ok {
		key = k.DecryptionKey
	}
	out, err := h.HPKE.Open(ctx, dst, key, enc, info, ad, ct)
	h.opened = append(h.opened, out)
	return out, err
}

func (h *spyHPKE) wiped(from int) (n int) {
	for _, k := range h.keys[from:] {
		if k.wiped {
			n++
		}
	}
	return n
}

func zero(b []byte) bool { return bytes.Equal(b, make([]byte, len(b))) }

// TestErase shows that secrets are wiped when the last that shares them is erased,
// not before, and that nothing of a received path is left but what is returned.
func TestErase(t *testing.T) {
	spy := &spyHPKE{HPKE: toySuite(t).HPKE()}
	s := spySuite{toySuite(t), spy}
	g := grown(t, s, 8, 0)
	e := g.tree.Edit()
	first := len(spy.keys)
	path, err := e.BeginPath(2, g.random(s.Params().Nh), func(hash []byte) (*proto.LeafNode, error) {
		leaf, _ := g.newLeaf(proto.LeafNodeSourceCommit)
		leaf.ParentHash = hash
		return leaf, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	next := e.Finish()
	up, err := path.Seal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var pathSecrets, nodeSecrets [][]byte
	for _, s := range path.secrets {
		pathSecrets = append(pathSecrets, s.Bytes())
	}
	own := path.Private(g.newKey())
	own.Secrets(func(_ treemath.NodeIndex, s *secret.Secret) bool {
		nodeSecrets = append(nodeSecrets, s.Bytes())
		return true
	})
	later := own.Prune(next)
	path.Erase()
	path.Erase()
	for i, b := range pathSecrets {
		if !zero(b) {
			t.Errorf("path secret %d is left", i)
		}
	}
	own.Erase()
	own.Erase()
	if n := spy.wiped(first); n != 0 {
		t.Errorf("%d keys wiped that a version still has", n)
	}
	later.Erase()
	if n := spy.wiped(first); n != len(path.nodes)+1 { // and that of the leaf
		t.Errorf("%d keys wiped, want %d", n, len(path.nodes)+1)
	}
	for i, b := range nodeSecrets {
		if !zero(b) {
			t.Errorf("node secret %d is left", i)
		}
	}

	// receiving, also of a path whose upper part is wrong
	for _, broken := range []bool{false, true} {
		spy.opened, first = nil, len(spy.keys)
		tree := next
		if broken {
			nodes := deepNodes(next)
			nodes[7].Parent.EncryptionKey = g.newKey().Public()
			if tree, err = FromNodes(s, nodes); err != nil {
				t.Fatal(err)
			}
			first = len(spy.keys)
		}
		q, commit, err := tree.OpenPath(t.Context(), g.priv[1], 2, up, nil, nil)
		if (err != nil) != broken {
			t.Fatal(err)
		}
		if len(spy.opened) != 1 || !zero(spy.opened[0]) {
			t.Error("the decrypted path secret is left")
		}
		if broken {
			if n := len(spy.keys) - first; n == 0 || spy.wiped(first) != n {
				t.Errorf("of a refused path %d of %d keys are wiped", spy.wiped(first), n)
			}
			continue
		}
		commit.Erase()
		q.Erase()
	}

	// a path secret of a wrong length
	short := g.random(s.Params().Nh - 1)
	ct := &up.Nodes[1].EncryptedPathSecret[0]
	job := provider.SealJob{Pub: g.tree.encryptionKey(1), Plaintext: short, Enc: ct.KEMOutput, CT: make([]byte, len(short)+s.Params().Nt)}
	if err := s.HPKE().SealMany(encryptInfo(""), nil, []provider.SealJob{job}); err != nil {
		t.Fatal(err)
	}
	ct.Ciphertext, spy.opened = job.CT, nil
	if _, _, err := next.OpenPath(t.Context(), g.priv[1], 2, up, nil, nil); err == nil {
		t.Error("a short path secret is accepted")
	}
	if len(spy.opened) != 1 || !zero(spy.opened[0]) {
		t.Error("the short path secret is left")
	}
}
