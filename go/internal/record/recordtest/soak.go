package recordtest

import epperfv1 "github.com/epperf/epperf/proto/epperf/v1"

// Soaked returns a run as Passed in mode e2e, but of a soak of 100,000 epochs, one in 7 of which
// every rank checked, and the last.
func Soaked() *Run {
	const epochs, every = 100_000, 7
	const checked = epochs/every + 1
	run := Passed(epperfv1.Mode_MODE_E2E)
	c := run.Case()
	c.Warmup, c.Passes, c.Soak = 0, nil, &epperfv1.Soak{Epochs: epochs, CheckEvery: every}
	run.Samples = nil
	for _, result := range run.Results {
		rows := uint64(checked * (selections + 128))
		result.Soak = &epperfv1.SoakCount{Epochs: epochs, Checked: checked, Rows: rows}
		result.Check.Rows += rows - (selections + 128) // of the timed block
	}
	return run
}
