// Package samples cuts what a pass left into messages of a bounded size. It is all of Go that counts
// epochs.
package samples

import (
	"iter"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Split cuts samples into parts of at most size durations. Samples that are few enough, or none, are
// their own only part.
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
				FirstEpoch:     advance(samples.GetFirstEpoch(), uint64(start)),
				DurationNs:     durations[start:min(start+size, len(durations))],
				Pass:           samples.GetPass(),
			}
			part.ProtoReflect().SetUnknown(samples.ProtoReflect().GetUnknown())
			if !yield(part) {
				return
			}
		}
	}
}

// advance returns the epoch that is count operations after epoch. The epoch after 2^32-1 is 2, as in
// csrc/protocol/epoch.h, so from 2 on they repeat every 2^32-2 operations. 0 is none and stays.
func advance(epoch uint32, count uint64) uint32 {
	const period = 1<<32 - 2
	switch {
	case epoch == 0:
		return 0
	case uint64(epoch)+count < 1<<32:
		return epoch + uint32(count)
	}
	return uint32((uint64(epoch)-2+count)%period + 2)
}
