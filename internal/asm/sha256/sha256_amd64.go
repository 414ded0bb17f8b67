//go:build !purego

package sha256

import "github.com/hardmls/hardmls/internal/asm/cpu"

// best is the kernel of this build, and needs what it takes.
const (
	best  = SHANI
	needs = cpu.SHA | cpu.SSE41
)

// The kernels keep a state as F, E, B, A, H, G, D, C.

//go:noescape
func stepSHANI(key *byte, long uint64, nonce *byte, secret *[Size]byte, b *[3]block, generation uint32)

//go:noescape
func nextSHANI(secret *[Size]byte, b *block, generation uint32)

//go:noescape
func keySHANI(k *Key, b *block)

//go:noescape
func pairSHANI(k *Key, b *[2]block, sample *[Size]byte, key *byte, long uint64, nonce *byte)

//go:noescape
func blocksSHANI(s *state, p *byte, n uint64)

//go:noescape
func outerSHANI(k *Key, s *state, out *[Size]byte)

func initial(kernel Kernel) state {
	switch kernel {
	case SHANI:
		return state{iv[5], iv[4], iv[1], iv[0], iv[7], iv[6], iv[3], iv[2]}
	}
	return iv
}

func blocks(kernel Kernel, s *state, p []byte) {
	switch kernel {
	case SHANI:
		if len(p) >= BlockSize {
			raceRead(p)
			blocksSHANI(s, &p[0], uint64(len(p)/BlockSize))
		}
	default:
		blocksGeneric(s, p)
	}
}

func store(kernel Kernel, out *[Size]byte, s *state) {
	switch kernel {
	case SHANI:
		t := state{s[3], s[2], s[7], s[6], s[1], s[0], s[5], s[4]}
		storeGeneric(out, &t)
		t = state{}
	default:
		storeGeneric(out, s)
	}
}

func prepare(kernel Kernel, k *Key, b *block) {
	switch kernel {
	case SHANI:
		keySHANI(k, b)
	default:
		prepareGeneric(kernel, k, b)
	}
}

func finish(k *Key, inner *state, out *[Size]byte) {
	switch k.kernel {
	case SHANI:
		raceWrite(out[:])
		outerSHANI(k, inner, out)
	default:
		finishGeneric(k, inner, out)
	}
}

func pair(k *Key, s *SenderData, key []byte, nonce *[nonceSize]byte, sample *[Size]byte) {
	switch k.kernel {
	case SHANI:
		raceRead(sample[:])
		raceWrite(key)
		raceWrite(nonce[:])
		pairSHANI(k, &s.blocks, sample, &key[0], uint64(len(key)-16), &nonce[0])
	default:
		pairGeneric(k, s.with(sample), key, nonce)
	}
}

func step(r *Ratchet, key []byte, nonce *[nonceSize]byte, secret *[Size]byte, generation uint32) {
	switch r.kernel {
	case SHANI:
		raceWrite(key)
		raceWrite(nonce[:])
		raceWrite(secret[:])
		stepSHANI(&key[0], uint64(len(key)-16), &nonce[0], secret, &r.blocks, generation)
	default:
		stepGeneric(r.kernel, key, nonce, secret, r.with(generation))
	}
}

func next(r *Ratchet, secret *[Size]byte, generation uint32) {
	switch r.kernel {
	case SHANI:
		raceWrite(secret[:])
		nextSHANI(secret, &r.blocks[2], generation)
	default:
		nextGeneric(r.kernel, secret, r.with(generation))
	}
}
