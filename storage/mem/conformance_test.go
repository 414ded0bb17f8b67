package mem_test

import (
	"testing"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
	"github.com/hardmls/hardmls/storage/mem"
)

func TestConformance(t *testing.T) {
	providertest.TestStorage(t, func(testing.TB) provider.Storage { return mem.New() })
}
