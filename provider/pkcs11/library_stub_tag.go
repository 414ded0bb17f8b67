//go:build nopkcs11

package pkcs11

const notBuilt = "this program was built with the tag nopkcs11"
