package pkcs11

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
)

// A PINSource returns the user's PIN for a token. The slice is wiped after the
// login; an error of it ends the login without an attempt.
type PINSource func(ctx context.Context, token TokenInfo) ([]byte, error)

// PINFile reads the PIN from a file, such as one that a service manager
// provides. A line end behind it does not belong to it.
func PINFile(path string) PINSource {
	return func(context.Context, TokenInfo) ([]byte, error) {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		b = bytes.TrimSuffix(b, []byte("\n"))
		b = bytes.TrimSuffix(b, []byte("\r"))
		if len(b) == 0 {
			return nil, fmt.Errorf("%s is empty", path)
		}
		return b, nil
	}
}

// PINEnv reads the PIN from an environment variable. Other processes of the
// same user can read it there too; a file is better.
func PINEnv(name string) PINSource {
	return func(context.Context, TokenInfo) ([]byte, error) {
		v := os.Getenv(name)
		if v == "" {
			return nil, fmt.Errorf("the environment has no %s", name)
		}
		return []byte(v), nil
	}
}

// PINValue is a PIN that the program knows already, such as one that a user
// typed. It is kept in memory.
func PINValue(pin []byte) PINSource {
	kept := bytes.Clone(pin)
	return func(context.Context, TokenInfo) ([]byte, error) { return bytes.Clone(kept), nil }
}

var errNoPIN = errors.New("no source of the PIN is configured")
