// A PKCS#11 module that passes every call on to another one (SHIM_MODULE) and, as a
// shared file says (SHIM_CONTROL), counts calls, delays signatures and makes calls
// fail, hang, lie or crash. It knows functions by their place in CK_FUNCTION_LIST
// (PKCS#11 v2.40, §4.3): every argument is a word, and no function has more than eight.

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef unsigned long word;
typedef word (*function)(word, word, word, word, word, word, word, word);

enum { FUNCTIONS = 68, GET_FUNCTION_LIST = 3, SIGN_INIT = 42, SIGN = 43 };
enum { ANSWER, ANSWER_AFTER, ABORT, HANG, CORRUPT };

struct list {
	struct { unsigned char major, minor; } version;
	function f[FUNCTIONS];
};

// control is what a test writes and reads, in 32-bit words.
struct control {
	unsigned calls[FUNCTIONS]; // how often each function was called
	unsigned delay;            // of each call of a signature, in microseconds
	unsigned function;         // the one at fault
	unsigned times;            // how often from now on
	unsigned mode, rv;         // what happens, and what it answers
	unsigned replay;           // answer with the last signature, without asking the token
};

static struct control *control;
static struct list *real;
static struct list shim;
static unsigned char signature[64]; // the last one, of Ed25519

static int due(int i)
{
	unsigned n;
	if (control->function != (unsigned)i)
		return 0;
	do {
		n = control->times;
		if (n == 0)
			return 0;
	} while (!__sync_bool_compare_and_swap(&control->times, n, n - 1));
	return 1;
}

static word call(int i, word a, word b, word c, word d, word e, word f, word g, word h)
{
	word rv;
	int now;
	__sync_fetch_and_add(&control->calls[i], 1);
	if (control->delay && (i == SIGN_INIT || i == SIGN))
		usleep(control->delay);
	if (control->replay && i == SIGN_INIT)
		return 0;
	if (control->replay && i == SIGN) {
		if (d != 0)
			memcpy((void *)d, signature, sizeof signature);
		*(word *)e = sizeof signature;
		return 0;
	}
	now = due(i);
	if (now && control->mode == ANSWER)
		return control->rv;
	if (now && control->mode == ABORT)
		abort();
	while (now && control->mode == HANG)
		pause();
	rv = real->f[i](a, b, c, d, e, f, g, h);
	if (i == SIGN && rv == 0 && d != 0 && *(word *)e == sizeof signature)
		memcpy(signature, (void *)d, sizeof signature);
	if (now && control->mode == ANSWER_AFTER && rv == 0)
		return control->rv;
	if (now && control->mode == CORRUPT && i == SIGN && rv == 0 && d != 0)
		((unsigned char *)d)[7] ^= 0x40; // of the signature
	return rv;
}

#define WRAP(i) static word wrap##i(word a, word b, word c, word d, word e, word f, word g, word h) \
	{ return call(i, a, b, c, d, e, f, g, h); }
#define EACH(X) X(0) X(1) X(2) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) \
	X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32) X(33) X(34) X(35) \
	X(36) X(37) X(38) X(39) X(40) X(41) X(42) X(43) X(44) X(45) X(46) X(47) X(48) X(49) X(50) X(51) X(52) X(53) \
	X(54) X(55) X(56) X(57) X(58) X(59) X(60) X(61) X(62) X(63) X(64) X(65) X(66) X(67)
EACH(WRAP)

word C_GetFunctionList(struct list **out)
{
	void *module;
	word (*get)(struct list **);
	int fd;
	if (real == NULL) {
		fd = open(getenv("SHIM_CONTROL"), O_RDWR);
		control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		module = dlopen(getenv("SHIM_MODULE"), RTLD_NOW);
		if (fd < 0 || control == MAP_FAILED || module == NULL)
			return 5; // CKR_GENERAL_ERROR
		get = (word (*)(struct list **))dlsym(module, "C_GetFunctionList");
		if (get == NULL || get(&real) != 0)
			return 5;
		shim.version = real->version;
#define PUT(i) shim.f[i] = wrap##i;
		EACH(PUT)
		shim.f[GET_FUNCTION_LIST] = (function)(void *)C_GetFunctionList;
	}
	*out = &shim;
	return 0;
}
