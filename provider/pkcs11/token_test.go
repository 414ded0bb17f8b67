package pkcs11_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/pkcs11"
	"github.com/hardmls/hardmls/provider/soft"
)

func TestNotBuilt(t *testing.T) {
	if pkcs11.Built {
		t.Skip("this build has PKCS#11")
	}
	_, err := pkcs11.Open(t.Context(), pkcs11.Config{Module: "/usr/lib/softhsm/libsofthsm2.so"})
	if !errors.Is(err, pkcs11.ErrNotBuilt) || !strings.Contains(err.Error(), "nopkcs11") && !strings.Contains(err.Error(), "cgo") {
		t.Errorf("Open: %v, want ErrNotBuilt and the cause", err)
	}
	if _, _, err := pkcs11.Tokens(t.Context(), pkcs11.Config{Module: "x"}); !errors.Is(err, pkcs11.ErrNotBuilt) {
		t.Errorf("Tokens: %v", err)
	}
}

// TestOpenErrors say what was looked for and what was found.
func TestOpenErrors(t *testing.T) {
	good := newSoftHSM(t, "first", "second")
	slot := uint(4711)
	for name, c := range map[string]struct {
		change func(*pkcs11.Config)
		want   error
		says   []string
	}{
		"no module":         {func(c *pkcs11.Config) { c.Module = "" }, pkcs11.ErrModule, []string{"none was named"}},
		"missing module":    {func(c *pkcs11.Config) { c.Module = "/nonexistent/x.so" }, pkcs11.ErrModule, []string{"/nonexistent/x.so", "no such file"}},
		"folder":            {func(c *pkcs11.Config) { c.Module = t.TempDir() }, pkcs11.ErrModule, []string{"directory"}},
		"no shared object":  {func(c *pkcs11.Config) { c.Module = "token_test.go" }, pkcs11.ErrModule, nil},
		"no Cryptoki":       {func(c *pkcs11.Config) { c.Module = "libc.so.6" }, pkcs11.ErrModule, []string{"C_GetFunctionList"}},
		"unknown label":     {func(c *pkcs11.Config) { c.TokenLabel = "third" }, pkcs11.ErrTokenNotFound, []string{`"third"`, `"first"`, `"second"`}},
		"unknown serial":    {func(c *pkcs11.Config) { c.TokenSerial = "none" }, pkcs11.ErrTokenNotFound, []string{`serial "none"`}},
		"unknown slot":      {func(c *pkcs11.Config) { c.Slot = &slot }, pkcs11.ErrTokenNotFound, []string{"slot 4711"}},
		"unknown model":     {func(c *pkcs11.Config) { c.URI = "pkcs11:model=x" }, pkcs11.ErrTokenNotFound, []string{`model "x"`}},
		"several tokens":    {func(c *pkcs11.Config) { c.TokenLabel, c.URI = "", "pkcs11:model=SoftHSM%20v2" }, pkcs11.ErrTokenNotFound, nil},
		"no PIN":            {func(c *pkcs11.Config) { c.PIN = nil }, pkcs11.ErrPIN, []string{"no source"}},
		"no PIN file":       {func(c *pkcs11.Config) { c.PIN = pkcs11.PINFile("/nonexistent/pin") }, pkcs11.ErrPIN, []string{"/nonexistent/pin"}},
		"wrong PIN":         {func(c *pkcs11.Config) { c.PIN = pkcs11.PINValue([]byte("0000")) }, pkcs11.ErrPIN, []string{"CKR_PIN_INCORRECT", "not be tried again"}},
		"PIN of a URI":      {func(c *pkcs11.Config) { c.PIN, c.URI = nil, "pkcs11:?pin-value=1234" }, nil, []string{"AllowURIPIN"}},
		"bad URI":           {func(c *pkcs11.Config) { c.URI = "x" }, nil, []string{"URI"}},
		"negative sessions": {func(c *pkcs11.Config) { c.MaxSessions = -1 }, nil, []string{"MaxSessions"}},
	} {
		cfg := good
		c.change(&cfg)
		token, err := pkcs11.Open(t.Context(), cfg)
		if err == nil {
			t.Errorf("%s: no error", name)
			token.Close()
			continue
		}
		if name == "several tokens" { // SoftHSM also shows a slot for a new token
			if !errors.Is(err, pkcs11.ErrAmbiguousToken) || !strings.Contains(err.Error(), `"second"`) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		for _, s := range c.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: the error does not say %q: %v", name, s, err)
			}
		}
		if strings.Contains(err.Error(), testPIN) || strings.Contains(err.Error(), "1234") {
			t.Errorf("%s: the error shows a PIN: %v", name, err)
		}
	}
}

