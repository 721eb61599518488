package export_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/epperf/epperf/go/internal/compare"
	"github.com/epperf/epperf/go/internal/export"
	"github.com/epperf/epperf/go/internal/report"
)

func compared(t *testing.T, launches int) *report.Comparison {
	t.Helper()
	options := compare.Options{Figure: compare.Slowest, Threshold: 0.03}
	before, after := compare.NewLaunches(options.Figure), compare.NewLaunches(options.Figure)
	for i := range launches {
		before.Add(slower(t, 0)[i])
		after.Add(slower(t, 50)[i])
	}
	c := &report.Comparison{Options: options}
	var err error
	if c.Results, c.Alone, err = compare.Launched(before, after, options); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAComparisonAsJSONFollowsItsSchema(t *testing.T) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(export.ComparisonSchema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("comparison.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("comparison.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, launches := range []int{1, 6} { // of one there is no interval
		var out bytes.Buffer
		if err := export.WriteComparison(&out, compared(t, launches)); err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(out.Bytes()))
		if err == nil {
			err = schema.Validate(value)
		}
		if err != nil {
			t.Errorf("%d launches: %v:\n%s", launches, err, &out)
		}
		var got struct {
			Version int
			Cases   []struct {
				Verdict string
				Old     struct{ Launches int }
				Change  struct{ Estimate, Low float64 }
			}
		}
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		c := got.Cases[0]
		if got.Version != 1 || c.Old.Launches != launches || c.Change.Estimate < 0.04 || launches == 6 && c.Change.Low < 0.04 {
			t.Errorf("%+v", got)
		}
	}
	if schema.Validate(map[string]any{"format": "epperf-comparison"}) == nil {
		t.Error("the schema takes anything")
	}
}
