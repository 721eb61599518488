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
	// Rows are what all ranks compared in them, and Wrong the wrong ones.
	Rows, Wrong uint64
}

// summarizeSoak returns nil for a case that is none.
func summarizeSoak(soak *epperfv1.Soak, ranks []record.RankRecord) *SoakSummary {
	if soak == nil {
		return nil
	}
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
	}
	return s
}
