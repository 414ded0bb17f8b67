package pkcs11

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardmls/hardmls/provider"
)

// A fake is a module with one token in memory, which does what tests tell it:
// P-256 and Ed25519 keys, handles that differ after each initialisation, as
// SoftHSM's do, and faults at any call.
type fake struct {
	mu       sync.Mutex
	inits    int
	alive    bool
	token    TokenInfo
	pin      string
	loggedIn bool
	sessions map[sessionHandle]bool
	next     uint
	objects  []*fakeObject
	handles  map[objectHandle]*fakeObject // of this initialisation, by first use
	calls    map[string]int
	limit    int // of sessions; 0: none

	// fault, if not nil, is asked before each call, without the lock.
	fault func(call string, n int) error
	// bend, if not nil, changes a signature.
	bend func(sig []byte)
}

type fakeObject struct {
	attrs  map[uint][]byte
	token  bool
	signer any // *ecdsa.PrivateKey, ed25519.PrivateKey
}

const fakePIN = "1234"

func newFake() *fake {
	return &fake{
		token: TokenInfo{Slot: 7, Label: "fake", Serial: "1", Manufacturer: "m", Flags: ckfLoginReq | ckfPINInit | ckfRNG},
		pin:   fakePIN, calls: map[string]int{},
	}
}

// config opens f. Each test has a module of its own.
func (f *fake) config(t testing.TB) Config {
	return Config{
		Module: strings.ReplaceAll(t.Name(), "/", "."), PIN: PINValue([]byte(fakePIN)),
		RecoverTimeout: 5 * time.Second, ReinitInterval: time.Millisecond,
		load: func(string) (library, error) { return f, nil },
	}
}

func (f *fake) open(t testing.TB, change func(*Config)) *Token {
	t.Helper()
	cfg := f.config(t)
	if change != nil {
		change(&cfg)
	}
	token, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { token.Close() })
	return token
}

func (f *fake) key(t testing.TB, token *Token, label string) *Signer {
	t.Helper()
	k, err := token.GenerateKey(t.Context(), provider.ECDSA_P256_SHA256, KeyOptions{Label: label})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// enter counts a call and returns locked, or with the fault's error.
func (f *fake) enter(call string) error {
	f.mu.Lock()
	f.calls[call]++
	n, fault := f.calls[call], f.fault
	if fault != nil {
		f.mu.Unlock()
		err := fault(call, n)
		f.mu.Lock()
		if err != nil {
			return err
		}
	}
	if !f.alive && call != "initialize" {
		return ckrNotInitialized
	}
	return nil
}

func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fake) count(call string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[call]
}

func (f *fake) initialize(string) error {
	defer f.mu.Unlock()
	if err := f.enter("initialize"); err != nil {
		return err
	}
	if f.alive {
		return ckrAlreadyInitialized
	}
	f.inits++
	f.alive, f.loggedIn = true, false
	f.sessions, f.handles = map[sessionHandle]bool{}, map[objectHandle]*fakeObject{}
	f.next = 0
	f.objects = slices.DeleteFunc(f.objects, func(o *fakeObject) bool { return !o.token })
	return nil
}

func (f *fake) finalize() error {
	defer f.mu.Unlock()
	if err := f.enter("finalize"); err != nil {
		return err
	}
	f.alive = false
	return nil
}

func (f *fake) info() (ModuleInfo, error) { return ModuleInfo{Cryptoki: "2.40"}, nil }

func (f *fake) slots() ([]uint, error) {
	defer f.mu.Unlock()
	if err := f.enter("slots"); err != nil {
		return nil, err
	}
	return []uint{f.token.Slot}, nil
}

func (f *fake) tokenInfo(uint) (TokenInfo, error) {
	defer f.mu.Unlock()
	return f.token, f.enter("token info")
}

func (f *fake) mechanisms(uint) ([]Mechanism, error) {
	defer f.mu.Unlock()
	return []Mechanism{{Type: ckmECDSA}}, f.enter("mechanisms")
}

