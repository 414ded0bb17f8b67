package inspect

import (
	"fmt"
	"strconv"
	"time"

	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/provider"
)

// named returns the names of an enum; list begins with the value 1. A value
// without a name is a GREASE value, one for private use, or unknown.
func named(list ...string) func(v uint64) string {
	return func(v uint64) string {
		if v >= 1 && v <= uint64(len(list)) {
			return list[v-1]
		}
		switch {
		case v == 0:
			return "reserved"
		case v <= 0xFFFF && proto.IsGREASE(uint16(v)):
			return "GREASE"
		case v >= 0xF000 && v <= 0xFFFF:
			return "private use"
		}
		return "unknown"
	}
}

// The enums of RFC 9420.
var (
	versionName       = named("mls10")
	wireFormatName    = named("mls_public_message", "mls_private_message", "mls_welcome", "mls_group_info", "mls_key_package")
	contentTypeName   = named("application", "proposal", "commit")
	senderTypeName    = named("member", "external", "new_member_proposal", "new_member_commit")
	proposalTypeName  = named("add", "update", "remove", "psk", "reinit", "external_init", "group_context_extensions")
	proposalOrRefName = named("proposal", "reference")
	extensionName     = named("application_id", "ratchet_tree", "required_capabilities", "external_pub", "external_senders")
	credentialName    = named("basic", "x509")
	leafSourceName    = named("key_package", "update", "commit")
	nodeTypeName      = named("leaf", "parent")
	pskTypeName       = named("external", "resumption")
	pskUsageName      = named("application", "reinit", "branch")
	otherSuite        = named()
)

func suiteName(v uint64) string {
	if p, ok := provider.ParamsOf(provider.CipherSuite(v)); ok {
		return p.Name
	}
	return otherSuite(v)
}

// lastDate is 9999-12-31T23:59:59Z, the last second that has a date of four digits.
const lastDate = 253402300799

// dateName is a time in seconds since 1970-01-01 UTC as a date.
func dateName(v uint64) string {
	if v > lastDate {
		return "after the year 9999"
	}
	return time.Unix(int64(v), 0).UTC().Format(time.RFC3339)
}

// maxQuoted is how many received bytes are quoted.
const maxQuoted = 256

// Quote returns received bytes as a quoted string of printable ASCII characters,
// so that nothing in it reaches a terminal: no control character, nothing that
// changes the direction of writing, no letter that looks like another.
func Quote(b []byte) string {
	if len(b) > maxQuoted {
		return strconv.QuoteToASCII(string(b[:maxQuoted])) + fmt.Sprintf("… %d more bytes", len(b)-maxQuoted)
	}
	return strconv.QuoteToASCII(string(b))
}
