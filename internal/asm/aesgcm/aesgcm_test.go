package aesgcm

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/hardmls/hardmls/internal/asm/cpu"
	"github.com/hardmls/hardmls/testvectors"
)

// forKernels runs f for every kernel that this build has and this CPU can run, and
// says loudly which one it cannot.
func forKernels(t *testing.T, f func(t *testing.T, k Kernel)) {
	for _, k := range compiled {
		t.Run("kernel="+k.String(), func(t *testing.T) {
			if !runs(k) {
				t.Logf("NOT TESTED: this CPU cannot run kernel %v (it has: %v)", k, cpu.Detect())
				t.SkipNow()
			}
			f(t, k)
		})
	}
}

// std is what the standard library makes of it.
func std(key []byte) cipher.AEAD {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	g, err := cipher.NewGCM(b)
	if err != nil {
		panic(err)
	}
	return g
}

// fill returns n bytes of r.
func fill(r *rand.ChaCha8, n int) []byte {
	b := make([]byte, n)
	r.Read(b)
	return b
}

func seeded(seed byte) (*rand.ChaCha8, *rand.Rand) {
	c := rand.NewChaCha8([32]byte{seed})
	return c, rand.New(c)
}

// differ tells how got differs from want, without megabytes.
func differ(got, want []byte) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("%d bytes, the first wrong one at %d of %d", len(got), i, len(want))
		}
	}
	return fmt.Sprintf("%d bytes, want %d", len(got), len(want))
}

// agree compares Seal and Open with the standard library, apart from each other and
// in place.
func agree(t *testing.T, k Kernel, key, nonce, plaintext, aad []byte) {
	t.Helper()
	where := fmt.Sprintf("key %d, plaintext %d, aad %d", len(key), len(plaintext), len(aad))
	want := std(key).Seal(nil, nonce, plaintext, aad)
	dst := append(make([]byte, 0, 3+len(want)+5), "dst\xa5\xa5\xa5\xa5\xa5"...)[:3]
	tail := dst[:cap(dst)][3+len(want):]
	for i := range tail {
		tail[i] = 0xa5
	}
	sealed := Seal(k, dst, key, nonce, plaintext, aad)
	if !bytes.Equal(sealed[3:], want) || string(sealed[:3]) != "dst" {
		t.Fatalf("%s: sealed %s", where, differ(sealed[3:], want))
	}
	for _, b := range tail {
		if b != 0xa5 {
			t.Fatalf("%s: wrote behind the tag", where)
		}
	}
	sealed = sealed[3:]
	opened, err := Open(k, nil, key, nonce, sealed, aad)
	if err != nil || !bytes.Equal(opened, plaintext) {
		t.Fatalf("%s: opened %s, %v", where, differ(opened, plaintext), err)
	}
	// In place, and with that the tag stays.
	if opened, err = Open(k, sealed[:0], key, nonce, sealed, aad); err != nil || !bytes.Equal(opened, plaintext) {
		t.Fatalf("%s: opened in place %s, %v", where, differ(opened, plaintext), err)
	}
	if got := Seal(k, opened[:0], key, nonce, opened, aad); !bytes.Equal(got, want) {
		t.Fatalf("%s: sealed in place %s", where, differ(got, want))
	}
}

// TestLengths goes through all lengths to 5,000 with AAD of many.
func TestLengths(t *testing.T) {
	forKernels(t, func(t *testing.T, k Kernel) {
		src, rnd := seeded(1)
		buf, aads := fill(src, 5100), fill(src, 400)
		step := 1
		if testing.Short() {
			step = 7
		}
		for n := 0; n <= 5000; n += step {
			if n > 700 {
				n += rnd.IntN(step + 2)
			}
			for _, size := range []int{16, 32} {
				off, a := rnd.IntN(64), rnd.IntN(100)
				agree(t, k, fill(src, size), fill(src, NonceSize), buf[off:off+n], aads[off:off+a])
			}
		}
	})
}

// TestShortGrid tries each length of plaintext with each of AAD, as far as both fit
// into a few vectors.
func TestShortGrid(t *testing.T) {
	forKernels(t, func(t *testing.T, k Kernel) {
		src, _ := seeded(2)
		key, nonce := fill(src, 32), fill(src, NonceSize)
		step := 1
		if testing.Short() {
			step = 5
		}
		for n := 0; n < 150; n += step {
			for a := 0; a < 150; a += step {
				agree(t, k, key[:16<<((n+a)%2)], nonce, fill(src, n), fill(src, a))
			}
		}
	})
}

