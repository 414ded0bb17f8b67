package sha256

import "encoding/binary"

// A message that HMAC puts behind its padded key fits into one block with padding if
// it has no more than this many bytes.
const oneBlock = BlockSize - 1 - 8

// label begins the inner message of ExpandWithLabel, RFC 9420 §8: the length of what
// is derived, and the label.
func label(b []byte, length int, name string) []byte {
	name = "MLS 1.0 " + name
	b = append(b, byte(length>>8), byte(length), byte(len(name)))
	return append(b, name...)
}

// pad ends an inner message of n bytes: SHA-256's padding, behind one block more.
func pad(b *block, n int) {
	b[n] = 0x80
	binary.BigEndian.PutUint64(b[BlockSize-8:], uint64(BlockSize+n)*8)
}

// A Ratchet does the steps of sender ratchets, RFC 9420 §9.1, for one length of keys.
// It is not changed after NewRatchet.
type Ratchet struct {
	kernel Kernel
	nk     int
	blocks [3]block // the inner messages for key, nonce and secret, generation 0
	at     [3]int   // where the generation stands in them
}

// NewRatchet prepares the inner messages for keys of nk bytes, 16 or 32. The kernel
// must be one that this CPU can run.
func NewRatchet(kernel Kernel, nk int) *Ratchet {
	if nk != 16 && nk != 32 {
		panic("sha256: ratchet with keys of a wrong length")
	}
	r := &Ratchet{kernel: kernel, nk: nk}
	for i, l := range []struct {
		name   string
		length int
	}{{"key", nk}, {"nonce", nonceSize}, {"secret", Size}} {
		b := append(label(r.blocks[i][:0], l.length, l.name), 4)
		r.at[i] = len(b)
		b = append(b, 0, 0, 0, 0, 1) // the generation, and the counter of HKDF-Expand
		pad(&r.blocks[i], len(b))
	}
	return r
}

// Step is DeriveTreeSecret for "key", "nonce" and "secret": it fills key, of nk bytes,
// and nonce, of 12, and replaces secret, of 32, by the next one. A nil key leaves both
// alone.
func (r *Ratchet) Step(key, nonce, secret []byte, generation uint32) {
	if len(secret) != Size || key != nil && (len(key) != r.nk || len(nonce) != nonceSize) {
		panic("sha256: step of a ratchet with a wrong length")
	}
	head := (*[Size]byte)(secret)
	if key == nil {
		b := r.blocks[2]
		binary.BigEndian.PutUint32(b[r.at[2]:], generation)
		next(r.kernel, head, &b)
		return
	}
	b := r.blocks
	binary.BigEndian.PutUint32(b[0][r.at[0]:], generation)
	binary.BigEndian.PutUint32(b[1][r.at[1]:], generation)
	binary.BigEndian.PutUint32(b[2][r.at[2]:], generation)
	step(r.kernel, key, (*[nonceSize]byte)(nonce), head, &b)
}

// SenderData derives the keys that hide senders, RFC 9420 §6.3.2, for one length of
// keys. It is not changed after NewSenderData.
type SenderData struct {
	nk     int
	blocks [2]block
	at     [2]int // where the context begins, with its length
}

// NewSenderData prepares the inner messages for keys of nk bytes, 16 or 32.
func NewSenderData(nk int) *SenderData {
	if nk != 16 && nk != 32 {
		panic("sha256: sender data with keys of a wrong length")
	}
	s := &SenderData{nk: nk}
	s.at[0] = len(label(s.blocks[0][:0], nk, "key"))
	s.at[1] = len(label(s.blocks[1][:0], nonceSize, "nonce"))
	return s
}

// Keys is ExpandWithLabel of a sender_data_secret for "key" and "nonce" with a sample
// of ciphertext: it fills key, of nk bytes, and nonce, of 12.
func (s *SenderData) Keys(secret *Key, key, nonce, sample []byte) {
	if len(key) != s.nk || len(nonce) != nonceSize {
		panic("sha256: keys of sender data with a wrong length")
	}
	if len(sample) > Size {
		s.long(secret, key, nonce, sample)
		return
	}
	b := s.blocks
	for i, at := range s.at {
		b[i][at] = byte(len(sample))
		n := at + 1 + copy(b[i][at+1:at+1+Size], sample)
		b[i][n] = 1
		pad(&b[i], n+1)
	}
	pair(secret, &b, key, (*[nonceSize]byte)(nonce))
}

// long is Keys for a sample that is longer than RFC 9420 takes.
func (s *SenderData) long(secret *Key, key, nonce, sample []byte) {
	var size [4]byte
	n := 4
	switch {
	case len(sample) < 1<<6:
		size[0], n = byte(len(sample)), 1
	case len(sample) < 1<<14:
		binary.BigEndian.PutUint16(size[:], uint16(len(sample))|1<<14)
		n = 2
	case len(sample) < 1<<30:
		binary.BigEndian.PutUint32(size[:], uint32(len(sample))|1<<31)
	default:
		panic("sha256: vector too long")
	}
	for i, out := range [][]byte{key, nonce} {
		var d digest
		d.start(secret)
		d.write(s.blocks[i][:s.at[i]])
		d.write(size[:n])
		d.write(sample)
		d.writeByte(1)
		d.tag(secret, out)
		d.wipe()
	}
}
