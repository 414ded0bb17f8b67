//go:build !race

package pkcs11_test

const raceEnabled = false
