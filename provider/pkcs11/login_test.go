package pkcs11

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWrongPINCostsOneAttempt(t *testing.T) {
	f := newFake()
	_, err := Open(t.Context(), func() Config { c := f.config(t); c.PIN = PINValue([]byte("wrong")); return c }())
	var pin *PINError
	if !errors.As(err, &pin) || !pin.Tried || !errors.Is(err, ErrPIN) {
		t.Fatalf("Open with a wrong PIN: %v", err)
	}
	if code, ok := Code(err); !ok || rv(code) != ckrPINIncorrect {
		t.Errorf("its code is 0x%x", code)
	}
	if n := f.count("login"); n != 1 {
		t.Errorf("%d attempts, want 1", n)
	}
	if strings.Contains(err.Error(), "wrong\"") || strings.Contains(err.Error(), fakePIN) {
		t.Errorf("the error shows a PIN: %v", err)
	}
}

// TestPINChangedWhileOpen: the login is lost and the PIN is another by then.
// Whatever is called, by however many, costs one attempt.
func TestPINChangedWhileOpen(t *testing.T) {
	f := newFake()
	token := f.open(t, nil)
	k := f.key(t, token, "a")
	f.set(func() { f.pin, f.loggedIn = "changed", false })
	before := f.count("login")
	done := make(chan error)
	for range 8 {
		go func() {
			_, err := k.Sign(context.Background(), nil, []byte("x"))
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; !errors.Is(err, ErrPIN) {
			t.Errorf("Sign: %v, want ErrPIN", err)
		}
	}
	if n := f.count("login") - before; n != 1 {
		t.Errorf("%d attempts, want 1", n)
	}
	if h := token.Health(); h.Condition != NoPIN {
		t.Errorf("the token is %v", h.Condition)
	}
	if _, err := token.FindKeys(t.Context(), Query{}); !errors.Is(err, ErrPIN) {
		t.Errorf("FindKeys: %v", err)
	}
}

func TestPINGuards(t *testing.T) {
	for name, c := range map[string]struct {
		flags   TokenFlags
		allow   bool
		wantErr bool
	}{
		"locked":                     {ckfPINLocked, false, true},
		"locked, allowed":            {ckfPINLocked, true, true},
		"final try":                  {ckfPINFinalTry, false, true},
		"final try, allowed":         {ckfPINFinalTry, true, false},
		"a wrong one by somebody":    {ckfPINCountLow, false, false},
		"nothing wrong with the PIN": {0, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.token.Flags |= c.flags
			cfg := f.config(t)
			cfg.AllowFinalTry = c.allow
			token, err := Open(t.Context(), cfg)
			if err == nil {
				defer token.Close()
			}
			var pin *PINError
			if c.wantErr != errors.As(err, &pin) {
				t.Fatalf("Open: %v", err)
			}
			if c.wantErr && (pin.Tried || f.count("login") != 0) {
				t.Error("an attempt was spent")
			}
		})
	}
}

// TestOwnCountOfWrongPINs: a token without flags that locks after three tries.
func TestOwnCountOfWrongPINs(t *testing.T) {
	f := newFake()
	keep := f.config(t)
	keep.PIN = nil
	f.token.Flags &^= ckfLoginReq // keeps the module, and its counts, loaded
	holder, err := Open(t.Context(), keep)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	f.set(func() { f.token.Flags |= ckfLoginReq })
	wrong := f.config(t)
	wrong.PIN = PINValue([]byte("wrong"))
	for i := range 5 {
		if _, err := Open(t.Context(), wrong); !errors.Is(err, ErrPIN) {
			t.Fatalf("Open number %d: %v", i, err)
		}
	}
	if n := f.count("login"); n != wrongPINLimit {
		t.Errorf("%d attempts, want %d", n, wrongPINLimit)
	}
	right := f.config(t)
	if _, err := Open(t.Context(), right); !errors.Is(err, ErrPIN) {
		t.Errorf("the last try was taken without AllowFinalTry: %v", err)
	}
	right.AllowFinalTry = true
	token, err := Open(t.Context(), right)
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	right.AllowFinalTry = false
	again, err := Open(t.Context(), right)
	if err != nil {
		t.Fatalf("after a right PIN: %v", err)
	}
	again.Close()
}

