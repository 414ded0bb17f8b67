package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/pkcs11"
	"github.com/hardmls/hardmls/provider/soft"
)

// tokenFlags say which token a command works on, and where its PIN comes from: never
// from the command line, which other users can read.
type tokenFlags struct {
	module, initString, uri, label, serial string
	slot                                   int
	pinFile, pinEnv                        string
	sessions                               int
	timeout                                time.Duration
}

func hsmCommand(t *terminal) *cobra.Command {
	var f tokenFlags
	cmd := &cobra.Command{
		Use:   "hsm",
		Short: "Work with keys in a PKCS#11 token: check, list, keygen, sign-test, sweep, demo",
		Long: `Works with a PKCS#11 token. The PIN comes from a file (--pin-file), from the
environment (--pin-env), or is asked for at the terminal; one attempt is made, never
a second.

Exit codes, for monitoring: 0 all is well, 1 the token works and something about it
is not well, 2 wrong usage, 3 the token can't be reached or refuses (no module, no
such token, wrong PIN).`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	p := cmd.PersistentFlags()
	p.StringVar(&f.module, "module", "", "path of the token's PKCS#11 module")
	p.StringVar(&f.initString, "init-string", "", "what the module is initialised with (NSS)")
	p.StringVar(&f.uri, "uri", "", "RFC 7512 URI of module, token and key")
	p.StringVar(&f.label, "token", "", "label of the token")
	p.StringVar(&f.serial, "serial", "", "serial number of the token")
	p.IntVar(&f.slot, "slot", -1, "slot of the token")
	p.StringVar(&f.pinFile, "pin-file", "", "file with the PIN")
	p.StringVar(&f.pinEnv, "pin-env", "", "environment variable with the PIN")
	p.IntVar(&f.sessions, "sessions", 16, "most sessions to open")
	p.DurationVar(&f.timeout, "timeout", 10*time.Second, "when a call into the module is given up")
	cmd.AddCommand(hsmCheckCommand(t, &f), hsmListCommand(t, &f), hsmKeygenCommand(t, &f),
		hsmSignTestCommand(t, &f), hsmSweepCommand(t, &f), hsmDemoCommand(t, &f))
	return cmd
}

// config is what the flags say.
func (f *tokenFlags) config(t *terminal) (pkcs11.Config, error) {
	c := pkcs11.Config{
		Module: f.module, InitString: f.initString, URI: f.uri, TokenLabel: f.label, TokenSerial: f.serial,
		MaxSessions: f.sessions, CallTimeout: f.timeout, RecoverTimeout: f.timeout,
	}
	if f.module == "" && f.uri == "" {
		return c, usageError{errors.New("which token? --module PATH, with --token LABEL, --serial or --slot, or --uri")}
	}
	if f.sessions < 1 {
		return c, usageError{errors.New("--sessions must be positive")}
	}
	if f.slot >= 0 {
		slot := uint(f.slot)
		c.Slot = &slot
	}
	switch {
	case f.pinFile != "" && f.pinEnv != "":
		return c, usageError{errors.New("--pin-file or --pin-env, not both")}
	case f.pinFile != "":
		c.PIN = pkcs11.PINFile(f.pinFile)
	case f.pinEnv != "":
		c.PIN = pkcs11.PINEnv(f.pinEnv)
	default:
		c.PIN = askPIN(t)
	}
	return c, nil
}

// askPIN asks for the PIN at the terminal, once.
func askPIN(t *terminal) pkcs11.PINSource {
	var typed []byte
	return func(_ context.Context, token pkcs11.TokenInfo) ([]byte, error) {
		if typed != nil {
			return append([]byte(nil), typed...), nil
		}
		if !term.IsTerminal(int(os.Stdin.Fd())) {
			return nil, errors.New("no PIN: give --pin-file or --pin-env, or run at a terminal")
		}
		fmt.Fprintf(t.err, "PIN of token %s: ", token)
		pin, err := term.ReadPassword(int(os.Stdin.Fd()))
		fmt.Fprintln(t.err)
		if err != nil {
			return nil, err
		}
		typed = pin
		return append([]byte(nil), typed...), nil
	}
}

// open opens the token and runs f.
func (f *tokenFlags) open(ctx context.Context, t *terminal, run func(tok *pkcs11.Token) error) error {
	c, err := f.config(t)
	if err != nil {
		return err
	}
	tok, err := pkcs11.Open(ctx, c)
	if err != nil {
		return advise(err)
	}
	err = run(tok)
	if cerr := tok.Close(); err == nil {
		err = cerr
	}
	return advise(err)
}

// advise adds what to do about an error that an operator meets.
func advise(err error) error {
	for _, a := range []struct {
		is   error
		what string
	}{
		{pkcs11.ErrNotBuilt, "build with cgo and without the tag nopkcs11"},
		{pkcs11.ErrPIN, "one attempt was made or none; make sure of the PIN before the next, or the token locks"},
		{pkcs11.ErrTokenNotFound, "compare --token, --serial and --slot with the tokens named here"},
		{pkcs11.ErrAmbiguousToken, "say which with --serial or --slot"},
		{pkcs11.ErrAmbiguousKey, "say which with --id"},
		{pkcs11.ErrKeyNotFound, "see 'hardmls hsm list'"},
		{pkcs11.ErrUnavailable, "calls hang in the module: look at the device, then start anew"},
	} {
		if errors.Is(err, a.is) {
			return fmt.Errorf("%w\n%s", err, a.what)
		}
	}
	return err
}

// keyFlags say which key.
type keyFlags struct{ label, id string }

func (k *keyFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&k.label, "label", "", "label of the key")
	cmd.Flags().StringVar(&k.id, "id", "", "identifier of the key, in hex")
}

