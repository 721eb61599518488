package preflight

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/topology"
	"github.com/epperf/epperf/go/internal/topology/topologytest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// overNICs is a plan whose ranks use NICs: on GPUs, with a backend over UCX.
func overNICs(ranks uint32) *epperfv1.Plan {
	return &epperfv1.Plan{
		Device: epperfv1.Device_DEVICE_CUDA, NvlinkBackend: epperfv1.NvlinkBackend_NVLINK_BACKEND_NONE, RanksPerHost: ranks,
	}
}

// gpusAt describes GPUs as CUDA does.
func gpusAt(addresses ...string) []*epperfv1.Gpu {
	var gpus []*epperfv1.Gpu
	for _, address := range addresses {
		gpus = append(gpus, &epperfv1.Gpu{Pci: address})
	}
	return gpus
}

// unset takes a variable away until the test ends.
func unset(t *testing.T, variable string) {
	t.Helper()
	t.Setenv(variable, "")
	if err := os.Unsetenv(variable); err != nil {
		t.Fatal(err)
	}
}

func TestRanksUseTheNICsNearTheirGPUs(t *testing.T) {
	unset(t, NetDevicesVariable)
	shared := overNICs(3)
	shared.SharedGpu = true
	mapped := overNICs(3)
	mapped.NvlinkBackend = epperfv1.NvlinkBackend_NVLINK_BACKEND_NIXL
	ipc := overNICs(2)
	ipc.NvlinkBackend = epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC
	const none = "perf: no NIC with an active port is found for any GPU; UCX chooses (perf topo shows what there is)\n"
	for name, test := range map[string]struct {
		choice NICs
		plan   *epperfv1.Plan
		gpus   []*epperfv1.Gpu
		sys    fs.FS
		want   []string
		says   string
	}{
		"two of eight, as CUDA numbers them": {NICs{perGPU: 1}, overNICs(2), gpusAt("0000:56:00.0", "0000:15:00.0"), topologytest.Eight(), []string{"mlx5_5:1", "mlx5_0:1"}, ""},
		"two NICs each":                      {NICs{perGPU: 2}, overNICs(1), gpusAt("0000:56:00.0"), topologytest.Eight(), []string{"mlx5_5:1,mlx5_4:1"}, ""},
		"a map for one":                      {NICs{perGPU: 1, wanted: topology.Map{1: {"mlx5_7"}}}, mapped, gpusAt("0000:15:00.0", "0000:16:00.0", "0000:35:00.0"), topologytest.Eight(), []string{"mlx5_0:1", "mlx5_7:1", "mlx5_2:1"}, ""},
		"ranks that share a GPU":             {NICs{perGPU: 1}, shared, gpusAt("0000:15:00.0"), topologytest.Eight(), []string{"mlx5_0:1", "mlx5_0:1", "mlx5_0:1"}, ""},
		"no NIC at all":                      {NICs{perGPU: 1}, overNICs(2), gpusAt("0000:15:00.0", "0000:16:00.0"), topologytest.New(), nil, none},
		"a GPU that /sys does not have":      {NICs{perGPU: 1}, overNICs(2), gpusAt("0000:15:00.0", "0000:ee:00.0"), topologytest.Eight(), []string{"mlx5_0:1", ""}, "perf: no NIC is found for GPU 1; UCX chooses there (perf topo shows what there is)\n"},
		"discovery is skipped":               {NICs{perGPU: 1, skip: true}, overNICs(1), gpusAt("0000:15:00.0"), topologytest.Eight(), nil, ""},
		"memory is mapped":                   {NICs{perGPU: 1}, ipc, gpusAt("0000:15:00.0", "0000:16:00.0"), topologytest.Eight(), nil, ""},
		"on CPUs":                            {NICs{}, &epperfv1.Plan{Device: epperfv1.Device_DEVICE_CPU, RanksPerHost: 2}, nil, topologytest.Eight(), nil, ""},
	} {
		var says bytes.Buffer
		got, err := test.choice.OfRanks(test.plan, test.gpus, test.sys, &says)
		if err != nil || says.String() != test.says {
			t.Errorf("%s: %v, says %q; want %q", name, err, &says, test.says)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A /sys that refuses to be read is no reason to end a run, but to a user who names NICs.
func TestNICsThatCannotBeLookedForAreLeftToUCX(t *testing.T) {
	unset(t, NetDevicesVariable)
	var says bytes.Buffer
	got, err := NICs{perGPU: 1}.OfRanks(overNICs(1), gpusAt("0000:15:00.0"), closedFS{}, &says)
	if want := "perf: look for GPUs in /sys: permission denied; UCX chooses NICs\n"; got != nil || err != nil || says.String() != want {
		t.Errorf("%q, %v, says %q; want %q", got, err, &says, want)
	}
	_, err = NICs{perGPU: 1, wanted: topology.Map{0: {"mlx5_0"}}}.OfRanks(overNICs(1), gpusAt("0000:15:00.0"), closedFS{}, nil)
	if want := "--nic-map: look for GPUs in /sys: permission denied"; err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
}

// A closedFS lets nobody in.
type closedFS struct{}

func (closedFS) Open(string) (fs.File, error) { return nil, fs.ErrPermission }

func TestWhatTheUserSetForUCXStays(t *testing.T) {
	t.Setenv(NetDevicesVariable, "mlx5_3:1")
	got, err := NICs{perGPU: 1}.OfRanks(overNICs(1), gpusAt("0000:15:00.0"), topologytest.Eight(), nil)
	if got != nil || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAChoiceOfNICsBesideTheUsersOwnIsAnError(t *testing.T) {
	t.Setenv(NetDevicesVariable, "mlx5_3:1")
	for want, choose := range map[string]func() (NICs, error){
		"--nic-map: UCX_NET_DEVICES=mlx5_3:1 is set, and what is set stays; ":        func() (NICs, error) { return NewNICs(false, 1, "0=mlx5_0") },
		"--nics-per-gpu=2: UCX_NET_DEVICES=mlx5_3:1 is set, and what is set stays; ": func() (NICs, error) { return NewNICs(false, 2, "") },
	} {
		var usage command.UsageError
		if _, err := choose(); !errors.As(err, &usage) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
	if _, err := NewNICs(false, 1, ""); err != nil {
		t.Errorf("one NIC, which is what nobody asked for: %v", err)
	}
}

func TestAMapThatCannotBeFollowedIsAnError(t *testing.T) {
	unset(t, NetDevicesVariable)
	for name, test := range map[string]struct {
		wanted topology.Map
		plan   *epperfv1.Plan
		want   string
	}{
		"a NIC that is not there": {topology.Map{0: {"mlx5_9"}}, overNICs(1), "--nic-map: GPU 0: there is no NIC mlx5_9; try mlx5_0, "},
		"a GPU that is not there": {topology.Map{4: {"mlx5_0"}}, overNICs(1), "--nic-map: there is no GPU 4 among the 1 that ranks of this host use"},
		"no use for NICs":         {topology.Map{0: {"mlx5_0"}}, &epperfv1.Plan{Device: epperfv1.Device_DEVICE_CPU}, "--nic-map: ranks of this run use no NIC; leave it out, or try "},
	} {
		_, err := NICs{perGPU: 1, wanted: test.wanted}.OfRanks(test.plan, gpusAt("0000:15:00.0"), topologytest.Eight(), nil)
		var usage command.UsageError
		if !errors.As(err, &usage) || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v; want %s", name, err, test.want)
		}
	}
}
