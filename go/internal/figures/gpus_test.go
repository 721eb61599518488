package figures_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestGPUsAreCountedOnce(t *testing.T) {
	for name, test := range map[string]struct {
		gpus   int
		change func(*epperfv1.Header)
		want   []figures.GPUKind
		shared bool
	}{
		"one each": {8, func(*epperfv1.Header) {}, []figures.GPUKind{{"NVIDIA H200", 8}}, false},
		"two kinds": {8, func(h *epperfv1.Header) {
			h.Hosts[0].Gpus[0].Name, h.Hosts[0].Gpus[7].Name = "NVIDIA H100", "NVIDIA H100"
		}, []figures.GPUKind{{"NVIDIA H100", 2}, {"NVIDIA H200", 6}}, false},
		"all on one":       {1, func(*epperfv1.Header) {}, []figures.GPUKind{{"NVIDIA H200", 1}}, true},
		"allowed to share": {8, func(h *epperfv1.Header) { h.Plan.SharedGpu = true }, []figures.GPUKind{{"NVIDIA H200", 8}}, true},
		"fewer than ranks, whatever the plan says": {
			4, func(h *epperfv1.Header) { h.Plan.SharedGpu = false }, []figures.GPUKind{{"NVIDIA H200", 4}}, true,
		},
		"two launchers on the same": {4, twoLaunchers, []figures.GPUKind{{"NVIDIA H200", 4}}, true},
		"unknown":                   {8, func(h *epperfv1.Header) { h.Hosts[0].Gpus = nil }, nil, false},
		"CPUs beside GPUs":          {8, func(h *epperfv1.Header) { h.Plan.Device = epperfv1.Device_DEVICE_CPU }, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
			run.OnGPUs(test.gpus)
			run.Header.Hosts[0].UsableCpus = 64
			test.change(run.Header)
			s := summarize(t, run)
			if diff := cmp.Diff(test.want, s.GPUs); diff != "" || s.SharedGPU != test.shared || s.Oversubscribed != test.shared {
				t.Errorf("shared %t, oversubscribed %t, GPUs (-want +got):\n%s", s.SharedGPU, s.Oversubscribed, diff)
			}
		})
	}
}

func TestRanksOnCPUsSayWhyWhereSomebodyHopedForGPUs(t *testing.T) {
	const none = "count GPUs: none"
	for name, test := range map[string]struct {
		search *epperfv1.GpuSearch
		onGPUs bool
		want   *figures.NoGPUs
	}{
		"nobody looked":             {nil, false, nil},
		"nothing of GPUs":           {&epperfv1.GpuSearch{None: none, NoDriver: true}, false, nil},
		"no driver of a GPU":        {&epperfv1.GpuSearch{None: none, NoDriver: true, InSys: 2}, false, &figures.NoGPUs{Reason: none, InSys: 2}},
		"a driver that fails":       {&epperfv1.GpuSearch{None: none}, false, &figures.NoGPUs{Reason: none}},
		"a choice that fits no GPU": {&epperfv1.GpuSearch{None: none, NoDriver: true, VisibleDevices: new("0,0")}, false, &figures.NoGPUs{Reason: none, VisibleDevices: new("0,0")}},
		"a choice of none":          {&epperfv1.GpuSearch{None: none, InSys: 2, VisibleDevices: new("")}, false, nil},
		"another choice of none":    {&epperfv1.GpuSearch{None: none, InSys: 2, VisibleDevices: new("-1")}, false, nil},
		"one":                       {&epperfv1.GpuSearch{Usable: 1, InSys: 1}, false, &figures.NoGPUs{Alone: true}},
		"all used":                  {&epperfv1.GpuSearch{Usable: 8, InSys: 8}, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
			if test.onGPUs {
				run.OnGPUs(8)
			}
			run.Header.Hosts[0].GpuSearch = test.search
			if diff := cmp.Diff(test.want, summarize(t, run).NoGPUs); diff != "" {
				t.Errorf("NoGPUs (-want +got):\n%s", diff)
			}
		})
	}
}

