package export

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"io"
	"strconv"

	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/report"
	"github.com/epperf/epperf/go/internal/table"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Schema is the JSON Schema of what Write writes as JSON.
//
//go:embed schema.json
var Schema []byte

const (
	jsonFormat = "epperf-report"
	// jsonVersion is raised when a reader of what was written before would misread what is written now.
	jsonVersion = 1
)

type jsonRecord struct {
	Path  string     `json:"path"`
	Run   []jsonRow  `json:"run"`
	Cases []jsonCase `json:"cases"`
}

type jsonCase struct {
	Name  string         `json:"name"`
	Shape map[string]any `json:"shape"`
	Rows  []jsonRow      `json:"rows"`
}

type jsonRow struct {
	Table string `json:"table"`
	Name  string `json:"name"`
	Label string `json:"label,omitempty"`
	// Unit is that of all cells that Units does not name.
	Unit   table.Unit            `json:"unit,omitempty"`
	Better string                `json:"better,omitempty"`
	Cells  map[string]any        `json:"cells"`
	Units  map[string]table.Unit `json:"units,omitempty"`
	Notes  []jsonNote            `json:"notes,omitempty"`
}

type jsonNote struct {
	Name  string         `json:"name"`
	Cells map[string]any `json:"cells,omitempty"`
}

// writeJSON writes one record after the other, and of its samples one rank after the other: a document
// of millions of them never is in memory as a whole.
func writeJSON(samples bool) func(io.Writer, []*record.Record) error {
	return func(w io.Writer, records []*record.Record) error {
		out := bufio.NewWriterSize(w, 1<<16)
		out.WriteString(`{"format":"` + jsonFormat + `","version":` + strconv.Itoa(jsonVersion) + `,"records":[`)
		err := describe(records, func(i int, document *report.Document) error {
			if i > 0 {
				out.WriteByte(',')
			}
			text, err := json.Marshal(recordOf(document))
			if err != nil {
				return err
			}
			out.WriteByte('\n')
			out.Write(text[:len(text)-1]) // its brace stays open
			if samples {
				writeSamples(out, records[i])
			}
			out.WriteByte('}')
			return nil
		})
		if err != nil {
			return err
		}
		out.WriteString("\n]}\n")
		return out.Flush()
	}
}

func recordOf(document *report.Document) jsonRecord {
	of := jsonRecord{Path: document.Path, Run: rowsOf(document.Run)}
	for i := range document.Cases {
		c := &document.Cases[i]
		of.Cases = append(of.Cases, jsonCase{Name: c.Name, Shape: cellsOf(c.Shape.Cells), Rows: rowsOf(c.Tables...)})
	}
	return of
}

func rowsOf(tables ...table.Table) []jsonRow {
	rows := []jsonRow{}
	for _, t := range tables {
		for i := range t.Rows {
			rows = append(rows, rowOf(t.Name, &t.Rows[i]))
		}
	}
	return rows
}

func rowOf(of string, row *table.Row) jsonRow {
	r := jsonRow{Table: of, Name: row.Name, Label: row.Label, Unit: row.Unit, Cells: cellsOf(row.Cells)}
	if row.Better != table.Neither {
		r.Better = row.Better.String()
	}
	for _, cell := range row.Cells {
		if cell.Unit != "" && cell.Unit != row.Unit {
			if r.Units == nil {
				r.Units = map[string]table.Unit{}
			}
			r.Units[cellName(cell)] = cell.Unit
		}
	}
	for _, note := range row.Notes {
		r.Notes = append(r.Notes, jsonNote{note.Name, cellsOf(note.Cells)})
	}
	return r
}

// cellsOf returns values by name; nil, which is JSON's null, of one that is missing or not finite.
func cellsOf(cells []table.Cell) map[string]any {
	values := map[string]any{}
	for _, cell := range cells {
		switch value := cell.Value().(type) {
		case float64:
			values[cellName(cell)] = nil
			if finite, ok := number(cell); ok {
				values[cellName(cell)] = finite
			}
		case string:
			values[cellName(cell)] = table.Printable(value)
		case []string:
			list := make([]string, len(value))
			for i, text := range value {
				list[i] = table.Printable(text)
			}
			values[cellName(cell)] = list
		default:
			values[cellName(cell)] = value
		}
	}
	return values
}

// writeSamples writes a list "samples" of the durations that each rank left of each pass.
func writeSamples(out *bufio.Writer, r *record.Record) {
	out.WriteString(`,"samples":[`)
	var line []byte
	first := true
	eachPass(r, func(at passAt, durationsNS []int64) {
		line = line[:0]
		if !first {
			line = append(line, ',')
		}
		first = false
		line = append(line, "\n{\"case\":"...)
		line = strconv.AppendInt(line, int64(at.caseIndex), 10)
		line = append(line, `,"pass":`...)
		line = strconv.AppendInt(line, int64(at.pass), 10)
		line = append(line, `,"kind":`...)
		line = strconv.AppendQuote(line, at.kind)
		line = append(line, `,"rank":`...)
		line = strconv.AppendInt(line, int64(at.rank), 10)
		line = append(line, `,"ns":[`...)
		for i, ns := range durationsNS {
			if i > 0 {
				line = append(line, ',')
			}
			line = strconv.AppendInt(line, ns, 10)
		}
		out.Write(append(line, "]}"...))
	})
	out.WriteString("]")
}

// passAt is where samples are in a record.
type passAt struct {
	caseIndex, pass, rank int
	kind                  string
}

// eachPass calls do for each rank's durations, in the order of cases, passes and ranks.
func eachPass(r *record.Record, do func(passAt, []int64)) {
	for caseIndex, c := range r.Header.GetPlan().GetCases() {
		for pass, of := range c.GetPasses() {
			kind := epperfv1.Name(of.GetKind())
			for rank := range int(c.GetRanks()) {
				if durations := r.Rank(caseIndex, rank).Pass(pass); len(durations) > 0 {
					do(passAt{caseIndex, pass, rank, kind}, durations)
				}
			}
		}
	}
}
