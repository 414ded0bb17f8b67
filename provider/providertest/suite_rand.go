package providertest

import (
	"errors"
	"fmt"
	"io"
	"testing/iotest"

	"github.com/hardmls/hardmls/provider"
)

// checkFailingRand: the backend draws from its reader only, fails when that
// fails, and reads on after a short read.
func checkFailingRand(s suite) {
	if s.opts.Open == nil {
		s.Skip("no SuiteOptions.Open")
	}
	const jobs = 3
	pub := s.key().Public()
	type outcome struct {
		bytes [][]byte
		err   error
	}
	tasks := map[string]func(c provider.Crypto, v provider.Suite) outcome{
		"SealMany": func(c provider.Crypto, v provider.Suite) outcome {
			var all []provider.SealJob
			for range jobs {
				all = append(all, s.job(pub, []byte("plaintext")))
			}
			err := v.HPKE().SealMany(nil, nil, all)
			if err != nil {
				s.wantCleared("failing randomness", all)
			}
			var out outcome
			for _, j := range all {
				out.bytes = append(out.bytes, j.Enc, j.CT)
			}
			out.err = err
			return out
		},
		"ExportTo": func(c provider.Crypto, v provider.Suite) outcome {
			enc, out := make([]byte, s.p.Nenc), make([]byte, 32)
			err := v.HPKE().ExportTo(pub, nil, nil, enc, out)
			return outcome{[][]byte{enc, out}, err}
		},
		"Generate": func(c provider.Crypto, v provider.Suite) outcome {
			key, ref, err := c.SoftwareKeys().Generate(background, v, provider.InitKey)
			if err != nil {
				if key != nil || ref != nil {
					s.Error("Generate returned a key beside its error")
				}
				return outcome{err: err}
			}
			return outcome{[][]byte{key.Public(), ref}, nil}
		},
	}
	for name, task := range tasks {
		run := func(rand io.Reader) outcome {
			c := s.opts.Open(rand)
			v, err := c.Suite(s.p.ID)
			if err != nil {
				s.Fatalf("Suite: %v", err)
			}
			if f, ok := rand.(*FaultRand); ok {
				f.plan.rebase()
			}
			return task(c, v)
		}
		first := run(NewRand(7))
		if first.err != nil {
			s.Errorf("%s: %v", name, first.err)
			continue
		}
		if second := run(NewRand(7)); fmt.Sprint(first.bytes) != fmt.Sprint(second.bytes) {
			s.Errorf("%s draws from more than its reader: one seed gave two results", name)
		}
		if other := run(NewRand(8)); fmt.Sprint(first.bytes) == fmt.Sprint(other.bytes) {
			s.Errorf("%s does not draw from its reader", name)
		}
		if short := run(iotest.OneByteReader(NewRand(7))); short.err != nil || fmt.Sprint(first.bytes) != fmt.Sprint(short.bytes) {
			s.Errorf("%s takes a short read for a whole one: %v", name, short.err)
		}
		count := &FaultRand{Inner: NewRand(7)}
		run(count)
		if count.Calls() == 0 {
			s.Errorf("%s draws nothing", name)
		}
		for i := range count.Calls() {
			r := &FaultRand{Inner: NewRand(7)}
			r.FailAt(i)
			if got := run(r); !errors.Is(got.err, ErrInjected) {
				s.Errorf("%s with read %d failing: %v, want the reader's error", name, i, got.err)
			}
		}
	}
}
