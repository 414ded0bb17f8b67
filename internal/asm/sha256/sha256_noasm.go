//go:build purego || !(amd64 || arm64)

package sha256

import "github.com/hardmls/hardmls/internal/asm/cpu"

// best is the kernel of this build, and needs what it takes.
const (
	best               = Generic
	needs cpu.Features = 0
)

func initial(Kernel) state { return iv }

func blocks(_ Kernel, s *state, p []byte) { blocksGeneric(s, p) }

func store(_ Kernel, out *[Size]byte, s *state) { storeGeneric(out, s) }

func prepare(kernel Kernel, k *Key, b *block) { prepareGeneric(kernel, k, b) }

func finish(k *Key, inner *state, out *[Size]byte) { finishGeneric(k, inner, out) }

func pair(k *Key, s *SenderData, key []byte, nonce *[nonceSize]byte, sample *[Size]byte) {
	pairGeneric(k, s.with(sample), key, nonce)
}

func step(r *Ratchet, key []byte, nonce *[nonceSize]byte, secret *[Size]byte, generation uint32) {
	stepGeneric(r.kernel, key, nonce, secret, r.with(generation))
}

func next(r *Ratchet, secret *[Size]byte, generation uint32) {
	nextGeneric(r.kernel, secret, r.with(generation))
}
