package wire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/hardmls/hardmls/internal/check"
)

func checkOf(err error) check.ID {
	var e *check.Error
	if errors.As(err, &e) {
		return e.Check
	}
	return 0
}

func TestVarintBoundaries(t *testing.T) {
	for _, c := range []struct {
		n   int
		enc string
	}{
		{0, "\x00"}, {63, "\x3f"}, {64, "\x40\x40"}, {16383, "\x7f\xff"},
		{16384, "\x80\x00\x40\x00"}, {MaxVector, "\xbf\xff\xff\xff"},
	} {
		if got := AppendVarint(nil, c.n); string(got) != c.enc || VarintLen(c.n) != len(c.enc) {
			t.Errorf("AppendVarint(%d) = %x, want %x", c.n, got, c.enc)
		}
		r := NewReader([]byte(c.enc))
		if n := r.length(); n != c.n || r.Done() != nil {
			t.Errorf("length of %x = %d, %v", c.enc, n, r.Err())
		}
	}
}

func TestVarintTooLongPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("AppendVarint(2^30) did not panic")
		}
	}()
	AppendVarint(nil, MaxVector+1)
}

func TestV001_PresenceOctet(t *testing.T) {
	for octet := range 256 {
		r := NewReader([]byte{byte(octet)})
		present := r.Optional()
		if octet < 2 {
			if r.Err() != nil || present != (octet == 1) {
				t.Errorf("octet %d: %v, %v", octet, present, r.Err())
			}
		} else if checkOf(r.Err()) != check.V001 {
			t.Errorf("octet %d: %v", octet, r.Err())
		}
	}
}

func TestV002_NonMinimalLength(t *testing.T) {
	for _, s := range []string{"\x40\x00", "\x40\x3f", "\x80\x00\x00\x00", "\x80\x00\x3f\xff"} {
		r := NewReader(append([]byte(s), make([]byte, 1<<14)...))
		if r.Opaque(); checkOf(r.Err()) != check.V002 {
			t.Errorf("%x: %v", s, r.Err())
		}
	}
}

func TestV003_ReservedLengthPrefix(t *testing.T) {
	for first := 0xC0; first < 0x100; first++ {
		r := NewReader(append([]byte{byte(first)}, make([]byte, 64)...))
		if r.Opaque(); checkOf(r.Err()) != check.V003 {
			t.Errorf("%x: %v", first, r.Err())
		}
	}
}

func TestV004_LengthBeyondInput(t *testing.T) {
	in := []byte{0xbf, 0xff, 0xff, 0xff}
	if n := testing.AllocsPerRun(100, func() {
		r := NewReader(in)
		if r.Opaque() != nil || checkOf(r.Err()) != check.V004 {
			t.Errorf("%v", r.Err())
		}
	}); n > 1 { // errors.As in checkOf
		t.Errorf("%v allocations for a header that announces 1 GiB", n)
	}
	for n := range in {
		r := NewReader(in[:n])
		if r.Opaque(); r.Err() == nil {
			t.Errorf("%d bytes of a header: no error", n)
		}
	}
}

func TestV005_TrailingBytes(t *testing.T) {
	r := NewReader([]byte{1, 2})
	r.Uint8()
	if checkOf(r.Done()) != check.V005 {
		t.Errorf("%v", r.Done())
	}
}

func TestVectors(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 100, 16383, 16384, 70000} {
		body := bytes.Repeat([]byte{7}, n)
		b, mark := BeginVector([]byte("head"))
		b = EndVector(append(b, body...), mark)
		if want := AppendOpaque([]byte("head"), body); !bytes.Equal(b, want) {
			t.Fatalf("vector of %d bytes is not its opaque", n)
		}
		r := NewReader(append(b, 9))
		r.Bytes(4)
		v := r.Vector()
		for i := 0; !v.Empty(); i++ {
			if v.Uint8() != 7 || v.Offset() != len(b)-n+i+1 {
				t.Fatalf("byte %d of %d at offset %d", i, n, v.Offset())
			}
		}
		r.Join(&v)
		if r.Uint8() != 9 || r.Done() != nil {
			t.Fatalf("after a vector of %d bytes: %v", n, r.Err())
		}
		r = NewReader(append(b, 9))
		r.Bytes(4)
		outer := r.Enter()
		for i := 0; !r.Empty(); i++ {
			if r.Uint8() != 7 || r.Offset() != len(b)-n+i+1 {
				t.Fatalf("entered: byte %d of %d at offset %d", i, n, r.Offset())
			}
		}
		r.Leave(outer)
		if r.Offset() != len(b) || r.Uint8() != 9 || r.Done() != nil {
			t.Fatalf("after leaving a vector of %d bytes: %v", n, r.Err())
		}
	}
}

func TestV006_BytesLeftInVector(t *testing.T) {
	r := NewReader([]byte{2, 1, 2})
	v := r.Vector()
	v.Uint8()
	r.Join(&v)
	if checkOf(r.Err()) != check.V006 {
		t.Errorf("%v", r.Err())
	}
	r = NewReader([]byte{2, 1, 2, 3})
	outer := r.Enter()
	r.Uint8()
	r.Leave(outer)
	if checkOf(r.Err()) != check.V006 || r.Offset() != 2 || r.Uint8() != 0 {
		t.Errorf("%v at %d", r.Err(), r.Offset())
	}
}

func TestErrorSticks(t *testing.T) {
	r := NewReader([]byte{1})
	r.Uint64()
	first := r.Err()
	r.Fail(errors.New("second"))
	if r.Uint8() != 0 || r.Opaque() != nil || r.Bytes(0) != nil && len(r.Bytes(0)) > 0 || r.Err() != first {
		t.Error("a failed reader reads on")
	}
	v := r.Vector()
	if v.Err() != first {
		t.Error("a failed reader's vector is sound")
	}
	outer := r.Enter()
	if r.Uint8() != 0 || r.Len() != 0 {
		t.Error("a failed reader enters a vector")
	}
	if r.Leave(outer); r.Err() != first || r.Len() != 0 {
		t.Error("a failed reader leaves a vector")
	}
}

// TestV013_Room: lists may claim three bytes for each of the input, and 48 KiB,
// over all vectors together.
func TestV013_Room(t *testing.T) {
	in := AppendOpaque(nil, AppendOpaque(nil, make([]byte, 1000)))
	room := 3*len(in) + 48<<10
	for _, n := range []int{room, room + 1} {
		r := NewReader(in)
		v := r.Vector()
		outer := v.Enter()
		if !v.Claim(n - 1) {
			t.Fatal("claim refused")
		}
		v.Bytes(v.Len())
		v.Leave(outer)
		r.Join(&v)
		if ok := r.Claim(1); ok != (n == room) || !ok && checkOf(r.Err()) != check.V013 {
			t.Errorf("%d of %d: %t, %v", n, room, ok, r.Err())
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{0x40, 0x40}, []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		r := NewReader(a)
		if v := r.Opaque(); r.Err() == nil {
			if enc := AppendOpaque(nil, v); !bytes.Equal(enc, a[:len(enc)]) {
				t.Fatalf("decode and encode of %x differ", a)
			}
		} else if v != nil {
			t.Fatal("value with an error")
		}
		r = NewReader(AppendOpaque(AppendOpaque(nil, a), b))
		if !bytes.Equal(r.Opaque(), a) || !bytes.Equal(r.Opaque(), b) || r.Done() != nil {
			t.Fatal("encode and decode differ")
		}
	})
}
