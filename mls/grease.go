package mls

import (
	"io"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/provider"
)

// grease draws values that RFC 9420 §13.5 reserves to keep other clients from
// refusing what they do not know.
type grease struct {
	suite      provider.CipherSuite
	extension  proto.ExtensionType
	proposal   proto.ProposalType
	credential proto.CredentialType
	data       []byte // content of an extension
}

// greaseValues is how many values are reserved: 0x0A0A, 0x1A1A, … 0xEAEA.
const greaseValues = 15

// draw draws one value of each kind.
func (c *config) drawGREASE(rand io.Reader) (*grease, error) {
	if c.NoGREASE {
		return nil, nil
	}
	var b [13]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return nil, &RandomError{err}
	}
	value := func(i int) uint16 { return 0x0A0A + uint16(b[i]%greaseValues)*0x1010 }
	return &grease{
		suite:      provider.CipherSuite(value(0)),
		extension:  proto.ExtensionType(value(1)),
		proposal:   proto.ProposalType(value(2)),
		credential: proto.CredentialType(value(3)),
		data:       b[5 : 5+b[4]%9],
	}, nil
}

// addTo lists the values in the capabilities of a leaf. A nil g adds none.
func (g *grease) addTo(c *proto.Capabilities) {
	if g == nil {
		return
	}
	c.CipherSuites = append(c.CipherSuites[:len(c.CipherSuites):len(c.CipherSuites)], g.suite)
	c.Extensions = append(c.Extensions, g.extension)
	c.Proposals = append(c.Proposals, g.proposal)
	c.Credentials = append(c.Credentials, g.credential)
}

// extend adds an extension of a reserved type to a key package or GroupInfo.
func (g *grease) extend(es proto.Extensions) proto.Extensions {
	if g == nil {
		return es
	}
	return append(es, proto.Extension{Type: g.extension, Data: clone(g.data)})
}
