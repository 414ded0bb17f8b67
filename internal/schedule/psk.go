package schedule

import (
	"context"

	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/secret"
	"github.com/hardmls/hardmls/provider"
)

// A PSK is a pre-shared key of any length, with its id.
type PSK struct {
	ID     *proto.PreSharedKeyID
	Secret []byte
}

// PSKSecret chains pre-shared keys in their order, RFC 9420 §8.4: all-zero without
// any. There are fewer than 2^16 (checked by the proposal list).
func PSKSecret(s provider.Suite, psks []PSK) *secret.Secret {
	nh := s.Params().Nh
	out, input := secret.Zero(nh), secret.Zero(nh)
	defer input.Erase()
	var zero [provider.MaxNh]byte
	for i, p := range psks {
		s.Extract(input.Bytes(), zero[:nh], p.Secret)
		label := p.ID.AppendPSKLabel(nil, uint16(i), uint16(len(psks)))
		labels.ExpandWithLabel(s, input.Bytes(), input.Bytes(), labels.LabelDerivedPSK, label)
		s.Extract(out.Bytes(), input.Bytes(), out.Bytes())
	}
	return out
}

// externalInitLabel is the exporter context of RFC 9420 §8.3.
var externalInitLabel = []byte("MLS 1.0 external init secret")

// ExportInitSecret makes the init secret of an external commit and the kem_output
// that conveys it, RFC 9420 §8.3.
func ExportInitSecret(s provider.Suite, externalPub []byte) (kemOutput []byte, init *secret.Secret, err error) {
	p := s.Params()
	kemOutput, init = make([]byte, p.Nenc), secret.Zero(p.Nh)
	if err := s.HPKE().ExportTo(externalPub, nil, externalInitLabel, kemOutput, init.Bytes()); err != nil {
		init.Erase()
		return nil, nil, err
	}
	return kemOutput, init, nil
}

// ImportInitSecret is the receiving side of ExportInitSecret.
func ImportInitSecret(ctx context.Context, s provider.Suite, key provider.DecryptionKey, kemOutput []byte) (*secret.Secret, error) {
	init := secret.Zero(s.Params().Nh)
	if err := s.HPKE().ExportFrom(ctx, key, kemOutput, nil, externalInitLabel, init.Bytes()); err != nil {
		init.Erase()
		return nil, err
	}
	return init, nil
}
