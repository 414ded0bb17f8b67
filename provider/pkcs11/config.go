package pkcs11

import (
	"fmt"
	"log/slog"
	"time"
)

// A Config says which token to open and how to treat it. The zero value of
// every field but Module (or a URI that names it) is useful.
type Config struct {
	// Module is the path of the shared object, or a name that the dynamic
	// linker finds.
	Module string
	// InitString is given to C_Initialize as LibraryParameters, which NSS's
	// softokn needs: "configDir='sql:/var/lib/db' certPrefix='' keyPrefix=''
	// secmod=secmod.db flags=".
	InitString string
	// URI is an RFC 7512 URI. It fills those of Module, TokenLabel,
	// TokenSerial, Slot and PIN that are not set, and Query fields of calls
	// with an empty Query.
	URI string

	// TokenLabel, TokenSerial and Slot choose the token; all that are set
	// must fit. With none of them the module must have exactly one token.
	TokenLabel  string
	TokenSerial string
	Slot        *uint

	// PIN gives the user's PIN each time a login is needed, so it should
	// answer again later. Nil is for tokens that need none, or have a way of
	// their own to ask for it.
	PIN PINSource
	// AllowURIPIN permits pin-value and pin-source in URI.
	AllowURIPIN bool
	// AllowFinalTry permits a login when the token, or the count of wrong
	// PINs in this process, says that one more wrong PIN may lock it.
	AllowFinalTry bool

	// MaxSessions bounds the sessions, and so the calls at one time. Default
	// 16. The token's own limit lowers it.
	MaxSessions int
	// CallTimeout is when a call into the module is given up. Default 10 s;
	// negative: never.
	CallTimeout time.Duration
	// RecoverTimeout is for how long a failing operation is repeated.
	// Default 30 s; negative: it is not.
	RecoverTimeout time.Duration
	// MaxAbandoned is how many calls may hang before further ones are
	// refused. Default 16.
	MaxAbandoned int
	// ReinitInterval is the least time between two initialisations of the
	// module; it doubles, up to 64 times, while they do not help. Default
	// 100 ms.
	ReinitInterval time.Duration
	// ReinitOverCalls permits a new initialisation of a lost module while
	// calls hang in it, after a second of waiting for them. PKCS#11 does not
	// say what happens to such calls, and a module may crash. p11-kit's client
	// needs it: when its server dies under several calls, some never return.
	ReinitOverCalls bool

	// VerifyAll verifies every signature in software. Without it the first
	// one by each key after each login is.
	VerifyAll bool
	// MaxMessage bounds what EdDSA sends to the token. Default 1 MiB;
	// negative: no limit.
	MaxMessage int

	// Observe is called after each thing worth counting, often from many
	// goroutines at once. It must be quick and must not call the Token.
	Observe func(Event)
	// Logger is told of recoveries and hangs, and never of a PIN, a message
	// or a key. Nil: nobody is.
	Logger *slog.Logger

	uri  URI                           // URI, parsed
	load func(string) (library, error) // nil: loadLibrary
}

func (c *Config) fill() error {
	if c.URI != "" {
		u, err := ParseURI(c.URI)
		if err != nil {
			return err
		}
		if err := c.fillFrom(u); err != nil {
			return err
		}
	}
	if c.Module == "" {
		return fmt.Errorf("%w: none was named (Config.Module, or module-path in the URI)", ErrModule)
	}
	fallback(&c.MaxSessions, 16)
	fallback(&c.CallTimeout, 10*time.Second)
	fallback(&c.RecoverTimeout, 30*time.Second)
	fallback(&c.MaxAbandoned, 16)
	fallback(&c.ReinitInterval, 100*time.Millisecond)
	fallback(&c.MaxMessage, 1<<20)
	if c.MaxSessions < 1 || c.MaxAbandoned < 1 {
		return fmt.Errorf("pkcs11: config: MaxSessions and MaxAbandoned must be positive")
	}
	if c.load == nil {
		c.load = loadLibrary
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Observe == nil {
		c.Observe = func(Event) {}
	}
	return nil
}

func (c *Config) fillFrom(u URI) error {
	c.uri = u
	fallback(&c.Module, u.ModulePath)
	fallback(&c.TokenLabel, u.Token)
	fallback(&c.TokenSerial, u.Serial)
	if c.Slot == nil {
		c.Slot = u.SlotID
	}
	if !u.hasPIN() || c.PIN != nil {
		return nil
	}
	if !c.AllowURIPIN {
		return fmt.Errorf("pkcs11: config: the URI has a PIN or its source, which AllowURIPIN must permit")
	}
	pin, err := u.pin()
	if err != nil {
		return err
	}
	c.PIN = pin
	return nil
}

func fallback[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
