package preflight

import (
	"errors"
	"testing"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/plan"
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
	if o = CountGPUs(o); o.GPUs != 0 || o.NoGPU != "" {
		t.Errorf("%d GPUs, %q", o.GPUs, o.NoGPU)
	}
	o.Device = "auto"
	if o = CountGPUs(o); (o.GPUs == 0) != (o.NoGPU != "") {
		t.Errorf("%d GPUs, %q", o.GPUs, o.NoGPU)
	}
}
