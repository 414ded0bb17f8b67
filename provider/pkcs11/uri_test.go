package pkcs11

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestParseURI(t *testing.T) {
	slot := uint(17)
	for uri, want := range map[string]URI{
		"pkcs11:":                                                {},
		"pkcs11:token=mls":                                       {Token: "mls"},
		"pkcs11:token=My%20token%3B;object=a":                    {Token: "My token;", Object: "a"},
		"pkcs11:id=%00%ff;type=private":                          {ID: []byte{0, 0xff}, Type: "private"},
		"pkcs11:serial=1;manufacturer=m;model":                   {},
		"pkcs11:serial=1;manufacturer=m;model=x;slot-id=17":      {Serial: "1", Manufacturer: "m", Model: "x", SlotID: &slot},
		"pkcs11:token=a?module-path=/usr/lib/x.so":               {Token: "a", ModulePath: "/usr/lib/x.so"},
		"pkcs11:token=a?pin-value=12%2634&module-path=/lib/x.so": {Token: "a", ModulePath: "/lib/x.so", pinValue: "12&34"},
		"pkcs11:token=a?pin-source=file:/etc/pin":                {Token: "a", pinSource: "file:/etc/pin"},
		"pkcs11:token=a;token=b":                                 {},
		"pkcs11:slot-id=-1":                                      {},
		"pkcs11:slot-id=x":                                       {},
		"pkcs11:type=cert":                                       {},
		"pkcs11:token=%zz":                                       {},
		"pkcs11:pin-value=1":                                     {},
		"pkcs11:token=a?token=b":                                 {},
		"pkcs11:vendor=x":                                        {},
		"pkcs11:token=a;":                                        {},
		"PKCS11:token=a":                                         {},
		"":                                                       {},
		"https://example.org":                                    {},
	} {
		got, err := ParseURI(uri)
		if bad := reflect.DeepEqual(want, URI{}) && uri != "pkcs11:"; bad != (err != nil) {
			t.Errorf("%q: %v", uri, err)
			continue
		}
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %#v", uri, got)
		}
	}
}

// TestURIHidesThePIN in what it prints and in errors.
func TestURIHidesThePIN(t *testing.T) {
	u, err := ParseURI("pkcs11:token=a?pin-value=topsecret")
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, v := range []any{u, &u, []URI{u}, struct{ U URI }{u}} {
			if s := fmt.Sprintf(verb, v); strings.Contains(s, "topsecret") || strings.Contains(s, fmt.Sprintf("%x", "topsecret")) {
				t.Errorf("%s of %T: %s", verb, v, s)
			}
		}
	}
	if _, err := ParseURI("pkcs11:token=a?pin-value=topsecret%z"); err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("the error: %v", err)
	}
}

func TestURIPIN(t *testing.T) {
	for uri, want := range map[string]string{
		"pkcs11:?pin-value=1234":                              "1234",
		"pkcs11:?pin-value=1234&pin-source=/x":                "",
		"pkcs11:?pin-source=relative":                         "",
		"pkcs11:?pin-source=file://host/x":                    "",
		"pkcs11:?pin-source=http:/x":                          "",
		"pkcs11:?pin-source=file:" + t.TempDir() + "/missing": "",
	} {
		c := Config{Module: "x", URI: uri, AllowURIPIN: true}
		err := c.fill()
		var pin []byte
		if err == nil {
			pin, err = c.PIN(t.Context(), TokenInfo{})
		}
		if string(pin) != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", uri, pin, err)
		}
		c = Config{Module: "x", URI: uri}
		if err := c.fill(); err == nil {
			t.Errorf("%q without AllowURIPIN: no error", uri)
		}
	}
}

func FuzzParseURI(f *testing.F) {
	f.Add("pkcs11:token=My%20token;id=%00%ff;slot-id=3;type=private?module-path=/usr/lib/x.so")
	f.Add("pkcs11:object=%C3%A4;serial=0?pin-value=1")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseURI(s)
		if err != nil {
			if !reflect.DeepEqual(u, URI{}) {
				t.Errorf("%q: an error and %v", s, u)
			}
			return
		}
		again, err := ParseURI(u.String())
		if err != nil {
			t.Fatalf("%q became %q: %v", s, u.String(), err)
		}
		u.pinValue, u.pinSource = "", ""
		if len(u.ID) == 0 {
			u.ID = nil
		}
		if !reflect.DeepEqual(again, u) {
			t.Errorf("%q became %q", s, u.String())
		}
	})
}
