package native_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/native"
	"github.com/epperf/epperf/go/internal/workload"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// On a machine without GPUs there is a reason, and on one with GPUs all of them tell who they are.
func TestGPUsAreCountedOrTheReasonIsTold(t *testing.T) {
	gpus, err := native.CountGPUs()
	if (err != nil) != (gpus == 0) {
		t.Errorf("CountGPUs = %d, %v", gpus, err)
	}
	for gpu := range gpus {
		described, err := native.DescribeGPU(gpu)
		if err != nil || !strings.HasPrefix(described.GetUuid(), "GPU-") || described.GetMemoryBytes() == 0 {
			t.Errorf("GPU %d: %v, %v", gpu, described, err)
		}
	}
	var failed *native.Error
	if _, err := native.DescribeGPU(gpus); !errors.As(err, &failed) || failed.Kind != native.KindInvalid {
		t.Errorf("GPU %d of %d: %v", gpus, gpus, err)
	}
}

func TestWhatARankCannotTimeIsRefused(t *testing.T) {
	mode := epperfv1.Mode_MODE_E2E
	for name, test := range map[string]struct {
		pass *epperfv1.Pass
		want native.Kind
	}{
		"graphs of a CPU":           {&epperfv1.Pass{Kind: epperfv1.Pass_KIND_GRAPH, Operation: mode, Count: 1, Captured: 2}, native.KindState},
		"kernels of a CPU":          {&epperfv1.Pass{Kind: epperfv1.Pass_KIND_KERNELS, Operation: mode, Count: 1}, native.KindState},
		"a meter on a CPU":          {&epperfv1.Pass{Kind: epperfv1.Pass_KIND_METER, Meter: epperfv1.Pass_METER_GEMM, Count: 1}, native.KindState},
		"beside a meter on a CPU":   {&epperfv1.Pass{Kind: epperfv1.Pass_KIND_BESIDE, Meter: epperfv1.Pass_METER_GEMM, Operation: mode, Count: 1}, native.KindState},
		"a kind of a newer program": {&epperfv1.Pass{Kind: 99, Operation: mode, Count: 1}, native.KindInvalid},
		"a mode of a newer program": {epperfv1.Operations(99, 1), native.KindInvalid},
		"no mode":                   {epperfv1.Operations(0, 1), native.KindInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			engine := connected(t, smallCase(), time.Second)[0]
			var failed *native.Error
			if _, err := engine.Run(test.pass); !errors.As(err, &failed) || failed.Kind != test.want {
				t.Errorf("Run = %v, want an error of kind %d", err, test.want)
			}
		})
	}
}

func TestACPUsOperationsRunOnNoMultiprocessors(t *testing.T) {
	engines := connected(t, smallCase(), time.Second)
	ofDispatch, ofCombine, ofMeter, err := engines[0].SMsOfBlocks()
	if err != nil || len(ofDispatch) > 0 || len(ofCombine) > 0 || len(ofMeter) > 0 {
		t.Errorf("SMsOfBlocks = %v, %v, %v, %v; want none", ofDispatch, ofCombine, ofMeter, err)
	}
}

func TestARankOfNoDeviceIsRefused(t *testing.T) {
	c := smallCase()
	routing, err := workload.New(c)
	if err != nil {
		t.Fatal(err)
	}
	_, err = native.Open(native.Config{Case: c, CPUs: 1, RanksOnHost: 1, Threads: 1, WaitTimeout: time.Second, Routing: routing})
	var failed *native.Error
	if !errors.As(err, &failed) || failed.Kind != native.KindInvalid {
		t.Errorf("Open = %v, want a refusal", err)
	}
}

func TestAGPUHoldsAtLeastTheRegion(t *testing.T) {
	c := smallCase()
	region := sumOfSections(t, c, epperfv1.Device_DEVICE_CUDA, 1)
	gpu, err := native.GPUMemoryNeeded(c, native.GPURank{Backend: epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC})
	if err != nil || gpu.RegionBytes != region || gpu.PrivateBytes < gpu.FlushBytes {
		t.Errorf("GPUMemoryNeeded = %v, %v; the region has %d bytes", gpu, err, region)
	}
	host, err := native.HostMemoryNeeded(c, native.GPURank{})
	if err != nil || host.RegionBytes != 0 || host.FlushBytes != 0 || host.PrivateBytes == 0 {
		t.Errorf("HostMemoryNeeded = %+v, %v; want neither a region nor a flush", host, err)
	}
	c.Hidden = 100
	if _, err := native.GPUMemoryNeeded(c, native.GPURank{}); err == nil {
		t.Error("a hidden size of 100 was accepted")
	}
}

func TestMessagesTakeMemoryWhereTheyAre(t *testing.T) {
	c := smallCase()
	rank := native.GPURank{Backend: epperfv1.NvlinkBackend_NVLINK_BACKEND_NONE, RanksOnHost: int(c.GetRanks())}
	needed := func(memory epperfv1.NicMemory) (host, gpu uint64) {
		rank.NicMemory = memory
		ofHost, err := native.HostMemoryNeeded(c, rank)
		if err != nil {
			t.Fatal(err)
		}
		ofGPU, err := native.GPUMemoryNeeded(c, rank)
		if err != nil {
			t.Fatal(err)
		}
		return ofHost.PrivateBytes, ofGPU.PrivateBytes
	}
	stagedHost, stagedGPU := needed(epperfv1.NicMemory_NIC_MEMORY_HOST)
	directHost, directGPU := needed(epperfv1.NicMemory_NIC_MEMORY_GPU)
	if autoHost, autoGPU := needed(epperfv1.NicMemory_NIC_MEMORY_AUTO); autoHost != stagedHost || autoGPU != directGPU {
		t.Errorf("auto needs %d and %d bytes, not the most of either, %d and %d", autoHost, autoGPU, stagedHost, directGPU)
	}
	if out := directGPU - stagedGPU; out == 0 || stagedHost-directHost != 2*out {
		t.Errorf("of hosts %d and %d bytes, of GPUs %d and %d; what is staged lies on a host twice, else once on a GPU", stagedHost, directHost, stagedGPU, directGPU)
	}
	rank.Backend = epperfv1.NvlinkBackend_NVLINK_BACKEND_IPC
	if host, gpu := needed(epperfv1.NicMemory_NIC_MEMORY_AUTO); host != directHost || gpu != stagedGPU {
		t.Errorf("what is mapped needs %d and %d bytes; want %d and %d", host, gpu, directHost, stagedGPU)
	}
}
