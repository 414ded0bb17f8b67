package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/hardmls/hardmls/provider"
)

// wycheproofFiles are the files of Wycheproof whose primitives the suites of RFC
// 9420 use.
func wycheproofFiles() []File {
	f := func(name string, want int, run func(r *runner, s provider.Suite, g *wycheproofGroup, c *wycheproofCase) error, id provider.CipherSuite) File {
		return File{Folder: folderWycheproof, Name: name + "_test.json", Want: want, run: eachWycheproof(run, id)}
	}
	return []File{
		{Folder: folderWycheproof, Name: "aes_gcm_test.json", Want: 316, run: eachWycheproof(runAEAD, 1, 7)},
		f("chacha20_poly1305", 325, runAEAD, 3),
		f("ed25519", 151, runSignature, 1),
		f("ed448", 87, runSignature, 4),
		f("ecdsa_secp256r1_sha256", 484, runSignature, 2),
		f("ecdsa_secp384r1_sha384", 504, runSignature, 7),
		f("ecdsa_secp521r1_sha512", 542, runSignature, 5),
		f("x25519", 518, runDH, 1),
		f("x448", 510, runDH, 4),
		f("ecdh_secp256r1_ecpoint", 355, runDH, 2),
		f("ecdh_secp384r1_ecpoint", 790, runDH, 7),
		f("ecdh_secp521r1_ecpoint", 661, runDH, 5),
		f("hkdf_sha256", 86, runHKDF, 1),
		f("hkdf_sha384", 83, runHKDF, 7),
		f("hkdf_sha512", 83, runHKDF, 5),
		f("hmac_sha256", 174, runHMAC, 1),
		f("hmac_sha384", 174, runHMAC, 7),
		f("hmac_sha512", 174, runHMAC, 5),
	}
}

// wycheproofGroup is a test group of any file, with what is used here.
type wycheproofGroup struct {
	KeySize, IVSize, TagSize int
	PublicKey                struct{ PK, Uncompressed hexBytes }
	Tests                    []wycheproofCase
}

type wycheproofCase struct {
	ID      int `json:"tcId"`
	Comment string
	Flags   []string
	Result  string

	Key, IV, AAD, Msg, CT, Tag, Sig hexBytes
	IKM, Salt, Info, OKM            hexBytes
	Size                            int
	Public, Private, Shared         hexBytes
}

func (c *wycheproofCase) valid() bool { return c.Result == "valid" }

// verdict compares what happened to a case with what the file says.
func (c *wycheproofCase) verdict(err error) error {
	switch {
	case c.valid() && err != nil:
		return fmt.Errorf("valid%s, but refused: %w", c.comment(), err)
	case !c.valid() && err == nil:
		return fmt.Errorf("%s%s, but accepted", c.Result, c.comment())
	}
	return nil
}

// comment is what the file says about the case, in parentheses.
func (c *wycheproofCase) comment() string {
	if c.Comment == "" {
		return ""
	}
	return " (" + c.Comment + ")"
}

// eachWycheproof runs f on every case, with the first of the suites whose sizes the
// case has.
func eachWycheproof(f func(*runner, provider.Suite, *wycheproofGroup, *wycheproofCase) error, ids ...provider.CipherSuite) func(*runner, []byte) error {
	return func(r *runner, data []byte) error {
		var file struct {
			NumberOfTests int
			TestGroups    []wycheproofGroup
		}
		if err := json.Unmarshal(data, &file); err != nil {
			return err
		}
		for gi := range file.TestGroups {
			g := &file.TestGroups[gi]
			for ci := range g.Tests {
				c := &g.Tests[ci]
				if err := r.do(fmt.Sprint(c.ID), func() error { return r.wycheproof(f, g, c, ids) }); err != nil {
					return err
				}
			}
		}
		if n := r.result.Cases; n != file.NumberOfTests {
			return fmt.Errorf("%d cases, the file says %d", n, file.NumberOfTests)
		}
		return nil
	}
}

