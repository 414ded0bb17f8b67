package proto

import (
	"encoding/binary"
	"slices"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/wire"
)

// Append appends the encoding of the list, RFC 9420 §7.2.
func (es Extensions) Append(b []byte) []byte {
	return appendList(b, es, func(b []byte, e *Extension) []byte {
		return wire.AppendOpaque(binary.BigEndian.AppendUint16(b, uint16(e.Type)), e.Data)
	})
}

// Decode reads an extension list and refuses two of one type, V020.
func (es *Extensions) Decode(r *wire.Reader) {
	outer, whole, list := r.Enter(), r.Len(), []Extension((*es)[:0])
	for !r.Empty() && grow(r, &list, whole, extensionList) {
		e := &list[len(list)-1]
		e.Type = ExtensionType(r.Uint16())
		e.Data = r.Opaque()
	}
	*es = leave(r, outer, list)
	if t, ok := es.duplicate(); ok {
		r.Fail(check.Errorf(check.V020, "two extensions of type %d", t))
	}
}

// duplicate returns a type of which the list has two. Long lists are sorted
// first, so that the work stays bounded.
func (es Extensions) duplicate() (ExtensionType, bool) {
	if len(es) > 16 {
		types := make([]ExtensionType, len(es))
		for i, e := range es {
			types[i] = e.Type
		}
		slices.Sort(types)
		for i := range types[1:] {
			if types[i] == types[i+1] {
				return types[i], true
			}
		}
		return 0, false
	}
	for i, e := range es {
		for _, f := range es[:i] {
			if e.Type == f.Type {
				return e.Type, true
			}
		}
	}
	return 0, false
}

// Find returns the data of the extension of type t.
func (es Extensions) Find(t ExtensionType) ([]byte, bool) {
	for _, e := range es {
		if e.Type == t {
			return e.Data, true
		}
	}
	return nil, false
}

// A Place is a structure that carries extensions, RFC 9420 §13.4.
type Place uint8

// The places of extensions.
const (
	PlaceKeyPackage Place = 1 << iota
	PlaceLeafNode
	PlaceGroupContext
	PlaceGroupInfo
)

// places says where each extension of RFC 9420 may stand, §17.3.
var places = map[ExtensionType]Place{
	ExtensionTypeApplicationID:        PlaceLeafNode,
	ExtensionTypeRatchetTree:          PlaceGroupInfo,
	ExtensionTypeRequiredCapabilities: PlaceGroupContext,
	ExtensionTypeExternalPub:          PlaceGroupInfo,
	ExtensionTypeExternalSenders:      PlaceGroupContext,
}

// CheckPlace checks that no extension of RFC 9420 stands where it must not, V030,
// and that the content of each is well formed, V006.
func (es Extensions) CheckPlace(p Place) error {
	for _, e := range es {
		if allowed, known := places[e.Type]; known && allowed&p == 0 {
			return check.Errorf(check.V030, "extension %d does not belong here", e.Type)
		}
		if err := e.checkContent(); err != nil {
			return err
		}
	}
	return nil
}

// checkContent decodes the content of an extension of RFC 9420, but for the
// ratchet tree, which is decoded where it is used.
func (e *Extension) checkContent() error {
	var err error
	switch e.Type {
	case ExtensionTypeApplicationID:
		r := wire.NewReader(e.Data)
		r.Opaque()
		err = r.Done()
	case ExtensionTypeRequiredCapabilities:
		_, err = DecodeRequiredCapabilities(e.Data)
	case ExtensionTypeExternalPub:
		_, err = DecodeExternalPub(e.Data)
	case ExtensionTypeExternalSenders:
		_, err = DecodeExternalSenders(e.Data)
	}
	return inExtension(err)
}

// inExtension names V006 for bytes behind the content of an extension.
func inExtension(err error) error {
	if e, ok := err.(*check.Error); ok && e.Check == check.V005 {
		return check.Errorf(check.V006, "%w", e.Err)
	}
	return err
}

// Append appends the encoding, RFC 9420 §7.2.
func (c *Capabilities) Append(b []byte) []byte {
	b = appendUint16s(b, c.Versions)
	b = appendUint16s(b, c.CipherSuites)
	b = appendUint16s(b, c.Extensions)
	b = appendUint16s(b, c.Proposals)
	return appendUint16s(b, c.Credentials)
}

// Decode reads capabilities; unknown values are kept, V022.
func (c *Capabilities) Decode(r *wire.Reader) {
	c.Versions = decodeUint16s(r, c.Versions)
	c.CipherSuites = decodeUint16s(r, c.CipherSuites)
	c.Extensions = decodeUint16s(r, c.Extensions)
	c.Proposals = decodeUint16s(r, c.Proposals)
	c.Credentials = decodeUint16s(r, c.Credentials)
}

// Append appends the encoding, RFC 9420 §11.1.
func (c *RequiredCapabilities) Append(b []byte) []byte {
	b = appendUint16s(b, c.Extensions)
	b = appendUint16s(b, c.Proposals)
	return appendUint16s(b, c.Credentials)
}

// Decode reads required capabilities.
func (c *RequiredCapabilities) Decode(r *wire.Reader) {
	c.Extensions = decodeUint16s(r, c.Extensions)
	c.Proposals = decodeUint16s(r, c.Proposals)
	c.Credentials = decodeUint16s(r, c.Credentials)
}

// DecodeRequiredCapabilities decodes the content of a required_capabilities
// extension.
func DecodeRequiredCapabilities(data []byte) (*RequiredCapabilities, error) {
	c, err := decodeAll(data, (*RequiredCapabilities).Decode)
	return c, inExtension(err)
}

// DecodeExternalPub decodes the content of an external_pub extension: an HPKE
// public key.
func DecodeExternalPub(data []byte) ([]byte, error) {
	r := wire.NewReader(data)
	pub := r.Opaque()
	if err := r.Done(); err != nil {
		return nil, inExtension(err)
	}
	return pub, nil
}

// DecodeExternalSenders decodes the content of an external_senders extension.
func DecodeExternalSenders(data []byte) ([]ExternalSender, error) {
	r := wire.NewReader(data)
	var list []ExternalSender
	outer, whole := r.Enter(), r.Len()
	for !r.Empty() && grow(&r, &list, whole, senderList) {
		list[len(list)-1].Decode(&r)
	}
	list = leave(&r, outer, list)
	if err := r.Done(); err != nil {
		return nil, inExtension(err)
	}
	return list, nil
}

// AppendExternalSenders appends the content of an external_senders extension.
func AppendExternalSenders(b []byte, list []ExternalSender) []byte {
	return appendList(b, list, func(b []byte, e *ExternalSender) []byte { return e.Append(b) })
}
