package framing

import (
	"context"
	"runtime"
	"testing"

	"github.com/hardmls/hardmls/provider"
)

// bare is the primitives of one message, called in order on buffers of their
// own: what a message costs before any framing.
type bare struct {
	w      *world
	keys   senderDataKeys
	inner  []byte // of the length of a PrivateMessageContent
	signed []byte // of the length of a SignContent
	sealed []byte
	sender []byte
	opened []byte
	sig    []byte
}

// newBare prepares them for size bytes of application data.
func newBare(w *world, size int) *bare {
	p := w.suite.Params()
	b := &bare{
		w:      w,
		inner:  make([]byte, size+4+p.SigMax),
		signed: make([]byte, len(signLabel)+4+w.ep.headLen(nil)+size+4+len(w.ep.context)),
		sender: make([]byte, senderDataLen+p.Nt),
		sig:    make([]byte, 0, p.SigMax),
	}
	b.sealed = make([]byte, 0, len(b.inner)+p.Nt)
	b.opened = make([]byte, 0, len(b.inner)+p.Nt)
	return b
}

func (b *bare) seal() {
	w := b.w
	b.sealed = w.suite.Seal(b.sealed[:0], w.key, w.nonce, b.inner, w.ep.header)
	key, nonce := b.keys.derive(w.ep, b.sealed)
	w.suite.Seal(b.sender[:0], key, nonce, b.sender[:senderDataLen], w.ep.header)
}

// open opens what seal made last.
func (b *bare) open() {
	w := b.w
	key, nonce := b.keys.derive(w.ep, b.sealed)
	if _, err := w.suite.Open(b.opened[:0], key, nonce, b.sender, w.ep.header); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.suite.Open(b.opened[:0], w.key, w.nonce, b.sealed, w.ep.header); err != nil {
		w.t.Fatal(err)
	}
}

func (b *bare) sign() {
	var err error
	if b.sig, err = b.w.signer.Sign(context.Background(), b.sig[:0], b.signed); err != nil {
		b.w.t.Fatal(err)
	}
}

func (b *bare) verify() {
	if err := b.w.suite.Verify(b.w.signer.Public(), b.signed, b.sig); err != nil {
		b.w.t.Fatal(err)
	}
}

// freeSuite is a suite whose primitives cost and allocate nothing, so that what
// is left is framing.
type freeSuite struct{ provider.Suite }

func (s freeSuite) Seal(dst, key, nonce, plaintext, ad []byte) []byte {
	n := len(dst)
	dst = append(dst, plaintext...)
	return append(dst, make([]byte, s.Params().Nt)...)[:n+len(plaintext)+s.Params().Nt]
}

func (s freeSuite) Open(dst, key, nonce, ciphertext, ad []byte) ([]byte, error) {
	return append(dst, ciphertext[:len(ciphertext)-s.Params().Nt]...), nil
}

func (freeSuite) Expand(out, prk, info []byte)      {}
func (freeSuite) MAC(out, key, msg []byte)          {}
func (freeSuite) Verify(pub, msg, sig []byte) error { return nil }
func (freeSuite) Upgrades() *provider.Upgrades      { return &freeUpgrades }

var freeUpgrades provider.Upgrades

type freeSigner struct{ provider.Signer }

func (freeSigner) Sign(ctx context.Context, dst, msg []byte) ([]byte, error) {
	return append(dst, freeSignature[:]...), nil
}

var freeSignature [64]byte

func freeWorld(t testing.TB) *world {
	w := newWorld(t)
	return newWorldOf(t, freeSuite{w.suite}, freeSigner{w.signer})
}

// Framing allocates nothing for application data, with and without prepared
// secrets, once the buffers have grown.
func TestNoAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	w := freeWorld(t)
	var s Sealer
	var o Opener
	data, aad, pad := counting(256), counting(300), PadToBuckets(256, 512, 1024)
	msg := w.seal(&s, nil, data, aad, pad)
	buf, plain := make([]byte, 0, 2000), make([]byte, 0, 2000)
	if n := testing.AllocsPerRun(100, func() { w.seal(&s, buf, data, aad, pad) }); n != 0 {
		t.Errorf("seal: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := w.open(&o, plain, msg); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("open: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { s.Wipe(); o.Wipe(); w.seal(&s, buf, data, aad, pad) }); n != 0 {
		t.Errorf("seal after Wipe: %v allocations", n)
	}
}

// With real suites a message allocates no more than its primitives called bare:
// the cipher and HMAC objects of the standard library.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for name, w := range softWorlds(t) {
		const size = 256
		var s Sealer
		var o Opener
		data, aad := counting(size), counting(10)
		msg := w.seal(&s, nil, data, aad, PadToMultiple(32))
		buf, plain := make([]byte, 0, 1000), make([]byte, 0, 1000)
		b := newBare(w, size)
		slack := 0.0
		if w.suite.Params().Signature == provider.Ed448 {
			slack = 2 // circl's Ed448 allocates by the digits of its scalars
		}
		gate(t, name+": seal", slack,
			func() { w.seal(&s, buf, data, aad, PadToMultiple(32)) },
			func() { b.seal(); b.sign() })
		gate(t, name+": open", slack,
			func() {
				if _, err := w.open(&o, plain, msg); err != nil {
					t.Fatal(err)
				}
			},
			func() { b.open(); b.verify() })
	}
}

// gate fails if f allocates more than the primitives do, and slack.
func gate(t *testing.T, name string, slack float64, f, primitives func()) {
	t.Helper()
	most, got := testing.AllocsPerRun(100, primitives), testing.AllocsPerRun(100, f)
	if got > most+slack {
		t.Errorf("%s: %v allocations, the primitives alone make %v", name, got, most)
	}
}

// A message of 1 MiB costs one buffer on each side, of its own length.
func TestLargeMessageAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const size, limit = 1 << 20, 1_100_000
	w := freeWorld(t)
	var s Sealer
	var o Opener
	data := counting(size)
	msg := w.seal(&s, nil, data, nil, Padding{})
	if _, err := w.open(&o, nil, msg); err != nil {
		t.Fatal(err)
	}
	if got := allocated(func() { w.seal(&s, nil, data, nil, Padding{}) }); got > limit {
		t.Errorf("seal allocates %d bytes", got)
	}
	if got := allocated(func() { w.open(&o, nil, msg) }); got > limit {
		t.Errorf("open allocates %d bytes", got)
	}
}

// allocated returns how many bytes f allocates, by the least of some runs.
func allocated(f func()) uint64 {
	least := ^uint64(0)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}
