//go:build race

package aesgcm

import (
	"runtime"
	"unsafe"
)

// The race detector does not see what assembly reads and writes.

func raceRead(slices ...[]byte) {
	for _, p := range slices {
		if len(p) > 0 {
			runtime.RaceReadRange(unsafe.Pointer(&p[0]), len(p))
		}
	}
}

func raceWrite(p []byte) {
	if len(p) > 0 {
		runtime.RaceWriteRange(unsafe.Pointer(&p[0]), len(p))
	}
}
