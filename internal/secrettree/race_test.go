//go:build race

package secrettree

// raceEnabled: the race detector allocates on its own.
const raceEnabled = true
