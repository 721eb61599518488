package figures_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"testing"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Whatever is in a file, reading and summarising it ends with a record or an error, and no figure
// of a summary is one that cannot be.
func FuzzRead(f *testing.F) {
	whole, err := os.ReadFile(recordtest.Small().Write(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	silent := recordtest.Small()
	silent.Samples[1].DurationNs = []uint64{0, 0, 0}
	silent.Results[1].Traffic = nil
	silent.Status = epperfv1.Trailer_STATUS_INTERRUPTED
	if whole, err = os.ReadFile(silent.Write(f)); err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	detailed := recordtest.Detailed(epperfv1.Mode_MODE_E2E)
	detailed.Header.Limit = &epperfv1.Limit{Case: recordtest.Calibrated().Case(), Samples: recordtest.Calibrated().Samples[1:2]}
	for _, run := range []*recordtest.Run{detailed, recordtest.Calibrated()} {
		if whole, err = os.ReadFile(run.Write(f)); err != nil {
			f.Fatal(err)
		}
		f.Add(whole)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		kept, err := record.ReadFrom(bytes.NewReader(content), "x.epperf")
		var damage *record.DamagedError
		switch {
		case err != nil && !errors.As(err, &damage) && !errors.Is(err, io.ErrUnexpectedEOF):
			t.Fatalf("an error of no known kind: %v", err)
		case err != nil:
			return
		}
		for _, c := range figures.Summarize(kept).Cases {
			spreads := []*figures.Spread{c.Bandwidth, c.LatencyNS}
			if of := c.Calibration; of != nil {
				spreads = append(spreads, of.Alone, of.All, of.CachedAlone, of.CachedAll)
			}
			for _, spread := range spreads {
				if spread == nil {
					continue
				}
				for _, figure := range []float64{spread.Avg, spread.Min, spread.Max} {
					if math.IsNaN(figure) || math.IsInf(figure, 0) || figure < 0 {
						t.Errorf("a figure is %g", figure)
					}
				}
			}
		}
	})
}
