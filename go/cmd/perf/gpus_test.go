package main

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func cudaPlan(shared bool) *epperfv1.Plan {
	return &epperfv1.Plan{Device: epperfv1.Device_DEVICE_CUDA, SharedGpu: shared, RanksPerHost: 1}
}

func TestLaunchersHaveGPUsOfTheirOwn(t *testing.T) {
	entry := func(node uint32, gpus ...string) *epperfv1.HostEntry {
		e := &epperfv1.HostEntry{NodeRank: node, Host: &epperfv1.Host{Name: "a"}}
		for _, uuid := range gpus {
			e.Host.Gpus = append(e.Host.Gpus, &epperfv1.Gpu{Uuid: uuid, Name: "NVIDIA H200"})
		}
		return e
	}
	for name, test := range map[string]struct {
		shared  bool
		entries []*epperfv1.HostEntry
		want    string
	}{
		"apart":         {false, []*epperfv1.HostEntry{entry(0, "GPU-1", "GPU-2"), entry(1, "GPU-3", "GPU-4")}, ""},
		"no GPUs":       {false, []*epperfv1.HostEntry{entry(0), entry(1)}, ""},
		"one of both":   {false, []*epperfv1.HostEntry{entry(0, "GPU-1", "GPU-2"), entry(1, "GPU-2")}, "node 0 (a) and node 1 (a) both compute on GPU-2 (NVIDIA H200)"},
		"shared anyway": {true, []*epperfv1.HostEntry{entry(0, "GPU-1"), entry(1, "GPU-1")}, ""},
	} {
		err := ownGPUs(cudaPlan(test.shared), test.entries)
		if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want %q", name, err, test.want)
		}
	}
}

func TestAGPUHoldsItsRanksOrTheSumIsTold(t *testing.T) {
	c := &epperfv1.Case{Mode: epperfv1.Mode_MODE_E2E, TokensOfRank: []uint32{128}, Topk: 8}
	gpu := &epperfv1.Gpu{Name: "NVIDIA H200", Uuid: "GPU-1", MemoryBytes: 140 << 30}
	if err := fitsGPU(c, gpu, 8, 140<<30); err != nil {
		t.Errorf("as much as it has: %v", err)
	}
	for ranks, want := range map[int]string{
		1: "e2e/t128/k8 needs 280.0 GiB of a GPU's memory for 1 rank, and NVIDIA H200 (GPU-1) has 140.0 GiB; try fewer --tokens or --experts-per-rank",
		8: "e2e/t128/k8 needs 280.0 GiB of a GPU's memory for 8 ranks, and NVIDIA H200 (GPU-1) has 140.0 GiB; try fewer --num-processes, --tokens or --experts-per-rank",
	} {
		var usage command.UsageError
		if err := fitsGPU(c, gpu, ranks, 280<<30); !errors.As(err, &usage) || err.Error() != want {
			t.Errorf("%d ranks: %v; want %s", ranks, err, want)
		}
	}
}

func TestKernelsAreLoadedEagerlyUnlessTheUserSaysOtherwise(t *testing.T) {
	t.Setenv(eagerLoading, "")
	if got := rankEnvironment(cudaPlan(false)); got != nil {
		t.Errorf("with one of the user's: %q", got)
	}
	if err := os.Unsetenv(eagerLoading); err != nil { // until the test ends
		t.Fatal(err)
	}
	if got := rankEnvironment(cudaPlan(false)); len(got) != 1 || got[0] != "CUDA_MODULE_LOADING=EAGER" {
		t.Errorf("without: %q", got)
	}
	if got := rankEnvironment(&epperfv1.Plan{Device: epperfv1.Device_DEVICE_CPU}); got != nil {
		t.Errorf("on CPUs: %q", got)
	}
}

// Nobody asks for GPUs on behalf of ranks that do without: it may take a second.
func TestGPUsAreNotCountedForCPUs(t *testing.T) {
	o := plan.Defaults()
	o.Device = "cpu"
	if o = countGPUs(o); o.GPUs != 0 || o.NoGPU != "" {
		t.Errorf("%d GPUs, %q", o.GPUs, o.NoGPU)
	}
	o.Device = "auto"
	if o = countGPUs(o); (o.GPUs == 0) != (o.NoGPU != "") {
		t.Errorf("%d GPUs, %q", o.GPUs, o.NoGPU)
	}
}