// TestLong crosses the boundaries of the pieces in which long messages are done.
func TestLong(t *testing.T) {
	forKernels(t, func(t *testing.T, k Kernel) {
		src, _ := seeded(3)
		buf := fill(src, 200<<10)
		for _, tc := range [][2]int{
			{64<<10 - 1, 5}, {64 << 10, 16}, {64<<10 + 1, 17}, {64<<10 + 16, 0}, {128 << 10, 33}, {128<<10 + 100, 1}, {150_001, 12},
			{0, 64 << 10}, {1, 64<<10 + 1}, {17, 64<<10 - 1}, {100, 130_000}, {70_000, 70_000}, {64 << 10, 128 << 10},
			{66_559, 0}, {66_560, 0}, {66_561, 0}, {66_540, 20}, {66_540, 21}, {1024, 64 << 10}, {1025, 64 << 10}, {1030, 64<<10 - 1}, {1040, 64<<10 - 1},
			{132_096, 0}, {132_097, 30},
		} {
			for _, size := range []int{16, 32} {
				agree(t, k, fill(src, size), fill(src, NonceSize), buf[3:3+tc[0]], buf[1:1+tc[1]])
			}
		}
	})
}

// TestRandom compares 100,000 random cases with crypto/cipher.
func TestRandom(t *testing.T) {
	forKernels(t, func(t *testing.T, k Kernel) {
		src, rnd := seeded(4)
		cases := 100_000
		if testing.Short() || raceEnabled {
			cases = 3_000
		}
		buf, out := fill(src, 8<<10), make([]byte, 0, 8<<10)
		want := make([]byte, 0, 8<<10)
		for range cases {
			size := 16 << rnd.IntN(2)
			n, a := rnd.IntN(1<<rnd.IntN(12)), rnd.IntN(1<<rnd.IntN(9))
			at := func(n int) []byte { off := rnd.IntN(len(buf) - n); return buf[off : off+n : off+n] }
			key, nonce, plaintext, aad := at(size), at(NonceSize), at(n), at(a)
			want = std(key).Seal(want[:0], nonce, plaintext, aad)
			off := rnd.IntN(64)
			got := Seal(k, out[:off], key, nonce, plaintext, aad)[off:]
			if !bytes.Equal(got, want) {
				t.Fatalf("key %d, plaintext %d, aad %d: sealed %s", size, n, a, differ(got, want))
			}
			back, err := Open(k, got[:0], key, nonce, got, aad)
			if err != nil || !bytes.Equal(back, plaintext) {
				t.Fatalf("key %d, plaintext %d, aad %d: opened %s, %v", size, n, a, differ(back, plaintext), err)
			}
		}
	})
}

// TestForged changes a bit of each part and cuts bytes off: nothing opens, and
// nothing of the plaintext is left.
func TestForged(t *testing.T) {
	forKernels(t, func(t *testing.T, k Kernel) {
		src, rnd := seeded(5)
		for _, n := range []int{0, 1, 15, 16, 17, 63, 64, 65, 200, 255, 256, 257, 511, 512, 513, 1000, 2048, 5000, 70_000} {
			key, nonce, aad := fill(src, 16<<rnd.IntN(2)), fill(src, NonceSize), fill(src, 1+rnd.IntN(80))
			sealed := Seal(k, nil, key, nonce, fill(src, n), aad)
			refuse := func(what string, key, nonce, sealed, aad []byte) {
				t.Helper()
				m := max(len(sealed)-TagSize, 0)
				dst := bytes.Repeat([]byte{0xa5}, m+8)
				got, err := Open(k, dst[:4:m+4], key, nonce, sealed, aad)
				if !errors.Is(err, ErrOpen) || got != nil {
					t.Errorf("%s of %d bytes: %x, %v", what, n, got, err)
				}
				want := append(append([]byte("\xa5\xa5\xa5\xa5"), make([]byte, m)...), "\xa5\xa5\xa5\xa5"...)
				if len(sealed) >= TagSize && !bytes.Equal(dst, want) {
					t.Errorf("%s of %d bytes: dst is not cleared, or more than it", what, n)
				}
			}
			flip := func(b []byte, at int) []byte {
				b = bytes.Clone(b)
				b[at] ^= 1 << rnd.IntN(8)
				return b
			}
			for i := range TagSize {
				refuse("tag", key, nonce, flip(sealed, n+i), aad)
			}
			for range min(n, 20) {
				refuse("ciphertext", key, nonce, flip(sealed, rnd.IntN(n)), aad)
			}
			refuse("nonce", key, flip(nonce, rnd.IntN(NonceSize)), sealed, aad)
			refuse("key", flip(key, rnd.IntN(len(key))), nonce, sealed, aad)
			refuse("aad", key, nonce, sealed, flip(aad, rnd.IntN(len(aad))))
			refuse("short aad", key, nonce, sealed, aad[1:])
			refuse("long aad", key, nonce, sealed, append(bytes.Clone(aad), 0))
			for _, cut := range []int{1, 15, 16, 17, 32} {
				if cut <= len(sealed) {
					refuse("shortened", key, nonce, sealed[:len(sealed)-cut], aad)
				}
			}
			refuse("lengthened", key, nonce, append(bytes.Clone(sealed), 0), aad)
			refuse("nothing", key, nonce, nil, aad)
		}
	})
}

