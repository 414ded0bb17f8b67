package pkcs11

import (
	"context"
	"crypto/rand"
	"crypto/sha3"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Rand returns a source that mixes the token's random numbers into crypto/rand,
// for soft.Options.Rand and the like. Each block of output is SHAKE256 of bytes
// of crypto/rand, as many as are asked for or 64, and of seed bytes of the
// token. So it is at least as good as crypto/rand, and good where only the
// token's is.
//
// The seed is drawn now and then: the token is not asked for every read. If it
// cannot be asked again, the old seed goes on.
func (t *Token) Rand(ctx context.Context) (io.Reader, error) {
	m := &mixed{t: t}
	if err := m.seed(ctx); err != nil {
		return nil, err
	}
	return m, nil
}

// A mixed is the source that Rand returns.
type mixed struct {
	t      *Token
	mu     sync.Mutex
	pool   [64]byte // of the token; replaced by a hash of itself at each read
	drawn  int      // bytes since the pool was renewed
	asking bool
}

// reseedAfter is after how many bytes the token is asked again.
const reseedAfter = 1 << 20

func (m *mixed) seed(ctx context.Context) error {
	var fresh []byte
	err := m.t.use(ctx, "random", func(ctx context.Context, s *session) error {
		b := make([]byte, len(m.pool)) // the call's own
		err := s.do(ctx, "random", func() error { return m.t.m.lib.random(s.h, b) })
		fresh = b
		return err
	})
	if err != nil {
		if errors.Is(err, ckrRandomNoRNG) {
			err = fmt.Errorf("%w: random numbers: %w", ErrUnsupported, err)
		}
		return err
	}
	defer clear(fresh)
	m.mu.Lock()
	defer m.mu.Unlock()
	h := sha3.NewSHAKE256()
	h.Write(m.pool[:])
	h.Write(fresh)
	h.Read(m.pool[:])
	m.drawn = 0
	return nil
}

// Read implements io.Reader. It never waits for the token.
func (m *mixed) Read(p []byte) (int, error) {
	base := make([]byte, max(64, len(p)))
	defer clear(base)
	rand.Read(base)
	m.mu.Lock()
	h := sha3.NewSHAKE256()
	h.Write(m.pool[:])
	h.Write(base)
	h.Read(m.pool[:])
	m.drawn += len(p)
	again := m.drawn >= reseedAfter && !m.asking
	m.asking = m.asking || again
	m.mu.Unlock()
	h.Read(p)
	if again {
		go m.reseed()
	}
	return len(p), nil
}

func (m *mixed) reseed() {
	ctx, cancel := within(context.Background(), m.t.cfg.CallTimeout)
	defer cancel()
	err := m.seed(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asking = false
	if err != nil {
		m.drawn = 0 // ask again later
	}
}
