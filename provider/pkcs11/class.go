package pkcs11

import (
	"context"
	"errors"
)

// A class is what a failure asks for.
type class uint8

const (
	classCaller  class = iota // nothing: the same call will fail again
	classSession              // another session
	classLogin                // a login, and the keys found again
	classDevice               // the same, then a new initialisation of the module
	classVague                // could be anything: the ladder from its foot
	classBusy                 // patience
	classHang                 // the call was left behind: another session
	classPIN                  // nothing, ever: not one more try
	classUnknown              // as vague, but not for long
)

// classes has one row per return value that says what to do. Handles of keys
// become invalid by a logout on one token and by a removal on another, so they
// ask for a login and a new search. So does a session that vanished: somebody
// may have initialised the module again, and handles mean other keys since.
// NSS calls it CKR_HOST_MEMORY when it cannot read a key without a login.
var classes = map[rv]class{
	ckrOperationActive: classSession, ckrOperationNotInit: classSession, ckrFunctionCanceled: classSession,

	ckrSessionClosed: classLogin, ckrSessionHandleInvalid: classLogin,
	ckrUserNotLoggedIn: classLogin, ckrKeyHandleInvalid: classLogin, ckrObjectHandleInvalid: classLogin,

	ckrGeneralError: classVague, ckrFunctionFailed: classVague, ckrHostMemory: classVague,

	ckrDeviceError: classDevice, ckrDeviceRemoved: classDevice, ckrTokenNotPresent: classDevice, ckrTokenNotRecognized: classDevice,
	ckrNotInitialized: classDevice, ckrSlotIDInvalid: classDevice,

	ckrSessionCount: classBusy, ckrFunctionRejected: classBusy, ckrDeviceMemory: classBusy,

	ckrPINIncorrect: classPIN, ckrPINInvalid: classPIN, ckrPINLenRange: classPIN, ckrPINExpired: classPIN,
	ckrPINLocked: classPIN, ckrUserPINNotInit: classPIN,

	ckrArgumentsBad: classCaller, ckrAttributeReadOnly: classCaller, ckrAttributeSensitive: classCaller,
	ckrAttributeTypeInvalid: classCaller, ckrAttributeValueInval: classCaller, ckrDataInvalid: classCaller,
	ckrDataLenRange: classCaller, ckrFunctionNotSupported: classCaller, ckrKeySizeRange: classCaller,
	ckrKeyTypeInconsistent: classCaller, ckrKeyNotPermitted: classCaller, ckrMechanismInvalid: classCaller,
	ckrMechanismParam: classCaller, ckrSessionReadOnly: classCaller, ckrTemplateIncomplete: classCaller,
	ckrTemplateInconsistent: classCaller, ckrTokenWriteProtected: classCaller, ckrUserTypeInvalid: classCaller,
	ckrAnotherLoggedIn: classCaller, ckrRandomNoRNG: classCaller, ckrCurveNotSupported: classCaller,
	ckrDomainParams: classCaller, ckrCantLock: classCaller, ckrBufferTooSmall: classCaller,
}

// classify says what err asks for.
func classify(err error) class {
	var code rv
	switch {
	case errors.Is(err, ErrPIN):
		return classPIN
	case errors.Is(err, errHang):
		return classHang
	case errors.Is(err, errStale), errors.Is(err, errKeyMoved):
		return classLogin
	case errors.Is(err, ErrUnavailable), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return classCaller
	case errors.As(err, &code):
		if c, ok := classes[code]; ok {
			return c
		}
		return classUnknown
	}
	return classCaller
}

var (
	// errHang is a call that did not return within CallTimeout.
	errHang = errors.New("the call did not return")
	// errStale is a session of an earlier initialisation of the module,
	// whose handles mean nothing, or something else, by now.
	errStale = errors.New("the session is older than the module's initialisation")
	// errKeyMoved is a key that was not found, or signed wrongly, where it
	// was found before: the login may be lost.
	errKeyMoved = errors.New("the key is not where it was")
)
