package providertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hardmls/hardmls/provider"
)

func TestNewRand(t *testing.T) {
	read := func(seed uint64, n int) []byte {
		b := make([]byte, n)
		if _, err := io.ReadFull(NewRand(seed), b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	if !bytes.Equal(read(1, 100), read(1, 100)) {
		t.Error("one seed gives two streams")
	}
	if bytes.Equal(read(1, 100), read(2, 100)) {
		t.Error("two seeds give one stream")
	}
	r := NewRand(1)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				r.Read(make([]byte, 33))
			}
		})
	}
	all.Wait()
}

func TestFaultRand(t *testing.T) {
	r := FailingRand(2)
	b := make([]byte, 8)
	for i, want := range []error{nil, nil, ErrInjected, ErrInjected} {
		n, err := r.Read(b)
		if !errors.Is(err, want) || (want != nil && n != 7) {
			t.Errorf("read %d: %d, %v, want %v", i, n, err, want)
		}
	}
	if r.Calls() != 4 {
		t.Errorf("%d calls, want 4", r.Calls())
	}
	r.FailAt(1)
	for i, want := range []error{nil, ErrInjected, nil} {
		if _, err := io.ReadFull(r, b); !errors.Is(err, want) {
			t.Errorf("read %d: %v, want %v", i, err, want)
		}
	}
	r.Reset()
	if _, err := r.Read(b); err != nil || r.Calls() != 1 {
		t.Errorf("after Reset: %v, %d calls", err, r.Calls())
	}
	if StuckRand(5).Read(b); !bytes.Equal(b, bytes.Repeat([]byte{5}, 8)) {
		t.Errorf("a stuck reader gives %v", b)
	}
}

func TestFaultSigner(t *testing.T) {
	c, s := toy(t, Toy1)
	k, err := c.NewSigner(Toy1)
	if err != nil {
		t.Fatal(err)
	}
	f := FailingSigner(k, 1)
	for i, want := range []error{nil, ErrInjected, nil} {
		got, err := f.Sign(background, []byte("dst"), []byte("m"))
		if !errors.Is(err, want) || !bytes.HasPrefix(got, []byte("dst")) || (want != nil && len(got) != 3) {
			t.Errorf("call %d: %q, %v", i, got, err)
		}
	}
	own := errors.New("token is gone")
	f.Err = own
	f.FailFrom(0)
	if _, err := f.Sign(background, nil, nil); !errors.Is(err, own) {
		t.Errorf("%v, want the given error", err)
	}
	f.Reset()
	TestSigner(t, s, f)
}

func TestSlowSigners(t *testing.T) {
	c, s := toy(t, Toy1)
	k, err := c.NewSigner(Toy1)
	if err != nil {
		t.Fatal(err)
	}
	TestSigner(t, s, SlowSigner{k, 50 * time.Microsecond})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		start := time.Now()
		if got, err := (SlowSigner{k, time.Minute}).Sign(ctx, []byte("dst"), nil); string(got) != "dst" || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%q, %v", got, err)
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("waited %v beyond its context", waited)
		}

		b := NewBlockingSigner(k)
		done := make(chan error)
		go func() {
			_, err := b.Sign(background, nil, []byte("m"))
			done <- err
		}()
		<-b.Entered()
		select {
		case <-done:
			t.Error("a blocked signer signed")
		default:
		}
		b.Release()
		if err := <-done; err != nil {
			t.Error(err)
		}
		ended, cancel := context.WithCancel(background)
		go func() {
			_, err := b.Sign(ended, nil, []byte("m"))
			done <- err
		}()
		<-b.Entered()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestFaultKeys(t *testing.T) {
	c, s := toy(t, Toy1)
	k := NewFaultKeys(c.SoftwareKeys())
	TestKeys(t, s, k)
	k.FailAt(0, 2, 4)
	if key, ref, err := k.Generate(background, s, provider.LeafKey); key != nil || ref != nil || !errors.Is(err, ErrInjected) {
		t.Errorf("Generate: %v, %v, %v", key, ref, err)
	}
	_, ref, err := k.Generate(background, s, provider.LeafKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Load(background, s, ref); !errors.Is(err, ErrInjected) {
		t.Errorf("Load: %v", err)
	}
	if _, err := k.Load(background, s, ref); err != nil {
		t.Errorf("Load: %v", err)
	}
	if err := k.Delete(background, ref); !errors.Is(err, ErrInjected) {
		t.Errorf("Delete: %v", err)
	}
	if n := k.Live(); n != 1 {
		t.Errorf("%d keys live, want 1", n)
	}
	if err := k.Delete(background, ref); err != nil || k.Live() != 0 {
		t.Errorf("Delete: %v, %d keys live", err, k.Live())
	}
	if provider.IsSelfContained(k, ref) {
		t.Error("the keys are called self-contained")
	}
}
