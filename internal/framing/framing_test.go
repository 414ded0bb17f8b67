package framing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
	"github.com/hardmls/hardmls/provider/soft"
)

const (
	testLeaf       = treemath.LeafIndex(5)
	testGeneration = uint32(7)
)

var testGuard = [4]byte{0xa0, 0xa1, 0xa2, 0xa3}

// world is an epoch with a signing member.
type world struct {
	t      testing.TB
	suite  provider.Suite
	signer provider.Signer
	ep     *Epoch
	key    []byte
	nonce  []byte
}

func newWorld(t testing.TB) *world { return newToyWorld(t, providertest.Toy1) }

func newToyWorld(t testing.TB, id provider.CipherSuite) *world {
	t.Helper()
	c := providertest.ToyCrypto(providertest.NewRand(1))
	s, err := c.Suite(id)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := c.NewSigner(id)
	if err != nil {
		t.Fatal(err)
	}
	return newWorldOf(t, s, signer)
}

func newWorldOf(t testing.TB, s provider.Suite, signer provider.Signer) *world {
	p := s.Params()
	return &world{
		t: t, suite: s, signer: signer,
		ep:    NewEpoch(s, []byte("group"), 0x0102030405060708, []byte("the encoded GroupContext"), filled(p.Nh, 1), filled(p.Nh, 2)),
		key:   filled(p.Nk, 3),
		nonce: filled(p.Nn, 4),
	}
}

func filled(n int, c byte) []byte { return bytes.Repeat([]byte{c}, n) }

// counting returns n bytes that differ from their neighbours.
func counting(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + 1)
	}
	return b
}

// seal appends an application message to dst.
func (w *world) seal(s *Sealer, dst, data, aad []byte, pad Padding) []byte {
	w.t.Helper()
	if err := s.Begin(dst, w.ep, testLeaf, proto.ContentTypeApplication, data, aad, pad); err != nil {
		w.t.Fatal(err)
	}
	if err := s.Sign(context.Background(), w.signer); err != nil {
		w.t.Fatal(err)
	}
	return s.Finish(w.key, w.nonce, testGeneration, testGuard)
}

// decrypt is Parse to Verify.
func (w *world) decrypt(o *Opener, dst, msg []byte) error {
	if err := o.Parse(msg); err != nil {
		return err
	}
	leaf, generation, err := o.SenderData(w.ep)
	if err != nil {
		return err
	}
	if leaf != testLeaf || generation != testGeneration {
		return fmt.Errorf("sender data of leaf %d, generation %d", leaf, generation)
	}
	if err := o.Open(dst, w.ep, w.key, w.nonce); err != nil {
		return err
	}
	return o.Verify(w.signer.Public())
}

// open appends the application data of msg to dst.
func (w *world) open(o *Opener, dst, msg []byte) ([]byte, error) {
	if err := w.decrypt(o, dst, msg); err != nil {
		return dst, err
	}
	return o.Content(), nil
}

// worlds are a suite that prepares its epoch secrets and one that does not.
func worlds(t testing.TB) map[string]*world {
	plain := newToyWorld(t, providertest.Toy2)
	bound := newWorldOf(t, boundSuite{plain.suite}, plain.signer)
	return map[string]*world{"plain": plain, "bound": bound}
}

// boundSuite offers Bind over a suite that does not.
type boundSuite struct{ provider.Suite }

func (s boundSuite) Upgrades() *provider.Upgrades {
	return &provider.Upgrades{Bind: testBinder{s.Suite}}
}

type testBinder struct{ s provider.Suite }

func (b testBinder) Bind(sec []byte) provider.Bound {
	return &testBound{s: b.s, secret: bytes.Clone(sec)}
}

type testBound struct {
	s      provider.Suite
	secret []byte
}

func (b *testBound) SenderDataKey(key, nonce, sample []byte) {
	var scratch labels.Scratch
	scratch.ExpandWithLabel(b.s, key, b.secret, "key", sample)
	scratch.ExpandWithLabel(b.s, nonce, b.secret, "nonce", sample)
}
func (b *testBound) MAC(out, msg []byte) { b.s.MAC(out, b.secret, msg) }
func (b *testBound) Wipe()               { clear(b.secret) }

// wantCheck fails unless err is the check's error: of its class, and bare where
// the class is Auth.
func wantCheck(t *testing.T, err error, id check.ID) {
	t.Helper()
	if id.Class() == check.ClassAuth {
		if err != check.ErrAuth {
			t.Errorf("error %v, want the bare ErrAuth of %v", err, id)
		}
		return
	}
	var e *check.Error
	if !errors.As(err, &e) || e.Check != id {
		t.Errorf("error %v, want %v", err, id)
	}
}

// spare is a dst with content and dirty spare capacity.
func spare(room int) []byte {
	dst := filled(8+room, 0xEE)
	clear(dst[8:])
	return dst[:8]
}

// wantUntouched fails unless dst still has its content and nothing behind it.
func wantUntouched(t *testing.T, dst []byte) {
	t.Helper()
	if !bytes.Equal(dst, filled(8, 0xEE)) {
		t.Errorf("dst changed: %x", dst)
	}
	if i := bytes.IndexFunc(dst[8:cap(dst)], func(r rune) bool { return r != 0 }); i >= 0 {
		t.Errorf("byte %d behind dst is not clear", i)
	}
}

// lengths are the interesting lengths of application data.
func lengths() []int {
	var ns []int
	for n := range 301 {
		ns = append(ns, n)
	}
	for _, edge := range []int{1 << 10, 1 << 14, 1 << 16} {
		for n := edge - 200; n <= edge+2; n++ {
			ns = append(ns, n)
		}
	}
	return ns
}

func appendOpaques(b []byte, vs ...[]byte) []byte {
	for _, v := range vs {
		b = wire.AppendOpaque(b, v)
	}
	return b
}

// softWorlds has a world of each suite of RFC 9420.
func softWorlds(t testing.TB) map[string]*world {
	ws := make(map[string]*world)
	for _, id := range provider.CipherSuites() {
		ws[id.String()] = newSoftWorld(t, id)
	}
	return ws
}

func newSoftWorld(t testing.TB, id provider.CipherSuite) *world {
	t.Helper()
	c := soft.New(soft.Options{})
	s, err := c.Suite(id)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := soft.NewSigner(c, s)
	if err != nil {
		t.Fatal(err)
	}
	return newWorldOf(t, s, signer)
}