func TestOpenByURI(t *testing.T) {
	cfg := newSoftHSM(t, "one token", "other")
	pin := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(pin, []byte(testPIN+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	uri := "pkcs11:token=one%20token;object=alice?module-path=" + cfg.Module + "&pin-source=file:" + pin
	token := open(t, pkcs11.Config{URI: uri, AllowURIPIN: true})
	if token.Info().Label != "one token" {
		t.Fatalf("opened %v", token.Info())
	}
	made := generate(t, token, provider.Ed25519, "alice", "bob")
	k, err := token.Signer(t.Context(), pkcs11.Query{}) // the URI's
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(k.Public(), made[0].Public()) {
		t.Error("the URI found another key")
	}
	id := pkcs11.URI{Token: "one token", ID: made[1].Info().ID}
	if k, err = token.Signer(t.Context(), pkcs11.Query{URI: id.String()}); err != nil || !bytes.Equal(k.Public(), made[1].Public()) {
		t.Errorf("by %v: %v", id, err)
	}
	if _, err := token.Signer(t.Context(), pkcs11.Query{URI: "pkcs11:token=other;object=alice"}); !errors.Is(err, pkcs11.ErrKeyNotFound) {
		t.Errorf("a URI of another token: %v", err)
	}
}

func TestFindKeys(t *testing.T) {
	token := open(t, newSoftHSM(t))
	ctx := t.Context()
	keys := generate(t, token, provider.ECDSA_P256_SHA256, "same", "same", "alone")
	if _, err := token.Signer(ctx, pkcs11.Query{Label: "nobody"}); !errors.Is(err, pkcs11.ErrKeyNotFound) || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("a key that is not there: %v", err)
	}
	_, err := token.Signer(ctx, pkcs11.Query{Label: "same"})
	var several *pkcs11.AmbiguousKeyError
	if !errors.As(err, &several) || !errors.Is(err, pkcs11.ErrAmbiguousKey) || len(several.Keys) != 2 {
		t.Fatalf("two keys of one label: %v", err)
	}
	for _, k := range keys[:2] {
		if !strings.Contains(err.Error(), fmt.Sprintf("%x", k.Info().ID)) {
			t.Errorf("the error does not list %v: %v", k.Info(), err)
		}
	}
	if k, err := token.Signer(ctx, pkcs11.Query{Label: "same", Public: keys[1].Public()}); err != nil || !bytes.Equal(k.Info().ID, keys[1].Info().ID) {
		t.Errorf("by label and public key: %v", err)
	}
	if _, err := token.Signer(ctx, pkcs11.Query{Label: "alone", Public: keys[0].Public()}); !errors.Is(err, pkcs11.ErrKeyNotFound) {
		t.Errorf("with the public key of another: %v", err)
	}
	if _, err := token.GenerateKey(ctx, provider.Ed25519, pkcs11.KeyOptions{ID: keys[0].Info().ID}); !errors.Is(err, pkcs11.ErrKeyExists) {
		t.Errorf("a second key of one ID: %v", err)
	}
	if err := token.DeleteKey(ctx, pkcs11.Query{Label: "same"}); !errors.Is(err, pkcs11.ErrAmbiguousKey) {
		t.Errorf("DeleteKey of two: %v", err)
	}
	if err := token.DeleteKey(ctx, pkcs11.Query{ID: keys[0].Info().ID}); err != nil {
		t.Errorf("DeleteKey: %v", err)
	}
	if _, err := keys[0].Sign(ctx, nil, []byte("x")); !errors.Is(err, pkcs11.ErrKeyNotFound) {
		t.Errorf("Sign with a deleted key: %v", err)
	}
	if all, err := token.FindKeys(ctx, pkcs11.Query{}); err != nil || len(all) != 2 {
		t.Errorf("FindKeys: %v, %v", all, err)
	}
	if _, err := keys[1].Sign(ctx, nil, []byte("x")); err != nil {
		t.Errorf("the other one: %v", err)
	}
	if _, _, err := token.Keys().Generate(ctx, bind(t, provider.P256_AES128GCM_SHA256_P256), provider.InitKey); err != nil {
		t.Fatal(err)
	}
	objects, err := token.Keys().Objects(ctx)
	if err != nil || len(objects) != 1 || objects[0].Use != provider.InitKey || time.Since(objects[0].Created) > time.Hour {
		t.Fatalf("Objects: %+v, %v", objects, err)
	}
	if _, err := token.Signer(ctx, pkcs11.Query{ID: objects[0].ID}); !errors.Is(err, pkcs11.ErrKeyNotFound) {
		t.Errorf("an init key as a signer: %v", err)
	}
	if err := token.Keys().Remove(ctx, objects[0].ID); err != nil {
		t.Error(err)
	}
	if objects, err := token.Keys().Objects(ctx); err != nil || len(objects) != 0 {
		t.Errorf("after Remove: %v, %v", objects, err)
	}
}

// TestImport signs with keys that were made outside.
func TestImport(t *testing.T) {
	token := open(t, newSoftHSM(t))
	crypto := soft.New(soft.Options{})
	for _, id := range signatureSuites[:4] {
		s := bind(t, id)
		made, err := soft.NewSigner(crypto, s)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := soft.ExportSigner(made)
		if err != nil {
			t.Fatal(err)
		}
		k, err := token.TestingOnlyImport(t.Context(), made.Scheme(), raw, pkcs11.KeyOptions{Label: "imported"})
		if err != nil {
			t.Errorf("%v: %v", made.Scheme(), err)
			continue
		}
		sig, err := k.Sign(t.Context(), nil, []byte("x"))
		if err != nil || s.Verify(made.Public(), []byte("x"), sig) != nil {
			t.Errorf("%v: %v", made.Scheme(), err)
		}
	}
}

func TestMessageLimit(t *testing.T) {
	cfg := newSoftHSM(t)
	cfg.MaxMessage = 1000
	token := open(t, cfg)
	ed := generate(t, token, provider.Ed25519, "ed")[0]
	ec := generate(t, token, provider.ECDSA_P256_SHA256, "ec")[0]
	if _, err := ed.Sign(t.Context(), nil, make([]byte, 1000)); err != nil {
		t.Error(err)
	}
	got, err := ed.Sign(t.Context(), []byte("p"), make([]byte, 1001))
	var size *pkcs11.MessageSizeError
	if !errors.As(err, &size) || size.Size != 1001 || size.Limit != 1000 || string(got) != "p" {
		t.Errorf("EdDSA beyond the limit: %v", err)
	}
	if _, err := ec.Sign(t.Context(), nil, make([]byte, 1<<20)); err != nil {
		t.Errorf("ECDSA sends a digest: %v", err)
	}
}

func TestSignMany(t *testing.T) {
	token := open(t, newSoftHSM(t))
	s := bind(t, provider.P256_AES128GCM_SHA256_P256)
	k := generate(t, token, provider.ECDSA_P256_SHA256, "a")[0]
	jobs := make([]pkcs11.SignJob, 100)
	for i := range jobs {
		jobs[i].Msg = fmt.Append(nil, i)
	}
	k.SignMany(t.Context(), jobs)
	for i, j := range jobs {
		if j.Err != nil || s.Verify(k.Public(), j.Msg, j.Sig) != nil {
			t.Errorf("job %d: %v", i, j.Err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	k.SignMany(ctx, jobs)
	for i, j := range jobs {
		if !errors.Is(j.Err, context.Canceled) {
			t.Errorf("job %d under an ended context: %v", i, j.Err)
		}
	}
}

// TestCryptoSigner makes a certificate, and refuses digests of another hash.
func TestCryptoSigner(t *testing.T) {
	token := open(t, newSoftHSM(t))
	for _, scheme := range []provider.SignatureScheme{provider.ECDSA_P256_SHA256, provider.ECDSA_P384_SHA384, provider.ECDSA_P521_SHA512, provider.Ed25519} {
		k := generate(t, token, scheme, scheme.String())[0]
		c, err := k.CryptoSigner(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "alice"},
			NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0), IsCA: true, BasicConstraintsValid: true,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, c.Public(), c)
		if err != nil {
			t.Errorf("%v: %v", scheme, err)
			continue
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := cert.CheckSignatureFrom(cert); err != nil {
			t.Errorf("%v: %v", scheme, err)
		}
	}
	k := generate(t, token, provider.ECDSA_P256_SHA256, "b")[0]
	c, err := k.CryptoSigner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Sign(nil, make([]byte, 48), crypto.SHA384); err == nil {
		t.Error("a digest of another hash is signed")
	}
	if _, err := c.Sign(nil, make([]byte, 200), crypto.SHA256); err == nil {
		t.Error("a digest that is too long is signed")
	}
	sig, err := c.SignMessage(nil, []byte("x"), crypto.SHA256)
	digest := sha256.Sum256([]byte("x"))
	if err != nil || !ecdsa.VerifyASN1(c.Public().(*ecdsa.PublicKey), digest[:], sig) {
		t.Errorf("SignMessage: %v", err)
	}
}

func TestRand(t *testing.T) {
	token := open(t, newSoftHSM(t))
	r, err := token.Rand(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 100 {
		b := make([]byte, 32)
		if n, err := r.Read(b); n != 32 || err != nil {
			t.Fatal(n, err)
		}
		seen[string(b)] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d different of 100", len(seen))
	}
	if err := token.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]byte, 3<<20)); n != 3<<20 || err != nil {
		t.Errorf("without the token: %d, %v", n, err)
	}
}

// TestLogsShowNoSecret: everything is logged, observed and printed, and nothing
// of it has the PIN or the message.
func TestLogsShowNoSecret(t *testing.T) {
	var log bytes.Buffer
	cfg := newSoftHSM(t)
	cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug - 10}))
	seen := make(chan string, 10000)
	cfg.Observe = func(e pkcs11.Event) { seen <- fmt.Sprintf("%+v", e) }
	token := open(t, cfg)
	k := generate(t, token, provider.Ed25519, "a")[0]
	if _, err := k.Sign(t.Context(), nil, []byte("a message")); err != nil {
		t.Fatal(err)
	}
	bad := cfg
	bad.PIN = pkcs11.PINValue([]byte("wrong-4712"))
	if second, err := pkcs11.Open(t.Context(), bad); err == nil { // the process is logged in, nobody asks for a PIN
		second.Close()
	}
	cfg.Logger.Info("all of it", "token", token, "signer", k, "info", token.Info(), "stats", token.Stats())
	text := log.String() + fmt.Sprintf("%v %+v %#v %v %+v %#v", token, token, token, k, k, k)
	for {
		select {
		case s := <-seen:
			text += s
			continue
		default:
		}
		break
	}
	for _, secret := range []string{testPIN, "wrong-4712", "a message"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is shown", secret)
		}
	}
	if !strings.Contains(text, "sign") {
		t.Error("nothing was seen")
	}
}

func TestMechanisms(t *testing.T) {
	token := open(t, newSoftHSM(t))
	list, err := token.Mechanisms(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range list {
		names = append(names, m.String())
	}
	for _, want := range []string{"CKM_ECDSA", "CKM_EDDSA", "CKM_ECDH1_DERIVE"} {
		if !strings.Contains(strings.Join(names, " "), want) {
			t.Errorf("%s is not among %d mechanisms", want, len(names))
		}
	}
	if m := token.Module(); m.Cryptoki == "" || m.Description == "" {
		t.Errorf("the module is %+v", m)
	}
	if err := token.Check(t.Context()); err != nil {
		t.Error(err)
	}
}
