package main

import "encoding/binary"

// transcript is a case of transcript-hashes.json.
type transcript struct {
	CipherSuite          uint16   `json:"cipher_suite"`
	ConfirmationKey      hexBytes `json:"confirmation_key"`
	AuthenticatedContent hexBytes `json:"authenticated_content"`
	InterimBefore        hexBytes `json:"interim_transcript_hash_before"`
	ConfirmedAfter       hexBytes `json:"confirmed_transcript_hash_after"`
	InterimAfter         hexBytes `json:"interim_transcript_hash_after"`
}

func transcriptCases(s suite) (cases []transcript) {
	for i, before := range []int{s.nh, 0} { // 0: the first commit of a group
		c := transcript{
			CipherSuite:     s.id,
			ConfirmationKey: input(s.nh, "transcript %d %d key", s.id, i),
			InterimBefore:   input(before, "transcript %d %d interim", s.id, i),
		}
		hashed := opaque(commitContent(s, i), input(64, "transcript %d %d signature", s.id, i))
		c.compute(s, hashed)
		c.AuthenticatedContent = opaque(hashed, s.mac(c.ConfirmationKey, c.ConfirmedAfter))
		cases = append(cases, c)
	}
	return cases
}

// commitContent is wire_format and FramedContent (RFC 9420 §6) of a Commit
// (§12.4) of member 5 in epoch i, which refers to one proposal and has no path.
func commitContent(s suite, i int) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(1+i)) // mls_public_message, mls_private_message
	b = opaque(b, input(16, "transcript %d %d group", s.id, i))
	b = binary.BigEndian.AppendUint64(b, uint64(i))
	b = append(b, 1, 0, 0, 0, 5) // sender: member, leaf index
	b = opaque(b, input(3, "transcript %d %d authenticated data", s.id, i))
	b = append(b, 3) // content_type: commit
	proposals := opaque([]byte{2}, input(s.nh, "transcript %d %d proposal", s.id, i))
	b = opaque(b, proposals)
	return append(b, 0) // no path
}

// compute is RFC 9420 §8.2; hashed is ConfirmedTranscriptHashInput.
func (c *transcript) compute(s suite, hashed []byte) {
	c.ConfirmedAfter = s.sum(append(append([]byte(nil), c.InterimBefore...), hashed...))
	tag := opaque(nil, s.mac(c.ConfirmationKey, c.ConfirmedAfter))
	c.InterimAfter = s.sum(append(append([]byte(nil), c.ConfirmedAfter...), tag...))
}
