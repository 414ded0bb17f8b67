package proto

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/testvectors"
)

// TestMessages decodes and encodes every structure of messages.json.
func TestMessages(t *testing.T) {
	var cases []map[string]string
	testvectors.MLS(t, "messages.json", &cases)
	if len(cases) != 300 {
		t.Fatalf("%d cases, want 300", len(cases))
	}
	message := decoder(DecodeMLSMessage, (*MLSMessage).Append)
	proposal := func(typ byte) func(b []byte) ([]byte, error) {
		decode := decoder(DecodeProposal, (*Proposal).Append)
		return func(b []byte) ([]byte, error) {
			enc, err := decode(append([]byte{0, typ}, b...))
			return bytes.TrimPrefix(enc, []byte{0, typ}), err
		}
	}
	fields := map[string]func(b []byte) ([]byte, error){
		"mls_welcome": message, "mls_group_info": message, "mls_key_package": message,
		"public_message_application": message, "public_message_proposal": message,
		"public_message_commit": message, "private_message": message,
		"ratchet_tree": func(b []byte) ([]byte, error) {
			nodes, err := DecodeRatchetTree(b)
			return AppendRatchetTree(nil, nodes), err
		},
		"group_secrets":   decoder(DecodeGroupSecrets, (*GroupSecrets).Append),
		"commit":          decoder(DecodeCommit, (*Commit).Append),
		"add_proposal":    proposal(1),
		"update_proposal": proposal(2), "remove_proposal": proposal(3), "pre_shared_key_proposal": proposal(4),
		"re_init_proposal": proposal(5), "external_init_proposal": proposal(6), "group_context_extensions_proposal": proposal(7),
	}
	for i, c := range cases {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			if len(c) != len(fields) {
				t.Fatalf("%d fields, want %d", len(c), len(fields))
			}
			for name, value := range c {
				b, err := hex.DecodeString(value)
				if err != nil {
					t.Fatal(err)
				}
				enc, err := fields[name](b)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				} else if !bytes.Equal(enc, b) {
					t.Errorf("%s: decode and encode differ", name)
				}
			}
		})
	}
}

func decoder[T any](decode func([]byte) (*T, error), encode func(*T, []byte) []byte) func(b []byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		x, err := decode(b)
		if err != nil {
			return nil, err
		}
		return encode(x, nil), nil
	}
}

// TestDeserialization reads the vector lengths of deserialization.json.
func TestDeserialization(t *testing.T) {
	var cases []struct {
		Header string `json:"vlbytes_header"`
		Length int    `json:"length"`
	}
	testvectors.MLS(t, "deserialization.json", &cases)
	if len(cases) != 14 {
		t.Fatalf("%d cases, want 14", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Header, func(t *testing.T) {
			h, err := hex.DecodeString(c.Header)
			if err != nil {
				t.Fatal(err)
			}
			if got := wire.AppendVarint(nil, c.Length); !bytes.Equal(got, h) {
				t.Errorf("length %d encodes to %x", c.Length, got)
			}
			if c.Length > 1<<20 {
				return // its header alone is checked: a gigabyte proves no more
			}
			r := wire.NewReader(append(h, make([]byte, c.Length)...))
			if v := r.Opaque(); len(v) != c.Length || r.Done() != nil {
				t.Errorf("read %d bytes: %v", len(v), r.Err())
			}
		})
	}
}
