package workload

import (
	"context"
	"encoding/binary"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/soft"
)

// tbsOverhead is what FramedContentTBS and SignContent hold besides plaintext, in
// a group of the benchmarks: ids, GroupContext, labels.
const tbsOverhead = 290

// A Floor is the bare work of one message: the primitives in their order, on
// buffers made before.
type Floor struct {
	suite  provider.Suite
	up     *provider.Upgrades
	bound  provider.Bound
	signer provider.Signer
	pub    []byte

	tbs        []byte // what is signed: about 200 bytes besides the plaintext
	ratchet    [provider.MaxNh]byte
	sample     []byte
	key        [provider.MaxNk]byte
	nonce      [provider.MaxNn]byte
	sdKey      [provider.MaxNk]byte
	sdNonce    [provider.MaxNn]byte
	sig        []byte
	plain      []byte // PrivateMessageContent
	ad         [80]byte
	senderData [12]byte
	ciphertext []byte
	sealedSD   []byte
	openedSD   [32]byte
	opened     []byte
	secret     [provider.MaxNh]byte
	info       []byte
}

// NewFloor makes the floor of messages of a setup.
func NewFloor(s Setup) (*Floor, error) {
	suite, err := s.Crypto.Suite(s.Suite)
	if err != nil {
		return nil, err
	}
	signer, err := soft.NewSigner(s.Crypto, suite)
	if err != nil {
		return nil, err
	}
	p := suite.Params()
	f := &Floor{suite: suite, up: suite.Upgrades(), signer: signer, pub: signer.Public()}
	if s.Null {
		f.signer = NullSigner{signer}
	}
	if f.up.Bind != nil {
		f.bound = f.up.Bind.Bind(f.secret[:p.Nh])
	}
	f.tbs = make([]byte, s.Size+tbsOverhead)
	f.sig = make([]byte, 0, p.SigMax)
	f.plain = make([]byte, s.Size+p.SigMax+8)
	f.ciphertext = make([]byte, 0, len(f.plain)+p.Nt)
	f.sealedSD = make([]byte, 0, len(f.senderData)+p.Nt)
	f.opened = make([]byte, 0, len(f.plain))
	return f, nil
}

// step is one step of the sender ratchet, RFC 9420 §9.1.
func (f *Floor) step() {
	p := f.suite.Params()
	key, nonce, secret := f.key[:p.Nk], f.nonce[:p.Nn], f.ratchet[:p.Nh]
	if f.up.Ratchet != nil {
		f.up.Ratchet.RatchetStep(key, nonce, secret, 7)
		return
	}
	f.expand(key, secret, "key", 7)
	f.expand(nonce, secret, "nonce", 7)
	f.expand(secret, secret, "secret", 7)
}

// expand is DeriveTreeSecret, RFC 9420 §9.
func (f *Floor) expand(out, secret []byte, label string, generation uint32) {
	b := binary.BigEndian.AppendUint16(f.info[:0], uint16(len(out)))
	b = append(b, byte(8+len(label)))
	b = append(append(b, "MLS 1.0 "...), label...)
	b = binary.BigEndian.AppendUint32(append(b, 4), generation)
	f.suite.Expand(out, secret, b)
	f.info = b
}

// senderDataKeys derives the keys of RFC 9420 §6.3.2 from a sample of the
// ciphertext.
func (f *Floor) senderDataKeys() {
	p := f.suite.Params()
	key, nonce := f.sdKey[:p.Nk], f.sdNonce[:p.Nn]
	sample := f.ciphertext[:min(len(f.ciphertext), p.Nh)]
	if f.bound != nil {
		f.bound.SenderDataKey(key, nonce, sample)
		return
	}
	f.sample = append(f.sample[:0], sample...)
	f.expand(key, f.secret[:p.Nh], "key", 0)
	f.expand(nonce, f.secret[:p.Nh], "nonce", 0)
}

// Send does the work of sending a message.
func (f *Floor) Send() error {
	p := f.suite.Params()
	sig, err := f.signer.Sign(context.Background(), f.sig[:0], f.tbs)
	if err != nil {
		return err
	}
	f.sig = sig
	f.step()
	f.ciphertext = f.suite.Seal(f.ciphertext[:0], f.key[:p.Nk], f.nonce[:p.Nn], f.plain, f.ad[:])
	f.senderDataKeys()
	f.sealedSD = f.suite.Seal(f.sealedSD[:0], f.sdKey[:p.Nk], f.sdNonce[:p.Nn], f.senderData[:], f.ad[:45])
	return nil
}

// Receive opens what Send made, under the same key: the ratchet is stepped, its
// result put back.
func (f *Floor) Receive() error {
	p := f.suite.Params()
	f.senderDataKeys()
	if _, err := f.suite.Open(f.openedSD[:0], f.sdKey[:p.Nk], f.sdNonce[:p.Nn], f.sealedSD, f.ad[:45]); err != nil {
		return err
	}
	key, nonce := f.key, f.nonce
	f.step()
	f.key, f.nonce = key, nonce
	var err error
	if f.opened, err = f.suite.Open(f.opened[:0], f.key[:p.Nk], f.nonce[:p.Nn], f.ciphertext, f.ad[:]); err != nil {
		return err
	}
	return f.suite.Verify(f.pub, f.tbs, f.sig)
}
