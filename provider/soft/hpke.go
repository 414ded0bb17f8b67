package soft

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/hardmls/hardmls/provider"
)

// An hpkeSuite is the base mode of RFC 9180 for one suite.
type hpkeSuite struct {
	p     *provider.Params
	kdf   *kdf
	aead  *aead
	group group
	mask  byte
	rand  io.Reader

	// Prefixes "HPKE-v1" ‖ suite_id ‖ label, RFC 9180 §4; those of the KEM
	// have the KEM's suite_id.
	dkpPrk, sk, candidate, eaePrk, sharedSecret                 []byte
	pskIDHash, infoHash, secret, keyLabel, nonceLabel, exp, sec []byte

	free sync.Pool // of *work
}

// A work is the memory of one HPKE operation.
type work struct {
	*scratch
	seed    [provider.MaxNsk]byte
	private [provider.MaxNsk]byte
	public  [provider.MaxNpk]byte
	dh      [provider.MaxNsk]byte
	prk     [provider.MaxNh]byte
	shared  [provider.MaxNh]byte
	context [1 + 2*provider.MaxNh]byte // key_schedule_context
	key     [provider.MaxNk]byte
	nonce   [provider.MaxNn]byte
	length  [2]byte
	count   [1]byte
}

func newHPKE(p *provider.Params, rand io.Reader) *hpkeSuite {
	h := &hpkeSuite{p: p, kdf: kdfOf(p.KDF), aead: aeadOf(p.AEAD), rand: rand}
	h.group, h.mask = groupOf(p.KEM)
	u16 := func(v uint16) string { return string([]byte{byte(v >> 8), byte(v)}) }
	kem := func(label string) []byte { return []byte("HPKE-v1" + "KEM" + u16(p.KEM) + label) }
	all := func(label string) []byte {
		return []byte("HPKE-v1" + "HPKE" + u16(p.KEM) + u16(p.KDF) + u16(p.AEAD) + label)
	}
	h.dkpPrk, h.sk, h.candidate = kem("dkp_prk"), kem("sk"), kem("candidate")
	h.eaePrk, h.sharedSecret = kem("eae_prk"), kem("shared_secret")
	h.infoHash, h.secret = all("info_hash"), all("secret")
	h.keyLabel, h.nonceLabel, h.exp, h.sec = all("key"), all("base_nonce"), all("exp"), all("sec")
	w := h.kdf.get()
	h.pskIDHash = make([]byte, p.Nh)
	w.mac(h.pskIDHash, nil, all("psk_id_hash"))
	w.put()
	h.free.New = func() any { return new(work) }
	return h
}

func (h *hpkeSuite) get() *work {
	w := h.free.Get().(*work)
	w.scratch = h.kdf.get()
	return w
}

func (h *hpkeSuite) put(w *work) {
	w.scratch.put()
	*w = work{}
	h.free.Put(w)
}

// labeledExpand is RFC 9180 §4 with label as one of the prefixes of h.
func (w *work) labeledExpand(out, prk, label, info []byte) {
	w.length = [2]byte{byte(len(out) >> 8), byte(len(out))}
	w.expand(out, prk, w.length[:], label, info)
}

// derive is DeriveKeyPair of RFC 9180 §7.1.3. The private key is left in
// w.private and the public key in w.public.
func (h *hpkeSuite) derive(w *work, ikm []byte) (scalar, error) {
	p := h.p
	prk, private := w.prk[:p.Nh], w.private[:p.Nsk]
	w.mac(prk, nil, h.dkpPrk, ikm)
	defer clear(prk)
	if h.mask == 0 {
		w.labeledExpand(private, prk, h.sk, nil)
		k, ok := h.group.parse(private, w.public[:p.Npk])
		if !ok {
			return nil, provider.ErrInvalidKey
		}
		return k, nil
	}
	for i := range 256 {
		w.count[0] = byte(i)
		w.labeledExpand(private, prk, h.candidate, w.count[:])
		private[0] &= h.mask
		if k, ok := h.group.parse(private, w.public[:p.Npk]); ok {
			return k, nil
		}
	}
	return nil, fmt.Errorf("%w: no scalar in 256 candidates", provider.ErrInvalidKey)
}

// fresh draws an ephemeral key: DeriveKeyPair of Nsk random bytes, as
// GenerateKeyPair of RFC 9180 §4.1 may be.
func (h *hpkeSuite) fresh(w *work) (scalar, error) {
	seed := w.seed[:h.p.Nsk]
	if _, err := io.ReadFull(h.rand, seed); err != nil {
		return nil, fmt.Errorf("soft: randomness: %w", err)
	}
	defer clear(seed)
	return h.derive(w, seed)
}

// encap is Encap of RFC 9180 §4.1; the shared secret is left in w.shared.
func (h *hpkeSuite) encap(w *work, enc, pub []byte) error {
	if len(pub) != h.p.Npk {
		return fmt.Errorf("%w: HPKE public key of %d bytes", provider.ErrInvalidKey, len(pub))
	}
	k, err := h.fresh(w)
	if err != nil {
		return err
	}
	defer k.wipe()
	dh := w.dh[:h.ndh()]
	if k.dh(dh, pub) != nil {
		return fmt.Errorf("%w: HPKE public key", provider.ErrInvalidKey)
	}
	copy(enc, w.public[:h.p.Npk])
	h.combine(w, w.shared[:h.p.Nsecret], dh, enc, pub)
	return nil
}

// ndh is the length of a Diffie-Hellman result: a coordinate, as long as a
// private key in every KEM here.
func (h *hpkeSuite) ndh() int { return h.p.Nsk }

