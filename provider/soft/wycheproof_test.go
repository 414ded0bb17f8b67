package soft_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
	"github.com/hardmls/hardmls/testvectors"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(b []byte) (err error) {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*h, err = hex.DecodeString(s)
	return err
}

// A group is any test group of Wycheproof, with what the tests here need.
type group struct {
	KeySize, IVSize, TagSize int
	PublicKey                struct{ PK, Uncompressed hexBytes }
	Tests                    []struct {
		TcID                            int
		Comment                         string
		Flags                           []string
		Result                          string
		Key, IV, AAD, Msg, CT, Tag, Sig hexBytes
		IKM, Salt, Info, OKM            hexBytes
		Size                            int
		Public, Private, Shared         hexBytes
	}
}

// vectors returns the groups of a file.
func vectors(t *testing.T, name string) []group {
	t.Helper()
	var f struct{ TestGroups []group }
	testvectors.Wycheproof(t, name+"_test.json", &f)
	return f.TestGroups
}

// wantCounts keeps a test from passing over cases by accident.
func wantCounts(t *testing.T, name string, accepted, refused, skipped int, want [3]int) {
	t.Helper()
	if got := [3]int{accepted, refused, skipped}; got != want {
		t.Errorf("%s: accepted, refused and skipped %v, want %v", name, got, want)
	}
}

func TestWycheproofAEAD(t *testing.T) {
	for _, f := range []struct {
		name  string
		bits  int
		suite provider.CipherSuite
		want  [3]int
	}{
		{"aes_gcm", 128, 1, [3]int{40, 27, 249}},
		{"aes_gcm", 256, 7, [3]int{39, 27, 250}},
		{"chacha20_poly1305", 256, 3, [3]int{256, 60, 9}},
	} {
		_, s := bind(t, f.suite)
		var accepted, refused, skipped int
		for _, g := range vectors(t, f.name) {
			if g.KeySize != f.bits || g.IVSize != 96 || g.TagSize != 128 {
				skipped += len(g.Tests)
				continue
			}
			for _, c := range g.Tests {
				what := fmt.Sprintf("%s case %d (%s)", f.name, c.TcID, c.Comment)
				sealed := append(bytes.Clone(c.CT), c.Tag...)
				got, err := s.Open(nil, c.Key, c.IV, sealed, c.AAD)
				if c.Result != "valid" {
					refused++
					if err == nil {
						t.Errorf("%s opens", what)
					}
					continue
				}
				accepted++
				if err != nil || !bytes.Equal(got, c.Msg) {
					t.Errorf("%s: Open: %v", what, err)
				}
				if !bytes.Equal(s.Seal(nil, c.Key, c.IV, c.Msg, c.AAD), sealed) {
					t.Errorf("%s: Seal differs", what)
				}
			}
		}
		wantCounts(t, f.name, accepted, refused, skipped, f.want)
	}
}

func TestWycheproofSignatures(t *testing.T) {
	for _, f := range []struct {
		name  string
		suite provider.CipherSuite
		want  [3]int
	}{
		{"ed25519", 1, [3]int{88, 63, 0}},
		{"ed448", 4, [3]int{17, 70, 0}},
		{"ecdsa_secp256r1_sha256", 2, [3]int{174, 310, 0}},
		{"ecdsa_secp384r1_sha384", 7, [3]int{194, 310, 0}},
		{"ecdsa_secp521r1_sha512", 5, [3]int{232, 310, 0}},
	} {
		_, s := bind(t, f.suite)
		var accepted, refused int
		for _, g := range vectors(t, f.name) {
			pub := g.PublicKey.PK
			if pub == nil {
				pub = g.PublicKey.Uncompressed
			}
			if err := s.CheckSignatureKey(pub); err != nil {
				t.Errorf("%s: key %x: %v", f.name, pub, err)
			}
			for _, c := range g.Tests {
				err := s.Verify(pub, c.Msg, c.Sig)
				if c.Result == "valid" {
					accepted++
				} else {
					refused++
				}
				if (err == nil) != (c.Result == "valid") {
					t.Errorf("%s case %d (%s) is %s: %v", f.name, c.TcID, c.Comment, c.Result, err)
				}
			}
		}
		wantCounts(t, f.name, accepted, refused, 0, f.want)
	}
}

