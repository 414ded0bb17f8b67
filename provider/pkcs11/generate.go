package pkcs11

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
)

// KeyOptions name a new key.
type KeyOptions struct {
	Label string // CKA_LABEL
	ID    []byte // CKA_ID; nil: 16 random bytes
}

// newID is known before the key exists, so that what a call of unknown outcome
// left behind can be found.
func newID() []byte {
	id := make([]byte, 16)
	rand.Read(id)
	return id
}

// GenerateKey makes a signature key in the token: sensitive, not extractable,
// for signatures only. ErrKeyExists if the identifier is taken, ErrUnsupported
// if the token does not make keys of this scheme.
func (t *Token) GenerateKey(ctx context.Context, scheme provider.SignatureScheme, o KeyOptions) (*Signer, error) {
	c := curveOfScheme(scheme)
	if c == nil {
		return nil, fmt.Errorf("%w: signature scheme %v", ErrUnsupported, scheme)
	}
	if len(o.ID) == 0 {
		o.ID = newID()
	}
	if err := t.mustBeNew(ctx, o.ID); err != nil {
		return nil, err
	}
	_, err := t.makePair(ctx, c, pairOptions{KeyOptions: o, public: true,
		usage: []attribute{{ckaSign, true}, {ckaDerive, false}}})
	if err != nil {
		return nil, err
	}
	return t.Signer(ctx, Query{ID: o.ID})
}

func (t *Token) mustBeNew(ctx context.Context, id []byte) error {
	keys, err := t.findKeys(ctx, Query{ID: id})
	if err != nil {
		return err
	}
	if len(keys) > 0 {
		return fmt.Errorf("%w: %s", ErrKeyExists, keys[0])
	}
	return nil
}

type pairOptions struct {
	KeyOptions
	usage  []attribute // of the private key
	public bool        // keep the public object
}

// A pair is a new key.
type pair struct {
	stamp   stamp
	private objectHandle
	public  []byte
}

// ways are the mechanisms and key types by which tokens make keys of a curve,
// in the order in which they are tried. SoftHSM makes X25519 keys as Edwards
// keys, and NSS by the general mechanism.
func (c *curve) ways() [][2]uint {
	switch c.keyType {
	case ckkECEdwards:
		return [][2]uint{{ckmECEdwardsKeyPairGen, ckkECEdwards}, {ckmECKeyPairGen, ckkECEdwards}}
	case ckkECMontgomery:
		return [][2]uint{{ckmECMontgomeryKeyPairGen, ckkECMontgomery}, {ckmECKeyPairGen, ckkECMontgomery}, {ckmECEdwardsKeyPairGen, ckkECEdwards}}
	}
	return [][2]uint{{ckmECKeyPairGen, ckkEC}}
}

// makePair makes a key pair by the first way that the token takes. Repetitions
// after a failure remove what an earlier try may have made.
func (t *Token) makePair(ctx context.Context, c *curve, o pairOptions) (pair, error) {
	ways := c.ways()
	if known := uint(t.xdh.Load()); c.keyType == ckkECMontgomery && known != 0 {
		slices.SortStableFunc(ways, func(a, b [2]uint) int { return rank(a, known) - rank(b, known) })
	}
	var last error
	for _, way := range ways {
		p, err := t.makePairBy(ctx, c, way, o)
		if err == nil {
			if c.keyType == ckkECMontgomery {
				t.xdh.Store(uint64(way[0]))
			}
			return p, nil
		}
		if !refusesKind(err) {
			return pair{}, err
		}
		last = err
	}
	return pair{}, fmt.Errorf("%w: %s keys: %w", ErrUnsupported, c.name, last)
}

func rank(way [2]uint, known uint) int {
	if way[0] == known {
		return 0
	}
	return 1
}

// refusesKind reports whether err says that the token does not make such keys.
func refusesKind(err error) bool {
	code, _ := Code(err)
	switch rv(code) {
	case ckrMechanismInvalid, ckrMechanismParam, ckrDomainParams, ckrCurveNotSupported, ckrTemplateInconsistent,
		ckrAttributeValueInval, ckrAttributeTypeInvalid, ckrKeySizeRange, ckrFunctionNotSupported, ckrArgumentsBad:
		return true
	}
	return false
}

func (t *Token) makePairBy(ctx context.Context, c *curve, way [2]uint, o pairOptions) (pair, error) {
	var made pair
	tries := 0
	err := t.use(ctx, "generate "+c.name, func(ctx context.Context, s *session) error {
		for again := spurious; ; again-- {
			if tries++; tries > 1 {
				if err := s.destroyNamed(ctx, Query{ID: o.ID}.template()); err != nil {
					return err
				}
			}
			p, err := s.makePair(ctx, c, way, o)
			made = p
			if again == 0 || !errors.Is(err, ckrTemplateInconsistent) {
				return err
			}
		}
	})
	return made, err
}

