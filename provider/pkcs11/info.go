package pkcs11

import (
	"fmt"
	"strings"
)

// ModuleInfo is what a module says about itself.
type ModuleInfo struct {
	Cryptoki     string // "2.40"
	Manufacturer string
	Description  string
	Version      string
}

// TokenInfo is what a token says about itself.
type TokenInfo struct {
	Slot         uint
	Label        string
	Manufacturer string
	Model        string
	Serial       string
	Flags        TokenFlags
	MaxSessions  uint // read/write; 0: no limit, or it does not say
}

// TokenFlags are the flags of CK_TOKEN_INFO.
type TokenFlags uint

// LoginRequired reports whether private objects need a login.
func (f TokenFlags) LoginRequired() bool { return f&ckfLoginReq != 0 }

// PINInitialized reports whether the user has a PIN.
func (f TokenFlags) PINInitialized() bool { return f&ckfPINInit != 0 }

// ProtectedPath reports whether the token asks for the PIN itself.
func (f TokenFlags) ProtectedPath() bool { return f&ckfProtectedPth != 0 }

// PINCountLow reports whether a wrong PIN was tried since the last login.
func (f TokenFlags) PINCountLow() bool { return f&ckfPINCountLow != 0 }

// PINFinalTry reports whether the next wrong PIN locks it.
func (f TokenFlags) PINFinalTry() bool { return f&ckfPINFinalTry != 0 }

// PINLocked reports whether the PIN is locked.
func (f TokenFlags) PINLocked() bool { return f&ckfPINLocked != 0 }

// HasRNG reports whether the token makes random numbers.
func (f TokenFlags) HasRNG() bool { return f&ckfRNG != 0 }

// WriteProtected reports whether no object can be made.
func (f TokenFlags) WriteProtected() bool { return f&ckfWriteProtect != 0 }

// String describes the token in a line.
func (i TokenInfo) String() string {
	return fmt.Sprintf("%q (slot %d, serial %s, %s)", i.Label, i.Slot, orNone(i.Serial), strings.TrimSpace(i.Manufacturer+" "+i.Model))
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// A Mechanism is one that a token lists.
type Mechanism struct {
	Type                   uint // CKM_ number
	MinKeySize, MaxKeySize uint
	Flags                  uint
}

// String returns the mechanism's name where this package uses it.
func (m Mechanism) String() string {
	switch m.Type {
	case ckmECKeyPairGen:
		return "CKM_EC_KEY_PAIR_GEN"
	case ckmECDSA:
		return "CKM_ECDSA"
	case ckmECDH1Derive:
		return "CKM_ECDH1_DERIVE"
	case ckmECEdwardsKeyPairGen:
		return "CKM_EC_EDWARDS_KEY_PAIR_GEN"
	case ckmECMontgomeryKeyPairGen:
		return "CKM_EC_MONTGOMERY_KEY_PAIR_GEN"
	case ckmEdDSA:
		return "CKM_EDDSA"
	}
	return fmt.Sprintf("CKM 0x%x", m.Type)
}
