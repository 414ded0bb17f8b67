package proposal

import (
	"runtime"
	"sync"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// leafJob is the signature check of a leaf, V044 and V045. Group and index are
// those of the tree that it shall stand in; a leaf from a key package binds
// neither.
func leafJob(leaf *proto.LeafNode, groupID []byte, index treemath.LeafIndex) provider.VerifyJob {
	return provider.VerifyJob{
		Pub: leaf.SignatureKey,
		Msg: labels.AppendSignContent(nil, labels.LabelLeafNodeTBS, leaf.AppendTBS(nil, groupID, index)),
		Sig: leaf.Signature,
	}
}

// keyPackageJob is the signature check of a key package, V062.
func keyPackageJob(kp *proto.KeyPackage) provider.VerifyJob {
	return provider.VerifyJob{
		Pub: kp.LeafNode.SignatureKey,
		Msg: labels.AppendSignContent(nil, labels.LabelKeyPackageTBS, kp.AppendTBS(nil)),
		Sig: kp.Signature,
	}
}

// verifyMany sets Err of every job.
func verifyMany(s provider.Suite, jobs []provider.VerifyJob) {
	if batch := s.Upgrades().Verify; batch != nil && len(jobs) > 1 {
		batch.VerifyMany(jobs)
		return
	}
	for i := range jobs {
		jobs[i].Err = s.Verify(jobs[i].Pub, jobs[i].Msg, jobs[i].Sig)
	}
}

// verify runs the jobs of one object.
func verify(s provider.Suite, jobs ...provider.VerifyJob) error {
	verifyMany(s, jobs)
	for i := range jobs {
		if jobs[i].Err != nil {
			return check.ErrAuth
		}
	}
	return nil
}

// blockSize is how many items a goroutine checks at a time: enough for a batch
// verifier, few enough for even shares.
const blockSize = 32

// checkEach checks n items, over all cores if they are many, and returns the
// lowest index of a bad one with its error, or -1 and nil. item checks one item
// and appends the signatures that remain to be verified.
func checkEach(s provider.Suite, n int, item func(i int, jobs []provider.VerifyJob) ([]provider.VerifyJob, error)) (int, error) {
	if n <= blockSize {
		return checkBlock(s, 0, n, item)
	}
	var (
		mu   sync.Mutex
		next int
		bad  = -1
		err  error
		wg   sync.WaitGroup
	)
	claim := func() (lo int, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		lo = next
		next += blockSize
		return lo, lo < n && bad < 0
	}
	for range min(runtime.GOMAXPROCS(0), (n+blockSize-1)/blockSize) {
		wg.Go(func() {
			// Blocks are claimed in order, so every block below a bad
			// item has been claimed and will be finished.
			for lo, ok := claim(); ok; lo, ok = claim() {
				i, e := checkBlock(s, lo, min(lo+blockSize, n), item)
				if e == nil {
					continue
				}
				mu.Lock()
				if bad < 0 || i < bad {
					bad, err = i, e
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return bad, err
}

// checkBlock checks the items from lo to hi.
func checkBlock(s provider.Suite, lo, hi int, item func(i int, jobs []provider.VerifyJob) ([]provider.VerifyJob, error)) (int, error) {
	var (
		jobs  []provider.VerifyJob
		owner []int // jobs[k] belongs to item owner[k]
		bad   = -1
		err   error
	)
	for i := lo; i < hi && err == nil; i++ {
		if jobs, err = item(i, jobs); err != nil {
			bad = i
		}
		for len(owner) < len(jobs) {
			owner = append(owner, i)
		}
	}
	verifyMany(s, jobs)
	for k := range jobs {
		if jobs[k].Err != nil && (bad < 0 || owner[k] < bad) {
			return owner[k], check.ErrAuth
		}
	}
	return bad, err
}
