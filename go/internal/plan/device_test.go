package plan_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestTheDeviceFollowsFromFlagAndGPUs(t *testing.T) {
	const cpu, cuda = epperfv1.Device_DEVICE_CPU, epperfv1.Device_DEVICE_CUDA
	const try = "; try --num-processes=3, --device=cpu, or --shared-gpu to check without measuring"
	for name, test := range map[string]struct {
		flag    string
		shared  bool
		gpus    int
		threads int // of 8 ranks each
		want    epperfv1.Device
		refused string // a UsageError
		none    string // a NoGPUError
	}{
		"auto, none":          {flag: "auto", want: cpu},
		"auto, fewer":         {flag: "auto", gpus: 3, refused: "--num-processes=8: this host has 3 GPUs, and each rank takes one" + try},
		"auto, as many":       {flag: "auto", gpus: 8, want: cuda},
		"auto, more":          {flag: "auto", gpus: 16, want: cuda},
		"cpu, none":           {flag: "cpu", want: cpu},
		"cpu, as many":        {flag: "cpu", gpus: 8, want: cpu},
		"cpu, threads":        {flag: "cpu", gpus: 8, threads: 4, want: cpu},
		"cuda, none":          {flag: "cuda", none: "--device=cuda: this host has no GPU that can be used (no driver); try --device=cpu"},
		"cuda, one":           {flag: "cuda", gpus: 1, refused: "--num-processes=8: this host has 1 GPU, and each rank takes one; try --num-processes=1, --device=cpu, or --shared-gpu to check without measuring"},
		"cuda, as many":       {flag: "cuda", gpus: 8, want: cuda},
		"cuda, threads":       {flag: "cuda", gpus: 8, threads: 4, refused: "--threads=4: a rank on a GPU has no worker threads; try --threads=1 or --device=cpu"},
		"shared auto, none":   {flag: "auto", shared: true, none: "--shared-gpu: this host has no GPU that can be used (no driver); try without, on CPUs"},
		"shared auto, fewer":  {flag: "auto", shared: true, gpus: 3, want: cuda},
		"shared cuda, one":    {flag: "cuda", shared: true, gpus: 1, want: cuda},
		"shared cuda, more":   {flag: "cuda", shared: true, gpus: 9, want: cuda},
		"shared cpu, as many": {flag: "cpu", shared: true, gpus: 8, refused: "--device=cpu: --shared-gpu is for GPUs; try --device=cuda"},
	} {
		t.Run(name, func(t *testing.T) {
			o := plan.Defaults()
			o.Device, o.SharedGPU, o.GPUs, o.NoGPU = test.flag, test.shared, test.gpus, "no driver"
			o.Threads = max(test.threads, 1)
			if o.AsksForGPUs() != (test.flag != "cpu") {
				t.Errorf("AsksForGPUs = %t", o.AsksForGPUs())
			}
			p, err := plan.New(o)
			var usage *plan.UsageError
			var none *plan.NoGPUError
			switch {
			case test.refused != "":
				if !errors.As(err, &usage) || err.Error() != test.refused {
					t.Errorf("New: %v; want a UsageError, %s", err, test.refused)
				}
			case test.none != "":
				if !errors.As(err, &none) || err.Error() != test.none {
					t.Errorf("New: %v; want a NoGPUError, %s", err, test.none)
				}
			case err != nil:
				t.Errorf("New: %v", err)
			case p.GetDevice() != test.want || p.GetSharedGpu() != test.shared:
				t.Errorf("device %v, shared %t", p.GetDevice(), p.GetSharedGpu())
			}
		})
	}
}

