//go:build !race

package sha256

const raceEnabled = false
