package pkcs11

// A library is a loaded Cryptoki module: the part of PKCS#11 v2.40 that this
// package uses. Its errors are an rv, as the module returned it. It holds no
// state of ours and makes no choice; all rules stand above it. Byte slices
// given to a call stay with the call until it returns, however long that takes.
type library interface {
	initialize(reserved string) error
	finalize() error
	info() (ModuleInfo, error)
	slots() ([]uint, error) // with a token present
	tokenInfo(slot uint) (TokenInfo, error)
	mechanisms(slot uint) ([]Mechanism, error)

	openSession(slot uint) (sessionHandle, error) // read/write
	closeSession(s sessionHandle) error
	sessionState(s sessionHandle) (uint, error)
	login(s sessionHandle, user uint, pin []byte) error

	find(s sessionHandle, template []attribute, limit int) ([]objectHandle, error)
	// read returns one attribute, nil where the object has none.
	read(s sessionHandle, o objectHandle, attr uint) ([]byte, error)
	create(s sessionHandle, template []attribute) (objectHandle, error)
	destroy(s sessionHandle, o objectHandle) error
	generatePair(s sessionHandle, mechanism uint, public, private []attribute) (pub, priv objectHandle, err error)

	// sign fills sig, whose length is exactly that of a signature. pin, if
	// not nil, is for a login between C_SignInit and C_Sign.
	sign(s sessionHandle, mechanism uint, key objectHandle, data, sig, pin []byte) error
	// derive fills out with the x-coordinate of an ECDH agreement.
	derive(s sessionHandle, key objectHandle, peer, out []byte) error
	random(s sessionHandle, out []byte) error
}

type (
	sessionHandle uint
	objectHandle  uint
)

// An attribute is one row of a template: a bool, uint, string or []byte.
type attribute struct {
	typ   uint
	value any
}

// Constants of PKCS#11 v2.40 and v3.0, by their names there.
const (
	ckuUser            = 1
	ckuContextSpecific = 2

	cksROUser = 1
	cksRWUser = 3

	ckoPublicKey  = 2
	ckoPrivateKey = 3
	ckoSecretKey  = 4

	ckkEC           = 3
	ckkGeneric      = 0x10
	ckkECEdwards    = 0x40
	ckkECMontgomery = 0x41

	ckaClass        = 0x000
	ckaToken        = 0x001
	ckaPrivate      = 0x002
	ckaLabel        = 0x003
	ckaValue        = 0x011
	ckaKeyType      = 0x100
	ckaID           = 0x102
	ckaSensitive    = 0x103
	ckaSign         = 0x108
	ckaVerify       = 0x10A
	ckaDerive       = 0x10C
	ckaPublicInfo   = 0x129
	ckaValueLen     = 0x161
	ckaExtractable  = 0x162
	ckaECParams     = 0x180
	ckaECPoint      = 0x181
	ckaAlwaysAuth   = 0x202
	ckaNSSDB        = 0xD5A0DB00
	ckfHWSlot       = 0x1
	ckfGenerateKP   = 0x10000
	ckfSignMech     = 0x800
	ckfDeriveMech   = 0x80000
	ckfRNG          = 0x1
	ckfWriteProtect = 0x2
	ckfLoginReq     = 0x4
	ckfPINInit      = 0x8
	ckfProtectedPth = 0x100
	ckfPINCountLow  = 0x10000
	ckfPINFinalTry  = 0x20000
	ckfPINLocked    = 0x40000

	ckmECKeyPairGen           = 0x1040
	ckmECDSA                  = 0x1041
	ckmECDH1Derive            = 0x1050
	ckmECEdwardsKeyPairGen    = 0x1055
	ckmECMontgomeryKeyPairGen = 0x1056
	ckmEdDSA                  = 0x1057
)
