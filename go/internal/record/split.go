package record

import (
	"iter"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Split cuts a block of samples into blocks of at most size durations. A block that is short
// enough, or has none, is its own only part.
func Split(samples *epperfv1.Samples, size int) iter.Seq[*epperfv1.Samples] {
	return func(yield func(*epperfv1.Samples) bool) {
		if len(samples.GetDurationNs()) <= size {
			yield(samples)
			return
		}
		durations := samples.GetDurationNs()
		for start := 0; start < len(durations); start += size {
			part := &epperfv1.Samples{
				CaseIndex:      samples.GetCaseIndex(),
				Rank:           samples.GetRank(),
				FirstIteration: samples.GetFirstIteration() + uint64(start),
				FirstEpoch:     epochAfter(samples.GetFirstEpoch(), uint64(start)),
				DurationNs:     durations[start:min(start+size, len(durations))],
				Block:          samples.Block,
			}
			part.ProtoReflect().SetUnknown(samples.ProtoReflect().GetUnknown())
			if !yield(part) {
				return
			}
		}
	}
}

// epochAfter returns the epoch that is count operations after epoch. The epoch after 2^32-1 is 2,
// so from 2 on they repeat every 2^32-2 operations.
func epochAfter(epoch uint32, count uint64) uint32 {
	const period = 1<<32 - 2
	if uint64(epoch)+count < 1<<32 {
		return epoch + uint32(count)
	}
	return uint32((uint64(epoch)-2+count)%period + 2)
}
