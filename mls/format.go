package mls

import (
	"fmt"
	"io"
)

// What reaches a secret prints its name for every verb, so that none gets into a
// log.

// String describes the group without secrets.
func (g *Group) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return fmt.Sprintf("mls.Group{%x, epoch %d}", g.id, g.head.epoch)
}

// Format implements fmt.Formatter without secrets.
func (g *Group) Format(f fmt.State, _ rune) { io.WriteString(f, g.String()) }

// Format implements fmt.Formatter without secrets.
func (st *StagedCommit) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "mls.StagedCommit{%x, epoch %d}", st.group.id, st.Epoch())
}

// Format implements fmt.Formatter without secrets.
func (w *Welcome) Format(f fmt.State, _ rune) { io.WriteString(f, "mls.Welcome(redacted)") }

// Format implements fmt.Formatter without secrets.
func (sw *StagedWelcome) Format(f fmt.State, _ rune) {
	io.WriteString(f, "mls.StagedWelcome(redacted)")
}

// Format implements fmt.Formatter without secrets.
func (x *ExternalJoin) Format(f fmt.State, _ rune) { io.WriteString(f, "mls.ExternalJoin(redacted)") }

// Format implements fmt.Formatter without secrets.
func (in *Incoming) Format(f fmt.State, _ rune) { io.WriteString(f, "mls.Incoming(redacted)") }

// Format implements fmt.Formatter without secrets: an application message is the
// plaintext.
func (m *ApplicationMessage) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "mls.ApplicationMessage{%d bytes from leaf %d}", len(m.Data), m.Info.Sender)
}