// spurious is how often CKR_TEMPLATE_INCONSISTENT is not believed: SoftHSM
// 2.6.1 gives it for about one in 200 keys that are made while other sessions
// make and destroy objects.
const spurious = 3

func (s *session) makePair(ctx context.Context, c *curve, way [2]uint, o pairOptions) (pair, error) {
	public := []attribute{
		{ckaClass, uint(ckoPublicKey)}, {ckaKeyType, way[1]}, {ckaToken, o.public}, {ckaPrivate, false},
		{ckaECParams, c.params[0]}, {ckaLabel, o.Label}, {ckaID, o.ID},
	}
	if o.public {
		public = append(public, attribute{ckaVerify, true})
	}
	private := append([]attribute{
		{ckaClass, uint(ckoPrivateKey)}, {ckaKeyType, way[1]}, {ckaToken, true}, {ckaPrivate, true},
		{ckaSensitive, true}, {ckaExtractable, false}, {ckaLabel, o.Label}, {ckaID, o.ID},
	}, o.usage...)
	type answer struct {
		pub, priv objectHandle
		point     []byte
		err       error
	}
	a := new(answer)
	lib := s.t.m.lib
	err := s.t.call(ctx, "generate key pair", s.epoch, func() error {
		if a.pub, a.priv, a.err = lib.generatePair(s.h, way[0], public, private); a.err != nil {
			return a.err
		}
		if a.point, a.err = lib.read(s.h, a.pub, ckaECPoint); a.err == nil && !o.public {
			a.err = lib.destroy(s.h, a.pub)
		}
		return a.err
	}, func() { // nobody will ask for a key that comes too late
		if w, err := s.t.m.enter(context.Background(), s.epoch, s.t.cfg.CallTimeout); err == nil {
			if a.priv != 0 {
				lib.destroy(s.h, a.priv)
				if o.public {
					lib.destroy(s.h, a.pub)
				}
			}
			lib.closeSession(s.h)
			s.t.m.leave(w, false)
		}
	})
	if err != nil {
		return pair{}, err
	}
	pub := c.publicKey(a.point)
	if pub == nil {
		return pair{}, errors.Join(fmt.Errorf("%w: a new %s key", ErrNoPublicKey, c.name), s.destroyNamed(ctx, Query{ID: o.ID}.template()))
	}
	return pair{stamp: s.stamp, private: a.priv, public: pub}, nil
}

// TestingOnlyImport puts a signature key into the token that was outside of it:
// private as soft.ImportSigner takes it. A key that matters is made inside.
func (t *Token) TestingOnlyImport(ctx context.Context, scheme provider.SignatureScheme, private []byte, o KeyOptions) (*Signer, error) {
	c := curveOfScheme(scheme)
	if c == nil {
		return nil, fmt.Errorf("%w: signature scheme %v", ErrUnsupported, scheme)
	}
	s, err := software.Suite(c.suite)
	if err != nil {
		return nil, err
	}
	k, err := soft.ImportSigner(s, private)
	if err != nil {
		return nil, err
	}
	raw, err := soft.ExportSigner(k)
	if err != nil {
		return nil, err
	}
	if len(o.ID) == 0 {
		o.ID = newID()
	}
	if err := t.mustBeNew(ctx, o.ID); err != nil {
		return nil, err
	}
	common := []attribute{{ckaKeyType, c.keyType}, {ckaToken, true}, {ckaECParams, c.params[0]}, {ckaLabel, o.Label}, {ckaID, o.ID}}
	public := append([]attribute{{ckaClass, uint(ckoPublicKey)}, {ckaPrivate, false}, {ckaVerify, true}, {ckaECPoint, c.wrapped(k.Public())}}, common...)
	secret := append([]attribute{{ckaClass, uint(ckoPrivateKey)}, {ckaPrivate, true}, {ckaSensitive, true}, {ckaExtractable, false}, {ckaSign, true}, {ckaValue, raw}}, common...)
	tries := 0
	err = t.use(ctx, "import "+c.name, func(ctx context.Context, s *session) error {
		if tries++; tries > 1 {
			if err := s.destroyNamed(ctx, Query{ID: o.ID}.template()); err != nil {
				return err
			}
		}
		return s.do(ctx, "create", func() error {
			if _, err := t.m.lib.create(s.h, secret); err != nil {
				return err
			}
			_, err := t.m.lib.create(s.h, public)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return t.Signer(ctx, Query{ID: o.ID})
}