func (f *fake) openSession(uint) (sessionHandle, error) {
	defer f.mu.Unlock()
	if err := f.enter("open session"); err != nil {
		return 0, err
	}
	if f.limit > 0 && len(f.sessions) >= f.limit {
		return 0, ckrSessionCount
	}
	f.next++
	f.sessions[sessionHandle(f.next)] = true
	return sessionHandle(f.next), nil
}

func (f *fake) closeSession(s sessionHandle) error {
	defer f.mu.Unlock()
	if err := f.in("close session", s); err != nil {
		return err
	}
	delete(f.sessions, s)
	f.loggedIn = f.loggedIn && len(f.sessions) > 0
	return nil
}

// in is enter for a call with a session.
func (f *fake) in(call string, s sessionHandle) error {
	if err := f.enter(call); err != nil {
		return err
	}
	if !f.sessions[s] {
		return ckrSessionHandleInvalid
	}
	return nil
}

func (f *fake) sessionState(s sessionHandle) (uint, error) {
	defer f.mu.Unlock()
	if err := f.in("session info", s); err != nil {
		return 0, err
	}
	if f.loggedIn {
		return cksRWUser, nil
	}
	return 2, nil
}

func (f *fake) login(s sessionHandle, user uint, pin []byte) error {
	defer f.mu.Unlock()
	switch err := f.in("login", s); {
	case err != nil:
		return err
	case f.token.Flags.PINLocked():
		return ckrPINLocked
	case f.loggedIn && user == ckuUser:
		return ckrUserAlreadyLoggedIn
	case string(pin) != f.pin:
		return ckrPINIncorrect
	}
	f.loggedIn = true
	return nil
}

func encode(v any) []byte {
	switch v := v.(type) {
	case bool:
		if v {
			return []byte{1}
		}
		return []byte{0}
	case uint:
		return big.NewInt(int64(v)).FillBytes(make([]byte, 8))
	case string:
		return []byte(v)
	case []byte:
		return bytes.Clone(v)
	}
	panic(fmt.Sprintf("an attribute of type %T", v))
}

func (f *fake) visible(o *fakeObject) bool {
	return f.loggedIn || !isTrue(o.attrs[ckaPrivate], false)
}

func (f *fake) find(s sessionHandle, template []attribute, limit int) (out []objectHandle, err error) {
	defer f.mu.Unlock()
	if err := f.in("find", s); err != nil {
		return nil, err
	}
	for _, o := range f.objects {
		fits := f.visible(o)
		for _, a := range template {
			fits = fits && bytes.Equal(o.attrs[a.typ], encode(a.value))
		}
		if fits && len(out) < limit {
			out = append(out, f.handleOf(o))
		}
	}
	return out, nil
}

func (f *fake) handleOf(o *fakeObject) objectHandle {
	for h, have := range f.handles {
		if have == o {
			return h
		}
	}
	h := objectHandle(100 + len(f.handles))
	f.handles[h] = o
	return h
}

func (f *fake) object(h objectHandle) (*fakeObject, error) {
	o := f.handles[h]
	if o == nil || !f.visible(o) || !slices.Contains(f.objects, o) {
		return nil, ckrObjectHandleInvalid
	}
	return o, nil
}

func (f *fake) read(s sessionHandle, h objectHandle, attr uint) ([]byte, error) {
	defer f.mu.Unlock()
	if err := f.in("read", s); err != nil {
		return nil, err
	}
	o, err := f.object(h)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(o.attrs[attr]), nil
}

func (f *fake) create(s sessionHandle, template []attribute) (objectHandle, error) {
	defer f.mu.Unlock()
	if err := f.in("create", s); err != nil {
		return 0, err
	}
	return f.handleOf(f.add(template, nil)), nil
}

func (f *fake) add(template []attribute, signer any) *fakeObject {
	o := &fakeObject{attrs: map[uint][]byte{}, signer: signer}
	for _, a := range template {
		o.attrs[a.typ] = encode(a.value)
	}
	o.token = isTrue(o.attrs[ckaToken], false)
	f.objects = append(f.objects, o)
	return o
}

