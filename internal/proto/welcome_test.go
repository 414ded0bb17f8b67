package proto

import (
	"bytes"
	"testing"
)

// TestGroupSecretsDoNotGrow: the encoding of secrets is one array from the start.
func TestGroupSecretsDoNotGrow(t *testing.T) {
	for _, n := range []int{0, 32, 63, 64, 20000} {
		v := bytes.Repeat([]byte{7}, n)
		g := GroupSecrets{JoinerSecret: v, PathSecret: v}
		for i := range 3 {
			if allocs := testing.AllocsPerRun(50, func() { g.Append(nil) }); allocs != 1 {
				t.Errorf("%d PSKs, fields of %d bytes: %v allocations", i, n, allocs)
			}
			g.PSKs = append(g.PSKs, PreSharedKeyID{Type: PSKTypeExternal + PSKType(i), Usage: 1, ID: v, GroupID: v, Nonce: v})
		}
	}
}
