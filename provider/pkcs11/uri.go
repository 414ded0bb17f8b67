package pkcs11

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// A URI is a PKCS #11 URI, RFC 7512: a token, a key in it, and how to get
// there. Empty fields were not given.
type URI struct {
	Token, Manufacturer, Serial, Model string
	SlotID                             *uint
	Object                             string // CKA_LABEL
	ID                                 []byte // CKA_ID
	Type                               string // "private", "public", "cert", ...
	ModulePath                         string

	pinValue, pinSource string
}

// ParseURI parses an RFC 7512 URI. Attributes that this package does not use to
// find a token or a key are errors, so that a URI never finds more than it
// says. An error never shows the PIN.
func ParseURI(s string) (URI, error) {
	rest, ok := strings.CutPrefix(s, "pkcs11:")
	if !ok {
		return URI{}, fmt.Errorf("pkcs11: URI: it does not begin with pkcs11")
	}
	path, query, _ := strings.Cut(rest, "?")
	var u URI
	seen := map[string]bool{}
	for _, part := range []struct{ list, sep string }{{path, ";"}, {query, "&"}} {
		if part.list == "" {
			continue
		}
		for attr := range strings.SplitSeq(part.list, part.sep) {
			name, value, ok := strings.Cut(attr, "=")
			if !ok {
				return URI{}, fmt.Errorf("pkcs11: URI: an attribute has no value")
			}
			if seen[name] {
				return URI{}, fmt.Errorf("pkcs11: URI: %q stands twice", name)
			}
			seen[name] = true
			plain, err := url.PathUnescape(value)
			if err != nil {
				return URI{}, fmt.Errorf("pkcs11: URI: %q has a bad percent encoding", name)
			}
			if !u.set(part.sep == "&", name, plain) {
				return URI{}, fmt.Errorf("pkcs11: URI: %q is unknown, out of place or not well formed", name)
			}
		}
	}
	return u, nil
}

func (u *URI) set(query bool, name, value string) bool {
	if query {
		switch name {
		case "module-path":
			u.ModulePath = value
		case "pin-value":
			u.pinValue = value
		case "pin-source":
			u.pinSource = value
		default:
			return false
		}
		return true
	}
	switch name {
	case "token":
		u.Token = value
	case "manufacturer":
		u.Manufacturer = value
	case "serial":
		u.Serial = value
	case "model":
		u.Model = value
	case "object":
		u.Object = value
	case "id":
		u.ID = []byte(value)
	case "type":
		u.Type = value
		return value == "private" || value == "public"
	case "slot-id":
		n, err := strconv.ParseUint(value, 10, 32)
		id := uint(n)
		u.SlotID = &id
		return err == nil
	default:
		return false
	}
	return true
}

// String returns the URI without a PIN.
func (u URI) String() string {
	var path []string
	for _, a := range []struct{ name, value string }{
		{"token", u.Token}, {"manufacturer", u.Manufacturer}, {"serial", u.Serial},
		{"model", u.Model}, {"object", u.Object}, {"type", u.Type},
	} {
		if a.value != "" {
			path = append(path, a.name+"="+escape(a.value, false))
		}
	}
	if len(u.ID) > 0 {
		path = append(path, "id="+escape(string(u.ID), true))
	}
	if u.SlotID != nil {
		path = append(path, fmt.Sprintf("slot-id=%d", *u.SlotID))
	}
	s := "pkcs11:" + strings.Join(path, ";")
	if u.ModulePath != "" {
		s += "?module-path=" + escape(u.ModulePath, false)
	}
	return s
}

// GoString is String, so that no verb prints a PIN.
func (u URI) GoString() string { return u.String() }

// Format prints String for every verb.
func (u URI) Format(f fmt.State, _ rune) { fmt.Fprint(f, u.String()) }

// escape percent-encodes what RFC 7512 §2.3 does not allow as it is; all of it
// if asked to, which is usual for binary identifiers.
func escape(s string, all bool) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if !all && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/:", c) >= 0) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func (u URI) hasPIN() bool { return u.pinValue != "" || u.pinSource != "" }

func (u URI) pin() (PINSource, error) {
	if u.pinValue != "" && u.pinSource != "" {
		return nil, fmt.Errorf("pkcs11: URI: pin-value and pin-source exclude each other")
	}
	if u.pinValue != "" {
		return PINValue([]byte(u.pinValue)), nil
	}
	path := u.pinSource
	if after, ok := strings.CutPrefix(path, "file:"); ok {
		path = after
		if strings.HasPrefix(path, "//") { // file://host/path: only an empty host
			if path = path[2:]; !strings.HasPrefix(path, "/") {
				return nil, fmt.Errorf("pkcs11: URI: pin-source names another host")
			}
		}
	}
	if !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("pkcs11: URI: pin-source must be file: with an absolute path")
	}
	return PINFile(path), nil
}
