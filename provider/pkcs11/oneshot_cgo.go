//go:build cgo && unix && !nopkcs11

package pkcs11

/*
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

// What is needed of pkcs11.h on Unix, where its structures are not packed.
typedef unsigned long ck_ulong;
typedef unsigned char ck_byte;
struct ck_list      { struct { ck_byte major, minor; } version; void *f[68]; };
struct ck_mechanism { ck_ulong type; void *param; ck_ulong len; };
struct ck_attribute { ck_ulong type; void *value; ck_ulong len; };
struct ck_ecdh1     { ck_ulong kdf, shared_len; ck_byte *shared; ck_ulong public_len; ck_byte *public_data; };
struct ck_session   { ck_ulong slot, state, flags, device_error; };

// Places in CK_FUNCTION_LIST, PKCS#11 v2.40 §4.3.
enum { F_GETSESSIONINFO = 15, F_LOGIN = 18, F_DESTROYOBJECT = 22, F_GETATTRIBUTEVALUE = 24,
       F_SIGNINIT = 42, F_SIGN = 43, F_DERIVEKEY = 62, F_GENERATERANDOM = 64 };

typedef ck_ulong (*fn_session)(ck_ulong, struct ck_session *);
typedef ck_ulong (*fn_login)(ck_ulong, ck_ulong, ck_byte *, ck_ulong);
typedef ck_ulong (*fn_destroy)(ck_ulong, ck_ulong);
typedef ck_ulong (*fn_read)(ck_ulong, ck_ulong, struct ck_attribute *, ck_ulong);
typedef ck_ulong (*fn_signinit)(ck_ulong, struct ck_mechanism *, ck_ulong);
typedef ck_ulong (*fn_sign)(ck_ulong, ck_byte *, ck_ulong, ck_byte *, ck_ulong *);
typedef ck_ulong (*fn_derive)(ck_ulong, struct ck_mechanism *, ck_ulong, struct ck_attribute *, ck_ulong, ck_ulong *);
typedef ck_ulong (*fn_random)(ck_ulong, ck_byte *, ck_ulong);

static struct ck_list *oneshot_load(const char *path, const char **why) {
	void *h = dlopen(path, RTLD_LAZY);
	if (h == NULL) { *why = dlerror(); return NULL; }
	ck_ulong (*get)(struct ck_list **) = (ck_ulong (*)(struct ck_list **))dlsym(h, "C_GetFunctionList");
	if (get == NULL) { *why = "it has no C_GetFunctionList"; dlclose(h); return NULL; }
	struct ck_list *list = NULL;
	if (get(&list) != 0 || list == NULL) { *why = "C_GetFunctionList fails"; dlclose(h); return NULL; }
	return list;
}

static ck_ulong oneshot_session_slot(struct ck_list *l, ck_ulong s, ck_ulong *slot) {
	struct ck_session info;
	ck_ulong rv = ((fn_session)l->f[F_GETSESSIONINFO])(s, &info);
	*slot = info.slot;
	return rv;
}

static ck_ulong oneshot_login(struct ck_list *l, ck_ulong s, ck_ulong user, ck_byte *pin, ck_ulong n) {
	return ((fn_login)l->f[F_LOGIN])(s, user, pin, n);
}

// A signature buffer of the exact size comes first: NSS takes no other for
// EdDSA. Who wants more room gets it, once.
static ck_ulong oneshot_sign(struct ck_list *l, ck_ulong s, ck_ulong mech, ck_ulong key,
		ck_byte *data, ck_ulong n, ck_byte *sig, ck_ulong *siglen, ck_byte *pin, ck_ulong pinlen) {
	struct ck_mechanism m = { mech, NULL, 0 };
	ck_byte empty = 0, big[512];
	ck_ulong rv = ((fn_signinit)l->f[F_SIGNINIT])(s, &m, key), want = *siglen;
	if (rv != 0) return rv;
	if (pin != NULL) {
		rv = ((fn_login)l->f[F_LOGIN])(s, 2, pin, pinlen);
		if (rv != 0 && rv != 0x100) return rv;
	}
	if (data == NULL) data = &empty;
	rv = ((fn_sign)l->f[F_SIGN])(s, data, n, sig, siglen);
	if (rv != 0x150) return rv;
	*siglen = sizeof big;
	rv = ((fn_sign)l->f[F_SIGN])(s, data, n, big, siglen);
	if (rv == 0 && *siglen == want) memcpy(sig, big, want);
	return rv;
}

static ck_ulong oneshot_derive(struct ck_list *l, ck_ulong s, ck_ulong key, ck_byte *pub, ck_ulong publen,
		ck_byte *out, ck_ulong *outlen) {
	struct ck_ecdh1 p = { 1, 0, NULL, publen, pub };
	struct ck_mechanism m = { 0x1050, &p, sizeof p };
	ck_ulong class = 4, type = 0x10, len = *outlen, secret = 0;
	ck_byte no = 0, yes = 1;
	struct ck_attribute t[] = {
		{ 0x000, &class, sizeof class }, { 0x100, &type, sizeof type }, { 0x001, &no, 1 },
		{ 0x103, &no, 1 }, { 0x162, &yes, 1 }, { 0x161, &len, sizeof len },
	};
	ck_ulong rv = ((fn_derive)l->f[F_DERIVEKEY])(s, &m, key, t, 6, &secret);
	if (rv != 0) return rv;
	struct ck_attribute v = { 0x011, out, len };
	rv = ((fn_read)l->f[F_GETATTRIBUTEVALUE])(s, secret, &v, 1);
	*outlen = v.len;
	ck_ulong rv2 = ((fn_destroy)l->f[F_DESTROYOBJECT])(s, secret);
	return rv != 0 ? rv : rv2;
}

static ck_ulong oneshot_random(struct ck_list *l, ck_ulong s, ck_byte *out, ck_ulong n) {
	return ((fn_random)l->f[F_GENERATERANDOM])(s, out, n);
}

static void oneshot_free(void *p) { extern void free(void *); free(p); }
*/
import "C"

