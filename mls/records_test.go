package mls

import (
	"bytes"
	"testing"

	"github.com/hardmls/hardmls/provider"
)

// TestSecretRecordsDoNotGrow: the encoding of a record with secrets is one array from
// the start, at every length of its length fields.
func TestSecretRecordsDoNotGrow(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 100, 16383, 16384} {
		v := bytes.Repeat([]byte{7}, n)
		epoch := epochRecord{context: v, interim: v, tag: v, leafRef: v}
		for i := range epoch.secrets {
			epoch.secrets[i] = v
		}
		pending := pendingRecord{v, v, v, v, v, v}
		kp := keyPackageRecord{v, v, v}
		update := ownUpdate{ref: v}
		k := provider.Key{Group: v, Epoch: 1, Kind: kindEpoch, ID: v}
		batch := &provider.Batch{Drop: []provider.Key{k, {}}, Delete: []provider.Key{k, k},
			Put: []provider.Record{{Key: k, Value: v}, {Key: provider.Key{Kind: kindHead}, Value: v}, {Value: v}}}
		for name, encode := range map[string]func() []byte{
			"epoch": epoch.encode, "pending": pending.encode, "key package": kp.encode, "own update": update.encode,
			"batch": func() []byte { return encodeBatch(batch) },
		} {
			if allocs := testing.AllocsPerRun(50, func() { encode() }); allocs != 1 {
				t.Errorf("%s, fields of %d bytes: %v allocations", name, n, allocs)
			}
		}
	}
}
