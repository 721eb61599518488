package record

import epperfv1 "github.com/epperf/epperf/proto/epperf/v1"

// plannedSamples returns how many durations a rank measures of one block of a case of the plan; nil
// is the timed one. A block that the case does not have, or that is not known here, has none.
func plannedSamples(p *epperfv1.Plan, c *epperfv1.Case, block *epperfv1.Samples_Block) uint64 {
	iterations, calibrates := uint64(c.GetIterations()), c.GetMode() == epperfv1.Mode_MODE_CALIBRATE
	switch {
	case block == nil && calibrates:
		return 0
	case block == nil:
		return iterations
	}
	switch *block {
	case epperfv1.Samples_BLOCK_FRESH:
		return uint64(c.GetDetail().GetFreshIterations())
	case epperfv1.Samples_BLOCK_CHAINED:
		return min(uint64(c.GetDetail().GetPairs()), 1)
	case epperfv1.Samples_BLOCK_GRAPH:
		return uint64(c.GetDetail().GetGraphReplays())
	case epperfv1.Samples_BLOCK_KERNELS:
		return uint64(c.GetDetail().GetKernelIterations())
	case epperfv1.Samples_BLOCK_ROUND_TRIP:
		return uint64(c.GetCalibration().GetRoundTrips())
	case epperfv1.Samples_BLOCK_FLAGS:
		return uint64(c.GetCalibration().GetEpochs())
	}
	copies := *block >= epperfv1.Samples_BLOCK_COPY_ALONE && *block <= epperfv1.Samples_BLOCK_CACHED_COPY_ALL
	if onGPUs(p) {
		copies = copies || *block >= epperfv1.Samples_BLOCK_GET_ALONE && *block <= epperfv1.Samples_BLOCK_LOCAL_COPY
	}
	if calibrates && copies {
		return iterations
	}
	return 0
}

// samplesOf returns how many durations a rank has left of all blocks of the case together, and how
// many it had to leave.
//
// A soak leaves none: there it is iterations, at least one where it goes by time.
func samplesOf(p *epperfv1.Plan, c *epperfv1.Case, rank int, left RankRecord) (have, want uint64) {
	if soak := c.GetSoak(); soak != nil {
		want = max(soak.GetEpochs(), 1)
		return min(left.Result.GetSoak().GetEpochs(), want), want
	}
	have, want = uint64(len(left.DurationNS)), plannedSamples(p, c, nil)
	for number := range epperfv1.Samples_Block_name {
		block := epperfv1.Samples_Block(number)
		if block == epperfv1.Samples_BLOCK_ROUND_TRIP && rank != 0 {
			continue // rank 0 reports them for both
		}
		have += uint64(len(left.Blocks[block]))
		want += plannedSamples(p, c, &block)
	}
	return have, want
}
