package figures_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestWhatOthersTakeFromARunIsContention(t *testing.T) {
	const window = 350e6
	yes := []*epperfv1.Process{{Pid: 7, Name: "yes", CpuNs: 340e6}, {Pid: 9, Name: "idle", CpuNs: 1e6}}
	ran := func(r *recordtest.Run, rank int, waited uint64) {
		r.Results[rank].Load = &epperfv1.Load{WindowNs: window, RanNs: new(uint64(window - waited)), WaitedNs: &waited}
	}
	host := func(r *recordtest.Run, load *epperfv1.HostLoad) {
		load.WindowNs, load.Cpus = window, 8
		r.Results[0].Load = &epperfv1.Load{WindowNs: window, WaitedNs: new(uint64(1e6)), Host: load}
	}
	onGPU := func(r *recordtest.Run, processes ...*epperfv1.GpuProcess) {
		r.OnGPUs(8)
		r.Results[3].GpuAfter = &epperfv1.GpuState{Processes: processes}
	}
	for name, test := range map[string]struct {
		change func(*recordtest.Run)
		want   *figures.Contention
	}{
		"nothing is told": {func(*recordtest.Run) {}, nil},
		"a quiet machine": {func(r *recordtest.Run) {
			host(r, &epperfv1.HostLoad{StolenNs: new(uint64(0)), ThrottledNs: new(uint64(0))})
		}, nil},
		"others beside it":   {func(r *recordtest.Run) { host(r, &epperfv1.HostLoad{Others: yes}); ran(r, 3, 8e6) }, nil},
		"a rank waits":       {func(r *recordtest.Run) { host(r, &epperfv1.HostLoad{Others: yes}); ran(r, 2, 70e6); ran(r, 3, 175e6) }, &figures.Contention{Rank: 3, WaitedShare: 0.5, Others: []figures.Other{{PID: 7, Name: "yes", Share: 340.0 / 350}}}},
		"for whom is hidden": {func(r *recordtest.Run) { ran(r, 5, 175e6) }, &figures.Contention{Rank: 5, WaitedShare: 0.5}},
		"a short block": {
			func(r *recordtest.Run) { r.Results[3].Load = &epperfv1.Load{WindowNs: 9e6, WaitedNs: new(uint64(5e6))} }, nil,
		},
		"two threads, one waits": {
			func(r *recordtest.Run) {
				r.Header.Plan.ThreadsPerRank = new(uint32(2))
				r.Header.Hosts[0].UsableCpus = 16
				ran(r, 3, 175e6)
			},
			&figures.Contention{Rank: 3, WaitedShare: 0.25},
		},
		"ranks outnumber CPUs": {func(r *recordtest.Run) { r.Header.Hosts[0].UsableCpus = 2; ran(r, 3, 175e6) }, nil},
		"a hypervisor":         {func(r *recordtest.Run) { host(r, &epperfv1.HostLoad{StolenNs: new(uint64(280e6))}) }, &figures.Contention{StolenShare: 0.1}},
		"a tick of it":         {func(r *recordtest.Run) { host(r, &epperfv1.HostLoad{StolenNs: new(uint64(20e6))}) }, nil},
		"a cgroup": {
			func(r *recordtest.Run) {
				r.Header.Hosts[0].UsableCpus = 2
				host(r, &epperfv1.HostLoad{ThrottledNs: new(uint64(120e6))})
			},
			&figures.Contention{ThrottledNS: 120e6},
		},
		"alone on a GPU": {func(r *recordtest.Run) { onGPU(r, &epperfv1.GpuProcess{Pid: 5, Own: true, SmPercent: new(uint32(90))}) }, nil},
		"an idle one on a GPU": {func(r *recordtest.Run) {
			onGPU(r, &epperfv1.GpuProcess{Pid: 5, Own: true}, &epperfv1.GpuProcess{Pid: 6})
		}, nil},
		"another on a GPU": {
			func(r *recordtest.Run) {
				onGPU(r, &epperfv1.GpuProcess{Pid: 5, Own: true}, &epperfv1.GpuProcess{Pid: 6, Name: "train", SmPercent: new(uint32(57))})
			},
			&figures.Contention{OnGPUs: []figures.Other{{Rank: 3, PID: 6, Name: "train", Share: 0.57}}},
		},
		"one of another namespace": {func(r *recordtest.Run) { onGPU(r, &epperfv1.GpuProcess{Pid: 50, SmPercent: new(uint32(90))}) }, nil},
		"two of another namespace": {
			func(r *recordtest.Run) {
				onGPU(r, &epperfv1.GpuProcess{Pid: 50, SmPercent: new(uint32(20))}, &epperfv1.GpuProcess{Pid: 60, SmPercent: new(uint32(70))})
			},
			&figures.Contention{OnGPUs: []figures.Other{{Rank: 3, PID: 50, Share: 0.2}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
			run.Header.Hosts[0].UsableCpus = 8
			test.change(run)
			if diff := cmp.Diff(test.want, summarize(t, run).Cases[0].Contention, cmpopts.EquateApprox(1e-9, 0)); diff != "" {
				t.Errorf("contention (-want +got):\n%s", diff)
			}
		})
	}
}
