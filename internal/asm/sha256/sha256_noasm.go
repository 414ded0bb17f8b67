//go:build !amd64 || purego

package sha256

const hasSHANI = false

func initial(Kernel) state { return iv }

func blocks(_ Kernel, s *state, p []byte) { blocksGeneric(s, p) }

func store(_ Kernel, out *[Size]byte, s *state) { storeGeneric(out, s) }

func prepare(_ Kernel, k *Key, b *block) { prepareGeneric(k, b) }

func finish(k *Key, inner *state, out *[Size]byte) { finishGeneric(k, inner, out) }

func pair(k *Key, b *[2]block, key []byte, nonce *[nonceSize]byte) { pairGeneric(k, b, key, nonce) }

func step(_ Kernel, key []byte, nonce *[nonceSize]byte, secret *[Size]byte, b *[3]block) {
	stepGeneric(key, nonce, secret, b)
}

func next(_ Kernel, secret *[Size]byte, b *block) { nextGeneric(secret, b) }
