package recordtest

import epperfv1 "github.com/epperf/epperf/proto/epperf/v1"

// Calibrated returns a run of a calibration, 2 ranks on one host of 2 CPUs, in which everything
// went well. Rows have 2,048 bytes, and an iteration copies 256 of them: 524,288 bytes. Copies
// alone took 100 microseconds, all at once 200 and on rank 1 300; cached ones half of that.
func Calibrated() *Run {
	const ranks = 2
	run := Passed(epperfv1.Mode_MODE_UNSPECIFIED)
	c := run.Case()
	c.Ranks, c.TokensOfRank, c.Hidden, c.ExpertsPerRank, c.Topk = ranks, []uint32{1, 1}, 1024, 1, 1
	c.Dtype, c.Warmup, c.Passes = epperfv1.Dtype_DTYPE_BF16, 0, nil
	run.Header.Plan.RanksPerHost = ranks
	run.Samples, run.Results = nil, run.Results[:ranks]
	// The first of each absorbs what figures leave out.
	put := epperfv1.Pass_DIRECTION_PUT
	run.AddPass(copies(put, 256, true), func(uint32) []uint64 { return []uint64{9e9, 90_000, 110_000} })
	run.AddPass(copies(put, 256, false), func(rank uint32) []uint64 { return []uint64{9e9, all(rank), all(rank)} })
	run.AddPass(copies(put, 64, true), func(uint32) []uint64 { return []uint64{9e9, 50_000, 50_000} })
	run.AddPass(copies(put, 64, false), func(rank uint32) []uint64 { return []uint64{9e9, all(rank) / 2, all(rank) / 2} })
	run.AddPass(&epperfv1.Pass{Kind: epperfv1.Pass_KIND_ROUND_TRIPS, Count: 201}, rising(201, 200, 1))
	run.AddPass(&epperfv1.Pass{Kind: epperfv1.Pass_KIND_FLAGS, Count: 201},
		rising(201, 1000, 1))
	for _, result := range run.Results {
		result.Traffic = nil
		result.Check = &epperfv1.Check{Rows: 2*256 + 2*64}
	}
	return run
}

// all is what copies by all ranks at once take.
func all(rank uint32) uint64 { return 200_000 + 100_000*uint64(rank) }

func copies(direction epperfv1.Pass_Direction, distinct uint32, alone bool) *epperfv1.Pass {
	return &epperfv1.Pass{
		Kind: epperfv1.Pass_KIND_COPY, Count: 3, Rows: 256, DistinctRows: distinct, Direction: direction, Alone: alone,
	}
}

// AddPass adds a pass to the case, with what each rank that reports it took.
func (r *Run) AddPass(pass *epperfv1.Pass, durations func(rank uint32) []uint64) {
	index := len(r.Case().GetPasses())
	r.Case().Passes = append(r.Case().Passes, pass)
	for rank := range r.Case().GetRanks() {
		if pass.Durations(int(rank)) > 0 {
			r.Samples = append(r.Samples, &epperfv1.Samples{Rank: rank, Pass: uint32(index), DurationNs: durations(rank)})
		}
	}
}

// CalibratedGPUs is Calibrated on two GPUs: copies back took half as long as there on rank 0, and those
// within a GPU 10 microseconds.
func CalibratedGPUs() *Run {
	run := Calibrated()
	run.OnGPUs(2)
	took := func(ns uint64) func(uint32) []uint64 {
		return func(uint32) []uint64 { return []uint64{9e9, ns, ns} }
	}
	run.AddPass(copies(epperfv1.Pass_DIRECTION_GET, 256, true), took(50_000))
	run.AddPass(copies(epperfv1.Pass_DIRECTION_GET, 256, false), took(100_000))
	run.AddPass(copies(epperfv1.Pass_DIRECTION_LOCAL, 256, false), took(10_000))
	return run
}

// DetailedOnGPUs is Detailed on a number of GPUs: replay i of rank r took 1,600 + 16 i + r
// microseconds for 16 operations, and the kernels of iteration i 90 + i + r microseconds.
func DetailedOnGPUs(mode epperfv1.Mode, gpus int) *Run {
	run := Detailed(mode)
	run.OnGPUs(gpus)
	run.AddPass(&epperfv1.Pass{Kind: epperfv1.Pass_KIND_GRAPH, Operation: mode, Count: 8, Captured: 16},
		rising(8, 16e5, 16e3))
	run.AddPass(&epperfv1.Pass{Kind: epperfv1.Pass_KIND_KERNELS, Operation: mode, Count: 100}, rising(100, 9e4, 1e3))
	return run
}

// Beside is Passed on GPUs of which operations have 24 of 132 multiprocessors, and gemm the others: rank
// r's took 10 + r microseconds at a time alone, 12 + r beside, and iteration i 1,100 + 10 i + r.
func Beside(mode epperfv1.Mode) *Run {
	run := Passed(mode)
	run.OnGPUs(8)
	run.Case().Sms = 24
	meter := epperfv1.Pass_METER_GEMM
	run.AddPass(&epperfv1.Pass{Kind: epperfv1.Pass_KIND_METER, Meter: meter, Count: 11}, rising(11, 1e4, 0))
	run.AddPass(&epperfv1.Pass{Kind: epperfv1.Pass_KIND_METER, Meter: meter, Operation: mode, Count: 11, Captured: 100}, rising(11, 12e3, 0))
	run.AddPass(&epperfv1.Pass{Kind: epperfv1.Pass_KIND_BESIDE, Meter: meter, Operation: mode, Count: 100}, rising(100, 11e5, 1e4))
	for _, result := range run.Results {
		result.Sms = &epperfv1.SmUse{OfGpu: 132}
		for index, pass := range run.Case().GetPasses() {
			result.Sms.OfPass = append(result.Sms.OfPass, smsOf(index, pass))
		}
	}
	return run
}

// smsOf says that operations ran on the first 24 of 132 multiprocessors, and a meter on the others.
func smsOf(index int, pass *epperfv1.Pass) *epperfv1.PassSms {
	of := &epperfv1.PassSms{Pass: uint32(index)}
	for sm := range uint32(132) {
		switch {
		case sm >= 24 && pass.Meters():
			of.OfMeterBlock = append(of.OfMeterBlock, sm)
		case sm < 24:
			if pass.Dispatches() {
				of.OfDispatchBlock = append(of.OfDispatchBlock, sm)
			}
			if pass.Combines() {
				of.OfCombineBlock = append(of.OfCombineBlock, 23-sm)
			}
		}
	}
	return of
}

// rising returns durations of a pass that grow by a step, and by a microsecond a rank.
func rising(count int, first, step uint64) func(rank uint32) []uint64 {
	return func(rank uint32) []uint64 {
		durations := make([]uint64, count)
		for i := range durations {
			durations[i] = first + step*uint64(i) + 1e3*uint64(rank)
		}
		return durations
	}
}

// Detailed is Passed with details: fresh iteration i of rank r took 2,000 + 10 i + r microseconds,
// and 100 chained pairs of rank r 300 + r milliseconds.
func Detailed(mode epperfv1.Mode) *Run {
	run := Passed(mode)
	run.AddPass(&epperfv1.Pass{Kind: epperfv1.Pass_KIND_FRESH, Operation: mode, Count: 100}, rising(100, 2e6, 1e4))
	run.AddPass(&epperfv1.Pass{Kind: epperfv1.Pass_KIND_CHAINED, Operation: epperfv1.Mode_MODE_E2E, Count: 1, Dropped: 16, Captured: 100},
		func(rank uint32) []uint64 { return []uint64{3e8 + 1e6*uint64(rank)} })
	return run
}