func (k *keyFlags) query() (pkcs11.Query, error) {
	id, err := hex.DecodeString(k.id)
	if err != nil {
		return pkcs11.Query{}, usageError{fmt.Errorf("--id: %w", err)}
	}
	return pkcs11.Query{Label: k.label, ID: id}, nil
}

// schemes are the names of signature schemes on the command line.
var schemes = []struct {
	name   string
	scheme provider.SignatureScheme
}{
	{"ed25519", provider.Ed25519},
	{"p256", provider.ECDSA_P256_SHA256},
	{"p384", provider.ECDSA_P384_SHA384},
	{"p521", provider.ECDSA_P521_SHA512},
	{"ed448", provider.Ed448},
}

func schemeOf(name string) (provider.SignatureScheme, error) {
	var names []string
	for _, s := range schemes {
		if s.name == strings.ToLower(name) {
			return s.scheme, nil
		}
		names = append(names, s.name)
	}
	return 0, usageError{fmt.Errorf("unknown scheme %q: one of %s", name, strings.Join(names, ", "))}
}

// keyRow is a key as list shows it.
type keyRow struct {
	Label       string `json:"label"`
	ID          string `json:"id"`
	Curve       string `json:"curve"`
	Scheme      string `json:"scheme,omitempty"`
	Use         string `json:"use"`
	Extractable bool   `json:"extractable"`
	PublicKey   string `json:"public_key,omitempty"`
}

func rowOf(k pkcs11.KeyInfo) keyRow {
	r := keyRow{Label: k.Label, ID: hex.EncodeToString(k.ID), Curve: k.Curve, Extractable: k.Extractable || !k.Sensitive, PublicKey: hex.EncodeToString(k.Public)}
	if k.Scheme != 0 {
		r.Scheme = k.Scheme.String()
	}
	switch {
	case k.Sign && k.Derive:
		r.Use = "sign, derive"
	case k.Sign:
		r.Use = "sign"
	case k.Derive:
		r.Use = "derive"
	default:
		r.Use = "none"
	}
	return r
}

