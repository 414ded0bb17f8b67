//go:build !race

package secrettree

const raceEnabled = false
