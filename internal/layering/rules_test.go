// Package layering holds the tests that keep the module's shape: which package
// may import which, where third-party modules may appear, what the engine must
// not touch, and where secrets are compared. It has no code of its own.
//
// Do not change the tables of this file to make a build pass. A new package
// gets a row when its place has been thought about; docs/architecture.md has
// the reasons.
package layering

// module is the path of this module.
const module = "github.com/hardmls/hardmls"

// layers is the import order. A package imports only packages of earlier
// layers, never one of its own: schedule, secrettree and ratchettree, for
// instance, know nothing of each other. A pattern that ends in "/..." means the
// packages below it as well, and those may import one another.
//
// Imports of tests do not count; testvectors, for instance, is for every test.
var layers = [][]string{
	{"internal/check"},
	{"internal/wire", "internal/treemath", "internal/secret", "internal/x509key", "internal/asm/cpu"},
	{"internal/asm/..."},
	{"provider"},
	{"provider/soft", "provider/providertest", "storage/..."},
	{"provider/asm", "provider/pkcs11"},
	{"provider/auto"},
	{"internal/labels", "internal/proto"},
	{"internal/schedule", "internal/secrettree", "internal/ratchettree"},
	{"internal/framing", "internal/proposal"},
	{"mls", "internal/inspect"},
	{"mls/host", "mls/x509auth", "testvectors"},
	{"internal/conformance", "internal/franken", "internal/simulation"},
	{"bench/workload"},
	{"bench", "cmd/...", "examples/...", "testvectors/fetch", "testvectors/generate"},
}

// A fence says who may import what stands behind it.
type fence struct {
	behind []string
	open   []string
	reason string
}

// fences are rules beside the order.
var fences = []fence{
	{
		behind: []string{"provider/soft", "provider/asm", "provider/auto", "provider/pkcs11", "storage/...", "internal/asm/..."},
		open:   []string{"provider/...", "storage/...", "internal/asm/...", "bench/...", "cmd/...", "examples/...", "testvectors/generate"},
		reason: "the engine knows the contract and no backend",
	},
	{
		behind: []string{"provider/providertest"},
		open:   []string{"internal/franken", "internal/simulation", "testvectors/generate"},
		reason: "toy cryptography and repeatable randomness are for tests",
	},
	{
		behind: []string{"github.com/cloudflare/circl/..."},
		open:   []string{"provider/soft"},
		reason: "X448 and Ed448 are soft's",
	},
	{
		behind: []string{"golang.org/x/crypto/..."},
		open:   []string{"provider/soft"},
		reason: "ChaCha20-Poly1305 is soft's",
	},
	{
		behind: []string{"filippo.io/edwards25519/..."},
		open:   []string{"provider/soft"},
		reason: "curve arithmetic is soft's",
	},
	{
		behind: []string{"golang.org/x/sys/..."},
		open:   []string{"internal/asm/cpu", "provider/auto", "cmd/..."},
		reason: "CPU features, and the terminal of the tool",
	},
	{
		behind: []string{"github.com/klauspost/cpuid/v2/..."},
		open:   []string{"internal/asm/cpu"},
		reason: "CPU features",
	},
	{
		behind: []string{"github.com/spf13/cobra/...", "github.com/vbauerster/mpb/v8/...", "golang.org/x/term/...", "golang.org/x/perf/benchmath/..."},
		open:   []string{"cmd/..."},
		reason: "libraries of the command line",
	},
	{
		behind: []string{"go.etcd.io/bbolt/..."},
		open:   []string{"storage/bbolt"},
		reason: "the file format is one engine's",
	},
	{
		behind: []string{"github.com/miekg/pkcs11/..."},
		open:   []string{"provider/pkcs11"},
		reason: "Cryptoki is pkcs11's",
	},
	{
		behind: []string{"crypto/rand", "math/rand", "math/rand/v2"},
		open:   []string{"provider/...", "storage/...", "bench/...", "cmd/...", "examples/...", "internal/franken", "internal/simulation", "testvectors/generate"},
		reason: "the engine's one source of randomness is provider.Crypto.Rand",
	},
	{
		behind: []string{"unsafe", "C", "plugin"},
		open:   []string{"provider/pkcs11", "internal/asm/..."},
		reason: "memory safety can be read off the source",
	},
	{
		behind: []string{"reflect"},
		open:   []string{"provider/providertest", "internal/conformance", "internal/simulation", "cmd/..."},
		reason: "what the engine does to a type is written out",
	},
	{
		behind: []string{"os/...", "net/...", "log", "syscall", "path/filepath"},
		open:   []string{"provider/auto", "provider/pkcs11", "storage/bbolt", "internal/asm/cpu", "internal/conformance", "testvectors/...", "bench/...", "cmd/...", "examples/..."},
		reason: "the engine reads no environment, opens no file or socket and logs nothing; the application does",
	},
}

// embedded are the packages that an application embeds, and modules all that
// they may need besides the standard library.
var (
	embedded = []string{"mls/...", "provider/...", "storage/..."}
	modules  = []string{
		"filippo.io/edwards25519",
		"github.com/cloudflare/circl",
		"github.com/klauspost/cpuid/v2",
		"github.com/miekg/pkcs11",
		"go.etcd.io/bbolt",
		"golang.org/x/crypto",
		"golang.org/x/sys",
	}
)