// TestWycheproof runs the official cases with the sizes of this package.
func TestWycheproof(t *testing.T) {
	var file struct {
		TestGroups []struct {
			KeySize, IVSize, TagSize int
			Tests                    []struct {
				ID                         int `json:"tcId"`
				Key, IV, AAD, Msg, CT, Tag string
				Result, Comment            string
			}
		}
	}
	testvectors.Wycheproof(t, "aes_gcm_test.json", &file)
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	forKernels(t, func(t *testing.T, k Kernel) {
		n := 0
		for _, g := range file.TestGroups {
			if g.KeySize != 128 && g.KeySize != 256 || g.IVSize != 8*NonceSize || g.TagSize != 8*TagSize {
				continue
			}
			for _, c := range g.Tests {
				n++
				key, nonce, aad, msg := unhex(c.Key), unhex(c.IV), unhex(c.AAD), unhex(c.Msg)
				sealed := append(unhex(c.CT), unhex(c.Tag)...)
				got, err := Open(k, nil, key, nonce, sealed, aad)
				if valid := c.Result == "valid"; (err == nil) != valid || valid && !bytes.Equal(got, msg) {
					t.Errorf("case %d (%s), %s: opened %x, %v", c.ID, c.Comment, c.Result, got, err)
				} else if valid && !bytes.Equal(Seal(k, nil, key, nonce, msg, aad), sealed) {
					t.Errorf("case %d (%s): sealed something else", c.ID, c.Comment)
				}
			}
		}
		if n != 133 {
			t.Errorf("%d cases of these sizes, want 133", n)
		}
	})
}

// TestBugsOfTheCaller: what crypto/cipher panics on panics here.
func TestBugsOfTheCaller(t *testing.T) {
	key, nonce, buf := make([]byte, 16), make([]byte, NonceSize), make([]byte, 100)
	forKernels(t, func(t *testing.T, k Kernel) {
		for name, f := range map[string]func(){
			"no key":           func() { Seal(k, nil, nil, nonce, buf, nil) },
			"24-byte key":      func() { Seal(k, nil, make([]byte, 24), nonce, buf, nil) },
			"17-byte key":      func() { _, _ = Open(k, nil, make([]byte, 17), nonce, buf, nil) },
			"short nonce":      func() { Seal(k, nil, key, nonce[:11], buf, nil) },
			"long nonce":       func() { _, _ = Open(k, nil, key, buf[:13], buf, nil) },
			"seal ahead":       func() { Seal(k, buf[:1], key, nonce, buf[:50], nil) },
			"seal behind":      func() { Seal(k, buf[:0], key, nonce, buf[1:50], nil) },
			"seal over aad":    func() { Seal(k, buf[:0], key, nonce, nil, buf[15:20]) },
			"open ahead":       func() { _, _ = Open(k, buf[:1], key, nonce, buf[:50], nil) },
			"open behind":      func() { _, _ = Open(k, buf[:0], key, nonce, buf[1:50], nil) },
			"open over aad":    func() { _, _ = Open(k, buf[:0], key, nonce, make([]byte, 20), buf[3:4]) },
			"seal onto itself": func() { Seal(k, buf[:16], key, nonce, buf[:17], nil) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: no panic", name)
					}
				}()
				f()
			}()
		}
		// These lie side by side.
		Seal(k, buf[50:50], key, nonce, buf[:50], buf[:50])
		if _, err := Open(k, buf[50:50], key, nonce, buf[:50], buf[84:]); !errors.Is(err, ErrOpen) {
			t.Errorf("Open beside its input: %v", err)
		}
	})
}

