package provider

import (
	"fmt"
	"strings"
)

// A Report says what a backend chose, primitive by primitive. It holds no
// secret and is meant for people, logs and benchmark configuration lines.
type Report struct {
	Backend string   // "soft", "asm"
	Choices []Choice // in a fixed order
	Notes   []string // what else an operator should know, such as residue that cannot be wiped
}

// A Choice is the implementation chosen for one primitive.
type Choice struct {
	Primitive string // "aead/aes128gcm", "kem/x25519"
	Impl      string // "crypto/aes", "vaes512"
	Reason    string // why this one: CPU features, a measurement
	Skipped   string // what was passed over and why; "" if nothing was
	SelfTest  error  // nil after its known answer matched
}

// String lists one choice per line.
func (r Report) String() string {
	var b strings.Builder
	for _, c := range r.Choices {
		fmt.Fprintf(&b, "%-24s %s", c.Primitive, c.Impl)
		if c.Reason != "" {
			fmt.Fprintf(&b, "  (%s)", c.Reason)
		}
		if c.Skipped != "" {
			fmt.Fprintf(&b, "  skipped: %s", c.Skipped)
		}
		if c.SelfTest != nil {
			fmt.Fprintf(&b, "  FAILED: %v", c.SelfTest)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
