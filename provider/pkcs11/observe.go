package pkcs11

import (
	"sync/atomic"
	"time"
)

// An EventKind says what happened.
type EventKind uint8

// The kinds of events.
const (
	EventCall       EventKind = iota + 1 // a call into the module ended; Call names it
	EventRetry                           // an operation is tried again
	EventDiscard                         // a session is given up
	EventRegenerate                      // a new login was made, and keys will be found again
	EventReinit                          // the module was initialised anew
	EventAbandon                         // a call was left behind
	EventReturn                          // a call that was left behind came back
	EventLogin                           // a PIN was tried
)

// String returns the name of the kind.
func (k EventKind) String() string {
	switch k {
	case EventCall:
		return "call"
	case EventRetry:
		return "retry"
	case EventDiscard:
		return "discard"
	case EventRegenerate:
		return "regenerate"
	case EventReinit:
		return "reinit"
	case EventAbandon:
		return "abandon"
	case EventReturn:
		return "return"
	case EventLogin:
		return "login"
	}
	return "unknown"
}

// An Event is one thing worth counting. It holds no secret.
type Event struct {
	Kind     EventKind
	Call     string        // of EventCall: "sign", "find"; else the operation
	Duration time.Duration // of EventCall and EventRegenerate
	Err      error         // nil if it went well
}

// Stats are counts since Open, and the state of the pool now.
type Stats struct {
	Calls, Failed uint64 // into the module
	Signatures    uint64
	Verified      uint64 // signatures that were verified in software
	Retries       uint64
	Discarded     uint64 // sessions
	Regenerations uint64
	Reinits       uint64 // by this Token
	Abandoned     uint64 // calls ever left behind
	Logins        uint64 // attempts with a PIN

	Hanging  int // calls left behind that have not returned
	Sessions int // open in the pool, idle or in use
	InUse    int
	Waiting  int
	Limit    int // of sessions, as lowered by the token
}

type counters struct {
	calls, failed, signatures, verified, retries, discarded atomic.Uint64
	regenerations, reinits, abandoned, logins               atomic.Uint64
	waiting                                                 atomic.Int64
}

func (t *Token) observe(e Event) {
	switch e.Kind {
	case EventCall:
		t.n.calls.Add(1)
		if e.Err != nil {
			t.n.failed.Add(1)
		}
	case EventRetry:
		t.n.retries.Add(1)
	case EventDiscard:
		t.n.discarded.Add(1)
	case EventRegenerate:
		t.n.regenerations.Add(1)
	case EventReinit:
		t.n.reinits.Add(1)
	case EventAbandon:
		t.n.abandoned.Add(1)
	case EventLogin:
		t.n.logins.Add(1)
	}
	t.cfg.Observe(e)
}

// Stats returns the counts.
func (t *Token) Stats() Stats {
	s := Stats{
		Calls: t.n.calls.Load(), Failed: t.n.failed.Load(), Signatures: t.n.signatures.Load(), Verified: t.n.verified.Load(),
		Retries: t.n.retries.Load(), Discarded: t.n.discarded.Load(), Regenerations: t.n.regenerations.Load(),
		Reinits: t.n.reinits.Load(), Abandoned: t.n.abandoned.Load(), Logins: t.n.logins.Load(),
		Hanging: t.hanging(), Waiting: int(t.n.waiting.Load()),
	}
	s.Sessions, s.InUse, s.Limit = t.pool.counts()
	return s
}
