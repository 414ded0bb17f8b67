// Package providertest is for whoever writes a backend, and for tests of what
// stands on one.
//
// Conformance suites hold an implementation to the contract of package
// provider: TestSuite and TestKeys for cryptography, TestSigner for signature
// keys, TestStorage for stores. A backend calls them from a test of its own:
//
//	func TestConformance(t *testing.T) {
//		providertest.TestStorage(t, func(t testing.TB) provider.Storage {
//			s, err := Open(t.TempDir())
//			if err != nil {
//				t.Fatal(err)
//			}
//			return s
//		})
//	}
//
// Each check is shown to notice at least one fault, in this package's tests.
//
// Fakes misbehave on purpose: readers that fail or repeat themselves (FaultRand,
// StuckRand), signers that fail or wait (FaultSigner, SlowSigner,
// BlockingSigner), a custody that fails (FaultKeys), a store that fails at a chosen call before or after it
// applied the batch (FaultStorage). Their calls are counted, so a test can let
// every one of them fail in turn:
//
//	for i := 0; ; i++ {
//		s := providertest.NewFaultStorage(mem.New())
//		s.FailAt(i)
//		err := operation(s)
//		if s.Calls() <= i {
//			break // there is no call i
//		}
//		// look at err and at what is left
//	}
//
// ToyCrypto is a backend without any security, many times faster than a real
// one and repeatable from a seed, for simulations of whole groups.
//
// Nothing here belongs into a program that serves users.
package providertest
