package workload

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/ratchettree"
	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
)

// bare are the primitives of floors of group operations.
type bare struct {
	suite  provider.Suite
	signer provider.Signer
	keys   provider.Keys
	tbs    []byte // what a leaf or a handshake message signs, about
	sig    []byte
	secret [provider.MaxNh]byte
}

// leafTBS is about what LeafNodeTBS holds.
const leafTBS = 200

func newBare(s Setup) (*bare, error) {
	suite, err := s.Crypto.Suite(s.Suite)
	if err != nil {
		return nil, err
	}
	signer, err := soft.NewSigner(s.Crypto, suite)
	if err != nil {
		return nil, err
	}
	b := &bare{suite: suite, signer: signer, keys: s.Crypto.SoftwareKeys(), tbs: make([]byte, leafTBS)}
	b.sig, err = signer.Sign(context.Background(), nil, b.tbs)
	return b, err
}

func (b *bare) sign(n int) error {
	for range n {
		if _, err := b.signer.Sign(context.Background(), nil, b.tbs); err != nil {
			return err
		}
	}
	return nil
}

func (b *bare) verify(n int) error {
	for range n {
		if err := b.suite.Verify(b.signer.Public(), b.tbs, b.sig); err != nil {
			return err
		}
	}
	return nil
}

// verifyMany verifies n signatures over all cores.
func (b *bare) verifyMany(n int) error {
	workers := min(runtime.GOMAXPROCS(0), n)
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { errs[w] = b.verify((w+1)*n/workers - w*n/workers) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// derive derives n node keys.
func (b *bare) derive(n int) error {
	for range n {
		key, err := b.suite.HPKE().DeriveKey(b.secret[:b.suite.Params().Nh])
		if err != nil {
			return err
		}
		key.Wipe()
	}
	return nil
}

func (b *bare) generate(n int) error {
	for range n {
		key, _, err := b.keys.Generate(context.Background(), b.suite, provider.LeafKey)
		if err != nil {
			return err
		}
		key.Wipe()
	}
	return nil
}

// seals are n HPKE encryptions of secrets of the suite's hash length.
func (b *bare) seals(n int) ([]provider.SealJob, error) {
	p := b.suite.Params()
	key, err := b.suite.HPKE().DeriveKey(b.secret[:p.Nh])
	if err != nil {
		return nil, err
	}
	jobs := make([]provider.SealJob, n)
	for i := range jobs {
		jobs[i] = provider.SealJob{Pub: key.Public(), Plaintext: b.secret[:p.Nh], Enc: make([]byte, p.Nenc), CT: make([]byte, p.Nh+p.Nt)}
	}
	return jobs, nil
}

// opener returns a function that opens one of the secrets that seals encrypts.
func (b *bare) opener() (func() error, error) {
	jobs, err := b.seals(1)
	if err != nil {
		return nil, err
	}
	h := b.suite.HPKE()
	if err := h.SealMany(nil, nil, jobs); err != nil {
		return nil, err
	}
	key, err := h.DeriveKey(b.secret[:b.suite.Params().Nh])
	if err != nil {
		return nil, err
	}
	buf := make([]byte, 0, provider.MaxNh+provider.MaxNt)
	return func() error {
		_, err := h.Open(context.Background(), buf, key, jobs[0].Enc, nil, nil, jobs[0].CT)
		return err
	}, nil
}

// each returns the first error of steps that are done in order.
func each(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// makeKeyPackage makes and stores a key package. Its floor makes two keys and signs
// twice.
func makeKeyPackage(s Setup) (*Run, error) {
	c, err := NewClient(s.Crypto, s.Suite, "alice")
	if err != nil {
		return nil, err
	}
	b, err := newBare(s)
	if err != nil {
		return nil, err
	}
	ctx, cfg := context.Background(), Config(s.Suite)
	var made []*mls.KeyPackage
	return &Run{
		Prepare: func(int) error {
			for _, kp := range made {
				if err := mls.DeleteKeyPackage(ctx, c.Provider, kp.Ref()); err != nil {
					return err
				}
			}
			made = made[:0]
			return nil
		},
		Op: func() error {
			kp, err := mls.NewKeyPackage(ctx, c.Provider, c.Signer, c.Credential, cfg)
			made = append(made, kp)
			return err
		},
		Floor: func() error {
			return each(func() error { return b.generate(2) }, func() error { return b.sign(2) })
		},
	}, nil
}

// parseKeyPackage parses and checks a key package. Its floor verifies two
// signatures.
func parseKeyPackage(s Setup) (*Run, error) {
	c, err := NewClient(s.Crypto, s.Suite, "alice")
	if err != nil {
		return nil, err
	}
	b, err := newBare(s)
	if err != nil {
		return nil, err
	}
	cfg := Config(s.Suite)
	kp, err := mls.NewKeyPackage(context.Background(), c.Provider, c.Signer, c.Credential, cfg)
	if err != nil {
		return nil, err
	}
	msg := kp.Bytes()
	return &Run{
		Op: func() error {
			_, err := mls.ParseKeyPackage(s.Crypto, msg, cfg)
			return err
		},
		Floor: func() error { return b.verify(2) },
	}, nil
}

// createGroup makes a group of s.Members by one commit, with key packages whose
// signatures were verified when they were parsed. Its floor encrypts a secret to
// each new member, over all cores, and signs thrice.
func createGroup(s Setup) (*Run, error) {
	ctx, cfg := context.Background(), Config(s.Suite)
	a, err := NewClient(s.Crypto, s.Suite, "alice")
	if err != nil {
		return nil, err
	}
	bob, err := NewClient(s.Crypto, s.Suite, "bob")
	if err != nil {
		return nil, err
	}
	kps, err := keyPackages(s.Crypto, &cfg, bob, s.Members)
	if err != nil {
		return nil, err
	}
	b, err := newBare(s)
	if err != nil {
		return nil, err
	}
	jobs, err := b.seals(len(kps))
	if err != nil {
		return nil, err
	}
	return &Run{
		Op: func() error {
			g, err := mls.NewGroup(ctx, a.Provider, a.Signer, a.Credential, cfg)
			if err != nil {
				return err
			}
			if _, err = g.AddMembers(ctx, kps...); err != nil {
				return err
			}
			return each(func() error { return g.MergePending(ctx) }, func() error { return g.Delete(ctx) })
		},
		Floor: func() error {
			return each(func() error { return ratchettree.SealMany(b.suite.HPKE(), nil, jobs) }, func() error { return b.sign(3) })
		},
	}, nil
}

// joinGroup opens and verifies a Welcome with its tree. Its floor opens one secret,
// verifies the signatures of all leaves once, over all cores, and that of the
// GroupInfo.
func joinGroup(s Setup) (*Run, error) {
	cfg := Config(s.Suite)
	p, err := invite(s, cfg)
	if err != nil {
		return nil, err
	}
	b, err := newBare(s)
	if err != nil {
		return nil, err
	}
	open, err := b.opener()
	if err != nil {
		return nil, err
	}
	return &Run{
		Op: func() error {
			staged, err := stage(context.Background(), p, cfg)
			if err == nil {
				staged.Discard()
			}
			return err
		},
		Floor: func() error {
			return each(open, func() error { return b.verifyMany(s.Members) }, func() error { return b.verify(1) })
		},
	}, nil
}

// commitPair is a pair whose handshake messages are in the open, with a commit of
// Alice's and the path in it.
func commitPair(s Setup, pair func(s Setup, cfg mls.Config) (*Pair, error)) (*Pair, []byte, *proto.UpdatePath, error) {
	cfg := Config(s.Suite)
	cfg.WireFormat = mls.PurePlaintext
	p, err := pair(s, cfg)
	if err != nil {
		return nil, nil, nil, err
	}
	bundle, err := p.Alice.SelfUpdate(context.Background())
	if err != nil {
		return nil, nil, nil, err
	}
	m, err := proto.DecodeMLSMessage(bundle.Commit)
	if err != nil {
		return nil, nil, nil, err
	}
	if m.PublicMessage == nil || m.PublicMessage.Content.Commit == nil || m.PublicMessage.Content.Commit.Path == nil {
		return nil, nil, nil, fmt.Errorf("workload: a commit without a path in the open")
	}
	return p, bundle.Commit, m.PublicMessage.Content.Commit.Path, p.Alice.DiscardPending(context.Background())
}

// commitFull renews keys in a full tree, commitSparse in the tree that one commit
// made, in which every member is a recipient.
func commitFull(s Setup) (*Run, error)   { return commitPath(s, NewFullPair) }
func commitSparse(s Setup) (*Run, error) { return commitPath(s, NewPair) }

// commitPath renews keys by a commit. Its floor derives the keys of the path,
// encrypts to every recipient, over all cores, and signs twice.
func commitPath(s Setup, pair func(s Setup, cfg mls.Config) (*Pair, error)) (*Run, error) {
	p, _, path, err := commitPair(s, pair)
	if err != nil {
		return nil, err
	}
	b, err := newBare(s)
	if err != nil {
		return nil, err
	}
	recipients := 0
	for _, n := range path.Nodes {
		recipients += len(n.EncryptedPathSecret)
	}
	jobs, err := b.seals(recipients)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	return &Run{
		Op: func() error {
			if _, err := p.Alice.SelfUpdate(ctx); err != nil {
				return err
			}
			return p.Alice.DiscardPending(ctx)
		},
		Floor: func() error {
			return each(func() error { return b.derive(len(path.Nodes) + 1) },
				func() error { return ratchettree.SealMany(b.suite.HPKE(), nil, jobs) },
				func() error { return b.sign(2) })
		},
	}, nil
}

// processFull processes a commit in a full tree, up to the point where it may be
// merged. Its floor verifies two signatures, opens one secret and derives the keys above.
func processFull(s Setup) (*Run, error) {
	p, commit, path, err := commitPair(s, NewFullPair)
	if err != nil {
		return nil, err
	}
	b, err := newBare(s)
	if err != nil {
		return nil, err
	}
	open, err := b.opener()
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	return &Run{
		Op: func() error {
			_, err := p.Bob.Process(ctx, commit, mls.ProcessOptions{})
			return err
		},
		Floor: func() error {
			return each(func() error { return b.verify(2) }, open, func() error { return b.derive(len(path.Nodes)) })
		},
	}, nil
}
