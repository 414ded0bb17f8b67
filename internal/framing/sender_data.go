package framing

import (
	"encoding/binary"

	"github.com/hardmls/hardmls/internal/labels"
	"github.com/hardmls/hardmls/internal/treemath"
	"github.com/hardmls/hardmls/provider"
)

// senderDataLen is the length of an encoded SenderData, RFC 9420 §6.3.2.
const senderDataLen = 4 + 4 + guardLen

// guardLen is the length of a reuse guard, RFC 9420 §6.3.1.
const guardLen = 4

// senderDataKeys is where the key and nonce of a message's sender data live.
type senderDataKeys struct {
	labels labels.Scratch
	key    [provider.MaxNk]byte
	nonce  [provider.MaxNn]byte
}

// seal encrypts sender data into out, which is senderDataLen+Nt bytes. ad is the
// SenderDataAAD, ciphertext the finished one. It panics after Epoch.Erase.
func (k *senderDataKeys) seal(ep *Epoch, out []byte, leaf treemath.LeafIndex, generation uint32, guard [guardLen]byte, ad, ciphertext []byte) {
	if !ep.senderData.usable() {
		panic("framing: message sealed in an epoch that was erased")
	}
	binary.BigEndian.PutUint32(out, uint32(leaf))
	binary.BigEndian.PutUint32(out[4:], generation)
	copy(out[8:], guard[:])
	key, nonce := k.derive(ep, ciphertext)
	ep.suite.Seal(out[:0:len(out)], key, nonce, out[:senderDataLen], ad)
	k.wipe()
}

// open decrypts sender data (senderDataLen+Nt bytes) into out, which is
// senderDataLen+Nt bytes of room, and reports whether it opened.
func (k *senderDataKeys) open(ep *Epoch, out, encrypted, ad, ciphertext []byte) bool {
	if !ep.senderData.usable() {
		return false
	}
	key, nonce := k.derive(ep, ciphertext)
	_, err := ep.suite.Open(out[:0:len(out)], key, nonce, encrypted, ad)
	k.wipe()
	return err == nil
}

func (k *senderDataKeys) derive(ep *Epoch, ciphertext []byte) (key, nonce []byte) {
	key, nonce = k.key[:ep.params.Nk], k.nonce[:ep.params.Nn]
	ep.senderDataKey(&k.labels, key, nonce, ciphertext)
	return key, nonce
}

func (k *senderDataKeys) wipe() {
	clear(k.key[:])
	clear(k.nonce[:])
}

// guarded writes nonce XOR the reuse guard to out and returns it, RFC 9420
// §6.3.1.
func guarded(out *[provider.MaxNn]byte, nonce []byte, guard [guardLen]byte) []byte {
	n := copy(out[:], nonce)
	for i, g := range guard {
		out[i] ^= g
	}
	return out[:n]
}