// combine is ExtractAndExpand of RFC 9180 §4.1.
func (h *hpkeSuite) combine(w *work, shared, dh, enc, pub []byte) {
	prk := w.prk[:h.p.Nh]
	w.mac(prk, nil, h.eaePrk, dh)
	w.length = [2]byte{byte(len(shared) >> 8), byte(len(shared))}
	w.expand(shared, prk, w.length[:], h.sharedSecret, enc, pub)
	clear(prk)
	clear(dh)
}

// schedule starts the key schedule of RFC 9180 §5.1 with what depends on info
// only: key_schedule_context.
func (h *hpkeSuite) schedule(w *work, info []byte) {
	nh := h.p.Nh
	w.context[0] = 0 // mode_base
	copy(w.context[1:], h.pskIDHash)
	w.mac(w.context[1+nh:1+2*nh], nil, h.infoHash, info)
}

// secretOf is the key schedule's secret, in w.prk.
func (h *hpkeSuite) secretOf(w *work) []byte {
	prk := w.prk[:h.p.Nh]
	w.mac(prk, w.shared[:h.p.Nsecret], h.secret)
	return prk
}

// keys leaves the AEAD key and the nonce of sequence number 0 in w.
func (h *hpkeSuite) keys(w *work) {
	prk, context := h.secretOf(w), w.context[:1+2*h.p.Nh]
	w.labeledExpand(w.key[:h.p.Nk], prk, h.keyLabel, context)
	w.labeledExpand(w.nonce[:h.p.Nn], prk, h.nonceLabel, context)
}

// export is Context.Export of RFC 9180 §5.3.
func (h *hpkeSuite) export(w *work, out, label []byte) {
	prk, context := h.secretOf(w), w.context[:1+2*h.p.Nh]
	w.labeledExpand(prk, prk, h.exp, context)
	w.labeledExpand(out, prk, h.sec, label)
}

// CheckPublicKey implements provider.HPKE.
func (h *hpkeSuite) CheckPublicKey(pub []byte) error {
	if len(pub) != h.p.Npk {
		return fmt.Errorf("%w: HPKE public key of %d bytes", provider.ErrInvalidKey, len(pub))
	}
	if h.group.check(pub) != nil {
		return fmt.Errorf("%w: HPKE public key", provider.ErrInvalidKey)
	}
	return nil
}

// SealMany implements provider.HPKE. An encapsulated key or ciphertext of a
// wrong length is a bug of the caller and panics before anything is written.
func (h *hpkeSuite) SealMany(info, ad []byte, jobs []provider.SealJob) error {
	for i := range jobs {
		if len(jobs[i].Enc) != h.p.Nenc || len(jobs[i].CT) != len(jobs[i].Plaintext)+h.p.Nt {
			panic("soft: SealJob with an output of a wrong length")
		}
	}
	w := h.get()
	defer h.put(w)
	h.schedule(w, info)
	for i := range jobs {
		if err := h.sealOne(w, ad, &jobs[i]); err != nil {
			for i := range jobs {
				clear(jobs[i].Enc)
				clear(jobs[i].CT)
			}
			return err
		}
	}
	return nil
}

func (h *hpkeSuite) sealOne(w *work, ad []byte, j *provider.SealJob) error {
	if err := h.encap(w, j.Enc, j.Pub); err != nil {
		return err
	}
	h.keys(w)
	h.aead.open(w.key[:h.p.Nk], w.nonce[:h.p.Nn]).Seal(j.CT[:0], w.nonce[:h.p.Nn], j.Plaintext, ad)
	return nil
}

// decap lets the key compute the shared secret, in w.shared. A key that fails
// for a reason of its own keeps its error.
func (h *hpkeSuite) decap(ctx context.Context, w *work, key provider.DecryptionKey, enc []byte) error {
	if len(enc) != h.p.Nenc {
		return provider.ErrDecrypt
	}
	shared := w.shared[:h.p.Nsecret]
	if k, ok := key.(*privateKey); ok && k.h.p.KEM == h.p.KEM {
		return k.decap(w, shared, enc)
	}
	err := key.Decap(ctx, shared, enc)
	if errors.Is(err, provider.ErrDecrypt) {
		return provider.ErrDecrypt
	}
	return err
}

// Open implements provider.HPKE.
func (h *hpkeSuite) Open(ctx context.Context, dst []byte, key provider.DecryptionKey, enc, info, ad, ct []byte) ([]byte, error) {
	w := h.get()
	defer h.put(w)
	if err := h.decap(ctx, w, key, enc); err != nil {
		return nil, err
	}
	h.schedule(w, info)
	h.keys(w)
	nonce := w.nonce[:h.p.Nn]
	out, err := h.aead.open(w.key[:h.p.Nk], nonce).Open(dst, nonce, ct, ad)
	if err != nil {
		return nil, provider.ErrDecrypt
	}
	if out == nil {
		out = []byte{}
	}
	return out, nil
}

// ExportTo implements provider.HPKE. On error enc and out are cleared.
func (h *hpkeSuite) ExportTo(pub, info, label, enc, out []byte) error {
	if len(enc) != h.p.Nenc {
		panic("soft: ExportTo with an enc of a wrong length")
	}
	w := h.get()
	defer h.put(w)
	if err := h.encap(w, enc, pub); err != nil {
		clear(enc)
		clear(out)
		return err
	}
	h.schedule(w, info)
	h.export(w, out, label)
	return nil
}

// ExportFrom implements provider.HPKE. On error out is cleared.
func (h *hpkeSuite) ExportFrom(ctx context.Context, key provider.DecryptionKey, enc, info, label, out []byte) error {
	w := h.get()
	defer h.put(w)
	if err := h.decap(ctx, w, key, enc); err != nil {
		clear(out)
		return err
	}
	h.schedule(w, info)
	h.export(w, out, label)
	return nil
}
