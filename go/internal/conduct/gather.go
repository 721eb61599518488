package conduct

import (
	"context"
	"fmt"

	"github.com/epperf/epperf/go/internal/rendezvous"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

const (
	// MaxGatheredBytes bounds what etcd is asked to carry to node 0.
	MaxGatheredBytes = 64 << 20
	// bytesPerDuration is what a duration below 0.27 s takes in a record.
	bytesPerDuration = 4
	// durationsPerEntry keep an entry well below a chunk: a duration has at most ten bytes.
	durationsPerEntry = 32 << 10
)

// partsOnly reports whether a run's samples are too many to bring together. All launchers answer
// alike, for they compute it from the plan.
func (r Run) partsOnly() bool {
	var samples uint64
	for _, c := range r.Plan.GetCases() {
		for _, pass := range c.GetPasses() {
			samples += uint64(c.GetRanks()) * uint64(pass.GetCount())
		}
	}
	return r.Party.Nodes > 1 && samples*bytesPerDuration > r.GatherBytes
}

// gather brings what all ranks reported since the last time into node 0's record; of a run with too many
// samples, the results alone, which say whether it passed.
func (r Run) gather(ctx context.Context, member *rendezvous.Member, kept *outcome) error {
	if r.Party.Nodes == 1 {
		return nil
	}
	if r.Party.NodeRank > 0 {
		return member.Give(ctx, kept.takeGiven())
	}
	ranksPerHost := int(r.Plan.GetRanksPerHost())
	return member.Gather(ctx, func(node int, entry *epperfv1.Entry) error {
		var rank uint32
		switch kind := entry.GetKind().(type) {
		case *epperfv1.Entry_Samples:
			rank = kind.Samples.GetRank()
		case *epperfv1.Entry_Result:
			rank = kind.Result.GetRank()
		}
		if int(rank)/ranksPerHost != node {
			return fmt.Errorf("it reports for rank %d, which is not its own", rank)
		}
		return kept.take(entry)
	})
}
