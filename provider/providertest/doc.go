// Package providertest is for whoever writes a backend, and for tests of what
// stands on one.
//
// Conformance suites hold an implementation to the contract of package
// provider: TestSuite and TestKeys for cryptography, TestSigner for signature
// keys, TestStorage for stores. A backend calls them from a test of its own.
//
// Fakes misbehave on purpose: readers that fail or repeat themselves (FaultRand,
// StuckRand), signers that fail or wait (FaultSigner, BlockingSigner), a store
// that fails at a chosen call before or after it applied the batch
// (FaultStorage).
//
// ToyCrypto is a backend without any security, many times faster than a real
// one and repeatable from a seed, for simulations of whole groups.
//
// Nothing here belongs into a program that serves users.
package providertest
