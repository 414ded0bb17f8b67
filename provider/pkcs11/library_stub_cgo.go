//go:build (!cgo || !unix) && !nopkcs11

package pkcs11

const notBuilt = "this program was built without cgo (CGO_ENABLED=0 or no C compiler), or not for Unix"
