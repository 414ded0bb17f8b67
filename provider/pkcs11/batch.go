package pkcs11

import (
	"context"
	"sync"
	"sync/atomic"
)

// A SignJob is one signature of SignMany. Sig is appended to, and Err is what
// Sign returned.
type SignJob struct {
	Msg, Sig []byte
	Err      error
}

// SignMany makes signatures on as many sessions as the pool has, which a token
// behind a network needs to show what it can: a call waits there longer than it
// works. Each job succeeds or fails by itself.
func (k *Signer) SignMany(ctx context.Context, jobs []SignJob) {
	_, _, limit := k.t.pool.counts()
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(limit, len(jobs)) {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(jobs) {
					return
				}
				j := &jobs[i]
				j.Sig, j.Err = k.Sign(ctx, j.Sig, j.Msg)
			}
		})
	}
	all.Wait()
}
