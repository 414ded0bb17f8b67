package cpu

import "golang.org/x/sys/cpu"

func detect() (f Features) {
	x := &cpu.ARM64
	for _, b := range [...]struct {
		feature Features
		ok      bool
	}{
		{AES, x.HasAES},
		{PMULL, x.HasPMULL},
		{SHA2, x.HasSHA2},
		{SHA3, x.HasSHA3},
	} {
		if b.ok {
			f |= b.feature
		}
	}
	return f
}
