package session

import (
	"fmt"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// maxSamplesPerMessage keeps a message below MaxMessageBytes: a duration has at most ten bytes.
const maxSamplesPerMessage = 256 << 10

// Samples reports a block of iterations, as several messages where it is long.
func (c *Conn) Samples(samples *epperfv1.Samples) error {
	for _, part := range split(samples, maxSamplesPerMessage) {
		err := c.send(&epperfv1.FromRank{Kind: &epperfv1.FromRank_Samples{Samples: part}})
		if err != nil {
			return fmt.Errorf("report samples: %w", err)
		}
	}
	return nil
}

// Result reports how this rank ended a case.
func (c *Conn) Result(result *epperfv1.RankResult) error {
	err := c.send(&epperfv1.FromRank{Kind: &epperfv1.FromRank_Result{Result: result}})
	if err != nil {
		return fmt.Errorf("report result: %w", err)
	}
	return nil
}

// split cuts a block into parts of at most limit iterations; a block without any stays one part.
func split(samples *epperfv1.Samples, limit int) []*epperfv1.Samples {
	durations := samples.GetDurationNs()
	if len(durations) <= limit {
		return []*epperfv1.Samples{samples}
	}
	var parts []*epperfv1.Samples
	for first := 0; first < len(durations); first += limit {
		parts = append(parts, &epperfv1.Samples{
			CaseIndex:      samples.GetCaseIndex(),
			Rank:           samples.GetRank(),
			FirstIteration: samples.GetFirstIteration() + uint64(first),
			FirstEpoch:     advance(samples.GetFirstEpoch(), uint64(first)),
			DurationNs:     durations[first:min(first+limit, len(durations))],
			Block:          samples.Block,
		})
	}
	return parts
}

// advance returns the epoch count operations after epoch. The epoch after 2³²−1 is 2, as in
// csrc/protocol/epoch.h.
func advance(epoch uint32, count uint64) uint32 {
	const first, period = 2, 1<<32 - 2
	sum := uint64(epoch) + count
	if sum < 1<<32 {
		return uint32(sum)
	}
	return uint32(first + (sum-first)%period)
}
