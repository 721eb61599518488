// Package expect holds records against figures that somebody expects of them: those of another tool, of a
// data sheet, of last week.
package expect

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record"
)

// Seed names the table that is built in: what NIXL EP's Python performance test, from which epperf
// started, says that a cluster with RDMA should give.
const Seed = "seed-dfw"

// builtIn are tables by their names. The examples of two READMEs of later revisions of NIXL EP are no
// measurements, and nothing is held against them.
//
//go:embed *.json
var builtIn embed.FS

const (
	format  = "epperf-expect"
	version = 1
)

// A Table is cases with figures.
type Table struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	// Source says where the figures come from.
	Source string `json:"source"`
	// Tolerance is a part of one: 0.05 is 5 % either way. An example has none.
	Tolerance float64 `json:"tolerance,omitempty"`
	// Example: the figures were not measured. They are shown, and nothing is held against them.
	Example bool       `json:"example,omitempty"`
	Cases   []Expected `json:"cases"`
}

// Expected is one case. What is left out may be anything.
type Expected struct {
	Mode           string `json:"mode"`
	Device         string `json:"device,omitempty"`
	Backend        string `json:"backend,omitempty"`
	Ranks          int    `json:"ranks,omitempty"`
	Tokens         int    `json:"tokens,omitempty"`
	Hidden         int    `json:"hidden,omitempty"`
	ExpertsPerRank int    `json:"experts_per_rank,omitempty"`
	Topk           int    `json:"topk,omitempty"`
	Dtype          string `json:"dtype,omitempty"`
	Layout         string `json:"layout,omitempty"`
	Combine        string `json:"combine,omitempty"`
	Quantize       string `json:"quantize,omitempty"`
	Routing        string `json:"routing,omitempty"`
	// Bandwidth is in GB/s and Latency in microseconds, as perf prints their averages.
	Bandwidth float64 `json:"bandwidth_gb_per_s,omitempty"`
	Latency   float64 `json:"latency_us,omitempty"`
	// Steps are p50 of the steps of a control plane, in milliseconds by their names.
	Steps map[string]float64 `json:"steps_ms,omitempty"`
}

