package inspect

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
)

// Encodings are the forms in which input is accepted.
var Encodings = []string{"raw", "hex", "base64"}

// Decode returns the bytes that text stands for, in the given encoding or, if it is
// "", in the one that it is in: hexadecimal and base64 where every character and
// the length fit, otherwise the bytes themselves. White space and a prefix 0x do not
// count. A structure that is made of such characters alone is practically none.
func Decode(text []byte, encoding string) (data []byte, found string, err error) {
	bare := bytes.TrimPrefix(bytes.Join(bytes.Fields(text), nil), []byte("0x"))
	switch encoding {
	case "raw":
		return text, encoding, nil
	case "hex":
		data, err = fromHex(bare)
		return data, encoding, err
	case "base64":
		data, err = fromBase64(bare)
		return data, encoding, err
	case "":
	default:
		return nil, "", fmt.Errorf("unknown encoding %q", encoding)
	}
	if len(bare) > 0 {
		// Digits of an odd number are damaged text, not bytes.
		if data, err = fromHex(bare); err == nil || errors.Is(err, hex.ErrLength) {
			return data, "hex", err
		}
		if data, err = fromBase64(bare); err == nil {
			return data, "base64", nil
		}
	}
	return text, "raw", nil
}

func fromHex(text []byte) ([]byte, error) {
	data := make([]byte, hex.DecodedLen(len(text)))
	_, err := hex.Decode(data, text)
	return data, err
}

// fromBase64 decodes either alphabet, padded or not.
func fromBase64(text []byte) ([]byte, error) {
	encoding := base64.RawStdEncoding
	if bytes.ContainsAny(text, "-_") {
		encoding = base64.RawURLEncoding
	}
	text = bytes.TrimRight(text, "=")
	data := make([]byte, encoding.DecodedLen(len(text)))
	n, err := encoding.Strict().Decode(data, text)
	return data[:n], err
}
