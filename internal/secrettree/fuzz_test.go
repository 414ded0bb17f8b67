package secrettree

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/hardmls/hardmls/internal/treemath"
)

// records cuts fuzzed bytes into records.
func records(data []byte) (out []Record) {
	for len(data) >= 11 {
		r := Record{Kind: RecordKind(data[0]), Type: Type(data[1]),
			Leaf: treemath.LeafIndex(binary.BigEndian.Uint32(data[2:])), Node: treemath.NodeIndex(binary.BigEndian.Uint32(data[6:]))}
		n := min(int(data[10]), len(data)-11)
		r.Value, data = data[11:11+n], data[11+n:]
		out = append(out, r)
	}
	return out
}

func appendRecord(b []byte, r Record) []byte {
	b = binary.BigEndian.AppendUint32(append(b, byte(r.Kind), byte(r.Type)), uint32(r.Leaf))
	b = append(binary.BigEndian.AppendUint32(b, uint32(r.Node)), byte(len(r.Value)))
	return append(b, r.Value...)
}

// FuzzRestore: damaged records are an error, or a tree that works.
func FuzzRestore(f *testing.F) {
	s := softSuite(f)
	tree := New(s, testSecret(1), 8, testLimits)
	var op Op
	for _, g := range []uint32{3, 1, 900} {
		if err := take(tree, &op, 5, Application, g); err != nil {
			f.Fatal(err)
		}
	}
	var seed []byte
	for r := range tree.BeginWrite {
		if r.Value != nil {
			seed = appendRecord(seed, r)
		}
	}
	tree.EndWrite(true)
	f.Add(seed)
	f.Add(appendRecord(nil, Record{Kind: RatchetRecord, Value: make([]byte, 37)}))
	f.Add(appendRecord(nil, Record{Kind: NodeRecord, Node: 15, Value: make([]byte, 33)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		tree, err := Restore(s, 8, testLimits, slices.Values(records(data)))
		if err != nil {
			return
		}
		var op Op
		for leaf := range treemath.LeafIndex(8) {
			for _, typ := range []Type{Handshake, Application} {
				g, err := tree.NextGeneration(leaf, typ)
				if err != nil {
					continue
				}
				_ = take(tree, &op, leaf, typ, g)
				if g > 2 {
					_ = take(tree, &op, leaf, typ, g-2)
				}
				_ = tree.Next(&op, leaf, typ)
				_, _ = tree.AppendAhead(nil, leaf, typ, 2)
			}
		}
		disk := make(store)
		disk.write(tree)
		tree.AppendState(nil)
	})
}