// TestWycheproofDH: an all-zero result of X25519 and X448 (RFC 9180 §7.1.4; on
// a NIST curve a coordinate may be zero), a compressed point and a point off the
// curve are refused; what else is called acceptable, such as a point on the
// twist, has the result that the file gives.
func TestWycheproofDH(t *testing.T) {
	for _, f := range []struct {
		name  string
		suite provider.CipherSuite
		want  [3]int
	}{
		{"x25519", 1, [3]int{487, 31, 0}},
		{"x448", 4, [3]int{487, 23, 0}},
		{"ecdh_secp256r1_ecpoint", 2, [3]int{330, 25, 0}},
		{"ecdh_secp384r1_ecpoint", 7, [3]int{771, 19, 0}},
		{"ecdh_secp521r1_ecpoint", 5, [3]int{632, 29, 0}},
	} {
		_, s := bind(t, f.suite)
		var accepted, refused int
		for _, g := range vectors(t, f.name) {
			for _, c := range g.Tests {
				private := []byte(c.Private)
				for len(private) > s.Params().Nsk && private[0] == 0 {
					private = private[1:]
				}
				zero := f.suite == 1 || f.suite == 4
				zero = zero && bytes.Equal(c.Shared, make([]byte, len(c.Shared)))
				refuse := c.Result == "invalid" || zero || slices.Contains(c.Flags, "CompressedPoint") ||
					len(c.Public) != s.Params().Npk
				got, err := soft.TestingOnlyDH(s, private, c.Public)
				checked := s.HPKE().CheckPublicKey(c.Public)
				if refuse {
					refused++
					if err == nil || checked == nil {
						t.Errorf("%s case %d (%s) is accepted: %v, %v", f.name, c.TcID, c.Comment, err, checked)
					}
					continue
				}
				accepted++
				if err != nil || checked != nil || !bytes.Equal(got, c.Shared) {
					t.Errorf("%s case %d (%s, %v): %x, %v, %v", f.name, c.TcID, c.Comment, c.Flags, got, err, checked)
				}
			}
		}
		wantCounts(t, f.name, accepted, refused, 0, f.want)
	}
}

func TestWycheproofKDF(t *testing.T) {
	for _, f := range []struct {
		hash  string
		suite provider.CipherSuite
		hkdf  [3]int
		hmac  [3]int
	}{
		{"sha256", 1, [3]int{83, 3, 0}, [3]int{66, 108, 0}},
		{"sha384", 7, [3]int{80, 3, 0}, [3]int{66, 108, 0}},
		{"sha512", 5, [3]int{80, 3, 0}, [3]int{66, 108, 0}},
	} {
		_, s := bind(t, f.suite)
		var accepted, refused int
		for _, g := range vectors(t, "hkdf_"+f.hash) {
			for _, c := range g.Tests {
				if c.Result != "valid" {
					refused++
					if c.Size <= 255*s.Params().Nh {
						t.Errorf("hkdf_%s case %d (%s) is invalid for another reason than its size", f.hash, c.TcID, c.Comment)
					}
					continue
				}
				accepted++
				prk, okm := make([]byte, s.Params().Nh), make([]byte, c.Size)
				s.Extract(prk, c.Salt, c.IKM)
				s.Expand(okm, prk, c.Info)
				if !bytes.Equal(okm, c.OKM) {
					t.Errorf("hkdf_%s case %d (%s) differs", f.hash, c.TcID, c.Comment)
				}
			}
		}
		wantCounts(t, "hkdf_"+f.hash, accepted, refused, 0, f.hkdf)

		accepted, refused = 0, 0
		for _, g := range vectors(t, "hmac_"+f.hash) {
			for _, c := range g.Tests {
				out := make([]byte, s.Params().Nh)
				s.MAC(out, c.Key, c.Msg)
				same := bytes.Equal(out[:g.TagSize/8], c.Tag)
				if c.Result == "valid" {
					accepted++
				} else {
					refused++
				}
				if same != (c.Result == "valid") {
					t.Errorf("hmac_%s case %d (%s) is %s", f.hash, c.TcID, c.Comment, c.Result)
				}
			}
		}
		wantCounts(t, "hmac_"+f.hash, accepted, refused, 0, f.hmac)
	}
}