func hsmListCommand(t *terminal, f *tokenFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the private keys of the token",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.open(cmd.Context(), t, func(tok *pkcs11.Token) error {
				keys, err := tok.FindKeys(cmd.Context(), pkcs11.Query{})
				if err != nil && !errors.Is(err, pkcs11.ErrKeyNotFound) {
					return err
				}
				rows := make([]keyRow, 0, len(keys))
				table := [][]string{{"label", "id", "curve", "use", "extractable"}}
				for _, k := range keys {
					r := rowOf(k)
					rows = append(rows, r)
					table = append(table, []string{fmt.Sprintf("%q", r.Label), r.ID, r.Curve, r.Use, yesNo(r.Extractable)})
				}
				if t.json {
					return t.encode(rows)
				}
				if len(rows) == 0 {
					t.line("token", "%s has no private keys: hardmls hsm keygen", tok.Info())
					return nil
				}
				t.line("token", "%s", tok.Info())
				t.table(table)
				return nil
			})
		},
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func hsmKeygenCommand(t *terminal, f *tokenFlags) *cobra.Command {
	var k keyFlags
	var scheme string
	cmd := &cobra.Command{
		Use:   "keygen --label LABEL",
		Short: "Make a signature key in the token, which can't leave it",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := k.query()
			if err != nil {
				return err
			}
			if k.label == "" {
				return usageError{errors.New("--label is needed, to find the key again")}
			}
			s, err := schemeOf(scheme)
			if err != nil {
				return err
			}
			return f.open(cmd.Context(), t, func(tok *pkcs11.Token) error {
				signer, err := tok.GenerateKey(cmd.Context(), s, pkcs11.KeyOptions{Label: q.Label, ID: q.ID})
				if err != nil {
					return err
				}
				row := rowOf(signer.Info())
				if t.json {
					return t.encode(row)
				}
				t.line("made", "%s", signer.Info())
				t.line("public", "%s", row.PublicKey)
				return nil
			})
		},
	}
	k.add(cmd)
	cmd.Flags().StringVar(&scheme, "scheme", "p256", "ed25519, p256, p384, p521 or ed448")
	return cmd
}

func hsmDemoCommand(t *terminal, f *tokenFlags) *cobra.Command {
	var k keyFlags
	cmd := &cobra.Command{
		Use:   "demo [FILE...]",
		Short: "The demo, with Alice's signature key in the token",
		Long: `Runs the demo with Alice's signature key in the token: the key that --label or --id
names, or one made for it and deleted afterwards. The ciphersuite is one of the key's
signature scheme.`,
		RunE: func(cmd *cobra.Command, files []string) error {
			return f.open(cmd.Context(), t, func(tok *pkcs11.Token) error {
				return withSigner(cmd.Context(), tok, &k, func(signer *pkcs11.Signer) error {
					suite, err := suiteOf(signer.Scheme())
					if err != nil {
						return err
					}
					t.line("token", "%s", tok.Info())
					t.line("alice", "signs with %s", signer.Info())
					return runDemo(cmd.Context(), t, files, suite, signer)
				})
			})
		},
	}
	k.add(cmd)
	return cmd
}

// allSuites are the ciphersuites that the engine has.
func allSuites() (ps []*provider.Params) {
	for _, id := range soft.New(soft.Options{}).CipherSuites() {
		if p, ok := provider.ParamsOf(id); ok {
			ps = append(ps, p)
		}
	}
	return ps
}

// suiteOf returns a ciphersuite that signs with scheme.
func suiteOf(scheme provider.SignatureScheme) (provider.CipherSuite, error) {
	for _, p := range allSuites() {
		if p.Signature == scheme {
			return p.ID, nil
		}
	}
	return 0, fmt.Errorf("no ciphersuite signs with %v", scheme)
}

// withSigner runs f with the key that the flags name, or with a temporary one.
func withSigner(ctx context.Context, tok *pkcs11.Token, k *keyFlags, f func(s *pkcs11.Signer) error) error {
	q, err := k.query()
	if err != nil {
		return err
	}
	if k.label != "" || k.id != "" {
		signer, err := tok.Signer(ctx, q)
		if err != nil {
			return err
		}
		return f(signer)
	}
	signer, err := temporaryKey(ctx, tok)
	if err != nil {
		return err
	}
	err = f(signer)
	// It is deleted also if the command was interrupted.
	del, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if derr := tok.DeleteKey(del, pkcs11.Query{ID: signer.Info().ID}); err == nil {
		err = derr
	}
	return err
}

// temporaryKey makes a key of the first scheme that the token has.
func temporaryKey(ctx context.Context, tok *pkcs11.Token) (*pkcs11.Signer, error) {
	var last error
	for _, s := range schemes {
		signer, err := tok.GenerateKey(ctx, s.scheme, pkcs11.KeyOptions{Label: "hardmls temporary"})
		if err == nil {
			return signer, nil
		}
		if last = err; !errors.Is(err, pkcs11.ErrUnsupported) {
			break
		}
	}
	return nil, last
}
