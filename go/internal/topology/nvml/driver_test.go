package nvml

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/topology"
)

// No mock links what perf links: this goes through the calls themselves, into a library that is
// loaded at run time.
func TestCallsReachTheDriversLibrary(t *testing.T) {
	driver, err := filepath.Abs(filepath.Join("../../../..", os.Getenv("FAKE_DRIVER")))
	if err != nil || os.Getenv("FAKE_DRIVER") == "" {
		t.Skipf("skipped: no driver to load (%v); run the test with Bazel", err)
	}
	gpus, err := gpusOf(driver)
	if err != nil {
		t.Fatal(err)
	}
	linked := topology.Peer{Distance: topology.PIX, NVLinks: 4}
	want := []topology.GPU{
		{Name: "Fake GPU 0", UUID: "GPU-fake-0", PCI: "0000:1b:00.0", Peers: []topology.Peer{{}, linked}},
		{Name: "Fake GPU 1", UUID: "GPU-fake-1", PCI: "0000:1c:00.0", Peers: []topology.Peer{linked, {}}},
	}
	if diff := cmp.Diff(want, gpus); diff != "" {
		t.Errorf("GPUs (-want +got):\n%s", diff)
	}
}

func TestWithoutADriverTheErrorSaysSo(t *testing.T) {
	_, err := gpusOf("libepperf-none.so.1")
	var none *NoDriverError
	if !errors.As(err, &none) {
		t.Errorf("%v is no NoDriverError", err)
	}
}
