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

func TestACPUHasNeitherGraphsNorKernels(t *testing.T) {
	engine := connected(t, smallCase(), time.Second)[0]
	var failed *native.Error
	if _, err := engine.RunGraph(epperfv1.Mode_MODE_E2E, 2, 1); !errors.As(err, &failed) || failed.Kind != native.KindState {
		t.Errorf("RunGraph = %v, want an error of state", err)
	}
	engine = connected(t, smallCase(), time.Second)[0]
	if _, err := engine.RunKernels(epperfv1.Mode_MODE_E2E, 1); !errors.As(err, &failed) || failed.Kind != native.KindState {
		t.Errorf("RunKernels = %v, want an error of state", err)
	}
}

func TestACPUsOperationsRunOnNoMultiprocessors(t *testing.T) {
	engines := connected(t, smallCase(), time.Second)
	ofDispatch, ofCombine, err := engines[0].SMsOfBlocks()
	if err != nil || len(ofDispatch) > 0 || len(ofCombine) > 0 {
		t.Errorf("SMsOfBlocks = %v, %v, %v; want none", ofDispatch, ofCombine, err)
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
	gpu, err := native.GPUMemoryNeeded(c)
	if err != nil || gpu.RegionBytes != region || gpu.PrivateBytes < gpu.FlushBytes {
		t.Errorf("GPUMemoryNeeded = %v, %v; the region has %d bytes", gpu, err, region)
	}
	c.Hidden = 100
	if _, err := native.GPUMemoryNeeded(c); err == nil {
		t.Error("a hidden size of 100 was accepted")
	}
}
