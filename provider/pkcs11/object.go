package pkcs11

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// maxObjects bounds how many keys one search looks at.
const maxObjects = 10000

// A found is a private key as a search found it.
type found struct {
	KeyInfo
	handle objectHandle
	curve  *curve // nil: unknown
}

// search finds the private keys that template describes, with their public
// halves, on one session.
func (s *session) search(ctx context.Context, template []attribute, pinned []byte) ([]found, error) {
	type answer struct{ keys []found }
	a := new(answer) // the call's own until it returns
	err := s.do(ctx, "find", func() error {
		lib := s.t.m.lib
		handles, err := lib.find(s.h, append([]attribute{{ckaClass, uint(ckoPrivateKey)}}, template...), maxObjects)
		if err != nil {
			return err
		}
		if len(handles) == 0 {
			return s.mustSee(lib)
		}
		for _, h := range handles {
			k, err := s.describe(lib, h)
			if s.vanished(lib, err) {
				continue
			}
			if err != nil {
				return err
			}
			if k.Public == nil {
				k.Public = pinned
			}
			a.keys = append(a.keys, k)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return a.keys, nil
}

// mustSee is an error if this session cannot see private objects, so that
// finding none means nothing.
func (s *session) mustSee(lib library) error {
	if !s.t.Info().Flags.LoginRequired() {
		return nil
	}
	state, err := lib.sessionState(s.h)
	if err == nil && state != cksROUser && state != cksRWUser {
		return ckrUserNotLoggedIn
	}
	return err
}

// vanished reports whether err says that an object was destroyed since it was
// found, as others do at any time, and not that the login is lost.
func (s *session) vanished(lib library, err error) bool {
	return errors.Is(err, ckrObjectHandleInvalid) && s.mustSee(lib) == nil
}

// describe reads what is known about a private key. It runs inside a call.
func (s *session) describe(lib library, h objectHandle) (found, error) {
	k := found{handle: h}
	var firstErr error
	read := func(attr uint) []byte {
		v, err := lib.read(s.h, h, attr)
		if err != nil && firstErr == nil {
			firstErr = err
		}
		return v
	}
	k.ID, k.Label = read(ckaID), string(read(ckaLabel))
	k.curve = curveOf(read(ckaECParams))
	k.Sign, k.Derive = isTrue(read(ckaSign), true), isTrue(read(ckaDerive), false)
	k.Sensitive, k.Extractable = isTrue(read(ckaSensitive), false), isTrue(read(ckaExtractable), true)
	k.AlwaysAuthenticate = isTrue(read(ckaAlwaysAuth), false)
	if firstErr != nil || k.curve == nil {
		return k, firstErr
	}
	k.Curve = k.curve.name
	if k.Sign {
		k.Scheme = k.curve.scheme
	}
	var err error
	k.Public, err = s.publicOf(lib, k)
	return k, err
}

// halves finds the private keys of k's name, and the public half of each, nil
// where the token does not show it. It is the short way for a key that was
// described before.
func (s *session) halves(ctx context.Context, k found) ([]objectHandle, [][]byte, error) {
	type answer struct {
		handles []objectHandle
		public  [][]byte
	}
	a := new(answer) // the call's own until it returns
	err := s.do(ctx, "find", func() error {
		lib := s.t.m.lib
		handles, err := lib.find(s.h, append([]attribute{{ckaClass, uint(ckoPrivateKey)}}, Query{ID: k.ID, Label: k.Label}.template()...), maxObjects)
		if err == nil && len(handles) == 0 {
			err = s.mustSee(lib)
		}
		if err != nil {
			return err
		}
		for _, h := range handles {
			params, err := lib.read(s.h, h, ckaECParams)
			if err != nil {
				return err
			}
			k.handle = h
			public := []byte{} // another curve's, not k's in any case
			if curveOf(params) == k.curve {
				if public, err = s.publicOf(lib, k); err != nil {
					return err
				}
			}
			a.handles, a.public = append(a.handles, h), append(a.public, public)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return a.handles, a.public, nil
}

// publicOf returns the public half of k, or nil: of the public object beside it,
// or where there is none of the private object itself.
func (s *session) publicOf(lib library, k found) ([]byte, error) {
	public, err := s.publicBeside(lib, k)
	if public != nil || err != nil {
		return public, err
	}
	point, err := lib.read(s.h, k.handle, ckaECPoint)
	if err != nil {
		return nil, err
	}
	if public = k.curve.publicKey(point); public != nil {
		return public, nil
	}
	info, err := lib.read(s.h, k.handle, ckaPublicInfo)
	return k.curve.publicKeyInfo(info), err
}

// publicBeside returns the public key in the public object beside k: the one
// with its identifier, or its label where it has none. Several that differ are
// as good as none.
func (s *session) publicBeside(lib library, k found) ([]byte, error) {
	template := []attribute{{ckaClass, uint(ckoPublicKey)}}
	switch {
	case len(k.ID) > 0:
		template = append(template, attribute{ckaID, k.ID})
	case k.Label != "":
		template = append(template, attribute{ckaLabel, k.Label})
	default:
		return nil, nil
	}
	handles, err := lib.find(s.h, template, 16)
	if err != nil {
		return nil, err
	}
	var public []byte
	for _, h := range handles {
		params, err := lib.read(s.h, h, ckaECParams)
		if s.vanished(lib, err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if curveOf(params) != k.curve {
			continue
		}
		point, err := lib.read(s.h, h, ckaECPoint)
		if err != nil {
			return nil, err
		}
		p := k.curve.publicKey(point)
		if public != nil && !bytes.Equal(p, public) {
			return nil, nil
		}
		public = p
	}
	return public, nil
}

// isTrue reads a CK_BBOOL, or other where there is none.
func isTrue(v []byte, other bool) bool {
	if len(v) != 1 {
		return other
	}
	return v[0] != 0
}

// FindKeys lists the private keys that q fits, of any kind.
func (t *Token) FindKeys(ctx context.Context, q Query) ([]KeyInfo, error) {
	keys, err := t.findKeys(ctx, q)
	if err != nil {
		return nil, err
	}
	infos := make([]KeyInfo, len(keys))
	for i := range keys {
		infos[i] = keys[i].KeyInfo
	}
	return infos, nil
}

func (t *Token) findKeys(ctx context.Context, q Query) (keys []found, err error) {
	if q, err = t.resolve(q); err != nil {
		return nil, err
	}
	err = t.use(ctx, "find keys", func(ctx context.Context, s *session) error {
		all, err := s.search(ctx, q.template(), q.Public)
		keys = keys[:0]
		for _, k := range all {
			if len(q.Public) == 0 || bytes.Equal(k.Public, q.Public) {
				keys = append(keys, k)
			}
		}
		return err
	})
	return keys, err
}

// name reads what a key is called and whether it derives. It runs inside a call.
func (s *session) name(lib library, h objectHandle) (KeyInfo, error) {
	id, err := lib.read(s.h, h, ckaID)
	if err != nil {
		return KeyInfo{}, err
	}
	label, err := lib.read(s.h, h, ckaLabel)
	if err != nil {
		return KeyInfo{}, err
	}
	derive, err := lib.read(s.h, h, ckaDerive)
	return KeyInfo{ID: id, Label: string(label), Derive: isTrue(derive, false)}, err
}

// listPrivate lists all private keys without their public halves.
func (t *Token) listPrivate(ctx context.Context) (keys []KeyInfo, err error) {
	err = t.use(ctx, "list keys", func(ctx context.Context, s *session) error {
		type answer struct{ keys []KeyInfo }
		a := new(answer)
		err := s.do(ctx, "find", func() error {
			lib := t.m.lib
			handles, err := lib.find(s.h, []attribute{{ckaClass, uint(ckoPrivateKey)}}, maxObjects)
			if err == nil && len(handles) == 0 {
				err = s.mustSee(lib)
			}
			if err != nil {
				return err
			}
			for _, h := range handles {
				k, err := s.name(lib, h)
				if s.vanished(lib, err) {
					continue
				}
				if err != nil {
					return err
				}
				a.keys = append(a.keys, k)
			}
			return nil
		})
		if err == nil {
			keys = a.keys
		}
		return err
	})
	return keys, err
}

func (q Query) template() (t []attribute) {
	if len(q.ID) > 0 {
		t = append(t, attribute{ckaID, q.ID})
	}
	if q.Label != "" {
		t = append(t, attribute{ckaLabel, q.Label})
	}
	return t
}

// one returns the only element of keys that fits.
func one(q Query, keys []found, fits func(found) bool) (found, error) {
	var fit []found
	for _, k := range keys {
		if fits(k) {
			fit = append(fit, k)
		}
	}
	switch len(fit) {
	case 1:
		return fit[0], nil
	case 0:
		return found{}, fmt.Errorf("%w: %s", ErrKeyNotFound, q)
	}
	e := &AmbiguousKeyError{Query: q}
	for _, k := range fit {
		e.Keys = append(e.Keys, k.KeyInfo)
	}
	return found{}, e
}

// DeleteKey destroys the one private key that q fits, and its public object.
func (t *Token) DeleteKey(ctx context.Context, q Query) error {
	keys, err := t.findKeys(ctx, q)
	if err != nil {
		return err
	}
	k, err := one(q, keys, func(found) bool { return true })
	if err != nil {
		return err
	}
	if len(k.ID) == 0 && k.Label == "" {
		return fmt.Errorf("%w: %s has no name to delete it by", ErrUnsupported, k)
	}
	return t.use(ctx, "delete key", func(ctx context.Context, s *session) error {
		return s.destroyNamed(ctx, Query{ID: k.ID, Label: k.Label}.template())
	})
}

// destroyNamed destroys all key objects that template describes. There may be
// none.
func (s *session) destroyNamed(ctx context.Context, template []attribute) error {
	return s.do(ctx, "destroy", func() error {
		lib := s.t.m.lib
		for _, class := range []uint{ckoPrivateKey, ckoPublicKey} {
			handles, err := lib.find(s.h, append([]attribute{{ckaClass, class}}, template...), maxObjects)
			if err == nil && len(handles) == 0 {
				err = s.mustSee(lib)
			}
			if err != nil {
				return err
			}
			for _, h := range handles {
				if err := lib.destroy(s.h, h); err != nil && !s.vanished(lib, err) {
					return err
				}
			}
		}
		return nil
	})
}