func TestRanksAreAsManyAsThereAreGPUsUnlessToldOtherwise(t *testing.T) {
	const cpu, cuda = epperfv1.Device_DEVICE_CPU, epperfv1.Device_DEVICE_CUDA
	for name, test := range map[string]struct {
		change    func(*plan.Options)
		wantRanks int // of this host; 0: refused
		want      epperfv1.Device
	}{
		"none":              {func(*plan.Options) {}, 8, cpu},
		"one":               {func(o *plan.Options) { o.GPUs = 1 }, 8, cpu},
		"two":               {func(o *plan.Options) { o.GPUs = 2 }, 2, cuda},
		"seven":             {func(o *plan.Options) { o.GPUs = 7 }, 7, cuda},
		"eight":             {func(o *plan.Options) { o.GPUs = 8 }, 8, cuda},
		"sixteen":           {func(o *plan.Options) { o.GPUs = 16 }, 8, cuda},
		"two, for CPUs":     {func(o *plan.Options) { o.GPUs, o.Device = 2, "cpu" }, 8, cpu},
		"two, given":        {func(o *plan.Options) { o.GPUs, o.RanksGiven = 2, true }, 0, 0},
		"two, fewer given":  {func(o *plan.Options) { o.GPUs, o.RanksGiven, o.NumProcesses = 2, true, 1 }, 1, cuda},
		"two, shared":       {func(o *plan.Options) { o.GPUs, o.SharedGPU = 2, true }, 8, cuda},
		"one, given":        {func(o *plan.Options) { o.GPUs, o.RanksGiven = 1, true }, 0, 0},
		"one, for GPUs":     {func(o *plan.Options) { o.GPUs, o.Device = 1, "cuda" }, 0, 0},
		"one, and launcher": {func(o *plan.Options) { o.GPUs, o.Nodes = 1, 2 }, 1, cuda},
	} {
		t.Run(name, func(t *testing.T) {
			o := plan.Defaults()
			test.change(&o)
			p, err := plan.New(o.Fitted())
			if (err != nil) != (test.wantRanks == 0) {
				t.Fatalf("New: %v", err)
			}
			if int(p.GetRanksPerHost()) != test.wantRanks || p.GetDevice() != test.want {
				t.Errorf("%d ranks on %v; want %d on %v", p.GetRanksPerHost(), p.GetDevice(), test.wantRanks, test.want)
			}
		})
	}
}

// A user who mends what no host can run then learns what this one has not.
func TestUsageComesBeforeWhatTheHostHas(t *testing.T) {
	o := plan.Defaults()
	o.Device, o.Hidden = "cuda", 1001
	var usage *plan.UsageError
	if _, err := plan.New(o); !errors.As(err, &usage) || usage.Flag != "hidden" {
		t.Errorf("New: %v; want a UsageError of hidden", err)
	}
}

func TestGPUsPlanForSoManyRanks(t *testing.T) {
	o := plan.Defaults()
	o.Device, o.GPUs, o.NumProcesses = "cuda", 65, 65
	want := "--num-processes=65: 65 ranks in all, more than the 64 that a GPU has room to plan for; " +
		"try --num-processes=64 or --device=cpu"
	var usage *plan.UsageError
	if _, err := plan.New(o); !errors.As(err, &usage) || err.Error() != want {
		t.Errorf("New of 65 ranks: %v; want a UsageError, %s", err, want)
	}
	o.Device = "cpu"
	if _, err := plan.New(o); err != nil {
		t.Errorf("New of 65 ranks on CPUs: %v", err)
	}
}

func TestGPUsPlanForSoManyExperts(t *testing.T) {
	o := plan.Defaults()
	o.Device, o.GPUs, o.ExpertsPerRank = "cuda", 8, 256
	if _, err := plan.New(o); err != nil {
		t.Errorf("New of 2,048 experts: %v", err)
	}
	o.ExpertsPerRank, o.GPUs = 257, 0 // whatever this host has
	want := "--experts-per-rank=257: 8 ranks would have 2,056 experts, more than the 2,048 that a GPU has room to plan for; " +
		"try --experts-per-rank=256 or --device=cpu"
	var usage *plan.UsageError
	if _, err := plan.New(o); !errors.As(err, &usage) || err.Error() != want {
		t.Errorf("New of 2,056 experts: %v; want a UsageError, %s", err, want)
	}
	o.Device = "cpu"
	if _, err := plan.New(o); err != nil {
		t.Errorf("New of 2,056 experts on CPUs: %v", err)
	}
}

