package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/hardmls/hardmls/testvectors"
)

// TestOwnIsCurrent: the committed files are what the generator writes.
func TestOwnIsCurrent(t *testing.T) {
	dir := t.TempDir()
	if err := run(dir); err != nil {
		t.Fatal(err)
	}
	for name := range files() {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("..", "own", "mls", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is not what the generator writes: run `make generate`", name)
		}
	}
}

func bySuite(t *testing.T, id uint16) suite {
	t.Helper()
	for _, s := range suites {
		if s.id == id {
			return s
		}
	}
	t.Fatalf("suite %d", id)
	return suite{}
}

// same computes a copy of each official case and compares it.
func same[T any](t *testing.T, file string, compute func(*T)) {
	t.Run(file, func(t *testing.T) {
		var cases []*T
		testvectors.MLS(t, file, &cases)
		for i, c := range cases {
			want, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			compute(c)
			got, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("case %d: the reference gives %s, the official file has %s", i, got, want)
			}
		}
	})
}

// TestReferenceAgainstOfficial computes the official files' results anew.
func TestReferenceAgainstOfficial(t *testing.T) {
	same(t, "tree-math.json", (*treeMath).compute)
	same(t, "secret-tree.json", func(c *secretTree) {
		for _, leaf := range c.Leaves {
			for i := range leaf {
				leaf[i] = keys{Generation: leaf[i].Generation}
			}
		}
		c.compute(bySuite(t, c.CipherSuite))
	})
	same(t, "key-schedule.json", func(c *keySchedule) {
		if s := bySuite(t, c.CipherSuite); s.kem != nil {
			c.compute(s)
		}
	})
	same(t, "psk_secret.json", func(c *pskSecret) { c.compute(bySuite(t, c.CipherSuite)) })
	same(t, "transcript-hashes.json", func(c *transcript) {
		s := bySuite(t, c.CipherSuite)
		tag := 1 + s.nh // confirmation_tag<V>; its length takes two bytes from 64 on
		if s.nh >= 64 {
			tag++
		}
		c.compute(s, c.AuthenticatedContent[:len(c.AuthenticatedContent)-tag])
	})
}
