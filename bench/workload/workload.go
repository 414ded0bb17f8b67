package workload

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// An Axis is what a workload's cost depends on.
type Axis uint8

// The axes.
const (
	Size Axis = 1 << iota
	Members
)

// A Workload is one operation and its floor.
type Workload struct {
	Name  string
	What  string // in a few words
	Floor string // what its floor is
	Axes  Axis
	Start func(s Setup) (*Run, error)
}

// All are the workloads.
var All = []Workload{
	{"send", "encrypt and sign a message", "the same primitives bare", Size | Members, sendMessage},
	{"send-unsigned", "the same with a signer that takes no time", "the same primitives bare", Size | Members, sendUnsigned},
	{"receive", "open and verify a message", "the same primitives bare", Size | Members, receiveMessage},
	{"key-package", "make and store a key package", "2 keys, 2 signatures", 0, makeKeyPackage},
	{"parse-key-package", "parse and check a key package", "2 verifications", 0, parseKeyPackage},
	{"create", "make a group by one commit and Welcome", "an HPKE seal for each member on all cores, 3 signatures", Members, createGroup},
	{"join", "open a Welcome with its tree and check it", "a verification for each leaf on all cores, 1 HPKE open, 1 verification", Members, joinGroup},
	{"commit", "renew keys by a commit in a full tree", "keys of the path, HPKE seals on all cores, 2 signatures", Members, commitFull},
	{"process", "process that commit", "2 verifications, 1 HPKE open, keys of the path", Members, processFull},
	{"commit-sparse", "renew keys in a tree that one commit made", "as of commit; every member is sealed to", Members, commitSparse},
}

// A Run is a workload that is set up.
type Run struct {
	Prepare func(n int) error // before n calls of Op, outside the clock; may be nil
	Op      func() error
	Floor   func() error
	Most    int // calls of Op in a round, at most; 0: any number
}

// A Sample is what one round took, per call.
type Sample struct {
	Op    float64 `json:"ns"`
	Floor float64 `json:"floor_ns"`
}

// A Result is the outcome of a measurement.
type Result struct {
	Samples []Sample `json:"samples"`
	Allocs  float64  `json:"allocs_per_op"`
	Bytes   float64  `json:"bytes_per_op"` // allocated
}

// Measure takes turns between operation and floor, so that a machine that is busy
// for a while is so for both: rounds times, each for about the given time.
func (r *Run) Measure(rounds int, each time.Duration) (*Result, error) {
	// The first calls warm up and say how many make a round.
	ops, err := r.fill(r.Prepare, r.op, each)
	if err != nil {
		return nil, err
	}
	floors, err := r.fill(nil, r.floor, each)
	if err != nil {
		return nil, err
	}
	if r.Most > 0 {
		ops = min(ops, r.Most)
	}
	res := &Result{}
	var before, after runtime.MemStats
	var allocs, bytes uint64
	for range rounds {
		if r.Prepare != nil {
			if err := r.Prepare(ops); err != nil {
				return nil, err
			}
		}
		runtime.ReadMemStats(&before)
		op, err := r.op(ops)
		if err != nil {
			return nil, err
		}
		runtime.ReadMemStats(&after)
		floor, err := r.floor(floors)
		if err != nil {
			return nil, err
		}
		allocs += after.Mallocs - before.Mallocs
		bytes += after.TotalAlloc - before.TotalAlloc
		res.Samples = append(res.Samples, Sample{perCall(op, ops), perCall(floor, floors)})
	}
	calls := float64(rounds) * float64(ops)
	res.Allocs, res.Bytes = float64(allocs)/calls, float64(bytes)/calls
	return res, nil
}

func perCall(d time.Duration, n int) float64 { return float64(d.Nanoseconds()) / float64(n) }

// fill returns how often f is called in the given time.
func (r *Run) fill(prepare func(n int) error, f func(n int) (time.Duration, error), each time.Duration) (int, error) {
	n := 1
	for {
		if prepare != nil {
			if err := prepare(n); err != nil {
				return 0, err
			}
		}
		d, err := f(n)
		if err != nil {
			return 0, err
		}
		if d >= each/2 || n >= 1<<20 || prepare != nil && r.Most > 0 && n >= r.Most {
			return max(1, int(float64(n)*float64(each)/float64(max(d, 1)))), nil
		}
		n *= 2
	}
}

func (r *Run) op(n int) (time.Duration, error)    { return repeat(r.Op, n) }
func (r *Run) floor(n int) (time.Duration, error) { return repeat(r.Floor, n) }

func repeat(f func() error, n int) (time.Duration, error) {
	start := time.Now()
	for range n {
		if err := f(); err != nil {
			return 0, fmt.Errorf("workload: %w", err)
		}
	}
	return time.Since(start), nil
}

// Times returns the times of the operation, and Floors those of its floor.
func (r *Result) Times() []float64 {
	return column(r.Samples, func(s Sample) float64 { return s.Op })
}

// Floors returns the times of the floor.
func (r *Result) Floors() []float64 {
	return column(r.Samples, func(s Sample) float64 { return s.Floor })
}

// Ratios returns operation by floor, round by round.
func (r *Result) Ratios() []float64 {
	return column(r.Samples, func(s Sample) float64 { return s.Op / s.Floor })
}

func column(samples []Sample, f func(Sample) float64) []float64 {
	out := make([]float64, len(samples))
	for i, s := range samples {
		out[i] = f(s)
	}
	return out
}

// Find returns the workload of a name.
func Find(name string) (*Workload, bool) {
	i := slices.IndexFunc(All, func(w Workload) bool { return w.Name == name })
	if i < 0 {
		return nil, false
	}
	return &All[i], true
}
