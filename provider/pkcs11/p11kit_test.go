//go:build cgo && linux && !nopkcs11

package pkcs11_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/pkcs11"
	"github.com/hardmls/hardmls/provider/providertest"
)

// A remote is SoftHSM in processes of p11-kit's server: a real token that can
// be killed and stopped. Its module hands out a function list of its own to
// everybody who asks, so this is also the way without the one-shot calls.
type remote struct {
	t      testing.TB
	server int
}

func newRemote(t testing.TB) (*remote, pkcs11.Config) {
	t.Helper()
	cfg := newSoftHSM(t)
	client := lookFor(t, "p11-kit's client module (package p11-kit-modules)", "HARDMLS_P11KIT_CLIENT",
		"/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so", "/usr/lib/aarch64-linux-gnu/pkcs11/p11-kit-client.so",
		"/usr/lib64/pkcs11/p11-kit-client.so")
	tool := lookFor(t, "p11-kit (package p11-kit)", "HARDMLS_P11KIT", "/usr/bin/p11-kit", "/usr/local/bin/p11-kit")
	socket := filepath.Join(t.TempDir(), "socket")
	cmd := exec.Command(tool, "server", "-f", "-n", socket, "--provider", cfg.Module, "pkcs11:token="+cfg.TokenLabel)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := &remote{t, cmd.Process.Pid}
	t.Cleanup(func() {
		r.signal(syscall.SIGKILL)
		cmd.Process.Kill()
		cmd.Wait()
	})
	t.Setenv("P11_KIT_SERVER_ADDRESS", "unix:path="+socket)
	cfg.Module = client
	for range 200 {
		if all, _, err := pkcs11.Tokens(t.Context(), cfg); err == nil && len(all) > 0 {
			return r, cfg
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("p11-kit's server shows no token")
	return nil, cfg
}

// signal sends s to the processes that serve connections, which are children of
// the server, and returns how many there were.
func (r *remote) signal(s syscall.Signal) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", r.server, r.server))
	if err != nil {
		r.t.Errorf("children of the server: %v", err)
	}
	pids := strings.Fields(string(text))
	for _, pid := range pids {
		n, err := strconv.Atoi(pid)
		if err == nil {
			err = syscall.Kill(n, s)
		}
		if err != nil && !errors.Is(err, syscall.ESRCH) {
			r.t.Error(err)
		}
	}
	return len(pids)
}

func TestSignerOfRemote(t *testing.T) {
	_, cfg := newRemote(t)
	token := open(t, cfg)
	s := bind(t, provider.P256_AES128GCM_SHA256_P256)
	k := generate(t, token, provider.ECDSA_P256_SHA256, "a")[0]
	providertest.TestSigner(t, s, k)
}

// TestKilledRemote: the process behind the module is killed ten times (three with -short) under the
// load of 8 goroutines with three keys, which costs no error and no signature by
// another key. Some of the calls at that moment never return from p11-kit.
func TestKilledRemote(t *testing.T) {
	r, cfg := newRemote(t)
	cfg.ReinitOverCalls = true
	cfg.MaxAbandoned = 80
	token := open(t, cfg)
	s := bind(t, provider.P256_AES128GCM_SHA256_P256)
	keys := generate(t, token, provider.ECDSA_P256_SHA256, "a", "b", "c")
	stop := signing(t, s, 8, keys...)
	made, want := uint64(0), 10
	if testing.Short() {
		want = 3
	}
	for kills, end := 0, time.Now().Add(30*time.Second); kills < want && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
		if n := token.Stats().Signatures; n >= made+10 && r.signal(syscall.SIGKILL) > 0 { // else the token is not back yet
			kills++
			made = n
		}
	}
	time.Sleep(50 * time.Millisecond)
	n, longest := stop()
	st := token.Stats()
	t.Logf("%d signatures, longest %v, %d new initialisations, %d new logins, %d retries, %d calls hang", n, longest, st.Reinits, st.Regenerations, st.Retries, st.Hanging)
	if st.Reinits < uint64(want-1) || n < 10 {
		t.Errorf("%d new initialisations, %d signatures", st.Reinits, n)
	}
	if h := token.Health(); h.Condition != pkcs11.Healthy && h.Condition != pkcs11.Hanging {
		t.Errorf("afterwards the token is %v: %v", h.Condition, h.LastError)
	}
}

// TestStoppedRemote: the process behind the module stops. A call ends with its
// context, and when the process goes on so does the token.
func TestStoppedRemote(t *testing.T) {
	r, cfg := newRemote(t)
	cfg.MaxAbandoned = 4
	token := open(t, cfg)
	k := generate(t, token, provider.ECDSA_P256_SHA256, "a")[0]
	r.signal(syscall.SIGSTOP)
	for range 8 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		start := time.Now()
		_, err := k.Sign(ctx, nil, []byte("x"))
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, pkcs11.ErrUnavailable) {
			t.Errorf("Sign: %v", err)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("it took %v", d)
		}
	}
	if n := token.Stats().Hanging; n != 4 {
		t.Errorf("%d calls hang, want 4", n)
	}
	r.signal(syscall.SIGCONT)
	for range 500 {
		if token.Stats().Hanging == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := k.Sign(t.Context(), nil, []byte("x")); err != nil {
		t.Errorf("Sign when the process goes on: %v", err)
	}
}
