package soft

import "github.com/cloudflare/circl/dh/x448"

// curve448 is X448 of RFC 7748 §5 by circl, which is the only implementation
// at hand: the standard library has none.
type curve448 struct{}

type key448 struct{ private x448.Key }

func (curve448) parse(private, pub []byte) (scalar, bool) {
	k := new(key448)
	if len(private) != len(k.private) {
		return nil, false
	}
	copy(k.private[:], private)
	var p x448.Key
	x448.KeyGen(&p, &k.private)
	copy(pub, p[:])
	return k, true
}

func (k *key448) dh(out, pub []byte) error {
	var shared, p x448.Key
	if len(pub) != len(p) {
		return errPoint
	}
	copy(p[:], pub)
	x448.Shared(&shared, &k.private, &p)
	copy(out, shared[:])
	return refuseZero(shared[:])
}

func (k *key448) wipe() { clear(k.private[:]) }

// check refuses 0, 1, p-1, p and p+1, the u-coordinates of small order.
func (curve448) check(pub []byte) error {
	if len(pub) != x448.Size {
		return errPoint
	}
	for _, low := range low448 {
		if x448.Key(pub) == low {
			return errPoint
		}
	}
	return nil
}

var low448 = func() (low [5]x448.Key) {
	low[1][0] = 1
	for i := range low[2] {
		low[2][i] = 0xff // p = 2^448 - 2^224 - 1
	}
	low[2][28] = 0xfe
	low[3] = low[2]
	low[2][0] = 0xfe // p - 1
	for i := 28; i < len(low[4]); i++ {
		low[4][i] = 0xff // p + 1 = 2^448 - 2^224
	}
	return low
}()
