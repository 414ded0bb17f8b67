package pkcs11

import "fmt"

// An rv is a CK_RV that is not CKR_OK.
type rv uint

// Error implements error.
func (r rv) Error() string {
	if name, ok := rvNames[r]; ok {
		return name
	}
	if r >= 0x80000000 {
		return fmt.Sprintf("CKR_VENDOR_DEFINED|0x%x", uint(r)&^0x80000000)
	}
	return fmt.Sprintf("CKR 0x%x", uint(r))
}

// The return values that this package tells apart or is likely to show.
const (
	ckrHostMemory           rv = 0x02
	ckrSlotIDInvalid        rv = 0x03
	ckrGeneralError         rv = 0x05
	ckrFunctionFailed       rv = 0x06
	ckrArgumentsBad         rv = 0x07
	ckrCantLock             rv = 0x0A
	ckrAttributeReadOnly    rv = 0x10
	ckrAttributeSensitive   rv = 0x11
	ckrAttributeTypeInvalid rv = 0x12
	ckrAttributeValueInval  rv = 0x13
	ckrDataInvalid          rv = 0x20
	ckrDataLenRange         rv = 0x21
	ckrDeviceError          rv = 0x30
	ckrDeviceMemory         rv = 0x31
	ckrDeviceRemoved        rv = 0x32
	ckrFunctionCanceled     rv = 0x50
	ckrFunctionNotSupported rv = 0x54
	ckrKeyHandleInvalid     rv = 0x60
	ckrKeySizeRange         rv = 0x62
	ckrKeyTypeInconsistent  rv = 0x63
	ckrKeyNotPermitted      rv = 0x68
	ckrMechanismInvalid     rv = 0x70
	ckrMechanismParam       rv = 0x71
	ckrObjectHandleInvalid  rv = 0x82
	ckrOperationActive      rv = 0x90
	ckrOperationNotInit     rv = 0x91
	ckrPINIncorrect         rv = 0xA0
	ckrPINInvalid           rv = 0xA1
	ckrPINLenRange          rv = 0xA2
	ckrPINExpired           rv = 0xA3
	ckrPINLocked            rv = 0xA4
	ckrSessionClosed        rv = 0xB0
	ckrSessionCount         rv = 0xB1
	ckrSessionHandleInvalid rv = 0xB3
	ckrSessionReadOnly      rv = 0xB5
	ckrTemplateIncomplete   rv = 0xD0
	ckrTemplateInconsistent rv = 0xD1
	ckrTokenNotPresent      rv = 0xE0
	ckrTokenNotRecognized   rv = 0xE1
	ckrTokenWriteProtected  rv = 0xE2
	ckrUserAlreadyLoggedIn  rv = 0x100
	ckrUserNotLoggedIn      rv = 0x101
	ckrUserPINNotInit       rv = 0x102
	ckrUserTypeInvalid      rv = 0x103
	ckrAnotherLoggedIn      rv = 0x104
	ckrRandomNoRNG          rv = 0x121
	ckrCurveNotSupported    rv = 0x140
	ckrDomainParams         rv = 0x130
	ckrBufferTooSmall       rv = 0x150
	ckrNotInitialized       rv = 0x190
	ckrAlreadyInitialized   rv = 0x191
	ckrFunctionRejected     rv = 0x200
)

var rvNames = map[rv]string{
	ckrHostMemory: "CKR_HOST_MEMORY", ckrSlotIDInvalid: "CKR_SLOT_ID_INVALID", ckrGeneralError: "CKR_GENERAL_ERROR",
	ckrFunctionFailed: "CKR_FUNCTION_FAILED", ckrArgumentsBad: "CKR_ARGUMENTS_BAD", ckrCantLock: "CKR_CANT_LOCK",
	ckrAttributeReadOnly: "CKR_ATTRIBUTE_READ_ONLY", ckrAttributeSensitive: "CKR_ATTRIBUTE_SENSITIVE",
	ckrAttributeTypeInvalid: "CKR_ATTRIBUTE_TYPE_INVALID", ckrAttributeValueInval: "CKR_ATTRIBUTE_VALUE_INVALID",
	ckrDataInvalid: "CKR_DATA_INVALID", ckrDataLenRange: "CKR_DATA_LEN_RANGE", ckrDeviceError: "CKR_DEVICE_ERROR",
	ckrDeviceMemory: "CKR_DEVICE_MEMORY", ckrDeviceRemoved: "CKR_DEVICE_REMOVED", ckrFunctionCanceled: "CKR_FUNCTION_CANCELED",
	ckrFunctionNotSupported: "CKR_FUNCTION_NOT_SUPPORTED", ckrKeyHandleInvalid: "CKR_KEY_HANDLE_INVALID",
	ckrKeySizeRange: "CKR_KEY_SIZE_RANGE", ckrKeyTypeInconsistent: "CKR_KEY_TYPE_INCONSISTENT",
	ckrKeyNotPermitted: "CKR_KEY_FUNCTION_NOT_PERMITTED", ckrMechanismInvalid: "CKR_MECHANISM_INVALID",
	ckrMechanismParam: "CKR_MECHANISM_PARAM_INVALID", ckrObjectHandleInvalid: "CKR_OBJECT_HANDLE_INVALID",
	ckrOperationActive: "CKR_OPERATION_ACTIVE", ckrOperationNotInit: "CKR_OPERATION_NOT_INITIALIZED",
	ckrPINIncorrect: "CKR_PIN_INCORRECT", ckrPINInvalid: "CKR_PIN_INVALID", ckrPINLenRange: "CKR_PIN_LEN_RANGE",
	ckrPINExpired: "CKR_PIN_EXPIRED", ckrPINLocked: "CKR_PIN_LOCKED", ckrSessionClosed: "CKR_SESSION_CLOSED",
	ckrSessionCount: "CKR_SESSION_COUNT", ckrSessionHandleInvalid: "CKR_SESSION_HANDLE_INVALID",
	ckrSessionReadOnly: "CKR_SESSION_READ_ONLY", ckrTemplateIncomplete: "CKR_TEMPLATE_INCOMPLETE",
	ckrTemplateInconsistent: "CKR_TEMPLATE_INCONSISTENT", ckrTokenNotPresent: "CKR_TOKEN_NOT_PRESENT",
	ckrTokenNotRecognized: "CKR_TOKEN_NOT_RECOGNIZED", ckrTokenWriteProtected: "CKR_TOKEN_WRITE_PROTECTED",
	ckrUserAlreadyLoggedIn: "CKR_USER_ALREADY_LOGGED_IN", ckrUserNotLoggedIn: "CKR_USER_NOT_LOGGED_IN",
	ckrUserPINNotInit: "CKR_USER_PIN_NOT_INITIALIZED", ckrUserTypeInvalid: "CKR_USER_TYPE_INVALID",
	ckrAnotherLoggedIn: "CKR_USER_ANOTHER_ALREADY_LOGGED_IN", ckrRandomNoRNG: "CKR_RANDOM_NO_RNG",
	ckrCurveNotSupported: "CKR_CURVE_NOT_SUPPORTED", ckrDomainParams: "CKR_DOMAIN_PARAMS_INVALID",
	ckrBufferTooSmall: "CKR_BUFFER_TOO_SMALL", ckrNotInitialized: "CKR_CRYPTOKI_NOT_INITIALIZED",
	ckrAlreadyInitialized: "CKR_CRYPTOKI_ALREADY_INITIALIZED", ckrFunctionRejected: "CKR_FUNCTION_REJECTED",
}
