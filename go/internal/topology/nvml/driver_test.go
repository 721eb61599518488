package nvml

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
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

// needed are the functions without which there is nothing to say of GPUs, and what is said then.
var needed = map[string]string{
	"nvmlInit_v2":                   "no driver tells of GPUs: the driver does not start: not fine",
	"nvmlDeviceGetCount_v2":         "no driver tells of GPUs: count GPUs: not fine",
	"nvmlDeviceGetHandleByIndex_v2": "no driver tells of GPUs: GPU 0: open it: not fine",
	"nvmlDeviceGetPciInfo_v3":       "no driver tells of GPUs: GPU 0: find its PCI address: not fine",
}

// Drivers may be stubs, older, or partly there. Whatever one lacks, no call ends the process, and what can
// be said of its GPUs is said.
func TestADriverMayLackAnyFunction(t *testing.T) {
	driver, err := filepath.Abs(filepath.Join("../../../..", os.Getenv("FAKE_DRIVER")))
	if err != nil || os.Getenv("FAKE_DRIVER") == "" {
		t.Skipf("skipped: no driver to load (%v); run the test with Bazel", err)
	}
	library, err := os.ReadFile(driver)
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Compact(slices.Sorted(slices.Values(regexp.MustCompile(`nvml[A-Za-z_0-9]+`).FindAllString(string(library), -1))))
	if len(names) < 10 {
		t.Fatalf("functions of the driver: %q", names)
	}
	lacking := func(names ...string) string {
		without := library
		for _, name := range names {
			without = bytes.ReplaceAll(without, []byte("\x00"+name+"\x00"), []byte("\x00x"+name[1:]+"\x00"))
		}
		path := filepath.Join(t.TempDir(), "libnvidia-ml.so.1")
		if err := os.WriteFile(path, without, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, function := range names {
		gpus, err := gpusOf(lacking(function))
		if want := needed[function]; want != "" {
			if err == nil || err.Error() != want {
				t.Errorf("without %s: %v; want %s", function, err, want)
			}
		} else if err != nil || len(gpus) != 2 {
			t.Errorf("without %s: %v, %v", function, gpus, err)
		}
		if gauge := openOf(lacking(function), "GPU-fake-0"); gauge != nil { // the fake has nothing that it reads
			gauge.State()
			gauge.Close()
		}
	}
	const code = "no driver tells of GPUs: the driver does not start: NVML error 13"
	if _, err := gpusOf(lacking("nvmlInit_v2", "nvmlErrorString")); err == nil || err.Error() != code {
		t.Errorf("without words for its errors: %v; want %s", err, code)
	}
	if _, err := gpusOf(lacking(names...)); err == nil || !strings.Contains(err.Error(), "has none of NVML's functions") {
		t.Errorf("without any: %v", err)
	}
}

func TestWithoutADriverTheErrorSaysSo(t *testing.T) {
	_, err := gpusOf("libepperf-none.so.1")
	var none *NoDriverError
	if !errors.As(err, &none) {
		t.Errorf("%v is no NoDriverError", err)
	}
}