// errOtherSuite is a case that another suite may have the sizes of.
var errOtherSuite = errors.New("another suite")

func (r *runner) wycheproof(f func(*runner, provider.Suite, *wycheproofGroup, *wycheproofCase) error, g *wycheproofGroup, c *wycheproofCase, ids []provider.CipherSuite) error {
	for _, id := range ids {
		s, err := r.suite(id)
		if err != nil {
			return err
		}
		if err := f(r, s, g, c); err != errOtherSuite {
			return err
		}
	}
	return errSkip("sizes that no suite has")
}

func runAEAD(_ *runner, s provider.Suite, g *wycheproofGroup, c *wycheproofCase) error {
	p := s.Params()
	if g.KeySize != 8*p.Nk || g.IVSize != 8*p.Nn || g.TagSize != 8*p.Nt {
		return errOtherSuite
	}
	sealed := append(append([]byte(nil), c.CT...), c.Tag...)
	plain, err := s.Open(nil, c.Key, c.IV, sealed, c.AAD)
	if err := c.verdict(err); err != nil || !c.valid() {
		return err
	}
	return all(
		same("plaintext", plain, c.Msg),
		same("ciphertext", s.Seal(nil, c.Key, c.IV, c.Msg, c.AAD), sealed))
}

func runSignature(_ *runner, s provider.Suite, g *wycheproofGroup, c *wycheproofCase) error {
	pub := g.PublicKey.PK
	if pub == nil {
		pub = g.PublicKey.Uncompressed
	}
	if err := s.CheckSignatureKey(pub); err != nil {
		return err
	}
	return c.verdict(s.Verify(pub, c.Msg, c.Sig))
}

// runDH: what MLS refuses though it is "acceptable" elsewhere are compressed points
// (RFC 9420 §5.1.1) and an all-zero result of X25519 and X448 (§5.1.3, RFC 9180
// §7.1.4). Other acceptable keys must give the result of the file.
func runDH(r *runner, s provider.Suite, _ *wycheproofGroup, c *wycheproofCase) error {
	p := s.Params()
	private := []byte(c.Private)
	for len(private) > p.Nsk && private[0] == 0 {
		private = private[1:] // a sign byte of ASN.1
	}
	zero := (p.KEM == provider.KEM_X25519 || p.KEM == provider.KEM_X448) && slices.Max(append([]byte{0}, c.Shared...)) == 0
	refuse := c.Result == "invalid" || zero || len(c.Public) != p.Npk
	shared, err := r.b.DH(s, private, c.Public)
	if checked := s.HPKE().CheckPublicKey(c.Public); (checked == nil) != (err == nil) {
		return fmt.Errorf("the key is checked with %v and used with %v", checked, err)
	}
	if refuse {
		if err == nil {
			return fmt.Errorf("%s (%s), but accepted", c.Result, c.Comment)
		}
		return nil
	}
	return all(err, same("shared secret", shared, c.Shared))
}

// runHKDF: the one reason for which these files call a case invalid is a size
// beyond 255·Nh, which no caller of Suite.Expand may ask for.
func runHKDF(_ *runner, s provider.Suite, _ *wycheproofGroup, c *wycheproofCase) error {
	nh := s.Params().Nh
	if !c.valid() {
		if c.Size <= 255*nh {
			return fmt.Errorf("invalid (%s) for another reason than its size", c.Comment)
		}
		return nil
	}
	prk, okm := make([]byte, nh), make([]byte, c.Size)
	s.Extract(prk, c.Salt, c.IKM)
	s.Expand(okm, prk, c.Info)
	return same("output", okm, c.OKM)
}

func runHMAC(_ *runner, s provider.Suite, g *wycheproofGroup, c *wycheproofCase) error {
	out := make([]byte, s.Params().Nh)
	s.MAC(out, c.Key, c.Msg)
	return c.verdict(same("tag", out[:g.TagSize/8], c.Tag))
}
