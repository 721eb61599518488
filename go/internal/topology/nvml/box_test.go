package nvml

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxa100"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxh100"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/server"
	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/topology"
	"github.com/epperf/epperf/go/internal/topology/topologytest"
)

var update = flag.Bool("update", false, "write testdata anew")

// A box says how the GPUs of a mock server are connected; the servers themselves know no topology
// and panic where they are asked.
type box struct {
	gpus []topology.GPU // whose addresses it takes
	// links are a GPU's NVLinks: the GPU at the other end, or toSwitch, or down.
	links func(gpu int) []int
	level func(a, b int) nvml.GpuTopologyLevel
}

const (
	toSwitch = -1
	down     = -2
)

// over fills in the servers' GPUs.
func (b box) over(library *server.Server) nvml.Interface {
	number := map[nvml.Device]int{}
	for i, device := range library.Devices {
		number[device] = i
	}
	for i, of := range library.Devices {
		device := of.(*server.Device)
		device.UUID = "GPU-" + device.PciBusID
		device.GetPciInfoFunc = func() (nvml.PciInfo, nvml.Return) { return b.pci(i), nvml.SUCCESS }
		device.GetMemoryAffinityFunc = func(words int, _ nvml.AffinityScope) ([]uint, nvml.Return) {
			nodes := make([]uint, words)
			nodes[0] = 1 << (i / 4)
			return nodes, nvml.SUCCESS
		}
		device.GetTopologyCommonAncestorFunc = func(peer nvml.Device) (nvml.GpuTopologyLevel, nvml.Return) {
			return b.level(i, number[peer]), nvml.SUCCESS
		}
		b.addLinks(device, b.links(i))
	}
	return library
}

func (b box) addLinks(device *server.Device, ends []int) {
	device.GetNvLinkStateFunc = func(link int) (nvml.EnableState, nvml.Return) {
		if link >= len(ends) {
			return 0, nvml.ERROR_INVALID_ARGUMENT
		}
		if ends[link] == down {
			return nvml.FEATURE_DISABLED, nvml.SUCCESS
		}
		return nvml.FEATURE_ENABLED, nvml.SUCCESS
	}
	device.GetNvLinkRemoteDeviceTypeFunc = func(link int) (nvml.IntNvLinkDeviceType, nvml.Return) {
		if ends[link] == toSwitch {
			return nvml.NVLINK_DEVICE_TYPE_SWITCH, nvml.SUCCESS
		}
		return nvml.NVLINK_DEVICE_TYPE_GPU, nvml.SUCCESS
	}
	device.GetNvLinkRemotePciInfoFunc = func(link int) (nvml.PciInfo, nvml.Return) {
		if ends[link] == toSwitch {
			return nvml.PciInfo{}, nvml.ERROR_NOT_SUPPORTED
		}
		return b.pci(ends[link]), nvml.SUCCESS
	}
}

// pci writes an address as drivers do, with a domain of eight digits.
func (b box) pci(gpu int) nvml.PciInfo {
	var info nvml.PciInfo
	for i, character := range []byte("0000" + b.gpus[gpu].PCI) {
		info.BusId[i] = int8(character)
	}
	return info
}

// switched has as many links of each GPU to the switches.
func switched(links int) func(int) []int {
	return func(int) []int {
		ends := make([]int, links)
		for i := range ends {
			ends[i] = toSwitch
		}
		return ends
	}
}

// levels are those of topologytest.Eight.
func levels(a, b int) nvml.GpuTopologyLevel {
	switch {
	case a/2 == b/2:
		return nvml.TOPOLOGY_SINGLE
	case a/4 == b/4:
		return nvml.TOPOLOGY_NODE
	}
	return nvml.TOPOLOGY_SYSTEM
}

func eightGPUs(t *testing.T) []topology.GPU {
	t.Helper()
	gpus, err := topology.GPUsOf(topologytest.Eight())
	if err != nil {
		t.Fatal(err)
	}
	return gpus
}

func TestBoxes(t *testing.T) {
	for name, test := range map[string]struct {
		library *server.Server
		box     box
	}{
		"dgx_h100": {dgxh100.New(), box{links: switched(18), level: levels}},
		"dgx_a100": {dgxa100.New(), box{links: switched(12), level: levels}},
		// Pairs of GPUs are linked by four links, of which one pair lacks two; the others go over PCI.
		"pairs": {dgxa100.New(), box{level: levels, links: func(gpu int) []int {
			if gpu/2 == 2 {
				return []int{gpu ^ 1, down, gpu ^ 1, down}
			}
			return []int{gpu ^ 1, gpu ^ 1, gpu ^ 1, gpu ^ 1}
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			test.box.gpus = eightGPUs(t)
			gpus, err := list(test.box.over(test.library))
			if err != nil {
				t.Fatal(err)
			}
			for i, gpu := range gpus {
				if ends := test.box.links(i); gpu.DownNVLinks != strings.Count(fmt.Sprint(ends), fmt.Sprint(down)) {
					t.Errorf("GPU %d: %d links are down of %d", i, gpu.DownNVLinks, ends)
				}
			}
			host, err := topology.Read(topologytest.Eight(), gpus)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, filepath.Join("testdata", name+".txt"), host.Text(1))
		})
	}
}

func compare(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), -update writes it anew:\n%s", golden, diff)
	}
}

// A virtual GPU, or an old driver: only its address is told.
func TestWhatALibraryDoesNotTellIsAbsent(t *testing.T) {
	b := box{gpus: eightGPUs(t), links: switched(0), level: levels}
	library := b.over(dgxh100.New()).(*server.Server)
	for _, of := range library.Devices {
		device := of.(*server.Device)
		device.GetMemoryAffinityFunc = func(int, nvml.AffinityScope) ([]uint, nvml.Return) { return nil, nvml.ERROR_NOT_SUPPORTED }
		device.GetTopologyCommonAncestorFunc = func(nvml.Device) (nvml.GpuTopologyLevel, nvml.Return) {
			return 0, nvml.ERROR_FUNCTION_NOT_FOUND
		}
	}
	gpus, err := list(library)
	if err != nil {
		t.Fatal(err)
	}
	for i, gpu := range gpus {
		if gpu.NUMA != nil || gpu.PCI != b.gpus[i].PCI || gpu.Peers[(i+1)%8] != (topology.Peer{}) {
			t.Errorf("GPU %d: %+v", i, gpu)
		}
	}
}

func TestAGPUThatIsLostIsNamed(t *testing.T) {
	b := box{gpus: eightGPUs(t), links: switched(18), level: levels}
	library := b.over(dgxh100.New()).(*server.Server)
	library.Devices[3].(*server.Device).GetPciInfoFunc = func() (nvml.PciInfo, nvml.Return) {
		return nvml.PciInfo{}, nvml.ERROR_GPU_IS_LOST
	}
	_, err := list(library)
	if want := "GPU 3: find its PCI address: ERROR_GPU_IS_LOST"; err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
}
