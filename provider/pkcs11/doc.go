// Package pkcs11 keeps signature keys, and init and leaf keys, in a PKCS#11
// token: an HSM, a TPM, or a software token. It is for servers whose private
// keys must not be in memory that can be read or copied.
//
//	token, err := pkcs11.Open(ctx, pkcs11.Config{
//		Module:     "/usr/lib/softhsm/libsofthsm2.so",
//		TokenLabel: "mls",
//		PIN:        pkcs11.PINFile("/run/credentials/hsm-pin"),
//	})
//	signer, err := token.Signer(ctx, pkcs11.Query{Label: "alice"})
//
// The [Signer] is a provider.Signer and signs for groups of any number at once.
// [Token.Keys] is a provider.Keys, which makes init and leaf keys in the token;
// what is done there is the Diffie-Hellman step of HPKE alone.
//
// # What happens on a bad day
//
// A call that fails is repeated until [Config.RecoverTimeout] ends, and each
// time a stronger remedy is tried first: another session; a new login and a new
// search for the key, whose public half is compared with what it was; a new
// initialisation of the module. The first signature after each login is
// verified in software before anybody sees it. So a lost session, a restarted
// daemon or a token that was pulled and put back costs time but no error, and
// handles that come to mean another key cost no wrong signature.
//
// A call that does not return cannot be cancelled. It is left behind with its
// session and its thread when the context or [Config.CallTimeout] ends. When
// [Config.MaxAbandoned] calls hang, further calls fail at once until one of
// them returns.
//
// A PIN that the token refuses is never tried again by the [Token]. A token
// that says that the PIN is locked, or that the next wrong one locks it, is
// left alone.
//
// # Limits
//
// A crash inside a module ends the process: run modules that are not trusted
// behind p11-kit's server. Nobody else in the process should finalise the
// module: C_Finalize by others is survived, but a signature that is being made
// at that moment with a reused handle is noticed only with [Config.VerifyAll].
//
// # Builds
//
// The package needs cgo and a Unix system. Elsewhere, and with the build tag
// nopkcs11, it has the same API and every [Open] fails with [ErrNotBuilt].
package pkcs11
