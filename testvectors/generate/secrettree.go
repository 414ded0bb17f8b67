package main

// secretTree is a case of secret-tree.json.
type secretTree struct {
	CipherSuite      uint16     `json:"cipher_suite"`
	SenderData       senderData `json:"sender_data"`
	EncryptionSecret hexBytes   `json:"encryption_secret"`
	Leaves           [][]keys   `json:"leaves"`
}

type senderData struct {
	Secret     hexBytes `json:"sender_data_secret"`
	Ciphertext hexBytes `json:"ciphertext"`
	Key        hexBytes `json:"key"`
	Nonce      hexBytes `json:"nonce"`
}

// keys are what a leaf's two ratchets give for one generation.
type keys struct {
	Generation       uint32   `json:"generation"`
	HandshakeKey     hexBytes `json:"handshake_key"`
	HandshakeNonce   hexBytes `json:"handshake_nonce"`
	ApplicationKey   hexBytes `json:"application_key"`
	ApplicationNonce hexBytes `json:"application_nonce"`
}

func secretTreeCases(s suite) (cases []secretTree) {
	for _, shape := range []struct {
		leaves     int
		ciphertext int // below, at and above the sample of Nh bytes
	}{{1, s.nh - 1}, {2, s.nh}, {8, s.nh + 50}} {
		c := secretTree{
			CipherSuite:      s.id,
			EncryptionSecret: input(s.nh, "secret-tree %d %d encryption", s.id, shape.leaves),
			SenderData: senderData{
				Secret:     input(s.nh, "secret-tree %d %d sender data", s.id, shape.leaves),
				Ciphertext: input(shape.ciphertext, "secret-tree %d %d ciphertext", s.id, shape.leaves),
			},
		}
		for range shape.leaves {
			c.Leaves = append(c.Leaves, []keys{{Generation: 0}, {Generation: 1}, {Generation: 6}})
		}
		c.compute(s)
		cases = append(cases, c)
	}
	return cases
}

// compute is RFC 9420 §6.3.2 and §9.
func (c *secretTree) compute(s suite) {
	sample := c.SenderData.Ciphertext
	if len(sample) > s.nh {
		sample = sample[:s.nh]
	}
	c.SenderData.Key = s.expandWithLabel(c.SenderData.Secret, "key", sample, s.nk)
	c.SenderData.Nonce = s.expandWithLabel(c.SenderData.Secret, "nonce", sample, nn)
	c.subtree(s, c.EncryptionSecret, 0, len(c.Leaves))
}

// subtree goes down from the node above the leaves first up to end.
func (c *secretTree) subtree(s suite, secret []byte, first, end int) {
	if end-first > 1 {
		middle := (first + end) / 2
		c.subtree(s, s.expandWithLabel(secret, "tree", []byte("left"), s.nh), first, middle)
		c.subtree(s, s.expandWithLabel(secret, "tree", []byte("right"), s.nh), middle, end)
		return
	}
	for i := range c.Leaves[first] {
		k := &c.Leaves[first][i]
		k.HandshakeKey, k.HandshakeNonce = s.ratchet(s.deriveSecret(secret, "handshake"), k.Generation)
		k.ApplicationKey, k.ApplicationNonce = s.ratchet(s.deriveSecret(secret, "application"), k.Generation)
	}
}

// ratchet returns the key and nonce of a generation, from the start.
func (s suite) ratchet(secret []byte, generation uint32) (key, nonce hexBytes) {
	for g := range generation {
		secret = s.deriveTreeSecret(secret, "secret", g, s.nh)
	}
	return s.deriveTreeSecret(secret, "key", generation, s.nk), s.deriveTreeSecret(secret, "nonce", generation, nn)
}
