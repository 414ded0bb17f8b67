package providertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/hardmls/hardmls/provider"
)

// TestKeys holds a custody of private keys to the contract of provider.Keys,
// with keys of suite s. It leaves no key behind. Run it under the race detector
// too.
func TestKeys(t *testing.T, s provider.Suite, keys provider.Keys) {
	for _, c := range keyChecks {
		t.Run(c.name, func(t *testing.T) { c.run(custody{t, s, keys}) })
	}
}

var keyChecks = []struct {
	name string
	run  func(c custody)
}{
	{"generate", checkGenerate},
	{"load", checkLoad},
	{"bad references", checkBadReferences},
	{"delete", checkDeleteKey},
	{"ended context", checkKeysContext},
	{"prints nothing", checkKeysPrintNothing},
	{"concurrency", checkKeysConcurrency},
}

// A custody is what a check works on.
type custody struct {
	testing.TB
	s    provider.Suite
	keys provider.Keys
}

// generate makes a key that is deleted at the end of the check.
func (c custody) generate(use provider.KeyUse) (provider.DecryptionKey, provider.KeyRef) {
	c.Helper()
	key, ref, err := c.keys.Generate(background, c.s, use)
	if err != nil {
		c.Fatalf("Generate: %v", err)
	}
	kept := bytes.Clone(ref)
	c.Cleanup(func() { c.keys.Delete(background, kept) })
	return key, ref
}

// wantOpens checks that key opens what is sealed to pub.
func (c custody) wantOpens(what string, key provider.DecryptionKey, pub []byte) {
	c.Helper()
	p := c.s.Params()
	plaintext := []byte("a path secret of some length")
	j := provider.SealJob{Pub: pub, Plaintext: plaintext, Enc: make([]byte, p.Nenc), CT: make([]byte, len(plaintext)+p.Nt)}
	if err := c.s.HPKE().SealMany([]byte("info"), nil, []provider.SealJob{j}); err != nil {
		c.Errorf("%s: SealMany: %v", what, err)
		return
	}
	got, err := c.s.HPKE().Open(background, nil, key, j.Enc, []byte("info"), nil, j.CT)
	if err != nil || !bytes.Equal(got, plaintext) {
		c.Errorf("%s does not open what was sealed to it: %v", what, err)
	}
}

func checkGenerate(c custody) {
	seen := map[string]bool{}
	for _, use := range []provider.KeyUse{provider.InitKey, provider.LeafKey, provider.InitKey} {
		key, ref := c.generate(use)
		if err := c.s.HPKE().CheckPublicKey(key.Public()); err != nil {
			c.Errorf("%v: public key: %v", use, err)
		}
		if ref.Backend() == "" || len(ref) <= len(ref.Backend())+1 {
			c.Errorf("%v: the reference does not begin with a backend's name", use)
		}
		if seen[string(key.Public())] || seen[string(ref)] {
			c.Errorf("%v: two keys are the same", use)
		}
		seen[string(key.Public())], seen[string(ref)] = true, true
		c.wantOpens(fmt.Sprint("a generated ", use), key, key.Public())
	}
}

func checkLoad(c custody) {
	key, ref := c.generate(provider.LeafKey)
	given := bytes.Clone(ref)
	loaded, err := c.keys.Load(background, c.s, given)
	if err != nil {
		c.Fatalf("Load: %v", err)
	}
	if !bytes.Equal(given, ref) {
		c.Error("Load changed the reference")
	}
	clear(given) // it is not kept
	if !bytes.Equal(loaded.Public(), key.Public()) {
		c.Error("the loaded key has another public key")
	}
	c.wantOpens("a loaded key", loaded, key.Public())
	// Wiping one copy in memory reaches neither the other nor the original.
	key.Wipe()
	key.Wipe()
	p := c.s.Params()
	j := provider.SealJob{Pub: loaded.Public(), Enc: make([]byte, p.Nenc), CT: make([]byte, p.Nt)}
	if err := c.s.HPKE().SealMany(nil, nil, []provider.SealJob{j}); err != nil {
		c.Fatal(err)
	}
	if err := key.Decap(background, make([]byte, p.Nsecret), j.Enc); err == nil {
		c.Error("a wiped key still decapsulates")
	}
	if _, err := c.s.HPKE().Open(background, nil, key, j.Enc, nil, nil, j.CT); err == nil {
		c.Error("a wiped key still opens")
	}
	c.wantOpens("the other copy of a wiped key", loaded, loaded.Public())
	again, err := c.keys.Load(background, c.s, ref)
	if err != nil {
		c.Fatalf("Load after Wipe: %v", err)
	}
	c.wantOpens("a key loaded after Wipe", again, loaded.Public())
}