func TestPINSources(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("HARDMLS_TEST_PIN", "from env")
	for name, c := range map[string]struct {
		source PINSource
		want   string // "": an error
	}{
		"file":                  {PINFile(file("a", "secret")), "secret"},
		"file with a line end":  {PINFile(file("b", "secret\r\n")), "secret"},
		"file with two of them": {PINFile(file("c", "secret\n\n")), "secret\n"},
		"empty file":            {PINFile(file("d", "\n")), ""},
		"no file":               {PINFile(filepath.Join(dir, "none")), ""},
		"environment":           {PINEnv("HARDMLS_TEST_PIN"), "from env"},
		"no variable":           {PINEnv("HARDMLS_TEST_NO_PIN"), ""},
		"value":                 {PINValue([]byte("v")), "v"},
	} {
		got, err := c.source(t.Context(), TokenInfo{})
		if string(got) != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestPINSourceFails: a source that fails costs no attempt, and works later.
func TestPINSourceFails(t *testing.T) {
	f := newFake()
	cfg := f.config(t)
	down := errors.New("the vault is down")
	cfg.PIN = func(context.Context, TokenInfo) ([]byte, error) { return nil, down }
	if _, err := Open(t.Context(), cfg); !errors.Is(err, down) || !errors.Is(err, ErrPIN) {
		t.Errorf("Open: %v", err)
	}
	cfg.PIN = nil
	if _, err := Open(t.Context(), cfg); !errors.Is(err, ErrPIN) {
		t.Errorf("Open without a source: %v", err)
	}
	if f.count("login") != 0 {
		t.Error("an attempt was spent")
	}
}

// TestPINIsWiped: the slice that a source gave holds nothing afterwards.
func TestPINIsWiped(t *testing.T) {
	f := newFake()
	given := []byte(fakePIN)
	f.open(t, func(c *Config) {
		c.PIN = func(context.Context, TokenInfo) ([]byte, error) { return given, nil }
	})
	if string(given) == fakePIN {
		t.Error("the PIN is still there")
	}
}

func TestAlwaysAuthenticate(t *testing.T) {
	f := newFake()
	token := f.open(t, nil)
	made := f.key(t, token, "a")
	f.set(func() {
		for _, o := range f.objects {
			o.attrs[ckaAlwaysAuth] = []byte{1}
		}
	})
	k, err := token.Signer(t.Context(), Query{ID: made.Info().ID})
	if err != nil {
		t.Fatal(err)
	}
	if !k.Info().AlwaysAuthenticate {
		t.Fatal("the key does not say so")
	}
	signs(t, k, "with a PIN of its own")
	f.set(func() { f.pin = "changed" })
	before := f.count("sign")
	for range 3 {
		if _, err := k.Sign(t.Context(), nil, []byte("x")); !errors.Is(err, ErrPIN) {
			t.Errorf("Sign with a wrong PIN: %v", err)
		}
	}
	if n := f.count("sign") - before; n != 1 {
		t.Errorf("%d attempts, want 1", n)
	}
	f.set(func() { f.objects[1].attrs[ckaAlwaysAuth] = []byte{0} })
	other, err := token.Signer(t.Context(), Query{ID: made.Info().ID})
	if err != nil {
		t.Fatal(err)
	}
	signs(t, other, "the login is still there")
}

func TestHangingLogin(t *testing.T) {
	f := newFake()
	release := make(chan struct{})
	f.fault = func(call string, n int) error {
		if call == "login" {
			<-release
		}
		return nil
	}
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, f.config(t)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Open: %v", err)
	}
}