func twoLaunchers(h *epperfv1.Header) {
	h.Plan.RanksPerHost, h.Plan.SharedGpu, h.Hosts[0].BootId = 4, false, "boot"
	h.Hosts = append(h.Hosts, proto.CloneOf(h.Hosts[0]))
}

func TestMultiprocessorsOfAllGPUs(t *testing.T) {
	run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
	run.OnGPUs(8)
	run.Header.Hosts[0].Gpus[5].Multiprocessors = 114
	run.Case().Sms = 24
	if s := summarize(t, run); s.MinSMs != 114 || s.MaxSMs != 132 || s.Cases[0].SMs != 24 {
		t.Errorf("%d SMs of %d to %d; want 24 of 114 to 132", s.Cases[0].SMs, s.MinSMs, s.MaxSMs)
	}
}

// Ranks on GPUs need few CPUs: that there are fewer than ranks says nothing of their speed.
func TestFewCPUsDoNotOversubscribeGPUs(t *testing.T) {
	run := recordtest.Passed(epperfv1.Mode_MODE_E2E) // 8 ranks, 2 CPUs
	run.OnGPUs(8)
	if summarize(t, run).Oversubscribed {
		t.Error("8 ranks on 8 GPUs are oversubscribed")
	}
}

func TestNoFigureOfSharedGPUs(t *testing.T) {
	run := recordtest.DetailedOnGPUs(epperfv1.Mode_MODE_E2E, 2)
	s := summarize(t, run)
	if !s.Passed() {
		t.Errorf("did not pass: %v", s.Cases[0].Failures)
	}
	c := s.Cases[0]
	if c.Bandwidth != nil || c.LatencyNS != nil || c.Slowest != nil {
		t.Errorf("figures %v, %v, %v", c.Bandwidth, c.LatencyNS, c.Slowest)
	}
	if d := c.Detail; d.Fresh != nil || d.PairNS != nil || d.Share != nil || d.GPU.GraphNS != nil || d.GPU.Kernels != nil {
		t.Errorf("details %+v, %+v", d, d.GPU)
	}
	if c.BytesPerRank == nil || c.Check.RightRanks != 8 {
		t.Errorf("what does not depend on time is left out: %v, %v", c.BytesPerRank, c.Check)
	}
}

func TestThrottledRanksAreNamed(t *testing.T) {
	state := func(reasons uint64, powerNS, thermalNS *uint64) *epperfv1.GpuState {
		return &epperfv1.GpuState{ThrottleReasons: &reasons, PowerThrottledNs: powerNS, ThermalThrottledNs: thermalNS}
	}
	at := func(ns uint64) *uint64 { return &ns }
	for name, test := range map[string]struct {
		before, after *epperfv1.GpuState
		want          []string
	}{
		"not told":            {nil, nil, nil},
		"idle, then at speed": {state(0x01, at(5), at(5)), state(0, at(5), at(5)), nil},
		"a setting":           {state(0x02, nil, nil), state(0x10, nil, nil), nil},
		"power at the end":    {state(0, nil, nil), state(0x04, nil, nil), []string{"power"}},
		"hot before":          {state(0x20, nil, nil), state(0, nil, nil), []string{"temperature"}},
		"in between":          {state(0, at(5), at(7)), state(0, at(6), at(7)), []string{"power"}},
		"of all kinds":        {state(0x88, at(5), at(6)), state(0, at(5), at(7)), []string{"power", "temperature", "hardware"}},
		"one state alone":     {nil, state(0, at(5), at(7)), nil},
		"a counter is new":    {state(0, nil, nil), state(0, at(5), at(7)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
			run.OnGPUs(8)
			run.Results[3].GpuBefore, run.Results[3].GpuAfter = test.before, test.after
			var want []figures.Throttled
			if test.want != nil {
				want = []figures.Throttled{{Rank: 3, Reasons: test.want}}
			}
			if diff := cmp.Diff(want, summarize(t, run).Cases[0].Throttled); diff != "" {
				t.Errorf("throttled (-want +got):\n%s", diff)
			}
		})
	}
}
