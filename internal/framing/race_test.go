//go:build race

package framing

// raceEnabled: the race detector allocates on its own.
const raceEnabled = true
