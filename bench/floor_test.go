package bench

import (
	"testing"

	"github.com/hardmls/hardmls/bench/workload"
)

// floor is the bare work of one message.
type floor struct{ *workload.Floor }

func newFloor(tb testing.TB, s setup) floor {
	f, err := workload.NewFloor(s.of())
	must(tb, err)
	return floor{f}
}

func (f floor) send(tb testing.TB)    { must(tb, f.Send()) }
func (f floor) receive(tb testing.TB) { must(tb, f.Receive()) }
