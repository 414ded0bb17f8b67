package sha256

import "encoding/binary"

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
}

// generationAt is where the generation stands in the blocks of a Ratchet.
var generationAt = [3]int{15, 17, 18}

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
		b = append(b, 0, 0, 0, 0, 1) // the generation, and the counter of HKDF-Expand
		pad(&r.blocks[i], len(b))
	}
	return r
}

// with returns the inner messages for a generation.
func (r *Ratchet) with(generation uint32) [3]block {
	b := r.blocks
	for i, at := range generationAt {
		binary.BigEndian.PutUint32(b[i][at:], generation)
	}
	return b
}

// Step is DeriveTreeSecret for "key", "nonce" and "secret": it fills key, of nk bytes,
// and nonce, of 12, and replaces secret, of 32, by the next one. A nil key leaves both
// alone.
func (r *Ratchet) Step(key, nonce, secret []byte, generation uint32) {
	if len(secret) != Size || key != nil && (len(key) != r.nk || len(nonce) != nonceSize) {
		panic("sha256: step of a ratchet with a wrong length")
	}
	if key == nil {
		next(r, (*[Size]byte)(secret), generation)
		return
	}
	step(r, key, (*[nonceSize]byte)(nonce), (*[Size]byte)(secret), generation)
}

// SenderData derives the keys that hide senders, RFC 9420 §6.3.2, for one length of
// keys. It is not changed after NewSenderData.
type SenderData struct {
	nk     int
	blocks [2]block // the inner messages for key and nonce, with a sample of zeros
}

// sampleAt is where the sample stands in the blocks of a SenderData, behind its length.
var sampleAt = [2]int{15, 17}

// NewSenderData prepares the inner messages for keys of nk bytes, 16 or 32.
func NewSenderData(nk int) *SenderData {
	if nk != 16 && nk != 32 {
		panic("sha256: sender data with keys of a wrong length")
	}
	s := &SenderData{nk: nk}
	for i, l := range []struct {
		name   string
		length int
	}{{"key", nk}, {"nonce", nonceSize}} {
		b := append(label(s.blocks[i][:0], l.length, l.name), Size)
		b = append(append(b, make([]byte, Size)...), 1)
		pad(&s.blocks[i], len(b))
	}
	return s
}

// with returns the inner messages for a sample.
func (s *SenderData) with(sample *[Size]byte) [2]block {
	b := s.blocks
	for i, at := range sampleAt {
		copy(b[i][at:], sample[:])
	}
	return b
}

// Keys is ExpandWithLabel of a sender_data_secret for "key" and "nonce" with a sample
// of ciphertext: it fills key, of nk bytes, and nonce, of 12.
func (s *SenderData) Keys(secret *Key, key, nonce, sample []byte) {
	if len(key) != s.nk || len(nonce) != nonceSize {
		panic("sha256: keys of sender data with a wrong length")
	}
	if len(sample) != Size {
		s.other(secret, key, nonce, sample)
		return
	}
	pair(secret, s, key, (*[nonceSize]byte)(nonce), (*[Size]byte)(sample))
}

// other is Keys for a sample that is not of 32 bytes: that of a message which is too
// short to be one.
func (s *SenderData) other(secret *Key, key, nonce, sample []byte) {
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
		d.write(s.blocks[i][:sampleAt[i]-1])
		d.write(size[:n])
		d.write(sample)
		d.writeByte(1)
		d.tag(secret, out)
		d.wipe()
	}
}