func TestRanksTakeGPUsInTurn(t *testing.T) {
	for name, test := range map[string]struct {
		ranksPerHost, hosts uint32
		shared              bool
		gpus                int
		wantUsed            int
		wantGPU             []int // of each rank
		wantRanks           []int // on each GPU
	}{
		"one each":               {4, 1, false, 4, 4, []int{0, 1, 2, 3}, []int{1, 1, 1, 1}},
		"some are left":          {2, 2, false, 4, 2, []int{0, 1, 0, 1}, []int{1, 1, 0, 0}},
		"all on one":             {4, 1, true, 1, 1, []int{0, 0, 0, 0}, []int{4}},
		"uneven":                 {5, 1, true, 2, 2, []int{0, 1, 0, 1, 0}, []int{3, 2}},
		"two launchers may meet": {2, 2, true, 2, 2, []int{0, 1, 0, 1}, []int{2, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			p := &epperfv1.Plan{
				Device: epperfv1.Device_DEVICE_CUDA, SharedGpu: test.shared, RanksPerHost: test.ranksPerHost,
				Cases: []*epperfv1.Case{{Ranks: test.ranksPerHost * test.hosts}},
			}
			if got := plan.GPUsUsed(p, test.gpus); got != test.wantUsed {
				t.Errorf("%d GPUs are used; want %d", got, test.wantUsed)
			}
			for rank, want := range test.wantGPU {
				if got := plan.GPUOf(p, rank, test.gpus); got != want {
					t.Errorf("rank %d is on GPU %d; want %d", rank, got, want)
				}
			}
			for gpu, want := range test.wantRanks {
				if got := plan.RanksOnGPU(p, gpu, test.gpus); got != want {
					t.Errorf("GPU %d has %d ranks; want %d", gpu, got, want)
				}
			}
			p.Device = epperfv1.Device_DEVICE_CPU
			if got := plan.GPUsUsed(p, test.gpus); got != 0 {
				t.Errorf("ranks on CPUs use %d GPUs", got)
			}
		})
	}
}

func TestMultiprocessorsArePlanned(t *testing.T) {
	for sms, name := range map[int]string{0: "e2e/t512/k2", 24: "e2e/t512/k2/24sms", 132: "e2e/t512/k2/132sms"} {
		o := plan.Defaults()
		o.GPUs, o.Multiprocessors, o.SMs = 8, 132, sms
		p, err := plan.New(o)
		if err != nil {
			t.Fatalf("New of --sms=%d: %v", sms, err)
		}
		c := p.GetCases()[0]
		if int(c.GetSms()) != sms || plan.CaseName(c) != name {
			t.Errorf("--sms=%d is planned as %d, named %s", sms, c.GetSms(), plan.CaseName(c))
		}
	}
}

func TestKernelsArePlanned(t *testing.T) {
	for kernel, name := range map[string]string{"auto": "e2e/t512/k2", "long": "e2e/t512/k2/long", "short": "e2e/t512/k2/short", "packets": "e2e/t512/k2/packets"} {
		o := plan.Defaults()
		o.GPUs, o.Kernel = 8, kernel
		p, err := plan.New(o)
		if err != nil {
			t.Fatalf("New of --kernel=%s: %v", kernel, err)
		}
		if got := plan.CaseName(p.GetCases()[0]); got != name {
			t.Errorf("--kernel=%s is named %s", kernel, got)
		}
	}
}

func TestDetailsOfGPUs(t *testing.T) {
	o := plan.Defaults()
	o.Detail, o.Iters, o.GPUs = true, 100, 8
	p, err := plan.New(o)
	if err != nil {
		t.Fatal(err)
	}
	// 6 replays of 16 are fewer operations than 100, and the first of 8 does not count.
	mode := epperfv1.Mode_MODE_E2E
	want := []*epperfv1.Pass{
		epperfv1.Operations(mode, 100),
		{Kind: epperfv1.Pass_KIND_FRESH, Operation: mode, Count: 100},
		{Kind: epperfv1.Pass_KIND_CHAINED, Operation: mode, Count: 1, Dropped: 16, Captured: 100},
		{Kind: epperfv1.Pass_KIND_GRAPH, Operation: mode, Count: 8, Captured: 16},
		{Kind: epperfv1.Pass_KIND_KERNELS, Operation: mode, Count: 100},
	}
	if diff := cmp.Diff(want, p.GetCases()[0].GetPasses(), protocmp.Transform()); diff != "" {
		t.Errorf("passes (-want +got):\n%s", diff)
	}
}
