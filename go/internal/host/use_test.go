package host_test

import (
	"os"
	"testing"

	"github.com/epperf/epperf/go/internal/host"
)

func TestWhatAProcessOpensIsCounted(t *testing.T) {
	before, err := host.Use()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	after, err := host.Use()
	if err != nil {
		t.Fatal(err)
	}
	if after.GetDescriptors() != before.GetDescriptors()+1 || after.GetThreads() == 0 || after.GetMappings() == 0 || after.GetResidentBytes() < 1<<16 {
		t.Errorf("before %v, after %v", before, after)
	}
}
