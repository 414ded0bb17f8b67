package auto_test

import (
	"fmt"
	"strings"

	"github.com/hardmls/hardmls/provider/auto"
)

// The report says which implementation runs each primitive; print it whole
// where a person or a log should see it.
func ExampleNew_report() {
	_, report, err := auto.New(auto.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("named:", report.Backend != "")
	for _, c := range report.Choices {
		if strings.HasPrefix(c.Primitive, "aead/") {
			fmt.Println(c.Primitive, "self-test passed:", c.SelfTest == nil)
		}
	}
	// Output:
	// named: true
	// aead/aes128gcm self-test passed: true
	// aead/aes256gcm self-test passed: true
	// aead/chacha20poly1305 self-test passed: true
}
