package recordtest

import epperfv1 "github.com/epperf/epperf/proto/epperf/v1"

// Controlled returns a run of 100 rounds of the control plane, 8 ranks on one host, in which everything went
// well. In round i, init of rank r took 100 + i milliseconds and r microseconds, connect half as long again,
// disconnect 10 milliseconds, reconnect as long as init, and destroy 5 milliseconds.
func Controlled() *Run {
	run := Passed(epperfv1.Mode_MODE_DISPATCH)
	run.Case().Warmup, run.Case().Passes, run.Samples = 0, nil, nil
	const rounds = 100
	steps := map[epperfv1.Pass_Kind][2]uint64{ // of the first round, and what each adds
		epperfv1.Pass_KIND_INIT: {100e6, 1e6}, epperfv1.Pass_KIND_CONNECT: {150e6, 15e5}, epperfv1.Pass_KIND_DISCONNECT: {10e6, 0},
		epperfv1.Pass_KIND_RECONNECT: {100e6, 1e6}, epperfv1.Pass_KIND_DESTROY: {5e6, 0}, epperfv1.Pass_KIND_CYCLE: {365e6, 35e5},
	}
	for _, pass := range epperfv1.ControlPasses(rounds) {
		step := steps[pass.GetKind()]
		run.AddPass(pass, rising(rounds, step[0], step[1]))
	}
	for _, result := range run.Results {
		result.FirstRound = &epperfv1.ProcessUse{Descriptors: 20, Mappings: 300, Threads: 9, ResidentBytes: 50 << 20}
		result.LastRound = &epperfv1.ProcessUse{Descriptors: 20, Mappings: 301, Threads: 9, ResidentBytes: 51 << 20}
	}
	return run
}
