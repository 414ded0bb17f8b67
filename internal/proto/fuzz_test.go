package proto

import (
	"bytes"
	"testing"
)

// fuzz checks that decode and encode is the identity, that an error comes without
// a value and names a check, and that nothing panics.
func fuzz(f *testing.F, name string) {
	s := structures[name]
	for _, b := range s.samples() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		enc, err := s.again(b)
		if err != nil {
			if !typed(err) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(enc, b) {
			t.Fatalf("decode and encode differ: %x, want %x", enc, b)
		}
	})
}

func FuzzMLSMessage(f *testing.F)           { fuzz(f, "MLSMessage") }
func FuzzKeyPackage(f *testing.F)           { fuzz(f, "KeyPackage") }
func FuzzLeafNode(f *testing.F)             { fuzz(f, "LeafNode") }
func FuzzGroupInfo(f *testing.F)            { fuzz(f, "GroupInfo") }
func FuzzGroupSecrets(f *testing.F)         { fuzz(f, "GroupSecrets") }
func FuzzCommit(f *testing.F)               { fuzz(f, "Commit") }
func FuzzProposal(f *testing.F)             { fuzz(f, "Proposal") }
func FuzzAuthenticatedContent(f *testing.F) { fuzz(f, "AuthenticatedContent") }
func FuzzRatchetTree(f *testing.F)          { fuzz(f, "ratchet_tree") }
func FuzzExternalSenders(f *testing.F)      { fuzz(f, "external_senders") }
