package providertest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"reflect"

	"github.com/hardmls/hardmls/provider"
)

// The suites of ToyCrypto: the sizes of suites 1 and 2 of RFC 9420.
const (
	Toy1 = provider.FirstPrivateSuite + 1
	Toy2 = provider.FirstPrivateSuite + 2
)

// ToyBackend is a provider.Crypto WITHOUT ANY SECURITY: whoever sees a public
// key can decrypt and sign. It keeps the sizes of real suites and notices every
// tampered byte, wrong key and malformed point, so that a state machine behaves
// on it as on real cryptography, at the cost of a few hashes per operation. Its
// randomness comes from its reader alone: the same seed gives the same bytes.
type ToyBackend struct{ rand io.Reader }

var _ provider.Crypto = (*ToyBackend)(nil)

// ToyCrypto returns a toy backend that draws from rand, as NewRand(seed).
func ToyCrypto(rand io.Reader) *ToyBackend { return &ToyBackend{rand} }

// toySuites has the sizes of suites 1 and 2 with real HKDF and toys for the
// rest.
var toySuites = [...]provider.Params{
	{ID: Toy1, Name: "toy_like_suite_1",
		Nh: 32, Nk: 16, Nn: 12, Nt: 16, Npk: 32, Nsk: 32, Nenc: 32, Nsecret: 32, Nsigpk: 32, SigMax: 64,
		KEM: 0xFF01, KDF: provider.KDF_SHA256, AEAD: 0xFF01, Signature: 0xFE01},
	{ID: Toy2, Name: "toy_like_suite_2",
		Nh: 32, Nk: 16, Nn: 12, Nt: 16, Npk: 65, Nsk: 32, Nenc: 65, Nsecret: 32, Nsigpk: 65, SigMax: 72,
		KEM: 0xFF02, KDF: provider.KDF_SHA256, AEAD: 0xFF01, Signature: 0xFE02},
}

// CipherSuites implements provider.Crypto.
func (c *ToyBackend) CipherSuites() []provider.CipherSuite {
	return []provider.CipherSuite{Toy1, Toy2}
}

