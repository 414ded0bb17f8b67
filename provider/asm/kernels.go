package asm

import (
	"github.com/hardmls/hardmls/internal/asm/aesgcm"
	"github.com/hardmls/hardmls/internal/asm/cpu"
	"github.com/hardmls/hardmls/internal/asm/sha256"
	"github.com/hardmls/hardmls/provider"
)

// kernels are what was chosen for this CPU. The generic kernel of a package means
// that soft does the work: it has the standard library's assembly.
type kernels struct {
	aes128, aes256 aesgcm.Kernel
	sha256         sha256.Kernel
	choices        map[string]choice // by the names of provider.Choice
}

// A choice is what a Report says of a kernel.
type choice struct {
	impl, reason string
	failed       error // its known answer did not come out: soft is in its place
}

const (
	nameAES128 = "aead/aes128gcm"
	nameAES256 = "aead/aes256gcm"
	nameSHA256 = "kdf/hkdf-sha256"
)

// choose picks the kernels for a CPU and holds them to their known answers.
func choose(f cpu.Features, a answers) kernels {
	k := kernels{choices: make(map[string]choice)}
	try := func(name, impl, reason string, generic bool, test func() error) bool {
		if generic {
			k.choices[name] = choice{reason: reason}
			return false
		}
		c := choice{impl: impl, reason: reason, failed: guarded(test)}
		k.choices[name] = c
		return c.failed == nil
	}
	gcm, why := aesgcm.Select(f)
	if try(nameAES128, gcm.String(), why, gcm == aesgcm.Generic, func() error { return a.testGCM(gcm, 16) }) {
		k.aes128 = gcm
	}
	if try(nameAES256, gcm.String(), why, gcm == aesgcm.Generic, func() error { return a.testGCM(gcm, 32) }) {
		k.aes256 = gcm
	}
	sha, why := sha256.Select(f)
	if try(nameSHA256, sha.String(), why, sha == sha256.Generic, func() error { return a.testSHA256(sha) }) {
		k.sha256 = sha
	}
	return k
}

func (k *kernels) any() bool {
	return k.aes128 != aesgcm.Generic || k.aes256 != aesgcm.Generic || k.sha256 != sha256.Generic
}

// over returns the row of the report that stands for soft's row s.
func (c choice) over(s provider.Choice) provider.Choice {
	switch {
	case c.impl == "":
		s.Skipped = "kernels: " + c.reason
	case c.failed != nil:
		s.Skipped = c.impl + ": " + c.failed.Error()
	default:
		s.Skipped, s.Impl, s.Reason = s.Impl, c.impl, c.reason
	}
	return s
}

// gcm returns the kernel for the AEAD of a suite.
func (k *kernels) gcm(p *provider.Params) aesgcm.Kernel {
	switch p.AEAD {
	case provider.AEAD_AES128GCM:
		return k.aes128
	case provider.AEAD_AES256GCM:
		return k.aes256
	}
	return aesgcm.Generic
}

// sha returns the kernel for the KDF of a suite.
func (k *kernels) sha(p *provider.Params) sha256.Kernel {
	if p.KDF == provider.KDF_SHA256 {
		return k.sha256
	}
	return sha256.Generic
}
