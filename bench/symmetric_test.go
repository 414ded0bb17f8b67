package bench

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/hardmls/hardmls/mls"
)

// standard is the symmetric part of a send in suite 1 as it is written over the
// standard library: the step of the ratchet, the content, the keys of the sender
// data, the sender data.
type standard struct {
	ratchet, secret      []byte
	plain, ad            []byte
	ciphertext, sealedSD []byte
	senderData           [12]byte
	info                 []byte
	key, nonce           []byte
}

func newStandard(s setup) *standard {
	return &standard{
		ratchet: make([]byte, 32), secret: make([]byte, 32),
		plain: make([]byte, s.size+64+8), ad: make([]byte, 80), // as in workload.Floor
		ciphertext: make([]byte, 0, s.size+64+8+16), sealedSD: make([]byte, 0, 28),
	}
}

func (s *standard) derive(tb testing.TB, secret []byte, label string, context []byte, length int) []byte {
	b := binary.BigEndian.AppendUint16(s.info[:0], uint16(length))
	b = append(append(append(b, byte(8+len(label))), "MLS 1.0 "...), label...)
	s.info = append(append(b, byte(len(context))), context...)
	out, err := hkdf.Expand(sha256.New, secret, string(s.info), length)
	must(tb, err)
	return out
}

func (s *standard) seal(tb testing.TB, dst, plaintext, ad []byte) []byte {
	b, err := aes.NewCipher(s.key)
	must(tb, err)
	a, err := cipher.NewGCM(b)
	must(tb, err)
	return a.Seal(dst, s.nonce, plaintext, ad)
}

func (s *standard) send(tb testing.TB) {
	generation := [4]byte{3: 7}
	s.key = s.derive(tb, s.ratchet, "key", generation[:], 16)
	s.nonce = s.derive(tb, s.ratchet, "nonce", generation[:], 12)
	s.ratchet = s.derive(tb, s.ratchet, "secret", generation[:], 32)
	s.ciphertext = s.seal(tb, s.ciphertext[:0], s.plain, s.ad)
	s.key = s.derive(tb, s.secret, "key", s.ciphertext[:32], 16)
	s.nonce = s.derive(tb, s.secret, "nonce", s.ciphertext[:32], 12)
	s.sealedSD = s.seal(tb, s.sealedSD[:0], s.senderData[:], s.ad[:45])
}

// BenchmarkSymmetric takes what a send costs beside the signature, with the
// primitives bare, in turns with the same work over the standard library:
// "x-stdlib" is the median of the rounds' ratios, "stdlib-ns/message" and
// "ns/message" those of the times. BenchmarkSymmetricMessage is the same for
// AppendMessage with a signer that takes no time.
func BenchmarkSymmetric(b *testing.B) {
	for _, s := range []setup{centre, {suite: centre.suite, size: centre.size, members: centre.members, soft: true}} {
		s.null = true
		b.Run(s.name(), func(b *testing.B) {
			f := newFloor(b, s)
			againstStandard(b, s, func() { f.send(b) })
		})
	}
}

func BenchmarkSymmetricMessage(b *testing.B) {
	s := centre
	s.null = true
	b.Run(s.name(), func(b *testing.B) {
		alice := makePair(b, s).withNullSigner(b)
		ctx, plaintext, dst := b.Context(), make([]byte, s.size), make([]byte, 0, s.capacity())
		againstStandard(b, s, func() {
			_, err := alice.AppendMessage(ctx, dst, plaintext, mls.MessageOptions{})
			must(b, err)
		})
	})
}

func againstStandard(b *testing.B, s setup, f func()) {
	std := newStandard(s)
	ours, theirs, ratio := turns(b.N, f, func() { std.send(b) })
	b.ReportMetric(ratio, "x-stdlib")
	b.ReportMetric(ours, "ns/message")
	b.ReportMetric(theirs, "stdlib-ns/message")
	b.ReportMetric(0, "ns/op")
}

// TestSymmetricRatio holds the symmetric part of a send with kernels to its ratio to
// the standard library: 0.25 is what it is to reach, and what more than a third is
// lost of is no noise.
func TestSymmetricRatio(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("times")
	}
	if allocsPerMessage(centre) != 0 {
		t.Skip("no kernel for AES-GCM")
	}
	s := centre
	s.null = true
	f, std := newFloor(t, s), newStandard(s)
	for range 3 { // a busy machine gets another chance
		ours, theirs, ratio := turns(200, func() { f.send(t) }, func() { std.send(t) })
		t.Logf("%.0f ns, the standard library %.0f ns, ratio %.2f", ours, theirs, ratio)
		if ratio <= 0.33 {
			return
		}
	}
	t.Error("the symmetric part of a send takes more than a third of the standard library's time")
}
