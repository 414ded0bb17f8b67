//go:build !cgo || !unix || nopkcs11

package pkcs11

import "fmt"

// Built reports whether this build can open tokens.
const Built = false

func loadLibrary(string) (library, error) {
	return nil, fmt.Errorf("%w: %s", ErrNotBuilt, notBuilt)
}
