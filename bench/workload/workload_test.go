package workload

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hardmls/hardmls/provider/auto"
)

// TestAll: every workload runs in every suite, in groups of two and of more.
func TestAll(t *testing.T) {
	crypto, _, err := auto.New(auto.Options{})
	if err != nil {
		t.Fatal(err)
	}
	suites := crypto.CipherSuites()
	if testing.Short() {
		suites = suites[:1]
	}
	for _, w := range All {
		for _, id := range suites {
			for _, members := range []int{2, 9} {
				s := Setup{Crypto: crypto, Suite: id, Size: 100, Members: members}
				r, err := w.Start(s)
				if err != nil {
					t.Fatalf("%s in suite %d, %d members: %v", w.Name, id, members, err)
				}
				res, err := r.Measure(2, 0)
				if err != nil {
					t.Fatalf("%s in suite %d, %d members: %v", w.Name, id, members, err)
				}
				for _, s := range res.Samples {
					if s.Op <= 0 || s.Floor <= 0 {
						t.Errorf("%s: %+v", w.Name, s)
					}
				}
				if len(res.Samples) != 2 {
					t.Errorf("%s: %d samples", w.Name, len(res.Samples))
				}
			}
		}
	}
}

// TestMeasure: operation and floor take turns, Prepare comes before the operation
// and is not timed.
func TestMeasure(t *testing.T) {
	var calls []string
	prepared := 0
	r := &Run{
		Prepare: func(n int) error { calls = append(calls, "prepare"); prepared = n; return nil },
		Op:      func() error { calls = append(calls, "op"); prepared--; time.Sleep(time.Millisecond); return nil },
		Floor:   func() error { calls = append(calls, "floor"); time.Sleep(2 * time.Millisecond); return nil },
		Most:    3,
	}
	res, err := r.Measure(2, 4*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range res.Samples {
		if s.Op < 1e6 || s.Floor < 2e6 {
			t.Errorf("%+v", s)
		}
	}
	if prepared != 0 {
		t.Errorf("%d calls were prepared and not made", prepared)
	}
	last := calls[slices.Index(calls, "floor"):]
	turns := slices.Compact(last)
	if n := len(turns); n < 6 || !slices.Equal(turns[n-6:], []string{"prepare", "op", "floor", "prepare", "op", "floor"}) {
		t.Errorf("turns: %v", turns)
	}
	failure := errors.New("broken")
	r.Floor = func() error { return failure }
	if _, err := r.Measure(1, time.Millisecond); !errors.Is(err, failure) {
		t.Errorf("a failing floor: %v", err)
	}
}

func TestFind(t *testing.T) {
	for _, w := range All {
		if got, ok := Find(w.Name); !ok || got.Name != w.Name {
			t.Errorf("Find(%q) = %v, %v", w.Name, got, ok)
		}
	}
	if _, ok := Find("nonsense"); ok {
		t.Error("found nonsense")
	}
}
