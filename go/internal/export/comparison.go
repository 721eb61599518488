package export

import (
	_ "embed"
	"encoding/json"
	"io"
	"math"

	"github.com/epperf/epperf/go/internal/compare"
	"github.com/epperf/epperf/go/internal/report"
	"github.com/epperf/epperf/go/internal/table"
)

// ComparisonSchema is the JSON Schema of what WriteComparison writes.
//
//go:embed comparison.schema.json
var ComparisonSchema []byte

const (
	comparisonFormat  = "epperf-comparison"
	comparisonVersion = 1
)

type jsonComparison struct {
	Format    string         `json:"format"`
	Version   int            `json:"version"`
	Figure    compare.Figure `json:"figure"`
	Threshold float64        `json:"threshold"`
	Regressed bool           `json:"regressed"`
	Cases     []jsonCompared `json:"cases"`
	Alone     []string       `json:"alone"`
}

type jsonCompared struct {
	Name       string          `json:"name"`
	Verdict    compare.Verdict `json:"verdict"`
	Regression bool            `json:"regression"`
	Old        jsonSide        `json:"old"`
	New        jsonSide        `json:"new"`
	// Change is a part of one; without launches enough for an interval it has no bounds.
	Change  jsonInterval `json:"change"`
	P       float64      `json:"p"`
	Reasons []jsonReason `json:"reasons"`
}

type jsonSide struct {
	Launches int           `json:"launches"`
	NS       []float64     `json:"ns"`
	Median   *jsonInterval `json:"median_ns,omitempty"`
}

type jsonInterval struct {
	Estimate float64  `json:"estimate"`
	Low      *float64 `json:"low,omitempty"`
	High     *float64 `json:"high,omitempty"`
}

type jsonReason struct {
	Kind     compare.ReasonKind `json:"kind"`
	Launches int                `json:"launches,omitempty"`
	What     string             `json:"what,omitempty"`
}

// WriteComparison writes a comparison as JSON.
func WriteComparison(w io.Writer, c *report.Comparison) error {
	of := jsonComparison{
		Format: comparisonFormat, Version: comparisonVersion, Figure: c.Options.Figure, Threshold: c.Options.Threshold,
		Regressed: c.Regressed(), Alone: append([]string{}, c.Alone...),
	}
	for i := range c.Results {
		r := &c.Results[i]
		one := jsonCompared{
			Name: r.Name, Verdict: r.Verdict, Regression: r.Regression, Old: jsonSideOf(&r.Old), New: jsonSideOf(&r.New),
			Change: interval(r.Change(), r.Shift.Low-1, r.Shift.High-1), P: r.P, Reasons: []jsonReason{},
		}
		for _, reason := range r.Reasons {
			one.Reasons = append(one.Reasons, jsonReason{reason.Kind, reason.Launches, table.Printable(reason.What)})
		}
		of.Cases = append(of.Cases, one)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(of)
}

func jsonSideOf(s *compare.Side) jsonSide {
	of := jsonSide{Launches: len(s.NS), NS: append([]float64{}, s.NS...)}
	if len(s.NS) > 0 {
		median := interval(s.Median, s.Low, s.High)
		of.Median = &median
	}
	return of
}

// interval has no bounds where there are none.
func interval(estimate, low, high float64) jsonInterval {
	of := jsonInterval{Estimate: estimate}
	if !math.IsInf(high, 0) {
		of.Low, of.High = &low, &high
	}
	return of
}
