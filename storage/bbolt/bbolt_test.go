package bbolt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
	"github.com/hardmls/hardmls/storage/bbolt"
	"github.com/hardmls/hardmls/storage/groupcommit"
)

func open(t testing.TB, path string) *bbolt.Store {
	t.Helper()
	s, err := bbolt.Open(path, bbolt.Options{TestingOnlyNoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStorage(t *testing.T) {
	providertest.TestStorage(t, func(t testing.TB) provider.Storage {
		return open(t, filepath.Join(t.TempDir(), "store"))
	})
}

// TestStorageTogether: the same behind the layer that writes batches together.
func TestStorageTogether(t *testing.T) {
	providertest.TestStorage(t, func(t testing.TB) provider.Storage {
		s, err := groupcommit.New(open(t, filepath.Join(t.TempDir(), "store")))
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func batch(group string, expect uint64, value string) *provider.Batch {
	b := &provider.Batch{Group: []byte(group), Expect: expect}
	for i := range 40 {
		b.Put = append(b.Put, provider.Record{Key: provider.Key{Group: b.Group, Kind: 1, ID: []byte{byte(i)}}, Value: bytes.Repeat([]byte(value), 100)})
	}
	return b
}

// TestReopen: what was applied is there after closing, with the store's id.
func TestReopen(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "store")
	s := open(t, path)
	id := s.ID()
	for i := range 20 {
		if err := s.Apply(ctx, batch("g", uint64(i), fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Version(ctx, []byte("g")); !errors.Is(err, provider.ErrClosed) {
		t.Errorf("closed store: %v", err)
	}
	s = open(t, path)
	if v, err := s.Version(ctx, []byte("g")); v != 20 || err != nil {
		t.Errorf("version %d, %v", v, err)
	}
	if v, err := s.Get(ctx, nil, provider.Key{Group: []byte("g"), Kind: 1, ID: []byte{39}}); err != nil || !bytes.HasPrefix(v, []byte("1919")) {
		t.Errorf("record %.10q, %v", v, err)
	}
	if !bytes.Equal(s.ID(), id) || len(id) != 16 {
		t.Error("another id")
	}
}

// refuses opens a file that is no good: a typed error that names the file and what to
// do, and the file as it was.
func refuses(t *testing.T, path string, want error) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := bbolt.Open(path, bbolt.Options{LockTimeout: 10 * time.Millisecond})
	if err == nil {
		s.Close()
		t.Fatal("opened")
	}
	var e *bbolt.Error
	if !errors.Is(err, want) || !errors.As(err, &e) || e.Path != path || e.Remedy == "" {
		t.Errorf("got %v, want %v", err, want)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed (%v)", err)
	}
}

// TestNoGood: files that are not a store that this release can open.
func TestNoGood(t *testing.T) {
	path := func(name string) string { return filepath.Join(t.TempDir(), name) }
	good := path("good")
	s := open(t, good)
	if err := s.Apply(t.Context(), batch("g", 0, "x")); err != nil {
		t.Fatal(err)
	}
	t.Run("locked", func(t *testing.T) { refuses(t, good, bbolt.ErrLocked) })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	bytesOf, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) string {
		p := path("bad")
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	t.Run("empty", func(t *testing.T) { refuses(t, write(nil), bbolt.ErrDamaged) })
	t.Run("text", func(t *testing.T) { refuses(t, write(bytes.Repeat([]byte("not a store\n"), 5000)), bbolt.ErrDamaged) })
	t.Run("short", func(t *testing.T) { refuses(t, write([]byte("x")), bbolt.ErrDamaged) })
	for _, part := range []int{1, 2} {
		t.Run(fmt.Sprintf("cut to %d quarters", part), func(t *testing.T) {
			refuses(t, write(bytesOf[:len(bytesOf)*part/4/4096*4096]), bbolt.ErrDamaged)
		})
	}
	t.Run("another program's", func(t *testing.T) {
		p := path("other")
		db, err := bolt.Open(p, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		refuses(t, p, bbolt.ErrForeign)
	})
	t.Run("newer", func(t *testing.T) {
		p := write(bytesOf)
		db, err := bolt.Open(p, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte("hardmls")).Put([]byte("format"), []byte{2}) }); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		refuses(t, p, bbolt.ErrNewer)
	})
	t.Run("absent", func(t *testing.T) {
		p := path("absent")
		if _, err := bbolt.Open(p, bbolt.Options{MustExist: true}); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
		if _, err := os.Stat(p); err == nil {
			t.Error("made a file")
		}
	})
	t.Run("folder", func(t *testing.T) {
		if _, err := bbolt.Open(t.TempDir(), bbolt.Options{}); !errors.Is(err, bbolt.ErrForeign) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("read-only", func(t *testing.T) {
		if os.Getuid() == 0 || runtime.GOOS == "windows" {
			t.Skip("permissions do not bind this user")
		}
		p := write(bytesOf)
		if err := os.Chmod(p, 0o400); err != nil {
			t.Fatal(err)
		}
		refuses(t, p, os.ErrPermission)
	})
}

// TestDamagedPages: pages that were overwritten behind the store's back are errors
// where they are met, never a crash and never a hang.
func TestDamagedPages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "good")
	s := open(t, path)
	for g := range 8 {
		if err := s.Apply(t.Context(), batch(fmt.Sprint(g), 0, "x")); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rounds := 100
	if testing.Short() {
		rounds = 20
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range rounds {
		bad := bytes.Clone(good)
		for range 1 + rnd.IntN(4) {
			switch at := rnd.IntN(len(bad)); rnd.IntN(3) {
			case 0:
				bad[at] ^= byte(1 + rnd.IntN(255))
			case 1:
				copy(bad[at/4096*4096:], make([]byte, 4096))
			case 2: // a header or the elements behind it
				bad[at/4096*4096+rnd.IntN(64)] ^= byte(1 + rnd.IntN(255))
			}
		}
		use(t, bad)
	}
}

// use opens a damaged file and does everything with it.
func use(t *testing.T, file []byte) {
	path := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s, err := bbolt.Open(path, bbolt.Options{TestingOnlyNoSync: true})
		if err != nil {
			return
		}
		ctx := context.Background()
		for g := range 8 {
			group := []byte(fmt.Sprint(g))
			v, _ := s.Version(ctx, group)
			s.Get(ctx, nil, provider.Key{Group: group, Kind: 1, ID: []byte{7}})
			for range s.Scan(ctx, provider.Key{Group: group}) {
			}
			s.Apply(ctx, batch(string(group), v, "y"))
		}
		s.Close()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		name := filepath.Join(os.TempDir(), "bbolt-hangs")
		os.WriteFile(name, file, 0o600)
		t.Fatalf("a damaged file hangs the store: %s", name)
	}
}
