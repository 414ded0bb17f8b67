package main

import "encoding/binary"

// keySchedule is a case of key-schedule.json.
type keySchedule struct {
	CipherSuite       uint16   `json:"cipher_suite"`
	GroupID           hexBytes `json:"group_id"`
	InitialInitSecret hexBytes `json:"initial_init_secret"`
	Epochs            []*epoch `json:"epochs"`
}

type epoch struct {
	TreeHash                hexBytes `json:"tree_hash"`
	CommitSecret            hexBytes `json:"commit_secret"`
	PSKSecret               hexBytes `json:"psk_secret"`
	ConfirmedTranscriptHash hexBytes `json:"confirmed_transcript_hash"`

	GroupContext       hexBytes `json:"group_context"`
	JoinerSecret       hexBytes `json:"joiner_secret"`
	WelcomeSecret      hexBytes `json:"welcome_secret"`
	InitSecret         hexBytes `json:"init_secret"`
	SenderDataSecret   hexBytes `json:"sender_data_secret"`
	EncryptionSecret   hexBytes `json:"encryption_secret"`
	ExporterSecret     hexBytes `json:"exporter_secret"`
	EpochAuthenticator hexBytes `json:"epoch_authenticator"`
	ExternalSecret     hexBytes `json:"external_secret"`
	ConfirmationKey    hexBytes `json:"confirmation_key"`
	MembershipKey      hexBytes `json:"membership_key"`
	ResumptionPSK      hexBytes `json:"resumption_psk"`
	ExternalPub        hexBytes `json:"external_pub"`
	Exporter           exporter `json:"exporter"`
}

type exporter struct {
	Label   string   `json:"label"`
	Context hexBytes `json:"context"`
	Length  int      `json:"length"`
	Secret  hexBytes `json:"secret"`
}

// keyScheduleCases leaves the suites with X448 out: the format wants
// external_pub.
func keyScheduleCases(s suite) []keySchedule {
	if s.kem == nil {
		return nil
	}
	c := keySchedule{
		CipherSuite:       s.id,
		GroupID:           input(16, "key-schedule %d group", s.id),
		InitialInitSecret: input(s.nh, "key-schedule %d init", s.id),
	}
	for i := range 3 {
		e := &epoch{
			TreeHash:                input(s.nh, "key-schedule %d %d tree hash", s.id, i),
			CommitSecret:            input(s.nh, "key-schedule %d %d commit", s.id, i),
			PSKSecret:               input(s.nh, "key-schedule %d %d psk", s.id, i),
			ConfirmedTranscriptHash: input(s.nh, "key-schedule %d %d transcript", s.id, i),
			Exporter:                exporter{Label: "exporter of ours", Context: input(20*i, "key-schedule %d %d exporter", s.id, i), Length: 16 << i},
		}
		if i == 1 { // a commit without path and without PSK
			e.CommitSecret, e.PSKSecret = make(hexBytes, s.nh), make(hexBytes, s.nh)
		}
		c.Epochs = append(c.Epochs, e)
	}
	c.compute(s)
	return []keySchedule{c}
}

// compute is RFC 9420 §8, the figure from the top to the bottom.
func (c *keySchedule) compute(s suite) {
	init := c.InitialInitSecret
	for i, e := range c.Epochs {
		e.GroupContext = groupContext(s.id, c.GroupID, uint64(i), e.TreeHash, e.ConfirmedTranscriptHash)
		e.JoinerSecret = s.expandWithLabel(s.extract(init, e.CommitSecret), "joiner", e.GroupContext, s.nh)
		member := s.extract(e.JoinerSecret, e.PSKSecret)
		e.WelcomeSecret = s.deriveSecret(member, "welcome")
		epoch := s.expandWithLabel(member, "epoch", e.GroupContext, s.nh)
		e.SenderDataSecret = s.deriveSecret(epoch, "sender data")
		e.EncryptionSecret = s.deriveSecret(epoch, "encryption")
		e.ExporterSecret = s.deriveSecret(epoch, "exporter")
		e.ExternalSecret = s.deriveSecret(epoch, "external")
		e.ConfirmationKey = s.deriveSecret(epoch, "confirm")
		e.MembershipKey = s.deriveSecret(epoch, "membership")
		e.ResumptionPSK = s.deriveSecret(epoch, "resumption")
		e.EpochAuthenticator = s.deriveSecret(epoch, "authentication")
		e.InitSecret = s.deriveSecret(epoch, "init")
		key, err := s.kem.DeriveKeyPair(e.ExternalSecret)
		if err != nil {
			panic(err) // ikm has the KEM's length
		}
		e.ExternalPub = key.PublicKey().Bytes()
		e.Exporter.Secret = s.expandWithLabel(s.deriveSecret(e.ExporterSecret, e.Exporter.Label), "exported", s.sum(e.Exporter.Context), e.Exporter.Length)
		init = e.InitSecret
	}
}

// groupContext is GroupContext of RFC 9420 §8.1 without extensions.
func groupContext(suite uint16, group []byte, epoch uint64, treeHash, transcriptHash []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, 1) // mls10
	b = binary.BigEndian.AppendUint16(b, suite)
	b = opaque(b, group)
	b = binary.BigEndian.AppendUint64(b, epoch)
	b = opaque(b, treeHash)
	b = opaque(b, transcriptHash)
	return opaque(b, nil)
}

// pskSecret is a case of psk_secret.json.
type pskSecret struct {
	CipherSuite uint16   `json:"cipher_suite"`
	PSKs        []psk    `json:"psks"`
	Secret      hexBytes `json:"psk_secret"`
}

type psk struct {
	ID    hexBytes `json:"psk_id"`
	PSK   hexBytes `json:"psk"`
	Nonce hexBytes `json:"psk_nonce"`
}

func pskCases(s suite) (cases []pskSecret) {
	for n := range 4 {
		c := pskSecret{CipherSuite: s.id, PSKs: []psk{}}
		for i := range n {
			c.PSKs = append(c.PSKs, psk{
				ID:    input(8, "psk %d %d %d id", s.id, n, i),
				PSK:   input(1+40*i, "psk %d %d %d value", s.id, n, i), // any length is allowed
				Nonce: input(s.nh, "psk %d %d %d nonce", s.id, n, i),
			})
		}
		c.compute(s)
		cases = append(cases, c)
	}
	return cases
}

// compute is RFC 9420 §8.4, for external PSKs.
func (c *pskSecret) compute(s suite) {
	zero := make([]byte, s.nh)
	c.Secret = zero
	for i, p := range c.PSKs {
		label := opaque([]byte{1}, p.ID) // psktype external
		label = opaque(label, p.Nonce)
		label = binary.BigEndian.AppendUint16(label, uint16(i))
		label = binary.BigEndian.AppendUint16(label, uint16(len(c.PSKs)))
		in := s.expandWithLabel(s.extract(zero, p.PSK), "derived psk", label, s.nh)
		c.Secret = s.extract(in, c.Secret)
	}
}
