//go:build !purego

package sha256

import "github.com/hardmls/hardmls/internal/asm/cpu"

// best is the kernel of this build, and needs what it takes.
const (
	best  = SHA2
	needs = cpu.SHA2
)

// A step is four pairs of compressions, a pair two tags.

//go:noescape
func stepSHA2(key *byte, long uint64, nonce *byte, secret *[Size]byte, b *[3]block)

//go:noescape
func nextSHA2(secret *[Size]byte, b *block)

//go:noescape
func keySHA2(k *Key, b *block)

//go:noescape
func pairSHA2(k *Key, b *[2]block, key *byte, long uint64, nonce *byte)

//go:noescape
func blocksSHA2(s *state, p *byte, n uint64)

//go:noescape
func outerSHA2(k *Key, s *state, out *[Size]byte)

func initial(Kernel) state { return iv }

func blocks(kernel Kernel, s *state, p []byte) {
	switch kernel {
	case SHA2:
		if len(p) >= BlockSize {
			raceRead(p)
			blocksSHA2(s, &p[0], uint64(len(p)/BlockSize))
		}
	default:
		blocksGeneric(s, p)
	}
}

func store(_ Kernel, out *[Size]byte, s *state) { storeGeneric(out, s) }

func prepare(kernel Kernel, k *Key, b *block) {
	switch kernel {
	case SHA2:
		keySHA2(k, b)
	default:
		prepareGeneric(kernel, k, b)
	}
}

func finish(k *Key, inner *state, out *[Size]byte) {
	switch k.kernel {
	case SHA2:
		raceWrite(out[:])
		outerSHA2(k, inner, out)
	default:
		finishGeneric(k, inner, out)
	}
}

func pair(k *Key, s *SenderData, key []byte, nonce *[nonceSize]byte, sample *[Size]byte) {
	b := s.with(sample)
	switch k.kernel {
	case SHA2:
		raceRead(sample[:])
		raceWrite(key)
		raceWrite(nonce[:])
		pairSHA2(k, &b, &key[0], uint64(len(key)-16), &nonce[0])
	default:
		pairGeneric(k, b, key, nonce)
	}
}

func step(r *Ratchet, key []byte, nonce *[nonceSize]byte, secret *[Size]byte, generation uint32) {
	b := r.with(generation)
	switch r.kernel {
	case SHA2:
		raceWrite(key)
		raceWrite(nonce[:])
		raceWrite(secret[:])
		stepSHA2(&key[0], uint64(len(key)-16), &nonce[0], secret, &b)
	default:
		stepGeneric(r.kernel, key, nonce, secret, b)
	}
}

func next(r *Ratchet, secret *[Size]byte, generation uint32) {
	b := r.with(generation)
	switch r.kernel {
	case SHA2:
		raceWrite(secret[:])
		nextSHA2(secret, &b[2])
	default:
		nextGeneric(r.kernel, secret, b)
	}
}
