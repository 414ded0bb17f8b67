// Package sha256 is HMAC and HKDF over SHA-256 as MLS uses them on every message:
// the step of a sender ratchet, the keys of the sender data, tags under a key that
// lives for an epoch. It holds the states behind HMAC's padded keys, derives what
// belongs together in one call, allocates nothing and clears what it leaves behind:
// its frames, and in the kernels the registers.
//
// Plain hashing is not here: crypto/sha256 uses the same instructions and is as
// fast.
//
// Keys and outputs must not overlap other arguments, except where it is said. A
// wrong length is a bug of the caller and panics.
package sha256

import "encoding/binary"

const (
	Size      = 32
	BlockSize = 64
	nonceSize = 12
)

// A Kernel is an implementation.
type Kernel uint8

const (
	Generic Kernel = iota // Go; crypto/sha256 is faster where it has assembly
	SHANI                 // amd64: SHA, SSSE3
	SHA2                  // arm64: SHA2
)

// String names the kernel as a report does.
func (k Kernel) String() string {
	switch k {
	case SHANI:
		return "sha-ni"
	case SHA2:
		return "sha2"
	}
	return "generic"
}

// A state is one of SHA-256 in the middle of a message, in the form that the kernel
// likes best.
type state [8]uint32

// A block is what a compression takes.
type block = [BlockSize]byte

// A Key is a key of HMAC, RFC 2104, prepared for many messages: the states behind
// its two padded forms. It is as secret as the key. The zero Key must not be used
// before Set.
type Key struct {
	inner, outer state
	kernel       Kernel
}

// Set prepares key, of any length. The kernel must be one that this CPU can run.
func (k *Key) Set(kernel Kernel, key []byte) {
	var b block
	if len(key) > BlockSize {
		var d digest
		d.begin(kernel)
		d.write(key)
		d.sum(b[:Size], 0)
		d.wipe()
	} else {
		copy(b[:], key)
	}
	k.kernel = kernel
	prepare(kernel, k, &b)
	clear(b[:])
}

// Wipe clears the key.
func (k *Key) Wipe() { *k = Key{} }

// MAC writes the first len(out) ≤ 32 bytes of the tag of msg to out, which may
// overlap msg.
func (k *Key) MAC(out, msg []byte) {
	var d digest
	d.start(k)
	d.write(msg)
	d.tag(k, out)
	d.wipe()
}

// Expand is HKDF-Expand, RFC 5869 §2.3, with the key as PRK. It fills out, of at most
// 255·32 bytes, which must not overlap info.
func (k *Key) Expand(out, info []byte) {
	if len(out) > 255*Size {
		panic("sha256: Expand of more than 255·32 bytes")
	}
	var d digest
	last := out[:0] // T(i-1)
	for i := byte(1); len(out) > 0; i++ {
		d.start(k)
		d.write(last)
		d.write(info)
		d.writeByte(i)
		last = out[:min(Size, len(out))]
		d.tag(k, last)
		out = out[len(last):]
	}
	d.wipe()
}

// HMAC writes the first len(out) ≤ 32 bytes of the tag of msg under key to out, which
// may overlap both.
func HMAC(kernel Kernel, out, key, msg []byte) {
	var k Key
	k.Set(kernel, key)
	k.MAC(out, msg)
	k.Wipe()
}

// Expand is HKDF-Expand with a PRK that is used once. out may overlap prk.
func Expand(kernel Kernel, out, prk, info []byte) {
	var k Key
	k.Set(kernel, prk)
	k.Expand(out, info)
	k.Wipe()
}

// A digest is a message on its way into a state.
type digest struct {
	s      state
	kernel Kernel
	n      int    // bytes in buf
	length uint64 // of the message until now
	buf    [2 * BlockSize]byte
}

// start begins behind the inner padded key, begin with nothing before.
func (d *digest) start(k *Key) {
	d.s, d.kernel, d.n, d.length = k.inner, k.kernel, 0, 0
}

func (d *digest) begin(kernel Kernel) {
	d.s, d.kernel, d.n, d.length = initial(kernel), kernel, 0, 0
}

func (d *digest) write(p []byte) {
	d.length += uint64(len(p))
	if d.n > 0 {
		c := copy(d.buf[d.n:BlockSize], p)
		d.n += c
		p = p[c:]
		if d.n == BlockSize {
			blocks(d.kernel, &d.s, d.buf[:BlockSize])
			d.n = 0
		}
	}
	for len(p) >= BlockSize {
		// Assembly cannot be preempted: a long message goes in pieces.
		whole := min(len(p)&^(BlockSize-1), 64<<10)
		blocks(d.kernel, &d.s, p[:whole])
		p = p[whole:]
	}
	d.n += copy(d.buf[d.n:], p)
}

func (d *digest) writeByte(c byte) {
	d.buf[d.n] = c
	d.n++
	d.length++
	if d.n == BlockSize {
		blocks(d.kernel, &d.s, d.buf[:BlockSize])
		d.n = 0
	}
}

// end pads the message, to which skipped bytes before start are counted.
func (d *digest) end(skipped uint64) {
	d.buf[d.n] = 0x80
	end := BlockSize
	if d.n >= BlockSize-8 {
		end = 2 * BlockSize
	}
	clear(d.buf[d.n+1 : end-8])
	binary.BigEndian.PutUint64(d.buf[end-8:end], (d.length+skipped)*8)
	blocks(d.kernel, &d.s, d.buf[:end])
}

// sum ends the message and writes its digest to out, Size bytes.
func (d *digest) sum(out []byte, skipped uint64) {
	d.end(skipped)
	store(d.kernel, (*[Size]byte)(out), &d.s)
}

// tag ends the inner message of k and writes as much of the tag to out as fits.
func (d *digest) tag(k *Key, out []byte) {
	if len(out) > Size {
		panic("sha256: tag of more than 32 bytes")
	}
	d.end(BlockSize)
	if len(out) == Size {
		finish(k, &d.s, (*[Size]byte)(out))
		return
	}
	var t [Size]byte
	finish(k, &d.s, &t)
	move(out, t[:])
	clear(t[:])
}

// move is copy by way of no vector register, where copy would leave secrets.
func move(out, from []byte) int {
	n := min(len(out), len(from))
	for i := range n {
		out[i] = from[i]
	}
	return n
}

func (d *digest) wipe() { *d = digest{} }
