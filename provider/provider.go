// Package provider is the contract between the MLS state machine and the
// backends that do its cryptography, keep its keys and store its state.
//
// It holds interfaces, the table of ciphersuites and typed errors, and no
// cryptography. Whoever embeds Hardmls picks a backend (provider/soft,
// provider/asm, or provider/auto to choose at run time); whoever writes a
// backend implements these interfaces and runs provider/providertest over it.
//
// Rules that hold for every interface here:
//   - A callee keeps no argument after it returns and never writes to one that
//     the comment does not name as output.
//   - The caller owns its buffers and wipes those that hold secrets.
//   - An output slice and an input slice must not overlap unless the comment
//     says that they may.
//   - Only calls that can do I/O (a token, a disk, a network) take a context.
//
// The interfaces grow by optional interfaces and by fields of Upgrades, never
// by methods, so a backend written today keeps compiling.
package provider

import "io"

// A Provider is what a group is created with: cryptography, custody of private
// keys and storage. It is safe for concurrent use by any number of groups.
type Provider interface {
	// Crypto returns the cryptographic backend, never nil.
	Crypto() Crypto
	// Keys returns the custody of init and leaf keys. Nil means
	// Crypto().SoftwareKeys().
	Keys() Keys
	// Storage returns the store of group state. Nil is allowed only for a
	// group that is never saved, such as an observer.
	Storage() Storage
}

// Crypto is a cryptographic backend. It is safe for concurrent use.
type Crypto interface {
	// CipherSuites lists the suites that Suite accepts, in order of
	// preference. The slice belongs to the caller.
	CipherSuites() []CipherSuite

	// Suite binds a ciphersuite: every implementation is chosen here, and a
	// known answer is run through each primitive, so that a bound Suite
	// never fails for want of an implementation. The error is an
	// *UnsupportedError. It is called once per group, not per message.
	Suite(id CipherSuite) (Suite, error)

	// Rand returns the one source of randomness of this backend, given to
	// its constructor. Reads may come from many goroutines at once.
	Rand() io.Reader

	// SoftwareKeys returns the custody used where a Provider names none:
	// private keys in memory, whose reference is the key itself.
	SoftwareKeys() Keys

	// Report says what was chosen for each primitive, and why.
	Report() Report
}

// A Bundle composes a Provider from parts, as in
//
//	provider.Bundle{Backend: asm, Custody: []provider.Keys{token}, Store: db}
//
// The first custody generates keys; every one may load and delete the
// references that it made.
type Bundle struct {
	Backend Crypto  // required
	Custody []Keys  // empty: Backend's software keys
	Store   Storage // nil: nothing is saved
}

var _ Provider = Bundle{}

// Crypto implements Provider.
func (b Bundle) Crypto() Crypto { return b.Backend }

// Storage implements Provider.
func (b Bundle) Storage() Storage { return b.Store }

// Keys implements Provider.
func (b Bundle) Keys() Keys {
	switch len(b.Custody) {
	case 0:
		return nil
	case 1:
		return b.Custody[0]
	}
	return keyChain(b.Custody)
}

// KeysOf returns p's custody of init and leaf keys: p.Keys(), or the software
// keys of its backend where it names none.
func KeysOf(p Provider) Keys {
	if k := p.Keys(); k != nil {
		return k
	}
	return p.Crypto().SoftwareKeys()
}
