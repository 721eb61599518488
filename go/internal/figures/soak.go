package figures

import (
	"time"

	"github.com/epperf/epperf/go/internal/record"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A SoakSummary is how far a soak came.
type SoakSummary struct {
	// PlannedEpochs or Planned is what was asked for; the other is 0.
	PlannedEpochs uint64
	Planned       time.Duration
	// CheckEvery so manieth iteration was to be checked in full; 0 where the ranks chose.
	CheckEvery uint64
	// Epochs are iterations that all ranks ended, and Checked those of them that all checked.
	Epochs, Checked uint64
	// Rows are what all ranks compared in them, Bytes what these hold, and Wrong the wrong ones.
	Rows, Bytes, Wrong uint64
	// Rounds are those that any rank began, each with its routing and seed.
	Rounds int
	// Repeat is the round in which something went wrong, as it is asked for by itself; nil if nothing did, or
	// nobody knows where.
	Repeat *Shape
}

// summarizeSoak returns nil for a case that is none.
func summarizeSoak(c *epperfv1.Case, ranks []record.RankRecord) *SoakSummary {
	soak := c.GetSoak()
	if soak == nil {
		return nil
	}
	known := rowsAreKnown(c)
	wrong, failed := -1, -1
	s := &SoakSummary{
		PlannedEpochs: soak.GetEpochs(),
		Planned:       time.Duration(soak.GetDurationNs()),
		CheckEvery:    uint64(soak.GetCheckEvery()),
	}
	for i, rank := range ranks {
		count := rank.Result.GetSoak()
		if i == 0 {
			s.Epochs, s.Checked = count.GetEpochs(), count.GetChecked()
		}
		s.Epochs, s.Checked = min(s.Epochs, count.GetEpochs()), min(s.Checked, count.GetChecked())
		s.Rows += count.GetRows()
		s.Wrong += count.GetWrong()
		s.Rounds = max(s.Rounds, int(count.GetRounds()))
		if known {
			s.Bytes += soakedBytes(c, i, count)
		}
		if round := int(count.GetWrongRound()); count.GetWrong() > 0 && (wrong < 0 || round < wrong) {
			wrong = round
		}
		if !rank.Result.GetPassed() && count.GetRounds() > 0 {
			failed = max(failed, int(count.GetRounds())-1)
		}
	}
	if wrong < 0 {
		wrong = failed
	}
	if wrong >= 0 {
		shape := ShapeOf(c.OfRound(uint32(wrong)))
		s.Repeat = &shape
	}
	return s
}

// soakedBytes are those of the rows that a rank compared. Of each checked iteration with a combine it compared one
// combined row for each of its tokens; the others are dispatched rows.
func soakedBytes(c *epperfv1.Case, rank int, count *epperfv1.SoakCount) uint64 {
	combined := count.GetChecked() * uint64(c.GetTokensOfRank()[rank])
	switch c.GetMode() {
	case epperfv1.Mode_MODE_DISPATCH:
		combined = 0
	case epperfv1.Mode_MODE_COMBINE:
		combined = count.GetRows()
	}
	combined = min(combined, count.GetRows())
	return combined*CombineRowBytes(c) + (count.GetRows()-combined)*DispatchRowBytes(c)
}
