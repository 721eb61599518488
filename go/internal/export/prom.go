package export

import (
	"io"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/proto"

	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/report"
	"github.com/epperf/epperf/go/internal/table"
)

// counted are the rows that have no better value, and are of use to who watches a machine.
var counted = map[string]bool{
	"moved.bytes": true, "verdict.passed": true, "verdict.calibrated": true, "checked.checked": true, "soaked.soak": true, "soaked.rounds": true,
}

// metrics are families by name.
type metrics map[string]*dto.MetricFamily

// writeProm writes the text format of Prometheus, without times: what reads files refuses them.
func writeProm(w io.Writer, records []*record.Record) error {
	all := metrics{}
	err := describe(records, func(i int, document *report.Document) error {
		run := label("run", records[i].Header.GetPlan().GetRunId())
		all.addRun(document, run)
		seconds := float64(records[i].Header.GetStartedUnixNs()) / 1e9
		all.add("epperf_run_started_timestamp_seconds", "When the run began.", seconds, run)
		for index := range document.Cases {
			c := &document.Cases[index]
			all.addCase(c, append(shapeLabels(c), label("case", c.Name), label("index", strconv.Itoa(index)), run))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range inOrder(all) {
		if _, err := expfmt.MetricFamilyToText(w, all[name]); err != nil {
			return err
		}
	}
	return nil
}

func (m metrics) addRun(document *report.Document, run *dto.LabelPair) {
	row := &document.Run.Rows[0]
	labels := []*dto.LabelPair{run}
	for _, name := range []string{"device", "backend", "build", "ending", "started"} {
		cell, _ := row.Cell(name)
		labels = append(labels, label(name, value(cell)))
	}
	m.add("epperf_run_info", "A run, and what it was.", 1, labels...)
	passed, _ := row.Cell("passed")
	yes, _ := number(passed)
	m.add("epperf_run_passed", "Whether the run came to its end and every byte was right.", yes, run)
}

func (m metrics) addCase(c *report.Case, labels []*dto.LabelPair) {
	for _, t := range c.Tables {
		for i := range t.Rows {
			row := &t.Rows[i]
			if row.Better == table.Neither && !counted[t.Name+"."+row.Name] {
				continue
			}
			for _, cell := range row.Cells {
				if of, ok := number(cell); ok {
					suffix, factor := promUnit(row.UnitOf(cell))
					stat := label("stat", cellName(cell))
					name := strings.TrimSuffix("epperf_"+row.Name, suffix) + suffix
					m.add(name, row.Label+".", of*factor, append(labels[:len(labels):len(labels)], stat)...)
				}
			}
		}
	}
}

func (m metrics) add(name, help string, value float64, labels ...*dto.LabelPair) {
	family := m[name]
	if family == nil {
		family = &dto.MetricFamily{Name: proto.String(name), Help: proto.String(help), Type: dto.MetricType_GAUGE.Enum()}
		m[name] = family
	}
	family.Metric = append(family.Metric, &dto.Metric{Label: labels, Gauge: &dto.Gauge{Value: proto.Float64(value)}})
}

// promUnit returns how the name of a metric of a unit ends, and what makes its base unit of the table's.
func promUnit(unit table.Unit) (suffix string, factor float64) {
	switch unit {
	case table.Nanoseconds:
		return "_seconds", 1e-9
	case table.Bytes:
		return "_bytes", 1
	case table.BytesPerNanosecond:
		return "_bytes_per_second", 1e9
	case table.FlopPerNanosecond:
		return "_flop_per_second", 1e9
	case table.Ratio:
		return "_ratio", 1
	default:
		return "", 1
	}
}

// shapeLabels are those that a graph is made by.
func shapeLabels(c *report.Case) []*dto.LabelPair {
	var labels []*dto.LabelPair
	for _, name := range []string{"mode", "ranks", "max_tokens", "dtype", "layout", "sms"} {
		cell, _ := c.Shape.Cell(name)
		labels = append(labels, label(strings.TrimPrefix(name, "max_"), value(cell)))
	}
	return labels
}

func label(name, value string) *dto.LabelPair {
	return &dto.LabelPair{Name: proto.String(name), Value: proto.String(table.Printable(value))}
}