// Suite implements provider.Crypto.
func (c *ToyBackend) Suite(id provider.CipherSuite) (provider.Suite, error) {
	s, err := c.suite(id)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (c *ToyBackend) suite(id provider.CipherSuite) (*toySuite, error) {
	for i := range toySuites {
		if toySuites[i].ID == id {
			return &toySuite{c, &toySuites[i]}, nil
		}
	}
	return nil, &provider.UnsupportedError{Suite: id, Reason: "toy crypto has suites of its own only"}
}

// Rand implements provider.Crypto.
func (c *ToyBackend) Rand() io.Reader { return c.rand }

// SoftwareKeys implements provider.Crypto.
func (c *ToyBackend) SoftwareKeys() provider.Keys { return toyKeys{c} }

// Report implements provider.Crypto.
func (c *ToyBackend) Report() provider.Report {
	return provider.Report{
		Backend: toyName,
		Choices: []provider.Choice{{Primitive: "all", Impl: "SHA-256 and ChaCha8", Reason: "tests and simulation"}},
		Notes:   []string{"no security at all"},
	}
}

const toyName = "toy"

// toySuite implements provider.Suite.
type toySuite struct {
	c *ToyBackend
	p *provider.Params
}

var noUpgrades provider.Upgrades

func (s *toySuite) Params() *provider.Params     { return s.p }
func (s *toySuite) Upgrades() *provider.Upgrades { return &noUpgrades }
func (s *toySuite) HPKE() provider.HPKE          { return toyHPKE{s} }

func (s *toySuite) Hash(out, msg []byte) {
	need(len(out) == s.p.Nh)
	h := sha256.Sum256(msg)
	copy(out, h[:])
}

func (s *toySuite) Extract(out, salt, ikm []byte) {
	need(len(out) == s.p.Nh)
	h := toyHMAC(salt, ikm, nil, nil)
	copy(out, h[:])
}

func (s *toySuite) Expand(out, prk, info []byte) {
	need(len(out) <= 255*s.p.Nh)
	var prkCopy [128]byte // out may be prk
	key := append(prkCopy[:0], prk...)
	var t [sha256.Size]byte
	prev := t[:0]
	for i := 1; len(out) > 0; i++ {
		t = toyHMAC(key, prev, info, []byte{byte(i)})
		prev = t[:]
		out = out[copy(out, prev):]
	}
}

func (s *toySuite) MAC(out, key, msg []byte) {
	need(len(out) == s.p.Nh)
	h := toyHMAC(key, msg, nil, nil)
	copy(out, h[:])
}

// toyHMAC is HMAC-SHA-256 of a ‖ b ‖ c, without the allocations of crypto/hmac.
func toyHMAC(key, a, b, c []byte) [sha256.Size]byte {
	var pad [sha256.BlockSize]byte
	if len(key) > len(pad) {
		h := sha256.Sum256(key)
		key = h[:]
	}
	copy(pad[:], key)
	var buf [256]byte
	in := buf[:sha256.BlockSize]
	subtle.XORBytes(in, pad[:], ipad[:])
	in = append(append(append(in, a...), b...), c...)
	h := sha256.Sum256(in)
	var out [sha256.BlockSize + sha256.Size]byte
	subtle.XORBytes(out[:], pad[:], opad[:])
	copy(out[sha256.BlockSize:], h[:])
	return sha256.Sum256(out[:])
}

var ipad, opad = filled(0x36), filled(0x5c)

func filled(c byte) (block [sha256.BlockSize]byte) {
	for i := range block {
		block[i] = c
	}
	return block
}

// Seal XORs a ChaCha8 stream and appends a hash of everything.
func (s *toySuite) Seal(dst, key, nonce, plaintext, ad []byte) []byte {
	need(len(key) == s.p.Nk && len(nonce) == s.p.Nn)
	dst, out := extend(dst, len(plaintext)+s.p.Nt)
	body := out[:len(plaintext)]
	need(!overlapsInexactly(body, plaintext) && !overlaps(out, ad))
	toyStream(body, plaintext, key, nonce)
	tag := toyTag(key, nonce, ad, body)
	copy(out[len(plaintext):], tag[:])
	return dst
}

func (s *toySuite) Open(dst, key, nonce, ciphertext, ad []byte) ([]byte, error) {
	need(len(key) == s.p.Nk && len(nonce) == s.p.Nn)
	n := len(ciphertext) - s.p.Nt
	if n < 0 {
		return nil, provider.ErrDecrypt
	}
	dst, out := extend(dst, n)
	need(!overlapsInexactly(out, ciphertext) && !overlaps(out, ad))
	tag := toyTag(key, nonce, ad, ciphertext[:n])
	if subtle.ConstantTimeCompare(tag[:s.p.Nt], ciphertext[n:]) != 1 {
		clear(out)
		return nil, provider.ErrDecrypt
	}
	toyStream(out, ciphertext[:n], key, nonce)
	return dst, nil
}

func toyStream(out, in, key, nonce []byte) {
	stream := rand.NewChaCha8(toyHash("toy stream", key, nonce))
	var block [64]byte
	for len(in) > 0 {
		stream.Read(block[:])
		n := subtle.XORBytes(out, in, block[:])
		out, in = out[n:], in[n:]
	}
}

func toyTag(key, nonce, ad, ciphertext []byte) [sha256.Size]byte {
	h := sha256.Sum256(ciphertext)
	return toyHash("toy tag", key, nonce, ad, h[:])
}

// toyHash hashes parts under a name, with lengths, so that no two lists of
// parts collide.
func toyHash(name string, parts ...[]byte) [sha256.Size]byte {
	var buf [256]byte
	in := append(buf[:0], name...)
	for _, p := range parts {
		in = binary.LittleEndian.AppendUint64(in, uint64(len(p)))
		in = append(in, p...)
	}
	return sha256.Sum256(in)
}

// need panics unless a caller kept the contract.
func need(ok bool) {
	if !ok {
		panic("providertest: toy suite called with a wrong length or overlap")
	}
}

// extend returns dst with room for n more bytes, and that room.
func extend(dst []byte, n int) (all, room []byte) {
	if total := len(dst) + n; cap(dst) >= total {
		all = dst[:total]
	} else {
		all = make([]byte, total)
		copy(all, dst)
	}
	return all, all[len(dst):]
}

func overlaps(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	pa, pb := reflect.ValueOf(a).Pointer(), reflect.ValueOf(b).Pointer()
	return pa < pb+uintptr(len(b)) && pb < pa+uintptr(len(a))
}

func overlapsInexactly(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 || &a[0] == &b[0] {
		return false
	}
	return overlaps(a, b)
}