// Load returns the table of a file, or the one that is built in.
func Load(name string) (*Table, error) {
	content, err := builtIn.ReadFile(name + ".json")
	if err != nil {
		file, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("expected figures: %w; built in are %s, %s and %s", err, Seed, "control-a", "control-b")
		}
		defer file.Close()
		const most = 1 << 20
		if content, err = io.ReadAll(io.LimitReader(file, most)); err != nil {
			return nil, fmt.Errorf("expected figures: %w", err)
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	table := &Table{}
	if err := decoder.Decode(table); err != nil {
		return nil, fmt.Errorf("expected figures: %s: byte %d: %w", name, decoder.InputOffset(), err)
	}
	if problem := table.problem(); problem != "" {
		return nil, fmt.Errorf("expected figures: %s: %s", name, problem)
	}
	return table, nil
}

func (t *Table) problem() string {
	switch {
	case t.Format != format || t.Version != version:
		return fmt.Sprintf("format %q, version %d: this program reads %q, version %d", t.Format, t.Version, format, version)
	case t.Example && t.Tolerance != 0:
		return "an example has no tolerance"
	case !t.Example && !(t.Tolerance > 0 && t.Tolerance < 1):
		return "a tolerance is more than 0 and less than 1, such as 0.05"
	case len(t.Cases) == 0:
		return "no cases"
	}
	for i, c := range t.Cases {
		if c.Mode == "" || !(c.Bandwidth > 0 || c.Latency > 0 || len(c.Steps) > 0) {
			return fmt.Sprintf("case %d has no mode or no figure", i)
		}
	}
	return ""
}

// A Verdict is how a measured figure lies to an expected one.
type Verdict string

// The verdicts.
const (
	// Met: within the tolerance.
	Met    Verdict = "met"
	Better Verdict = "better"
	Worse  Verdict = "worse"
	// NotMeasured: the record has no such figure.
	NotMeasured Verdict = "not measured"
	// Example: nothing is held against it.
	Example Verdict = "an example, not a measurement"
)

// A Figure is an expected value beside the measured one, both in the record's base units.
type Figure struct {
	// Name is bandwidth, in bytes per ns, or a duration in ns: latency, or a step of a control plane.
	Name               string
	Expected, Measured float64
	// Change is measured / expected - 1; of no use beside an example.
	Change  float64
	Verdict Verdict
}

// A Result is what one case of a record came to.
type Result struct {
	Name string
	// Differs says what keeps the case from being compared: what differs in the expected case that is
	// nearest, as "backend is ipc, none is expected". None where figures are compared.
	Differs []string
	Figures []Figure
}

// Against holds each case of a record against the table. Calibrations and soaks have no figures, and no
// result.
func (t *Table) Against(r *record.Record) []Result {
	summary := figures.Summarize(r)
	var results []Result
	for index, c := range r.Header.GetPlan().GetCases() {
		if !c.TimesOperations() && !c.Controls() {
			continue
		}
		shape := figures.ShapeOf(c)
		result := Result{Name: shape.Name()}
		nearest := -1
		for i := range t.Cases {
			differs := t.Cases[i].differs(shape, summary)
			if nearest < 0 || len(differs) < len(result.Differs) {
				nearest, result.Differs = i, differs
			}
		}
		if len(result.Differs) == 0 {
			result.Figures = t.Cases[nearest].figures(&summary.Cases[index], t)
		}
		results = append(results, result)
	}
	return results
}

// differs says what of a case is not as it is expected.
func (e *Expected) differs(shape figures.Shape, summary *figures.Summary) (all []string) {
	word := func(name, is, want string) {
		if want != "" && is != want {
			all = append(all, fmt.Sprintf("%s is %s, %s is expected", name, is, want))
		}
	}
	number := func(name string, is, want int) {
		if want != 0 && is != want {
			all = append(all, fmt.Sprintf("%s is %d, %d is expected", name, is, want))
		}
	}
	word("mode", shape.Mode, e.Mode)
	word("device", summary.Device, e.Device)
	word("backend", summary.Backend, e.Backend)
	number("ranks", shape.Ranks, e.Ranks)
	number("tokens", shape.MaxTokens, e.Tokens)
	number("tokens of some rank", shape.MinTokens, e.Tokens)
	number("hidden", shape.Hidden, e.Hidden)
	number("experts per rank", shape.ExpertsPerRank, e.ExpertsPerRank)
	number("topk", shape.Topk, e.Topk)
	word("dtype", shape.Dtype, e.Dtype)
	word("layout", shape.Layout, e.Layout)
	word("combine", shape.Combine, e.Combine)
	word("quantize", shape.Quantize, e.Quantize)
	word("routing", shape.Routing, e.Routing)
	return all
}

func (e *Expected) figures(c *figures.CaseSummary, of *Table) (all []Figure) {
	add := func(name string, expected float64, measured *float64, lower bool) {
		if expected <= 0 {
			return
		}
		figure := Figure{Name: name, Expected: expected, Verdict: NotMeasured}
		if measured != nil {
			figure.Measured, figure.Change = *measured, *measured/expected-1
			switch {
			case of.Example:
				figure.Verdict = Example
			case math.Abs(figure.Change) <= of.Tolerance:
				figure.Verdict = Met
			case figure.Change < 0 == lower:
				figure.Verdict = Better
			default:
				figure.Verdict = Worse
			}
		}
		all = append(all, figure)
	}
	average := func(of *figures.Spread) *float64 {
		if of == nil {
			return nil
		}
		return &of.Avg
	}
	add("bandwidth", e.Bandwidth, average(c.Bandwidth), false)
	add("latency", e.Latency*1e3, average(c.LatencyNS), true)
	if c.Control == nil {
		return all
	}
	for i := range c.Control.Steps {
		step := &c.Control.Steps[i]
		var p50 *float64
		if ns, ok := step.P50NS(); ok {
			p50 = &ns
		}
		add(step.Name, e.Steps[step.Name]*1e6, p50, true)
	}
	return all
}
