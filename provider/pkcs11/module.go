package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A module is one loaded library, which Cryptoki lets a process initialise
// once. All Tokens of it share the initialisation; the last one finalises.
//
// Every call into the library is inside enter and leave, so that the library is
// never finalised under a call, and names the initialisation (epoch) that its
// handles belong to, so that no handle reaches another one, where it could be
// somebody else's.
type module struct {
	lib      library
	key      string // in modules
	path     string
	reserved string
	foreign  bool // somebody else initialised it, and will finalise it

	mu       sync.Mutex
	refs     int
	now      *tenancy
	renewing bool          // somebody initialises the module again, or waits to
	closing  bool          // and nobody may enter
	changed  chan struct{} // closed and replaced when inside falls to 0 or renewing ends
	lastInit time.Time
	pause    time.Duration // before the next re-initialisation

	wrongPINs pinCounts
}

// A tenancy is one initialisation of a module, with the calls of that time.
type tenancy struct {
	epoch  uint64
	inside int
	hung   int           // of those inside, calls that were left behind
	over   chan struct{} // closed when the next one begins
}

// begin starts the next tenancy. Whoever has handles of the last one is too
// late. The caller has locked m.mu.
func (m *module) begin() {
	close(m.now.over)
	m.now = &tenancy{epoch: m.now.epoch + 1, over: make(chan struct{})}
}

var modules = struct {
	sync.Mutex
	byKey map[string]*module
}{byKey: map[string]*module{}}

// acquire returns the module of cfg, initialised.
func acquire(cfg *Config) (*module, error) {
	key, err := identity(cfg.Module)
	if err != nil {
		return nil, err
	}
	modules.Lock()
	defer modules.Unlock()
	if m := modules.byKey[key]; m != nil {
		if m.reserved != cfg.InitString {
			return nil, fmt.Errorf("%w: %s is initialised in this process with another InitString", ErrModule, cfg.Module)
		}
		m.refs++
		return m, nil
	}
	lib, err := cfg.load(cfg.Module)
	if err != nil {
		return nil, err
	}
	m := &module{lib: lib, key: key, path: cfg.Module, reserved: cfg.InitString, refs: 1, now: &tenancy{epoch: 1, over: make(chan struct{})}, changed: make(chan struct{})}
	m.wrongPINs.count = map[string]int{}
	switch err := lib.initialize(cfg.InitString); {
	case errors.Is(err, ckrAlreadyInitialized):
		m.foreign = true
	case err != nil:
		return nil, fmt.Errorf("%w: %s: C_Initialize: %w", ErrModule, cfg.Module, err)
	}
	modules.byKey[key] = m
	return m, nil
}

// identity is the same for two names of one file. A name without a slash is
// left to the dynamic linker.
func identity(path string) (string, error) {
	if !strings.Contains(path, "/") || !Built {
		return path, nil
	}
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		var info os.FileInfo
		if info, err = os.Stat(real); err == nil && info.IsDir() {
			err = errors.New("it is a directory")
		}
	}
	if err != nil {
		return "", fmt.Errorf("%w: %s: %w", ErrModule, path, err)
	}
	return filepath.Abs(real)
}

// release gives the module back. The last one waits for the calls inside, and
// finalises it unless some hang.
func (m *module) release() error {
	modules.Lock()
	defer modules.Unlock()
	if m.refs--; m.refs > 0 {
		return nil
	}
	delete(modules.byKey, m.key)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closing = true
	ctx, cancel := within(context.Background(), drainTimeout)
	defer cancel()
	for m.now.inside > m.now.hung && m.wait(ctx) == nil {
	}
	inside := m.now.inside
	m.begin()
	m.closing = false
	m.signal()
	if m.foreign {
		return nil
	}
	if inside > 0 {
		return fmt.Errorf("%w: %s stays initialised, because %d calls hang in it", ErrUnavailable, m.path, inside)
	}
	if err := m.lib.finalize(); err != nil && !errors.Is(err, ckrNotInitialized) {
		return fmt.Errorf("%w: %s: C_Finalize: %w", ErrModule, m.path, err)
	}
	return nil
}

