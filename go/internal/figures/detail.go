package figures

import (
	"slices"

	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/stats"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A DetailSummary is what --detail adds. What cannot be computed is nil.
type DetailSummary struct {
	// Fresh is taken over iterations that all ranks began together, each represented by the longest
	// duration that any rank had in it. The first counts as all others.
	Fresh *Quantiles
	// PairNS is the period of one dispatch-combine pair in a chain of Pairs: a rank's block / Pairs,
	// median over ranks.
	PairNS *float64
	Pairs  int
	// GPU is what is timed on GPUs alone; nil on CPUs.
	GPU   *GPUDetail
	Share *Share
}

// A GPUDetail is what --detail adds on GPUs. What cannot be computed is nil.
type GPUDetail struct {
	// GraphNS is the period of one operation of the mode in a CUDA graph of GraphOperations: the
	// longest duration that any rank had in a replay / GraphOperations, median over Replays, which
	// leave out the first.
	GraphNS                  *float64
	GraphOperations, Replays int
	// Kernels is as the timed block's Slowest, but of the kernels alone.
	Kernels *Quantiles
}

func summarizeDetail(r *record.Record, s *CaseSummary, c *epperfv1.Case, ranks []record.RankRecord) *DetailSummary {
	chained := c.PassOfKind(epperfv1.Pass_KIND_CHAINED)
	detail := &DetailSummary{Pairs: int(c.Pass(chained).GetCaptured())}
	graph := c.Pass(c.PassOfKind(epperfv1.Pass_KIND_GRAPH))
	if onGPUs(r.Header.GetPlan()) {
		detail.GPU = &GPUDetail{
			GraphOperations: int(graph.GetCaptured()),
			Replays:         max(0, int(graph.GetCount())-1),
		}
	}
	if s.Finished < s.Ranks || s.SharedGPU {
		return detail
	}
	detail.Fresh = quantiles(slowestOf(leftOf(ranks, c.PassOfKind(epperfv1.Pass_KIND_FRESH))))
	if chainNS, ok := stats.NewDistribution(slices.Concat(leftOf(ranks, chained)...)).MedianNS(); ok && detail.Pairs > 0 {
		period := float64(chainNS) / float64(detail.Pairs)
		detail.PairNS = &period
	}
	if detail.GPU != nil {
		detail.GPU.add(c, ranks)
	}
	detail.Share = share(r, s, c, ranks)
	return detail
}

// add computes the figures of ranks that all finished.
func (d *GPUDetail) add(c *epperfv1.Case, ranks []record.RankRecord) {
	replays := keptOf(ranks, c.PassOfKind(epperfv1.Pass_KIND_GRAPH))
	if replayNS, ok := slowestOf(replays).MedianNS(); ok && d.GraphOperations > 0 {
		period := float64(replayNS) / float64(d.GraphOperations)
		d.GraphNS = &period
	}
	d.Kernels = quantiles(slowestOf(keptOf(ranks, c.PassOfKind(epperfv1.Pass_KIND_KERNELS))))
}
