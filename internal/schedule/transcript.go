package schedule

import (
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/wire"
	"github.com/hardmls/hardmls/provider"
)

// ConfirmedTranscriptHash returns the confirmed transcript hash of the epoch that
// the commit ac begins, RFC 9420 §8.2; interim is the interim transcript hash of
// the epoch before.
func ConfirmedTranscriptHash(s provider.Suite, interim []byte, ac *proto.AuthenticatedContent) []byte {
	in := ac.AppendConfirmedTranscriptHashInput(append([]byte(nil), interim...))
	out := make([]byte, s.Params().Nh)
	s.Hash(out, in)
	return out
}

// InterimTranscriptHash returns the interim transcript hash of an epoch, RFC 9420
// §8.2, from its confirmed one and the confirmation tag of its commit.
func InterimTranscriptHash(s provider.Suite, confirmed, tag []byte) []byte {
	in := wire.AppendOpaque(append([]byte(nil), confirmed...), tag)
	out := make([]byte, s.Params().Nh)
	s.Hash(out, in)
	return out
}