// enter lets a call with handles of epoch into the library. It waits, at most
// for limit, while the module is being initialised again. The call ends with
// leave.
func (m *module) enter(ctx context.Context, epoch uint64, limit time.Duration) (*tenancy, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing {
		short, cancel := within(ctx, limit)
		defer cancel()
		for m.closing {
			if m.wait(short) == nil {
				continue
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("%w: the module is being initialised again", ErrUnavailable)
		}
	}
	if epoch != m.now.epoch {
		return nil, errStale
	}
	m.now.inside++
	return m.now, nil
}

// leave ends a call, which was left behind or not.
func (m *module) leave(w *tenancy, behind bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if behind {
		w.hung--
	}
	if w.inside--; w.inside <= w.hung {
		m.signal()
	}
}

func (m *module) leftBehind(w *tenancy) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w.hung++
}

// wait unlocks m.mu until something changes or ctx ends.
func (m *module) wait(ctx context.Context) error {
	c := m.changed
	m.mu.Unlock()
	defer m.mu.Lock()
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *module) signal() {
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *module) currentEpoch() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now.epoch
}

// drainTimeout is how long a re-initialisation waits for calls to end, with
// everybody else waiting for it.
const drainTimeout = time.Second

// reinit finalises and initialises the module, unless somebody did since epoch.
// It waits for the calls inside to end, and gives up where one hangs: a library
// is not finalised under a call, unless force says so. done reports whether it
// was done here.
func (m *module) reinit(ctx context.Context, epoch uint64, interval time.Duration, force bool) (done bool, err error) {
	if m.foreign {
		return false, fmt.Errorf("%w: the module belongs to another user in this process, who must initialise it again", ErrModule)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.renewing {
		if err := m.wait(ctx); err != nil {
			return false, err
		}
	}
	if m.now.epoch != epoch {
		return false, nil
	}
	m.renewing = true
	open := func() { m.renewing, m.closing = false, false; m.signal() }
	if err := m.rest(ctx, interval); err != nil {
		open()
		return false, err
	}
	m.closing = true
	drain, cancel := within(ctx, drainTimeout)
	defer cancel()
	for m.now.inside > 0 && ctx.Err() == nil {
		if m.now.hung == 0 && m.wait(drain) == nil {
			continue
		}
		if force {
			break
		}
		open()
		return false, fmt.Errorf("%w: %d calls hang in the module: it cannot be initialised again", ErrUnavailable, m.now.inside)
	}
	m.begin()
	result := make(chan error, 1)
	go func() {
		err := m.renew()
		m.mu.Lock()
		defer m.mu.Unlock()
		result <- err
		open()
	}()
	m.mu.Unlock()
	defer m.mu.Lock()
	select {
	case err := <-result:
		return true, err
	case <-ctx.Done():
		return true, fmt.Errorf("%w: its initialisation hangs: %w", ErrUnavailable, ctx.Err())
	}
}

// renew is the new initialisation itself.
func (m *module) renew() error {
	if err := m.lib.finalize(); err != nil && !errors.Is(err, ckrNotInitialized) {
		return err
	}
	if err := m.lib.initialize(m.reserved); err != nil && !errors.Is(err, ckrAlreadyInitialized) {
		return err
	}
	return nil
}

// within is ctx that ends after limit, if limit is one.
func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, limit)
}

// rest keeps re-initialisations apart: by interval, and longer each time that
// the last one did not help.
func (m *module) rest(ctx context.Context, interval time.Duration) error {
	m.pause = min(max(m.pause, interval), 64*interval)
	if since := time.Since(m.lastInit); since < m.pause {
		jitter := rand.N(m.pause/8 + 1)
		m.mu.Unlock()
		err := sleep(ctx, m.pause-since+jitter)
		m.mu.Lock()
		if err != nil {
			return err
		}
	}
	m.pause *= 2
	m.lastInit = time.Now()
	return nil
}

// helped notes that a token could be logged into, under the initialisation epoch.
func (m *module) helped(epoch uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now.epoch == epoch {
		m.pause = 0
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
