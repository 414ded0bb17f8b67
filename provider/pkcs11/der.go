package pkcs11

// appendDER appends an ECDSA signature r‖s in the DER form of RFC 9420 §5.1.2:
// SEQUENCE { r INTEGER, s INTEGER }. It returns nil for a number that is zero,
// which no signature has.
func appendDER(dst, rs []byte) []byte {
	r, s := magnitude(rs[:len(rs)/2]), magnitude(rs[len(rs)/2:])
	if len(r) == 0 || len(s) == 0 {
		return nil
	}
	n := derInteger(r) + derInteger(s)
	dst = append(dst, 0x30)
	if n > 127 {
		dst = append(dst, 0x81)
	}
	dst = append(dst, byte(n))
	for _, x := range [][]byte{r, s} {
		pad := int(x[0] >> 7) // a first bit would be a sign
		dst = append(dst, 0x02, byte(len(x)+pad))
		dst = append(dst, make([]byte, pad)...)
		dst = append(dst, x...)
	}
	return dst
}

// magnitude is x without leading zeros.
func magnitude(x []byte) []byte {
	for len(x) > 0 && x[0] == 0 {
		x = x[1:]
	}
	return x
}

// derInteger returns the length of x as an INTEGER.
func derInteger(x []byte) int { return 2 + len(x) + int(x[0]>>7) }
