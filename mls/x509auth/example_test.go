package x509auth_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/mls/x509auth"
)

// A group whose members are vouched for by an authority.
func Example() {
	var authority []byte // PEM, from the application's configuration
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	auth, err := x509auth.New(x509auth.Config{Roots: roots})
	if err != nil {
		panic(err)
	}
	config := mls.Config{Authenticator: auth}

	// Nobody else's credential is accepted.
	stranger := mls.AuthRequest{Credential: mls.BasicCredential([]byte("stranger"))}
	errs := config.Authenticator.Authenticate(context.Background(), []mls.AuthRequest{stranger})
	fmt.Println(errors.Is(errs[0], x509auth.ErrNotX509))
	// Output:
	// true
}