func (f *fake) destroy(s sessionHandle, h objectHandle) error {
	defer f.mu.Unlock()
	if err := f.in("destroy", s); err != nil {
		return err
	}
	o, err := f.object(h)
	if err == nil {
		f.objects = slices.DeleteFunc(f.objects, func(have *fakeObject) bool { return have == o })
	}
	return err
}

func (f *fake) generatePair(s sessionHandle, mechanism uint, public, private []attribute) (pub, priv objectHandle, err error) {
	defer f.mu.Unlock()
	if err := f.in("generate", s); err != nil {
		return 0, 0, err
	}
	var signer any
	var point []byte
	switch mechanism {
	case ckmECKeyPairGen:
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return 0, 0, ckrGeneralError
		}
		signer = k
		point, _ = k.PublicKey.Bytes()
	case ckmECEdwardsKeyPairGen:
		p, k, _ := ed25519.GenerateKey(nil)
		signer, point = k, p
	default:
		return 0, 0, ckrMechanismInvalid
	}
	wrapped, _ := asn1.Marshal(point)
	params := curveOf(public[slices.IndexFunc(public, func(a attribute) bool { return a.typ == ckaECParams })].value.([]byte)).params[0]
	p := f.add(append(public, attribute{ckaECPoint, wrapped}), nil)
	q := f.add(append(private, attribute{ckaECParams, params}), signer)
	pub, priv = f.handleOf(p), f.handleOf(q)
	return pub, priv, f.after("generate")
}

// after is a fault that comes when the work is done.
func (f *fake) after(call string) error {
	if f.fault == nil {
		return nil
	}
	n := f.calls[call]
	f.mu.Unlock()
	defer f.mu.Lock()
	return f.fault(call+" done", n)
}

func (f *fake) sign(s sessionHandle, mechanism uint, h objectHandle, data, sig, pin []byte) error {
	defer f.mu.Unlock()
	if err := f.in("sign", s); err != nil {
		return err
	}
	o, err := f.object(h)
	if err != nil {
		return err
	}
	if isTrue(o.attrs[ckaAlwaysAuth], false) && string(pin) != f.pin {
		return ckrPINIncorrect
	}
	switch k := o.signer.(type) {
	case *ecdsa.PrivateKey:
		r, ss, _ := ecdsa.Sign(rand.Reader, k, data)
		r.FillBytes(sig[:32])
		ss.FillBytes(sig[32:])
	case ed25519.PrivateKey:
		copy(sig, ed25519.Sign(k, data))
	default:
		return ckrKeyTypeInconsistent
	}
	if f.bend != nil {
		f.bend(sig)
	}
	return f.after("sign")
}

func (f *fake) derive(s sessionHandle, h objectHandle, peer, out []byte) error {
	defer f.mu.Unlock()
	if err := f.in("derive", s); err != nil {
		return err
	}
	o, err := f.object(h)
	if err != nil {
		return err
	}
	k, err := o.signer.(*ecdsa.PrivateKey).ECDH()
	if err != nil {
		return ckrGeneralError
	}
	p, err := ecdh.P256().NewPublicKey(peer[2:])
	if err != nil {
		return ckrMechanismParam
	}
	z, err := k.ECDH(p)
	copy(out, z)
	return err
}

func (f *fake) random(s sessionHandle, out []byte) error {
	defer f.mu.Unlock()
	rand.Read(out)
	return f.in("random", s)
}

// signs checks that k signs, and right.
func signs(t testing.TB, k *Signer, text string) {
	t.Helper()
	sig, err := k.Sign(context.Background(), nil, []byte(text))
	if err != nil {
		t.Fatalf("Sign: %v", err)
	}
	if err := k.suite.Verify(k.Public(), []byte(text), sig); err != nil {
		t.Fatalf("the signature: %v", err)
	}
}
