package soft

import (
	"bytes"
	"crypto/ed25519"
	"math/rand/v2"
	"testing"

	"filippo.io/edwards25519"
)

// slowCheck says of a public key what ed25519Scheme.check does, by arithmetic: it
// is a point, encodes to itself, and is not of small order.
func slowCheck(pub []byte) bool {
	p, err := new(edwards25519.Point).SetBytes(pub)
	if err != nil || !bytes.Equal(p.Bytes(), pub) {
		return false
	}
	return p.MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 0
}

// TestEd25519Check compares with arithmetic: every number near 0, 1 and 2^255, the
// points of small order, and random ones, with either sign.
func TestEd25519Check(t *testing.T) {
	both := func(b [32]byte) {
		t.Helper()
		for _, sign := range []byte{0, 0x80} {
			b[31] = b[31]&0x7f | sign
			if got, want := (ed25519Scheme{}).check(b[:]), slowCheck(b[:]); got != want {
				t.Errorf("%x: %v, want %v", b, got, want)
			}
		}
	}
	for i := range 256 {
		both([32]byte{byte(i)})
		var high [32]byte
		for k := range high {
			high[k] = 0xff
		}
		high[0] = byte(i)
		both(high)
		high[1] = 0xfe
		both(high)
		high[1], high[30] = 0xff, 0xfe
		both(high)
	}
	small := 0
	for _, y := range smallOrderY {
		both(y)
		for _, sign := range []byte{0, 0x80} {
			y[31] = y[31]&0x7f | sign
			if p, err := new(edwards25519.Point).SetBytes(y[:]); err == nil && bytes.Equal(p.Bytes(), y[:]) {
				small++
				if p.MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) != 1 {
					t.Errorf("%x is not of small order", y)
				}
			}
		}
	}
	if small != 8 {
		t.Errorf("%d points of small order, there are 8", small)
	}
	rng := rand.NewChaCha8([32]byte{1})
	for range 2000 {
		var b [32]byte
		rng.Read(b[:])
		both(b)
		if pub := ed25519.NewKeyFromSeed(b[:]).Public().(ed25519.PublicKey); !(ed25519Scheme{}).check(pub) {
			t.Fatalf("%x is refused", pub)
		}
	}
	for _, n := range []int{0, 31, 33} {
		if (ed25519Scheme{}).check(make([]byte, n)) {
			t.Errorf("a key of %d bytes", n)
		}
	}
}
