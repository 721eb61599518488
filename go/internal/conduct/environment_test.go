package conduct

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestKernelsAreLoadedEagerlyUnlessTheUserSaysOtherwise(t *testing.T) {
	onGPUs := &epperfv1.Plan{Device: epperfv1.Device_DEVICE_CUDA}
	t.Setenv(traceback, "all")
	t.Setenv(eagerLoading, "")
	if got := rankEnvironment(onGPUs); got != nil {
		t.Errorf("with one of the user's: %q", got)
	}
	if err := os.Unsetenv(eagerLoading); err != nil { // until the test ends
		t.Fatal(err)
	}
	if got := rankEnvironment(onGPUs); len(got) != 1 || got[0] != "CUDA_MODULE_LOADING=EAGER" {
		t.Errorf("without: %q", got)
	}
	if got := rankEnvironment(&epperfv1.Plan{Device: epperfv1.Device_DEVICE_CPU}); got != nil {
		t.Errorf("on CPUs: %q", got)
	}
}

func TestARanksNICsAreInItsEnvironment(t *testing.T) {
	want := [][]string{{"UCX_NET_DEVICES=mlx5_0:1"}, nil}
	if diff := cmp.Diff(want, netDevicesEnvironment([]string{"mlx5_0:1", ""})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := netDevicesEnvironment(nil); got != nil {
		t.Errorf("of nothing: %q", got)
	}
}