func checkBadReferences(c custody) {
	_, ref := c.generate(provider.InitKey)
	name := ref.Backend()
	for what, bad := range map[string]provider.KeyRef{
		"another backend's":    provider.KeyRef("somebody-else\x00" + string(ref[len(name)+1:])),
		"a longer name":        provider.KeyRef(name + "x" + string(ref[len(name):])),
		"a shorter name":       provider.KeyRef(name[:len(name)-1] + string(ref[len(name):])),
		"a name without end":   provider.KeyRef(name),
		"a zero byte":          provider.KeyRef("\x00"),
		"an empty reference":   {},
		"a reference of zeros": make(provider.KeyRef, len(ref)),
	} {
		if _, err := c.keys.Load(background, c.s, bad); !errors.Is(err, provider.ErrForeignKey) {
			c.Errorf("Load of %s: %v, want ErrForeignKey", what, err)
		}
		if err := c.keys.Delete(background, bad); !errors.Is(err, provider.ErrForeignKey) {
			c.Errorf("Delete of %s: %v, want ErrForeignKey", what, err)
		}
	}
	damaged := func(what string, bad provider.KeyRef) {
		c.Helper()
		key, err := c.keys.Load(background, c.s, bad)
		if !errors.Is(err, provider.ErrInvalidKey) && !errors.Is(err, provider.ErrKeyNotFound) {
			c.Errorf("Load of %s: %v, want ErrInvalidKey or ErrKeyNotFound", what, err)
		}
		if key != nil {
			c.Errorf("Load of %s returned a key", what)
		}
	}
	for n := len(name) + 1; n < len(ref); n++ {
		damaged(fmt.Sprintf("a reference cut to %d bytes", n), ref[:n:n])
	}
	damaged("a longer reference", append(bytes.Clone(ref), 0))
}

func checkDeleteKey(c custody) {
	_, ref := c.generate(provider.InitKey)
	other, otherRef := c.generate(provider.InitKey)
	for i := range 3 {
		if err := c.keys.Delete(background, ref); err != nil {
			c.Errorf("Delete number %d: %v", i+1, err)
		}
	}
	// A software key is its reference and survives; one in a token is gone.
	_, err := c.keys.Load(background, c.s, ref)
	switch self := provider.IsSelfContained(c.keys, ref); {
	case self && err != nil:
		c.Errorf("Load of a self-contained key after Delete: %v", err)
	case !self && err != nil && !errors.Is(err, provider.ErrKeyNotFound):
		c.Errorf("Load after Delete: %v, want the key or ErrKeyNotFound", err)
	}
	if provider.IsSelfContained(c.keys, provider.KeyRef("somebody-else\x00"+string(ref))) {
		c.Error("another backend's reference is called self-contained")
	}
	loaded, err := c.keys.Load(background, c.s, otherRef)
	if err != nil {
		c.Fatalf("Delete reached another key: %v", err)
	}
	c.wantOpens("the key beside a deleted one", loaded, other.Public())
}

func checkKeysContext(c custody) {
	_, ref := c.generate(provider.InitKey)
	ctx, cancel := context.WithCancel(background)
	cancel()
	// A custody may finish what needs no waiting, but it fails with nothing
	// else than the context's error.
	key, made, err := c.keys.Generate(ctx, c.s, provider.InitKey)
	if err == nil {
		c.keys.Delete(background, made)
	} else if !errors.Is(err, context.Canceled) || key != nil || made != nil {
		c.Errorf("Generate with an ended context: %v", err)
	}
	if _, err := c.keys.Load(ctx, c.s, ref); err != nil && !errors.Is(err, context.Canceled) {
		c.Errorf("Load with an ended context: %v", err)
	}
	if err := c.keys.Delete(ctx, ref); err != nil && !errors.Is(err, context.Canceled) {
		c.Errorf("Delete with an ended context: %v", err)
	}
}

// checkKeysPrintNothing holds only for references that hold the key itself,
// and finds nothing in others either.
func checkKeysPrintNothing(c custody) {
	key, ref := c.generate(provider.InitKey)
	body := ref[len(ref.Backend())+1:]
	if len(body) < 16 {
		c.Skip("the reference holds no key")
	}
	tail := body[len(body)-16:]
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		text := fmt.Sprintf(verb, key) + fmt.Sprintf(verb, ref)
		for _, form := range []string{string(tail), fmt.Sprintf("%x", []byte(tail)), fmt.Sprint([]byte(tail))[1:40]} {
			if bytes.Contains([]byte(text), []byte(form)) {
				c.Errorf("a key or its reference printed with %s shows the secret", verb)
			}
		}
	}
}

func checkKeysConcurrency(c custody) {
	key, ref := c.generate(provider.LeafKey)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 3 {
				mine, mineRef, err := c.keys.Generate(background, c.s, provider.InitKey)
				if err != nil {
					c.Errorf("Generate: %v", err)
					return
				}
				c.wantOpens("a key of its own", mine, mine.Public())
				c.wantOpens("a shared key", key, key.Public())
				if _, err := c.keys.Load(background, c.s, ref); err != nil {
					c.Errorf("Load: %v", err)
				}
				if err := c.keys.Delete(background, mineRef); err != nil {
					c.Errorf("Delete: %v", err)
				}
			}
		})
	}
	all.Wait()
}
