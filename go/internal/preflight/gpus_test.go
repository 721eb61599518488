package preflight

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/native"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/topology/topologytest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

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

// Nobody asks for GPUs on behalf of ranks that do without: it may take a second.
func TestGPUsAreNotCountedForCPUs(t *testing.T) {
	o := plan.Defaults()
	o.Device = "cpu"
	if o, search := CountGPUs(o); o.GPUs != 0 || o.NoGPU != "" || search != nil {
		t.Errorf("%d GPUs, %q, %v", o.GPUs, o.NoGPU, search)
	}
	o.Device = "auto"
	if o, search := CountGPUs(o); (o.GPUs == 0) != (o.NoGPU != "") || search.GetNone() != o.NoGPU || int(search.GetUsable()) != o.GPUs {
		t.Errorf("%d GPUs, %q, %v", o.GPUs, o.NoGPU, search)
	}
}

func TestASearchThatFindsNoGPUSaysWhy(t *testing.T) {
	sys := topologytest.New()
	sys.GPU("pci0000:16/0000:17:00.0", 0)
	sys.GPU("pci0000:16/0000:18:00.0", 0)
	set := func(value string) func(string) (string, bool) {
		return func(name string) (string, bool) { return value, name == "CUDA_VISIBLE_DEVICES" }
	}
	unset := func(string) (string, bool) { return "", false }
	for name, test := range map[string]struct {
		usable int
		none   error
		sys    topologytest.Sys
		lookup func(string) (string, bool)
		want   *epperfv1.GpuSearch
	}{
		"no driver, no GPU": {
			0, &native.Error{Text: "count GPUs: insufficient", NoDriver: true}, topologytest.New(), unset,
			&epperfv1.GpuSearch{None: "count GPUs: insufficient", NoDriver: true},
		},
		"a GPU named twice": {
			0, &native.Error{Text: "count GPUs: no device"}, sys, set("0,0"),
			&epperfv1.GpuSearch{None: "count GPUs: no device", InSys: 2, VisibleDevices: new("0,0")},
		},
		"all of two": {2, nil, sys, unset, &epperfv1.GpuSearch{Usable: 2, InSys: 2}},
		"none asked for": {
			0, &native.Error{Text: "count GPUs: no device"}, sys, set(""),
			&epperfv1.GpuSearch{None: "count GPUs: no device", InSys: 2, VisibleDevices: new("")},
		},
	} {
		got := searched(test.usable, test.none, test.sys, test.lookup)
		if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