import "unsafe"

// A oneshot is the function list of a module, for the calls of which there are
// many: several Cryptoki calls in one crossing of cgo, with buffers of the
// exact size and without copies in C memory.
type oneshot struct{ list *C.struct_ck_list }

// loadOneshot opens the module, and says why where it cannot.
func loadOneshot(path string) (list oneshot, why string) {
	name := C.CString(path)
	defer C.oneshot_free(unsafe.Pointer(name))
	var reason *C.char
	l := C.oneshot_load(name, &reason)
	if l == nil {
		return oneshot{}, C.GoString(reason)
	}
	return oneshot{l}, ""
}

func pointer(b []byte) *C.ck_byte {
	if len(b) == 0 {
		return nil
	}
	return (*C.ck_byte)(unsafe.Pointer(unsafe.SliceData(b)))
}

func answer(code C.ck_ulong) error {
	if code == 0 {
		return nil
	}
	return rv(code)
}

// shares reports whether this function list knows a session that was opened
// through another one. A module that keeps its state per list does not.
func (o oneshot) shares(s sessionHandle, slot uint) bool {
	var got C.ck_ulong
	return C.oneshot_session_slot(o.list, C.ck_ulong(s), &got) == 0 && uint(got) == slot
}

func (o oneshot) login(s sessionHandle, user uint, pin []byte) error {
	return answer(C.oneshot_login(o.list, C.ck_ulong(s), C.ck_ulong(user), pointer(pin), C.ck_ulong(len(pin))))
}

func (o oneshot) sign(s sessionHandle, mechanism uint, key objectHandle, data, sig, pin []byte) error {
	n := C.ck_ulong(len(sig))
	code := C.oneshot_sign(o.list, C.ck_ulong(s), C.ck_ulong(mechanism), C.ck_ulong(key),
		pointer(data), C.ck_ulong(len(data)), pointer(sig), &n, pointer(pin), C.ck_ulong(len(pin)))
	if code == 0 && int(n) != len(sig) {
		return errSignatureLength
	}
	return answer(code)
}

func (o oneshot) derive(s sessionHandle, key objectHandle, peer, out []byte) error {
	n := C.ck_ulong(len(out))
	code := C.oneshot_derive(o.list, C.ck_ulong(s), C.ck_ulong(key), pointer(peer), C.ck_ulong(len(peer)), pointer(out), &n)
	if code == 0 && int(n) != len(out) {
		return errSecretLength
	}
	return answer(code)
}

func (o oneshot) random(s sessionHandle, out []byte) error {
	return answer(C.oneshot_random(o.list, C.ck_ulong(s), pointer(out), C.ck_ulong(len(out))))
}
