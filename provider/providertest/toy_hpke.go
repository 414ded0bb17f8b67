package providertest

import (
	"context"
	"encoding/binary"
	"io"

	"github.com/hardmls/hardmls/provider"
)

// toyHPKE implements provider.HPKE. The encapsulated key is the public key of
// a fresh private one, and the shared secret a hash of both public keys: no
// secret at all, but another for every other key or enc.
type toyHPKE struct{ s *toySuite }

func (h toyHPKE) CheckPublicKey(pub []byte) error {
	if !validPoint(pub, h.s.p.Npk) {
		return provider.ErrInvalidKey
	}
	return nil
}

func (h toyHPKE) DeriveKey(ikm []byte) (provider.DecryptionKey, error) {
	private := toyHash("toy derived key", ikm)
	return h.s.key(private[:]), nil
}

func (h toyHPKE) ParseKey(ref provider.KeyRef) (provider.DecryptionKey, error) {
	if ref.Backend() != toyName {
		return nil, provider.ErrForeignKey
	}
	body := ref[len(toyName)+1:]
	if len(body) != 2+h.s.p.Nsk || binary.BigEndian.Uint16(body) != uint16(h.s.p.ID) {
		return nil, provider.ErrInvalidKey
	}
	return h.s.key(body[2:]), nil
}

// encap fills enc and returns the shared secret.
func (h toyHPKE) encap(pub, enc []byte) (shared [32]byte, err error) {
	need(len(enc) == h.s.p.Nenc)
	if err := h.CheckPublicKey(pub); err != nil {
		return shared, err
	}
	var private [32]byte
	if _, err := io.ReadFull(h.s.c.rand, private[:]); err != nil {
		return shared, err
	}
	copy(enc, toyPublic("toy kem key", private[:], h.s.p.Nenc))
	return toyHash("toy shared secret", enc, pub), nil
}

func (h toyHPKE) SealMany(info, ad []byte, jobs []provider.SealJob) error {
	context := toyHash("toy info", info)
	for i := range jobs {
		j := &jobs[i]
		need(len(j.CT) == len(j.Plaintext)+h.s.p.Nt)
		shared, err := h.encap(j.Pub, j.Enc)
		if err != nil {
			for k := range jobs {
				clear(jobs[k].Enc)
				clear(jobs[k].CT)
			}
			return err
		}
		key := toyHash("toy hpke", shared[:h.s.p.Nsecret], context[:])
		h.s.Seal(j.CT[:0], key[:h.s.p.Nk], key[20:32], j.Plaintext, ad)
	}
	return nil
}

func (h toyHPKE) Open(ctx context.Context, dst []byte, key provider.DecryptionKey, enc, info, ad, ct []byte) ([]byte, error) {
	shared := make([]byte, h.s.p.Nsecret)
	if err := key.Decap(ctx, shared, enc); err != nil {
		return nil, err
	}
	context := toyHash("toy info", info)
	k := toyHash("toy hpke", shared, context[:])
	return h.s.Open(dst, k[:h.s.p.Nk], k[20:32], ct, ad)
}

func (h toyHPKE) ExportTo(pub, info, label, enc, out []byte) error {
	shared, err := h.encap(pub, enc)
	if err != nil {
		clear(enc)
		clear(out)
		return err
	}
	h.export(shared[:h.s.p.Nsecret], info, label, out)
	return nil
}

func (h toyHPKE) ExportFrom(ctx context.Context, key provider.DecryptionKey, enc, info, label, out []byte) error {
	shared := make([]byte, h.s.p.Nsecret)
	if err := key.Decap(ctx, shared, enc); err != nil {
		clear(out)
		return err
	}
	h.export(shared, info, label, out)
	return nil
}

func (h toyHPKE) export(shared, info, label, out []byte) {
	context := toyHash("toy info", info)
	prk := toyHash("toy export", shared, context[:])
	h.s.Expand(out, prk[:], label)
}