// TestNoOverlapOfEmpty: an empty slice overlaps nothing.
func TestNoOverlapOfEmpty(t *testing.T) {
	b := make([]byte, 32)
	for _, tc := range []struct {
		a, b []byte
		want bool
	}{
		{b[:0], b, false}, {b, b[4:4], false}, {nil, nil, false}, {b[:16], b[16:], false}, {b[16:], b[:16], false},
		{b[:17], b[16:], true}, {b[16:], b[:17], true}, {b, b[5:6], true}, {b[5:6], b, true},
	} {
		if got := overlap(tc.a, tc.b); got != tc.want {
			t.Errorf("overlap of %d and %d bytes: %v", len(tc.a), len(tc.b), got)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	forKernels(t, func(t *testing.T, k Kernel) {
		if k == Generic {
			t.Skip("the standard library allocates")
		}
		src, _ := seeded(6)
		key, nonce, buf, aad := fill(src, 32), fill(src, NonceSize), fill(src, 70_000), fill(src, 50)
		out := make([]byte, 0, len(buf)+TagSize)
		for _, n := range []int{0, 64, 1000, 70_000} {
			if a := testing.AllocsPerRun(20, func() {
				sealed := Seal(k, out, key, nonce, buf[:n], aad)
				if _, err := Open(k, sealed[:0], key, nonce, sealed, aad); err != nil {
					t.Error(err)
				}
			}); a != 0 {
				t.Errorf("%d bytes: %v allocations", n, a)
			}
		}
	})
}

func TestKernelNames(t *testing.T) {
	seen := map[string]bool{}
	for k := Generic; k <= ARM64; k++ {
		if s := k.String(); seen[s] {
			t.Errorf("two kernels are called %s", s)
		} else {
			seen[s] = true
		}
	}
}

// TestPureGo: -tags purego leaves no assembly.
func TestPureGo(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		cmd := exec.Command("go", "list", "-tags", "purego", "-f", "{{.SFiles}}", "../...")
		cmd.Env = append(cmd.Environ(), "GOARCH="+arch, "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Skipf("go list: %v", err)
		}
		for _, line := range strings.Fields(string(out)) {
			if line != "[]" {
				t.Errorf("%s: -tags purego keeps %s", arch, line)
			}
		}
	}
}

// FuzzAgainstStandardLibrary: for whatever input, every kernel seals as the
// standard library does and opens what it sealed, and both judge a forgery alike.
func FuzzAgainstStandardLibrary(f *testing.F) {
	f.Add([]byte("key"), []byte("nonce"), []byte("plaintext"), []byte("aad"), uint16(3), false)
	f.Add(make([]byte, 32), make([]byte, 12), make([]byte, 300), []byte{}, uint16(0), true)
	f.Add(make([]byte, 32), make([]byte, 12), make([]byte, 1500), make([]byte, 70), uint16(900), true)
	f.Fuzz(func(t *testing.T, key, nonce, plaintext, aad []byte, forge uint16, long bool) {
		size := 16
		if long {
			size = 32
		}
		key, nonce = append(key, make([]byte, size)...)[:size], append(nonce, make([]byte, NonceSize)...)[:NonceSize]
		want := std(key).Seal(nil, nonce, plaintext, aad)
		forged := bytes.Clone(want)
		forged[int(forge)%len(forged)] ^= byte(forge >> 8)
		_, err := std(key).Open(nil, nonce, forged, aad)
		for _, k := range compiled {
			if !runs(k) {
				continue
			}
			if got := Seal(k, nil, key, nonce, plaintext, aad); !bytes.Equal(got, want) {
				t.Errorf("%v: sealed %x, want %x", k, got, want)
			}
			if got, err := Open(k, nil, key, nonce, want, aad); err != nil || !bytes.Equal(got, plaintext) {
				t.Errorf("%v: opened %x, %v", k, got, err)
			}
			if _, got := Open(k, nil, key, nonce, forged, aad); (got == nil) != (err == nil) {
				t.Errorf("%v: forgery %v, the standard library says %v", k, got, err)
			}
		}
	})
}

// TestDeepStack calls from the depths of fresh goroutines, whose stacks are about to
// grow.
func TestDeepStack(t *testing.T) {
	forKernels(t, func(t *testing.T, k Kernel) {
		src, _ := seeded(9)
		key, nonce, plaintext, aad := fill(src, 16), fill(src, NonceSize), fill(src, 3000), fill(src, 20)
		var want [3][]byte
		for i, n := range []int{40, 600, 3000} {
			want[i] = std(key).Seal(nil, nonce, plaintext[:n], aad)
		}
		done := make(chan bool)
		for depth := range 200 {
			go func() {
				out := make([]byte, 0, 4000)
				done <- descend(depth, func() bool {
					ok := true
					for _, w := range want {
						got := Seal(k, out, key, nonce, plaintext[:len(w)-TagSize], aad)
						_, err := Open(k, got[:0], key, nonce, bytes.Clone(got), aad)
						ok = ok && err == nil && bytes.Equal(Seal(k, out, key, nonce, plaintext[:len(w)-TagSize], aad), w)
					}
					return ok
				})
			}()
		}
		for range 200 {
			if !<-done {
				t.Fatal("wrong")
			}
		}
	})
}

//go:noinline
func descend(depth int, f func() bool) bool {
	var pad [48]byte
	pad[depth%48] = 1
	if depth == 0 {
		return f()
	}
	return descend(depth-1, f) && pad[depth%48] == 1
}
