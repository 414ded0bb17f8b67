//go:build cgo && unix && !nopkcs11

package pkcs11

/*
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"unsafe"

	p11 "github.com/miekg/pkcs11"
)

// Built reports whether this build can open tokens.
const Built = true

// A cLibrary is a module by way of miekg/pkcs11, and by its own function list
// where both share their state.
type cLibrary struct {
	ctx  *p11.Ctx
	fast oneshot
	// shared is whether fast sees the sessions of ctx: 0 not yet known.
	shared atomic.Int32
}

const (
	isShared  = 1
	notShared = 2

	unavailable = ^uint(0) // CK_UNAVAILABLE_INFORMATION
)

var (
	errSignatureLength = errors.New("pkcs11: the module made a signature of a wrong length")
	errSecretLength    = errors.New("pkcs11: the module made a shared secret of a wrong length")
)

func loadLibrary(path string) (library, error) {
	fast, why := loadOneshot(path)
	if why != "" {
		return nil, fmt.Errorf("%w: %s: %s", ErrModule, path, why)
	}
	ctx := p11.New(path)
	if ctx == nil {
		return nil, fmt.Errorf("%w: %s: it does not load", ErrModule, path)
	}
	return &cLibrary{ctx: ctx, fast: fast}, nil
}

// answerOf turns miekg's errors into an rv.
func answerOf(err error) error {
	var code p11.Error
	if errors.As(err, &code) {
		return rv(code)
	}
	return err
}

func (l *cLibrary) initialize(reserved string) error {
	if reserved == "" {
		return answerOf(l.ctx.Initialize())
	}
	s := unsafe.Pointer(C.CString(reserved))
	defer C.free(s)
	return answerOf(l.ctx.Initialize(p11.InitializeWithReserved(s)))
}

func (l *cLibrary) finalize() error {
	l.shared.Store(0)
	return answerOf(l.ctx.Finalize())
}

func (l *cLibrary) info() (ModuleInfo, error) {
	i, err := l.ctx.GetInfo()
	return ModuleInfo{
		Cryptoki:     fmt.Sprintf("%d.%d", i.CryptokiVersion.Major, i.CryptokiVersion.Minor),
		Manufacturer: clean(i.ManufacturerID),
		Description:  clean(i.LibraryDescription),
		Version:      fmt.Sprintf("%d.%d", i.LibraryVersion.Major, i.LibraryVersion.Minor),
	}, answerOf(err)
}

// clean cuts what fills up the fixed fields of Cryptoki: blanks, and on some
// tokens zero bytes in the middle.
func clean(s string) string {
	s, _, _ = strings.Cut(s, "\x00")
	return strings.TrimRight(s, " ")
}

func (l *cLibrary) slots() ([]uint, error) {
	s, err := l.ctx.GetSlotList(true)
	return s, answerOf(err)
}

func (l *cLibrary) tokenInfo(slot uint) (TokenInfo, error) {
	i, err := l.ctx.GetTokenInfo(slot)
	if err != nil {
		return TokenInfo{}, answerOf(err)
	}
	most := i.MaxRwSessionCount
	if most == unavailable {
		most = 0
	}
	return TokenInfo{
		Slot: slot, Label: clean(i.Label), Manufacturer: clean(i.ManufacturerID),
		Model: clean(i.Model), Serial: clean(i.SerialNumber),
		Flags: TokenFlags(i.Flags), MaxSessions: most,
	}, nil
}

func (l *cLibrary) mechanisms(slot uint) ([]Mechanism, error) {
	list, err := l.ctx.GetMechanismList(slot)
	if err != nil {
		return nil, answerOf(err)
	}
	out := make([]Mechanism, 0, len(list))
	for _, m := range list {
		i, err := l.ctx.GetMechanismInfo(slot, []*p11.Mechanism{m})
		if err != nil {
			continue // listed and not there
		}
		out = append(out, Mechanism{Type: m.Mechanism, MinKeySize: i.MinKeySize, MaxKeySize: i.MaxKeySize, Flags: i.Flags})
	}
	return out, nil
}

func (l *cLibrary) openSession(slot uint) (sessionHandle, error) {
	s, err := l.ctx.OpenSession(slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	if err == nil && l.shared.Load() == 0 {
		if l.fast.shares(sessionHandle(s), slot) {
			l.shared.Store(isShared)
		} else {
			l.shared.Store(notShared)
		}
	}
	return sessionHandle(s), answerOf(err)
}

func (l *cLibrary) oneshot() bool { return l.shared.Load() == isShared }

func (l *cLibrary) closeSession(s sessionHandle) error {
	return answerOf(l.ctx.CloseSession(p11.SessionHandle(s)))
}

func (l *cLibrary) sessionState(s sessionHandle) (uint, error) {
	i, err := l.ctx.GetSessionInfo(p11.SessionHandle(s))
	return i.State, answerOf(err)
}

func (l *cLibrary) login(s sessionHandle, user uint, pin []byte) error {
	if l.oneshot() {
		return l.fast.login(s, user, pin)
	}
	return answerOf(l.ctx.Login(p11.SessionHandle(s), user, string(pin)))
}

func attributes(template []attribute) []*p11.Attribute {
	out := make([]*p11.Attribute, len(template))
	for i, a := range template {
		out[i] = p11.NewAttribute(a.typ, a.value)
	}
	return out
}

func (l *cLibrary) find(s sessionHandle, template []attribute, limit int) ([]objectHandle, error) {
	h := p11.SessionHandle(s)
	if err := l.ctx.FindObjectsInit(h, attributes(template)); err != nil {
		return nil, answerOf(err)
	}
	var found []objectHandle
	for len(found) < limit {
		some, _, err := l.ctx.FindObjects(h, min(64, limit-len(found)))
		if err != nil {
			return nil, answerOf(err)
		}
		if len(some) == 0 {
			break
		}
		for _, o := range some {
			found = append(found, objectHandle(o))
		}
	}
	return found, answerOf(l.ctx.FindObjectsFinal(h))
}

func (l *cLibrary) read(s sessionHandle, o objectHandle, attr uint) ([]byte, error) {
	a, err := l.ctx.GetAttributeValue(p11.SessionHandle(s), p11.ObjectHandle(o), []*p11.Attribute{{Type: attr}})
	switch err := answerOf(err); {
	case errors.Is(err, ckrAttributeTypeInvalid), errors.Is(err, ckrAttributeSensitive):
		return nil, nil
	case err != nil:
		return nil, err
	case len(a) != 1:
		return nil, nil
	}
	return a[0].Value, nil
}

func (l *cLibrary) create(s sessionHandle, template []attribute) (objectHandle, error) {
	o, err := l.ctx.CreateObject(p11.SessionHandle(s), attributes(template))
	return objectHandle(o), answerOf(err)
}

func (l *cLibrary) destroy(s sessionHandle, o objectHandle) error {
	return answerOf(l.ctx.DestroyObject(p11.SessionHandle(s), p11.ObjectHandle(o)))
}

func (l *cLibrary) generatePair(s sessionHandle, mechanism uint, public, private []attribute) (pub, priv objectHandle, err error) {
	a, b, err := l.ctx.GenerateKeyPair(p11.SessionHandle(s), []*p11.Mechanism{p11.NewMechanism(mechanism, nil)},
		attributes(public), attributes(private))
	return objectHandle(a), objectHandle(b), answerOf(err)
}

func (l *cLibrary) sign(s sessionHandle, mechanism uint, key objectHandle, data, sig, pin []byte) error {
	if l.oneshot() {
		return l.fast.sign(s, mechanism, key, data, sig, pin)
	}
	h := p11.SessionHandle(s)
	if err := l.ctx.SignInit(h, []*p11.Mechanism{p11.NewMechanism(mechanism, nil)}, p11.ObjectHandle(key)); err != nil {
		return answerOf(err)
	}
	if pin != nil {
		if err := answerOf(l.ctx.Login(h, ckuContextSpecific, string(pin))); err != nil && !errors.Is(err, ckrUserAlreadyLoggedIn) {
			return err
		}
	}
	got, err := l.ctx.Sign(h, data)
	if err != nil {
		return answerOf(err)
	}
	if len(got) != len(sig) {
		return errSignatureLength
	}
	copy(sig, got)
	return nil
}

func (l *cLibrary) derive(s sessionHandle, key objectHandle, peer, out []byte) error {
	if l.oneshot() {
		return l.fast.derive(s, key, peer, out)
	}
	h := p11.SessionHandle(s)
	m := p11.NewMechanism(ckmECDH1Derive, p11.NewECDH1DeriveParams(p11.CKD_NULL, nil, peer))
	secret, err := l.ctx.DeriveKey(h, []*p11.Mechanism{m}, p11.ObjectHandle(key), attributes([]attribute{
		{ckaClass, uint(ckoSecretKey)}, {ckaKeyType, uint(ckkGeneric)}, {ckaToken, false},
		{ckaSensitive, false}, {ckaExtractable, true}, {ckaValueLen, uint(len(out))},
	}))
	if err != nil {
		return answerOf(err)
	}
	z, err := l.read(s, objectHandle(secret), ckaValue)
	defer clear(z)
	if err2 := l.destroy(s, objectHandle(secret)); err == nil {
		err = err2
	}
	if err == nil && len(z) != len(out) {
		err = errSecretLength
	}
	copy(out, z)
	return err
}

func (l *cLibrary) random(s sessionHandle, out []byte) error {
	if l.oneshot() {
		return l.fast.random(s, out)
	}
	b, err := l.ctx.GenerateRandom(p11.SessionHandle(s), len(out))
	copy(out, b)
	clear(b)
	return answerOf(err)
}
