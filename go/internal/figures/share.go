package figures

import (
	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A Share says how much of its time a case could not but take, on this machine.
type Share struct {
	// OfTime is the sum of Bytes / Rate of all parts / the average latency.
	OfTime float64
	Parts  []SharePart
	// RunID is that of the calibration.
	RunID string
}

// A SharePart is what bounds an iteration, or one operation of it.
type SharePart struct {
	// Op is dispatch or combine; "" is whatever the iteration holds.
	Op string
	By Bound
	// Bytes of a rank, mean over ranks, by LeastCopiedBytes or LeastGPUBytes.
	Bytes float64
	// Rate of a rank while all ranks do the same, mean over ranks, in bytes per nanosecond.
	Rate float64
}

// A Bound is a part of a machine that can only do so much.
type Bound int

const (
	// Copies are those of a CPU.
	Copies Bound = iota
	// GPUMemory is a GPU's own.
	GPUMemory
	// Link is what GPUs reach each other by.
	Link
)

func share(r *record.Record, s *CaseSummary, c *epperfv1.Case, ranks []record.RankRecord) *Share {
	if s.LatencyNS == nil || s.LatencyNS.Avg <= 0 || s.BytesPerRank == nil {
		return nil
	}
	bounds := copies
	if onGPUs(r.Header.GetPlan()) {
		bounds = gpuParts
	}
	parts := bounds(r.Header.GetLimit(), c, meanRows(c, ranks))
	if parts == nil {
		return nil
	}
	share := &Share{Parts: parts, RunID: r.Header.GetLimit().GetRunId()}
	for _, part := range parts {
		share.OfTime += part.Bytes / part.Rate / s.LatencyNS.Avg
	}
	return share
}

func meanRows(c *epperfv1.Case, ranks []record.RankRecord) MeanRows {
	var sum MeanRows
	for number, rank := range ranks {
		traffic := rank.Result.GetTraffic()
		sum.Selections += float64(traffic.GetSelections())
		sum.Rank += float64(traffic.GetRankRows())
		sum.Remote += float64(traffic.GetRemoteRows())
		sum.Tokens += float64(c.GetTokensOfRank()[number])
	}
	n := float64(len(ranks))
	return MeanRows{sum.Selections / n, sum.Rank / n, sum.Remote / n, sum.Tokens / n}
}

// copies returns nil where the limit has no rate.
func copies(limit *epperfv1.Limit, c *epperfv1.Case, rows MeanRows) []SharePart {
	rate, ok := limitRate(limit, putAll)
	if !ok {
		return nil
	}
	return []SharePart{{By: Copies, Bytes: LeastCopiedBytes(c, rows), Rate: rate}}
}

// gpuParts returns, for each operation of the case, which of link and memory takes longer. Both
// put what crosses. It returns nil where the limit lacks a rate, or a formula.
func gpuParts(limit *epperfv1.Limit, c *epperfv1.Case, rows MeanRows) []SharePart {
	memory, known := limitRate(limit, local)
	if !known {
		return nil
	}
	link, known := limitRate(limit, putAll)
	if !known {
		return nil
	}
	var parts []SharePart
	for _, op := range []epperfv1.Mode{epperfv1.Mode_MODE_DISPATCH, epperfv1.Mode_MODE_COMBINE} {
		if c.GetMode() != op && c.GetMode() != epperfv1.Mode_MODE_E2E {
			continue
		}
		least, counted := LeastGPUBytes(c, op, rows)
		if !counted {
			return nil
		}
		part := SharePart{epperfv1.Name(op), GPUMemory, least.Copied, memory}
		if least.Crossing/link > least.Copied/memory {
			part = SharePart{epperfv1.Name(op), Link, least.Crossing, link}
		}
		parts = append(parts, part)
	}
	return parts
}
