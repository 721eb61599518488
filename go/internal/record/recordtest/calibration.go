package recordtest

import epperfv1 "github.com/epperf/epperf/proto/epperf/v1"

// Calibrated returns a run of a calibration, 2 ranks on one host of 2 CPUs, in which everything
// went well. Rows have 2,048 bytes, and an iteration copies 256 of them: 524,288 bytes. Copies
// alone took 100 microseconds, all at once 200 and on rank 1 300; cached ones half of that.
func Calibrated() *Run {
	const ranks, iterations = 2, 3
	run := Passed(epperfv1.Mode_MODE_CALIBRATE)
	c := run.Case()
	c.Ranks, c.TokensOfRank, c.Hidden, c.ExpertsPerRank, c.Topk = ranks, []uint32{1, 1}, 1024, 1, 1
	c.Dtype, c.Warmup, c.Iterations = epperfv1.Dtype_DTYPE_BF16, 0, iterations
	c.Calibration = &epperfv1.Calibration{Rows: 256, CachedRows: 64, RoundTrips: 201, Epochs: 201}
	run.Header.Plan.RanksPerHost = ranks
	run.Samples, run.Results = nil, run.Results[:ranks]
	block := func(kind epperfv1.Samples_Block, rank uint32, durations []uint64) {
		run.Samples = append(run.Samples, &epperfv1.Samples{Rank: rank, DurationNs: durations, Block: kind.Enum()})
	}
	rising := func(first uint64, count int) (durations []uint64) {
		for i := range count {
			durations = append(durations, first+uint64(i))
		}
		return durations
	}
	for rank := range uint32(ranks) {
		all := 200_000 + 100_000*uint64(rank)
		// The first of each absorbs what figures leave out.
		block(epperfv1.Samples_BLOCK_COPY_ALONE, rank, []uint64{9e9, 90_000, 110_000})
		block(epperfv1.Samples_BLOCK_COPY_ALL, rank, []uint64{9e9, all, all})
		block(epperfv1.Samples_BLOCK_CACHED_COPY_ALONE, rank, []uint64{9e9, 50_000, 50_000})
		block(epperfv1.Samples_BLOCK_CACHED_COPY_ALL, rank, []uint64{9e9, all / 2, all / 2})
		if rank == 0 {
			block(epperfv1.Samples_BLOCK_ROUND_TRIP, rank, rising(200, 201))
		}
		block(epperfv1.Samples_BLOCK_FLAGS, rank, rising(1000*uint64(rank+1), 201))
		run.Results[rank].Traffic = nil
		run.Results[rank].Check = &epperfv1.Check{Rows: 2*256 + 2*64}
	}
	return run
}

// CalibratedGPUs is Calibrated on two GPUs: copies back took half as long as there on rank 0, and those
// within a GPU 10 microseconds.
func CalibratedGPUs() *Run {
	run := Calibrated()
	run.OnGPUs(2)
	for rank := range uint32(2) {
		for kind, ns := range map[epperfv1.Samples_Block]uint64{
			epperfv1.Samples_BLOCK_GET_ALONE:  50_000,
			epperfv1.Samples_BLOCK_GET_ALL:    100_000,
			epperfv1.Samples_BLOCK_LOCAL_COPY: 10_000,
		} {
			run.Samples = append(run.Samples, &epperfv1.Samples{Rank: rank, Block: kind.Enum(), DurationNs: []uint64{9e9, ns, ns}})
		}
	}
	return run
}

// DetailedOnGPUs is Detailed on a number of GPUs: replay i of rank r took 1,600 + 16 i + r
// microseconds for 16 operations, and the kernels of iteration i 90 + i + r microseconds.
func DetailedOnGPUs(mode epperfv1.Mode, gpus int) *Run {
	run := Detailed(mode)
	run.OnGPUs(gpus)
	detail := run.Case().GetDetail()
	detail.GraphOperations, detail.GraphReplays, detail.KernelIterations = 16, 8, 100
	for rank := range run.Case().GetRanks() {
		graph := make([]uint64, detail.GetGraphReplays())
		for i := range graph {
			graph[i] = 16e5 + 16e3*uint64(i) + 1e3*uint64(rank)
		}
		kernels := make([]uint64, detail.GetKernelIterations())
		for i := range kernels {
			kernels[i] = 9e4 + 1e3*uint64(i) + 1e3*uint64(rank)
		}
		run.Samples = append(run.Samples,
			&epperfv1.Samples{Rank: rank, DurationNs: graph, Block: epperfv1.Samples_BLOCK_GRAPH.Enum()},
			&epperfv1.Samples{Rank: rank, DurationNs: kernels, Block: epperfv1.Samples_BLOCK_KERNELS.Enum()})
	}
	return run
}

// Detailed is Passed with details: fresh iteration i of rank r took 2,000 + 10 i + r microseconds,
// and 100 chained pairs of rank r 300 + r milliseconds.
func Detailed(mode epperfv1.Mode) *Run {
	run := Passed(mode)
	run.Case().Detail = &epperfv1.Detail{FreshIterations: 100, DroppedPairs: 16, Pairs: 100}
	for rank := range run.Case().GetRanks() {
		fresh := make([]uint64, 100)
		for i := range fresh {
			fresh[i] = 2e6 + 1e4*uint64(i) + 1e3*uint64(rank)
		}
		run.Samples = append(run.Samples,
			&epperfv1.Samples{Rank: rank, DurationNs: fresh, Block: epperfv1.Samples_BLOCK_FRESH.Enum()},
			&epperfv1.Samples{Rank: rank, DurationNs: []uint64{3e8 + 1e6*uint64(rank)}, Block: epperfv1.Samples_BLOCK_CHAINED.Enum()})
	}
	return run
}
